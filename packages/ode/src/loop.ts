/**
 * @file One step of the loop: it is attempted in a place, taken as the next one of the solve, and looked through for events.
 */
import { allocatingIn, copy, heap, kernels } from "@dydt/tensor";
import { attemptsSoFar, type Attempts } from "./attempts.js";
import type { Control, Verdict } from "./controller.js";
import { IncompatibleError, StepTooSmallError, type SolveError } from "./errors.js";
import type { EventSearch } from "./event-search.js";
import { eventful } from "./events.js";
import { located } from "./located.js";
import { failure, maxStepsReached, type Circumstances } from "./failure.js";
import type { Problem } from "./problem.js";
import type { Leaves, Step } from "./step.js";
import type { limitsOf, Resumption } from "./supervision.js";
import { timeInSegment, timeValue, type MovingEnds, type Segment, type Time } from "./time.js";
import type { Place, Workshop } from "./workshop.js";

/**
 * What the loop works on and remembers: fields of one object, not variables of functions made for each solve, whose numbers would be allocated anew at each
 * step, and whose generators would each be a kind of object of their own to the engine.
 */
export interface Loop<R extends Step> {
  readonly problem: Problem<R>;
  readonly control: Control<R>;
  readonly workshop: Workshop;
  /** Whether derivatives of a time are followed. */
  readonly moves: (t: Time) => boolean;
  readonly t1: number;
  readonly direction: 1 | -1;
  readonly stops: readonly number[];
  readonly limit: ReturnType<typeof limitsOf>;
  readonly search: EventSearch<R> | undefined;
  readonly recent: Attempts;
  readonly stand: () => Resumption;
  /** What was reached, for errors. */
  readonly partial: () => unknown;
  t: number;
  y: Leaves;
  /** Length of the next attempt. */
  h: number;
  /** What the solver carries into the first step. */
  readonly carry: Leaves;
  /** Where the stretch begins of whose rest steps are constant fractions: t0, or the last event. */
  origin: Time;
  last: R | undefined;
  /** What the step that is being made ends at and begins with, and what the controller says to it. */
  attemptedEnd: number;
  attemptedCarry: Leaves;
  verdict: Verdict | undefined;
  /** Whether derivatives of times may be followed, and then the ends of the step that was attempted last. */
  moved: boolean;
  ends: MovingEnds | undefined;
  resolved: number;
  longest: number;
  /** How many events in a row came in stretches that are hardly longer than rounding. */
  rapid: number;
}

/** What is known when the solve fails. */
export const circumstances = <R extends Step>({ problem, t, y, recent, last, resolved, longest, control, partial }: Loop<R>): Circumstances<R> => ({
  problem,
  t,
  y,
  recent: attemptsSoFar(recent),
  last,
  resolved,
  longest,
  tolerances: control.tolerances,
  solution: partial(),
});

/** Where steps stand. */
type Standing<R extends Step> = Pick<Loop<R>, "origin" | "direction" | "t" | "t1"> & { readonly problem: Pick<Problem<R>, "stops" | "t1"> };

/** The times next to t of which steps are constant fractions. */
export const segmentAt = <R extends Step>({ problem, origin, direction, t, t1 }: Standing<R>): Segment => {
  const reached = (time: Time): boolean => (timeValue(time) - t) * direction <= 0;
  const values = problem.stops.map(timeValue);
  // Of stops that coincide the first is the anchor, as when the steps are run again.
  const inside = problem.stops.filter((_, i) => (values[i]! - timeValue(origin)) * direction > 0 && values[i] !== t1 && values[i] !== values[i - 1]);
  return { start: inside.filter(reached).at(-1) ?? origin, end: inside.find((stop) => !reached(stop)) ?? problem.t1 };
};

/** A step between numbers; where they are followed, with the derivatives of its times. */
export const makeStep = <R extends Step>(loop: Loop<R>): R => {
  const { problem, t, attemptedEnd, y, attemptedCarry } = loop;
  const { solver, term } = problem;
  const record = loop.moved ? stepOfSegment(loop) : solver.step(term, t, attemptedEnd, y, attemptedCarry);
  if (loop.last === undefined) for (const { needs } of [problem.controller, ...problem.regularizers]) requireProperty(record, needs);
  return record;
};

const stepOfSegment = <R extends Step>(loop: Loop<R>): R => {
  const { problem, t, attemptedEnd, y, attemptedCarry } = loop;
  const { solver, term } = problem;
  const segment = segmentAt(loop);
  const [from, to] = [timeInSegment(t, segment), timeInSegment(attemptedEnd, segment)];
  loop.ends = { from, to, segment };
  return solver.step(term, from, to, y, attemptedCarry);
};

/**
 * Attempts a step to a time.
 *
 * @param make - makes it. Made once: small systems would feel a function for each step.
 */
export const attempt = <R extends Step>(loop: Loop<R>, make: () => R, which: Place, to: number): R => {
  const { problem, limit, workshop, last, t } = loop;
  const { stats, maxSteps } = problem;
  loop.attemptedEnd = to;
  loop.attemptedCarry = last === undefined ? loop.carry : last.carry;
  if (limit !== undefined) limit(() => circumstances(loop));
  if (stats.accepted + stats.rejected >= maxSteps) throw maxStepsReached(circumstances(loop));
  workshop.clear(which);
  const before = stats.evaluations;
  try {
    return workshop.inPlace(which, make);
  } catch (error) {
    throw located(error, `step ${stats.accepted + 1}`, stats.evaluations - before + 1, t, to);
  }
};

/** Takes an accepted step as the next one of the solve, and looks for events in it. */
export const accept = <R extends Step>(loop: Loop<R>, record: R, which: Place): R => {
  const { problem, search, workshop } = loop;
  problem.stats.accepted++;
  const step = search === undefined ? record : workshop.inPlace(which, () => search.look(record));
  loop.last = step;
  loop.t = step.t1;
  loop.y = step.y1;
  if (search === undefined) return step;
  const happened = eventful(step);
  if (happened?.end !== undefined) {
    const { end } = happened;
    loop.origin = typeof end === "number" ? end : allocatingIn(heap, () => copy(end));
    loop.moved ||= loop.moves(loop.origin);
    const stretch = search.stretch();
    if (stretch > 0) loop.rapid = stretch < 64 * Number.EPSILON * Math.abs(loop.t) ? loop.rapid + 1 : 0;
    if (loop.rapid >= 4) throw accumulating(circumstances(loop));
  }
  if (happened?.terminal === true) problem.ending.status = "terminated";
  return step;
};

/** Events that follow each other faster than time can tell. */
const accumulating = <R extends Step>(circumstances: Circumstances<R>): SolveError => {
  const { problem, t } = circumstances;
  return failure(
    StepTooSmallError,
    "stepTooSmall",
    circumstances,
    `events follow each other so fast at t = ${t} (${problem.stats.accepted} steps accepted) that time does not tell them apart: ` +
      `end the solve before, by an event with then: "terminate", or give the event a number of times`,
  );
};

export const isFinite = (y: Leaves): boolean => {
  for (let i = 0; i < y.length; i++) if (kernels.firstNonFinite(y[i]!) >= 0) return false;
  return true;
};

/** @throws IncompatibleError with the sentence of what needs the property. */
const requireProperty = (record: Step, needs: { readonly property: string; readonly otherwise: string } | undefined): void => {
  if (needs !== undefined && !(needs.property in record)) throw new IncompatibleError(needs.otherwise);
};
