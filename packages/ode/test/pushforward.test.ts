import { describe, expect, test } from "vitest";
import { gradient, hessian, hessianVectorProduct, jacobian, jvp, pushforward } from "@dydt/autodiff";
import { adaptive, dopri5, fixedSteps, reversibleHeun, rk4, solve, tsit5 } from "@dydt/ode";
import { meterBytes, sin, stack, tensor, type Tensor } from "@dydt/tensor";
import { expectClose } from "../../../scripts/expect-close.js";

/** A pendulum with friction, driven; its parameters are what is differentiated. */
const field = (p: Tensor, told: () => void = () => undefined) => (t: Tensor, y: Tensor): Tensor => {
  told();
  return stack([y.at(1), y.at(0).sin().mul(p.at(0)).neg().sub(y.at(1).mul(p.at(1))).add(sin(t.mul(p.at(2))))]);
}; // prettier-ignore
const start = tensor([0.8, -0.3]);
const at = tensor([1.3, 0.2, 2.1]);
const directions = [tensor([0.7, -1.1, 0.4]), tensor([0, 1, 0]), tensor([0, 0, 0])];
const interval = { t0: 0, t1: 2 } as const;
const cases: Readonly<Record<string, (p: Tensor) => { readonly ys: Tensor; readonly y1: Tensor }>> = {
  "tsit5, adaptive": (p) => solve(field(p), start, { ...interval, solver: tsit5(), controller: adaptive({ rtol: 1e-6, atol: 1e-8 }) }),
  "tsit5, stepping to times": (p) => solve(field(p), start, { ...interval, solver: tsit5(), controller: fixedSteps(7), saveAt: [0.5, 1.1, 2] }),
  "dopri5, read between steps": (p) =>
    solve(field(p), start, { ...interval, solver: dopri5(), controller: adaptive({ rtol: 1e-5, atol: 1e-5 }), saveAt: [0.5, 2] }),
  "reversibleHeun, which carries a second state": (p) => solve(field(p), start, { ...interval, solver: reversibleHeun(), controller: fixedSteps(9) }),
};

describe("several tangents go along one solve", () => {
  test.each(Object.entries(cases))("with the bits of as many solves: %s", (_, run) => {
    const f = (p: Tensor) => {
      const { ys, y1 } = run(p);
      return { ys, y1 };
    };
    const { value, tangents } = pushforward(f, at, directions);
    directions.forEach((v, j) => expect({ value, tangent: tangents[j]! }).toEqual(jvp(f, at, v)));
    expectClose(
      tangents[0]!.y1.sum(),
      gradient((p: Tensor) => f(p).y1.sum())(at)
        .mul(directions[0]!)
        .sum(),
      { rtol: 1e-11 },
    );
    expectClose(tangents[2]!.y1, [0, 0]);
  });

  test("and the field is evaluated as often as without them", () => {
    const evaluations = (run: (f: (p: Tensor) => Tensor) => unknown): number => {
      let count = 0;
      run((p: Tensor) => solve(field(p, () => count++), start, { ...interval, solver: rk4(), controller: fixedSteps(10) }).y1); // prettier-ignore
      return count;
    };
    const plain = evaluations((f) => f(at));
    expect(plain).toBe(40);
    expect(evaluations((f) => jvp(f, at, directions[0]!))).toBe(plain);
    expect(evaluations((f) => pushforward(f, at, directions))).toBe(plain);
    expect(evaluations((f) => jacobian(f)(at))).toBe(plain);
    expect(evaluations((f) => hessian((p: Tensor) => f(p).square().sum())(at))).toBe(
      evaluations((f) => hessianVectorProduct((p: Tensor) => f(p).square().sum(), at, directions[0]!)),
    );
  });

  test("and nothing is stored, however many steps there are", () => {
    const bytes = (steps: number): number => {
      const peak = meterBytes();
      pushforward((p: Tensor) => solve(field(p), start, { ...interval, solver: rk4(), controller: fixedSteps(steps) }).y1, at, directions);
      return peak();
    };
    bytes(10);
    expect(bytes(200)).toBeLessThan(bytes(20) + 8 * 180 + 64); // the times alone
  });

  test("inside a field they give a trace, which the adjoint differentiates", () => {
    const units = [tensor([1, 0]), tensor([0, 1])] as const;
    const volume = (p: Tensor): Tensor =>
      solve(
        (t, { y }: { readonly y: Tensor; readonly l: Tensor }) => {
          const { value, tangents } = pushforward((z: Tensor) => field(p)(t, z), y, units);
          return { y: value, l: tangents[0].at(0).add(tangents[1].at(1)) };
        },
        { y: start, l: tensor(0) },
        { ...interval, solver: rk4(), controller: fixedSteps(10) },
      ).y1.l;
    expectClose(volume(at), -2 * 0.2, { rtol: 1e-14 }); // the trace is minus the friction
    expectClose(gradient(volume)(at), [0, -2, 0], { rtol: 1e-13 });
  });
});
