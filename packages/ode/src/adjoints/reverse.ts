/**
 * @file The reverse of a solve: cotangents walk back through the steps.
 *
 * One region holds the tape of one step, and is released as soon as the costate before that step has been copied out of it.
 */
import { tapeOver, type Cotangent } from "@dydt/autodiff";
import { allocatingIn, copy, createRegion, currentRegion, elementsOf, formatShape, meterBytes, type Region, type Tensor } from "@dydt/tensor";
import { differentiableTimes, type InputCotangents, type OutputCotangents } from "../adjoint.js";
import { ReplayError } from "../errors.js";
import type { Leaves, Step } from "../step.js";
import { timeBetween } from "../time.js";
import type { SolveChain } from "./chain.js";
import { atHand, type CheckpointStore } from "./checkpoint-store.js";
import { watchSlopes } from "./stages.js";
import { replayStep, reverseStep, type Replay } from "./taped-step.js";

/** The cotangents on their way back. */
interface Costate {
  readonly y: readonly Cotangent[];
  readonly carry: readonly Cotangent[];
  /** Of the event that the segment begins with. */
  readonly origin: Cotangent;
  /** Of captured tensors, then of times. */
  readonly accumulated: readonly Cotangent[];
}

/** Two regions in turn: what was made in one lives until the next but one is begun. */
const alternating = (kind: "step" | "tape") => {
  const pair: readonly [Region, Region] = [createRegion(kind), createRegion(kind)];
  let which: 0 | 1 = 0;
  return {
    next: (): Region => {
      which = which === 0 ? 1 : 0;
      pair[which].reset();
      return pair[which];
    },
    /** Releases what is older than the newest. */
    settle: (): void => pair[which === 0 ? 1 : 0].reset(),
    /** Releases all. */
    clear: (): void => pair.forEach((region) => region.reset()),
    close: (): void => pair.forEach((region) => region.close()),
  };
};

/** Copies the cotangents that lie in tape regions into the region that is open. */
const bring = (cotangents: readonly Cotangent[]): readonly Cotangent[] =>
  cotangents.map((cotangent) => (cotangent?.region.kind === "tape" ? copy(cotangent) : cotangent));

/** @throws ReplayError when a state that was computed again has other bits. */
const requireSame = (again: Leaves, before: Leaves, step: number, t: number): void => {
  again.forEach((leaf, i) => {
    const a = elementsOf(leaf);
    const b = elementsOf(before[i]!);
    for (let k = 0; k < a.length; k++)
      if (a[k] !== b[k])
        throw new ReplayError(
          `step ${step} from t = ${t} gave other numbers when it was run again (${a[k]} instead of ${b[k]}, element ${k} of ${formatShape(leaf.shape)}): ` +
            `the field must be a function of (t, y) alone; draw random numbers before the solve, and close over them`,
        );
  });
};

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
  const { stats, solver, y0 } = problem;
  const forwardEvaluations = stats.evaluations;
  const held = store.used();
  const peak = meterBytes();
  const outside = currentRegion();
  const tape = createRegion("tape");
  const costates = alternating("tape");
  const steps = alternating("step");
  const counted = { advanced: 0, taped: 0 };
  const watched = chain.keepsStages ? watchSlopes(problem, replay.granularity) : { problem, slopes: () => [] };
  const none: readonly Cotangent[] = [...captured, ...differentiableTimes(problem)].map(() => undefined);
  let costate: Costate = { y: cotangents.y1, carry: [], origin: undefined, accumulated: none };
  let after = end;

  chain.setMode({
    advance: (j) => {
      counted.advanced++;
      const { y, carry } = chain.working();
      const step = allocatingIn(steps.next(), () => replayStep({ ...replay, problem: watched.problem }, j, { y, carry }));
      const ended = chain.keepsStages ? { before: { y, carry }, slopes: watched.slopes() } : undefined;
      chain.setWorking({ y: step.y1, carry: solver.carries === "state" ? step.carry : undefined, ended });
      if (!chain.keepsStages) steps.settle();
    },
    reverse: (j, { y, carry }, ended) => {
      if (ended === undefined) counted.taped++;
      // The state before the step is needed twice: now, and for comparison when the step before it is reversed.
      const region = costates.next();
      const before = allocatingIn(region, () => ({ y: y.map((leaf) => copy(leaf)), carry: carry?.map((leaf) => copy(leaf)) }));
      const slopes = ended?.slopes ?? [];
      if (slopes.length === 0) steps.clear();
      const result = allocatingIn(tape, () => reverseStep(replay, j, before, cotangents, captured, costate, costate.accumulated, slopes));
      steps.clear();
      requireSame(result.y1, after, j, times[j]!);
      after = before.y;
      costate = allocatingIn(region, () => ({
        y: bring(result.y),
        carry: bring(result.carry),
        origin: bring([result.origin])[0],
        accumulated: bring(result.accumulated),
      }));
      costates.settle();
      tape.reset();
      store.release(atHand);
    },
  });

  try {
    if (times.length > 1) {
      reverseAll();
      costate = allocatingIn(tape, () => reverseStart(costate));
    } else costate = allocatingIn(tape, () => reverseEmpty());
    const saved = times.length > 1 ? replay.firstSave[0]! : 0;
    return allocatingIn(outside, () => {
      const y = y0.map((_, i) => addSaved(costate.y[i], i, saved));
      return {
        y0: bring(y),
        captured: bring(costate.accumulated.slice(0, captured.length)),
        times: bring(costate.accumulated.slice(captured.length)),
      };
    });
  } finally {
    tape.close();
    costates.close();
    steps.close();
    store.close();
    stats.reverse = { ...counted, evaluations: stats.evaluations - forwardEvaluations };
    stats.evaluations = forwardEvaluations;
    stats.peakBytes = Math.max(stats.peakBytes, held + peak());
  }

  /** Adds the rows of save times at t0 itself. */
  function addSaved(cotangent: Cotangent, leaf: number, count: number): Cotangent {
    let sum = cotangent;
    for (let i = 0; i < count; i++) {
      const row = cotangents.ys[leaf]?.at(i);
      if (row !== undefined) sum = sum === undefined ? row : sum.add(row);
    }
    return sum;
  }

  /** The start of a carry that is part of the state. */
  function reverseStart({ y, carry, accumulated }: Costate): Costate {
    if (solver.carries !== "state") return { y, carry: [], origin: undefined, accumulated };
    const { reverse } = tapeOver(() => solver.start(problem.term, problem.t0, y0), [...y0, ...captured, ...differentiableTimes(problem)]);
    const pulled = reverse(carry, [...y, ...accumulated]);
    return { y: pulled.slice(0, y0.length), carry: [], origin: undefined, accumulated: pulled.slice(y0.length) };
  }

  /** t1 = t0: every output is y0 + (t − t0) f(t0, y0). */
  function reverseEmpty(): Costate {
    const outputTimes = [problem.t1, ...problem.saves];
    const { term, t0 } = problem;
    const { reverse } = tapeOver(() => {
      const slope = term.slope(t0, y0);
      return outputTimes.flatMap((t) => term.combine(y0, [1], [slope], timeBetween(t0, t)));
    }, [...y0, ...captured, ...differentiableTimes(problem)]);
    const rows = problem.saves.flatMap((_, i) => cotangents.ys.map((all) => all?.at(i)));
    const pulled = reverse([...cotangents.y1, ...rows]);
    return { y: pulled.slice(0, y0.length), carry: [], origin: undefined, accumulated: pulled.slice(y0.length) };
  }
};
