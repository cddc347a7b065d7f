/**
 * @file Looking for events in accepted steps.
 *
 * Each step is looked at in eight parts of equal length: a function that has another sign at the end of a part than at its beginning has a zero there, which is
 * located on the dense output. A function that is zero where a step begins (after an event, or at t₀) has the sign that it shows shortly after; so nothing
 * happens twice, nor where others happen at the same time: rounding may give the function its old sign there. Events are taken in the order of time, up to the
 * first that changes the state; what a change of state makes of the other functions is no crossing, but one that crosses at the same time, to rounding, follows
 * at once.
 */
import { activeRecorders, OptionError, scope, unrecorded } from "@dydt/tensor";
import { EventError, IncompatibleError } from "./errors.js";
import * as sentences from "./sentences.js";
import { eventful, isFollowedAt, withEvents, type EventfulProblem, type Found } from "./events.js";
import { zeroBetween, type Sample } from "./roots.js";
import type { DenseStep, Leaves, Step } from "./step.js";
import { timeValue, type Time } from "./time.js";

/** What a search remembers from step to step. */
export interface EventMemory {
  /** The values of the functions where the last step ended; NaN for one that was zero there. */
  readonly values: readonly number[];
  /** How often each has happened. */
  readonly counts: readonly number[];
  /** Events that are to happen at once. */
  readonly pending: readonly number[];
  /** When each happened last; where the solve began before it did. */
  readonly since: readonly number[];
}

/** A search under way. */
export interface EventSearch<R extends Step> {
  /** The step, ended by the first event in it that changes the state or ends the solve. */
  readonly look: (step: R) => R;
  /** Whether there are events that are to happen at once. */
  readonly isPending: () => boolean;
  /** How long it was since the last event had happened before, or since the beginning; 0 before the first. */
  readonly stretch: () => number;
  readonly memory: () => EventMemory;
}

/** How many parts of a step are looked at. */
const parts = 8;
/** Where the sign is taken of a function that is zero at the beginning. */
const soon = 1 / 1024;

interface Crossing extends Found {
  readonly changes: boolean;
  /** The sign before it. */
  readonly sign: number;
}

/**
 * Begins to look for events.
 *
 * Cost: eight evaluations of each function on the dense output for each step, and about ten for each event.
 *
 * @throws IncompatibleError for a solver whose steps cannot be evaluated in between.
 */
export const searchEvents = <R extends Step>(
  problem: EventfulProblem & { readonly t1: Time },
  t0: number,
  y0: Leaves,
  before: EventMemory | undefined,
): EventSearch<R> | undefined => {
  const { events } = problem;
  if (events.length === 0) return undefined;
  if (problem.solver.interpolates !== true) throw new IncompatibleError(sentences.events);
  const isOfThese = ({ values, counts, since, pending }: EventMemory): boolean =>
    [values, counts, since].every(({ length }) => length === events.length) && pending.every((event) => events[event] !== undefined);
  if (before !== undefined && !isOfThese(before))
    throw new OptionError(`resume comes from a solve with ${before.values.length} events, and this one has ${events.length}`);

  const valueOf = (event: number, t: number, y: Leaves): number => {
    const value = unrecorded(() => scope(() => events[event]!.when(t, y)).item());
    if (Number.isNaN(value)) throw new EventError(`event ${event} has a function that returned NaN at t = ${t}: it has no sign there`);
    return value;
  };
  /** NaN where it is zero: the sign is not known yet. */
  const signed = (value: number): number => (value === 0 ? NaN : value);
  const counts = [...(before?.counts ?? events.map(() => 0))];
  let values: number[] = [...(before?.values ?? events.map((_, event) => signed(valueOf(event, t0, y0))))];
  let pending: readonly number[] = before?.pending ?? [];
  const since: number[] = [...(before?.since ?? events.map(() => t0))];
  let stretch = 0;
  const isWatchedFor = (event: number): boolean => counts[event]! < events[event]!.times;

  /** How far apart times may be found that are the same; of an event as exactly as it is located. */
  const rounding = ({ t0, t1 }: Step): number => 8 * Number.EPSILON * Math.max(Math.abs(t0), Math.abs(t1));
  const width = (event: number, step: Step): number => Math.max(events[event]!.tolerance, rounding(step));
  const hasJustHappened = (event: number, t: number, step: Step): boolean => counts[event]! > 0 && Math.abs(t - since[event]!) <= width(event, step);

  const counted = (found: readonly Found[]): readonly Found[] => {
    for (const { event, t } of found) {
      counts[event]!++;
      stretch = Math.abs(t - since[event]!);
      since[event] = t;
    }
    return found;
  };

  /** The zeros between two points, in order; moves on to the second. */
  const crossings = (step: DenseStep, from: number, to: number): readonly Crossing[] => {
    const y = to === step.t1 ? step.y1 : step.at(to);
    const found: Crossing[] = [];
    for (let event = 0; event < events.length; event++) {
      if (!isWatchedFor(event)) continue;
      const [value, next] = [values[event]!, valueOf(event, to, y)];
      values[event] = Number.isNaN(value) && hasJustHappened(event, to, step) ? NaN : signed(next);
      if (Number.isNaN(value) || Math.sign(next) === Math.sign(value)) continue;
      const { direction, tolerance, then } = events[event]!;
      if (direction === (value < 0 ? "down" : "up")) continue;
      const [a, b]: [Sample, Sample] = [
        { x: from, value },
        { x: to, value: next },
      ];
      const least = Math.max(tolerance / 2, 2 * Number.EPSILON * Math.max(Math.abs(from), Math.abs(to)));
      found.push({ event, t: zeroBetween((t) => valueOf(event, t, step.at(t)), a, b, least), changes: then !== undefined, sign: Math.sign(value) });
    }
    if (found.length < 2) return found;
    found.sort((a, b) => Math.abs(a.t - from) - Math.abs(b.t - from));
    // What happens at the same time has one time, and the order in which it is listed.
    const least = rounding(step);
    let first = found[0]!.t;
    const together = found.map((crossing): Crossing => {
      if (Math.abs(crossing.t - first) > least) first = crossing.t;
      return { ...crossing, t: first };
    });
    return together.sort((a, b) => Math.abs(a.t - from) - Math.abs(b.t - from) || a.event - b.event);
  };

  /** All that happens in a step, up to the first event that changes the state. */
  const happenings = (step: DenseStep): readonly Found[] => {
    const { t0: start, t1: end } = step;
    const found: Found[] = [];
    while (pending.length > 0) {
      const event = pending[0]!;
      pending = pending.slice(1);
      found.push(...counted([{ event, t: start }]));
      if (events[event]!.then !== undefined) return found;
    }
    const fractions = Array.from({ length: parts }, (_, i) => (i + 1) / parts);
    if (values.some((value) => Number.isNaN(value))) fractions.unshift(soon);
    let from = start;
    for (const fraction of fractions) {
      const to = fraction === 1 ? end : start + fraction * (end - start);
      const unsigned = values.map((value) => Number.isNaN(value));
      const here = crossings(step, from, to);
      const change = here.findIndex(({ changes }) => changes);
      if (change >= 0) {
        const { t } = here[change]!;
        const y = step.at(t);
        /** Whether the function has its new sign where the state is changed: found on one side of it, an event may lie on the other, for rounding. */
        const isOver = ({ event, sign }: Crossing): boolean => Math.sign(valueOf(event, t, y)) !== sign;
        const later = here.slice(change + 1).filter((other) => Math.abs(other.t - t) <= width(other.event, step) || isOver(other));
        pending = later.map(({ event }) => event);
        const early = here.slice(0, change).filter((other) => !isOver(other));
        // The others get their values of the changed state.
        values = unsigned.map((isUnsigned, event) => (isUnsigned || early.some((other) => other.event === event) ? NaN : 0));
        return [...found, ...counted(here.slice(0, change + 1))];
      }
      found.push(...counted(here));
      from = to;
    }
    return found;
  };

  return {
    look: (step) => {
      const dense = step as unknown as DenseStep;
      if (activeRecorders().length > 0) dense.at(step.t1); // what dense output needs besides the step is computed while it is recorded
      const found = unrecorded(() => happenings(dense));
      if (found.length === 0) return step;
      const { t } = found[found.length - 1]!;
      const changed = withEvents(problem, step, found, isFollowedAt(t, timeValue(problem.t1), pending, events));
      if (eventful(changed)?.end === undefined) return changed;
      // What has just happened, or is about to, has no sign yet, whatever rounding makes of it.
      const isUnsigned = (event: number): boolean => Number.isNaN(values[event]) || pending.includes(event) || hasJustHappened(event, t, step);
      values = events.map((_, event) => (isUnsigned(event) ? NaN : signed(valueOf(event, t, changed.y1))));
      return changed;
    },
    isPending: () => pending.length > 0,
    stretch: () => stretch,
    memory: () => ({ values: [...values], counts: [...counts], pending, since: [...since] }),
  };
};
