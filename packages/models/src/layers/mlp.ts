/**
 * @file The multilayer perceptron.
 *
 *   x₀ = x,  xᵢ₊₁ = σ(xᵢ Wᵢ + bᵢ),  y = x_L Wₗ + b_L
 */
import { checkOptions, OptionError, type Dtype, type Random, type Tensor } from "@dydt/tensor";
import type { Module } from "../module.js";
import { requireList } from "../options.js";
import { activationOf, type Activation } from "./activation.js";
import { applyLinear, linear, requireOperands, requireRandom, type LinearParameters } from "./linear.js";

/** Parameters of {@link mlp}. */
export interface MlpParameters {
  /** From the input to the output. */
  readonly layers: readonly LinearParameters[];
}

/** Options of {@link mlp}. */
export interface MlpOptions {
  /** After every layer but the last; default "tanh". */
  readonly activation?: Activation;
  /** After the last layer; default "identity". */
  readonly finalActivation?: Activation;
  /** Factor on the initial values of every layer; default 1. */
  readonly gain?: number;
  /** Element type: float64 (default) or float32. */
  readonly dtype?: Dtype;
}

/**
 * Linear layers with an activation between them.
 *
 * @param sizes - lengths of the last axis: of the input, after each hidden layer, of the output.
 * @returns a module from `[..., sizes[0]]` to `[..., sizes[sizes.length - 1]]`; a single state has no leading axis, and the same bits as in a batch.
 * @throws OptionError for fewer than two sizes, sizes that are no positive whole numbers, an unknown activation, unknown options, and wrong arguments of `init` and
 * `apply`.
 * @example
 * const net = mlp([2, 32, 2], { activation: "softplus" });
 * const parameters = net.init(random(0));
 * const states = tensor([[1, 2], [3, 4]]);
 * expectClose(net.apply(parameters, states).at(1), net.apply(parameters, states.at(1)));
 */
export const mlp = (sizes: readonly number[], options: MlpOptions = {}): Module<MlpParameters> => {
  requireList("mlp", "sizes", sizes, "mlp([2, 32, 2])");
  checkOptions("mlp", options, ["activation", "finalActivation", "gain", "dtype"]);
  if (sizes.length < 2)
    throw new OptionError(`mlp got ${sizes.length} sizes: it needs those of the input and of the output at least, as in mlp([2, 32, 2])`);
  const { gain = 1, dtype = "float64" } = options;
  const { activation = "tanh", finalActivation = "identity" } = options;
  for (const one of [activation, finalActivation]) activationOf(one); // a name that is not known is refused here
  const modules = sizes.slice(1).map((outputs, i) => linear(sizes[i]!, outputs, { gain, dtype }));
  return Object.freeze({
    init: (random: Random) => {
      requireRandom("mlp", random);
      return { layers: modules.map((module) => module.init(random)) };
    },
    apply: (parameters: MlpParameters, x: Tensor) => {
      requireOperands("mlp", parameters?.layers?.length === modules.length, x);
      return modules.reduce((state, _, i) => applyLinear(parameters.layers[i]!, state, i === modules.length - 1 ? finalActivation : activation), x);
    },
  });
};
