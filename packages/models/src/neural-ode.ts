/**
 * @file The neural ordinary differential equation: a network that is not applied to its input but followed from it.
 *
 *   dy/dt = net(θ, y)  or  net(θ, t, y),  y(t₀) = x,  output y(t₁)
 *
 * R. T. Q. Chen, Y. Rubanova, J. Bettencourt, D. Duvenaud, Neural Ordinary Differential Equations, NeurIPS 2018, eqs. 2 and 3.
 */
import { solve, type DefaultStep, type Solution, type SolveOptions, type Step } from "@dydt/ode";
import type { Random, Tensor } from "@dydt/tensor";
import type { Module, TimeModule } from "./module.js";
import { requireModule } from "./options.js";

/**
 * A module whose output is the end of a solve.
 *
 * @typeParam P - the parameters of the field.
 */
export interface NeuralOde<P> extends Module<P> {
  /** The whole solution from this initial state: states at the save times, penalties, statistics. Differentiable as `apply` is. */
  readonly solve: (parameters: P, y0: Tensor) => Solution<Tensor>;
}

/**
 * A neural ordinary differential equation.
 *
 * @param field - a network from a state to its slope, such as an `mlp`, or one of time and state, such as `concatTime(mlp(...))`.
 * @param options - those of `solve`: the interval, and how to solve and to differentiate.
 * @returns a module with the parameters of the field, whose `apply` gives the state at t1. A batch `[batch, n]` is one solve with common steps.
 * Cost: that of one solve, and of its adjoint when it is differentiated. Wrong options throw what `solve` throws, at the first call. `throw: false` is for the
 * module's `solve` alone: `apply` throws for a solve that fails.
 * @throws OptionError for a field that is no module.
 * @example
 * const model = neuralOde(linear(1, 1), { t0: 0, t1: 1, saveAt: [0, 0.5, 1] });
 * const decay = { weight: tensor([[-1]]), bias: tensor([0]) };
 * expectClose(model.apply(decay, tensor([1])), [0.36787944], { rtol: 1e-5 });
 * expectClose(model.solve(decay, tensor([1])).ys, [[1], [0.60653066], [0.36787944]], { rtol: 1e-5 });
 */
export const neuralOde = <P, R extends Step = DefaultStep>(field: Module<P> | TimeModule<P>, options: SolveOptions<R>): NeuralOde<P> => {
  requireModule("neuralOde", field);
  const slope = (parameters: P, t: Tensor, y: Tensor): Tensor =>
    "takesTime" in field ? field.apply(parameters, [t, y]) : field.apply(parameters, y);
  const solveFrom = (parameters: P, y0: Tensor): Solution<Tensor> => solve((t, y: Tensor) => slope(parameters, t, y), y0, options);
  return Object.freeze({
    init: (random: Random) => field.init(random),
    apply: (parameters: P, y0: Tensor) => {
      const { y1, error } = solveFrom(parameters, y0);
      if (error !== undefined) throw error; // a bare state has no status: where a solve failed would pass for the end
      return y1;
    },
    solve: solveFrom,
  });
};
