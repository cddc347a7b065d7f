import { describe, expect, test } from "vitest";
import { gradient } from "@dydt/autodiff";
import { concat, tensor, type Tensor } from "@dydt/tensor";
import {
  adaptive, asynchronousLeapfrog, bosh3, discreteAdjoint, fixedSteps, leapfrog, reversible, reversibleAdjoint, reversibleHeun, solve, tsit5,
  type Adjoint, type ReversibleStep, type SolveOptions, type SolveStats,
} from "@dydt/ode"; // prettier-ignore
import { expectNear, expectSameBits, perceptron, problemNamed } from "./problems.js";

const { p, y0 } = problemNamed("mlp_2_8_2_batch3");
const solvers = {
  reversibleHeun: () => reversibleHeun(),
  asynchronousLeapfrog: () => asynchronousLeapfrog(),
  "reversible(tsit5())": () => reversible(tsit5()),
  "reversible(bosh3())": () => reversible(bosh3()),
} as const;
const names = Object.keys(solvers) as (keyof typeof solvers)[];
let stats: SolveStats;
const run = (adjoint: Adjoint<ReversibleStep>, options: object) => {
  const found = gradient(({ p, y0, t0, t1 }: { p: Tensor; y0: Tensor; t0: Tensor; t1: Tensor }) => {
    const solution = solve(perceptron(p), y0, { t0, t1, adjoint, ...options } as unknown as SolveOptions<ReversibleStep>);
    stats = solution.stats;
    return solution.ys.square().sum();
  })({ p, y0, t0: tensor(0.2), t1: tensor(1.2) });
  return { found, stats };
};

describe("reversibleAdjoint", () => {
  test.each(names)("with %s is the discrete adjoint, to rounding", (name) => {
    const options = { solver: solvers[name](), controller: fixedSteps(40), saveAt: [0.2, 0.45, 0.7] };
    const [back, stored] = [run(reversibleAdjoint(), options), run(discreteAdjoint(), options)];
    expectNear(back.found, stored.found, 1e-11);
    expectNear(run(reversibleAdjoint({ tape: "evaluation" }), options).found, stored.found, 1e-11);
    expect(back.stats.reverse).toMatchObject({ advanced: 0, taped: back.stats.accepted });
    expectSameBits(run(reversibleAdjoint(), options).found, back.found);
  });

  test("with leapfrog is the discrete adjoint, to rounding", () => {
    const slope = (adjoint: Adjoint<ReversibleStep>) =>
      gradient((k: Tensor) => {
        const pendulum = (_t: Tensor, y: Tensor) =>
          concat([
            y.slice([[2, 4]]),
            y
              .slice([[0, 2]])
              .sin()
              .mul(k)
              .neg(),
          ]);
        return solve(pendulum, tensor([1, 0.3, 0, 1]), { t0: 0, t1: 2, solver: leapfrog(), controller: fixedSteps(50), adjoint })
          .y1.square()
          .sum();
      })(tensor(1.7));
    expectNear(slope(reversibleAdjoint()), slope(discreteAdjoint()), 1e-11);
  });

  test("follows steps that were found on the way", () => {
    const options = { solver: reversibleHeun(), controller: adaptive({ rtol: 1e-4, atol: 1e-4 }) };
    expectNear(run(reversibleAdjoint(), options).found, run(discreteAdjoint(), options).found, 1e-11);
  });

  test("takes no more memory for more steps", () => {
    const bytes = (n: number) => run(reversibleAdjoint(), { solver: reversibleHeun(), controller: fixedSteps(n) }).stats.peakBytes;
    expect(bytes(1000)).toBeLessThanOrEqual(bytes(100) + 8 * 1000);
    const stored = (n: number) => run(discreteAdjoint(), { solver: reversibleHeun(), controller: fixedSteps(n) }).stats.peakBytes;
    expect(stored(1000)).toBeGreaterThan(4 * bytes(1000));
  });
});
