/**
 * @file The loop: attempts steps, and yields those that are accepted. It knows nothing of adjoints.
 *
 * Solving is draining it. The solver's own loop keeps two regions and uses them in turn, so that a record may be read until the next but one is made; `integrate`
 * for users makes records on the heap, which own their memory.
 */
import { NonFiniteOperationError } from "@dydt/autodiff";
import { allocatingIn, copy, heap, kernels, unrecorded, type Region } from "@dydt/tensor";
import type { Control, Tolerances } from "./controller.js";
import { IncompatibleError, SolveError, StepTooSmallError, type Attempt } from "./errors.js";
import { searchEvents } from "./event-search.js";
import { eventful } from "./events.js";
import { maxStepsReached, nonFinite, stepTooSmall, type Circumstances } from "./failure.js";
import type { Problem } from "./problem.js";
import type { Leaves, Step } from "./step.js";
import { limitsOf, type Ending, type Resumption } from "./supervision.js";
import { isMoved, timeInSegment, timeValue, type Segment, type Time } from "./time.js";
import { inOneRegion, twoRegions, type Place } from "./workshop.js";

/** How many attempts a report shows. */
const remembered = 16;

/** A solve under way. */
export interface Run<R extends Step> {
  readonly control: Control<R>;
  /** Every step end where it is known beforehand, unless the solve ends before. */
  readonly times: readonly number[] | undefined;
  /** What the solver carries into the first step. */
  readonly carry: Leaves;
  /** The accepted steps. With "regions" each is valid until the next but one is asked for, and the last two until `close`. */
  readonly steps: Generator<R, void>;
  /** Where the solve stands, after the step that was yielded last. */
  readonly stand: () => Resumption;
  /** Gives the regions back; called in any case. */
  readonly close: () => void;
}

/** Merges forced times into step ends, in the direction of the solve. */
const merge = (times: readonly number[], stops: readonly number[], direction: number): readonly number[] =>
  stops.length === 0 ? times : [...new Set([...times, ...stops])].sort((a, b) => (a - b) * direction);

/**
 * Begins a solve.
 *
 * @param place - where records live: two regions of its own, the heap, or a region of the caller's, where nothing is forgotten.
 * @param partial - gives what was reached, for errors.
 */
export const begin = <R extends Step>(problem: Problem<R>, place: "regions" | "heap" | Region, partial: () => unknown = () => undefined): Run<R> => {
  const { term, solver, controller, stats, maxSteps, supervision, ending } = problem;
  const { onStep, resume, throws } = supervision;
  const [t0, t1] = [timeValue(problem.t0), timeValue(problem.t1)];
  const direction = t1 < t0 ? -1 : 1;
  const stops = problem.stops.map(timeValue);
  const workshop = place === "regions" ? twoRegions() : inOneRegion(place === "heap" ? heap : place);
  const limit = limitsOf(supervision);
  const recent: Attempt[] = [];
  let t = resume?.t ?? t0;
  let y: Leaves = resume?.y ?? problem.y0;
  let h = 0;
  /** Where the stretch begins of whose rest steps are constant fractions: t0, or the last event. */
  let origin: Time = problem.t0;
  let last: R | undefined;
  /** What the step that is being made ends at and begins with. */
  let attemptedEnd = t;
  let attemptedCarry: Leaves = [];
  /** Whether a forward mode carries derivatives of the times along. */
  let moved = [problem.t0, problem.t1, ...problem.stops].some(isMoved);
  let resolved = t;
  let longest = 0;
  /** How many events in a row came in stretches that are hardly longer than rounding. */
  let rapid = 0;
  let tolerances: Tolerances | undefined;
  try {
    const first = resume === undefined ? problem.t0 : t;
    const carry = workshop.inPlace(1, () => resume?.carry ?? (t === t1 ? [] : solver.start(term, first, y)));
    const setup = {
      t0,
      t1,
      y0: problem.y0,
      form: problem.form,
      dtype: problem.y0[0]?.dtype ?? "float64",
      errorPower: (solver.errorOrder ?? solver.order) + 1,
      slope: (t: number, y: Leaves) => term.slope(t, y),
      firstSlope: solver.carries === "recoverable" && carry.length === problem.y0.length ? carry : undefined,
      memory: resume?.memory,
    } as const;
    const control = workshop.inPlace(1, () => controller.begin(setup));
    tolerances = control.tolerances;
    const search = searchEvents<R>(problem, t, y, resume?.events);
    if (control.kind === "adaptive") h = resume?.h ?? control.first;
    const times = control.kind === "grid" ? merge(control.times, stops, direction) : undefined;

    const stand = (): Resumption => ({
      t,
      y: keep(y),
      h,
      carry: solver.carries === "state" ? keep(last?.carry ?? carry) : undefined,
      memory: control.kind === "adaptive" ? (control.memory?.() ?? []) : [],
      events: search?.memory(),
    });

    /** Takes an accepted step as the next one of the solve, and looks for events in it. */
    const accept = (record: R, which: Place): R => {
      stats.accepted++;
      const step = search === undefined ? record : workshop.inPlace(which, () => search.look(record));
      last = step;
      t = step.t1;
      y = step.y1;
      if (search === undefined) return step;
      const happened = eventful(step);
      if (happened?.end !== undefined) {
        const { end } = happened;
        origin = typeof end === "number" ? end : allocatingIn(heap, () => copy(end));
        moved ||= isMoved(origin);
        const stretch = search.stretch();
        if (stretch > 0) rapid = stretch < 64 * Number.EPSILON * Math.abs(t) ? rapid + 1 : 0;
        if (rapid >= 4) throw accumulating(at(t));
      }
      if (happened?.terminal === true) ending.status = "terminated";
      return step;
    };

    /** Shows an accepted step to who wants to see. */
    const show = (step: R): R => {
      if (onStep !== undefined && unrecorded(() => onStep(step, stand))) ending.status = "terminated";
      return step;
    };

    /** Steps whose ends are known. */
    const along = function* (times: readonly number[]): Generator<R, void> {
      let which: Place = 0;
      let n = times.findIndex((time) => (time - t) * direction > 0);
      while (n >= 0 && n < times.length && ending.status === "success") {
        const to = times[n]!;
        const record = attempt(which, to, last?.carry ?? carry);
        const finite = isFinite(record.y1);
        remember({ t, h: to - t, error: undefined, accepted: finite, component: undefined, outside: false });
        if (!finite) throw nonFinite(at(t), to, y);
        const step = accept(record, which);
        if (t === to) n++;
        which = which === 0 ? 1 : 0;
        yield show(step);
      }
    };

    /** Steps as long as the controller says, ending at forced times. */
    const adaptively = function* (control: Control<R>): Generator<R, void> {
      if (control.kind !== "adaptive") return;
      let record: R;
      const judge = () => control.judge(record);
      const ends = [...new Set(stops.filter((stop) => (stop - t) * direction > 0 && stop !== t1)), t1];
      let which: Place = 0;
      while (t !== t1 && ending.status === "success") {
        const end = ends[0]!;
        const cut = (end - t) * direction <= h * (1 + 1e-9); // no sliver of a step is left over
        const to = cut ? end : t + direction * h;
        record = attempt(which, to, last?.carry ?? carry);
        const { accept: accepted, h: proposed, error, anew = false, component, outside = false } = workshop.inPlace(which, judge);
        // A step may not lead to where the next one cannot begin.
        const finite = Number.isFinite(error) && isFinite(record.y1) && (!accepted || to === t1 || isFinite(record.carry));
        remember({ t, h: to - t, error, accepted: accepted && finite, component, outside });
        if (!(accepted && finite)) {
          stats.rejected++;
          h = finite ? proposed : Math.min(proposed, 0.2 * Math.abs(to - t));
          if (h < control.smallest(t) || t + direction * h === t) throw finite ? stepTooSmall(at(t), h) : nonFinite(at(t), to, y);
          continue;
        }
        longest = Math.max(longest, Math.abs(to - t));
        if (Math.abs(to - t) > 1e-5 * longest) resolved = to;
        const step = accept(record, which);
        h = cut && !anew ? Math.max(proposed, h) : proposed;
        // The stretch after an event may be as short as the one before it: events that come faster and faster are followed.
        if (search !== undefined && search.stretch() > 0 && eventful(step)?.end !== undefined) h = Math.min(h, search.stretch());
        which = which === 0 ? 1 : 0;
        if (t === end) ends.shift();
        yield show(step);
      }
    };

    const made = times === undefined ? adaptively(control) : along(times);
    const steps = throws ? made : quietly(made, ending);
    const changes = problem.events.some(({ then }) => typeof then === "function");
    return { control, times: changes ? undefined : times, carry, steps, stand, close: workshop.close };
  } catch (error) {
    workshop.close();
    throw error;
  }

  function remember(attempted: Attempt): void {
    recent.push(attempted);
    if (recent.length > remembered) recent.shift();
  }

  /** What is known when the solve fails at t. */
  function at(t: number): Circumstances<R> {
    return { problem, t, y, recent: [...recent], last, resolved, longest, tolerances, solution: partial() };
  }

  /** The times next to t of which steps are constant fractions. */
  function segmentAt(t: number): Segment {
    const reached = (time: Time): boolean => (timeValue(time) - t) * direction <= 0;
    const inside = problem.stops.filter((stop) => (timeValue(stop) - timeValue(origin)) * direction > 0 && timeValue(stop) !== t1);
    return { start: inside.filter(reached).at(-1) ?? origin, end: inside.find((stop) => !reached(stop)) ?? problem.t1 };
  }

  // No closures are made in the loop: small systems would feel them.
  function makeStep(): R {
    if (place !== "heap" && !moved && !isMoved(origin)) return solver.step(term, t, attemptedEnd, y, attemptedCarry);
    const segment = segmentAt(t);
    return solver.step(term, timeInSegment(t, segment), timeInSegment(attemptedEnd, segment), y, attemptedCarry);
  }

  /** A step between numbers; on the heap, where somebody may be recording this loop, with the derivatives of its times. */
  function attempt(which: Place, to: number, carry: Leaves): R {
    if (limit !== undefined) limit(() => at(t));
    if (stats.accepted + stats.rejected >= maxSteps) throw maxStepsReached(at(t));
    workshop.clear(which);
    [attemptedEnd, attemptedCarry] = [to, carry];
    const before = stats.evaluations;
    let record: R;
    try {
      record = workshop.inPlace(which, makeStep);
    } catch (error) {
      throw located(error, stats.accepted + 1, stats.evaluations - before + 1, t, attemptedEnd);
    }
    if (last === undefined) for (const { needs } of [controller, ...problem.regularizers]) requireProperty(record, needs);
    return record;
  }
};

/** With the checks of autodiff on: an operation that made the first number that is not finite, with the step and the stage in which it did. */
const located = (error: unknown, step: number, stage: number, t: number, to: number): unknown =>
  error instanceof NonFiniteOperationError
    ? new NonFiniteOperationError(`${error.message}, in step ${step} of a solve, from t = ${t} to ${to}, stage ${stage}`, error.op, error.where)
    : error;

/** Steps whose failure is a status. */
function* quietly<R>(steps: Generator<R, void>, ending: Ending): Generator<R, void> {
  try {
    yield* steps;
  } catch (error) {
    if (!(error instanceof SolveError)) throw error;
    ending.status = error.status;
    ending.error = error;
  }
}

/** Events that follow each other faster than time can tell. */
const accumulating = <R extends Step>({ problem, t, recent, solution }: Circumstances<R>): SolveError =>
  new StepTooSmallError(
    `events follow each other so fast at t = ${t} (${problem.stats.accepted} steps accepted) that time does not tell them apart: ` +
      `end the solve before, by an event with then: "terminate", or give the event a number of times`,
    { status: "stepTooSmall", t, recent, solution },
  );

/** Copies that belong to nobody else. */
const keep = (leaves: Leaves): Leaves => unrecorded(() => allocatingIn(heap, () => leaves.map((leaf) => copy(leaf))));

const isFinite = (y: Leaves): boolean => y.every((leaf) => kernels.firstNonFinite(leaf) < 0);

/** @throws IncompatibleError with the sentence of what needs the property. */
const requireProperty = (record: Step, needs: { readonly property: string; readonly otherwise: string } | undefined): void => {
  if (needs !== undefined && !(needs.property in record)) throw new IncompatibleError(needs.otherwise);
};
