/**
 * @file The times of saved rows, with their derivatives: a row moves with what its time is.
 *
 * That is a save time that is a tensor; t0 or t1, where the row lies there; an event that ended the solve; and for the end of a step, where every step is saved, the event
 * there, or a constant fraction of what the step lies between. Other numbers stand still.
 */
import type { EventOutputs } from "./outcome.js";
import { segmentAt } from "./loop.js";
import type { Problem } from "./problem.js";
import type { Step } from "./step.js";
import { timeInSegment, timeValue, type Time } from "./time.js";

/** An event that changed the state or ended the solve. */
export interface Change {
  readonly t: Time;
  readonly terminal: boolean;
}

/**
 * The time of one row.
 *
 * @param from - where its step begins.
 * @param change - the last one until then.
 */
export const rowTime = <R extends Step>(problem: Problem<R>, time: Time, from: number, change: Change | undefined): Time => {
  const { t0, t1, stepSaves } = problem;
  if (typeof time !== "number") return time;
  const [start, end] = [timeValue(t0), timeValue(t1)];
  const isEnd = stepSaves?.ends.has(time) === true;
  if (change !== undefined && timeValue(change.t) === time && (isEnd || change.terminal)) return change.t;
  if (time === end) return t1;
  if (time === start) return t0;
  if (!isEnd) return time;
  return timeInSegment(time, segmentAt({ problem, origin: change?.t ?? t0, direction: end < start ? -1 : 1, t: from, t1: end }));
};

/** The times of all rows, of so many. */
export const rowTimes = <R extends Step>(
  problem: Problem<R>,
  count: number,
  grid: readonly number[],
  events: readonly EventOutputs[],
): readonly Time[] => {
  const rows = problem.saves.slice(0, count);
  if ([problem.t0, problem.t1, ...rows].every((t) => typeof t === "number") && events.length === 0) return rows;
  const direction = timeValue(problem.t1) < timeValue(problem.t0) ? -1 : 1;
  const changes = events
    .flatMap(({ times }, i): readonly Change[] => {
      const { then } = problem.events[i]!;
      return then === undefined ? [] : Array.from({ length: times.size }, (_, k) => ({ t: times.at(k), terminal: then === "terminate" }));
    })
    .sort((a, b) => (timeValue(a.t) - timeValue(b.t)) * direction);
  let [step, change] = [0, -1];
  return rows.map((row) => {
    const t = timeValue(row);
    while (step + 1 < grid.length && (t - grid[step + 1]!) * direction > 0) step++;
    while (change + 1 < changes.length && (t - timeValue(changes[change + 1]!.t)) * direction >= 0) change++;
    return rowTime(problem, row, grid[step]!, changes[change]);
  });
};
