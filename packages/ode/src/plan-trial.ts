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
import type { Controller, Tolerances } from "./controller.js";
import { grid } from "./controllers/fixed.js";
import type { LeafEvent } from "./events.js";
import { begin } from "./integrate.js";
import { likeTime, savesWithin, type Ends } from "./plan-saves.js";
import type { Problem } from "./problem.js";
import type { DenseStep, Leaves, Step } from "./step.js";
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
export const trial = 4;

/** Blocks of regions are multiples of 16 bytes. */
export const bytesOf = (leaves: Leaves): number =>
  leaves.reduce((sum, { size, dtype }) => sum + Math.ceil((size * (dtype === "float64" ? 8 : 4)) / 16) * 16, 0);

/** The first steps of a solve. */
export interface FirstSteps<R extends Step> {
  readonly times: readonly number[];
  readonly controller: Controller<R>;
  /** How many there will be; undefined where they are found on the way. */
  readonly count: number | undefined;
  /** Evaluations of f in a step. */
  readonly stages: number;
  /** Bytes of what is stored with a state. */
  readonly carriedBytes: number;
  /** Save times and events in the last but one: as many as there will be in any. */
  readonly saves: readonly Time[];
  readonly events: readonly LeafEvent[];
}

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

/** Asks a step for what it computes only then, as for a state saved in it and for its costs. */
const askOutputs = <R extends Step>({ saves, t0, t1, regularizers }: Problem<R>, step: R, tolerances: Tolerances | undefined): void => {
  const isEnd = (t: Time): boolean => t === timeValue(t0) || t === timeValue(t1);
  if ("at" in step && !saves.every(isEnd)) (step as unknown as DenseStep).at((step.t0 + step.t1) / 2);
  for (const { cost } of regularizers) cost(step, tolerances);
};

/** Runs the first steps; undefined where there are none. */
export const firstSteps = <R extends Step>(problem: Problem<R>): FirstSteps<R> | undefined => {
  const { term, t0, t1, y0, solver, controller, stops, stats } = problem;
  let begun = stats.evaluations;
  const run = begin(sideProblem<R, R>(problem, { term, t0, t1, y0, solver, controller, stops }), "regions");
  const times = [timeValue(t0)];
  let [stages, longest] = [Infinity, 0];
  let [before, last]: (Ends & Pick<FirstSteps<R>, "events">)[] = [];
  try {
    for (const step of run.steps) {
      const events = inTemporaryRegion("step", () => (askOutputs(problem, step, run.control.tolerances), eventsWithin(problem, step)));
      // Of the first step and of rejected ones there are more: the fewest are those of a step.
      stages = Math.min(stages, stats.evaluations - begun);
      longest = Math.max(longest, Math.abs(step.t1 - step.t0));
      [before, last] = [last, { t0: step.t0, t1: step.t1, events }];
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
    const saves = savesWithin(problem, { t0: times[0]!, t1: times[1]! }, fullest, control.kind === "grid" ? control.times : undefined, longest);
    // At an end of a step a state moves with its time by a step of its own.
    const moved = saves.filter((t) => isTensor(t) && (timeValue(t) === times[0] || timeValue(t) === fullest.t1)).length;
    return {
      times,
      count: run.times && run.times.length - 1,
      stages: stages + moved * (stages + 1),
      carriedBytes: solver.carries === "state" ? bytesOf(run.carry) : 0,
      // Steps that are found on the way take more memory than given ones: they are found in the trial too.
      controller: control.kind === "grid" ? given : controller,
      saves,
      events: fullest.events,
    };
  } finally {
    run.close();
  }
};

/** What one evaluation of f, and the way back through it, leave on a tape. */
export const evaluationBytes = <R extends Step>({ term, t0, t1, y0 }: Problem<R>, captured: readonly Tensor[]): number =>
  inTemporaryRegion("tape", () => {
    const t = likeTime(isTensor(t0) ? t0 : t1, timeValue(t0));
    const peak = meterBytes();
    const { outputs, reverse } = tapeOver(() => term.slope(t, y0), [...y0, ...captured, ...(isTensor(t) ? [t] : [])]);
    reverse(outputs.map((slope) => zerosLike(slope)));
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
