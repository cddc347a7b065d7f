/**
 * @file The functions between the layers of a network, by name.
 */
import { elu, gelu, identity, OptionError, relu, sigmoid, silu, softplus, tanh, type FusedActivation, type Tensor } from "@dydt/tensor";

/** Names of the common activations. */
export type ActivationName = "tanh" | "relu" | "softplus" | "sigmoid" | "silu" | "gelu" | "elu" | "identity";

/** An activation: a name, or any elementwise function. A smooth one keeps adaptive solvers at their order. */
export type Activation = ActivationName | ((x: Tensor) => Tensor);

const activations: Readonly<Record<ActivationName, (x: Tensor) => Tensor>> = {
  tanh,
  relu,
  softplus,
  sigmoid,
  silu,
  gelu: (x) => gelu(x),
  elu: (x) => elu(x),
  identity,
};

const fused: readonly Activation[] = ["identity", "tanh", "sigmoid", "softplus", "relu"] satisfies readonly FusedActivation[];

/** Whether an activation can be computed in one operation with the linear layer before it. */
export const isFused = (activation: Activation): activation is FusedActivation => fused.includes(activation);

/** The function of this name. @throws OptionError for a name that is not known. */
export const activationOf = (activation: Activation): ((x: Tensor) => Tensor) => {
  if (typeof activation === "function") return activation;
  if (!Object.hasOwn(activations, activation))
    throw new OptionError(
      `the activation ${String(activation)} is not known: give one of ${Object.keys(activations).join(", ")}, or a function of a tensor`,
    );
  return activations[activation];
};
