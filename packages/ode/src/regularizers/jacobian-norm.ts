/**
 * @file The size of the field's Jacobian, estimated with one random direction: a field that is nearly constant in space is easy to solve.
 *
 *   R = ∫ ‖εᵀ ∂f/∂y‖² dt,  E over ε of the integrand = ‖∂f/∂y‖²_F   (C. Finlay et al., How to Train Your Neural ODE, ICML 2020, eq. 7)
 */
import {
  allocatingIn, checkOptions, formatShape, heap, leavesOf, OptionError, random, sameShape, ShapeError, unrecorded, type Tensor,
} from "@dydt/tensor"; // prettier-ignore
import type { Leaves } from "../step.js";
import { countOf, sumOfSquares } from "./norms.js";
import type { RunningCost } from "./running.js";

/** Options of {@link jacobianNorm}. */
export interface JacobianNormOptions {
  /** The direction ε, a tree like the state: take the one of the trace estimator where there is one. Default: drawn once from `seed`, of independent ±1. */
  readonly probe?: unknown;
  /** Default 0. A new cost with another seed draws another direction. */
  readonly seed?: number;
  /** "l2" (default): the sum of the squares of all components. "rms": their mean. */
  readonly norm?: "l2" | "rms";
}

/**
 * The integral of the squared Frobenius norm of ∂f/∂y, estimated without bias, as a running cost: it serves every solver and every adjoint.
 *
 * Cost: one vector-Jacobian product for each evaluation of f; one more number in the state.
 *
 * @throws ShapeError when the probe has not the shape of the state.
 * @example
 * const { penalties } = solve((t, y) => y.mul(-2), tensor([1, 1]), { t0: 0, t1: 1, regularize: jacobianNorm() });
 * expectClose(penalties[0]!, 8);
 */
export const jacobianNorm = (options: JacobianNormOptions = {}): RunningCost => {
  checkOptions("jacobianNorm", options, ["probe", "seed", "norm"]);
  const { probe, seed = 0, norm = "l2" } = options;
  if (norm !== "l2" && norm !== "rms") throw new OptionError(`jacobianNorm got norm "${String(norm)}": "l2" or "rms"`);
  const given = probe === undefined ? undefined : leavesOf(probe);
  let drawn: Leaves | undefined;
  const signs = (y: Leaves): Leaves => {
    const stream = random(seed);
    // Kept for all steps, and for all solves: on the heap.
    return unrecorded(() => allocatingIn(heap, () => y.map(({ shape, dtype }) => stream.uniform(shape, { dtype }).sub(0.5).sign())));
  };
  const matches = (probe: Leaves, y: Leaves): boolean => probe.length === y.length && probe.every((leaf, i) => sameShape(leaf.shape, y[i]!.shape));
  const directionFor = (y: Leaves): Leaves => {
    if (given === undefined)
      return (drawn = drawn !== undefined && matches(drawn, y) && drawn.every(({ dtype }, i) => dtype === y[i]!.dtype) ? drawn : signs(y));
    if (matches(given, y)) return given;
    const shapes = (leaves: Leaves): string => leaves.map((leaf: Tensor) => formatShape(leaf.shape)).join(", ");
    throw new ShapeError(`jacobianNorm got a probe of shape ${shapes(given)} for a state of shape ${shapes(y)}`);
  };
  return Object.freeze({
    name: "jacobianNorm",
    running: true,
    pullsBack: true,
    rate: ({ y, pullback }) => {
      const rows = pullback(directionFor(y));
      return norm === "l2" ? sumOfSquares(rows) : sumOfSquares(rows).div(countOf(rows));
    },
  } satisfies RunningCost);
};
