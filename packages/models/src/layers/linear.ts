/**
 * @file The affine layer.
 *
 *   y = x W + b,  Wᵢⱼ and bⱼ uniform in ±gain/√inputs at the start
 *
 * These are the initial values of PyTorch's nn.Linear (Kaiming's uniform ones with a = √5): K. He et al., ICCV 2015, eq. 14.
 */
import { affine, checkOptions, isTensor, OptionError } from "@dydt/tensor";
import type { Dtype, Random, Shape, Tensor } from "@dydt/tensor";
import type { Module } from "../module.js";
import { activationOf, isFused, type Activation } from "./activation.js";
import { requireBetween, requirePositiveInteger } from "../options.js";

/** Parameters of {@link linear}. */
export interface LinearParameters {
  /** `[inputs, outputs]`. */
  readonly weight: Tensor;
  /** `[outputs]`; not there for a layer without a bias. */
  readonly bias?: Tensor;
}

/** Options of {@link linear}. */
export interface LinearOptions {
  /** Whether b is added; default true. */
  readonly bias?: boolean;
  /** Factor on the initial values; default 1. Small ones make a vector field that begins near zero, and so an easy first solve. */
  readonly gain?: number;
  /** Element type of the parameters, and so of what the layer takes: float64 (default) or float32. */
  readonly dtype?: Dtype;
}

/** @throws OptionError for what draws no numbers. */
export const requireRandom = (name: string, random: Random): void => {
  if (typeof random?.uniform !== "function") throw new OptionError(`init of ${name} needs a stream of random numbers: call init(random(0))`);
};

/** @throws OptionError for parameters and input that are swapped, or something else. */
export const requireOperands = (name: string, fits: boolean, x: Tensor): void => {
  if (!fits)
    throw new OptionError(`${name} got other parameters than it has: call apply(parameters, x), with the parameters as init makes them first`);
  if (!isTensor(x)) throw new OptionError(`${name} got ${typeof x} as its input: call apply(parameters, x) with a tensor x`);
};

/** σ(x W + b), as one operation where that is known. */
export const applyLinear = ({ weight, bias }: LinearParameters, x: Tensor, activation: Activation = "identity"): Tensor => {
  if (bias !== undefined && isFused(activation)) return affine(x, weight, bias, activation);
  return activationOf(activation)(bias === undefined ? x.matmul(weight) : affine(x, weight, bias));
};

/**
 * The affine layer y = x W + b.
 *
 * @param inputs - length of the last axis of the input.
 * @param outputs - length of the last axis of the output.
 * @returns a module from `[..., inputs]` to `[..., outputs]`.
 * @throws OptionError for lengths that are no positive whole numbers, unknown options, and wrong arguments of `init` and `apply`; ShapeError when it is applied to
 * another last axis.
 * @example
 * const layer = linear(2, 1);
 * const parameters = { weight: tensor([[3], [4]]), bias: tensor([0.5]) };
 * expectClose(layer.apply(parameters, tensor([1, 1])), [7.5]);
 * expectClose(layer.apply(parameters, tensor([[1, 1], [0, 2]])), [[7.5], [8.5]]);
 */
export const linear = (inputs: number, outputs: number, options: LinearOptions = {}): Module<LinearParameters> => {
  checkOptions("linear", options, ["bias", "gain", "dtype"]);
  requirePositiveInteger("linear", "inputs", inputs);
  requirePositiveInteger("linear", "outputs", outputs);
  const { bias = true, gain = 1, dtype = "float64" } = options;
  requireBetween("linear", "gain", gain, 0, Infinity);
  const bound = gain / Math.sqrt(inputs);
  const draw = (random: Random, shape: Shape): Tensor =>
    random
      .uniform(shape, { dtype })
      .sub(0.5)
      .mul(2 * bound);
  return Object.freeze({
    init: (random: Random) => {
      requireRandom("linear", random);
      const weight = draw(random, [inputs, outputs]);
      return bias ? { weight, bias: draw(random, [outputs]) } : { weight };
    },
    apply: (parameters: LinearParameters, x: Tensor) => {
      requireOperands("linear", isTensor(parameters?.weight), x);
      return applyLinear(parameters, x);
    },
  });
};
