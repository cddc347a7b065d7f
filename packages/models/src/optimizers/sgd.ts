/**
 * @file Gradient descent.
 *
 *   θ ← θ − α g
 *
 * H. Robbins, S. Monro, A Stochastic Approximation Method, Ann. Math. Statist. 22(3), 1951, 400–407.
 */
import { OptionError, weightedSum, zipTrees } from "@dydt/tensor";
import { requireSameForm, scheduleOf, type Optimizer, type Rate } from "./optimizer.js";

/**
 * Gradient descent, stochastic when the loss is.
 *
 * @param rate - the step length α, a number or a function of the iteration.
 * @returns an optimizer without memory but for the count.
 * @throws OptionError for a rate that is no finite number of at least 0, and for options: it has none.
 * @example
 * const optimizer = sgd(0.1);
 * const start = tensor([1, 2]);
 * const { parameters } = optimizer.update(tensor([1, -1]), optimizer.init(start), start);
 * expectClose(parameters, [0.9, 2.1]);
 */
export function sgd(rate: Rate): Optimizer;
export function sgd(rate: Rate, ...more: readonly unknown[]): Optimizer {
  if (more[0] !== undefined) throw new OptionError("sgd takes a rate alone: use momentum(rate, { decay }) for a velocity");
  const rateAt = scheduleOf("sgd", rate);
  return Object.freeze<Optimizer>({
    init: () => ({ iteration: 0, trees: {}, numbers: {} }),
    update: (gradient, state, parameters) => {
      requireSameForm("sgd", gradient, parameters);
      const weights = [-rateAt(state.iteration)];
      return {
        parameters: zipTrees((x, g) => weightedSum(x, weights, [g]), parameters, gradient),
        state: { ...state, iteration: state.iteration + 1 },
      };
    },
  });
}
