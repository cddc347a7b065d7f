/**
 * @file Shapes: sizes, axes and NumPy's broadcasting rule.
 *
 * Two shapes are aligned at their last axes; an axis of length 1, or a missing one, repeats.
 */
import { ShapeError } from "./errors.js";

/** Axis lengths, outermost first; [] is the shape of a single number. */
export type Shape = readonly number[];

/** Number of elements. */
export const sizeOf = (shape: Shape): number => {
  let size = 1;
  for (let i = 0; i < shape.length; i++) size *= shape[i]!;
  return size;
};

/** A tensor of `shape` as blocks along an axis: `outer` groups of `length` rows of `inner` elements. */
export const blocksOf = (shape: Shape, axis: number): { readonly outer: number; readonly length: number; readonly inner: number } => ({
  outer: sizeOf(shape.slice(0, axis)),
  length: shape[axis]!,
  inner: sizeOf(shape.slice(axis + 1)),
});

/** Whether two shapes are the same. */
export const sameShape = (a: Shape, b: Shape): boolean => {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
};

/** A shape for messages: [2, 3]. */
export const formatShape = (shape: Shape): string => `[${shape.join(", ")}]`;

/** @throws ShapeError for anything but a list, such as lengths that are given one by one. */
export const requireList = (op: string, list: readonly unknown[], example: string): void => {
  if (!Array.isArray(list)) throw new ShapeError(`${op} got ${String(list)} where a list belongs: write ${example}`);
};

/** @throws ShapeError for a length that is not a whole number of at least zero. */
export const checkShape = (op: string, shape: Shape): Shape => {
  requireList(op, shape, "a shape such as [2, 3]");
  for (const length of shape)
    if (!Number.isInteger(length) || length < 0)
      throw new ShapeError(`${op} got shape ${formatShape(shape)}: lengths are whole numbers of at least 0`);
  return shape;
};

/**
 * An axis counted from the front.
 *
 * @param axis - from -rank to rank - 1; negative counts from the end.
 * @throws ShapeError for an axis that the tensor does not have.
 */
export const normalizeAxis = (op: string, axis: number, rank: number): number => {
  if (!Number.isInteger(axis))
    throw new ShapeError(
      `${op} got axis ${typeof axis === "object" ? JSON.stringify(axis) : String(axis)}: a whole number is needed, such as 0 or -1`,
    );
  if (axis < -rank || axis >= rank)
    throw new ShapeError(
      `${op} got axis ${axis}, but the tensor has rank ${rank}${rank === 0 ? " and so no axes" : `: axes go from ${-rank} to ${rank - 1}`}`,
    );
  return axis < 0 ? axis + rank : axis;
};

/** Axes counted from the front, ascending; all of them when `axis` is undefined. */
export const normalizeAxes = (op: string, axis: number | readonly number[] | undefined, rank: number): readonly number[] => {
  if (axis === undefined) return Array.from({ length: rank }, (_, i) => i);
  const axes = (Array.isArray(axis) ? (axis as readonly number[]) : [axis as number])
    .map((one) => normalizeAxis(op, one, rank))
    .sort((a, b) => a - b);
  for (let i = 1; i < axes.length; i++) if (axes[i] === axes[i - 1]) throw new ShapeError(`${op} got axis ${axes[i]} twice`);
  return axes;
};

/**
 * The shape that two shapes broadcast to.
 *
 * @throws ShapeError when they do not, naming both.
 */
export const broadcastShapes = (op: string, a: Shape, b: Shape): Shape => {
  if (sameShape(a, b)) return a;
  const rank = Math.max(a.length, b.length);
  const shape = new Array<number>(rank);
  for (let i = 0; i < rank; i++) {
    const m = a[a.length - rank + i] ?? 1;
    const n = b[b.length - rank + i] ?? 1;
    if (m !== n && m !== 1 && n !== 1)
      throw new ShapeError(
        `${op} got shapes ${formatShape(a)} and ${formatShape(b)}, which do not broadcast: ${m} and ${n} differ at axis ${i - rank}`,
      );
    shape[i] = m === 1 ? n : m;
  }
  return shape;
};

/** Row-major strides in elements. */
export const stridesOf = (shape: Shape): number[] => {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = stride;
    stride *= shape[i]!;
  }
  return strides;
};

/** Strides with which a row-major tensor of shape `from` is read as if it had shape `to`: zero along repeated axes. */
export const broadcastStrides = (from: Shape, to: Shape): number[] => {
  const own = stridesOf(from);
  const lead = to.length - from.length;
  return to.map((_, i) => (i < lead || from[i - lead] === 1 ? 0 : own[i - lead]!));
};
