/**
 * @file Losses: how far a prediction is from its target, as one number.
 *
 * Prediction and target must have the same shape. Broadcasting here would hide a mistake: `[n]` against `[n, 1]` compares every pair.
 */
import { checkOptions, formatShape, isFloat, isTensor, OptionError, sameShape, ShapeError, type Tensor } from "@dydt/tensor";
import { requireBetween } from "./options.js";

const difference = (name: string, prediction: Tensor, target: Tensor): Tensor => {
  for (const [what, value] of Object.entries({ prediction, target }))
    if (!isTensor(value))
      throw new OptionError(
        `${name} got ${Array.isArray(value) ? "an array" : typeof value} as its ${what}: make a tensor of it with tensor(${what})`,
      );
  if (!sameShape(prediction.shape, target.shape))
    throw new ShapeError(
      `${name} got a prediction of shape ${formatShape(prediction.shape)} and a target of shape ${formatShape(target.shape)}: reshape one of them`,
    );
  if (prediction.size === 0)
    throw new ShapeError(`${name} got no elements (shape ${formatShape(prediction.shape)}): the mean of nothing is no number`);
  // Whole numbers would overflow in the square.
  return (isFloat(prediction.dtype) || isFloat(target.dtype) ? prediction : prediction.cast("float64")).sub(target);
};

/**
 * The mean of (prediction − target)², over all elements.
 *
 * @param prediction - any shape.
 * @param target - the same shape.
 * @returns a tensor of shape `[]`.
 * @throws ShapeError when the shapes differ or hold nothing; OptionError for what is no tensor.
 * @example
 * expectClose(meanSquaredError(tensor([1, 2]), tensor([1, 4])), 2);
 */
export const meanSquaredError = (prediction: Tensor, target: Tensor): Tensor => difference("meanSquaredError", prediction, target).square().mean();

/**
 * The mean of |prediction − target|, over all elements; derivative 0 where they are equal.
 *
 * @param prediction - any shape.
 * @param target - the same shape.
 * @returns a tensor of shape `[]`.
 * @throws ShapeError when the shapes differ or hold nothing; OptionError for what is no tensor.
 * @example
 * expectClose(meanAbsoluteError(tensor([1, 2]), tensor([1, 4])), 1);
 */
export const meanAbsoluteError = (prediction: Tensor, target: Tensor): Tensor => difference("meanAbsoluteError", prediction, target).abs().mean();

/** Options of {@link huber}. */
export interface HuberOptions {
  /** Where the square ends and the straight line begins; default 1. */
  readonly delta?: number;
}

/**
 * The mean of Huber's loss of r = prediction − target: ½ r² for |r| ≤ δ, and δ (|r| − ½ δ) beyond, so that outliers pull with a bounded force.
 *
 * P. J. Huber, Robust Estimation of a Location Parameter, Ann. Math. Statist. 35(1), 1964, 73–101.
 *
 * @param prediction - any shape.
 * @param target - the same shape.
 * @returns a tensor of shape `[]`.
 * @throws ShapeError when the shapes differ or hold nothing; OptionError for a delta below 0, and for what is no tensor.
 * @example
 * expectClose(huber(tensor([0.5, 3]), tensor([0, 0])), (0.125 + 2.5) / 2);
 */
export const huber = (prediction: Tensor, target: Tensor, options: HuberOptions = {}): Tensor => {
  checkOptions("huber", options, ["delta"]);
  const { delta = 1 } = options;
  requireBetween("huber", "delta", delta, 0, Infinity);
  const residual = difference("huber", prediction, target);
  // |r| held at δ, written s, makes both pieces one formula, s (|r| − ½ s), whose derivative is s at both sides of δ.
  const size = residual.abs();
  const held = size.minimum(delta);
  return held.mul(size.sub(held.mul(0.5))).mean();
};
