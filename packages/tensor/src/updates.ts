/**
 * @file The step of Adam on one tensor of parameters.
 *
 *   m ← β₁ m + (1 − β₁) g,  v ← β₂ v + (1 − β₂) g²,  x ← x + w m / (√(v / c) + ε)          c = 1 − β₂ᵗ, w = −α / (1 − β₁ᵗ)
 *
 * While nobody looks, one kernel computes it in a single pass. While somebody records, or inspects every operation, it is made of operations, so that a training
 * can be differentiated. Both ways give the same bits. Descent with or without momentum needs no such kernel: a weighted sum is one already.
 */
import { kernels } from "./backend/active.js";
import type { AdamNumbers } from "./backend/kernels.js";
import { isFloat } from "./dtype.js";
import { add, div, sqrt, square } from "./elementwise.js";
import { isUnobserved } from "./primitive.js";
import { weightedSum } from "./reduce.js";
import { sameShape } from "./shape.js";
import { allocate, type Tensor } from "./tensor.js";

/** Whether one pass will do. Operands that do not fit are left to the operations, which say what is wrong with them. */
const inOnePass = (x: Tensor, others: readonly Tensor[]): boolean =>
  isUnobserved() && isFloat(x.dtype) && others.every((y) => y.dtype === x.dtype && sameShape(y.shape, x.shape));

const resultLike = (x: Tensor): Tensor => {
  const out = allocate(x.shape, x.dtype);
  out.op = "adam";
  return out;
};

/**
 * One step of Adam.
 *
 * @param x - the parameters; the others have their shape and type.
 * @param gradient - g.
 * @param mean - m.
 * @param meanSquare - v.
 * @param numbers - β₁, β₂, c, ε and w.
 * @returns the new x, m and v.
 * @example
 * const numbers = { beta1: 0.5, beta2: 0.75, correction: 0.25, epsilon: 0, weight: -0.2 };
 * const [x, m, v] = adamUpdate(tensor([1]), tensor([4]), tensor([0]), tensor([0]), numbers);
 * expectClose(x, [0.9]); // 1 − 0.2 · 2 / √(4 / 0.25)
 * expectClose(m, [2]);
 * expectClose(v, [4]);
 */
export const adamUpdate = (
  x: Tensor,
  gradient: Tensor,
  mean: Tensor,
  meanSquare: Tensor,
  numbers: AdamNumbers,
): readonly [Tensor, Tensor, Tensor] => {
  if (inOnePass(x, [gradient, mean, meanSquare])) {
    const out = [resultLike(x), resultLike(x), resultLike(x)] as const;
    kernels.adam([x, gradient, mean, meanSquare], numbers, out);
    return out;
  }
  const { beta1, beta2, correction, epsilon, weight } = numbers;
  const m = weightedSum(null, [beta1, 1 - beta1], [mean, gradient]);
  const v = weightedSum(null, [beta2, 1 - beta2], [meanSquare, square(gradient)]);
  return [weightedSum(x, [weight], [div(m, add(sqrt(div(v, correction)), epsilon))]), m, v];
};
