/**
 * @file Second derivatives of scalar functions: forward mode over reverse mode, so that each product with the Hessian costs a few evaluations of the function.
 *
 *   H v = d/dε ∇f(x + ε v) at ε = 0
 *
 * B. A. Pearlmutter, Fast exact multiplication by the Hessian, Neural Computation 6(1), 1994.
 */
import type { Tensor } from "@dydt/tensor";
import { requireFunctionAlone } from "./curried.js";
import { gradient } from "./gradient.js";
import { jacobianByColumns, type JacobianOf } from "./jacobian.js";
import { jvp } from "./jvp.js";

/**
 * The product of the Hessian of a scalar function with a vector.
 *
 * Works through `solve` with a discrete adjoint, and through every node whose pullback is made of operations: forward mode sees through it.
 *
 * @param f - from a tree of tensors to a tensor of one element.
 * @param x - where.
 * @param v - the vector: a tree like x.
 * @returns (∂²f/∂x²) v, a tree like x. Cost: about twice that of a gradient.
 * @throws what {@link gradient} and {@link jvp} throw.
 * @example
 * // f = x₀² x₁
 * const product = hessianVectorProduct((x: Tensor) => x.at(0).square().mul(x.at(1)), tensor([2, 3]), tensor([1, 0]));
 * expectClose(product, [6, 4]);
 */
export const hessianVectorProduct = <X>(f: (x: X) => Tensor, x: X, v: NoInfer<X>): X => jvp(gradient(f), x, v).tangent;

/**
 * The Hessian of a scalar function, as a function.
 *
 * @param f - from a tree of tensors to a tensor of one element.
 * @returns the function x ↦ ∂²f/∂x² of shape `[...x.shape, ...x.shape]`; for a tree x a tree of trees. Cost: one gradient (one for every 32 numbers in x), and
 * for each number in x about as much again; memory: at most 33 times that of a gradient.
 * @throws what {@link hessianVectorProduct} throws; OptionError for anything but the function alone.
 * @example
 * expectClose(hessian((x: Tensor) => x.at(0).square().mul(x.at(1)))(tensor([2, 3])), [[6, 4], [4, 0]]);
 */
export function hessian<X>(f: (x: X) => Tensor): (x: X) => JacobianOf<X, X>;
export function hessian<X>(f: (x: X) => Tensor, ...more: readonly unknown[]): (x: X) => JacobianOf<X, X> {
  requireFunctionAlone("hessian", f, more);
  return (x) => jacobianByColumns(gradient(f), x);
}
