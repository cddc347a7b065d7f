/**
 * @file The flight recorder: what a failed solve hands over. A typed error with the last attempts, the cause as far as it can be told apart, as data and in
 * words, what to try, and what was reached.
 */
import { elementsOf, formatShape, kernels, unrecorded } from "@dydt/tensor";
import type { Cause, NonFiniteCause } from "./cause.js";
import { diagnose } from "./diagnosis.js";
import { MaxStepsError, NonFiniteError, StepTooSmallError, type Failure, type SolveError, type Status } from "./errors.js";
import type { Problem } from "./problem.js";
import { flatten, largestOf, type Circumstances } from "./scene.js";
import type { Leaves, Step } from "./step.js";
import type { Ode } from "./term.js";
import { timeValue, type Time } from "./time.js";

export type { Circumstances } from "./scene.js";

/** How many steps there were, for messages. */
const countsOf = <R extends Step>({ problem: { stats } }: Circumstances<R>): string => `${stats.accepted} accepted, ${stats.rejected} rejected`;

/** A failure of this solve, which ends with it; those of solves that its field calls are not known here, and pass through. */
export const failure = <R extends Step>(
  Type: new (message: string, failure: Failure) => SolveError,
  status: Status,
  { problem, t, recent, solution }: Circumstances<R>,
  message: string,
  cause?: unknown,
): SolveError => {
  const error = new Type(message, { status, t, recent, solution, cause });
  Object.assign(problem.ending, { status, error });
  return error;
};

const inWords = ({ kind, words, advice }: Cause): string => (kind === "unknown" ? advice : `${words}: ${advice}`);

/** The attempts reached their allowed number. */
export const maxStepsReached = <R extends Step>(circumstances: Circumstances<R>): SolveError => {
  const cause = diagnose(circumstances, "maxSteps");
  const { problem, t } = circumstances;
  const message = `maxSteps = ${problem.maxSteps} was reached at t = ${t} of ${timeValue(problem.t1)} (${countsOf(circumstances)}): ${inWords(cause)}`;
  return failure(MaxStepsError, "maxSteps", circumstances, message, cause);
};

/** The step fell below the smallest. */
export const stepTooSmall = <R extends Step>(circumstances: Circumstances<R>, h: number): SolveError => {
  const cause = diagnose(circumstances, "stepTooSmall");
  const { t, resolved } = circumstances;
  const message = `the step fell to ${h.toExponential(1)} at t = ${t} (${countsOf(circumstances)}): ${inWords(cause)}`;
  return failure(StepTooSmallError, "stepTooSmall", cause.kind === "blowUp" ? { ...circumstances, t: resolved } : circumstances, message, cause);
};

interface BadComponent {
  readonly index: number;
  /** In words: the place in its tensor. */
  readonly place: string;
  readonly value: number;
}

const badComponent = (y: Leaves): BadComponent | undefined => {
  let before = 0;
  for (const [i, leaf] of y.entries()) {
    const at = kernels.firstNonFinite(leaf);
    const where = leaf.rank <= 1 ? `${at}` : `${at} of shape ${formatShape(leaf.shape)}`;
    if (at >= 0) return { index: before + at, place: y.length === 1 ? where : `${where} in tensor ${i}`, value: elementsOf(leaf)[at]! };
    before += leaf.size;
  }
  return undefined;
};

/** Takes the step again, looking at each slope. */
const locate = <R extends Step>({ term, solver, stats }: Problem<R>, t0: number, t1: number, y0: Leaves): NonFiniteCause | undefined => {
  let found: NonFiniteCause | undefined;
  let stage = 0;
  const watching: Ode = {
    ...term,
    slope: (time: Time, y: Leaves) => {
      stage++;
      const slope = term.slope(time, y);
      const bad = found === undefined ? badComponent(slope) : undefined;
      if (bad !== undefined) {
        const [t, step] = [timeValue(time), stats.accepted + 1];
        const words = `the field returned ${bad.value} at t = ${t}, in step ${step}, stage ${stage}, component ${bad.place}`;
        found = { kind: "nonFinite", t, step, stage, component: bad.index, value: bad.value, words, advice: advice.slope };
      }
      return slope;
    },
  };
  unrecorded(() => void solver.step(watching, t0, t1, y0, solver.start(watching, t0, y0)).carry);
  return found;
};

const advice = {
  slope: "look there for a division by zero, a log or sqrt of a negative number, or an overflow; a domain for adaptive keeps steps inside",
  state: "shorter steps, or an earlier t1",
} as const;

/** A step from (t, y) to t1 became NaN or infinite. */
export const nonFinite = <R extends Step>(circumstances: Circumstances<R>, t1: number, y: Leaves): SolveError => {
  const { problem, t } = circumstances;
  const size = largestOf(flatten(y)).toExponential(1);
  const bad = locate(problem, t, t1, y);
  const growth = diagnose(circumstances, "nonFinite");
  const what = bad?.words ?? `the state became infinite between t = ${t} and ${t1}: it grows beyond the numbers`;
  const reached = `The last good time is ${t} (${countsOf(circumstances)}, |y| = ${size})`;
  const cause: Cause =
    growth.kind !== "unknown"
      ? growth
      : (bad ?? { kind: "blowUp", size: largestOf(flatten(y)), rate: Infinity, singularity: undefined, words: what, advice: advice.state });
  return failure(NonFiniteError, "nonFinite", circumstances, `${what}. ${reached}: ${cause === bad ? cause.advice : inWords(cause)}`, cause);
};
