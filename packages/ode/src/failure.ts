/**
 * @file Why a solve failed, as far as it can be told apart, in words.
 */
import { elementsOf, formatShape, kernels, unrecorded } from "@dydt/tensor";
import { MaxStepsError, NonFiniteError, StepTooSmallError, type Attempt, type Failure, type SolveError } from "./errors.js";
import type { Problem } from "./problem.js";
import type { Leaves, StagePair, Step } from "./step.js";
import type { Ode } from "./term.js";
import { timeValue, type Time } from "./time.js";

/** What is known at the moment of a failure. */
export interface Circumstances<R extends Step> {
  readonly problem: Problem<R>;
  readonly t: number;
  readonly recent: readonly Attempt[];
  /** The last accepted step. */
  readonly last: R | undefined;
  /** The last time before the steps became a hundred thousand times shorter than the longest: how far a solution that blows up can be trusted. */
  readonly resolved: number;
  readonly solution: unknown;
}

const largestOf = (y: Leaves): number => {
  let most = 0;
  for (const leaf of y) for (const x of elementsOf(leaf)) most = Math.max(most, Math.abs(x));
  return most;
};

const rootSquares = (y: Leaves): number => {
  let squares = 0;
  for (const leaf of y) squares += kernels.innerProduct(leaf, leaf);
  return Math.sqrt(squares);
};

/** h ρ with Shampine's estimate of ρ, where the steps have it. */
const stiffnessOf = (step: Step | undefined): number | undefined => {
  if (step === undefined || !("stiffness" in step)) return undefined;
  const { slopes, states } = unrecorded(() => (step as { readonly stiffness: () => StagePair }).stiffness());
  const below = rootSquares(states);
  return below === 0 ? undefined : (Math.abs(step.t1 - step.t0) * rootSquares(slopes)) / below;
};

const blowsUp = <R extends Step>({ problem, last }: Circumstances<R>): boolean =>
  last !== undefined && largestOf(last.y1) > 1e4 * Math.max(1, largestOf(problem.y0));

/** Stiff, blowing up, discontinuous or none of them, with what to do. */
const cause = <R extends Step>(circumstances: Circumstances<R>): string => {
  const { problem, recent, last, resolved } = circumstances;
  if (blowsUp(circumstances))
    return `the solution looks as if it were blowing up (|y| = ${largestOf(last!.y1).toExponential(1)}; it is resolved until t = ${resolved}): stop before, or rescale the equation`;
  const rate = stiffnessOf(last);
  const limit = problem.solver.stabilitySize;
  if (rate !== undefined && limit !== undefined && rate > 0.5 * limit)
    return `the problem looks stiff there (h·ρ ≈ ${rate.toFixed(1)}, the limit of ${problem.solver.name} is ${limit.toFixed(1)}): an implicit method is needed, or a looser rtol`;
  const rejected = recent.filter(({ accepted }) => !accepted).length;
  const [first, latest] = [recent[0], recent[recent.length - 1]];
  // A smooth solution takes a few rejections to shorten its steps; a jump takes them again and again.
  if (rejected >= 5 && Math.abs(latest!.h) < 0.1 * Math.abs(first!.h))
    return `the field looks discontinuous there (${rejected} of the last ${recent.length} attempts rejected): let a step end at the jump by solving in two parts, or smooth it`;
  return "loosen rtol, or raise what limits the steps (maxSteps, min)";
};

const counts = <R extends Step>({ problem: { stats } }: Circumstances<R>): string => `${stats.accepted} accepted, ${stats.rejected} rejected`;

const failure = <R extends Step>(status: Failure["status"], { t, recent, solution }: Circumstances<R>): Failure => ({ status, t, recent, solution });

/** The attempts reached their allowed number. */
export const maxStepsReached = <R extends Step>(circumstances: Circumstances<R>): SolveError =>
  new MaxStepsError(
    `maxSteps = ${circumstances.problem.maxSteps} was reached at t = ${circumstances.t} of ${timeValue(circumstances.problem.t1)} (${counts(circumstances)}): ${cause(circumstances)}`,
    failure("maxSteps", circumstances),
  );

/** The step fell below the smallest. */
export const stepTooSmall = <R extends Step>(circumstances: Circumstances<R>, h: number): SolveError =>
  new StepTooSmallError(
    `the step fell to ${h.toExponential(1)} at t = ${circumstances.t} (${counts(circumstances)}): ${cause(circumstances)}`,
    failure("stepTooSmall", blowsUp(circumstances) ? { ...circumstances, t: circumstances.resolved } : circumstances),
  );

interface BadSlope {
  readonly t: number;
  readonly stage: number;
  readonly component: string;
  readonly value: number;
}

const badComponent = (y: Leaves): { readonly component: string; readonly value: number } | undefined => {
  for (const [i, leaf] of y.entries()) {
    const at = kernels.firstNonFinite(leaf);
    if (at < 0) continue;
    const where = leaf.rank <= 1 ? `${at}` : `${at} of shape ${formatShape(leaf.shape)}`;
    return { component: y.length === 1 ? where : `${where} in tensor ${i}`, value: elementsOf(leaf)[at]! };
  }
  return undefined;
};

/** Takes the step again, looking at each slope. */
const locate = <R extends Step>({ term, solver }: Problem<R>, t0: number, t1: number, y0: Leaves): BadSlope | undefined => {
  let found: BadSlope | undefined;
  let stage = 0;
  const watching: Ode = {
    ...term,
    slope: (t: Time, y: Leaves) => {
      stage++;
      const slope = term.slope(t, y);
      const bad = found === undefined ? badComponent(slope) : undefined;
      if (bad !== undefined) found = { t: timeValue(t), stage, ...bad };
      return slope;
    },
  };
  unrecorded(() => void solver.step(watching, t0, t1, y0, solver.start(watching, t0, y0)).carry);
  return found;
};

/** A step from (t, y) to t1 became NaN or infinite. */
export const nonFinite = <R extends Step>(circumstances: Circumstances<R>, t1: number, y: Leaves): SolveError => {
  const { problem, t } = circumstances;
  const bad = locate(problem, t, t1, y);
  const what =
    bad === undefined
      ? `the state became infinite between t = ${t} and ${t1}: it grows beyond the numbers`
      : `the field returned ${bad.value} at t = ${bad.t}, in step ${problem.stats.accepted + 1}, stage ${bad.stage}, component ${bad.component}`;
  return new NonFiniteError(
    `${what}. The last good time is ${t} (${counts(circumstances)}, |y| = ${largestOf(y).toExponential(1)}): look there for a division by zero, a log or sqrt of a negative number, or an overflow`,
    failure("nonFinite", circumstances),
  );
};
