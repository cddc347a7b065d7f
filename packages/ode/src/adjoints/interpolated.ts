/**
 * @file The adjoint that looks up the state in a polynomial through a few of its values: the interpolated reverse dynamic method.
 *
 *   λ′ = −(∂f/∂y)ᵀ λ at y = p(t),  p the polynomial through y at n Chebyshev–Lobatto points of each stretch between save times
 *
 * T. Daulbaev et al., Interpolation Technique to Speed Up Gradients Propagation in Neural ODEs, NeurIPS 2020; here with the weights that belong to the points.
 * Where the Chebyshev coefficients do not decay, or p is no solution (|p′ − f(t, p)| is large), the steps of that stretch are run again and looked up instead.
 */
import { abs, allocatingIn, copy, max, OptionError, recycle, scope, type Region } from "@dydt/tensor";
import type { ContinuousAdjoint } from "../adjoint.js";
import type { Tolerances } from "../controller.js";
import { eventful, wholeOf } from "../events.js";
import type { Problem, ReverseStats } from "../problem.js";
import type { DenseStep, Leaves, Step } from "../step.js";
import { timeValue } from "../time.js";
import { checkBackward, strictest, type BackwardOptions } from "./backward.js";
import { chebyshevCoefficients, chebyshevPoints, chebyshevWeights, combineValues, lagrangeSlopes, lagrangeValues } from "./chebyshev.js";
import { differentiatedBy, keepFor, solveForward, type Forward, type StateAt, type States } from "./continuous.js";
import { betweenSteps, runAgain, type Rerun } from "./kept-steps.js";

/** Options of {@link interpolatedAdjoint}. */
export interface InterpolatedAdjointOptions<R extends Step = Step> extends BackwardOptions<R> {
  /** Points of each stretch between two save times, at least 2; default: 3, 5, 9, 17 or 33, as many as the decay of the Chebyshev coefficients asks for. */
  readonly nodes?: number;
  /** Where the values come from: "dense" output (default), or "steps" that end at the points, of which `nodes` must be given. */
  readonly at?: "dense" | "steps";
  /** The largest |p′ − f(t, p)|, relative to the largest |f|, with which the interpolant is used; default 0.1. Beyond it the steps are run again. */
  readonly largestDefect?: number;
}

/** The finest grid of the automatic choice, and those that it contains. */
const finest = 33;
const nested = [3, 5, 9, 17, 33];

/** The values of one stretch in the order of the solve, and where they lie. */
interface Stretch {
  readonly points: readonly number[];
  readonly values: readonly Leaves[];
  /** Whether the coefficients decay far enough. */
  readonly resolved: boolean;
}

/** The scaled size of a coefficient. */
const sizeOf = (leaves: Leaves, scale: number): number =>
  leaves.reduce((most, leaf) => (leaf.size === 0 ? most : Math.max(most, max(abs(leaf)).item() / scale)), 0);

/** As few of the values as the tolerances allow: Σ |cₖ| of what is left out is the error of the rest. */
const thin = ({ points, values }: Stretch, { rtol = 1e-6, atol = 1e-9 }: { readonly rtol?: number; readonly atol?: number }): Stretch =>
  scope(() => {
    const size = values.reduce((most, value) => Math.max(most, sizeOf(value, 1)), 0);
    const sizes = chebyshevCoefficients(values).map((coefficient) => sizeOf(coefficient, atol + rtol * size));
    const tail = (n: number): number => sizes.slice(n).reduce((a, b) => a + b, 0);
    // Of the finest grid there is no rest: its own last coefficients say whether it is fine enough.
    const enough = nested.find((n) => (n === finest ? Math.max(...sizes.slice(-2)) : tail(n)) <= 1);
    const stride = (finest - 1) / ((enough ?? finest) - 1);
    const some = <T>(list: readonly T[]): readonly T[] => list.filter((_, j) => j % stride === 0);
    values.forEach((value, j) => j % stride !== 0 && value.forEach((leaf) => recycle(leaf)));
    return { points: some(points), values: some(values), resolved: enough !== undefined };
  });

/** The ends of the stretches: t₀, save times, t₁. */
const endsOf = <R extends Step>({ t0, t1, saves }: Problem<R>): readonly number[] => [
  ...new Set([timeValue(t0), ...saves.map(timeValue), timeValue(t1)]),
];

/** Collects the values at the points of each stretch while the solve goes forward; one that an event ends is given up. */
const collectValues = <R extends Step>(
  problem: Problem<R>,
  count: number,
  region: Region,
  finish: (stretch: Stretch, tolerances: Tolerances | undefined) => Stretch,
) => {
  const ends = endsOf(problem);
  const stretches: Stretch[] = [];
  const keep = (y: Leaves): Leaves => allocatingIn(region, () => y.map((leaf) => copy(leaf)));
  let which = 0;
  let points = ends.length > 1 ? chebyshevPoints(count, ends[0]!, ends[1]!) : [];
  let values: Leaves[] = [problem.y0];
  return {
    stretches,
    take: (step: R, tolerances: Tolerances | undefined): void => {
      const event = eventful(step);
      const forwards = step.t1 >= step.t0;
      const reaches = (t: number): boolean => (forwards ? t <= step.t1 : t >= step.t1);
      const made = wholeOf(step);
      while (which + 1 < ends.length && reaches(points[values.length]!)) {
        const t = points[values.length]!;
        values.push(keep(t === made.t1 ? made.y1 : (made as unknown as DenseStep).at(t)));
        if (values.length < count) continue;
        stretches.push(finish({ points, values, resolved: true }, tolerances));
        const last = values[values.length - 1]!;
        which++;
        if (which + 1 < ends.length) points = chebyshevPoints(count, ends[which]!, ends[which + 1]!);
        values = [last];
      }
      if (event?.end === undefined || which + 1 >= ends.length) return;
      // No polynomial goes through a jump: the stretch is begun anew behind it, up to the same end.
      if (values.length > 1 || points[0] !== step.t1)
        stretches.push({ points: [points[0]!, step.t1], values: [values[0]!, values[0]!], resolved: false });
      points = chebyshevPoints(count, step.t1, ends[which + 1]!);
      values = [keep(step.y1)];
    },
  };
};

/** The states by interpolation, with what is known of its quality. */
const interpolating = <R extends Step>(forward: Forward<R>, stretches: readonly Stretch[], largestDefect: number, dense: boolean): States => {
  const { problem, grid } = forward;
  let defect = 0;
  let nodes = 0;
  let fallbacks = 0;
  let advanced = 0;
  let worst = 0;
  let reruns: Rerun[] = [];

  /** |p′ − f(t, p)| / |f| at points between the nodes. */
  const defectOf = ({ points, values }: Stretch, weights: readonly number[]): number =>
    scope(() => {
      let [difference, size] = [0, 0];
      const n = points.length;
      for (const j of new Set([0, Math.floor((n - 1) / 2), n - 2])) {
        const t = (points[j]! + points[j + 1]!) / 2;
        const slope = problem.term.slope(t, combineValues(lagrangeValues(points, weights, t), values));
        const own = combineValues(lagrangeSlopes(points, weights, t), values);
        difference = Math.max(difference, sizeOf(own.map((leaf, i) => leaf.sub(slope[i]!)), 1)); // prettier-ignore
        size = Math.max(size, sizeOf(slope, 1));
      }
      return difference === 0 ? 0 : difference / size;
    });

  const fallBack = ({ points, values }: Stretch): StateAt => {
    fallbacks++;
    const [a, b] = [points[0]!, points[points.length - 1]!];
    const [low, high] = a < b ? [a, b] : [b, a];
    const times = [a, ...grid.filter((t) => t > low && t < high), b];
    const rerun = runAgain(problem, times, values[0]!);
    reruns.push(rerun);
    advanced += times.length - 1;
    return betweenSteps(rerun.steps, b, a);
  };

  return {
    enter: (from, to) => {
      reruns.forEach(({ region }) => region.close());
      reruns = [];
      const [low, high] = from < to ? [from, to] : [to, from];
      const stretch = stretches.find(({ points }) => {
        const [a, b] = [points[0]!, points[points.length - 1]!];
        return Math.min(a, b) <= low && Math.max(a, b) >= high;
      })!;
      const { points, values, resolved } = stretch;
      if (!resolved && dense) return fallBack(stretch);
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
      reruns.forEach(({ region }) => region.close());
      reruns = [];
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
export const interpolatedAdjoint = <R extends Step = Step>(options: InterpolatedAdjointOptions<R> = {}): ContinuousAdjoint<Step> => {
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
      const problem = stepping ? steppingTo(given, nodes!) : given;
      const owner = {};
      const region = keepFor(owner);
      const finish = (stretch: Stretch, tolerances: Tolerances | undefined): Stretch =>
        nodes === undefined ? thin(stretch, strictest(tolerances)) : stretch;
      const { stretches, take } = collectValues(problem, nodes ?? finest, region, finish);
      const forward = solveForward(problem, "regions", take);
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

/** The same problem, with steps that end at the points of each stretch. */
const steppingTo = <R extends Step>(problem: Problem<R>, nodes: number): Problem<R> => {
  const ends = endsOf(problem);
  const points = ends.slice(1).flatMap((end, i) => chebyshevPoints(nodes, ends[i]!, end));
  const direction = timeValue(problem.t1) < timeValue(problem.t0) ? -1 : 1;
  const known = new Set(problem.stops.map(timeValue));
  const more = [...new Set(points)].filter((t) => !known.has(t));
  return { ...problem, stops: [...problem.stops, ...more].sort((a, b) => (timeValue(a) - timeValue(b)) * direction) };
};
