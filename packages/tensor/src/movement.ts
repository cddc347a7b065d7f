/**
 * @file Operations that move elements and compute nothing: reshape, transpose, at, broadcastTo, and the transpose of that.
 *
 * Reshape and at share the memory of their operand.
 */
import { kernels } from "./backend/active.js";
import { ShapeError } from "./errors.js";
import { primitive } from "./primitive.js";
import {
  broadcastShapes,
  broadcastStrides,
  checkShape,
  formatShape,
  normalizeAxis,
  requireList,
  sameShape,
  sizeOf,
  stridesOf,
  type Shape,
} from "./shape.js";
import { copyStrided } from "./strided.js";
import { alias, allocate, arrayOf, requireTensor, type Tensor } from "./tensor.js";

/** The same tensor under another header, so that it can be watched apart from the original. Shares memory. */
export const identity = primitive("identity", (x: Tensor): Tensor => alias(x, x.shape));

/** Copies into the innermost open region; recorded, so that derivatives follow. */
export const copy = primitive("copy", (x: Tensor): Tensor => {
  const out = allocate(x.shape, x.dtype);
  arrayOf(out).set(arrayOf(x).subarray(x.offset, x.offset + x.size), out.offset);
  return out;
});

/**
 * The same elements, row by row, in another shape. Shares memory.
 *
 * @param shape - one length may be -1: it follows from the others.
 * @throws ShapeError when the number of elements differs.
 */
export const reshape = primitive("reshape", (x: Tensor, shape: Shape): Tensor => {
  requireTensor("reshape", x);
  requireList("reshape", shape, "reshape(x, [2, -1])");
  const unknown = shape.indexOf(-1);
  const known = shape.reduce((product, length) => (length === -1 ? product : product * length), 1);
  const full = shape.map((length, i) => (i === unknown ? x.size / known : length));
  if (shape.filter((length) => length === -1).length > 1 || full.some((length) => !Number.isInteger(length) || length < 0) || sizeOf(full) !== x.size)
    throw new ShapeError(`reshape got ${formatShape(x.shape)} with ${x.size} elements, which do not fill ${formatShape(shape)}`);
  return alias(x, full);
});

/**
 * Axes in another order; reversed unless given.
 *
 * @param axes - a permutation of the axes: axis i of the result is axis `axes[i]` of x.
 * @throws ShapeError when it is no permutation.
 */
export const transpose = primitive("transpose", (x: Tensor, axes?: readonly number[]): Tensor => {
  requireTensor("transpose", x);
  if (axes !== undefined) requireList("transpose", axes, "transpose(x, [1, 0])");
  const order = axes === undefined ? x.shape.map((_, i) => x.rank - 1 - i) : axes.map((axis) => normalizeAxis("transpose", axis, x.rank));
  if (order.length !== x.rank || new Set(order).size !== x.rank)
    throw new ShapeError(`transpose got axes ${formatShape(axes ?? [])}, which is no permutation of the ${x.rank} axes of ${formatShape(x.shape)}`);
  const strides = stridesOf(x.shape);
  const out = allocate(
    order.map((axis) => x.shape[axis]!),
    x.dtype,
  );
  copyStrided(out.shape, x, { strides: order.map((axis) => strides[axis]!), start: 0 }, out, { strides: stridesOf(out.shape), start: 0 });
  return out;
});

/** Element i along the first axis of `shape`, counted from the front. */
const elementIndex = (op: string, shape: Shape, i: number): number => {
  const length = shape[0]!;
  const index = i < 0 ? i + length : i;
  if (!Number.isInteger(index) || index < 0 || index >= length)
    throw new ShapeError(`${op}(${i}) is outside the first axis of ${formatShape(shape)}`);
  return index;
};

/**
 * Element i along the first axis. Shares memory.
 *
 * @param i - from -length to length - 1.
 * @throws ShapeError when there is no such element.
 */
export const at = primitive("at", (x: Tensor, i: number): Tensor => {
  requireTensor("at", x);
  if (x.rank === 0) throw new ShapeError("at() needs at least one axis, but this tensor is a single number: use item()");
  const index = elementIndex("at", x.shape, i);
  const shape = x.shape.slice(1);
  return alias(x, shape, index * sizeOf(shape));
});

/** Zeros of `shape` with x as element i along the first axis: the transpose of {@link at}. */
export const embedAt = primitive("embedAt", (x: Tensor, shape: Shape, i: number): Tensor => {
  if (checkShape("embedAt", shape).length === 0 || !sameShape(x.shape, shape.slice(1)))
    throw new ShapeError(`embedAt got ${formatShape(x.shape)} for an element of ${formatShape(shape)}`);
  const index = elementIndex("embedAt", shape, i);
  const out = allocate(shape, x.dtype);
  const to = arrayOf(out);
  const from = arrayOf(x);
  to.fill(0, out.offset, out.offset + out.size);
  const start = out.offset + index * x.size;
  for (let e = 0; e < x.size; e++) to[start + e] = from[x.offset + e]!;
  return out;
});

/**
 * Repeats axes of length 1, and missing ones in front, to fill a shape.
 *
 * @throws ShapeError when the shapes do not broadcast.
 */
export const broadcastTo = primitive("broadcastTo", (x: Tensor, shape: Shape): Tensor => {
  requireTensor("broadcastTo", x);
  requireList("broadcastTo", shape, "broadcastTo(x, [2, 3])");
  if (!sameShape(broadcastShapes("broadcastTo", x.shape, checkShape("broadcastTo", shape)), shape))
    throw new ShapeError(`broadcastTo cannot make ${formatShape(shape)} of ${formatShape(x.shape)}: an axis would shrink`);
  const out = allocate([...shape], x.dtype);
  if (out.size === 0) return out;
  if (x.size === 1) arrayOf(out).fill(arrayOf(x)[x.offset]!, out.offset, out.offset + out.size);
  else copyStrided(shape, x, { strides: broadcastStrides(x.shape, shape), start: 0 }, out, { strides: stridesOf(shape), start: 0 });
  return out;
});

/** Sums over the axes that {@link broadcastTo} would repeat: its transpose. @throws ShapeError when `shape` does not broadcast to that of x. */
export const sumTo = primitive("sumTo", (x: Tensor, shape: Shape): Tensor => {
  if (sameShape(x.shape, shape)) return alias(x, shape);
  if (!sameShape(broadcastShapes("sumTo", x.shape, shape), x.shape))
    throw new ShapeError(`sumTo cannot make ${formatShape(shape)} of ${formatShape(x.shape)}: an axis would grow`);
  const lead = x.rank - shape.length;
  let from = x;
  // From the first axis on, each summed axis as [outer, length, inner]; neighbouring axes are summed together.
  for (let axis = 0; axis < x.rank; axis++) {
    const summed = (i: number): boolean => i < lead || (shape[i - lead] === 1 && x.shape[i] !== 1);
    if (!summed(axis)) continue;
    let end = axis + 1;
    while (end < x.rank && summed(end)) end++;
    const kept = from.shape.map((length, i) => (i >= axis && i < end ? 1 : length));
    const out = allocate(kept, x.dtype);
    kernels.reduce("sum", from, sizeOf(kept.slice(0, axis)), sizeOf(x.shape.slice(axis, end)), sizeOf(kept.slice(end)), out);
    from = out;
    axis = end;
  }
  return alias(from, shape);
});
