/**
 * @file Copies: of elements in a row, and strided ones, read with one set of strides and written with another, in row-major order of a common shape.
 *
 * Plain loops instead of generated code, since pages with a strict content policy forbid that.
 */
import type { TypedArray } from "./dtype.js";
import type { Shape } from "./shape.js";
import { arrayOf, type Tensor } from "./tensor.js";

/** Copies `run` elements in a row. Few of them go by a loop, which costs less than a call. */
export const copyRun = (from: TypedArray, read: number, run: number, to: TypedArray, write: number): void => {
  if (run > 16) to.set(from.subarray(read, read + run), write);
  else for (let e = 0; e < run; e++) to[write + e] = from[read + e]!;
};

/** Where the elements of a part of a tensor lie: strides for each axis, and the first element, both in elements. */
export interface Layout {
  readonly strides: readonly number[];
  readonly start: number;
}

/** Copies the elements of `shape` from one layout to another. */
export const copyStrided = (shape: Shape, from: Tensor, source: Layout, to: Tensor, target: Layout): void => {
  if (shape.includes(0)) return;
  const read = arrayOf(from);
  const write = arrayOf(to);
  const last = shape.length - 1;
  const length = last < 0 ? 1 : shape[last]!;
  const readStep = last < 0 ? 0 : source.strides[last]!;
  const writeStep = last < 0 ? 0 : target.strides[last]!;
  const inRow = readStep === 1 && writeStep === 1;
  const index = new Array<number>(Math.max(last, 0)).fill(0);
  let i = from.offset + source.start;
  let o = to.offset + target.start;
  for (;;) {
    if (inRow) copyRun(read, i, length, write, o);
    else for (let k = 0; k < length; k++) write[o + k * writeStep] = read[i + k * readStep]!;
    let axis = last - 1;
    for (; axis >= 0; axis--) {
      i += source.strides[axis]!;
      o += target.strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      i -= source.strides[axis]! * shape[axis]!;
      o -= target.strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
    if (axis < 0) return;
  }
};
