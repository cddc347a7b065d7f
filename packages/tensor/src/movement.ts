/**
 * @file Operations that move elements and compute nothing: reshape, transpose, slice, concat, broadcast and their transposes.
 *
 * Reshape, at and slices in one piece share the memory of their operand; the others copy through ndarray views.
 */
import ndarray, { type NdArray } from "ndarray";
import ops from "ndarray-ops";
import type { TypedArray } from "./dtype.js";
import { DtypeError, ShapeError } from "./errors.js";
import { primitive } from "./primitive.js";
import { broadcastShapes, broadcastStrides, checkShape, formatShape, normalizeAxis, sameShape, sizeOf, stridesOf, type Shape } from "./shape.js";
import { alias, allocate, arrayOf, type Tensor } from "./tensor.js";
import { kernels } from "./backend/active.js";

/** For one axis: [start, stop, step] as in NumPy, each may be left out; negative counts from the end; null takes all. */
export type Range = readonly [start?: number | null, stop?: number | null, step?: number] | null;

const view = (x: Tensor, shape: Shape, strides: readonly number[], start = 0): NdArray<TypedArray> =>
  ndarray(arrayOf(x), [...shape], [...strides], x.offset + start);
const copyInto = (out: NdArray<TypedArray>, from: NdArray<TypedArray>): void => {
  ops.assign(out, from);
};
const whole = (x: Tensor): NdArray<TypedArray> => view(x, x.shape, stridesOf(x.shape));

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
  const unknown = shape.indexOf(-1);
  const known = shape.reduce((product, length) => (length === -1 ? product : product * length), 1);
  const full = unknown < 0 ? shape : shape.map((length, i) => (i === unknown ? x.size / known : length));
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
  const order = axes === undefined ? x.shape.map((_, i) => x.rank - 1 - i) : axes.map((axis) => normalizeAxis("transpose", axis, x.rank));
  if (order.length !== x.rank || new Set(order).size !== x.rank)
    throw new ShapeError(`transpose got axes ${formatShape(axes ?? [])}, which is no permutation of the ${x.rank} axes of ${formatShape(x.shape)}`);
  const strides = stridesOf(x.shape);
  const out = allocate(
    order.map((axis) => x.shape[axis]!),
    x.dtype,
  );
  if (x.size > 0)
    copyInto(
      whole(out),
      view(
        x,
        out.shape,
        order.map((axis) => strides[axis]!),
      ),
    );
  return out;
});

/** A range with everything filled in: first index, number of indices, step. */
interface Cut {
  readonly first: number;
  readonly count: number;
  readonly step: number;
}

const cutAxis = (range: Range | undefined, length: number): Cut => {
  const [start, stop, step = 1] = range ?? [];
  if (!Number.isInteger(step) || step === 0) throw new ShapeError(`slice got step ${step}: a whole number that is not 0 is needed`);
  for (const index of [start, stop])
    if (index !== undefined && index !== null && !Number.isInteger(index)) throw new ShapeError(`slice got index ${index}: whole numbers are needed`);
  const clamp = (index: number, low: number, high: number): number => Math.min(Math.max(index < 0 ? index + length : index, low), high);
  const first =
    start === undefined || start === null ? (step > 0 ? 0 : length - 1) : step > 0 ? clamp(start, 0, length) : clamp(start, -1, length - 1);
  const end = stop === undefined || stop === null ? (step > 0 ? length : -1) : step > 0 ? clamp(stop, 0, length) : clamp(stop, -1, length - 1);
  return { first, count: Math.max(0, Math.ceil((end - first) / step)), step };
};

const cutAll = (op: string, shape: Shape, ranges: readonly Range[]): readonly Cut[] => {
  if (ranges.length > shape.length)
    throw new ShapeError(`${op} got ${ranges.length} ranges for shape ${formatShape(shape)} with ${shape.length} axes`);
  return shape.map((length, i) => cutAxis(ranges[i], length));
};

const part = (x: Tensor, cuts: readonly Cut[]): NdArray<TypedArray> => {
  const strides = stridesOf(x.shape);
  return view(
    x,
    cuts.map((cut) => cut.count),
    cuts.map((cut, i) => cut.step * strides[i]!),
    cuts.reduce((start, cut, i) => start + cut.first * strides[i]!, 0),
  );
};

/** First element of a part that lies in one piece: only the first axis is cut, in steps of 1. Otherwise undefined. */
const onePiece = (shape: Shape, cuts: readonly Cut[]): number | undefined => {
  for (let i = 0; i < cuts.length; i++) if (cuts[i]!.step !== 1 || (i > 0 && cuts[i]!.count !== shape[i])) return undefined;
  return cuts.length === 0 ? 0 : cuts[0]!.first * sizeOf(shape.slice(1));
};

/**
 * A part of a tensor. Shares memory where the part lies in one piece.
 *
 * @param ranges - per axis `[start?, stop?, step?]`, or null for all; missing ones take all.
 * @example
 * expectClose(slice(tensor([1, 2, 3, 4]), [[1, -1]]), [2, 3]);
 */
export const slice = primitive("slice", (x: Tensor, ranges: readonly Range[]): Tensor => {
  const cuts = cutAll("slice", x.shape, ranges);
  const start = onePiece(x.shape, cuts);
  if (start !== undefined)
    return alias(
      x,
      cuts.map((cut) => cut.count),
      start,
    );
  const out = allocate(
    cuts.map((cut) => cut.count),
    x.dtype,
  );
  if (out.size > 0) copyInto(whole(out), part(x, cuts));
  return out;
});

/** Zeros of `shape` with x in the place that `ranges` cuts out: the transpose of {@link slice}. */
export const embed = primitive("embed", (x: Tensor, shape: Shape, ranges: readonly Range[]): Tensor => {
  const out = allocate(shape, x.dtype);
  arrayOf(out).fill(0, out.offset, out.offset + out.size);
  const cuts = cutAll("embed", shape, ranges);
  const place = cuts.map((cut) => cut.count);
  if (!sameShape(place, x.shape)) throw new ShapeError(`embed got ${formatShape(x.shape)} for a place of shape ${formatShape(place)}`);
  const start = onePiece(shape, cuts);
  if (start !== undefined) arrayOf(out).set(arrayOf(x).subarray(x.offset, x.offset + x.size), out.offset + start);
  else if (x.size > 0) copyInto(part(out, cuts), whole(x));
  return out;
});

/**
 * Element i along the first axis. Shares memory.
 *
 * @param i - from -length to length - 1.
 * @throws ShapeError when there is no such element.
 */
export const at = primitive("at", (x: Tensor, i: number): Tensor => {
  const length = x.shape[0];
  if (length === undefined) throw new ShapeError("at() needs at least one axis, but this tensor is a single number: use item()");
  const index = i < 0 ? i + length : i;
  if (!Number.isInteger(index) || index < 0 || index >= length) throw new ShapeError(`at(${i}) is outside the first axis of ${formatShape(x.shape)}`);
  const shape = x.shape.slice(1);
  return alias(x, shape, index * sizeOf(shape));
});

/** Elements along an axis in reverse order. */
export const flip = (x: Tensor, axis: number): Tensor => {
  const which = normalizeAxis("flip", axis, x.rank);
  return slice(
    x,
    x.shape.map((_, i): Range => (i === which ? [null, null, -1] : null)),
  );
};

/**
 * Joins tensors along an axis.
 *
 * @param list - at least one; shapes agree besides that axis, element types agree.
 * @throws ShapeError naming the two shapes that do not fit.
 */
export const concat = primitive("concat", (list: readonly Tensor[], axis: number = 0): Tensor => {
  const [first] = list;
  if (first === undefined) throw new ShapeError("concat needs at least one tensor");
  const which = normalizeAxis("concat", axis, first.rank);
  let length = 0;
  for (const x of list) {
    if (x.dtype !== first.dtype) throw new DtypeError(`concat got ${first.dtype} and ${x.dtype}: convert one of them with cast`);
    if (x.rank !== first.rank || x.shape.some((size, i) => i !== which && size !== first.shape[i]))
      throw new ShapeError(`concat along axis ${which} got shapes ${formatShape(first.shape)} and ${formatShape(x.shape)}, which differ elsewhere`);
    length += x.shape[which]!;
  }
  const out = allocate(
    first.shape.map((size, i) => (i === which ? length : size)),
    first.dtype,
  );
  const inner = sizeOf(first.shape.slice(which + 1));
  const outer = sizeOf(first.shape.slice(0, which));
  const to = arrayOf(out);
  let start = out.offset;
  for (const x of list) {
    const from = arrayOf(x);
    const block = x.shape[which]! * inner;
    for (let o = 0; o < outer; o++) to.set(from.subarray(x.offset + o * block, x.offset + (o + 1) * block), start + o * length * inner);
    start += block;
  }
  return out;
});

/**
 * Joins tensors of one shape along a new axis.
 *
 * @param axis - position of the new axis, default 0; negative counts from the end of the result.
 */
export const stack = (list: readonly Tensor[], axis = 0): Tensor => {
  const [first] = list;
  if (first === undefined) throw new ShapeError("stack needs at least one tensor");
  const which = normalizeAxis("stack", axis, first.rank + 1);
  for (const x of list)
    if (!sameShape(x.shape, first.shape))
      throw new ShapeError(`stack got shapes ${formatShape(first.shape)} and ${formatShape(x.shape)}, which must be equal`);
  return concat(
    list.map((x) => reshape(x, [...x.shape.slice(0, which), 1, ...x.shape.slice(which)])),
    which,
  );
};

/**
 * Cuts a tensor along an axis into parts of the given lengths.
 *
 * @throws ShapeError when the lengths do not add up.
 */
export const split = (x: Tensor, lengths: readonly number[], axis = 0): readonly Tensor[] => {
  const which = normalizeAxis("split", axis, x.rank);
  const total = lengths.reduce((sum, length) => sum + length, 0);
  checkShape("split", lengths);
  if (total !== x.shape[which])
    throw new ShapeError(`split got lengths ${formatShape(lengths)}, which add up to ${total}, not to the ${x.shape[which]} of axis ${which}`);
  let start = 0;
  return lengths.map((length) => {
    const from = start;
    start += length;
    return slice(
      x,
      x.shape.map((_, i): Range => (i === which ? [from, from + length] : null)),
    );
  });
};

/**
 * Zeros around a tensor.
 *
 * @param widths - per axis, how many zeros before and after.
 */
export const pad = (x: Tensor, widths: readonly (readonly [before: number, after: number])[]): Tensor => {
  if (widths.length !== x.rank || widths.flat().some((width) => !Number.isInteger(width) || width < 0))
    throw new ShapeError(`pad needs ${x.rank} pairs of whole numbers for shape ${formatShape(x.shape)}, got ${JSON.stringify(widths)}`);
  return embed(
    x,
    x.shape.map((length, i) => length + widths[i]![0] + widths[i]![1]),
    x.shape.map((length, i): Range => [widths[i]![0], widths[i]![0] + length]),
  );
};

/**
 * Repeats axes of length 1, and missing ones in front, to fill a shape.
 *
 * @throws ShapeError when the shapes do not broadcast.
 */
export const broadcastTo = primitive("broadcastTo", (x: Tensor, shape: Shape): Tensor => {
  if (!sameShape(broadcastShapes("broadcastTo", x.shape, shape), shape))
    throw new ShapeError(`broadcastTo cannot make ${formatShape(shape)} of ${formatShape(x.shape)}: an axis would shrink`);
  const out = allocate(shape, x.dtype);
  if (out.size === 0) return out;
  if (x.size === 1) arrayOf(out).fill(arrayOf(x)[x.offset]!, out.offset, out.offset + out.size);
  else copyInto(whole(out), view(x, shape, broadcastStrides(x.shape, shape)));
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
