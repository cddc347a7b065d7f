/**
 * @file The adjoint that looks up the state in a polynomial through a few of its values: the interpolated reverse dynamic method.
 *
 *   λ′ = −(∂f/∂y)ᵀ λ at y = p(t),  p the polynomial through y at n Chebyshev–Lobatto points of each stretch between save times
 *
 * T. Daulbaev et al., Interpolation Technique to Speed Up Gradients Propagation in Neural ODEs, NeurIPS 2020; here with the weights that belong to the points.
 * Where the Chebyshev coefficients do not decay, or p is no solution (|p′ − f(t, p)| is large), the steps of that stretch are run again and looked up instead.
 */
import { OptionError } from "@dydt/tensor";
import { requirePositive } from "../arguments.js";
import type { ContinuousAdjoint } from "../adjoint.js";
import { IncompatibleError } from "../errors.js";
import type { Problem, ReverseStats } from "../problem.js";
import type { EmbeddedStep, Step } from "../step.js";
import type { StateAt, States } from "./adjoint-equation.js";
import { strictest } from "./backward.js";
import { checkBackward, requireFirstOrder, type BackwardOptions } from "./backward-options.js";
import { chebyshevWeights, combineValues, lagrangeValues } from "./chebyshev.js";
import { differentiatedBy } from "./continuous.js";
import { solveForward, type Forward } from "./forward-run.js";
import { qualityOf, usualDefect, type WantedAccuracy } from "./interpolant.js";
import { betweenSteps, runAgain, type Rerun } from "./kept-steps.js";
import { keepFor } from "./regions.js";
import { collectValues, steppingTo, type Stretch } from "./stretches.js";

/** Options of {@link interpolatedAdjoint}. */
export interface InterpolatedAdjointOptions<R extends Step = Step> extends BackwardOptions<R> {
  /** Points of each stretch between two save times, at least 2; default: 3, 5, 9, 17 or 33, as many as the decay of the Chebyshev coefficients asks for. */
  readonly nodes?: number;
  /** Where the values come from: "dense" output (default), or "steps" that end at the points, of which `nodes` must be given. */
  readonly at?: "dense" | "steps";
  /**
   * The largest |p′ − f(t, p)|, relative to the largest |f|, with which the interpolant is used; beyond it the steps are run again. Default: 0.01, or a hundred
   * tolerances where these are looser than 1e-4, but at most 0.1.
   */
  readonly largestDefect?: number;
}

/** The states by interpolation, with what is known of its quality. */
const interpolating = <R extends Step>(
  forward: Forward<R>,
  stretches: readonly Stretch[],
  wanted: WantedAccuracy,
  largestDefect: number,
  dense: boolean,
): States => {
  const { problem } = forward;
  let defect = 0;
  let nodes = 0;
  let excess = 0;
  let fallbacks = 0;
  let advanced = 0;
  let rejected = 0;
  let rough = false;
  let rerun: Rerun | undefined;

  /** Gives back what was run again for the stretch before. */
  const leave = (): void => {
    rerun?.region.close();
    rerun = undefined;
  };

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
      const polynomial = points.length === values.length;
      if (!polynomial && !dense)
        throw new IncompatibleError(
          `interpolatedAdjoint has no interpolant from t = ${points[0]} to ${points[1]}, where the solve ended before its time, and this solver has no dense ` +
            `output to fall back to: take backsolveAdjoint() or discreteAdjoint()`,
        );
      if (!polynomial) return fallBack(stretch);
      const quality = qualityOf(problem.term, stretch, wanted);
      nodes = Math.max(nodes, points.length);
      defect = Math.max(defect, quality.defect);
      rough ||= !resolved;
      if (!resolved) return fallBack(stretch);
      if (quality.defect > largestDefect && dense) {
        rejected = Math.max(rejected, quality.defect);
        return fallBack(stretch);
      }
      excess = Math.max(excess, quality.excess);
      const weights = chebyshevWeights(points.length);
      return (t) => combineValues(lagrangeValues(points, weights, t), values);
    },
    report: (): Partial<ReverseStats> => {
      leave();
      const why =
        rejected > 0
          ? `the interpolant has a defect of ${rejected.toExponential(1)}`
          : rough
            ? "the solution is not smooth enough for 33 nodes"
            : "there is no interpolant up to an event";
      const warnings: string[] = [];
      if (fallbacks > 0)
        warnings.push(
          `in ${fallbacks} of ${stretches.length} stretches ${why}, so the steps were run again: take more nodes, save more times, or denseAdjoint()`,
        );
      if (defect > largestDefect && !dense)
        warnings.push(
          `the interpolant has a defect of ${defect.toExponential(1)}, and this solver has no dense output to fall back to: take more nodes`,
        );
      else if (excess > 100)
        warnings.push(
          `an interpolant misses the solution by about ${excess.toExponential(0)} times the tolerance, and the gradient is wrong by about as much: take more ` +
            `nodes, or save more times`,
        );
      // Where there was no polynomial there is no defect: a zero would look like a perfect one.
      return { advanced, fallbacks, ...(nodes > 0 && { defect, nodes }), ...(warnings.length > 0 && { warning: warnings.join("; ") }) };
    },
  };
};

/**
 * The continuous adjoint with the state from a polynomial through few values of it: little memory, no drift.
 *
 * Its gradient is that of the exact solution, to about the tolerances and the error of the interpolant, which falls spectrally with the nodes where the
 * solution is smooth. `stats.reverse` has the nodes, the `defect`, and the `fallbacks` where the interpolant was not good enough, so that the steps were run again;
 * and a `warning`, also where an interpolant that was used misses the solution by more than a hundred tolerances. Memory: `nodes` states for each stretch between
 * save times. Cost: the backward solve, and three evaluations of f a stretch for the defect.
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
  const { nodes, at = "dense", largestDefect, rtol, atol } = options;
  if (nodes !== undefined && !(Number.isInteger(nodes) && nodes >= 2))
    throw new OptionError(`interpolatedAdjoint got nodes = ${String(nodes)}: a whole number of at least 2 is needed`);
  if (at !== "dense" && at !== "steps") throw new OptionError(`interpolatedAdjoint got at "${String(at)}": "dense" or "steps"`);
  requirePositive("interpolatedAdjoint got largestDefect =", largestDefect);
  return Object.freeze({
    name: "interpolatedAdjoint",
    differentiates: "flow" as const,
    events: true,
    solve: <S extends Step>(given: Problem<S>) => {
      requireFirstOrder("interpolatedAdjoint", options, given.solver);
      const dense = given.solver.interpolates === true;
      const stepping = at === "steps" || !dense;
      if (stepping && nodes === undefined)
        throw new OptionError(
          dense
            ? 'interpolatedAdjoint needs nodes where steps end at them: they cannot be chosen afterwards. Give nodes, or at: "dense"'
            : `interpolatedAdjoint needs nodes with ${given.solver.name}, which has no dense output: its steps end at them, so they cannot be chosen afterwards. Give nodes`,
        );
      const ahead = stepping ? steppingTo(given, nodes!) : given;
      const owner = {};
      const region = keepFor(owner);
      const { stretches, look, end } = collectValues(ahead, nodes, region);
      // The nodes are no places where the backward solve must stop.
      const forward = { ...solveForward(ahead, { look, end }), problem: given };
      const wanted: WantedAccuracy = { ...strictest(forward.tolerances), ...(rtol !== undefined && { rtol }), ...(atol !== undefined && { atol }) };
      return differentiatedBy({
        name: "interpolatedAdjoint",
        forward,
        options: options as unknown as BackwardOptions,
        states: () => interpolating(forward, stretches, wanted, largestDefect ?? usualDefect(wanted), dense),
        heldBytes: () => (void owner, region.used),
      });
    },
  } satisfies ContinuousAdjoint<Step>);
};
