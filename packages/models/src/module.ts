/**
 * @file What every layer and model is: a way to make parameters, and a function of parameters and input.
 *
 * A module holds no state. Parameters are a tree of tensors that the caller keeps; optimizers map trees to trees, and derivatives have the form of the parameters.
 */
import type { Random, Tensor } from "@dydt/tensor";

/**
 * A function with parameters.
 *
 * **Contract.** `init` makes float tensors, the same ones for the same stream of random numbers. `apply` is pure: it computes with operations on tensors, and
 * takes one sample as it takes a batch of them, along leading axes.
 *
 * @typeParam P - the parameters, a tree of tensors.
 * @typeParam X - the input.
 * @typeParam Y - the output.
 * @example
 * const scale: Module<{ readonly factor: Tensor }> = {
 *   init: (random) => ({ factor: random.normal([]) }),
 *   apply: ({ factor }, x) => x.mul(factor),
 * };
 * expectClose(scale.apply({ factor: tensor(3) }, tensor([1, 2])), [3, 6]);
 */
export interface Module<P, X = Tensor, Y = Tensor> {
  /** Fresh parameters. */
  readonly init: (random: Random) => P;
  /** The output for these parameters and this input. */
  readonly apply: (parameters: P, x: X) => Y;
}

/**
 * A module of time and state, as `concatTime` makes it. The mark tells it from a module of the state alone, in plain JavaScript too.
 *
 * @typeParam P - the parameters, a tree of tensors.
 */
export interface TimeModule<P> extends Module<P, readonly [t: Tensor, x: Tensor]> {
  readonly takesTime: true;
}
