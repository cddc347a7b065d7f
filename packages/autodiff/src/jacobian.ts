/**
 * @file The whole Jacobian: one column a run in forward mode, one row a pullback in reverse mode, whichever are fewer.
 */
import {
  copyOut, inTemporaryRegion, leavesOf, reshape, stack, tensor, unflatten, zeros, zerosLike, type Tensor,
} from "@dydt/tensor"; // prettier-ignore
import { jvp } from "./jvp.js";
import { vjp } from "./vjp.js";

/** Of a value Y and an argument X: the tree of the value with, for each of its tensors, a tree of the argument. */
export type JacobianOf<Y, X> = Y extends Tensor ? X : { readonly [K in keyof Y]: JacobianOf<Y[K], X> };

/** Zeros with a one in one place. */
const unit = (like: Tensor, i: number): Tensor => {
  const elements = new Float64Array(like.size);
  elements[i] = 1;
  return tensor(elements, { shape: like.shape, dtype: like.dtype });
};

/** All directions that have a one in one place: for each tensor and each of its elements. */
const directions = <X>(x: X, leaves: readonly Tensor[], leaf: number): readonly X[] =>
  Array.from({ length: leaves[leaf]!.size }, (_, i) =>
    unflatten(
      x,
      leaves.map((other, k) => (k === leaf ? unit(other, i) : zerosLike(other))),
    ),
  );

/** Columns [...y.shape] as a Jacobian [...y.shape, ...x.shape]. */
const fromColumns = (columns: readonly Tensor[], y: Tensor, x: Tensor): Tensor =>
  columns.length === 0 ? zeros([...y.shape, ...x.shape], { dtype: y.dtype }) : reshape(stack(columns, y.rank), [...y.shape, ...x.shape]);

/** Rows [...x.shape] as a Jacobian [...y.shape, ...x.shape]. */
const fromRows = (rows: readonly Tensor[], y: Tensor, x: Tensor): Tensor =>
  rows.length === 0 ? zeros([...y.shape, ...x.shape], { dtype: x.dtype }) : reshape(stack(rows), [...y.shape, ...x.shape]);

const sizeOfAll = (leaves: readonly Tensor[]): number => leaves.reduce((sum, { size }) => sum + size, 0);

/** A Jacobian as a tree, from its blocks by tensor of the value and tensor of the argument. */
const assemble = <X, Y>(x: X, value: Y, blocks: readonly (readonly Tensor[])[]): JacobianOf<Y, X> => {
  let next = 0;
  const build = (tree: unknown): unknown => {
    if (typeof tree === "object" && tree !== null && !("dtype" in tree && "shape" in tree))
      return Array.isArray(tree) ? tree.map(build) : Object.fromEntries(Object.entries(tree).map(([key, branch]) => [key, build(branch)]));
    return unflatten(x, blocks[next++]!);
  };
  return build(value) as JacobianOf<Y, X>;
};

/**
 * The Jacobian of a function, as a function.
 *
 * For trees it is the tree of the value, with a tree like x in the place of each of its tensors.
 *
 * @param f - from a tree of tensors to a tree of tensors.
 * @returns the function x ↦ ∂f/∂x of shape `[...y.shape, ...x.shape]`. Cost: with n numbers in x and m in f(x), n runs in forward mode where n ≤ m, or
 * one run and m pullbacks besides the first of these.
 * @throws what {@link jvp} and {@link vjp} throw.
 * @example
 * const derivative = jacobian((x: Tensor) => stack([x.at(0).mul(x.at(1)), x.at(0).sin()]))(tensor([0, 3]));
 * expectClose(derivative, [[3, 0], [1, 0]]);
 */
export const jacobian =
  <X, Y>(f: (x: X) => Y) =>
  (x: X): JacobianOf<Y, X> =>
    inTemporaryRegion("tape", (outside) => {
      const leaves = leavesOf(x);
      const n = sizeOfAll(leaves);
      const along = leaves.map((_, leaf) => directions(x, leaves, leaf));
      const first = along.flat()[0];
      if (first !== undefined) {
        const { value, tangent } = jvp(f, x, first);
        if (n <= sizeOfAll(leavesOf(value))) return copyOut(byColumns(value, tangent), outside);
      }
      return copyOut(byRows(), outside);

      function byColumns(value: Y, firstTangent: Y): JacobianOf<Y, X> {
        let known: Y | undefined = firstTangent;
        const columns = along.map((list) =>
          list.map((direction) => {
            const tangent = known ?? jvp(f, x, direction).tangent;
            known = undefined;
            return leavesOf(tangent);
          }),
        );
        const ys = leavesOf(value);
        return assemble(x, value, ys.map((y, j) => leaves.map((leaf, i) => fromColumns(columns[i]!.map((column) => column[j]!), y, leaf)))); // prettier-ignore
      }

      function byRows(): JacobianOf<Y, X> {
        const { value, pullback } = vjp(f, x);
        const ys = leavesOf(value);
        const blocks = ys.map((y, j) => {
          const rows = directions(value, ys, j).map((direction) => leavesOf(pullback(direction)));
          return leaves.map((leaf, i) => fromRows(rows.map((row) => row[i]!), y, leaf)); // prettier-ignore
        });
        return assemble(x, value, blocks);
      }
    });
