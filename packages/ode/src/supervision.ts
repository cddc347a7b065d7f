/**
 * @file Control from outside, and what a solve leaves besides its outputs: how it ended, and where it can be taken up again.
 */
import { requirePositive } from "./arguments.js";
import { AbortedError, TimeLimitError, type SolveError, type Status } from "./errors.js";
import type { EventMemory } from "./event-search.js";
import { failure, type Circumstances } from "./failure.js";
import type { Leaves, Step } from "./step.js";
import { timeValue } from "./time.js";

/** Where a solve stands, with all that its loop remembers. Given as `resume` to the same call, that call goes on with the same bits. */
export interface Resumption {
  readonly t: number;
  readonly y: Leaves;
  /** Length of the next attempt. */
  readonly h: number;
  /** A carry that is a part of the state; any other is begun anew, with the same bits. */
  readonly carry: Leaves | undefined;
  /** What the controller remembers. */
  readonly memory: readonly number[];
  readonly events: EventMemory | undefined;
}

/** What is read of an AbortSignal. */
export interface Signal {
  readonly aborted: boolean;
  readonly reason?: unknown;
}

/** Control from outside. */
export interface Supervision {
  /** Sees each accepted step, and where the solve stands after it; true ends the solve. */
  readonly onStep: ((step: Step, stand: () => Resumption) => boolean) | undefined;
  readonly signal: Signal | undefined;
  /** In milliseconds. */
  readonly timeLimit: number | undefined;
  /** Whether a failure is thrown; if not, it is a status. */
  readonly throws: boolean;
  readonly resume: Resumption | undefined;
}

/** Nobody. */
export const unsupervised: Supervision = Object.freeze({
  onStep: undefined,
  signal: undefined,
  timeLimit: undefined,
  throws: true,
  resume: undefined,
});

/** How a solve ended; filled by the loop. */
export interface Ending {
  status: Status;
  /** The failure, whether it is thrown or not. */
  error: SolveError | undefined;
  /** Where it stands. */
  stand: Resumption | undefined;
}

/** A solve that has not ended. */
export const unended = (): Ending => ({ status: "success", error: undefined, stand: undefined });

/** What a problem has that nobody looks at and in which nothing happens. */
export const alone = () => ({ stepSaves: undefined, events: [], supervision: unsupervised, ending: unended() }) as const;

/** @throws OptionError for a limit that is none. */
export const checkTimeLimit = (timeLimit: number | undefined): void => {
  requirePositive("timeLimit got", timeLimit, "number of milliseconds");
};

/** Milliseconds, from some time on. */
export const now: () => number = typeof performance === "undefined" ? Date.now : () => performance.now();

/** What is to be looked at before each attempt, if anything: throws the failure. */
export const limitsOf = ({ signal, timeLimit }: Supervision): (<R extends Step>(at: () => Circumstances<R>) => void) | undefined => {
  if (signal === undefined && timeLimit === undefined) return undefined;
  const begun = now();
  return (at) => {
    if (signal?.aborted === true) {
      const circumstances = at();
      const { problem, t } = circumstances;
      const message = `the solve was aborted at t = ${t} of ${timeValue(problem.t1)} (${problem.stats.accepted} steps accepted)`;
      throw failure(AbortedError, "aborted", circumstances, message, signal.reason);
    }
    if (timeLimit === undefined || now() - begun <= timeLimit) return;
    const circumstances = at();
    const { problem, t } = circumstances;
    const { accepted, rejected, evaluations } = problem.stats;
    throw failure(
      TimeLimitError,
      "timeLimit",
      circumstances,
      `timeLimit = ${timeLimit} ms was over at t = ${t} of ${timeValue(problem.t1)} (${accepted} steps accepted, ${rejected} rejected, ` +
        `${evaluations} evaluations): allow more, loosen the tolerances, or make the field cheaper`,
    );
  };
};
