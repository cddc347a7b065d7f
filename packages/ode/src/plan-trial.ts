/**
 * @file The trial of a reverse: the discrete adjoint of the first steps of a solve with one stored state, to see how much memory it takes.
 *
 * The trial has the costs of the solve, as many save times in one step as will lie in any, and all of its events at once, in the middle of a step: each function is
 * shifted so that it crosses zero there.
 */
import { revolve, tapeOver } from "@dydt/autodiff";
import {
  activeRecorders, allocatingIn, beginEpoch, DydtError, endEpoch, heap, inTemporaryRegion, isTensor, meterBytes, recordingWith, tensor, zerosLike,
  type Recorder, type Tensor,
} from "@dydt/tensor"; // prettier-ignore
import { sideProblem } from "./adjoints/backward.js";
import { discreteAdjoint } from "./adjoints/discrete.js";
import type { Granularity } from "./adjoints/replay.js";
import type { Controller } from "./controller.js";
import { grid } from "./controllers/fixed.js";
import type { LeafEvent } from "./events.js";
import { begin } from "./integrate.js";
import type { Problem } from "./problem.js";
import type { DenseStep, Step } from "./step.js";
import { timeValue, type Time } from "./time.js";

/** The tensors that the field and events read and somebody watches, besides the state and the times. */
export const capturedBy = <R extends Step>({ term, t0, y0, events }: Problem<R>): readonly Tensor[] => {
  const outside = activeRecorders();
  const made = new WeakSet<Tensor>(y0);
  if (isTensor(t0)) made.add(t0);
  const found = new Set<Tensor>();
  const watches = (x: Tensor): boolean => outside.some((recorder) => recorder.watches(x));
  const epoch = beginEpoch();
  const look = (arg: unknown): void => {
    if (isTensor(arg)) {
      if (!made.has(arg) && watches(arg)) found.add(arg);
    } else if (Array.isArray(arg)) (arg as readonly unknown[]).forEach(look);
  };
  const recorder: Recorder = {
    epoch,
    retains: false,
    watches: () => false,
    record: (_operation, args, output) => {
      args.forEach(look);
      if (isTensor(output)) made.add(output);
      else output.forEach((y) => made.add(y));
    },
  };
  try {
    inTemporaryRegion("step", () =>
      recordingWith([...outside, recorder], () => {
        term.slope(t0, y0);
        for (const { when } of events) when(t0, y0);
      }),
    );
  } finally {
    endEpoch(epoch);
  }
  return [...found];
};

/** How many steps are tried: as many as it takes until the regions of steps that are run again are all in use. */
const trial = 4;

/** The first steps of a solve. */
export interface FirstSteps<R extends Step> {
  readonly times: readonly number[];
  readonly controller: Controller<R>;
  /** Evaluations of f in a step. */
  readonly stages: number;
  /** Save times and events in the last but one: as many as there will be in any. */
  readonly saves: readonly Time[];
  readonly events: readonly LeafEvent[];
}

/** The most save times that lie inside one step: of given steps, or of steps that are found, twice as long as the longest of the first. */
const mostSaves = (saves: readonly number[], times: readonly number[] | undefined, longest: number): number => {
  let [most, first] = [0, 0];
  if (times === undefined)
    saves.forEach((t, i) => {
      while (Math.abs(t - saves[first]!) > 2 * longest) first++;
      most = Math.max(most, i - first + 1);
    });
  else
    for (let j = 1, next = 0; j < times.length; j++) {
      const forwards = times[j]! > times[j - 1]!;
      first = next;
      while (next < saves.length && (forwards ? saves[next]! < times[j]! : saves[next]! > times[j]!)) next++;
      most = Math.max(most, next - first);
    }
  return most;
};

/** As many save times in a step as there will be in any: in its first half, before an event in the middle; and at its end. */
const savesWithin = <R extends Step>(
  { saves, solver, stepSaves, t0, t1 }: Problem<R>,
  { t0: from, t1: to }: Pick<Step, "t0" | "t1">,
  times: readonly number[] | undefined,
  longest: number,
): readonly Time[] => {
  // A state at an end of the solve is there. A state at the end of a step is, too; for its derivatives it is looked up all the same.
  const within = saves.filter((t) => typeof t !== "number" || (t !== timeValue(t0) && t !== timeValue(t1)));
  const inside = solver.interpolates === true ? within : [];
  const count = mostSaves(inside.map(timeValue), times, longest);
  const like = inside[0] ?? saves[0] ?? 0;
  const early = Array.from({ length: count }, (_, i) => likeTime(like, from + ((i + 0.5) / count) * 0.5 * (to - from)));
  return inside.length < within.length || stepSaves !== undefined ? [...early, likeTime(like, to)] : early;
};

/** The events of a problem moved into the middle of a step: each function crosses zero there. */
const eventsWithin = <R extends Step>({ events }: Problem<R>, step: R): readonly LeafEvent[] => {
  if (events.length === 0 || !("at" in step)) return [];
  const middle = (step.t0 + step.t1) / 2;
  const y = (step as unknown as DenseStep).at(middle);
  return events.map((event): LeafEvent => {
    const level = event.when(middle, y).item();
    return { ...event, when: (t, y) => event.when(t, y).sub(level), direction: "both", times: 1 };
  });
};

/** Runs the first steps; undefined where there are none. */
export const firstSteps = <R extends Step>(problem: Problem<R>): FirstSteps<R> | undefined => {
  const { term, t0, t1, y0, solver, controller, stops, stats } = problem;
  const run = begin(sideProblem<R, R>(problem, { term, t0, t1, y0, solver, controller, stops }), "regions");
  const times = [timeValue(t0)];
  let [begun, stages, longest] = [stats.evaluations, 1, 0];
  let [before, last]: (Pick<Step, "t0" | "t1"> & Pick<FirstSteps<R>, "events">)[] = [];
  try {
    for (const step of run.steps) {
      // Of the first step and of rejected ones there are more: the fewest are those of a step.
      stages = times.length === 1 ? stats.evaluations - begun : Math.min(stages, stats.evaluations - begun);
      longest = Math.max(longest, Math.abs(step.t1 - step.t0));
      [before, last] = [last, { t0: step.t0, t1: step.t1, events: inTemporaryRegion("step", () => eventsWithin(problem, step)) }];
      begun = stats.evaluations;
      if (times.push(step.t1) > trial) break;
    }
    // The last one is the first to be reversed, and has no costate of its own yet.
    const fullest = before ?? last;
    if (fullest === undefined) return undefined;
    const { control } = run;
    const given: Controller<R> = {
      ...grid(times),
      begin: () => ({ kind: "grid", times, ...(control.tolerances !== undefined && { tolerances: control.tolerances }) }),
    };
    return {
      times,
      stages: Math.max(1, stages),
      // Steps that are found on the way take more memory than given ones: they are found in the trial too.
      controller: control.kind === "grid" ? given : controller,
      saves: savesWithin(problem, fullest, control.kind === "grid" ? control.times : undefined, longest),
      events: fullest.events,
    };
  } finally {
    run.close();
  }
};

/** A time as a tensor where another one is. */
const likeTime = (other: Time, t: number): Time => (typeof other === "number" ? t : tensor(t));

/** What one evaluation of f leaves on a tape. */
export const evaluationBytes = <R extends Step>({ term, t0, t1, y0 }: Problem<R>, captured: readonly Tensor[]): number =>
  inTemporaryRegion("tape", () => {
    const t = likeTime(isTensor(t0) ? t0 : t1, timeValue(t0));
    const peak = meterBytes();
    tapeOver(() => term.slope(t, y0), [...y0, ...captured, ...(isTensor(t) ? [t] : [])]);
    return peak();
  });

/** The high-water mark of the discrete adjoint over the first steps, with one stored state. */
const tryOut = <R extends Step>(
  problem: Problem<R>,
  { times, controller, saves, events }: FirstSteps<R>,
  captured: readonly Tensor[],
  tape: Granularity,
): number =>
  inTemporaryRegion("tape", () => {
    const { term, solver, y0, regularizers } = problem;
    // After a change of the state times are those of an event.
    const changes = events.some(({ then }) => typeof then === "function");
    const like = (time: Time, t: number): Time => (changes ? tensor(t) : likeTime(time, t));
    const [t0, t1] = [like(problem.t0, times[0]!), like(problem.t1, times[times.length - 1]!)];
    const side = sideProblem<R, R>(problem, { term, t0, t1, y0, solver, controller, stops: [], saves, regularizers, events });
    const peak = meterBytes();
    const { outputs, pullback } = discreteAdjoint({ checkpoints: revolve(1), tape }).solve(side);
    const zeros = (list: readonly Tensor[]): readonly Tensor[] => allocatingIn(heap, () => list.map((x) => zerosLike(x)));
    const ofEvents = outputs.events.map(({ times, states }) => ({ times: zeros([times])[0], states: zeros(states) }));
    pullback({ ys: zeros(outputs.ys), y1: zeros(outputs.y1), penalties: zeros(outputs.penalties), events: ofEvents }, captured);
    return peak();
  });

/** The same; without events where they cannot be tried so early, or from such a state. */
export const measure = <R extends Step>(problem: Problem<R>, first: FirstSteps<R>, captured: readonly Tensor[], tape: Granularity): number => {
  if (first.events.length === 0) return tryOut(problem, first, captured, tape);
  try {
    return tryOut(problem, first, captured, tape);
  } catch (error) {
    if (!(error instanceof DydtError)) throw error;
    return tryOut(problem, { ...first, events: [] }, captured, tape);
  }
};
