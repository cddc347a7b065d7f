/**
 * @file A plan for a reverse within a given memory: which discrete adjoint, with how many stored states.
 *
 *   bytes(s) = b + (s − 1) S + 8 N,   b measured: the discrete adjoint of the first steps with one stored state;  S one state;  N further steps
 *
 * b is what the code itself takes for four steps with this field, these parameters and this solver, tape and all: with its costs, with as many save times in one
 * step as will lie in one, and with all of its events at once. How long steps become is known of given ones; of others it is taken from the first, and where
 * later ones hold more save times, each takes about two states more.
 */
import { advances, interpretSchedule, online } from "@dydt/autodiff";
import { OptionError, unrecorded } from "@dydt/tensor";
import type { DiscreteAdjointOptions } from "./adjoints/discrete.js";
import type { Granularity } from "./adjoints/replay.js";
import { bytesOf, capturedBy, evaluationBytes, firstSteps, measure, trial } from "./plan-trial.js";
import type { Problem } from "./problem.js";
import type { Step } from "./step.js";

/** What a reverse will take. */
export interface Prediction {
  /** Of regions and stored states; more where later steps hold more save times than the first ones let expect. */
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

/** What the times of the steps take besides those that were tried. */
const gridBytes = (steps: number): number => 8 * Math.max(0, steps - trial);

/**
 * Plans the reverse of a problem.
 *
 * Cost: four steps, then eight and their reverse with one stored state; half of these where the tape of a step is too large.
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
      if (first === undefined) return planWith("step", 0, 0);
      const { stages, carriedBytes } = first;
      const room = bytes - gridBytes(first.count ?? 0);
      const byEvaluation = measure(problem, first, captured, "evaluation");
      // The tape of a step holds that of each of its stages. It is tried only where it should fit: a trial takes what it measures.
      const expected = byEvaluation + stages * evaluationBytes(problem, captured);
      const byStep = expected <= room ? measure(problem, first, captured, "step") : expected;
      if (byStep <= room) return planWith("step", byStep, carriedBytes, room);
      if (byEvaluation <= room) return planWith("evaluation", byEvaluation, carriedBytes, room);
      throw new OptionError(
        `autoAdjoint got ${bytes} bytes, and the smallest reverse of this problem takes ${Math.min(byStep, byEvaluation) + bytes - room}: allow more, use a smaller batch, ` +
          `or take backsolveAdjoint(), whose gradient is exact to the tolerances only`,
      );
    } finally {
      problem.stats.evaluations = evaluations;
    }
  });

  function planWith(tape: Granularity, baseBytes: number, carriedBytes: number, room = bytes): AdjointPlan {
    const stateBytes = Math.max(16, bytesOf(problem.y0) + carriedBytes);
    const slots = Math.max(1, Math.floor((room - baseBytes) / stateBytes) + 1);
    const options: DiscreteAdjointOptions = { checkpoints: online(slots), tape };
    const predict = (steps: number): Prediction => ({
      bytes: baseBytes + (Math.min(slots, steps) - 1) * stateBytes + gridBytes(steps),
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
