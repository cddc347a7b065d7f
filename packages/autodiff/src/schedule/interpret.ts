/**
 * @file The integer interpreter of checkpoint schedules: runs the actions of any schedule on nothing but numbers, checks each, and counts.
 *
 * Written apart from the executor, so that each checks the other.
 */
import { actionsOf, requireSchedule, requireWhole, type Action, type Kept, type Schedule } from "./schedule.js";

/** What a schedule does, in numbers. */
export interface Interpretation {
  /** Steps run without a tape, those of the first sweep included. */
  readonly advanced: number;
  /** Steps run under a tape, and reversed. */
  readonly taped: number;
  /** Steps reversed from stages that were at hand or stored, without being run. */
  readonly fromStages: number;
  /** The most that is stored at a time. */
  readonly peak: number;
  /** The most on the slow level at a time. */
  readonly peakSlow: number;
  readonly restores: number;
  /** What broke the contract of a schedule, in words. */
  readonly violations: readonly string[];
}

/**
 * Interprets a schedule for a chain of `steps` steps: the check for a schedule of one's own.
 *
 * @param schedule - what to interpret; its actions are run through once.
 * @param steps - the length of the chain.
 * @param slots - how much may be stored at a time; more is a violation. Default: any number.
 * @returns counts, and a list of violations, which is empty for a sound schedule.
 * @throws OptionError for what is no schedule, and for a number of steps that is not a whole number.
 * @example
 * const { advanced, taped, violations } = interpretSchedule(revolve(5), 100, 5);
 * if (advanced !== 316 || taped !== 100 || violations.length > 0) throw new Error("not the binomial optimum");
 */
export const interpretSchedule = (schedule: Schedule, steps: number, slots = Infinity): Interpretation => {
  requireSchedule(schedule, "interpretSchedule");
  requireWhole(steps, 0, "the number of steps to be interpreted");
  const held = new Map<number, Kept>();
  const slow = new Set<number>();
  const violations: string[] = [];
  const counts = { advanced: 0, taped: 0, fromStages: 0, peak: 0, peakSlow: 0, restores: 0 };
  const mayKeepStages = schedule.keepsStages === true;
  let at = 0; // NaN, equal to nothing, after a reverse
  let stagesAtHand = false;
  let left = steps;
  let index = 0;
  const demand = (sound: boolean, action: Action, what: string): void => {
    if (!sound) violations.push(`actions[${index}], ${JSON.stringify(action)}: ${what}`);
  };

  for (const action of actionsOf(schedule, steps)) {
    switch (action.do) {
      case "store": {
        const { state, what = "state", level = "ram" } = action;
        demand(state === at, action, "not the working state");
        demand(!held.has(state), action, "stored already");
        demand(what === "state" || (what === "stages" && mayKeepStages && stagesAtHand), action, "no stages at hand");
        demand(level === "ram" || level === "slow", action, "no such level");
        held.set(state, what);
        if (level === "slow") slow.add(state);
        demand(held.size <= slots, action, `more than ${slots} stored`);
        counts.peak = Math.max(counts.peak, held.size);
        counts.peakSlow = Math.max(counts.peakSlow, slow.size);
        break;
      }
      case "restore":
        demand(held.has(action.state), action, "not stored");
        counts.restores++;
        at = action.state;
        stagesAtHand = held.get(action.state) === "stages";
        break;
      case "release":
        demand(held.delete(action.state), action, "not stored");
        slow.delete(action.state);
        break;
      case "advance":
        demand(action.from === at, action, "not from the working state");
        demand(Number.isInteger(action.to) && action.from < action.to, action, "not to a later state");
        demand(action.to < left || (mayKeepStages && action.to === left), action, "beyond the step to be reversed next");
        counts.advanced += action.to - action.from;
        at = action.to;
        stagesAtHand = true;
        break;
      case "reverse":
        demand(action.step === left - 1, action, "not the step to be reversed next");
        demand(action.step === at || (mayKeepStages && stagesAtHand && action.step + 1 === at), action, "neither its state nor its stages at hand");
        if (action.step === at) counts.taped++;
        else counts.fromStages++;
        left--;
        at = NaN;
        stagesAtHand = false;
        break;
      default:
        demand(false, action, "no such action");
    }
    index++;
  }
  if (left !== 0) violations.push(`${left} steps are not reversed`);
  if (held.size !== 0) violations.push(`${held.size} states are not released`);
  return { ...counts, violations };
};
