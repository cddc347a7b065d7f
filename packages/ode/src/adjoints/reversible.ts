/**
 * @file The adjoint of reversible solvers: each step is undone, and then run again under a tape.
 *
 *   (yⱼ, cⱼ) = step⁻¹(yⱼ₊₁, cⱼ₊₁);  (λⱼ, p̄, t̄) ← (∂stepⱼ / ∂(yⱼ, cⱼ, p, t))ᵀ (λⱼ₊₁, saved states, costs)
 *
 * Nothing is kept but the end and the times of the steps. The gradient is that of the computed solution, up to the rounding of the way back.
 * P. Kidger, J. Foster, X. Li, T. Lyons, Efficient and accurate gradients for neural SDEs, NeurIPS 2021.
 */
import { allocatingIn, checkOptions, createRegion, scope, type Tensor } from "@dydt/tensor";
import type { Adjoint, Differentiated, InputCotangents, OutputCotangents } from "../adjoint.js";
import { IncompatibleError } from "../errors.js";
import * as sentences from "../sentences.js";
import type { Problem } from "../problem.js";
import type { Inverse } from "../solver.js";
import { heapCopies, type Leaves, type ReversibleStep, type Step } from "../step.js";
import type { Ode } from "../term.js";
import { timeValue } from "../time.js";
import { accounted } from "./account.js";
import { refuseMovedTimes } from "./continuous.js";
import { largestOf } from "./cotangents.js";
import { discreteAdjoint } from "./discrete.js";
import { solveForward } from "./forward-run.js";
import { alternating, copies } from "./regions.js";
import { replayOf, type Granularity, type Replay, type WorkingState } from "./replay.js";
import { bringCostate, costateAtEnd, cotangentsAtStart, reverseStart, reverseStep } from "./taped-step.js";

/** Options of {@link reversibleAdjoint}. */
export interface ReversibleAdjointOptions {
  /** Where the tape stops looking: "step" (default), or "evaluation" of f. */
  readonly tape?: Granularity;
}

/** The end of a forward solve, from which all of it is found again. */
interface End<R extends Step> {
  readonly replay: Replay<R>;
  readonly inverse: Inverse<Ode>;
  readonly y: Leaves;
  readonly carry: Leaves;
}

/** How far the state that was found again lies from the initial one. */
const driftOf = (y0: Leaves, again: Leaves): number => scope(() => largestOf(y0.map((leaf, i) => leaf.sub(again[i]!))));

const pullBack = <R extends Step>(
  { replay, inverse, y, carry }: End<R>,
  cotangents: OutputCotangents,
  captured: readonly Tensor[],
): InputCotangents => {
  const { problem, times } = replay;
  const { stats, solver, term, y0 } = problem;
  const isState = solver.carries === "state";
  const tape = createRegion("tape");
  const kept = alternating("tape");
  let drift = 0;
  const account = {
    stats,
    report: () => ({ advanced: 0, taped: times.length - 1, drift }),
    close: () => [tape, kept].forEach((one) => one.close()),
  };
  return accounted(account, () => {
    let working: WorkingState = { y, carry };
    let costate = costateAtEnd(replay, cotangents, captured);
    for (let j = times.length - 2; j >= 0; j--) {
      const region = kept.next();
      const back = allocatingIn(tape, () => {
        const after = isState ? (working.carry ?? []) : solver.start(term, times[j + 1]!, working.y);
        return inverse(term, times[j]!, times[j + 1]!, working.y, after);
      });
      working = allocatingIn(region, () => ({ y: copies(back.y0), carry: isState ? copies(back.carry0) : undefined }));
      const result = allocatingIn(tape, () => reverseStep(replay, j, working, cotangents, captured, costate));
      costate = allocatingIn(region, () => bringCostate(result));
      kept.settle();
      tape.reset();
    }
    drift = driftOf(y0, working.y);
    if (isState) costate = allocatingIn(tape, () => reverseStart(replay, captured, costate));
    return cotangentsAtStart(costate, cotangents, replay.firstSave[0]!, captured);
  });
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
      const { inverse } = problem.solver;
      if (inverse === undefined) throw new IncompatibleError(sentences.reversibleAdjoint);
      if (timeValue(problem.t0) === timeValue(problem.t1)) return ofNothing.solve(problem);
      let carry: Leaves = [];
      const keepCarry = (last: R): void => {
        if (problem.solver.carries === "state") carry = heapCopies(last.carry);
      };
      const forward = solveForward(problem, { end: keepCarry });
      const { outputs, times } = forward;
      const replay = replayOf(forward, tape);
      const pullback = (cotangents: OutputCotangents, captured: readonly Tensor[]): InputCotangents => {
        refuseMovedTimes("reversibleAdjoint", problem);
        return pullBack({ replay, inverse, y: outputs.y1, carry }, cotangents, captured);
      };
      return { outputs, grid: times, pullback };
    },
  } satisfies Adjoint<ReversibleStep>);
};
