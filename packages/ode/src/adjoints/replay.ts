/**
 * @file A grid that was found by a forward solve, laid out so that each of its steps can be run again.
 */
import { allocatingIn, elementsOf, formatShape, heap, identity, tensor, type Tensor } from "@dydt/tensor";
import { differentiableTimes } from "../adjoint.js";
import { ReplayError } from "../errors.js";
import { withEvents } from "../events.js";
import type { Leaves, Step } from "../step.js";
import { timeIfMoved, timeValue, type Segment, type Time } from "../time.js";
import type { Forward } from "./forward-run.js";

/** Where the tape stops looking: a whole step, or one evaluation of f inside it. */
export type Granularity = "step" | "evaluation";

/** What is known of a forward solve: its step ends, which of them were the costliest, which save times were reached and what happened in which. */
export type FoundGrid<R extends Step> = Omit<Forward<R>, "outputs">;

/** A grid that was found, with what belongs to each of its steps. */
export interface Replay<R extends Step> extends FoundGrid<R> {
  readonly granularity: Granularity;
  /** The times of the problem that are tensors. */
  readonly inputTimes: readonly Tensor[];
  /** For each step which of the occurrences of its event comes first in it: by event, how many there were before. */
  readonly before: ReadonlyMap<number, readonly number[]>;
  /** For each step the event that its segment begins with, as a tensor to be watched; undefined before the first that changes the state. */
  readonly origins: readonly (Tensor | undefined)[];
  /** For each step the segment of which it is a constant fraction. */
  readonly segments: readonly Segment[];
  /** For each step the first of its save times; one more entry than steps. */
  readonly firstSave: readonly number[];
}

/** Lays out a grid. */
export const replayOf = <R extends Step>(found: FoundGrid<R>, granularity: Granularity): Replay<R> => {
  const { problem, times, saved, happenings } = found;
  const forward = timeValue(problem.t1) >= timeValue(problem.t0);
  // Stops that coincide have one anchor, the first of them; the states at the others follow from it along the slope.
  const values = [problem.t0, ...problem.stops].map(timeValue);
  const inside = problem.stops.filter((stop, i) => timeValue(stop) !== values[i] && timeValue(stop) !== timeValue(problem.t1));
  const anchors: readonly Time[] = [problem.t0, ...inside, problem.t1];
  const segments: Segment[] = [];
  // A save time at t0 that is a tensor belongs to the first step, which gives its derivative.
  const atStart = typeof problem.saves[0] === "object" && times.length > 1;
  const firstSave = [atStart ? 0 : saved[0]!, ...saved.slice(1)];
  const origins: (Tensor | undefined)[] = [];
  const before = new Map<number, readonly number[]>();
  const counts = problem.events.map(() => 0);
  let anchor = 1;
  let origin: Tensor | undefined;
  for (let j = 0; j + 1 < times.length; j++) {
    while (anchor < anchors.length - 1 && (forward ? timeValue(anchors[anchor]!) <= times[j]! : timeValue(anchors[anchor]!) >= times[j]!)) {
      anchor++;
      origin = undefined;
    }
    segments.push({ start: origin ?? anchors[anchor - 1]!, end: anchors[anchor]! });
    origins.push(origin);
    const happening = happenings.get(j);
    if (happening === undefined) continue;
    before.set(j, [...counts]);
    for (const { event } of happening.found) counts[event]!++;
    if (happening.changed) {
      const { end } = happening;
      origin = allocatingIn(heap, () => (end === undefined ? tensor(times[j + 1]!) : identity(end)));
    }
  }
  return { ...found, granularity, inputTimes: differentiableTimes(problem), before, origins, segments, firstSave };
};

/** The state before a step: y, and the carry of solvers whose carry is a part of the state. */
export interface WorkingState {
  readonly y: Leaves;
  readonly carry: Leaves | undefined;
}

/** Runs step j without a tape. */
export const replayStep = <R extends Step>(
  { problem, times, happenings, segments }: Pick<Replay<R>, "problem" | "times" | "happenings"> & Partial<Pick<Replay<R>, "segments">>,
  j: number,
  { y, carry }: WorkingState,
): R => {
  const { solver, term } = problem;
  const happening = happenings.get(j);
  const from = timeIfMoved(times[j]!, segments?.[j]);
  const to = timeIfMoved(happening?.to ?? times[j + 1]!, segments?.[j]);
  const step = solver.step(term, from, to, y, carry ?? solver.start(term, from, y));
  return happening === undefined ? step : withEvents(problem, step, happening.found);
};

/**
 * Compares numbers with those that were computed before: they must have the same bits.
 *
 * @param what - what gave them, for the message.
 * @throws ReplayError where they differ.
 */
export const requireSame = (again: Leaves, before: Leaves, what: () => string): void =>
  again.forEach((leaf, i) => {
    const [a, b] = [elementsOf(leaf), elementsOf(before[i]!)];
    for (let k = 0; k < a.length; k++)
      if (a[k] !== b[k])
        throw new ReplayError(
          `${what()} (${a[k]} instead of ${b[k]}, element ${k} of ${formatShape(leaf.shape)}): ` +
            `the field must be a function of (t, y) alone; draw random numbers before the solve, and close over them`,
        );
  });
