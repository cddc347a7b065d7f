/**
 * @file The discrete adjoint that fits into a given memory.
 */
import { gradient as gradientOf, type Cotangent } from "@dydt/autodiff";
import { checkOptions, OptionError, type Tensor } from "@dydt/tensor";
import { differentiableTimes, type Adjoint, type Differentiated, type InputCotangents, type OutputCotangents } from "./adjoint.js";
import { discreteAdjoint } from "./adjoints/discrete.js";
import { solveForward } from "./adjoints/forward-run.js";
import { observing } from "./ambient.js";
import { planFor, type AdjointPlan } from "./plan.js";
import type { Problem } from "./problem.js";
import type { Step } from "./step.js";

/** Options of {@link autoAdjoint}. */
export interface AutoAdjointOptions {
  /** The most memory that a solve and its reverse may take, regions and stored states together. */
  readonly bytes: number;
}

/** An adjoint that plans for itself. */
export interface AutoAdjoint extends Adjoint<Step> {
  /**
   * The plans for the solves of a loss, in their order, before anything large is run: `plan.explain()`, `plan.predict(steps)`.
   *
   * Cost: the loss once, and for each solve four steps, and up to eight with their reverse.
   */
  readonly plan: <P>(loss: (parameters: P) => Tensor, parameters: P) => readonly PlannedSolve[];
}

/** A plan with the number of steps that the solve takes. */
export interface PlannedSolve extends AdjointPlan {
  readonly steps: number;
}

/** Plans solves, and notes the plans; nothing is differentiated. */
const planning = (bytes: number, plans: PlannedSolve[]): Adjoint<Step> => ({
  name: "autoAdjoint",
  events: true,
  solve: <R extends Step>(problem: Problem<R>): Differentiated => {
    const plan = planFor(problem, bytes);
    const { outputs, times } = solveForward(problem);
    plans.push(Object.freeze({ ...plan, steps: times.length - 1 }));
    const zeros = (list: readonly Tensor[]): readonly Cotangent[] => list.map(() => undefined);
    const pullback = (_: OutputCotangents, captured: readonly Tensor[]): InputCotangents => ({
      y0: zeros(problem.y0),
      times: zeros(differentiableTimes(problem)),
      captured: zeros(captured),
    });
    return { outputs, grid: times, pullback };
  },
});

/**
 * The exact derivative of the computed solution within a given memory: as many states are stored as fit, and the tape of a step is cut into evaluations of f
 * where it does not. `stats.reverse.predicted` has what was expected, beside what was.
 *
 * Cost: that of `discreteAdjoint` with so many slots; four steps, and up to eight with their reverse to measure what they take. That trial has the solve's costs,
 * save times and events in it; where steps are found on the way and later ones hold more save times than the first let expect, more is taken than was allowed,
 * about two states for each, and 8 bytes for each step.
 *
 * @throws OptionError where not even one state and the tape of one evaluation fit.
 * @example
 * const loss = (k: Tensor) => solve((t, y) => y.mul(k), tensor([1]), { t0: 0, t1: 2, adjoint: autoAdjoint({ bytes: 1e6 }) }).y1.sum();
 * const [plan] = autoAdjoint({ bytes: 1e6 }).plan(loss, tensor(-0.5));
 * if (!plan!.explain(plan!.steps).includes("every state is stored")) throw new Error(plan!.explain());
 * expectClose(gradient(loss)(tensor(-0.5)), 2 * 0.36787944117144233, { rtol: 1e-5 });
 */
export const autoAdjoint = (options: AutoAdjointOptions): AutoAdjoint => {
  checkOptions("autoAdjoint", options, ["bytes"]);
  const { bytes } = options;
  if (!(typeof bytes === "number" && bytes > 0)) throw new OptionError(`autoAdjoint got bytes = ${String(bytes)}: a positive number is needed`);
  return Object.freeze({
    name: "autoAdjoint",
    events: true,
    solve: <R extends Step>(problem: Problem<R>): Differentiated => {
      const plan = planFor(problem, bytes);
      const { outputs, grid, pullback } = discreteAdjoint(plan.options).solve(problem);
      return {
        outputs,
        grid,
        pullback: (cotangents, captured) => {
          const pulled = pullback(cotangents, captured);
          const { stats } = problem;
          stats.reverse = { ...stats.reverse!, predicted: plan.predict(grid.length - 1) };
          return pulled;
        },
      };
    },
    plan: <P>(loss: (parameters: P) => Tensor, parameters: P) => {
      const plans: PlannedSolve[] = [];
      observing({ adjoint: planning(bytes, plans) }, () => gradientOf(loss)(parameters));
      return plans;
    },
  } satisfies AutoAdjoint);
};
