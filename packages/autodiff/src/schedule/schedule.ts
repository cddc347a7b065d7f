/**
 * @file What a checkpoint schedule is: a stream of integer actions that reverses a chain of steps.
 *
 *   state 0 ──step 0──▶ state 1 ──step 1──▶ … ──step N−1──▶ state N          state i is the solution before step i
 *
 * Nothing numeric happens here. A chain holds one *working state*, and any number of *stored* ones:
 *
 * | action             | asks for                                           | leaves as the working state |
 * | ------------------ | -------------------------------------------------- | --------------------------- |
 * | store i            | working state i, not stored yet                    | i                           |
 * | restore i          | state i stored                                     | i                           |
 * | release i          | state i stored                                     | what it was                 |
 * | advance from to to | working state `from`; from < to ≤ the next reverse | to                          |
 * | reverse i          | working state i; step i + 1 reversed, or i = N − 1 | none: restore comes next    |
 *
 * The working state is 0 at the beginning. At the end every step is reversed and nothing is stored.
 *
 * A schedule that `keepsStages` may do more. A state that an advance has reached has the *stages* of the step that ended there at hand, and so has one that is
 * restored where it was stored with `what: "stages"`. From working state i + 1 with its stages, `reverse i` needs no run of step i; and an advance may go
 * one step further, to the end of the step to be reversed next.
 */
import { DydtError, OptionError } from "@dydt/tensor";
import type { CheckpointStorage } from "./storage.js";

/** What is kept: the state (the default), or with it the stages of the step that ended there, from which that step is reversed without being run. */
export type Kept = "state" | "stages";

/** Where it is kept: in memory (the default), or on the slow level, which somebody else provides. */
export type Level = "ram" | "slow";

/** One thing that a chain is told to do; the numbers are those of states and steps, state i being the solution before step i. */
export type Action =
  | { readonly do: "store"; readonly state: number; readonly what?: Kept; readonly level?: Level }
  | { readonly do: "restore"; readonly state: number }
  | { readonly do: "release"; readonly state: number }
  | { readonly do: "advance"; readonly from: number; readonly to: number }
  | { readonly do: "reverse"; readonly step: number };

/**
 * Says, for a chain of `steps` steps, in which order states are kept and steps are run again and reversed.
 *
 * **Contract.** A pure enumeration: the same `steps` gives the same actions, however often it is asked. The working state is 0 at the beginning.
 * Only the working state is stored, and not twice; only a stored state is restored or released. `advance` starts from the working state and goes
 * no further than the next step to be reversed. `reverse` needs the state before its step as the working state, and leaves none; the steps are
 * reversed from the last to the first, each once. At the end nothing is stored. With no steps there is nothing to do.
 *
 * **Example.** Keep the initial state alone, and come back to it before every step:
 *
 * @example
 * const fromTheStart: Schedule = function* (steps) {
 *   if (steps > 0) yield { do: "store", state: 0 };
 *   for (let step = steps - 1; step >= 0; step--) {
 *     if (step < steps - 1) yield { do: "restore", state: 0 };
 *     if (step > 0) yield { do: "advance", from: 0, to: step };
 *     yield { do: "reverse", step };
 *   }
 *   if (steps > 0) yield { do: "release", state: 0 };
 * };
 * const reversed = [...fromTheStart(3)].flatMap((action) => (action.do === "reverse" ? [action.step] : []));
 * if (reversed.join() !== "2,1,0") throw new Error("not the last step first");
 */
export interface Schedule {
  (steps: number): Iterable<Action>;
  /** For a chain whose number of steps is not known beforehand: decides on the way. Without it such a chain is swept a second time. */
  readonly online?: () => OnlineSchedule;
  /** The same with one slot more; where stages are kept, the initial state is free. */
  readonly wider?: () => Schedule;
  /** Whether it keeps stages and reverses steps from them, which the chain must know how to do. Default false. */
  readonly keepsStages?: boolean;
  /** Holds what is stored on the slow level. */
  readonly storage?: CheckpointStorage;
}

/** A schedule that goes along with the first sweep, for one reversal of one chain. */
export interface OnlineSchedule {
  /** What to do when a state has become the working state, in order from state 0: store and release only. Every state but the last; where stages are kept, that too. */
  readonly reached: (state: number) => Iterable<Action>;
  /** Reverses the chain, whose number of steps is known now. The state reached last is the working state. */
  readonly finish: (steps: number) => Iterable<Action>;
  /** As of a {@link Schedule}. */
  readonly keepsStages?: boolean;
}

/** A schedule broke its contract: it asked for a state that is not at hand, reversed a step out of order, or left something undone. */
export class ScheduleError extends DydtError {
  override readonly name = "ScheduleError";

  /**
   * @param index - the place of the action in the schedule, counted from 0; the number of actions when the schedule ended too early.
   * @param action - what the schedule asked for, or undefined when it ended too early.
   * @param expected - what would have been sound there.
   */
  constructor(
    readonly index: number,
    readonly action: Action | undefined,
    readonly expected: string,
  ) {
    super(
      action === undefined
        ? `the schedule ended after ${index} actions: expected ${expected}`
        : `the schedule broke its contract at actions[${index}], ${JSON.stringify(action)}: expected ${expected}`,
    );
  }
}

/**
 * Refuses what cannot count states or steps.
 *
 * @param value - the number to be checked.
 * @param least - the smallest one allowed.
 * @param what - whose number of what it is, for the message.
 * @throws OptionError when `value` is not a whole number, or less than `least`.
 */
export const requireWhole = (value: number, least: number, what: string): void => {
  if (!Number.isInteger(value) || value < least) throw new OptionError(`${what} must be a whole number, at least ${least}; got ${String(value)}`);
};

/**
 * Refuses what is no schedule.
 *
 * @param who - whose argument it is, for the message.
 * @throws OptionError for anything but a function.
 */
export const requireSchedule = (schedule: unknown, who: string): void => {
  if (typeof schedule !== "function")
    throw new OptionError(`${who} needs a checkpoint schedule, as storeAll() or revolve(8), got ${schedule === null ? "null" : typeof schedule}`);
};

/** The actions of a schedule. @throws OptionError for a function that makes a schedule, or another one. */
export const actionsOf = (schedule: Schedule, steps: number): Iterable<Action> => {
  const actions: unknown = schedule(steps);
  if (typeof actions === "object" && actions !== null && Symbol.iterator in actions) return actions as Iterable<Action>;
  const made = typeof actions === "function" ? "a function that makes schedules" : `a function that gives ${typeof actions}`;
  throw new OptionError(`got ${made} where a checkpoint schedule belongs: call it, as in revolve(8) or storeAll()`);
};
