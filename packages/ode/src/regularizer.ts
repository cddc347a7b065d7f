/**
 * @file Step costs: what a solver knows of its steps, as something to be made small.
 *
 *   R = Σⱼ r(stepⱼ)   (or the mean, or the largest)
 *
 * A. Pal, Y. Ma, V. Shah, C. Rackauckas, Opening the Blackbox: Accelerating Neural Differential Equations by Regularizing Internal Solver Heuristics, ICML 2021.
 *
 * **Contract.** `cost` computes a 0-d tensor from a step record with tensor operations only, so that it can be differentiated exactly; step lengths are
 * constants of the derivative. It says in its type which record it needs.
 */
import { abs, formatShape, isTensor, OptionError, type Tensor } from "@dydt/tensor";
import { described } from "./arguments.js";
import type { Tolerances } from "./controller.js";
import type { Step } from "./step.js";

/** How the costs of the steps become one number. */
export type Reduce = "sum" | "mean" | "max";

/** A cost of each step, for steps that are at least records R. */
export interface Regularizer<in R extends Step> {
  readonly name: string;
  /** A property that every step must have, and the sentence to say when it has not. */
  readonly needs?: { readonly property: string; readonly otherwise: string };
  readonly reduce: Reduce;
  /** The cost of one step; `tolerances` are the controller's, undefined where it has none. */
  readonly cost: (step: R, tolerances: Tolerances | undefined) => Tensor;
}

/** @throws OptionError for a way of reducing that is not known, and for no truth value. */
export const checkReduce = (name: string, reduce: Reduce, timesStep = true): void => {
  if (typeof timesStep !== "boolean") throw new OptionError(`${name} got timesStep ${described(timesStep)}: true or false`);
  if (!["sum", "mean", "max"].includes(reduce)) throw new OptionError(`${name} got reduce "${String(reduce)}": sum, mean or max`);
};

/** @throws OptionError for a cost that is no 0-d tensor, saying whose it is. */
export const requireScalar = (name: string, cost: unknown): Tensor => {
  if (isTensor(cost) && cost.size === 1) return cost.rank === 0 ? cost : cost.reshape([]);
  const what = isTensor(cost) ? `a tensor of shape ${formatShape(cost.shape)}` : typeof cost;
  throw new OptionError(`the cost ${name} returned ${what}: a 0-d tensor is needed, for example by sum()`);
};

/** The same regularizer, which says so where its cost is no number. */
export const checkedRegularizer = <R extends Step>(regularizer: Regularizer<R>): Regularizer<R> => {
  const { name, reduce, cost } = regularizer;
  checkReduce(name, reduce);
  return { ...regularizer, cost: (step, tolerances) => requireScalar(name, cost(step, tolerances)) };
};

/** A cost times the length of its step. */
export const timesLength = (cost: Tensor, step: Step): Tensor => cost.mul(isTensor(step.h) ? abs(step.h).cast(cost.dtype) : Math.abs(step.h));
