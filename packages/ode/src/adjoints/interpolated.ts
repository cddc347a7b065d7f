/**
 * @file The adjoint that looks up the state in a polynomial through a few of its values: the interpolated reverse dynamic method.
 *
 *   λ′ = −(∂f/∂y)ᵀ λ at y = p(t),  p the polynomial through y at n Chebyshev–Lobatto points of each stretch between save times
 *
 * T. Daulbaev et al., Interpolation Technique to Speed Up Gradients Propagation in Neural ODEs, NeurIPS 2020; here with the weights that belong to the points.
 * Where the Chebyshev coefficients do not decay, or p is no solution (|p′ − f(t, p)| is large), the steps of that stretch are run again and looked up instead.
 */
import { OptionError, scope } from "@dydt/tensor";
import type { ContinuousAdjoint } from "../adjoint.js";
import { IncompatibleError } from "../errors.js";
import type { Problem, ReverseStats } from "../problem.js";
import type { EmbeddedStep, Step } from "../step.js";
import type { StateAt, States } from "./adjoint-equation.js";
import { checkBackward, type BackwardOptions } from "./backward-options.js";
import { chebyshevWeights, combineValues, lagrangeSlopes, lagrangeValues } from "./chebyshev.js";
import { differentiatedBy } from "./continuous.js";
import { largestOf } from "./cotangents.js";
import { solveForward, type Forward } from "./forward-run.js";
import { betweenSteps, runAgain, type Rerun } from "./kept-steps.js";
import { keepFor } from "./regions.js";
import { collectValues, steppingTo, type Stretch } from "./stretches.js";

/** Options of {@link interpolatedAdjoint}. */
export interface InterpolatedAdjointOptions<R extends Step = Step> extends BackwardOptions<R> {
  /** Points of each stretch between two save times, at least 2; default: 3, 5, 9, 17 or 33, as many as the decay of the Chebyshev coefficients asks for. */
  readonly nodes?: number;
  /** Where the values come from: "dense" output (default), or "steps" that end at the points, of which `nodes` must be given. */
  readonly at?: "dense" | "steps";
  /** The largest |p′ − f(t, p)|, relative to the largest |f|, with which the interpolant is used; default 0.1. Beyond it the steps are run again. */
  readonly largestDefect?: number;
}

/** The states by interpolation, with what is known of its quality. */
const interpolating = <R extends Step>(forward: Forward<R>, stretches: readonly Stretch[], largestDefect: number, dense: boolean): States => {
  const { problem } = forward;
  let defect = 0;
  let nodes = 0;
  let fallbacks = 0;
  let advanced = 0;
  let worst = 0;
  let rerun: Rerun | undefined;

  /** Gives back what was run again for the stretch before. */
  const leave = (): void => {
    rerun?.region.close();
    rerun = undefined;
  };

  /** |p′ − f(t, p)| / |f| at points between the nodes. */
  const defectOf = ({ points, values }: Stretch, weights: readonly number[]): number =>
    scope(() => {
      let [difference, size] = [0, 0];
      const n = points.length;
      for (const j of new Set([0, Math.floor((n - 1) / 2), n - 2])) {
        const t = (points[j]! + points[j + 1]!) / 2;
        const slope = problem.term.slope(t, combineValues(lagrangeValues(points, weights, t), values));
        const own = combineValues(lagrangeSlopes(points, weights, t), values);
        difference = Math.max(difference, largestOf(own.map((leaf, i) => leaf.sub(slope[i]!))));
        size = Math.max(size, largestOf(slope));
      }
      return difference === 0 ? 0 : difference / size;
    });

  const fallBack = ({ points, values }: Stretch): StateAt => {
    fallbacks++;
    const [a, b] = [points[0]!, points[points.length - 1]!];
    const [low, high] = a < b ? [a, b] : [b, a];
    const times = [a, ...forward.times.filter((t) => t > low && t < high), b];
    rerun = runAgain(problem, times, values[0]!);
    advanced += times.length - 1;
    return betweenSteps(rerun.steps, b, a);
  };

  return {
    enter: (from, to) => {
      leave();
      const [low, high] = from < to ? [from, to] : [to, from];
      const stretch = stretches.find(({ points }) => {
        const [a, b] = [points[0]!, points[points.length - 1]!];
        return Math.min(a, b) <= low && Math.max(a, b) >= high;
      })!;
      const { points, values, resolved } = stretch;
      if (!resolved && !dense)
        throw new IncompatibleError(
          `interpolatedAdjoint has no interpolant from t = ${points[0]} to ${points[1]}, where the solve ended before its time, and this solver has no dense ` +
            `output to fall back to: take backsolveAdjoint() or discreteAdjoint()`,
        );
      if (!resolved) return fallBack(stretch);
      const weights = chebyshevWeights(points.length);
      const found = defectOf(stretch, weights);
      if (!(found <= largestDefect) && dense) {
        worst = Math.max(worst, Number.isNaN(found) ? Infinity : found);
        return fallBack(stretch);
      }
      nodes = Math.max(nodes, points.length);
      defect = Math.max(defect, Number.isNaN(found) ? Infinity : found);
      return (t) => combineValues(lagrangeValues(points, weights, t), values);
    },
    report: (): Partial<ReverseStats> => {
      leave();
      const many = `${fallbacks} of ${stretches.length} stretches`;
      const why = worst > 0 ? `the interpolant has a defect of ${worst.toExponential(1)}` : "the solution is not smooth enough for 33 nodes";
      const warning =
        fallbacks > 0
          ? `in ${many} ${why}, so the steps were run again: take more nodes, save more times, or denseAdjoint()`
          : defect > largestDefect
            ? `the interpolant has a defect of ${defect.toExponential(1)}, and this solver has no dense output to fall back to: take more nodes`
            : undefined;
      return { advanced, defect, nodes, fallbacks, ...(warning !== undefined && { warning }) };
    },
  };
};

/**
 * The continuous adjoint with the state from a polynomial through few values of it: little memory, no drift.
 *
 * Its gradient is that of the exact solution, to about the tolerances and the error of the interpolant, which falls spectrally with the nodes where the
 * solution is smooth. `stats.reverse` has the nodes, the `defect`, and the `fallbacks` where the interpolant was not good enough. Memory: `nodes` states for
 * each stretch between save times. Cost: the backward solve, and three evaluations of f a stretch for the defect.
 *
 * @throws OptionError for options that are not known.
 * @example
 * const k = tensor(-0.5);
 * const slope = gradient((rate: Tensor) =>
 *   solve((t, y) => y.mul(rate), tensor([1]), { t0: 0, t1: 2, adjoint: interpolatedAdjoint({ nodes: 10 }) }).y1.sum(),
 * )(k);
 * expectClose(slope, 2 * 0.36787944117144233, { rtol: 1e-5 });
 */
export const interpolatedAdjoint = <R extends Step = EmbeddedStep>(options: InterpolatedAdjointOptions<R> = {}): ContinuousAdjoint<Step> => {
  checkBackward("interpolatedAdjoint", options, ["nodes", "at", "largestDefect"]);
  const { nodes, at = "dense", largestDefect = 0.1 } = options;
  if (nodes !== undefined && !(Number.isInteger(nodes) && nodes >= 2))
    throw new OptionError(`interpolatedAdjoint got nodes = ${String(nodes)}: a whole number of at least 2 is needed`);
  if (at !== "dense" && at !== "steps") throw new OptionError(`interpolatedAdjoint got at "${String(at)}": "dense" or "steps"`);
  if (!(largestDefect > 0)) throw new OptionError(`interpolatedAdjoint got largestDefect = ${String(largestDefect)}: a positive number is needed`);
  return Object.freeze({
    name: "interpolatedAdjoint",
    differentiates: "flow" as const,
    events: true,
    solve: <S extends Step>(given: Problem<S>) => {
      const dense = given.solver.interpolates === true;
      const stepping = at === "steps" || !dense;
      if (stepping && nodes === undefined)
        throw new OptionError(
          'interpolatedAdjoint needs nodes where steps end at them: they cannot be chosen afterwards. Give nodes, or at: "dense"',
        );
      const ahead = stepping ? steppingTo(given, nodes!) : given;
      const owner = {};
      const region = keepFor(owner);
      const { stretches, look, end } = collectValues(ahead, nodes, region);
      // The nodes are no places where the backward solve must stop.
      const forward = { ...solveForward(ahead, { look, end }), problem: given };
      return differentiatedBy({
        name: "interpolatedAdjoint",
        forward,
        options: options as unknown as BackwardOptions,
        states: () => interpolating(forward, stretches, largestDefect, dense),
        heldBytes: () => (void owner, region.used),
      });
    },
  } satisfies ContinuousAdjoint<Step>);
};
