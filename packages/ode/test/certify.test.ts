import { describe, expect, test } from "vitest";
import { custom } from "@dydt/autodiff";
import { tensor, type Tensor } from "@dydt/tensor";
import {
  adaptive, certificateMatchers, certifyGradient, denseAdjoint, discreteAdjoint, errorEstimate, fixedSteps, gaussAdjoint, kineticEnergy, rk4, solve, type SolveOptions, type DefaultStep,
} from "@dydt/ode"; // prettier-ignore
import { lotkaVolterra } from "./problems.js";

expect.extend(certificateMatchers);

interface Inputs {
  readonly p: Tensor;
  readonly y0: Tensor;
  readonly t1: Tensor;
}
const inputs: Inputs = { p: tensor([1.5, 1, 3, 1]), y0: tensor([1, 1]), t1: tensor(2) };
const lossWith =
  (options: Partial<SolveOptions<DefaultStep>> = {}) =>
  ({ p, y0, t1 }: Inputs): Tensor => {
    const { ys, penalties } = solve(lotkaVolterra(p), y0, { t0: 0, t1, saveAt: [0.5, 1, 1.5], ...options });
    return penalties.reduce((sum, penalty) => sum.add(penalty.mul(0.1)), ys.square().sum());
  };
const row = (certificate: ReturnType<typeof certifyGradient>, check: string) => certificate.rows.find((one) => one.check === check)!;

describe("a right gradient is certified", () => {
  test("with all its numbers, printable, as JSON and as a matcher", () => {
    const certificate = certifyGradient(lossWith(), inputs);
    expect(certificate.toString()).toMatch(/^the gradient is certified\n/);
    expect(certificate.rows.map(({ check }) => check)).toEqual([
      "Taylor remainder", "forward against reverse", "checkpointed against stored", "continuous against discrete", "drift of backsolving", "defect of interpolation",
    ]); // prettier-ignore
    expect(row(certificate, "Taylor remainder").value).toBeCloseTo(2, 1);
    expect(row(certificate, "forward against reverse").value).toBeLessThan(1e-13);
    expect(row(certificate, "checkpointed against stored").value).toBe(0);
    expect(JSON.parse(JSON.stringify(certificate))).toMatchObject({
      passed: true,
      rows: [{ check: "Taylor remainder", verdict: "pass" }, {}, {}, {}, {}, {}],
    });
  });

  test.each([
    ["given steps", { solver: rk4(), controller: fixedSteps(23) }],
    ["costs of the steps, whose tolerances stay", { regularize: errorEstimate() }],
    ["running costs", { regularize: kineticEnergy() }],
    ["a continuous adjoint", { adjoint: denseAdjoint(), controller: adaptive({ rtol: 1e-8, atol: 1e-8 }) }],
    ["another", { adjoint: gaussAdjoint(), controller: adaptive({ rtol: 1e-8, atol: 1e-8 }) }],
  ] as const)("with %s", (_, options) => {
    const certificate = certifyGradient(lossWith(options as Partial<SolveOptions<DefaultStep>>), inputs);
    expect(certificate.passed, certificate.toString()).toBe(true);
    expect(row(certificate, "Taylor remainder").verdict).toBe("pass");
  });

  test("checks that cannot be made say why", () => {
    const certificate = certifyGradient(lossWith({ regularize: errorEstimate() }), inputs);
    expect(row(certificate, "continuous against discrete")).toMatchObject({ verdict: "skipped", value: undefined });
    expect(row(certificate, "continuous against discrete").note).toMatch(/does not differentiate the solver's steps/);
  });
});

describe("of interpolation", () => {
  test("says that twelve nodes are too few, which fails nothing", () => {
    const loss = ({ p, y0 }: Inputs): Tensor => solve(lotkaVolterra(p), y0, { t0: 0, t1: 3, adjoint: discreteAdjoint() }).y1.square().sum();
    const certificate = certifyGradient(loss, inputs);
    expect(row(certificate, "defect of interpolation")).toMatchObject({ verdict: "advice", threshold: 0.01 });
    expect(certificate.passed).toBe(true);
  });

  test("says nothing where events left no stretch for a polynomial", () => {
    const half = { when: (_t: Tensor, y: Tensor) => y.sub(0.5).sum(), then: "terminate" } as const;
    const loss = (k: Tensor): Tensor => solve((_t, y) => y.mul(k), tensor([1]), { t0: 0, t1: 9, events: [half] }).events[0]!.times.sum();
    const certificate = certifyGradient(loss, tensor(-0.5));
    expect(row(certificate, "defect of interpolation")).toMatchObject({ verdict: "skipped", value: undefined });
    expect(certificate.passed, certificate.toString()).toBe(true);
  });
});

describe("a wrong gradient is not", () => {
  /** The identity, with a gradient that is wrong by a thousandth. */
  const wrong = (x: Tensor): Tensor => custom(x, () => ({ outputs: x.mul(1), pullback: (cotangent: Tensor) => cotangent.mul(1.001) }));

  test("the Taylor remainder is of the first order", () => {
    const certificate = certifyGradient(({ p, y0, t1 }: Inputs) => lossWith()({ p: wrong(p), y0, t1 }), inputs);
    expect(certificate.passed).toBe(false);
    expect(row(certificate, "Taylor remainder").verdict).toBe("fail");
    expect(row(certificate, "Taylor remainder").value).toBeLessThan(1.5);
    expect(certificate.toString()).toMatch(/NOT certified/);
    expect(certificateMatchers.toHaveCertifiedGradient(({ p, y0, t1 }: Inputs) => lossWith()({ p: wrong(p), y0, t1 }), inputs).pass).toBe(false);
  });

  test("a backward solve that is too loose is found", () => {
    const certificate = certifyGradient(
      lossWith({ adjoint: denseAdjoint({ rtol: 0.3, atol: 0.3 }), controller: adaptive({ rtol: 1e-9, atol: 1e-9 }) }),
      inputs,
    );
    expect(certificate.passed).toBe(false);
  });
});
