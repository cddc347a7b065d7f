/**
 * @file Tensors joined, and cut apart again.
 */
import { DtypeError, ShapeError } from "./errors.js";
import { primitive } from "./primitive.js";
import { checkShape, formatShape, normalizeAxis, requireList, sameShape, sizeOf } from "./shape.js";
import { slice, type Range } from "./slicing.js";
import { copyRun } from "./strided.js";
import { allocate, arrayOf, requireTensor, requireTensors, type Tensor } from "./tensor.js";

/** Puts the elements of x, `run` at a time, into `out` at places `step` apart. */
const placeRuns = (x: Tensor, run: number, out: Tensor, start: number, step: number): void => {
  const from = arrayOf(x);
  const to = arrayOf(out);
  for (let i = 0, place = out.offset + start; i < x.size; i += run, place += step) copyRun(from, x.offset + i, run, to, place);
};

/**
 * Joins tensors along an axis.
 *
 * @param list - at least one; shapes agree besides that axis, element types agree.
 * @throws ShapeError naming the two shapes that do not fit.
 */
export const concat = primitive("concat", (list: readonly Tensor[], axis: number = 0): Tensor => {
  requireTensors("concat", list);
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
  let start = 0;
  for (const x of list) {
    const run = x.shape[which]! * inner;
    placeRuns(x, run, out, start, length * inner);
    start += run;
  }
  return out;
});

/**
 * Joins tensors of one shape along a new axis.
 *
 * @param axis - position of the new axis, default 0; negative counts from the end of the result.
 */
export const stack = primitive("stack", (list: readonly Tensor[], axis: number = 0): Tensor => {
  requireTensors("stack", list);
  const [first] = list;
  if (first === undefined) throw new ShapeError("stack needs at least one tensor");
  const { shape, dtype } = first;
  const which = normalizeAxis("stack", axis, shape.length + 1);
  for (const x of list) {
    if (x.dtype !== dtype) throw new DtypeError(`stack got ${dtype} and ${x.dtype}: convert one of them with cast`);
    if (!sameShape(x.shape, shape)) throw new ShapeError(`stack got shapes ${formatShape(shape)} and ${formatShape(x.shape)}, which must be equal`);
  }
  const out = allocate([...shape.slice(0, which), list.length, ...shape.slice(which)], dtype);
  const inner = sizeOf(shape.slice(which));
  list.forEach((x, k) => placeRuns(x, inner, out, k * inner, list.length * inner));
  return out;
});

/**
 * Cuts a tensor along an axis into parts of the given lengths.
 *
 * @throws ShapeError when the lengths do not add up.
 */
export const split = (x: Tensor, lengths: readonly number[], axis = 0): readonly Tensor[] => {
  requireTensor("split", x);
  const which = normalizeAxis("split", axis, x.rank);
  requireList("split", lengths, "split(x, [2, 3])");
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
