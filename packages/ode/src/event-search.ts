/**
 * @file Looking for events in accepted steps.
 *
 * Each step is looked at in eight parts of equal length: a function that has another sign at the end of a part than at its beginning has a zero there, which is
 * located on the dense output. A function that is zero where a step begins (after an event, or at t₀) has the sign that it shows shortly after; so nothing
 * happens twice. Events are taken in the order of time, up to the first that changes the state; what a change of state makes of the other functions is no
 * crossing, but one that crosses at the same time, to rounding, follows at once.
 */
import { activeRecorders, OptionError, scope, unrecorded } from "@dydt/tensor";
import { EventError, IncompatibleError } from "./errors.js";
import * as sentences from "./sentences.js";
import { eventful, withEvents, type EventfulProblem, type Found } from "./events.js";
import { zeroBetween, type Sample } from "./roots.js";
import type { DenseStep, Leaves, Step } from "./step.js";

/** What a search remembers from step to step. */
export interface EventMemory {
  /** The values of the functions where the last step ended; NaN for one that was zero there. */
  readonly values: readonly number[];
  /** How often each has happened. */
  readonly counts: readonly number[];
  /** Events that are to happen at once. */
  readonly pending: readonly number[];
  /** When the state was changed last. */
  readonly since: number;
}

/** A search under way. */
export interface EventSearch<R extends Step> {
  /** The step, ended by the first event in it that changes the state or ends the solve. */
  readonly look: (step: R) => R;
  /** How long the stretch before the last change of the state was; 0 before the first. */
  readonly stretch: () => number;
  readonly memory: () => EventMemory;
}

/** How many parts of a step are looked at. */
const parts = 8;
/** Where the sign is taken of a function that is zero at the beginning. */
const soon = 1 / 1024;

interface Crossing extends Found {
  readonly changes: boolean;
}

/**
 * Begins to look for events.
 *
 * Cost: eight evaluations of each function on the dense output for each step, and about ten for each event.
 *
 * @throws IncompatibleError for a solver whose steps cannot be evaluated in between.
 */
export const searchEvents = <R extends Step>(
  problem: EventfulProblem,
  t0: number,
  y0: Leaves,
  before: EventMemory | undefined,
): EventSearch<R> | undefined => {
  const { events } = problem;
  if (events.length === 0) return undefined;
  if (problem.solver.interpolates !== true) throw new IncompatibleError(sentences.events);
  if (before !== undefined && before.values.length !== events.length)
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
  let since = before?.since ?? t0;
  let stretch = 0;
  const isWatchedFor = (event: number): boolean => counts[event]! < events[event]!.times;

  const counted = (found: readonly Found[]): readonly Found[] => {
    for (const { event } of found) counts[event]!++;
    return found;
  };

  /** The zeros between two points, in order; moves on to the second. */
  const crossings = (step: DenseStep, from: number, to: number): readonly Crossing[] => {
    const y = to === step.t1 ? step.y1 : step.at(to);
    const found: Crossing[] = [];
    for (let event = 0; event < events.length; event++) {
      if (!isWatchedFor(event)) continue;
      const [value, next] = [values[event]!, valueOf(event, to, y)];
      values[event] = signed(next);
      if (Number.isNaN(value) || Math.sign(next) === Math.sign(value)) continue;
      const { direction, tolerance, then } = events[event]!;
      if (direction === (value < 0 ? "down" : "up")) continue;
      const [a, b]: [Sample, Sample] = [
        { x: from, value },
        { x: to, value: next },
      ];
      const least = Math.max(tolerance / 2, 2 * Number.EPSILON * Math.max(Math.abs(from), Math.abs(to)));
      found.push({ event, t: zeroBetween((t) => valueOf(event, t, step.at(t)), a, b, least), changes: then !== undefined });
    }
    return found.sort((a, b) => Math.abs(a.t - from) - Math.abs(b.t - from));
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
      const here = crossings(step, from, to);
      const change = here.findIndex(({ changes }) => changes);
      if (change >= 0) {
        const { t } = here[change]!;
        const together = 8 * Number.EPSILON * Math.abs(t);
        pending = here.slice(change + 1).flatMap((other) => (Math.abs(other.t - t) <= together ? [other.event] : []));
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
      const changed = withEvents(problem, step, found);
      if (eventful(changed)?.end === undefined) return changed;
      const { event, t } = found[found.length - 1]!;
      stretch = Math.abs(t - since);
      since = t;
      // What has just happened has no sign yet, whatever rounding makes of it.
      values = events.map((_, other) => (other === event || pending.includes(other) ? NaN : signed(valueOf(other, t, changed.y1))));
      return changed;
    },
    stretch: () => stretch,
    memory: () => ({ values: [...values], counts: [...counts], pending, since }),
  };
};
