/**
 * @file The direct adjoint: the solve is recorded operation by operation by whoever differentiates it, as one tape over all steps.
 *
 * It is the derivative of the computed solution, as that of the discrete adjoint, and nothing is run again: the fastest where memory is no matter. As nothing is
 * hidden, it can be differentiated any number of times, in any mode.
 */
import { takesNothing } from "../arguments.js";
import type { OpenAdjoint } from "../adjoint.js";
import type { Step } from "../step.js";

const direct: OpenAdjoint<Step> = Object.freeze({ name: "directAdjoint", events: true, solve: "openly" });

/**
 * The exact derivative of the computed solution, to any order, with the whole solve on the tape of whoever differentiates.
 *
 * Cost of the reverse: no evaluation of f, only the way back through those of the forward solve. Memory: all that every step has computed, of rejected attempts
 * as well, which is many times a state for each evaluation. Where that is too much, {@link discreteAdjoint} keeps the tape of one step.
 *
 * `stats.peakBytes` counts the forward solve.
 *
 * @returns an adjoint for any solver, with step costs, running costs, output times and events.
 * @example
 * const end = (k: Tensor) => solve((t, y) => y.mul(k), tensor([1]), { t0: 0, t1: 2, adjoint: directAdjoint() }).y1.sum();
 * expectClose(gradient(end)(tensor(-0.5)), 2 * 0.36787944117144233, { rtol: 1e-5 });
 * expectClose(gradient(gradient(end))(tensor(-0.5)), 4 * 0.36787944117144233, { rtol: 1e-4 });
 */
export const directAdjoint = (...none: readonly []): OpenAdjoint<Step> => {
  takesNothing("directAdjoint", none);
  return direct;
};
