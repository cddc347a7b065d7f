/**
 * @file The whole Jacobian: a tangent for each column along one evaluation, or a pullback for each row, whichever are fewer.
 */
import {
  cast, copyOut, inTemporaryRegion, leavesOf, mapTree, reshape, stack, synchronous, tensor, unflatten, unrecorded, zeros, zerosLike, type Tensor,
} from "@dydt/tensor"; // prettier-ignore
import { requireFunctionAlone } from "./curried.js";
import { pushforward } from "./jvp.js";
import { vjp } from "./vjp.js";

/** Of a value Y and an argument X: the tree of the value with, for each of its tensors, a tree of the argument. */
export type JacobianOf<Y, X> = Y extends Tensor ? X : { readonly [K in keyof Y]: JacobianOf<Y[K], X> };

/** Zeros with a one in one place. */
const unit = (like: Tensor, i: number): Tensor => {
  const elements = new Float64Array(like.size);
  elements[i] = 1;
  return tensor(elements, { shape: like.shape, dtype: like.dtype });
};

/** All directions that have a one in one place, in the order of the elements; each is made when it is asked for. */
const unitDirections = <X>(x: X, leaves: readonly Tensor[]): readonly (() => X)[] => {
  const zero = leaves.map((leaf) => zerosLike(leaf));
  const direction = (at: number, i: number): X =>
    unflatten(
      x,
      zero.map((other, k) => (k === at ? unit(other, i) : other)),
    );
  return leaves.flatMap(({ size }, at) => Array.from({ length: size }, (_, i) => () => direction(at, i)));
};

/** A list with an entry for each element, cut into those of each tensor. */
const byTensor = <T>(list: readonly T[], leaves: readonly Tensor[]): readonly (readonly T[])[] => {
  let next = 0;
  return leaves.map(({ size }) => list.slice(next, (next += size)));
};

/** Columns [...y.shape] as a Jacobian [...y.shape, ...x.shape], all of the type of y. */
const fromColumns = (columns: readonly Tensor[], y: Tensor, x: Tensor): Tensor =>
  columns.length === 0 ? zeros([...y.shape, ...x.shape], { dtype: y.dtype }) : reshape(stack(columns, y.rank), [...y.shape, ...x.shape]);

/** Rows [...x.shape] of the type of x as a Jacobian [...y.shape, ...x.shape] of that of y. */
const fromRows = (rows: readonly Tensor[], y: Tensor, x: Tensor): Tensor => {
  if (rows.length === 0) return zeros([...y.shape, ...x.shape], { dtype: y.dtype });
  const matrix = reshape(stack(rows), [...y.shape, ...x.shape]);
  return y.dtype === x.dtype ? matrix : cast(matrix, y.dtype);
};

const sizeOfAll = (leaves: readonly Tensor[]): number => leaves.reduce((sum, { size }) => sum + size, 0);

/** A Jacobian as a tree, from its blocks by tensor of the value and tensor of the argument: a tree of the argument in the place of each tensor. */
const assemble = <X, Y>(x: X, value: Y, blocks: readonly (readonly Tensor[])[]): JacobianOf<Y, X> => {
  let next = 0;
  return mapTree(() => unflatten<unknown>(x, blocks[next++]!) as Tensor, value) as unknown as JacobianOf<Y, X>;
};

/** How many tangents go along one evaluation: memory grows with them, and by then the evaluation is a small part of the work. */
const atOnce = 32;

/** The Jacobian by columns: one evaluation, or one for every 32 columns, with as many tangents. */
export const jacobianByColumns = <X, Y>(f: (x: X) => Y, x: X): JacobianOf<Y, X> =>
  inTemporaryRegion("tape", (outside) => {
    const leaves = leavesOf(x);
    const directions = unitDirections(x, leaves);
    const columns: (readonly Tensor[])[] = [];
    let value: Y;
    do {
      const moved = pushforward(f, x, directions.slice(columns.length, columns.length + atOnce).map((direction) => direction())); // prettier-ignore
      value = moved.value;
      columns.push(...moved.tangents.map((tangent) => leavesOf(tangent)));
    } while (columns.length < directions.length);
    const groups = byTensor(columns, leaves);
    const blocks = leavesOf(value).map((y, j) => leaves.map((leaf, i) => fromColumns(groups[i]!.map((column) => column[j]!), y, leaf))); // prettier-ignore
    return copyOut(assemble(x, value, blocks), outside);
  });

/** The Jacobian by rows: one evaluation, and a pullback for each. */
export const jacobianByRows = <X, Y>(f: (x: X) => Y, x: X): JacobianOf<Y, X> =>
  inTemporaryRegion("tape", (outside) => {
    const leaves = leavesOf(x);
    const { value, pullback } = vjp(f, x);
    const ys = leavesOf(value);
    const rows = unitDirections(value, ys).map((direction) => leavesOf(pullback(direction())));
    const blocks = byTensor(rows, ys).map((ofTensor, j) => leaves.map((leaf, i) => fromRows(ofTensor.map((row) => row[i]!), ys[j]!, leaf))); // prettier-ignore
    return copyOut(assemble(x, value, blocks), outside);
  });

/** How many numbers f gives at x: a look that nobody records and nothing is kept of. */
const sizeOfValue = <X, Y>(f: (x: X) => Y, x: X): number => unrecorded(() => inTemporaryRegion("tape", () => sizeOfAll(leavesOf(synchronous(f(x))))));

/** So many columns cost no more than to see how many rows there are and to pull back one of them: then nobody looks. */
const few = 3;

/**
 * The Jacobian of a function, as a function.
 *
 * For trees it is the tree of the value, with a tree like x in the place of each of its tensors. What stands in that place has the element type of the tensor of the
 * value, as a tangent has, whichever way it is computed; for integers and masks it is zeros of their type.
 *
 * Cost, with n numbers in x and m in f(x): for n ≤ 3 one evaluation that carries n tangents. Beyond, one evaluation to see m, and then for n ≤ m one that
 * carries n tangents (one for every 32 of them, so that memory is at most 33 times that of f), else a taped one with m pullbacks.
 *
 * @param f - from a tree of tensors to a tree of tensors.
 * @returns the function x ↦ ∂f/∂x of shape `[...y.shape, ...x.shape]` and of the type of y.
 * @throws what {@link pushforward} and {@link vjp} throw; OptionError for anything but the function alone.
 * @example
 * const derivative = jacobian((x: Tensor) => stack([x.at(0).mul(x.at(1)), x.at(0).sin()]))(tensor([0, 3]));
 * expectClose(derivative, [[3, 0], [1, 0]]);
 */
export function jacobian<X, Y>(f: (x: X) => Y): (x: X) => JacobianOf<Y, X>;
export function jacobian<X, Y>(f: (x: X) => Y, ...more: readonly unknown[]): (x: X) => JacobianOf<Y, X> {
  requireFunctionAlone("jacobian", f, more);
  return (x) => {
    const n = sizeOfAll(leavesOf(x));
    return n <= few || n <= sizeOfValue(f, x) ? jacobianByColumns(f, x) : jacobianByRows(f, x);
  };
}
