/**
 * @file Normalisation of activations: to mean 0 and variance 1 over some axes, then scaled and shifted.
 *
 *   y = (x − μ) / √(σ² + ε) · scale + shift
 *
 * J. L. Ba, J. R. Kiros, G. E. Hinton, Layer Normalization, arXiv:1607.06450, eq. 4; Y. Wu, K. He, Group Normalization, arXiv:1803.08494, eq. 1 and 7.
 */
import { add, div, mul, sqrt, square, sub } from "./elementwise.js";
import { ShapeError } from "./errors.js";
import { reshape } from "./movement.js";
import { checkOptions } from "./options.js";
import { mean } from "./reduce.js";
import { formatShape, normalizeAxes } from "./shape.js";
import { requireTensor, type Tensor } from "./tensor.js";

/** Options of {@link layerNormalize} and {@link groupNormalize}. */
export interface NormalizeOptions {
  /** Multiplied in the end; default 1. */
  readonly scale?: Tensor;
  /** Added in the end; default 0. */
  readonly shift?: Tensor;
  /** ε; default 1e-5. */
  readonly epsilon?: number;
}

const normalized = (x: Tensor, axis: readonly number[], epsilon: number): Tensor => {
  const deviation = sub(x, mean(x, { axis, keepDims: true }));
  return div(deviation, sqrt(add(mean(square(deviation), { axis, keepDims: true }), epsilon)));
};

const affinely = (x: Tensor, scale: Tensor | undefined, shift: Tensor | undefined): Tensor => {
  const scaled = scale === undefined ? x : mul(x, scale);
  return shift === undefined ? scaled : add(scaled, shift);
};

/**
 * Normalises over axes, for each index of the others.
 *
 * @param options - `axis`, the last unless given; `scale` and `shift`, of any shape that broadcasts to that of x; `epsilon`.
 * @example
 * expectClose(layerNormalize(tensor([[1, 3], [10, 30]]), { epsilon: 0 }), [[-1, 1], [-1, 1]]);
 */
export const layerNormalize = (x: Tensor, options: NormalizeOptions & { readonly axis?: number | readonly number[] } = {}): Tensor => {
  checkOptions("layerNormalize", options, ["axis", "scale", "shift", "epsilon"]);
  requireTensor("layerNormalize", x);
  const { axis = -1, scale, shift, epsilon = 1e-5 } = options;
  return affinely(normalized(x, normalizeAxes("layerNormalize", axis, x.rank), epsilon), scale, shift);
};

/**
 * Normalises over groups of channels, for each image.
 *
 * @param x - `[batch, channels, ...]`.
 * @param groups - how many; a divisor of the channels.
 * @param options - `scale` and `shift` `[channels]`; `epsilon`.
 * @throws ShapeError when the channels do not divide into the groups.
 * @example
 * expectClose(groupNormalize(tensor([[1, 3, 10, 30]]), 2, { epsilon: 0 }), [[-1, 1, -1, 1]]);
 */
export const groupNormalize = (x: Tensor, groups: number, options: NormalizeOptions = {}): Tensor => {
  checkOptions("groupNormalize", options, ["scale", "shift", "epsilon"]);
  const { scale, shift, epsilon = 1e-5 } = options;
  requireTensor("groupNormalize", x);
  const [batch, channels, ...space] = x.shape;
  if (channels === undefined || !Number.isInteger(groups) || groups < 1 || channels % groups !== 0)
    throw new ShapeError(
      `groupNormalize got shape ${formatShape(x.shape)} and ${groups} groups: [batch, channels, ...] with a multiple of groups channels fits`,
    );
  const grouped = reshape(x, [batch!, groups, channels / groups, ...space]);
  const y = reshape(normalized(grouped, grouped.shape.map((_, i) => i).slice(2), epsilon), x.shape);
  const perChannel = (one: Tensor | undefined): Tensor | undefined => one && reshape(one, [channels, ...space.map(() => 1)]);
  return affinely(y, perChannel(scale), perChannel(shift));
};
