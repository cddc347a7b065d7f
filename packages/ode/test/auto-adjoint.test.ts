import { describe, expect, test } from "vitest";
import { gradient } from "@dydt/autodiff";
import { OptionError, random, tensor, type Tensor } from "@dydt/tensor";
import { adaptive, autoAdjoint, discreteAdjoint, dopri5, fixedSteps, rk4, solve, type Adjoint, type SolveStats, type Step } from "@dydt/ode";
import { expectNear } from "./problems.js";

const stream = random(1);
const inputs = { w: stream.normal([16, 16]).mul(0.4), y0: stream.normal([32, 16]) };
let stats: SolveStats | undefined;
const lossWith =
  (adjoint: Adjoint<Step>, given: boolean) =>
  ({ w, y0 }: typeof inputs): Tensor => {
    const settings = given ? { solver: rk4(), controller: fixedSteps(60) } : { solver: dopri5() };
    const solution = solve((t, y) => y.matmul(w).tanh().add(t), y0, { t0: 0, t1: 4, adjoint, ...settings } as never) as {
      y1: Tensor;
      stats: SolveStats;
    };
    stats = solution.stats;
    return solution.y1.square().sum();
  };
const run = (adjoint: Adjoint<Step>, given = true) => ({ found: gradient(lossWith(adjoint, given))(inputs), stats: stats! });

describe.each([true, false])("autoAdjoint (steps given: %s)", (given) => {
  const stored = run(discreteAdjoint(), given);
  test.each([400_000, 250_000, 200_000])("fits into %i bytes, and predicts bytes and steps before", (bytes) => {
    const adjoint = autoAdjoint({ bytes });
    const [plan] = adjoint.plan(lossWith(discreteAdjoint(), given), inputs);
    const { found, stats } = run(adjoint, given);
    expectNear(found, stored.found, 1e-13);
    expect(stats.peakBytes).toBeLessThanOrEqual(bytes);
    expect(stats.reverse!.predicted).toEqual(plan!.predict(stats.accepted));
    expect(plan!.steps).toBe(stats.accepted);
    expect(Math.abs(stats.reverse!.predicted!.bytes / stats.peakBytes - 1)).toBeLessThan(0.1);
    expect(stats.reverse!.advanced).toBe(stats.reverse!.predicted!.advanced);
    expect(plan!.explain(plan!.steps)).toMatch(/discreteAdjoint, tape: "(step|evaluation)", at most \d+ stored states of 4096 bytes/);
  });

  test("says how much is needed where it is not enough", () => {
    expect(() => run(autoAdjoint({ bytes: 10_000 }), given)).toThrow(OptionError);
    expect(() => run(autoAdjoint({ bytes: 10_000 }), given)).toThrow(/the smallest reverse of this problem takes \d+/);
  });
});

test("autoAdjoint plans solves whose controller has tolerances by component", () => {
  const found = gradient((k: Tensor) => {
    const controller = adaptive({ rtol: [1e-6, 1e-8] });
    return solve((_t, y) => y.mul(k), tensor([1, 2]), { t0: 0, t1: 1, controller, adjoint: autoAdjoint({ bytes: 100_000 }) }).y1.sum();
  })(tensor(0.5));
  expectNear(found, 3 * Math.exp(0.5), 1e-6);
});

test("autoAdjoint refuses no bytes", () => {
  expect(() => autoAdjoint({ bytes: 0 })).toThrow(OptionError);
  expect(() => autoAdjoint({ bytes: tensor(1) as unknown as number })).toThrow(OptionError);
});
