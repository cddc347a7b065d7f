/**
 * @file The way back through what a solve gave: from output to output, between which the adjoint equation is solved.
 *
 *   λ(t₁) = ȳ₁,  λ(tᵢ⁻) = λ(tᵢ⁺) + ȳᵢ at each save time, and a jump at each event
 *   t̄₁ = ȳ₁ᵀ f(t₁, y₁),  t̄ᵢ = ȳᵢᵀ f(tᵢ, yᵢ),  t̄₀ = −λ(t₀⁺)ᵀ f(t₀, y₀)
 *
 * Where a solve ended before t₁, its end is a constant fraction of what its last step lies between, as in a discrete adjoint, and moves with both.
 */
import type { Cotangent } from "@dydt/autodiff";
import { scope, type Tensor } from "@dydt/tensor";
import type { OutputCotangents } from "../adjoint.js";
import type { Problem } from "../problem.js";
import type { Leaves, Step } from "../step.js";
import { timeValue, type Time } from "../time.js";
import { solveBack, type AdjointEquation, type Point } from "./adjoint-equation.js";
import { added, plus, rowOf, withRows } from "./cotangents.js";
import { jumpBack } from "./event-jump.js";
import { marksOf, type Forward, type Mark } from "./forward-run.js";
import { replayOf, type Replay } from "./replay.js";

/** Where the way back ends. */
export interface Arrival extends Pick<Point, "costate" | "integral"> {
  /** Of the times that are tensors, as times of outputs. */
  readonly ofTime: ReadonlyMap<Tensor, Cotangent>;
}

/** The places of saved states, and events, from the last to the first; an event comes before what was saved at its time. */
const stationsOf = <R extends Step>({ problem, outputs }: Forward<R>, marks: readonly Mark[], first: number): readonly (number | Mark)[] => {
  const { t0, t1, saves } = problem;
  const forwards = timeValue(t1) >= timeValue(t0);
  const stations: (number | Mark)[] = [];
  let mark = marks.length - 1;
  const eventsAfter = (limit: number): void => {
    while (mark >= 0 && (forwards ? marks[mark]!.t > limit : marks[mark]!.t < limit)) stations.push(marks[mark--]!);
  };
  for (let i = (outputs.ys[0]?.shape[0] ?? saves.length) - 1; i >= first; i--) {
    eventsAfter(timeValue(saves[i]!));
    stations.push(i);
  }
  eventsAfter(forwards ? -Infinity : Infinity);
  return stations;
};

/** ⟨λ, f(t, y)⟩ as a scalar in the type of times. */
const rateOf = <R extends Step>({ term }: Problem<R>, t: Time, y: Leaves, costate: readonly Cotangent[]): Cotangent => {
  if (costate.every((part) => part === undefined)) return undefined;
  const slope = term.slope(timeValue(t), y);
  const parts = costate.flatMap((part, i) => (part === undefined ? [] : [part.mul(slope[i]!).sum().cast("float64")]));
  return parts.reduce((a, b) => a.add(b));
};

/** Times, or events, that the end of the solve, or of so many steps, moves with, and how much. */
const leadersOf = <R extends Step>(
  { problem, times, happenings, segments, origins }: Replay<R>,
  marks: readonly Mark[],
  steps: number,
): readonly (readonly [Time | Mark, number])[] => {
  const end = times[steps]!;
  if (end === timeValue(problem.t1)) return [[problem.t1, 1]];
  if (steps === 0) return [[problem.t0, 1]];
  const forwards = end >= timeValue(problem.t0);
  const changing = marks.filter(({ changes, t }) => changes && (forwards ? t <= end : t >= end)).at(-1)!;
  if (happenings.get(steps - 1)?.changed === true) return [[changing, 1]];
  const segment = segments[steps - 1]!;
  const [from, to] = [timeValue(segment.start), timeValue(segment.end)];
  const part = (end - from) / (to - from);
  return [[origins[steps - 1] === undefined ? segment.start : changing, 1 - part], [segment.end, part]]; // prettier-ignore
};

/**
 * Goes back to a time.
 *
 * @param known - the state there, where it is known.
 * @param anew - whether a state that is solved for again goes on from the known one.
 */
const meet = <R extends Step>(equation: AdjointEquation<R>, from: Point, t: number, known?: () => Leaves, anew = false): Point => {
  const moves = from.t !== t && from.costate.some((part) => part !== undefined);
  const there = moves ? solveBack(equation, from, t) : { ...from, t };
  if (known === undefined || !equation.solvesAgain) return there;
  const y = known();
  if (moves) equation.states.compare?.(y, there.y);
  return anew || !moves ? { ...there, y } : there;
};

/** Walks back from the end to t0. */
export const walkBack = <R extends Step>(equation: AdjointEquation<R>, cotangents: OutputCotangents): Arrival => {
  const { forward, states, params } = equation;
  const { problem, outputs, times } = forward;
  const { t0, t1, y0, saves } = problem;
  const [start, end, finish] = [timeValue(t0), times[times.length - 1]!, timeValue(t1)];
  const anew = states.restart === true;
  const marks = marksOf(forward);
  const terminated = marks[marks.length - 1]?.terminal === true;
  const ofTime = new Map<Tensor, Cotangent>();
  const ofMarks = new Map<Mark, Cotangent>();
  const replay = replayOf(forward, "step");
  /** What follows from a state at the end of a step for the times and events that it moves with. */
  const tellEnd = (steps: number, y: Leaves, costate: readonly Cotangent[]): void => {
    for (const [leader, part] of leadersOf(replay, marks, steps)) {
      if (typeof leader === "number") continue;
      const share = scope(() => rateOf(problem, times[steps]!, y, costate)?.mul(part));
      if ("event" in leader)
        ofMarks.set(leader, scope(() => plus(ofMarks.get(leader), share))); // prettier-ignore
      else
        ofTime.set(
          leader,
          scope(() => plus(ofTime.get(leader), share)),
        );
    }
  };
  const tell = (t: Time, y: () => Leaves, costate: () => readonly Cotangent[]): void => {
    if (typeof t === "number") return;
    const total = scope(() => plus(ofTime.get(t), rateOf(problem, t, y(), costate())));
    ofTime.set(t, total);
  };

  const passSave = (from: Point, i: number): Point => {
    const save = saves[i]!;
    const t = timeValue(save);
    const row = (): readonly Cotangent[] => rowOf(cotangents.ys, i);
    const withRow = (point: Point): Point => ({ ...point, costate: scope(() => added(point.costate, row())) });
    // A state saved at the end of the solve, where an event ended it, is the end state.
    if (terminated && t === end) return withRow(from);
    const known = (): Leaves => outputs.ys.map((all) => all.at(i));
    const point = meet(equation, from, t, known, anew);
    if (problem.stepSaves?.ends.has(t) === true) tellEnd(times.lastIndexOf(t), known(), row());
    else tell(typeof save === "number" && t === finish ? t1 : save, known, row);
    return withRow(point);
  };

  const passEvent = (from: Point, mark: Mark): Point => {
    const { event, row, t, changes, terminal } = mark;
    const y = outputs.events[event]!.states.map((all) => all.at(row));
    const point = changes ? { ...meet(equation, from, t), y } : meet(equation, from, t, () => y, terminal || anew);
    const { times: time, states: state } = cotangents.events[event]!;
    const ofEvent = plus(time?.at(row), ofMarks.get(mark));
    const jumped = jumpBack(problem, mark, y, params, point.costate, ofEvent, rowOf(state, row));
    return { ...point, costate: jumped.costate, integral: added(point.integral, jumped.params) };
  };

  let first = 0; // saves at t0 that are numbers: y0 itself, whatever t0 is
  if (start !== end) while (saves[first] === start) first++;
  let point: Point = { t: end, costate: cotangents.y1, y: outputs.y1, integral: params.map(() => undefined) };
  if (!terminated) tellEnd(times.length - 1, outputs.y1, cotangents.y1);
  for (const station of stationsOf(forward, marks, first)) point = typeof station === "number" ? passSave(point, station) : passEvent(point, station);
  const { costate, integral } = meet(equation, point, start, () => y0);
  tell(t0, () => y0, () => costate.map((part) => part?.neg())); // prettier-ignore
  return { costate: withRows(costate, cotangents.ys, first), integral, ofTime };
};
