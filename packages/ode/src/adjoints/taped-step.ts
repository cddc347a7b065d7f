/**
 * @file One step under a tape: the unit that a discrete adjoint reverses.
 *
 *   (y₁, saved states, costs) = step(y₀, captured tensors, times),  cotangents pulled back through all of it at once
 *
 * With the granularity "evaluation" the tape sees each evaluation of f as one operation, which is computed again when it is reversed: less memory, one
 * evaluation more a stage (H. Zhang, W. Zhao, PNODE, 2022: the high-level adjoint).
 */
import { checkpoint, tapeOver, type Cotangent } from "@dydt/autodiff";
import { allocatingIn, heap, identity, tensor, type Tensor } from "@dydt/tensor";
import { differentiableTimes, type OutputCotangents } from "../adjoint.js";
import type { Tolerances } from "../controller.js";
import { eventful, withEvents } from "../events.js";
import { savesInStep, type Collector, type Happenings } from "../outcome.js";
import type { Problem } from "../problem.js";
import type { DenseStep, Leaves, Step } from "../step.js";
import type { Ode } from "../term.js";
import { withKnownSlopes } from "./stages.js";
import { timeBetween, timeIfMoved, timeInSegment, timeValue, type Segment, type Time } from "../time.js";

/** Where the tape stops looking: a whole step, or one evaluation of f inside it. */
export type Granularity = "step" | "evaluation";

/** A grid that was found, with what belongs to each of its steps. */
export interface Replay<R extends Step> {
  readonly problem: Problem<R>;
  readonly times: readonly number[];
  readonly granularity: Granularity;
  readonly tolerances: Tolerances | undefined;
  /** For each regularizer that takes the largest cost, which step had it. */
  readonly largest: readonly number[];
  /** What happened in which step. */
  readonly happenings: ReadonlyMap<number, Happenings>;
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
export const replayOf = <R extends Step>(
  problem: Problem<R>,
  { times, largest, happenings }: Pick<Collector<R>, "times" | "largest" | "happenings">,
  granularity: Granularity,
  tolerances: Tolerances | undefined,
): Replay<R> => {
  const forward = timeValue(problem.t1) >= timeValue(problem.t0);
  // Stops that coincide have one anchor, the first of them; the states at the others follow from it along the slope.
  const values = [problem.t0, ...problem.stops].map(timeValue);
  const inside = problem.stops.filter((stop, i) => timeValue(stop) !== values[i] && timeValue(stop) !== timeValue(problem.t1));
  const anchors: readonly Time[] = [problem.t0, ...inside, problem.t1];
  const segments: Segment[] = [];
  // A save time at t0 that is a tensor belongs to the first step, which gives its derivative.
  const atStart = typeof problem.saves[0] === "object" && times.length > 1;
  const firstSave = [atStart ? 0 : savesInStep(problem, 0, times[0]!, forward)];
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
    firstSave.push(savesInStep(problem, firstSave[j]!, times[j + 1]!, forward));
    const happening = happenings.get(j);
    if (happening === undefined) continue;
    before.set(j, [...counts]);
    for (const { event } of happening.found) counts[event]!++;
    if (happening.changed) {
      const { end } = happening;
      origin = allocatingIn(heap, () => (end === undefined ? tensor(times[j + 1]!) : identity(end)));
    }
  }
  return { problem, times, granularity, tolerances, largest, happenings, before, origins, segments, firstSave };
};

/** The term whose evaluations are single operations for the tape. */
const byEvaluation = (term: Ode): Ode => ({
  ...term,
  slope: (t: Time, y: Leaves) =>
    typeof t === "number"
      ? checkpoint((state: Leaves) => term.slope(t, state))(y)
      : checkpoint((time: Tensor, state: Leaves) => term.slope(time, state))(t, y),
});

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

/** What a step was, and the cotangents before it. */
export interface Reversed {
  /** The state after the step, as it was computed again. */
  readonly y1: Leaves;
  readonly y: readonly Cotangent[];
  readonly carry: readonly Cotangent[];
  /** Of the event that the segment of the step begins with. */
  readonly origin: Cotangent;
  /** Of captured tensors and times, added to what was given. */
  readonly accumulated: readonly Cotangent[];
}

/**
 * Runs step j under a tape and pulls back.
 *
 * @param after - cotangents of the state after the step.
 * @param accumulated - cotangents of captured tensors and times from later steps.
 * @param slopes - of the step, where they are known: then nothing is evaluated to make its tape.
 */
export const reverseStep = <R extends Step>(
  replay: Replay<R>,
  j: number,
  { y, carry }: WorkingState,
  cotangents: OutputCotangents,
  captured: readonly Tensor[],
  after: { readonly y: readonly Cotangent[]; readonly carry: readonly Cotangent[]; readonly origin: Cotangent },
  accumulated: readonly Cotangent[],
  slopes: readonly Leaves[] = [],
): Reversed => {
  const { problem, times, granularity, segments, firstSave, happenings, origins } = replay;
  const { solver, saves, regularizers } = problem;
  const evaluated = granularity === "evaluation" ? byEvaluation(problem.term) : problem.term;
  const term = slopes.length === 0 ? evaluated : withKnownSlopes(problem.term, evaluated, slopes, captured);
  const stateCarry = solver.carries === "state" ? (carry ?? []) : [];
  const origin = origins[j] === undefined ? [] : [origins[j]];
  const happening = happenings.get(j);
  const saved: number[] = [];
  for (let i = firstSave[j]!; i < firstSave[j + 1]!; i++) saved.push(i);
  let sizes: readonly number[] = [];

  const { outputs, reverse } = tapeOver(() => {
    const t0 = timeInSegment(times[j]!, segments[j]!);
    const t1 = timeInSegment(happening?.to ?? times[j + 1]!, segments[j]!);
    const made = solver.step(term, t0, t1, y, carry ?? solver.start(term, t0, y));
    const step = happening === undefined ? made : withEvents({ ...problem, term }, made, happening.found);
    const parts: readonly (readonly Tensor[])[] = [
      step.y1,
      solver.carries === "state" ? step.carry : [],
      ...saved.map((i) => savedState(step, saves[i]!, term, t0, t1, segments[j]!)),
      regularizers.map((regularizer) => regularizer.cost(made, replay.tolerances)),
      eventParts(step),
    ];
    sizes = parts.map((part) => part.length);
    return parts.flat();
  }, [...y, ...stateCarry, ...origin, ...captured, ...differentiableTimes(problem)]);

  const rows = saved.flatMap((i) => cotangents.ys.map((all) => all?.at(i)));
  const given = [
    ...after.y,
    ...stateCarry.map((_, i) => after.carry[i]),
    ...rows,
    ...regularizers.map((_, i) => penaltyCotangent(replay, i, j, cotangents.penalties[i])),
    ...eventCotangents(replay, j, cotangents, after.origin),
  ];
  const start = y.length + stateCarry.length;
  const ofOrigin = happening?.changed === true ? undefined : after.origin;
  const before: readonly Cotangent[] = [...new Array<Cotangent>(start).fill(undefined), ...origin.map(() => ofOrigin), ...accumulated];
  const pulled = reverse(given, before);
  return {
    y1: outputs.slice(0, sizes[0]),
    y: pulled.slice(0, y.length),
    carry: pulled.slice(y.length, start),
    origin: origin.length > 0 ? pulled[start] : ofOrigin,
    accumulated: pulled.slice(start + origin.length),
  };
};

/** What events give besides: the end of the step, where it is one, and for each the time and the state. */
const eventParts = (step: Step): readonly Tensor[] => {
  const happening = eventful(step);
  if (happening === undefined) return [];
  const asTensor = (t: Time): Tensor => (typeof t === "number" ? tensor(t) : t);
  const { end, occurrences } = happening;
  return [...(end === undefined ? [] : [asTensor(end)]), ...occurrences.flatMap(({ t, y }) => [asTensor(t), ...y])];
};

/** Their cotangents. */
const eventCotangents = <R extends Step>(
  { happenings, before, problem }: Replay<R>,
  j: number,
  { events }: OutputCotangents,
  ofEnd: Cotangent,
): readonly Cotangent[] => {
  const happening = happenings.get(j);
  if (happening === undefined) return [];
  const counts = [...before.get(j)!];
  const occurrences = happening.found.flatMap(({ event }) => {
    const nth = counts[event]!++;
    return [events[event]?.times?.at(nth), ...problem.y0.map((_, i) => events[event]?.states[i]?.at(nth))];
  });
  return [...(happening.changed ? [ofEnd] : []), ...occurrences];
};

/**
 * The state at a save time, with derivatives with respect to that time where it is a tensor: by dense output, or along the slope where the step ends. A step end
 * that moves with t0 or t1 leaves a save time behind that is a number; the number that is the end itself moves with it.
 */
const savedState = (step: Step, t: Time, term: Ode, t0: Time, t1: Time, { end }: Segment): Leaves => {
  if (typeof t === "number" ? t !== step.t1 : "at" in step) return (step as DenseStep).at(t);
  if (t === end || typeof t1 === "number" || (typeof t === "number" && t === timeValue(end))) return step.y1;
  const [from, y] = timeValue(t) === step.t0 ? [t0, step.y0] : [t1, step.y1];
  return term.combine(y, [1], [term.slope(from, y)], timeBetween(from, t));
};

/** What one step gets of the cotangent of a penalty. */
const penaltyCotangent = <R extends Step>({ problem, times, largest }: Replay<R>, i: number, j: number, cotangent: Cotangent): Cotangent => {
  const { reduce } = problem.regularizers[i]!;
  if (reduce === "max") return largest[i] === j ? cotangent : undefined;
  return reduce === "mean" ? cotangent?.div(times.length - 1) : cotangent;
};
