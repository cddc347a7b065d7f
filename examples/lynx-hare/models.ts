/**
 * @file Two models of y = (u, v) = (log hares, log lynxes): a network that knows nothing, and the equations of Lotka and Volterra.
 *
 *   neural          dy/dt = W₂ tanh(W₁ 2(y − ȳ) + b₁) + b₂            162 parameters, ȳ the mean of the observations
 *   Lotka–Volterra  du/dt = a − b eᵛ,  dv/dt = −c + d eᵘ              a, b, c, d > 0: what is learned is their logarithms
 *
 * Both start at the observation of 1900.
 */
import { random, stack, tensor, type Tensor } from "@dydt/tensor";
import { revolve, type Schedule } from "@dydt/autodiff";
import { adaptive, discreteAdjoint, solve, type Solution } from "@dydt/ode";
import { meanSquaredError, mlp } from "@dydt/models";
import { observed, years } from "./data.js";

/** A vector field with parameters. */
export interface Model<P> {
  readonly name: string;
  readonly start: P;
  readonly slope: (parameters: P, y: Tensor) => Tensor;
}

const network = mlp([2, 32, 2], { activation: "tanh" });
const mean = observed.mean({ axis: 0 });

/** Any smooth field, as a network. */
export const neural: Model<ReturnType<typeof network.init>> = {
  name: "neural ODE",
  start: network.init(random(1)),
  slope: (parameters, y) => network.apply(parameters, y.sub(mean).mul(2)),
};

/** Logarithms of the four rates. */
export interface Rates {
  /** log a, log c: hares multiply and lynxes starve, each year. */
  readonly alone: Tensor;
  /** log b, log d: what a thousand lynxes do to hares, and a thousand hares to lynxes, each year. */
  readonly together: Tensor;
}

const signs = tensor([1, -1]);

/** Predator and prey. */
export const lotkaVolterra: Model<Rates> = {
  name: "Lotka–Volterra",
  start: { alone: tensor([0.5, 0.5]).log(), together: tensor([0.025, 0.015]).log() },
  slope: ({ alone, together }, y) =>
    alone
      .exp()
      .sub(together.exp().mul(y.exp().flip(-1)))
      .mul(signs),
};

/** How a model is solved. */
export interface Solving {
  /** Times of the states, in years from the start; default those of the observations. */
  readonly saveAt?: readonly number[];
  /** rtol and atol; default 1e-4. */
  readonly tolerance?: number;
  /** Which states are kept for the gradient; default 8 of them. */
  readonly checkpoints?: Schedule;
  /** `[2]`, or several to be followed at once, `[starts, 2]`; default the observation of 1900. */
  readonly from?: Tensor;
}

/** The solution of a model. Its gradient is exactly that of the numbers it returns, whatever the tolerance. */
export const follow = <P>({ slope }: Model<P>, parameters: P, solving: Solving = {}): Solution<Tensor> => {
  const { saveAt = years, tolerance = 1e-4, checkpoints = revolve(8), from = observed.at(0) } = solving;
  return solve((_t, y) => slope(parameters, y), from, {
    t0: 0,
    t1: saveAt.at(-1)!,
    saveAt,
    controller: adaptive({ rtol: tolerance, atol: tolerance }),
    adjoint: discreteAdjoint({ checkpoints }),
  });
};

/**
 * The mean square of log(model / observed) over so many years ahead, from every year that has so many ahead of it.
 *
 * With all 20 years ahead that is the one solution from 1900.
 */
export const misfit = <P>(model: Model<P>, parameters: P, ahead = years.length - 1, tolerance = 1e-4): Tensor => {
  const starts = years.length - ahead;
  const saveAt = years.slice(1, ahead + 1);
  const target = stack(saveAt.map((later) => observed.slice([[later, later + starts], null])));
  return meanSquaredError(follow(model, parameters, { saveAt, tolerance, from: observed.slice([[0, starts], null]) }).ys, target);
};

/** √misfit over the whole record, at a tolerance much finer than that of the training: what the equation does, not its solver. */
export const rootMeanSquare = <P>(model: Model<P>, parameters: P): number => Math.sqrt(misfit(model, parameters, years.length - 1, 1e-8).item());
