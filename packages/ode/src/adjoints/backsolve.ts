/**
 * @file The adjoint that solves for the state again, backward, beside the costate: nothing is stored.
 *
 *   y′ = f(t, y),  λ′ = −(∂f/∂y)ᵀ λ,  p̄′ = −(∂f/∂p)ᵀ λ,  from t₁ back to t₀
 *
 * Where trajectories come together forward they fly apart backward, so the state that is found again may lie far from the one that was: that drift is reported.
 * R. T. Q. Chen et al., Neural Ordinary Differential Equations, NeurIPS 2018, algorithm 1; the reverse dynamic method.
 */
import { OptionError, scope } from "@dydt/tensor";
import type { ContinuousAdjoint } from "../adjoint.js";
import type { ReverseStats } from "../problem.js";
import type { EmbeddedStep, Leaves, Step } from "../step.js";
import type { States } from "./adjoint-equation.js";
import { strictest } from "./backward.js";
import { checkBackward, requireFirstOrder, type BackwardOptions } from "./backward-options.js";
import { differentiatedBy } from "./continuous.js";
import { largestOf } from "./cotangents.js";
import { solveForward } from "./forward-run.js";

/** Options of {@link backsolveAdjoint}. */
export interface BacksolveAdjointOptions<R extends Step = Step> extends BackwardOptions<R> {
  /** Whether each stretch begins with the state that was saved there; default true. With more save times the drift is smaller. */
  readonly restart?: boolean;
}

/** The largest difference of two states, and the largest entry of the first. */
const differenceOf = (known: Leaves, again: Leaves): { readonly difference: number; readonly size: number } =>
  scope(() => ({ difference: largestOf(known.map((leaf, i) => leaf.sub(again[i]!))), size: largestOf(known) }));

/** Keeps the largest drift, and says when it is too large. */
const driftOf = (rtol: number, atol: number) => {
  let drift = 0;
  let excess = 0;
  return {
    compare: (known: Leaves, again: Leaves): void => {
      const { difference, size } = differenceOf(known, again);
      drift = Math.max(drift, difference);
      excess = Math.max(excess, difference / (atol + rtol * size));
    },
    report: (): Partial<ReverseStats> => ({
      drift,
      ...(excess > 1000 && {
        warning:
          `solving for the state again, backward, missed it by ${drift.toExponential(1)}, ${excess.toExponential(0)} times the tolerance: the gradient is ` +
          `wrong by about as much. Save more states (saveAt), or take denseAdjoint(), interpolatedAdjoint() or discreteAdjoint()`,
      }),
    }),
  };
};

/**
 * The continuous adjoint without any memory: the state is solved for again, backward, together with the costate.
 *
 * Its gradient is that of the exact solution, to about the tolerances, as long as the equation can be solved backward: look at `stats.reverse.drift`, and at
 * `stats.reverse.warning`. Memory: one backward state. Cost: one vector-Jacobian product for each evaluation of the backward solve.
 *
 * Not recommended for contracting or chaotic systems over long times: take {@link interpolatedAdjoint}, {@link denseAdjoint} or `discreteAdjoint`.
 *
 * @throws OptionError for options that are not known.
 * @example
 * const k = tensor(-0.5);
 * const slope = gradient((rate: Tensor) =>
 *   solve((t, y) => y.mul(rate), tensor([1]), { t0: 0, t1: 2, adjoint: backsolveAdjoint({ rtol: 1e-8, atol: 1e-8 }) }).y1.sum(),
 * )(k);
 * expectClose(slope, 2 * 0.36787944117144233, { rtol: 1e-5 });
 */
export const backsolveAdjoint = <R extends Step = EmbeddedStep>(options: BacksolveAdjointOptions<R> = {}): ContinuousAdjoint<Step> => {
  checkBackward("backsolveAdjoint", options, ["restart"]);
  const { restart = true } = options;
  if (typeof restart !== "boolean") throw new OptionError(`backsolveAdjoint got restart ${String(restart)}: true or false`);
  return Object.freeze({
    name: "backsolveAdjoint",
    differentiates: "flow" as const,
    events: true,
    solve: (problem) => {
      requireFirstOrder("backsolveAdjoint", options, problem.solver);
      const forward = solveForward(problem);
      const { rtol = 1e-6, atol = 1e-9 } = strictest(forward.tolerances);
      const states = (): States => {
        const drift = driftOf(options.rtol ?? rtol, options.atol ?? atol);
        return { enter: undefined, restart, compare: drift.compare, report: drift.report };
      };
      return differentiatedBy({ name: "backsolveAdjoint", forward, options: options as unknown as BackwardOptions, states });
    },
  } satisfies ContinuousAdjoint<Step>);
};
