/**
 * @file One executor for every checkpoint schedule and every chain: it follows the actions, and knows nothing of numbers.
 *
 * It runs in two phases, because a gradient comes in two: the forward solve, which ends with the state before the last step at hand, and the
 * pullback, which begins with the reverse of that step. Each action is checked against the contract of a schedule before the chain sees it.
 */
import { DydtError, OptionError } from "@dydt/tensor";
import { actionsOf, requireWhole, ScheduleError, type Action, type Kept, type Level, type OnlineSchedule, type Schedule } from "./schedule.js";

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
  /** Keeps a copy of the working state under the number `state`; with `what` "stages" also what {@link Chain.reverseFromStages} needs; on a level. */
  readonly store: (state: number, what: Kept, level: Level) => void;
  /** Makes the stored state the working state; it stays stored. */
  readonly restore: (state: number) => void;
  /** Gives the place of the stored state back. */
  readonly release: (state: number) => void;
  /** Runs the steps `from`, …, `to - 1` on the working state, without a tape. */
  readonly advance: (from: number, to: number) => void;
  /** Runs the step on the working state under a tape and pulls the cotangent back through it; the working state is not used again. */
  readonly reverse: (step: number) => void;
  /** Pulls the cotangent back through the step that ended at the working state, whose stages are at hand. Without it a schedule may not keep stages. */
  readonly reverseFromStages?: (step: number) => void;
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
 * @throws OptionError when `steps` is not a whole number, or negative, when the schedule keeps stages and the chain has none, or when what should be a schedule makes
 * one, such as `revolve` in the place of `revolve(8)`.
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
  const keepsStages = requireStages(schedule, chain);
  const phases = follow(actionsOf(schedule, steps), steps, chain, {
    stored: new Map(),
    working: 0,
    stagesAtHand: false,
    keepsStages,
    next: steps - 1,
  });
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
  /** Tells that a state has become the working state; in order from state 0, every state but the last one; with a schedule that keeps stages, that one too. */
  readonly reached: (state: number) => void;
  /** Reverses all steps. The state that was reached last is the working state: whoever ran on from it makes it so again. */
  readonly finish: (steps: number) => void;
}

/**
 * Lets a chain follow a schedule that goes along with the first sweep, which somebody else runs.
 *
 * @param schedule - for this one reversal.
 * @param chain - does what is asked.
 * @returns the two phases; they throw ScheduleError where the schedule breaks its contract.
 * @throws OptionError when the schedule keeps stages and the chain has none.
 * @example
 * const kept: number[] = [];
 * const ignore = () => undefined;
 * const online = executeOnline(storeAll().online!(), { store: (state) => void kept.push(state), restore: ignore, release: ignore, advance: ignore, reverse: ignore });
 * [0, 1, 2].forEach(online.reached);
 * online.finish(3);
 * if (kept.length !== 3) throw new Error("a state was not kept");
 */
export const executeOnline = (schedule: OnlineSchedule, chain: Chain): OnlineExecution => {
  const keepsStages = requireStages(schedule, chain);
  const stored = new Map<number, Kept>();
  return Object.freeze({
    reached: (state: number) => {
      let index = 0;
      for (const action of schedule.reached(state)) {
        const progress: Progress = { stored, working: state, stagesAtHand: keepsStages && state > 0, keepsStages, next: Infinity };
        const expected = action.do === "store" || action.do === "release" ? fault(action, progress) : "store or release only, during the first sweep";
        if (expected !== undefined) throw new ScheduleError(index, action, expected);
        if (action.do === "store") keep(action, chain, stored);
        else if (action.do === "release") {
          chain.release(action.state);
          stored.delete(action.state);
        }
        index++;
      }
    },
    finish: (steps: number) => {
      const working = keepsStages ? steps : steps - 1;
      const phases = follow(schedule.finish(steps), steps, chain, { stored, working, stagesAtHand: keepsStages, keepsStages, next: steps - 1 });
      for (const phase of phases) void phase;
    },
  });
};

/** Whether a schedule keeps stages. @throws OptionError when the chain cannot follow it. */
const requireStages = ({ keepsStages = false }: { readonly keepsStages?: boolean }, chain: Chain): boolean => {
  if (keepsStages && chain.reverseFromStages === undefined)
    throw new OptionError("the schedule keeps stages, and the steps of this chain have none: use a schedule of states, such as revolve(n)");
  return keepsStages;
};

/** Where a schedule stands. */
interface Progress {
  readonly stored: Map<number, Kept>;
  /** The working state; undefined for none. */
  working: number | undefined;
  /** Whether the stages of the step that ended there are at hand. */
  stagesAtHand: boolean;
  readonly keepsStages: boolean;
  /** The step to be reversed next. */
  next: number;
}

const keep = ({ state, what = "state", level = "ram" }: Action & { readonly do: "store" }, chain: Chain, stored: Map<number, Kept>): void => {
  chain.store(state, what, level);
  stored.set(state, what);
};

/** Checks and performs the actions; yields once, before the first reverse. */
function* follow(actions: Iterable<Action>, steps: number, chain: Chain, progress: Progress): Generator<void, void> {
  const { stored } = progress;
  let index = 0;
  for (const action of actions) {
    const expected = fault(action, progress);
    if (expected !== undefined) throw new ScheduleError(index, action, expected);
    switch (action.do) {
      case "store":
        keep(action, chain, stored);
        break;
      case "restore":
        chain.restore(action.state);
        progress.working = action.state;
        progress.stagesAtHand = stored.get(action.state) === "stages";
        break;
      case "release":
        chain.release(action.state);
        stored.delete(action.state);
        break;
      case "advance":
        chain.advance(action.from, action.to);
        progress.working = action.to;
        progress.stagesAtHand = progress.keepsStages;
        break;
      case "reverse":
        if (progress.next === steps - 1) yield;
        if (action.step === progress.working) chain.reverse(action.step);
        else chain.reverseFromStages!(action.step);
        progress.working = undefined;
        progress.stagesAtHand = false;
        progress.next--;
    }
    index++;
  }
  const { next } = progress;
  if (next >= 0) throw new ScheduleError(index, undefined, `step ${next} to be reversed next, down to step 0`);
  if (stored.size > 0) throw new ScheduleError(index, undefined, `every stored state to be released, also ${[...stored.keys()].join(", ")}`);
}

/** What would have been expected instead of an action that breaks the contract; undefined for a sound one. */
const fault = (action: Action, { working, next, stored, stagesAtHand, keepsStages }: Progress): string | undefined => {
  const atHand = working === undefined ? "which is none after a reverse" : `which is ${working}`;
  switch (action.do) {
    case "store":
      if (action.state !== working) return `the working state to be stored, ${atHand}`;
      if (stored.has(action.state)) return "a state that is not stored yet";
      if (![undefined, "state", "stages"].includes(action.what)) return 'to be told what to store: "state" or "stages"';
      if (![undefined, "ram", "slow"].includes(action.level)) return 'the level "ram" or "slow"';
      return action.what === "stages" && !stagesAtHand ? "a state alone to be stored, since no stages are at hand" : undefined;
    case "restore":
    case "release":
      return stored.has(action.state) ? undefined : `a stored state, of which there are [${[...stored.keys()].join(", ")}]`;
    case "advance": {
      if (action.from !== working) return `an advance from the working state, ${atHand}`;
      if (!Number.isInteger(action.to) || action.to <= action.from) return "an advance to a later state";
      const furthest = keepsStages ? next + 1 : next;
      return action.to > furthest ? `an advance no further than state ${furthest}, from which step ${next} is reversed next` : undefined;
    }
    case "reverse":
      if (action.step !== next) return next < 0 ? "no reverse, since every step is reversed" : `step ${next} to be reversed next`;
      if (action.step === working || (stagesAtHand && action.step + 1 === working)) return undefined;
      return `state ${next} to be the working state, ${atHand}`;
    default:
      return "one of store, restore, release, advance, reverse";
  }
};
