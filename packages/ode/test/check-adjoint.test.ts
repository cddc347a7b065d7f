import { describe, expect, test } from "vitest";
import { online, revolve } from "@dydt/autodiff";
import {
  autoAdjoint, backsolveAdjoint, checkAdjoint, denseAdjoint, discreteAdjoint, forwardSensitivity, gaussAdjoint, interpolatedAdjoint, reversibleAdjoint,
  reversibleHeun, type Adjoint, type Differentiated, type Problem, type Step,
} from "@dydt/ode"; // prettier-ignore

describe("checkAdjoint", () => {
  test.each([
    discreteAdjoint(), discreteAdjoint({ checkpoints: online(3), tape: "evaluation" }), forwardSensitivity(), autoAdjoint({ bytes: 20_000 }),
    backsolveAdjoint(), denseAdjoint(), denseAdjoint({ segments: 3 }), interpolatedAdjoint(), interpolatedAdjoint({ nodes: 16, at: "steps" }), gaussAdjoint(),
  ])("passes $name", (adjoint) => {
    const report = checkAdjoint(adjoint);
    expect(report.passed, report.toString()).toBe(true);
  }); // prettier-ignore

  test("passes reversibleAdjoint, with a solver that it takes", () => {
    const report = checkAdjoint(reversibleAdjoint(), { solver: reversibleHeun() });
    expect(report.passed, report.toString()).toBe(true);
  });

  test("finds an adjoint that forgets something", () => {
    const inner = discreteAdjoint({ checkpoints: revolve(2) });
    const forgetful: Adjoint<Step> = {
      name: "forgetful",
      solve: <R extends Step>(problem: Problem<R>): Differentiated => {
        const { pullback, ...rest } = inner.solve(problem);
        return { ...rest, pullback: (cotangents, captured) => ({ ...pullback(cotangents, captured), times: [] }) };
      },
    };
    const { passed, rows } = checkAdjoint(forgetful);
    expect(passed).toBe(false);
    expect(rows.filter((row) => !row.passed).map(({ check }) => check)).toContain("saved states: also with respect to the save times");
  });
});
