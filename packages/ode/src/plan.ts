/**
 * @file A plan for a reverse within a given memory: which discrete adjoint, with how many stored states.
 *
 *   bytes(s) = b + (s − 1) S,   b measured: the discrete adjoint of the first steps with one stored state;  S one state
 *
 * Nothing is estimated: b is what the code itself takes for four steps with this field, these parameters and this solver, tape and all.
 */
import { advances, interpretSchedule, online, revolve, tapeOver } from "@dydt/autodiff";
import {
  activeRecorders, beginEpoch, endEpoch, inTemporaryRegion, isTensor, meterBytes, OptionError, recordingWith, unrecorded, zerosLike, type Recorder, type Tensor,
} from "@dydt/tensor"; // prettier-ignore
import { discreteAdjoint, type DiscreteAdjointOptions } from "./adjoints/discrete.js";
import { sideProblem } from "./adjoints/backward.js";
import type { Controller } from "./controller.js";
import { grid } from "./controllers/fixed.js";
import { begin } from "./integrate.js";
import type { Problem } from "./problem.js";
import type { Leaves, Step } from "./step.js";
import { timeValue } from "./time.js";

/** What a reverse will take. */
export interface Prediction {
  readonly bytes: number;
  /** Steps run again without a tape. */
  readonly advanced: number;
}

/** How a solve will be reversed. */
export interface AdjointPlan {
  /** Options of the discrete adjoint. */
  readonly options: DiscreteAdjointOptions;
  /** Stored states. */
  readonly slots: number;
  /** Bytes of one state, and of a reverse with one stored state. */
  readonly stateBytes: number;
  readonly baseBytes: number;
  /** For a number of steps. */
  readonly predict: (steps: number) => Prediction;
  /** In words. */
  readonly explain: (steps?: number) => string;
}

/** Blocks of regions are multiples of 16 bytes. */
const bytesOf = (leaves: Leaves): number =>
  leaves.reduce((sum, { size, dtype }) => sum + Math.ceil((size * (dtype === "float64" ? 8 : 4)) / 16) * 16, 0);

/** The tensors that the field reads and somebody watches, besides the state and the times. */
const capturedBy = <R extends Step>({ term, t0, y0 }: Problem<R>): readonly Tensor[] => {
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
    recordingWith([...outside, recorder], () => term.slope(t0, y0));
  } finally {
    endEpoch(epoch);
  }
  return [...found];
};

/** How many steps are tried: as many as it takes until the regions of steps that are run again are all in use. */
const trial = 4;

/** The first steps of a solve. */
interface FirstSteps<R extends Step> {
  readonly times: readonly number[];
  readonly controller: Controller<R>;
  /** Evaluations of f in a step. */
  readonly stages: number;
}

/** Runs the first steps. */
const firstSteps = <R extends Step>(problem: Problem<R>): FirstSteps<R> => {
  const { term, t0, t1, y0, solver, controller, stops } = problem;
  const run = begin(sideProblem<R, R>(problem, { term, t0, t1, y0, solver, controller, stops }), "regions");
  const times = [timeValue(problem.t0)];
  const { stats } = problem;
  let [begun, stages] = [stats.evaluations, 1];
  try {
    for (const { t1 } of run.steps) {
      // Of the first step and of rejected ones there are more: the fewest are those of a step.
      stages = times.length === 1 ? stats.evaluations - begun : Math.min(stages, stats.evaluations - begun);
      begun = stats.evaluations;
      if (times.push(t1) > trial) break;
    }
    // Steps that are found on the way take more memory than given ones: they are found in the trial too.
    return { times, stages: Math.max(1, stages), controller: run.times === undefined ? controller : grid(times) };
  } finally {
    run.close();
  }
};

/** What one evaluation of f leaves on a tape. */
const evaluationBytes = <R extends Step>({ term, t0, y0 }: Problem<R>, captured: readonly Tensor[]): number =>
  inTemporaryRegion("tape", () => {
    const peak = meterBytes();
    tapeOver(() => term.slope(timeValue(t0), y0), [...y0, ...captured]);
    return peak();
  });

/** The high-water mark of the discrete adjoint over the first steps, with one stored state. */
const measure = <R extends Step>(
  problem: Problem<R>,
  { times, controller }: FirstSteps<R>,
  captured: readonly Tensor[],
  tape: "step" | "evaluation",
): number =>
  inTemporaryRegion("tape", () => {
    const { term, solver, y0 } = problem;
    const [t0, t1] = [times[0]!, times[times.length - 1]!];
    const side = sideProblem<R, R>(problem, { term, t0, t1, y0, solver, controller, stops: [] });
    const peak = meterBytes();
    const { pullback } = discreteAdjoint({ checkpoints: revolve(1), tape }).solve(side);
    pullback({ ys: y0.map(() => undefined), y1: y0.map((leaf) => zerosLike(leaf)), penalties: [], events: [] }, captured);
    return peak();
  });

/**
 * Plans the reverse of a problem.
 *
 * Cost: eight steps and their reverse with one stored state; half of it where the tape of a step is too large.
 *
 * @param bytes - how much it may take.
 * @throws OptionError where not even one state and the tape of one evaluation fit, saying how much does.
 */
export const planFor = <R extends Step>(problem: Problem<R>, bytes: number): AdjointPlan => {
  const { evaluations } = problem.stats;
  const captured = capturedBy(problem);
  return unrecorded(() => {
    try {
      const first = firstSteps(problem);
      if (first.times.length < 2) return planWith("step", 0);
      const byEvaluation = measure(problem, first, captured, "evaluation");
      // The tape of a step holds that of each of its stages. It is tried only where it should fit: a trial takes what it measures.
      const expected = byEvaluation + (first.stages - 1) * evaluationBytes(problem, captured);
      const byStep = expected <= bytes ? measure(problem, first, captured, "step") : expected;
      if (byStep <= bytes) return planWith("step", byStep);
      if (byEvaluation <= bytes) return planWith("evaluation", byEvaluation);
      throw new OptionError(
        `autoAdjoint got ${bytes} bytes, and the smallest reverse of this problem takes ${Math.min(byStep, byEvaluation)}: allow more, use a smaller batch, ` +
          `or take backsolveAdjoint(), whose gradient is exact to the tolerances only`,
      );
    } finally {
      problem.stats.evaluations = evaluations;
    }
  });

  function planWith(tape: "step" | "evaluation", baseBytes: number): AdjointPlan {
    const carried = problem.solver.carries === "state" ? 2 : 1;
    const stateBytes = Math.max(16, bytesOf(problem.y0) * carried);
    const slots = Math.max(1, Math.floor((bytes - baseBytes) / stateBytes) + 1);
    const options: DiscreteAdjointOptions = { checkpoints: online(slots), tape };
    const predict = (steps: number): Prediction => ({
      bytes: baseBytes + (Math.min(slots, steps) - 1) * stateBytes,
      advanced: Math.max(0, interpretSchedule(online(slots), steps).advanced - (steps - 1)),
    });
    const explain = (steps?: number): string => {
      const all = steps !== undefined && slots >= steps;
      const lines = [
        `discreteAdjoint, tape: "${tape}", at most ${slots} stored states of ${stateBytes} bytes beside ${baseBytes} bytes for a step and its tape, of ${bytes} allowed`,
      ];
      if (steps !== undefined) {
        const { bytes: predicted, advanced } = predict(steps);
        lines.push(
          `for ${steps} steps: ${predicted} bytes, ${all ? "every state is stored" : `${advanced} steps run again (the least for known steps is ${advances(steps, slots) - (steps - 1)})`}`,
        );
      }
      return lines.join("\n");
    };
    return Object.freeze({ options, slots, stateBytes, baseBytes, predict, explain });
  }
};
