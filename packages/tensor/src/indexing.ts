/**
 * @file Elements picked by index, and put back by index.
 *
 *   take        y[…, j…, …] = x[…, indices[j…], …]            embedTaken is its transpose
 *   gather      y[i, j] = x[i, index[i, j]]  (axis 1)          scatterAdd is its transpose
 *
 * Indices are int32 tensors, or whole numbers nested to any depth; negative ones count from the end, those beyond an end are errors. C. R. Harris et al.,
 * Array programming with NumPy, Nature 585, 2020 (take, take_along_axis); scatter_add of PyTorch.
 */
import { DtypeError, OptionError, ShapeError } from "./errors.js";
import { primitive } from "./primitive.js";
import { withRules } from "./rule.js";
import { blocksOf, checkShape, formatShape, normalizeAxis, sameShape, stridesOf, type Shape } from "./shape.js";
import { copyRun } from "./strided.js";
import { allocate, arrayOf, elementsOf, isTensor, requireTensor, type NestedArray, type Tensor } from "./tensor.js";
import { dtypeOf, tensor, type FillOptions } from "./create.js";

/** Positions along an axis: an int32 tensor, or whole numbers nested to any depth. */
export type Indices = Tensor | number | readonly NestedArray[];

interface Positions {
  readonly shape: Shape;
  readonly at: ArrayLike<number>;
}

/** Indices in their own shape, counted from the front and within `length`. */
const positionsOf = (op: string, indices: Indices, length: number, wraps = true): Positions => {
  const given = isTensor(indices) ? indices : tensor(indices);
  if (given.dtype === "bool" || (isTensor(indices) && given.dtype !== "int32"))
    throw new DtypeError(`${op} got ${given.dtype} indices: use a list of whole numbers, cast(indices, "int32"), or where for a mask`);
  const numbers = elementsOf(given);
  const at = new Int32Array(numbers.length);
  for (let i = 0; i < at.length; i++) {
    const index = numbers[i]!;
    if (!Number.isInteger(index) || index < (wraps ? -length : 0) || index >= length)
      throw new ShapeError(`${op} got index ${index}: whole numbers from ${wraps ? -length : 0} to ${length - 1} are known here`);
    at[i] = index < 0 ? index + length : index;
  }
  return { shape: given.shape, at };
};

/**
 * The slices of x at some indices along an axis, as NumPy's take.
 *
 * @param indices - int32 tensor or nested list of whole numbers, of any shape; negative counts from the end.
 * @param axis - default 0; its place in the result is taken by the shape of the indices.
 * @throws ShapeError for an index outside the axis, with the index; DtypeError for indices that are not int32.
 * @example
 * const x = tensor([[1, 2], [3, 4], [5, 6]]);
 * expectClose(take(x, [2, -3]), [[5, 6], [1, 2]]);
 * expectClose(take(x, 1, 1), [2, 4, 6]);
 */
export const take = primitive("take", (x: Tensor, indices: Indices, axis: number = 0): Tensor => {
  requireTensor("take", x);
  const which = normalizeAxis("take", axis, x.rank);
  const { outer, length, inner } = blocksOf(x.shape, which);
  const { shape, at } = positionsOf("take", indices, length);
  const out = allocate([...x.shape.slice(0, which), ...shape, ...x.shape.slice(which + 1)], x.dtype);
  const to = arrayOf(out);
  const from = arrayOf(x);
  let write = out.offset;
  for (let o = 0; o < outer; o++)
    for (let j = 0; j < at.length; j++, write += inner) copyRun(from, x.offset + (o * length + at[j]!) * inner, inner, to, write);
  return out;
});

/** Zeros of `shape`, to which the slices of x are added at the indices: the transpose of {@link take}. */
export const embedTaken = primitive("embedTaken", (x: Tensor, shape: Shape, indices: Indices, axis: number = 0): Tensor => {
  const which = normalizeAxis("embedTaken", axis, checkShape("embedTaken", shape).length);
  const { outer, length, inner } = blocksOf(shape, which);
  const { shape: own, at } = positionsOf("embedTaken", indices, length);
  const fits = [...shape.slice(0, which), ...own, ...shape.slice(which + 1)];
  if (!sameShape(x.shape, fits)) throw new ShapeError(`embedTaken got ${formatShape(x.shape)} for slices of shape ${formatShape(fits)}`);
  const out = allocate(shape, x.dtype);
  const to = arrayOf(out).fill(0, out.offset, out.offset + out.size);
  const from = arrayOf(x);
  let read = x.offset;
  for (let o = 0; o < outer; o++)
    for (let j = 0; j < at.length; j++, read += inner) {
      const write = out.offset + (o * length + at[j]!) * inner;
      for (let e = 0; e < inner; e++) to[write + e]! += from[read + e]!;
    }
  return out;
});

/** For each element of `index`, which element of a row-major tensor of `shape` it means. */
const elementsAt = (op: string, shape: Shape, index: Indices, axis: number): Positions => {
  const which = normalizeAxis(op, axis, shape.length);
  const { shape: own, at } = positionsOf(op, index, shape[which]!);
  if (own.length !== shape.length || own.some((length, i) => i !== which && length > shape[i]!))
    throw new ShapeError(
      `${op} along axis ${which} got an index of shape ${formatShape(own)} for ${formatShape(shape)}: ranks are equal, and other axes not longer`,
    );
  const strides = stridesOf(shape);
  const flat = new Int32Array(at.length);
  const counter = new Array<number>(own.length).fill(0);
  let base = 0; // of the element with the same indices along the other axes
  for (let i = 0; i < flat.length; i++) {
    flat[i] = base + at[i]! * strides[which]!;
    for (let k = own.length - 1; k >= 0; k--) {
      const stride = k === which ? 0 : strides[k]!;
      base += stride;
      if (++counter[k]! < own[k]!) break;
      base -= stride * own[k]!;
      counter[k] = 0;
    }
  }
  return { shape: own, at: flat };
};

/**
 * One element for each entry of the index: along axis 1, y[i, j] = x[i, index[i, j]]. NumPy's take_along_axis.
 *
 * @param index - int32 tensor or nested list, of the rank of x. Along the axis of any length; along others as long as x, or shorter: then the front of x is read.
 * @returns a tensor of the shape of the index.
 * @throws ShapeError for an index outside the axis, or of another rank; DtypeError for indices that are not int32.
 * @example
 * const x = tensor([[1, 7, 3], [9, 5, 6]]);
 * expectClose(gather(x, argMax(x, { axis: 1, keepDims: true }), 1), [[7], [9]]);
 */
export const gather = primitive("gather", (x: Tensor, index: Indices, axis: number): Tensor => {
  requireTensor("gather", x);
  const { shape, at } = elementsAt("gather", x.shape, index, axis);
  const out = allocate(shape, x.dtype);
  const to = arrayOf(out);
  const from = arrayOf(x);
  for (let i = 0; i < at.length; i++) to[out.offset + i] = from[x.offset + at[i]!]!;
  return out;
});

/**
 * x with updates added where the index says: along axis 1, x[i, index[i, j]] += updates[i, j], in order. Entries that meet add up.
 *
 * @param index - as that of {@link gather}.
 * @param updates - of the shape of the index and the element type of x.
 * @throws ShapeError when shapes do not fit or an index is outside; DtypeError when types differ or are bool.
 * @example
 * expectClose(scatterAdd(zeros([3]), [0, 2, 0], tensor([1, 2, 4]), 0), [5, 0, 2]);
 */
export const scatterAdd = primitive("scatterAdd", (x: Tensor, index: Indices, updates: Tensor, axis: number): Tensor => {
  requireTensor("scatterAdd", x);
  requireTensor("scatterAdd", updates);
  if (x.dtype !== updates.dtype || x.dtype === "bool")
    throw new DtypeError(`scatterAdd got ${x.dtype} and updates of type ${updates.dtype}: it adds numbers of one type, see cast`);
  const { shape, at } = elementsAt("scatterAdd", x.shape, index, axis);
  if (!sameShape(shape, updates.shape))
    throw new ShapeError(`scatterAdd got updates of shape ${formatShape(updates.shape)} for an index of shape ${formatShape(shape)}`);
  const out = allocate(x.shape, x.dtype);
  const to = arrayOf(out);
  to.set(arrayOf(x).subarray(x.offset, x.offset + x.size), out.offset);
  const from = arrayOf(updates);
  for (let i = 0; i < at.length; i++) to[out.offset + at[i]!]! += from[updates.offset + i]!;
  return out;
});

/**
 * Each index as a row of zeros with a one in its place.
 *
 * @param indices - int32 tensor or nested list of any shape, from 0 to depth - 1.
 * @param depth - length of the rows.
 * @returns `[...indices.shape, depth]`, float64 unless told.
 * @throws ShapeError for an index outside; OptionError for a depth that is no whole number.
 * @example
 * expectClose(oneHot([2, 0], 3), [[0, 0, 1], [1, 0, 0]]);
 */
export const oneHot = /* @__PURE__ */ withRules(
  /* @__PURE__ */ primitive("oneHot", (indices: Indices, depth: number, options?: FillOptions): Tensor => {
    const dtype = dtypeOf("oneHot", options);
    if (!Number.isInteger(depth) || depth < 0) throw new OptionError(`oneHot got depth ${depth}: a whole number is needed`);
    const { shape, at } = positionsOf("oneHot", indices, depth, false);
    const out = allocate([...shape, depth], dtype);
    const to = arrayOf(out).fill(0, out.offset, out.offset + out.size);
    for (let i = 0; i < at.length; i++) to[out.offset + i * depth + at[i]!] = 1;
    return out;
  }),
  { vjp: null, jvp: null },
);
