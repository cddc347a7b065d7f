/**
 * @file The integer interpreter of checkpoint schedules: runs the actions of any schedule on nothing but numbers, and counts.
 *
 * Written apart from the executor, so that each checks the other.
 */
import type { Action } from "../../src/schedule/schedule.js";

export interface Interpretation {
  /** Steps run without a tape. */
  readonly advanced: number;
  /** Steps run under a tape, and reversed. */
  readonly taped: number;
  /** The most states stored at a time. */
  readonly peak: number;
  readonly restores: number;
  /** What broke the contract of a schedule, in words. */
  readonly violations: readonly string[];
}

/** Runs the actions for a chain of `steps` steps. */
export const interpret = (actions: Iterable<Action>, steps: number): Interpretation => {
  const held = new Set<number>();
  const violations: string[] = [];
  const counts = { advanced: 0, taped: 0, peak: 0, restores: 0 };
  let at = 0; // NaN, equal to nothing, after a reverse
  let left = steps;
  const demand = (sound: boolean, action: Action) => sound || violations.push(JSON.stringify(action));

  for (const action of actions) {
    switch (action.do) {
      case "store":
        demand(action.state === at && !held.has(at), action);
        held.add(action.state);
        counts.peak = Math.max(counts.peak, held.size);
        break;
      case "restore":
        demand(held.has(action.state), action);
        counts.restores++;
        at = action.state;
        break;
      case "release":
        demand(held.delete(action.state), action);
        break;
      case "advance":
        demand(action.from === at && action.from < action.to && action.to < left && Number.isInteger(action.to), action);
        counts.advanced += action.to - action.from;
        at = action.to;
        break;
      case "reverse":
        demand(action.step === at && action.step === left - 1, action);
        counts.taped++;
        left--;
        at = NaN;
    }
  }
  if (left !== 0) violations.push(`${left} steps are not reversed`);
  if (held.size !== 0) violations.push(`${held.size} states are not released`);
  return { ...counts, violations };
};
