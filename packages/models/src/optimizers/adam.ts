/**
 * @file Adam.
 *
 *   m ← β₁ m + (1 − β₁) g,        m̂ = m / (1 − β₁ᵗ)
 *   v ← β₂ v + (1 − β₂) g²,       v̂ = v / (1 − β₂ᵗ)
 *   θ ← θ − α m̂ / (√v̂ + ε)
 *
 * D. P. Kingma, J. Ba, Adam: A Method for Stochastic Optimization, ICLR 2015, algorithm 1. β₁ᵗ and β₂ᵗ are products that grow by a factor each update.
 */
import { adamUpdate, checkOptions, leavesLike, leavesOf, mapTree, unflatten, zerosLike } from "@dydt/tensor";
import { requireBetween } from "../options.js";
import { numberOf, requireSameForm, scheduleOf, treeOf, type Optimizer, type Rate } from "./optimizer.js";

/** Options of {@link adam}. */
export interface AdamOptions {
  /** How much of the mean of the gradients stays, β₁; default 0.9. */
  readonly beta1?: number;
  /** How much of the mean of their squares stays, β₂; default 0.999. */
  readonly beta2?: number;
  /** Added to √v̂, so that a gradient of zero moves nothing, ε; default 1e-8. */
  readonly epsilon?: number;
}

/**
 * Adam: steps of about the rate in each parameter, whatever the scale of its gradient.
 *
 * @param rate - the step length α, a number or a function of the iteration.
 * @returns an optimizer that remembers two trees of the form of the parameters, and two numbers.
 * @throws OptionError for a rate that is no finite number of at least 0, betas outside [0, 1), an epsilon below 0, and unknown options.
 * @example
 * const optimizer = adam(0.01);
 * const start = { x: tensor([1, 1]) };
 * const { parameters } = optimizer.update({ x: tensor([1000, -0.001]) }, optimizer.init(start), start);
 * expectClose(parameters.x, [0.99, 1.01], { rtol: 1e-6 });
 */
export const adam = (rate: Rate, options: AdamOptions = {}): Optimizer => {
  checkOptions("adam", options, ["beta1", "beta2", "epsilon"]);
  const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 } = options;
  requireBetween("adam", "beta1", beta1, 0, 1);
  requireBetween("adam", "beta2", beta2, 0, 1);
  requireBetween("adam", "epsilon", epsilon, 0, Infinity);
  const rateAt = scheduleOf("adam", rate);
  return Object.freeze<Optimizer>({
    init: (parameters) => ({
      iteration: 0,
      trees: { mean: mapTree(zerosLike, parameters), meanSquare: mapTree(zerosLike, parameters) },
      numbers: { beta1Power: 1, beta2Power: 1 },
    }),
    update: (gradient, state, parameters) => {
      requireSameForm("adam", gradient, parameters);
      const beta1Power = numberOf("adam", state, "beta1Power") * beta1;
      const beta2Power = numberOf("adam", state, "beta2Power") * beta2;
      const weight = -rateAt(state.iteration) / (1 - beta1Power);
      const numbers = { beta1, beta2, correction: 1 - beta2Power, epsilon, weight };
      const means = leavesLike(parameters, treeOf("adam", state, "mean"));
      const meanSquares = leavesLike(parameters, treeOf("adam", state, "meanSquare"));
      const gradients = leavesLike(parameters, gradient);
      const stepped = leavesOf(parameters).map((x, i) => adamUpdate(x, gradients[i]!, means[i]!, meanSquares[i]!, numbers));
      const treeOfResults = (which: 0 | 1 | 2) =>
        unflatten(
          parameters,
          stepped.map((results) => results[which]),
        );
      return {
        parameters: treeOfResults(0),
        state: {
          iteration: state.iteration + 1,
          trees: { mean: treeOfResults(1), meanSquare: treeOfResults(2) },
          numbers: { beta1Power, beta2Power },
        },
      };
    },
  });
};
