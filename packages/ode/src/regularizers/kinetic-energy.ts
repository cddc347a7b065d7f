/**
 * @file The kinetic energy of the path: straight and slow trajectories are easy to solve.
 *
 *   R = ∫ ‖f(t, y)‖² dt   (C. Finlay et al., How to Train Your Neural ODE, ICML 2020, eq. 6)
 */
import { checkOptions, OptionError } from "@dydt/tensor";
import { countOf, sumOfSquares } from "./norms.js";
import type { RunningCost } from "./running.js";

/** Options of {@link kineticEnergy}. */
export interface KineticEnergyOptions {
  /** "l2" (default): the sum of the squares of all components. "rms": their mean, which does not grow with the batch. */
  readonly norm?: "l2" | "rms";
}

/**
 * The integral of the squared speed, as a running cost: it serves every solver and every adjoint.
 *
 * Cost: none in evaluations of f; one more number in the state.
 *
 * @example
 * const { penalties } = solve((t, y) => y.mul(0).add(2), tensor([0, 0, 0]), { t0: 0, t1: 2, regularize: kineticEnergy() });
 * expectClose(penalties[0]!, 24);
 */
export const kineticEnergy = (options: KineticEnergyOptions = {}): RunningCost => {
  checkOptions("kineticEnergy", options, ["norm"]);
  const { norm = "l2" } = options;
  if (norm !== "l2" && norm !== "rms") throw new OptionError(`kineticEnergy got norm "${String(norm)}": "l2" or "rms"`);
  return Object.freeze({
    name: "kineticEnergy",
    running: true,
    rate: ({ slope }) => (norm === "l2" ? sumOfSquares(slope) : sumOfSquares(slope).div(countOf(slope))),
  } satisfies RunningCost);
};
