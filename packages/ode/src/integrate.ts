/**
 * @file The loop: attempts steps, and yields those that are accepted. It knows nothing of adjoints.
 *
 * Solving is draining it. The solver's own loop keeps two regions and uses them in turn, so that a record may be read until the next but one is made; `integrate`
 * for users makes records on the heap, which own their memory.
 */
import { heap, sameShape, unrecorded, type Region } from "@dydt/tensor";
import { noAttempts, noteAttempt } from "./attempts.js";
import type { Control } from "./controller.js";
import { searchEvents } from "./event-search.js";
import { eventful } from "./events.js";
import { nonFinite, stepTooSmall } from "./failure.js";
import { accept, attempt, circumstances, isFinite, makeStep, type Loop } from "./loop.js";
import type { Problem } from "./problem.js";
import { heapCopies, type Leaves, type Step } from "./step.js";
import { limitsOf, type Ending, type Resumption } from "./supervision.js";
import { isFollowed, isMoved, timeValue, type MovingEnds, type Time } from "./time.js";
import { inOneRegion, twoRegions, type Place } from "./workshop.js";

/** A solve that has begun. */
export interface Run<R extends Step> {
  readonly control: Control<R>;
  /** Every step end where it is known beforehand, unless the solve ends before. */
  readonly times: readonly number[] | undefined;
  /** What the solver carries into the first step. */
  readonly carry: Leaves;
  /** The accepted steps. With "regions" each is valid until the next but one is asked for, and the last two until `close`. */
  readonly steps: Generator<R, void>;
  /** Whether derivatives of a time are followed, and the ends of the step that was yielded last where those of its ends are. */
  readonly moves: (t: Time) => boolean;
  readonly ends: () => MovingEnds | undefined;
  /** Where the solve stands, after the step that was yielded last. */
  readonly stand: () => Resumption;
  /** Gives the regions back; called in any case. */
  readonly close: () => void;
}

/** Merges forced times into step ends, in the direction of the solve. */
const merge = (times: readonly number[], stops: readonly number[], direction: number): readonly number[] =>
  stops.length === 0 ? times : [...new Set([...times, ...stops])].sort((a, b) => (a - b) * direction);

type AdaptiveControl<R extends Step> = Extract<Control<R>, { readonly kind: "adaptive" }>;

/**
 * Begins a solve.
 *
 * @param place - where records live: two regions of its own, the heap, or a region of the caller's, where nothing is forgotten. "open": two regions, in a
 * solve that whoever watches records operation by operation.
 * @param partial - gives what was reached, for errors.
 */
export const begin = <R extends Step>(
  problem: Problem<R>,
  place: "regions" | "open" | "heap" | Region,
  partial: () => unknown = () => undefined,
): Run<R> => {
  const { term, solver, controller, supervision, ending } = problem;
  const { resume, throws } = supervision;
  const [t0, t1] = [timeValue(problem.t0), timeValue(problem.t1)];
  const direction = t1 < t0 ? -1 : 1;
  const stops = problem.stops.map(timeValue);
  const workshop = place === "regions" || place === "open" ? twoRegions() : inOneRegion(place === "heap" ? heap : place);
  const moves = place === "regions" ? isMoved : isFollowed;
  const limit = limitsOf(supervision);
  const t = resume?.t ?? t0;
  const y = resume?.y ?? problem.y0;
  try {
    const first = resume === undefined ? problem.t0 : t;
    const search = searchEvents<R>(problem, t, y, resume?.events);
    const isOver = t === t1 && search?.isPending() !== true;
    const carry = workshop.inPlace(1, () => resume?.carry ?? (isOver ? [] : solver.start(term, first, y)));
    const setup = {
      t0,
      t1,
      y0: problem.y0,
      form: problem.form,
      dtype: problem.y0[0]?.dtype ?? "float64",
      errorPower: (solver.errorOrder ?? solver.order) + 1,
      slope: (t: number, y: Leaves) => term.slope(t, y),
      firstSlope: solver.carries === "recoverable" && isLike(carry, problem.y0) ? carry : undefined,
      memory: resume?.memory,
      reach: { from: t, steps: problem.maxSteps },
    } as const;
    const control = workshop.inPlace(1, () => controller.begin(setup));
    const loop: Loop<R> = {
      problem,
      control,
      workshop,
      moves,
      t1,
      direction,
      stops,
      limit,
      search,
      recent: noAttempts(),
      stand: () => standOf(loop),
      partial,
      t,
      y,
      h: control.kind === "adaptive" ? (resume?.h ?? control.first) : 0,
      carry,
      origin: problem.t0,
      last: undefined,
      attemptedEnd: t,
      attemptedCarry: carry,
      verdict: undefined,
      // Between the steps on the heap somebody may begin to record.
      moved: place === "heap" || [problem.t0, problem.t1, ...problem.stops].some(moves),
      ends: undefined,
      resolved: t,
      longest: 0,
      rapid: 0,
    };
    const times = control.kind === "grid" ? merge(control.times, stops, direction) : undefined;
    const made = control.kind === "adaptive" ? adaptively(loop, control) : along(loop, times!);
    const steps = throws ? made : quietly(made, ending);
    const changes = problem.events.some(({ then }) => typeof then === "function");
    return { control, times: changes ? undefined : times, carry, steps, moves, ends: () => loop.ends, stand: loop.stand, close: workshop.close };
  } catch (error) {
    workshop.close();
    throw error;
  }
};

const standOf = <R extends Step>({ problem, control, search, last, carry, t, y, h }: Loop<R>): Resumption => ({
  t,
  y: keep(y),
  h,
  carry: problem.solver.carries === "state" ? keep(last?.carry ?? carry) : undefined,
  memory: control.kind === "adaptive" ? (control.memory?.() ?? []) : [],
  events: search?.memory(),
});

/** Whether there is another step: where time is up, for events that are to happen at once. */
const goesOn = <R extends Step>({ problem, search }: Loop<R>, hasTime: boolean): boolean =>
  problem.ending.status === "success" && (hasTime || search?.isPending() === true);

/** Steps whose ends are known. */
function* along<R extends Step>(loop: Loop<R>, times: readonly number[]): Generator<R, void> {
  const { direction } = loop;
  const make = (): R => makeStep(loop);
  let which: Place = 0;
  const first = times.findIndex((time) => (time - loop.t) * direction > 0);
  let n = first < 0 ? times.length : first;
  while (goesOn(loop, n < times.length)) {
    const { t } = loop;
    const to = times[n] ?? t;
    const record = attempt(loop, make, which, to);
    const finite = isFinite(record.y1);
    noteAttempt(loop.recent, t, to - t, undefined, finite, undefined, false);
    if (!finite) throw nonFinite(circumstances(loop), to, loop.y);
    const step = accept(loop, record, which);
    if (loop.t === to) n++;
    which = which === 0 ? 1 : 0;
    yield show(loop, step);
  }
}

/** Steps as long as the controller says, ending at forced times. */
function* adaptively<R extends Step>(loop: Loop<R>, control: AdaptiveControl<R>): Generator<R, void> {
  const { t1, direction } = loop;
  const ends = [...new Set(loop.stops.filter((stop) => (stop - loop.t) * direction > 0 && stop !== t1)), t1];
  const makeAndJudge = (): R => {
    const record = makeStep(loop);
    loop.verdict = control.judge(record);
    return record;
  };
  let which: Place = 0;
  while (goesOn(loop, loop.t !== t1)) {
    const step = attemptAdaptively(loop, control, makeAndJudge, which, ends[0] ?? t1);
    if (step === undefined) continue;
    which = which === 0 ? 1 : 0;
    if (loop.t === ends[0]) ends.shift();
    yield show(loop, step);
  }
}

/** One attempt at a step of length h, or to the next forced time; the step, where it was accepted. */
const attemptAdaptively = <R extends Step>(
  loop: Loop<R>,
  control: AdaptiveControl<R>,
  makeAndJudge: () => R,
  which: Place,
  end: number,
): R | undefined => {
  const { t, h, t1, direction, search } = loop;
  const cut = (end - t) * direction <= h * (1 + 1e-9); // no sliver of a step is left over
  const to = cut ? end : t + direction * h;
  const record = attempt(loop, makeAndJudge, which, to);
  const { accept: accepted, h: proposed, error, anew = false, component, outside = false } = loop.verdict!;
  // A step may not lead to where the next one cannot begin.
  const finite = Number.isFinite(error) && isFinite(record.y1) && (!accepted || to === t1 || isFinite(record.carry));
  noteAttempt(loop.recent, t, to - t, error, accepted && finite, component, outside);
  if (!(accepted && finite)) {
    loop.problem.stats.rejected++;
    loop.h = finite ? proposed : Math.min(proposed, 0.2 * Math.abs(to - t));
    if (loop.h < control.smallest(t) || t + direction * loop.h === t)
      throw finite ? stepTooSmall(circumstances(loop), loop.h) : nonFinite(circumstances(loop), to, loop.y);
    return undefined;
  }
  const length = Math.abs(to - t);
  loop.longest = Math.max(loop.longest, length);
  if (length > 1e-5 * loop.longest) loop.resolved = to;
  const step = accept(loop, record, which);
  loop.h = cut && !anew ? Math.max(proposed, h) : proposed;
  // The stretch after an event may be as short as the one before it: events that come faster and faster are followed.
  if (search !== undefined && search.stretch() > 0 && eventful(step)?.end !== undefined) loop.h = Math.min(loop.h, search.stretch());
  return step;
};

/** Shows an accepted step to who wants to see. */
const show = <R extends Step>({ problem: { supervision, ending }, stand }: Loop<R>, step: R): R => {
  const { onStep } = supervision;
  if (onStep !== undefined && unrecorded(() => onStep(step, stand))) ending.status = "terminated";
  return step;
};

/** Steps whose failure is a status. */
function* quietly<R>(steps: Generator<R, void>, ending: Ending): Generator<R, void> {
  try {
    yield* steps;
  } catch (error) {
    if (error !== ending.error) throw error;
  }
}

/** Whether what is carried may be the slope: of the state's form. */
const isLike = (carry: Leaves, y0: Leaves): boolean => carry.length === y0.length && carry.every(({ shape }, i) => sameShape(shape, y0[i]!.shape));

/** Copies that belong to nobody else. */
const keep = (leaves: Leaves): Leaves => unrecorded(() => heapCopies(leaves));
