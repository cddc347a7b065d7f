/**
 * @file The reverse of a solve: cotangents walk back through the steps.
 *
 * One region holds the tape of one step, and is released as soon as the costate before that step has been copied out of it.
 */
import { tapeOver } from "@dydt/autodiff";
import { allocatingIn, createRegion, type Tensor } from "@dydt/tensor";
import type { InputCotangents, OutputCotangents } from "../adjoint.js";
import type { Leaves, Step } from "../step.js";
import { stateMoved } from "../saved-state.js";
import { timeValue } from "../time.js";
import { accounted } from "./account.js";
import type { SolveChain } from "./chain.js";
import { atHand, type CheckpointStore } from "./checkpoint-store.js";
import { rowOf } from "./cotangents.js";
import { alternating, copies } from "./regions.js";
import { replayStep, requireSame, type Replay } from "./replay.js";
import { watchSlopes } from "./stages.js";
import { bringCostate, costateAtEnd, cotangentsAtStart, reverseStart, reverseStep, type Costate } from "./taped-step.js";

/**
 * Pulls cotangents of the outputs back to the inputs.
 *
 * @param chain - the states; its mode is set here.
 * @param end - the end state of the forward solve.
 * @param reverseAll - lets the schedule reverse every step.
 */
export const reverseSolve = <R extends Step>(
  replay: Replay<R>,
  chain: SolveChain,
  store: CheckpointStore,
  end: Leaves,
  cotangents: OutputCotangents,
  captured: readonly Tensor[],
  reverseAll: () => void,
): InputCotangents => {
  const { problem, times } = replay;
  const { stats, solver, t0, t1 } = problem;
  const tape = createRegion("tape");
  const costates = alternating("tape");
  const steps = alternating("step");
  const counted = { advanced: 0, taped: 0 };
  const watched = chain.keepsStages ? watchSlopes(problem, replay.granularity) : { problem, slopes: () => [] };
  const watchedReplay = { ...replay, problem: watched.problem };
  let costate = costateAtEnd(replay, cotangents, captured);
  let after = end;

  chain.setMode({
    advance: (j) => {
      counted.advanced++;
      const { y, carry } = chain.working();
      const step = allocatingIn(steps.next(), () => replayStep(watchedReplay, j, { y, carry }));
      const ended = chain.keepsStages ? { before: { y, carry }, slopes: watched.slopes() } : undefined;
      chain.setWorking({ y: step.y1, carry: solver.carries === "state" ? step.carry : undefined, ended });
      if (!chain.keepsStages) steps.settle();
    },
    reverse: (j, { y, carry }, ended) => {
      if (ended === undefined) counted.taped++;
      // The state before the step is needed twice: now, and for comparison when the step before it is reversed.
      const region = costates.next();
      const before = allocatingIn(region, () => ({ y: copies(y), carry: carry && copies(carry) }));
      const slopes = ended?.slopes ?? [];
      if (slopes.length === 0) steps.clear();
      const result = allocatingIn(tape, () => reverseStep(replay, j, before, cotangents, captured, costate, slopes));
      steps.clear();
      requireSame(result.y1, after, () => `step ${j} from t = ${times[j]!} gave other numbers when it was run again`);
      after = before.y;
      costate = allocatingIn(region, () => bringCostate(result));
      costates.settle();
      tape.reset();
      store.release(atHand);
    },
  });

  const account = {
    stats,
    held: store.used(),
    report: () => counted,
    close: () => [tape, costates, steps, store].forEach((one) => one.close()),
  };
  return accounted(account, () => {
    if (timeValue(t0) === timeValue(t1)) return cotangentsAtStart(allocatingIn(tape, reverseEmpty), cotangents, 0, captured);
    if (times.length > 1) reverseAll();
    if (solver.carries === "state") costate = allocatingIn(tape, () => reverseStart(replay, captured, costate));
    return cotangentsAtStart(costate, cotangents, replay.firstSave[0]!, captured);
  });

  /** t1 = t0: every output is y0 as numbers, and moves with its time, which for numbers is t1. */
  function reverseEmpty(): Costate {
    const { saves, y0 } = problem;
    const { reverse } = tapeOver(
      () => [t1, ...saves].flatMap((t) => stateMoved(problem, t0, typeof t === "number" ? t1 : t, y0)),
      [...y0, ...captured, ...replay.inputTimes],
    );
    const pulled = reverse([...cotangents.y1, ...saves.flatMap((_, i) => rowOf(cotangents.ys, i))]);
    return { y: pulled.slice(0, y0.length), carry: [], origin: undefined, accumulated: pulled.slice(y0.length) };
  }
};
