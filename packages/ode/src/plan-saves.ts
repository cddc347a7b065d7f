/**
 * @file The save times of a trial: as many in one step, and at its ends, as there will be in any step of the solve.
 */
import { isTensor, tensor } from "@dydt/tensor";
import type { Problem } from "./problem.js";
import type { Step } from "./step.js";
import { timeValue, type Time } from "./time.js";

/** A time as a tensor where another one is. */
export const likeTime = (other: Time, t: number): Time => (typeof other === "number" ? t : tensor(t));

/** The most save times that lie in one step, its end left out where `inside`: of given steps, or of those found, twice as long as the longest of the first. */
const mostSaves = (saves: readonly number[], times: readonly number[] | undefined, longest: number, inside: boolean): number => {
  let [most, first] = [0, 0];
  if (times === undefined)
    saves.forEach((t, i) => {
      while (Math.abs(t - saves[first]!) > 2 * longest) first++;
      most = Math.max(most, i - first + 1);
    });
  else
    for (let j = 1, next = 0; j < times.length; j++) {
      const direction = times[j]! > times[j - 1]! ? 1 : -1;
      const reaches = (t: number): boolean => (times[j]! - t) * direction > 0 || (t === times[j] && !inside);
      first = next;
      while (next < saves.length && reaches(saves[next]!)) next++;
      most = Math.max(most, next - first);
    }
  return most;
};

/** How many of the most frequent value there are. */
const mostAlike = (values: readonly number[]): number => {
  const counts = new Map<number, number>();
  for (const t of values) counts.set(t, (counts.get(t) ?? 0) + 1);
  return [...counts.values()].reduce((most, count) => Math.max(most, count), 0);
};

/** A stretch of time. */
export type Ends = Pick<Step, "t0" | "t1">;

/** As many save times in a step as there will be in any: at t0, in its first half, before an event in the middle, and at its end. */
export const savesWithin = <R extends Step>(
  { saves, solver, stepSaves, t0, t1 }: Problem<R>,
  first: Ends,
  fullest: Ends,
  times: readonly number[] | undefined,
  longest: number,
): readonly Time[] => {
  // A state at an end of the solve is there, where that is a number. A state at the end of a step is, too; for its derivatives it is looked up all the same.
  const [start, end] = [timeValue(t0), timeValue(t1)];
  const moved = saves.filter(isTensor).map(timeValue);
  const within = saves.map(timeValue).filter((t) => t !== start && (t !== end || moved.length > 0));
  const dense = solver.interpolates === true;
  const moves = [t0, t1, ...saves].some(isTensor);
  const count = dense ? mostSaves(within, times, longest, !moves) : 0;
  const like = saves[0] ?? 0;
  const early = ({ t0: from, t1: to }: Ends): readonly Time[] =>
    Array.from({ length: count }, (_, i) => likeTime(like, from + ((i + 0.5) / count) * 0.5 * (to - from)));
  const atStart = moved.filter((t) => t === start).map(() => tensor(start));
  const atEnd = dense ? 0 : Math.max(within.length > 0 ? 1 : 0, mostAlike(moved));
  return [
    ...atStart,
    ...(atStart.length > 0 && first.t0 !== fullest.t0 ? early(first) : []),
    ...early(fullest),
    ...Array.from({ length: Math.max(atEnd, stepSaves === undefined ? 0 : 1) }, () => likeTime(like, fullest.t1)),
  ];
};
