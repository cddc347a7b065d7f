import { describe, expect, test } from "vitest";
import { discreteAdjoint, fixedSteps, solve } from "@dydt/ode";
import gradients from "./cases/gradients.json" with { type: "json" };
import {
  distance, expectNear, expectSameBits, granularities, lossAndGradient, problemNamed, referenceNames, schedules, solverNamed,
} from "./problems.js"; // prettier-ignore

const rows = gradients.problems.flatMap(({ id, discrete }) =>
  discrete.flatMap((expected) => {
    const name = referenceNames[expected.method];
    return name === undefined ? [] : [{ id, name, expected }];
  }),
);

describe("the discrete adjoint against gradients in 200-bit arithmetic", () => {
  test("three problems with eight explicit solvers are at hand", () => expect(rows).toHaveLength(24));

  test.each(rows)("of $name on $id is right to 1e-12, under every schedule with the same bits", ({ id, name, expected }) => {
    const problem = problemNamed(id);
    const run = (granularity: (typeof granularities)[number], schedule: (typeof schedules)[number]) =>
      lossAndGradient(
        problem,
        {
          solver: solverNamed(name),
          controller: fixedSteps(expected.steps),
          adjoint: discreteAdjoint({ checkpoints: schedule[1](), tape: granularity }),
        },
        (f, y0, options) => solve(f, y0, options).y1,
      );
    const [byStep, byEvaluation] = granularities.map((granularity) => {
      const [all, ...few] = schedules.map((schedule) => run(granularity, schedule));
      const { value, auxiliary: y1, gradient } = all!;
      expectNear(y1, expected.y1, 1e-12);
      expectNear(value, expected.loss, 1e-12);
      expectNear(gradient.y0, expected.grad_y0, 1e-12);
      expectNear(gradient.p, expected.grad_p, 1e-12);
      expectNear(gradient.t0, expected.dloss_dt0, 1e-12);
      expectNear(gradient.t1, expected.dloss_dt1, 1e-12);
      for (const other of few) {
        expectSameBits(other.gradient, gradient);
        expectSameBits([other.value, other.auxiliary], [value, y1]);
      }
      return all!;
    });
    expectSameBits(byEvaluation!.auxiliary, byStep!.auxiliary);
    for (const key of ["y0", "p", "t0", "t1"] as const)
      expect(distance(byEvaluation!.gradient[key], byStep!.gradient[key])).toBeLessThanOrEqual(1e-13);
  });
});
