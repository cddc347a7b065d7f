/**
 * @file The discrete adjoint: the derivative of the computed solution itself, one step at a time.
 *
 *   λ_N = ȳ₁;  for j = N − 1, ..., 0:  (λⱼ, p̄, t̄) ← (∂stepⱼ / ∂(yⱼ, p, t))ᵀ (λⱼ₊₁, saved states, costs)
 *
 * States come back by a checkpoint schedule. Where the number of steps is known, the forward solve is the first sweep and stores as it goes; where it is not,
 * an online schedule stores, or the reverse begins with a sweep of its own. Step lengths are constant fractions of the interval.
 * E. Hairer, G. Wanner, C. Lubich, Geometric Numerical Integration, 2nd ed., 2006, VI.9; H. Zhang, W. Zhao, PNODE, 2022.
 */
import { execute, executeOnline, storeAll, withStages, type OnlineSchedule, type Schedule } from "@dydt/autodiff";
import { checkOptions, OptionError } from "@dydt/tensor";
import type { Adjoint, Differentiated } from "../adjoint.js";
import { begin, type Run } from "../integrate.js";
import { collect, type Collector } from "../outcome.js";
import type { Problem } from "../problem.js";
import { heapCopies, type Step } from "../step.js";
import { createChain } from "./chain.js";
import { atHand, createCheckpointStore, type CheckpointStore } from "./checkpoint-store.js";
import { replayOf, type Granularity, type WorkingState } from "./replay.js";
import { reverseSolve } from "./reverse.js";
import { watchSlopes } from "./stages.js";

/** Options of {@link discreteAdjoint}. */
export interface DiscreteAdjointOptions {
  /** Which states are kept for the reverse; default `storeAll()`. With `revolve(n)` at most n, at the price of steps run again. The gradient has the same bits. */
  readonly checkpoints?: Schedule;
  /** Where the tape stops looking: "step" (default, fastest), or "evaluation" of f, which needs the memory of one evaluation only. They agree to rounding. */
  readonly tape?: Granularity;
  /**
   * What a checkpoint holds: "states" (default), or "stages", a state with the step that ended there, which is then reversed without being run again. A slot costs
   * two states with tape: "step", which takes as many evaluations of f from the beginning of a step as from its stages; with tape: "evaluation" and an explicit
   * method of s stages s + 2 states (s + 1 where the last stage is the next first), and half the evaluations. The initial state is free. `cams` decides by itself.
   */
  readonly store?: "states" | "stages";
}

/**
 * The exact derivative of the computed solution, with respect to the initial state, everything the field closes over, t0, t1 and the save times.
 *
 * Cost of the reverse: each step run once under a tape (f once a stage, twice with tape: "evaluation") and as many steps run again as the schedule says.
 * Memory: the schedule's states and the tape of one step.
 *
 * @throws OptionError for options that are not known.
 * @example
 * const k = tensor(-0.5);
 * const slope = gradient((rate: Tensor) =>
 *   solve((t, y) => y.mul(rate), tensor([1]), { t0: 0, t1: 2, adjoint: discreteAdjoint({ checkpoints: revolve(4) }) }).y1.sum(),
 * )(k);
 * expectClose(slope, 2 * 0.36787944117144233, { rtol: 1e-5 });
 */
export const discreteAdjoint = (options: DiscreteAdjointOptions = {}): Adjoint<Step> => {
  checkOptions("discreteAdjoint", options, ["checkpoints", "tape", "store"]);
  const { checkpoints = storeAll(), tape = "step", store } = options;
  if (typeof checkpoints !== "function")
    throw new OptionError(
      "discreteAdjoint needs a schedule as checkpoints: storeAll() or revolve(n); for a number of bytes take autoAdjoint({ bytes })",
    );
  if (tape !== "step" && tape !== "evaluation") throw new OptionError(`discreteAdjoint got tape "${String(tape)}": "step" or "evaluation"`);
  if (store !== undefined && store !== "states" && store !== "stages")
    throw new OptionError(`discreteAdjoint got store "${String(store)}": "states" or "stages"`);
  if (store === "states" && checkpoints.keepsStages === true)
    throw new OptionError('discreteAdjoint got a schedule that keeps stages, and store: "states": leave store out');
  const schedule = store === "stages" ? withStages(checkpoints) : checkpoints;
  return Object.freeze({
    name: "discreteAdjoint",
    events: true,
    solve: <R extends Step>(problem: Problem<R>) => differentiate(problem, schedule, tape),
  });
};

const differentiate = <R extends Step>(problem: Problem<R>, schedule: Schedule, tape: Granularity): Differentiated => {
  const store = createCheckpointStore(schedule.storage);
  try {
    return sweep(problem, schedule, tape, store);
  } catch (error) {
    store.close();
    throw error;
  }
};

/** The forward solve, storing as it goes where that is possible. */
const sweep = <R extends Step>(problem: Problem<R>, schedule: Schedule, tape: Granularity, store: CheckpointStore): Differentiated => {
  const { solver } = problem;
  const keepsStages = schedule.keepsStages === true;
  const watched = keepsStages ? watchSlopes(problem, tape) : { problem, slopes: () => [] };
  const run: Run<R> = begin(watched.problem, "regions", () => ({ outputs: collector.outputs(), grid: [...collector.times] }));
  const collector: Collector<R> = collect(problem, run);
  const first: WorkingState = { y: problem.y0, carry: solver.carries === "state" ? heapCopies(run.carry) : undefined };
  const chain = createChain(problem, store, first, keepsStages);
  /** The state before the last step. */
  let beforeLast: WorkingState = first;
  try {
    return forward();
  } finally {
    collector.close();
    run.close();
  }

  /** Takes the next step; `before` is called while the state before it is still the working state. */
  function advance(before?: () => void): boolean {
    const { value: step, done } = run.steps.next();
    if (done === true) return false;
    before?.();
    collector.take(step);
    const { y, carry } = chain.working();
    beforeLast = { y, carry };
    const ended = keepsStages ? { before: beforeLast, slopes: watched.slopes() } : undefined;
    chain.setWorking({ y: step.y1, carry: solver.carries === "state" ? step.carry : undefined, ended });
    return true;
  }

  function drain(before?: () => void): void {
    let more = true;
    while (more) more = advance(before);
  }

  function forward(): Differentiated {
    chain.setMode({ advance: () => void advance(), reverse: () => undefined });
    /** Reverses with what was stored in the forward sweep; once. */
    let prepared: (() => void) | undefined;
    const online = run.times === undefined ? schedule.online?.() : undefined;
    if (run.times !== undefined && run.times.length > 1) prepared = knownSteps(run.times.length - 1);
    else if (online !== undefined) prepared = unknownSteps(online);
    else drain();

    const outputs = collector.outputs();
    const { times, largest, saved, happenings } = collector;
    const replay = replayOf({ problem, times, largest, saved, happenings, tolerances: run.control.tolerances }, tape);
    return {
      outputs,
      grid: times,
      pullback: (cotangents, captured) =>
        reverseSolve(replay, chain, store, outputs.y1, cotangents, captured, () => {
          const stored = prepared;
          prepared = undefined;
          if (stored !== undefined) return stored();
          chain.setWorking(first);
          execute(schedule, times.length - 1, chain).finish();
        }),
    };
  }

  function knownSteps(steps: number): (() => void) | undefined {
    const execution = execute(schedule, steps, chain);
    execution.forward();
    chain.store(atHand, keepsStages ? "stages" : "state", "ram");
    drain();
    if (collector.times.length - 1 < steps) {
      store.close(); // the solve ended before: these are the wrong states for so many steps
      return undefined;
    }
    return () => {
      chain.restore(atHand);
      execution.finish();
    };
  }

  function unknownSteps(schedule: OnlineSchedule): (() => void) | undefined {
    const execution = executeOnline(schedule, chain);
    const reached = (): void => execution.reached(collector.times.length - 1);
    if (keepsStages) {
      // While the records of the last step are still there: its stages are in them.
      do reached();
      while (advance());
    } else drain(reached);
    const steps = collector.times.length - 1;
    if (problem.ending.error !== undefined || steps === 0) {
      store.close(); // the records of the last steps went with the attempt that failed
      return undefined;
    }
    if (!keepsStages) chain.setWorking(beforeLast);
    chain.store(atHand, keepsStages ? "stages" : "state", "ram");
    return () => {
      chain.restore(atHand);
      execution.finish(steps);
    };
  }
};
