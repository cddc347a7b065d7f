/**
 * @file What an optimizer is, and what all of them share.
 *
 * An optimizer is a pair of pure functions over trees, as in optax: `init` makes its memory, `update` takes one step. Nothing is changed in place, and the
 * memory is plain data, trees of tensors and numbers, so that it can be kept, compared and saved. No power is computed anywhere: β¹, β², ... are running products.
 */
import { DtypeError, formatShape, leavesLike, leavesOf, OptionError, sameShape, ShapeError } from "@dydt/tensor";

/** A step length: a number, or a function of how many updates were made before (0 for the first). */
export type Rate = number | ((iteration: number) => number);

/**
 * The memory of an optimizer: plain data.
 *
 * @typeParam P - the parameters.
 */
export interface OptimizerState<P> {
  /** How many updates were made. */
  readonly iteration: number;
  /** Trees of the form of the parameters, by name, such as the mean of the gradients. */
  readonly trees: Readonly<Record<string, P>>;
  /** Numbers by name, such as β₁ᵗ. */
  readonly numbers: Readonly<Record<string, number>>;
}

/**
 * A rule that improves parameters by a gradient.
 *
 * **Contract.** Both functions are pure and take any tree of float tensors. `update` keeps shapes and element types, and never gives tensors of its arguments
 * other numbers. The state of the next call is the one that the last call gave.
 *
 * @example
 * const signDescent: Optimizer = {
 *   init: () => ({ iteration: 0, trees: {}, numbers: {} }),
 *   update: (gradient, state, parameters) => ({
 *     parameters: zipTrees((x, g) => x.sub(g.sign().mul(0.01)), parameters, gradient),
 *     state: { ...state, iteration: state.iteration + 1 },
 *   }),
 * };
 * const start = { x: tensor([1, 2]) };
 * expectClose(signDescent.update({ x: tensor([5, -5]) }, signDescent.init(start), start).parameters.x, [0.99, 2.01]);
 */
export interface Optimizer {
  /** The memory before the first update. */
  readonly init: <P>(parameters: P) => OptimizerState<P>;
  /** One step: better parameters, and the memory for the next one. */
  readonly update: <P>(gradient: P, state: OptimizerState<P>, parameters: P) => { readonly parameters: P; readonly state: OptimizerState<P> };
}

const requireRate = (name: string, rate: number, where: string): number => {
  if (typeof rate !== "number" || !(rate >= 0 && rate < Infinity))
    throw new OptionError(`${name} got the rate ${String(rate)}${where}: a finite number of at least 0 is needed`);
  return rate;
};

/** A rate as a function of the iteration, whose values are checked. @throws OptionError at once for a number that is no rate. */
export const scheduleOf = (name: string, rate: Rate): ((iteration: number) => number) => {
  if (typeof rate === "function") return (iteration) => requireRate(name, rate(iteration), ` at iteration ${iteration}`);
  requireRate(name, rate, "");
  return () => rate;
};

const missing = (name: string, key: string): never => {
  throw new OptionError(`${name} got a state without ${key}, so that of another optimizer: begin with init(parameters)`);
};

/** A tree of the memory. @throws OptionError when there is none of that name. */
export const treeOf = <P>(name: string, state: OptimizerState<P>, key: string): P => state.trees[key] ?? missing(name, key);

/** A number of the memory. @throws OptionError when there is none of that name. */
export const numberOf = <P>(name: string, state: OptimizerState<P>, key: string): number => state.numbers[key] ?? missing(name, key);

/** @throws ShapeError or DtypeError unless the gradient has the form, the shapes and the element types of the parameters. */
export const requireSameForm = <P>(name: string, gradient: P, parameters: P): void => {
  const wanted = leavesOf(parameters);
  leavesLike(parameters, gradient).forEach((g, i) => {
    const { shape, dtype } = wanted[i]!;
    if (!sameShape(g.shape, shape))
      throw new ShapeError(`${name} got a gradient of shape ${formatShape(g.shape)} for a parameter of shape ${formatShape(shape)}`);
    if (g.dtype !== dtype) throw new DtypeError(`${name} got a ${g.dtype} gradient for a ${dtype} parameter: convert it with cast`);
  });
};
