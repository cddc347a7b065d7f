/**
 * @file Gradients of scalar functions of trees.
 */
import {
  copyOut,
  DtypeError,
  formatShape,
  full,
  inTemporaryRegion,
  isFloat,
  isTensor,
  OptionError,
  ShapeError,
  synchronous,
  type Tensor,
} from "@dydt/tensor";
import { requireFunctionAlone } from "./curried.js";
import { vjp } from "./vjp.js";

/** A scalar with something to carry along, which has no part in the derivative. */
export interface Auxiliary<A> {
  readonly value: Tensor;
  readonly auxiliary: A;
}

const scalarOf = (value: unknown): Tensor => {
  if (!isTensor(value))
    throw new OptionError(`a function to be differentiated must return a tensor, or { value, auxiliary }, but it returned ${typeof value}`);
  if (!isFloat(value.dtype))
    throw new DtypeError(`a gradient needs a function with a float as its value, got ${value.dtype}, which has no derivative`);
  if (value.size !== 1)
    throw new ShapeError(
      `a gradient needs a function with one number as its value, got shape ${formatShape(value.shape)}: sum() it, or use vjp for all its rows`,
    );
  return value;
};

const differentiate = <X, A>(f: (x: X) => Tensor | Auxiliary<A>, x: X): { readonly value: Tensor; readonly auxiliary?: A; readonly gradient: X } =>
  inTemporaryRegion("tape", (outside) => {
    let carried: { readonly auxiliary?: A } = {};
    const { value, pullback } = vjp((at: X) => {
      const result = synchronous(f(at));
      if (typeof result !== "object" || result === null || isTensor(result) || !("auxiliary" in result)) return scalarOf(result);
      carried = { auxiliary: result.auxiliary };
      return scalarOf(result.value);
    }, x);
    const gradient = pullback(full(value.shape, 1, { dtype: value.dtype }));
    return copyOut({ value, ...carried, gradient }, outside);
  });

/**
 * The gradient of a scalar function, as a function.
 *
 * @param f - from a tree of tensors to a tensor of one element.
 * @returns the function x ↦ ∂f/∂x, of the form of x. Cost: about three evaluations of f; all memory but the result is released.
 * @throws OptionError for anything but the function alone; the function ShapeError when the value has more than one element, DtypeError when it is no float.
 * @example
 * expectClose(gradient((x: Tensor) => x.square().sum())(tensor([1, 2])), [2, 4]);
 */
export function gradient<X>(f: (x: X) => Tensor): (x: X) => X;
export function gradient<X>(f: (x: X) => Tensor, ...more: readonly unknown[]): (x: X) => X {
  requireFunctionAlone("gradient", f, more);
  return (x) => differentiate(f, x).gradient;
}

/**
 * Value and gradient of a scalar function in one run, as a function.
 *
 * @param f - from a tree of tensors to a tensor of one element, or to `{ value, auxiliary }`: the auxiliary is handed through.
 * @returns the function x ↦ { value, gradient, auxiliary }.
 * @throws OptionError for anything but the function alone; the function ShapeError when the value has more than one element, DtypeError when it is no float.
 * @example
 * const { value, gradient: slope } = valueAndGradient((x: Tensor) => x.sin().sum())(tensor([0]));
 * expectClose(value, 0);
 * expectClose(slope, [1]);
 */
export function valueAndGradient<X, A>(f: (x: X) => Auxiliary<A>): (x: X) => { readonly value: Tensor; readonly auxiliary: A; readonly gradient: X };
export function valueAndGradient<X>(f: (x: X) => Tensor): (x: X) => { readonly value: Tensor; readonly gradient: X };
export function valueAndGradient<X, A>(f: (x: X) => Tensor | Auxiliary<A>, ...more: readonly unknown[]) {
  requireFunctionAlone("valueAndGradient", f, more);
  return (x: X) => differentiate(f, x);
}
