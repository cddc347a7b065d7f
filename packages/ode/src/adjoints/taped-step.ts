/**
 * @file One step under a tape: the unit that a discrete adjoint reverses.
 *
 *   (y₁, saved states, costs) = step(y₀, captured tensors, times),  cotangents pulled back through all of it at once
 *
 * With the granularity "evaluation" the tape sees each evaluation of f as one operation, which is computed again when it is reversed: less memory, one
 * evaluation more a stage (H. Zhang, W. Zhao, PNODE, 2022: the high-level adjoint).
 */
import { checkpoint, tapeOver, type Cotangent } from "@dydt/autodiff";
import { tensor, type Tensor } from "@dydt/tensor";
import type { InputCotangents, OutputCotangents } from "../adjoint.js";
import { eventful, withEvents } from "../events.js";
import { reversedAt } from "../located.js";
import { savedState } from "../saved-state.js";
import type { Leaves, Step } from "../step.js";
import type { Ode } from "../term.js";
import { timeInSegment, type Time } from "../time.js";
import { bring, rowOf, withRows } from "./cotangents.js";
import type { Replay, WorkingState } from "./replay.js";
import { withKnownSlopes } from "./stages.js";

/** The term whose evaluations are single operations for the tape. */
const byEvaluation = (term: Ode): Ode => ({
  ...term,
  slope: (t: Time, y: Leaves) =>
    typeof t === "number"
      ? checkpoint((state: Leaves) => term.slope(t, state))(y)
      : checkpoint((time: Tensor, state: Leaves) => term.slope(time, state))(t, y),
});

/** Cotangents on their way back, between two steps. */
export interface Costate {
  readonly y: readonly Cotangent[];
  readonly carry: readonly Cotangent[];
  /** Of the event that the segment begins with. */
  readonly origin: Cotangent;
  /** Of captured tensors, then of times: from all later steps. */
  readonly accumulated: readonly Cotangent[];
}

/** The cotangents after the last step. */
export const costateAtEnd = <R extends Step>({ inputTimes }: Replay<R>, { y1 }: OutputCotangents, captured: readonly Tensor[]): Costate => ({
  y: y1,
  carry: [],
  origin: undefined,
  accumulated: [...captured, ...inputTimes].map(() => undefined),
});

/** Copies what lies in tape regions into the region that is open. */
export const bringCostate = ({ y, carry, origin, accumulated }: Costate): Costate => ({
  y: bring(y),
  carry: bring(carry),
  origin: bring([origin])[0],
  accumulated: bring(accumulated),
});

/** The cotangents of the inputs, from those before the first step; states saved at t0 itself, so many, are added. */
export const cotangentsAtStart = (
  { y, accumulated }: Costate,
  { ys }: OutputCotangents,
  saved: number,
  captured: readonly Tensor[],
): InputCotangents => ({
  y0: bring(withRows(y, ys, saved)),
  captured: bring(accumulated.slice(0, captured.length)),
  times: bring(accumulated.slice(captured.length)),
});

/** The start of a carry that is a part of the state, under a tape: what it was, and the cotangents before it. */
export const reverseStart = <R extends Step>(
  { problem: { solver, term, t0, y0 }, inputTimes }: Replay<R>,
  captured: readonly Tensor[],
  { y, carry, accumulated }: Costate,
): Costate & { readonly carry0: Leaves } => {
  const { outputs, reverse } = tapeOver(() => solver.start(term, t0, y0), [...y0, ...captured, ...inputTimes]);
  const pulled = reverse(carry, [...y, ...accumulated]);
  return { carry0: outputs, y: pulled.slice(0, y0.length), carry: [], origin: undefined, accumulated: pulled.slice(y0.length) };
};

/** What a step was, and the cotangents before it. */
export interface Reversed extends Costate {
  /** The state after the step, as it was computed again. */
  readonly y1: Leaves;
}

/**
 * Runs step j under a tape and pulls back.
 *
 * @param after - the cotangents after the step.
 * @param slopes - of the step, where they are known: then nothing is evaluated to make its tape.
 */
export const reverseStep = <R extends Step>(
  replay: Replay<R>,
  j: number,
  before: WorkingState,
  cotangents: OutputCotangents,
  captured: readonly Tensor[],
  after: Costate,
  slopes: readonly Leaves[] = [],
): Reversed =>
  reversedAt((watch) => reverseWatched(watch, replay, j, before, cotangents, captured, after, slopes), j + 1, replay.times[j]!, replay.times[j + 1]!);

const reverseWatched = <R extends Step>(
  watch: (term: Ode) => Ode,
  replay: Replay<R>,
  j: number,
  { y, carry }: WorkingState,
  cotangents: OutputCotangents,
  captured: readonly Tensor[],
  after: Costate,
  slopes: readonly Leaves[],
): Reversed => {
  const { problem, times, granularity, inputTimes, segments, firstSave, happenings, origins } = replay;
  const { solver, saves, regularizers } = problem;
  const evaluated = granularity === "evaluation" ? byEvaluation(problem.term) : problem.term;
  const term = watch(slopes.length === 0 ? evaluated : withKnownSlopes(problem.term, evaluated, slopes, captured));
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
      ...saved.map((i) => savedState(step, saves[i]!, { ...problem, term }, { from: t0, to: t1, segment: segments[j]! })),
      regularizers.map((regularizer) => regularizer.cost(made, replay.tolerances)),
      eventParts(step),
    ];
    sizes = parts.map((part) => part.length);
    return parts.flat();
  }, [...y, ...stateCarry, ...origin, ...captured, ...inputTimes]);

  const given = [
    ...after.y,
    ...stateCarry.map((_, i) => after.carry[i]),
    ...saved.flatMap((i) => rowOf(cotangents.ys, i)),
    ...regularizers.map((_, i) => penaltyCotangent(replay, i, j, cotangents.penalties[i])),
    ...eventCotangents(replay, j, cotangents, after.origin),
  ];
  const start = y.length + stateCarry.length;
  const ofOrigin = happening?.changed === true ? undefined : after.origin;
  const before: readonly Cotangent[] = [...new Array<Cotangent>(start).fill(undefined), ...origin.map(() => ofOrigin), ...after.accumulated];
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

/** What one step gets of the cotangent of a penalty. */
const penaltyCotangent = <R extends Step>({ problem, times, largest }: Replay<R>, i: number, j: number, cotangent: Cotangent): Cotangent => {
  const { reduce } = problem.regularizers[i]!;
  if (reduce === "max") return largest[i] === j ? cotangent : undefined;
  return reduce === "mean" ? cotangent?.div(times.length - 1) : cotangent;
};
