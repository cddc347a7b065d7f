/**
 * @file One executor for every checkpoint schedule and every chain: it follows the actions, and knows nothing of numbers.
 *
 * It runs in two phases, because a gradient comes in two: the forward solve, which ends with the state before the last step at hand, and the
 * pullback, which begins with the reverse of that step. Each action is checked against the contract of a schedule before the chain sees it.
 */
import { DydtError } from "@dydt/tensor";
import { requireWhole, ScheduleError, type Action, type OnlineSchedule, type Schedule } from "./schedule.js";

/**
 * What can be reversed step by step: a solve, a recurrent network, an optimisation loop.
 *
 * **Contract.** The chain holds the working state, state 0 at the beginning, and a place for each stored state. The actions come checked.
 * A stored state stays as it is until it is released, however often it is restored; the working state outlives the release of the stored
 * state that it came from. Running a step again gives the same bits.
 *
 * **Example.** The chain x ↦ x² of two steps, with the derivative of its end at x = 3:
 *
 * @example
 * const stored = new Map<number, number>();
 * let x = 3;
 * let cotangent = 1;
 * const chain: Chain = {
 *   store: (state) => void stored.set(state, x),
 *   restore: (state) => void (x = stored.get(state)!),
 *   release: (state) => void stored.delete(state),
 *   advance: (from, to) => {
 *     for (let step = from; step < to; step++) x = x * x;
 *   },
 *   reverse: () => void (cotangent *= 2 * x),
 * };
 * execute(revolve(1), 2, chain).finish();
 * if (cotangent !== 4 * 3 ** 3) throw new Error("not the derivative of x⁴");
 */
export interface Chain {
  /** Keeps a copy of the working state under the number `state`. */
  readonly store: (state: number) => void;
  /** Makes the stored state the working state; it stays stored. */
  readonly restore: (state: number) => void;
  /** Gives the place of the stored state back. */
  readonly release: (state: number) => void;
  /** Runs the steps `from`, …, `to - 1` on the working state, without a tape. */
  readonly advance: (from: number, to: number) => void;
  /** Runs the step on the working state under a tape and pulls the cotangent back through it; the working state is not used again. */
  readonly reverse: (step: number) => void;
}

/** A schedule under way. */
export interface Execution {
  /** Runs the actions up to the first reverse, that one not included. Again, it does nothing: the reverse is what comes next. */
  readonly forward: () => void;
  /** Runs all that is left: with no {@link Execution.forward} before, everything. */
  readonly finish: () => void;
}

/**
 * Lets a chain follow a schedule.
 *
 * Cost: beside the chain's own work a few comparisons an action, and the set of the numbers of stored states.
 *
 * @param schedule - what to do.
 * @param steps - the length of the chain; at least 0.
 * @param chain - what does it.
 * @returns the two phases. Both throw ScheduleError where the schedule breaks its contract, whatever the chain throws, and DydtError after the
 * end or a failure.
 * @throws OptionError when `steps` is not a whole number, or negative.
 * @example
 * const done: string[] = [];
 * const note = (name: string) => (state: number) => void done.push(`${name} ${state}`);
 * const advance = (from: number, to: number) => void done.push(`advance ${from} to ${to}`);
 * const execution = execute(revolve(1), 2, { store: note("store"), restore: note("restore"), release: note("release"), advance, reverse: note("reverse") });
 * execution.forward();
 * if (done.join() !== "store 0,advance 0 to 1") throw new Error("not the forward sweep");
 * execution.finish();
 * if (done.slice(2).join() !== "reverse 1,restore 0,reverse 0,release 0") throw new Error("not the reverse");
 */
export const execute = (schedule: Schedule, steps: number, chain: Chain): Execution => {
  requireWhole(steps, 0, "the number of steps to be reversed");
  const phases = follow(schedule(steps), steps, chain, new Set(), 0);
  let over = false;

  const begin = () => {
    if (over) throw new DydtError("this execution of a schedule is over, by its end or by a failure: begin another one with execute(...)");
    over = true; // until the phase has succeeded
  };
  let beforeReverse = true;
  return Object.freeze({
    forward: () => {
      begin();
      if (beforeReverse) phases.next();
      beforeReverse = false;
      over = false;
    },
    finish: () => {
      begin();
      while (!phases.next().done);
    },
  });
};

/** A reversal of a chain whose number of steps becomes known on the way. */
export interface OnlineExecution {
  /** Tells that a state has become the working state; in order from state 0, every state but the last one. */
  readonly reached: (state: number) => void;
  /** Reverses all steps. */
  readonly finish: (steps: number) => void;
}

/**
 * Lets a chain follow a schedule that goes along with the first sweep, which somebody else runs.
 *
 * @param schedule - for this one reversal.
 * @param chain - does what is asked.
 * @returns the two phases; they throw ScheduleError where the schedule breaks its contract.
 * @example
 * const kept: number[] = [];
 * const ignore = () => undefined;
 * const online = executeOnline(storeAll().online!(), { store: (state) => void kept.push(state), restore: ignore, release: ignore, advance: ignore, reverse: ignore });
 * [0, 1, 2].forEach(online.reached);
 * online.finish(3);
 * if (kept.length !== 3) throw new Error("a state was not kept");
 */
export const executeOnline = (schedule: OnlineSchedule, chain: Chain): OnlineExecution => {
  const stored = new Set<number>();
  return Object.freeze({
    reached: (state: number) => {
      let index = 0;
      for (const action of schedule.reached(state)) {
        const expected =
          action.do === "store" || action.do === "release" ? fault(action, state, state, stored) : "store or release only, during the first sweep";
        if (expected !== undefined) throw new ScheduleError(index, action, expected);
        if (action.do === "store") {
          chain.store(state);
          stored.add(state);
        } else if (action.do === "release") {
          chain.release(action.state);
          stored.delete(action.state);
        }
        index++;
      }
    },
    finish: (steps: number) => {
      for (const phase of follow(schedule.finish(steps), steps, chain, stored, undefined)) void phase;
    },
  });
};

/** Checks and performs the actions; yields once, before the first reverse. */
function* follow(actions: Iterable<Action>, steps: number, chain: Chain, stored: Set<number>, start: number | undefined): Generator<void, void> {
  let working = start;
  let next = steps - 1;
  let index = 0;

  for (const action of actions) {
    const expected = fault(action, working, next, stored);
    if (expected !== undefined) throw new ScheduleError(index, action, expected);
    switch (action.do) {
      case "store":
        chain.store(action.state);
        stored.add(action.state);
        break;
      case "restore":
        chain.restore(action.state);
        working = action.state;
        break;
      case "release":
        chain.release(action.state);
        stored.delete(action.state);
        break;
      case "advance":
        chain.advance(action.from, action.to);
        working = action.to;
        break;
      case "reverse":
        if (next === steps - 1) yield;
        chain.reverse(action.step);
        working = undefined;
        next--;
    }
    index++;
  }
  if (next >= 0) throw new ScheduleError(index, undefined, `step ${next} to be reversed next, down to step 0`);
  if (stored.size > 0) throw new ScheduleError(index, undefined, `every stored state to be released, also ${[...stored].join(", ")}`);
}

/** What would have been expected instead of an action that breaks the contract; undefined for a sound one. */
const fault = (action: Action, working: number | undefined, next: number, stored: ReadonlySet<number>): string | undefined => {
  const atHand = working === undefined ? "which is none after a reverse" : `which is ${working}`;
  switch (action.do) {
    case "store":
      if (action.state !== working) return `the working state to be stored, ${atHand}`;
      return stored.has(action.state) ? "a state that is not stored yet" : undefined;
    case "restore":
    case "release":
      return stored.has(action.state) ? undefined : `a stored state, of which there are [${[...stored].join(", ")}]`;
    case "advance":
      if (action.from !== working) return `an advance from the working state, ${atHand}`;
      if (!Number.isInteger(action.to) || action.to <= action.from) return "an advance to a later state";
      return action.to > next ? `an advance no further than state ${next}, from which step ${next} is reversed next` : undefined;
    case "reverse":
      if (action.step !== next) return next < 0 ? "no reverse, since every step is reversed" : `step ${next} to be reversed next`;
      return action.step === working ? undefined : `state ${next} to be the working state, ${atHand}`;
    default:
      return "one of store, restore, release, advance, reverse";
  }
};
