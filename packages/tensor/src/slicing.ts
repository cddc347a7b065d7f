/**
 * @file Parts of tensors, and tensors around them.
 *
 * A part in one piece shares the memory of its tensor; others are copied.
 */
import { ShapeError } from "./errors.js";
import { primitive } from "./primitive.js";
import { checkShape, formatShape, normalizeAxis, requireList, sameShape, sizeOf, stridesOf, type Shape } from "./shape.js";
import { copyStrided, type Layout } from "./strided.js";
import { alias, allocate, arrayOf, requireTensor, type Tensor } from "./tensor.js";

/** For one axis: [start, stop, step] as in NumPy, each may be left out; negative counts from the end; null takes all. */
export type Range = readonly [start?: number | null, stop?: number | null, step?: number] | null;

/** A range with everything filled in: first index, number of indices, step. */
interface Cut {
  readonly first: number;
  readonly count: number;
  readonly step: number;
}

const cutAxis = (range: Range | undefined, length: number): Cut => {
  if (range !== undefined && range !== null) requireList("slice", range, "slice(x, [[0, 2]]), a range for each axis");
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
  requireList(op, ranges, `${op}(x, [[0, 2]]), a range for each axis`);
  if (ranges.length > shape.length)
    throw new ShapeError(`${op} got ${ranges.length} ranges for shape ${formatShape(shape)} with ${shape.length} axes`);
  return shape.map((length, i) => cutAxis(ranges[i], length));
};

const layoutOf = (shape: Shape, cuts: readonly Cut[]): Layout => {
  const strides = stridesOf(shape);
  return { strides: cuts.map((cut, i) => cut.step * strides[i]!), start: cuts.reduce((start, cut, i) => start + cut.first * strides[i]!, 0) };
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
  requireTensor("slice", x);
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
  copyStrided(out.shape, x, layoutOf(x.shape, cuts), out, { strides: stridesOf(out.shape), start: 0 });
  return out;
});

/** Zeros of `shape` with x in the place that `ranges` cuts out: the transpose of {@link slice}. */
export const embed = primitive("embed", (x: Tensor, shape: Shape, ranges: readonly Range[]): Tensor => {
  const cuts = cutAll("embed", checkShape("embed", shape), ranges);
  const place = cuts.map((cut) => cut.count);
  if (!sameShape(place, x.shape)) throw new ShapeError(`embed got ${formatShape(x.shape)} for a place of shape ${formatShape(place)}`);
  const out = allocate(shape, x.dtype);
  arrayOf(out).fill(0, out.offset, out.offset + out.size);
  const start = onePiece(shape, cuts);
  if (start !== undefined) arrayOf(out).set(arrayOf(x).subarray(x.offset, x.offset + x.size), out.offset + start);
  else copyStrided(x.shape, x, { strides: stridesOf(x.shape), start: 0 }, out, layoutOf(shape, cuts));
  return out;
});

/** Elements along an axis in reverse order. */
export const flip = (x: Tensor, axis: number): Tensor => {
  requireTensor("flip", x);
  const which = normalizeAxis("flip", axis, x.rank);
  return slice(
    x,
    x.shape.map((_, i): Range => (i === which ? [null, null, -1] : null)),
  );
};

/**
 * Zeros around a tensor.
 *
 * @param widths - per axis, how many zeros before and after.
 */
export const pad = (x: Tensor, widths: readonly (readonly [before: number, after: number])[]): Tensor => {
  requireTensor("pad", x);
  requireList("pad", widths, "pad(x, [[1, 1]]), a pair for each axis");
  if (widths.length !== x.rank || widths.flat().some((width) => !Number.isInteger(width) || width < 0))
    throw new ShapeError(`pad needs ${x.rank} pairs of whole numbers for shape ${formatShape(x.shape)}, got ${JSON.stringify(widths)}`);
  return embed(
    x,
    x.shape.map((length, i) => length + widths[i]![0] + widths[i]![1]),
    x.shape.map((length, i): Range => [widths[i]![0], widths[i]![0] + length]),
  );
};
