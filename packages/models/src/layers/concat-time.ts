/**
 * @file Time as one more input: f(t, x) = net([x, t]).
 *
 * The simplest way to let a vector field depend on time: R. T. Q. Chen et al., Neural Ordinary Differential Equations, NeurIPS 2018, appendix C.
 */
import { broadcastTo, concat, isTensor, OptionError, type Random, type Tensor } from "@dydt/tensor";
import type { Module, TimeModule } from "../module.js";
import { requireModule } from "../options.js";

/**
 * Feeds the time to a module, as the last column of its input.
 *
 * @param module - takes `[..., n + 1]` where the state has `[..., n]`.
 * @throws OptionError for what is no module.
 * @returns a module of `[t, x]`, with t of shape `[]` and x of shape `[..., n]`. The time gets its derivative too. Its `apply` throws OptionError for anything else.
 * @example
 * const field = concatTime(linear(3, 2));
 * const parameters = { weight: tensor([[1, 0], [0, 1], [10, 20]]), bias: tensor([0, 0]) };
 * expectClose(field.apply(parameters, [tensor(2), tensor([5, 6])]), [25, 46]);
 */
export const concatTime = <P>(module: Module<P>): TimeModule<P> => {
  requireModule("concatTime", module);
  return Object.freeze({
    takesTime: true as const,
    init: (random: Random) => module.init(random),
    apply: (parameters: P, input: readonly [t: Tensor, x: Tensor]) => {
      if (!Array.isArray(input) || input.length !== 2 || !input.every(isTensor))
        throw new OptionError("a module of time and state needs both: call apply(parameters, [t, x])");
      const [t, x] = input;
      return module.apply(parameters, concat([x, broadcastTo(t, [...x.shape.slice(0, -1), 1])], -1));
    },
  });
};
