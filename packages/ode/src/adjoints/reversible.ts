/**
 * @file The adjoint of reversible solvers: each step is undone, and then run again under a tape.
 *
 *   (yⱼ, cⱼ) = step⁻¹(yⱼ₊₁, cⱼ₊₁);  (λⱼ, p̄, t̄) ← (∂stepⱼ / ∂(yⱼ, cⱼ, p, t))ᵀ (λⱼ₊₁, saved states, costs)
 *
 * Nothing is kept but the end and the times of the steps. The gradient is that of the computed solution, up to the rounding of the way back.
 * P. Kidger, J. Foster, X. Li, T. Lyons, Efficient and accurate gradients for neural SDEs, NeurIPS 2021.
 */
import { tapeOver, type Cotangent } from "@dydt/autodiff";
import { abs, allocatingIn, checkOptions, copy, createRegion, currentRegion, heap, max, meterBytes, scope, type Region, type Tensor } from "@dydt/tensor"; // prettier-ignore
import { differentiableTimes, type Adjoint, type Differentiated, type InputCotangents, type OutputCotangents } from "../adjoint.js";
import { IncompatibleError, sentences } from "../errors.js";
import { begin, type Run } from "../integrate.js";
import { collect, type Collector, type Outputs } from "../outcome.js";
import type { Problem } from "../problem.js";
import type { Inverse } from "../solver.js";
import type { Leaves, ReversibleStep, Step } from "../step.js";
import type { Ode } from "../term.js";
import { refuseMovedTimes } from "./continuous.js";
import { discreteAdjoint } from "./discrete.js";
import { replayOf, reverseStep, type Granularity, type Replay, type WorkingState } from "./taped-step.js";

/** Options of {@link reversibleAdjoint}. */
export interface ReversibleAdjointOptions {
  /** Where the tape stops looking: "step" (default), or "evaluation" of f. */
  readonly tape?: Granularity;
}

/** The end of a forward solve, from which all of it is found again. */
interface End<R extends Step> {
  readonly replay: Replay<R>;
  readonly inverse: Inverse<Ode>;
  readonly outputs: Outputs;
  readonly carry: Leaves;
}

const copies = (leaves: Leaves): Leaves => leaves.map((leaf) => copy(leaf));
const moved = (cotangents: readonly Cotangent[]): readonly Cotangent[] => cotangents.map((part) => (part === undefined ? part : copy(part)));

/** How far the state that was found again lies from the initial one. */
const driftOf = (y0: Leaves, again: Leaves): number =>
  scope(() => y0.reduce((most, leaf, i) => (leaf.size === 0 ? most : Math.max(most, max(abs(leaf.sub(again[i]!))).item())), 0));

const pullBack = <R extends Step>(
  { replay, inverse, outputs, carry }: End<R>,
  cotangents: OutputCotangents,
  captured: readonly Tensor[],
): InputCotangents => {
  const { problem, times } = replay;
  const { stats, solver, term, y0 } = problem;
  const isState = solver.carries === "state";
  const watchedTimes = differentiableTimes(problem);
  const before = stats.evaluations;
  const peak = meterBytes();
  const outside = currentRegion();
  const tape = createRegion("tape");
  const pair: readonly [Region, Region] = [createRegion("tape"), createRegion("tape")];
  let working: WorkingState = { y: outputs.y1, carry };
  let y: readonly Cotangent[] = cotangents.y1;
  let carried: readonly Cotangent[] = [];
  let accumulated: readonly Cotangent[] = [...captured, ...watchedTimes].map(() => undefined);
  let drift = 0;
  try {
    for (let j = times.length - 2; j >= 0; j--) {
      const region = pair[j % 2 === 0 ? 0 : 1];
      region.reset();
      const after = working.carry ?? [];
      const back = allocatingIn(tape, () =>
        inverse(term, times[j]!, times[j + 1]!, working.y, isState ? after : solver.start(term, times[j + 1]!, working.y)),
      );
      working = allocatingIn(region, () => ({ y: copies(back.y0), carry: isState ? copies(back.carry0) : undefined }));
      const result = allocatingIn(tape, () =>
        reverseStep(replay, j, working, cotangents, captured, { y, carry: carried, origin: undefined }, accumulated),
      );
      allocatingIn(region, () => {
        [y, carried, accumulated] = [moved(result.y), moved(result.carry), moved(result.accumulated)];
      });
      tape.reset();
    }
    drift = driftOf(y0, working.y);
    if (isState) {
      const start = allocatingIn(tape, () => {
        const { reverse } = tapeOver(() => solver.start(term, problem.t0, y0), [...y0, ...captured, ...watchedTimes]);
        return reverse(carried, [...y, ...accumulated]);
      });
      [y, accumulated] = [start.slice(0, y0.length), start.slice(y0.length)];
    }
    return allocatingIn(outside, () => {
      let total = moved(y);
      for (let i = 0; i < replay.firstSave[0]!; i++)
        total = total.map((part, k) => {
          const row = cotangents.ys[k]?.at(i);
          return row === undefined ? part : (part?.add(row) ?? row);
        });
      return { y0: total, captured: moved(accumulated.slice(0, captured.length)), times: moved(accumulated.slice(captured.length)) };
    });
  } finally {
    tape.close();
    pair.forEach((region) => region.close());
    stats.reverse = { advanced: 0, taped: times.length - 1, evaluations: stats.evaluations - before, drift };
    stats.evaluations = before;
    stats.peakBytes = Math.max(stats.peakBytes, peak());
  }
};

/**
 * The exact derivative of the computed solution in constant memory, for solvers whose steps can be undone.
 *
 * It agrees with `discreteAdjoint` up to the rounding of the way back, which `stats.reverse.drift` tells. Memory: one state, the tape of one step, and the
 * times of the steps. Cost: each step is undone, and run once more under a tape.
 *
 * Not recommended where steps are long for the problem: rounding errors of the way back grow where the method is unstable backward.
 *
 * @throws OptionError for options that are not known; IncompatibleError for a solver without an inverse.
 * @example
 * const k = tensor(-0.5);
 * const slope = gradient((rate: Tensor) =>
 *   solve((t, y) => y.mul(rate), tensor([1]), {
 *     t0: 0, t1: 2, solver: reversibleHeun(), controller: fixedSteps(200), adjoint: reversibleAdjoint(),
 *   }).y1.sum(),
 * )(k);
 * expectClose(slope, 2 * 0.36787944117144233, { rtol: 1e-4 });
 */
export const reversibleAdjoint = (options: ReversibleAdjointOptions = {}): Adjoint<ReversibleStep> => {
  checkOptions("reversibleAdjoint", options, ["tape"]);
  const { tape = "step" } = options;
  const ofNothing = discreteAdjoint({ tape });
  return Object.freeze({
    name: "reversibleAdjoint",
    solve: <R extends ReversibleStep>(problem: Problem<R>): Differentiated => {
      const { solver } = problem;
      const { inverse } = solver;
      if (inverse === undefined) throw new IncompatibleError(sentences.reversibleAdjoint);
      const run: Run<R> = begin(problem, "regions", () => ({ outputs: collector.outputs(), grid: [...collector.times] }));
      const collector: Collector<R> = collect(problem, run.control);
      let carry: Leaves = [];
      let outputs: Outputs;
      try {
        let last: R | undefined;
        for (const step of run.steps) {
          collector.take(step);
          last = step;
        }
        if (last === undefined) return ofNothing.solve(problem);
        outputs = collector.outputs();
        const ending = last;
        if (solver.carries === "state") carry = allocatingIn(heap, () => copies(ending.carry));
      } finally {
        run.close();
      }
      const replay = replayOf(problem, collector, tape, run.control.tolerances);
      const pullback = (cotangents: OutputCotangents, captured: readonly Tensor[]): InputCotangents => {
        refuseMovedTimes("reversibleAdjoint", problem);
        return pullBack(end, cotangents, captured);
      };
      const end: End<R> = { replay, inverse, outputs, carry };
      return { outputs, grid: collector.times, pullback };
    },
  } satisfies Adjoint<ReversibleStep>);
};
