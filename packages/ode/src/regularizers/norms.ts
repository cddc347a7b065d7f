/**
 * @file Norms over all leaves of a state, as tensors, with derivative zero where they are zero.
 */
import { abs, add, equal, maximum, max, sqrt, square, sum, tensor, where, type Tensor } from "@dydt/tensor";
import type { Leaves } from "../step.js";

/** Σ of a function of the leaves. */
const total = (parts: readonly Tensor[]): Tensor => parts.reduce((a, b) => add(a, b));

/** Σ x². */
export const sumOfSquares = (x: Leaves): Tensor => total(x.map((leaf) => sum(square(leaf))));

/** √x with derivative zero at zero: a vanishing estimate has nothing to be regularized. */
export const rootOrZero = (x: Tensor): Tensor => {
  const zero = equal(x, 0);
  return where(zero, 0, sqrt(where(zero, 1, x)));
};

/** √(Σ x²). */
export const euclidean = (x: Leaves): Tensor => rootOrZero(sumOfSquares(x));

/** √(mean x²). */
export const rootMeanSquare = (x: Leaves): Tensor => rootOrZero(sumOfSquares(x).div(countOf(x)));

/** max |x|. */
export const largest = (x: Leaves): Tensor => x.map((leaf) => (leaf.size === 0 ? tensor(0) : max(abs(leaf)))).reduce((a, b) => maximum(a, b));

/** Number of components. */
export const countOf = (x: Leaves): number => x.reduce((count, leaf) => count + leaf.size, 0);
