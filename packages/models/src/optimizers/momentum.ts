/**
 * @file Gradient descent with momentum, the heavy ball.
 *
 *   v ← β v + g,  θ ← θ − α v
 *
 * B. T. Polyak, Some methods of speeding up the convergence of iteration methods, USSR Comput. Math. Math. Phys. 4(5), 1964, 1–17.
 */
import { checkOptions, mapTree, weightedSum, zerosLike, zipTrees } from "@dydt/tensor";
import { requireBetween } from "../options.js";
import { requireSameForm, scheduleOf, treeOf, type Optimizer, type Rate } from "./optimizer.js";

/** Options of {@link momentum}. */
export interface MomentumOptions {
  /** How much of the velocity stays, β; default 0.9. A constant gradient moves 1 / (1 − β) times as far as with {@link sgd}. */
  readonly decay?: number;
}

/**
 * Gradient descent with momentum.
 *
 * @param rate - the step length α, a number or a function of the iteration.
 * @returns an optimizer that remembers a velocity: one tree of the form of the parameters.
 * @throws OptionError for a rate that is no finite number of at least 0, a decay outside [0, 1), and unknown options.
 * @example
 * const optimizer = momentum(0.1, { decay: 0.5 });
 * const start = tensor([1]);
 * const first = optimizer.update(tensor([1]), optimizer.init(start), start);
 * const second = optimizer.update(tensor([1]), first.state, first.parameters);
 * expectClose(second.parameters, [0.75]); // 1 − 0.1 · 1 − 0.1 · 1.5
 */
export const momentum = (rate: Rate, options: MomentumOptions = {}): Optimizer => {
  checkOptions("momentum", options, ["decay"]);
  const { decay = 0.9 } = options;
  requireBetween("momentum", "decay", decay, 0, 1);
  const rateAt = scheduleOf("momentum", rate);
  return Object.freeze<Optimizer>({
    init: (parameters) => ({ iteration: 0, trees: { velocity: mapTree(zerosLike, parameters) }, numbers: {} }),
    update: (gradient, state, parameters) => {
      requireSameForm("momentum", gradient, parameters);
      const weights = [-rateAt(state.iteration)];
      const velocity = zipTrees((g, v) => weightedSum(g, [decay], [v]), gradient, treeOf("momentum", state, "velocity"));
      return {
        parameters: zipTrees((x, v) => weightedSum(x, weights, [v]), parameters, velocity),
        state: { iteration: state.iteration + 1, trees: { velocity }, numbers: {} },
      };
    },
  });
};
