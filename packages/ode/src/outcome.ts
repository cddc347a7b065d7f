/**
 * @file What a solve leaves behind: states at save times, the end state, penalties, the grid. Fed one accepted step after the other.
 */
import { add, allocatingIn, copy, countBytes, heap, isTensor, maximum, scope, stack, tensor, zeros, type Tensor } from "@dydt/tensor";
import { eventful, wholeOf, type EventfulStep, type Found } from "./events.js";
import type { Run } from "./integrate.js";
import type { Problem } from "./problem.js";
import { rowTime, type Change } from "./row-times.js";
import { savedState, stateMoved } from "./saved-state.js";
import { heapCopies, type Leaves, type Step } from "./step.js";
import { timeValue, type Time } from "./time.js";

/** When an event happened, and the states there. */
export interface EventOutputs {
  /** float64 `[n]`. */
  readonly times: Tensor;
  /** Before the event changed them; stacked on a new first axis. */
  readonly states: Leaves;
}

/** The outputs of a solve, as lists of leaves. */
export interface Outputs {
  /** States at the save times, stacked on a new first axis. */
  readonly ys: Leaves;
  readonly y1: Leaves;
  /** One scalar for each regularizer. */
  readonly penalties: readonly Tensor[];
  /** One entry for each event. */
  readonly events: readonly EventOutputs[];
}

/** Collects the outputs of a solve. */
export interface Collector<R extends Step> {
  /** Takes an accepted step, while it is valid. */
  readonly take: (step: R) => void;
  /** All outputs, on the heap. */
  readonly outputs: () => Outputs;
  /** Gives back what it is accounted for; called in any case. */
  readonly close: () => void;
  /** Every step end so far, t0 included. */
  readonly times: readonly number[];
  /** For each regularizer that takes the largest cost, which step had it. */
  readonly largest: readonly number[];
  /** How many save times were reached before the first step, and at the end of each. */
  readonly saved: readonly number[];
  /** What happened in which step. */
  readonly happenings: ReadonlyMap<number, Happenings>;
}

/** The events of one step. */
export interface Happenings {
  /** Where the step was to end. */
  readonly to: number;
  readonly found: readonly Found[];
  /** Whether the state was changed. */
  readonly changed: boolean;
  /** When that was, where derivatives of the time are carried along. */
  readonly end: Tensor | undefined;
}

/**
 * How many save times are reached at t1.
 *
 * @param first - how many were before.
 * @param waits - whether those at t1 itself are left to the next step: more happens at that time.
 */
const savesUntil = <R extends Step>({ saves }: Problem<R>, first: number, t1: number, forward: boolean, waits = false): number => {
  const reaches = (t: number): boolean => (forward ? t < t1 : t > t1) || (t === t1 && !waits);
  let next = first;
  while (next < saves.length && reaches(timeValue(saves[next]!))) next++;
  return next;
};

/** Rows on a new first axis; where there are none, of the form of `like`. */
const stacked = (rows: readonly Leaves[], like: Leaves): Leaves => {
  const [first] = rows;
  if (first === undefined) return like.map((leaf) => zeros([0, ...leaf.shape], { dtype: leaf.dtype }));
  return first.map((_, i) => stack(rows.map((row) => row[i]!)));
};

/** What is known of the solve whose steps are collected. */
type Ran<R extends Step> = Pick<Run<R>, "control" | "moves" | "ends">;

/**
 * Begins collecting.
 *
 * @param value - of a saved state; what is kept in its place.
 */
export const collect = <R extends Step>(
  problem: Problem<R>,
  { control, moves, ends }: Ran<R>,
  value?: (t: Time, y: Leaves) => Leaves,
): Collector<R> => {
  const { saves, stepSaves, regularizers, supervision, events } = problem;
  const forward = timeValue(problem.t1) >= timeValue(problem.t0);
  const start = supervision.resume?.y ?? problem.y0;
  const times: number[] = [supervision.resume?.t ?? timeValue(problem.t0)];
  const rows: Leaves[] = [];
  const largest: number[] = regularizers.map(() => 0);
  const happenings = new Map<number, Happenings>();
  const happened: readonly { readonly times: Tensor[]; readonly states: Leaves[] }[] = events.map(() => ({ times: [], states: [] }));
  let penalties: readonly (Tensor | undefined)[] = regularizers.map(() => undefined);
  let last: Leaves = start;
  let counted = 0;
  let change: Change | undefined;
  let next = supervision.resume === undefined ? savesUntil(problem, 0, times[0]!, forward) : 0;
  const saved: number[] = [next];

  /** Whether a save time leaves the end of a step: one that is a tensor does when either moves. */
  const follows = (save: Time, end: Time | undefined): boolean => typeof save !== "number" && (moves(save) || (end !== undefined && moves(end)));
  const save = (i: number, y: Leaves): void => {
    const timed = (of: (t: Time, y: Leaves) => Leaves): Leaves => of(rowTime(problem, saves[i]!, times.at(-1)!, change), y);
    rows.push(value === undefined ? heapCopies(y) : allocatingIn(heap, () => scope(() => timed(value)).map(owned)));
  };
  /** The end state of no steps at all moves with t1 where t0 stays behind, and so do numbers among the save times. */
  const empty = supervision.resume === undefined && timeValue(problem.t0) === timeValue(problem.t1);
  const atStart = (t: Time): Leaves => (follows(t, problem.t0) ? stateMoved(problem, problem.t0, t, start) : start);
  for (let i = 0; i < next; i++) save(i, atStart(empty && typeof saves[i] === "number" ? problem.t1 : saves[i]!));

  const cost = (step: R, i: number): Tensor => {
    const { reduce, cost: costOf } = regularizers[i]!;
    const value = costOf(wholeOf(step), control.tolerances);
    const before = penalties[i];
    if (before === undefined) return value;
    if (reduce !== "max") return add(before, value);
    if (value.item() > before.item()) largest[i] = times.length - 1;
    return maximum(before, value);
  };

  const noteEvents = ({ occurrences, end, whole, terminal }: EventfulStep): void => {
    const moved = isTensor(end) ? allocatingIn(heap, () => copy(end)) : undefined;
    if (end !== undefined) change = { t: moved ?? end, terminal };
    const found = occurrences.map(({ event, t }) => ({ event, t: timeValue(t) }));
    happenings.set(times.length - 1, {
      to: whole.t1,
      found,
      changed: end !== undefined,
      end: moved,
    });
    for (const { event, t, y } of occurrences) {
      happened[event]!.times.push(allocatingIn(heap, () => (typeof t === "number" ? tensor(t) : copy(t))));
      happened[event]!.states.push(heapCopies(y));
    }
  };

  return {
    times,
    largest,
    saved,
    happenings,
    take: (step) => {
      if (regularizers.length > 0) penalties = allocatingIn(heap, () => regularizers.map((_, i) => scope(() => cost(step, i))));
      const happening = events.length === 0 ? undefined : eventful(step);
      if (happening !== undefined) noteEvents(happening);
      // What is saved at the time of events is the state after all of them.
      const waits = happening?.isFollowed === true;
      const reached = savesUntil(problem, next, step.t1, forward, waits);
      const atEnd = stepSaves !== undefined && !waits && (reached === next || timeValue(saves[reached - 1]!) !== step.t1);
      if (atEnd) {
        stepSaves.list.splice(reached, 0, step.t1);
        stepSaves.ends.add(step.t1);
      }
      for (const end = atEnd ? reached + 1 : reached; next < end; next++) {
        const time = saves[next]!;
        scope(() => save(next, savedState(step, follows(time, ends()?.to) ? time : timeValue(time), problem, ends())));
      }
      saved.push(next);
      times.push(step.t1);
      countBytes(8);
      counted += 8;
      last = step.y1;
    },
    close: () => {
      countBytes(-counted);
      counted = 0;
    },
    outputs: () =>
      allocatingIn(heap, () => {
        const steps = times.length - 1;
        return {
          y1: (empty ? atStart(problem.t1) : last).map((leaf) => copy(leaf)),
          ys: stacked(rows, value === undefined || rows.length > 0 ? start : scope(() => value(times[0]!, start))),
          penalties: penalties.map((penalty, i) => {
            if (penalty === undefined) return tensor(0, { dtype: start[0]?.dtype ?? "float64" });
            return regularizers[i]!.reduce === "mean" ? penalty.div(steps) : copy(penalty);
          }),
          events: happened.map(({ times: at, states }) => ({ times: at.length === 0 ? zeros([0]) : stack(at), states: stacked(states, start) })),
        };
      }),
  };
};

/** A tensor of the heap that nobody else has. */
const owned = (leaf: Tensor): Tensor => (leaf.region === heap ? leaf : copy(leaf));
