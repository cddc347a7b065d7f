/**
 * @file Loops of the plain-JavaScript kernels: one function a shape of loop, made once for each operation so that each has its own machine code.
 */
import type { TypedArray } from "../dtype.js";
import { broadcastStrides, type Shape } from "../shape.js";

/** Applies `f` to n consecutive elements. */
export const unaryLoop =
  (f: (x: number) => number) =>
  (n: number, x: TypedArray, xo: number, out: TypedArray, oo: number): void => {
    for (let i = 0; i < n; i++) out[oo + i] = f(x[xo + i]!);
  };

/** One operand of a binary loop: its array, first index and shape. */
export interface LoopOperand {
  readonly array: TypedArray;
  readonly offset: number;
  readonly shape: Shape;
  readonly size: number;
}

/** Applies `f` to two operands broadcast to `shape`. */
export const binaryLoop =
  (f: (x: number, y: number) => number) =>
  (shape: Shape, n: number, a: LoopOperand, b: LoopOperand, out: TypedArray, oo: number): void => {
    const x = a.array;
    const y = b.array;
    const xo = a.offset;
    const yo = b.offset;
    if (a.size === n && b.size === n) {
      for (let i = 0; i < n; i++) out[oo + i] = f(x[xo + i]!, y[yo + i]!);
      return;
    }
    if (n === 0) return;
    const strideX = broadcastStrides(a.shape, shape);
    const strideY = broadcastStrides(b.shape, shape);
    walk(shape, strideX, strideY, (o, i, j, length, dx, dy) => {
      for (let k = 0; k < length; k++) out[oo + o + k] = f(x[xo + i + k * dx]!, y[yo + j + k * dy]!);
    });
  };

/**
 * Visits the innermost rows of `shape` in order: first element of the row in the result, in both operands, the row's length and the operands' steps in it.
 */
export const walk = (
  shape: Shape,
  strideX: readonly number[],
  strideY: readonly number[],
  row: (out: number, x: number, y: number, length: number, dx: number, dy: number) => void,
): void => {
  const last = shape.length - 1;
  if (last < 0) return row(0, 0, 0, 1, 0, 0);
  const length = shape[last]!;
  const index = new Array<number>(last).fill(0);
  let out = 0;
  let x = 0;
  let y = 0;
  for (;;) {
    row(out, x, y, length, strideX[last]!, strideY[last]!);
    out += length;
    let axis = last - 1;
    for (; axis >= 0; axis--) {
      x += strideX[axis]!;
      y += strideY[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      x -= strideX[axis]! * shape[axis]!;
      y -= strideY[axis]! * shape[axis]!;
      index[axis] = 0;
    }
    if (axis < 0) return;
  }
};

/** Reduces x, read as [outer, length, inner], to [outer, inner] from left to right. */
export const reduceLoop =
  (start: number, f: (accumulated: number, x: number) => number) =>
  (outer: number, length: number, inner: number, x: TypedArray, xo: number, out: TypedArray, oo: number): void => {
    for (let o = 0; o < outer; o++)
      for (let i = 0; i < inner; i++) {
        let accumulated = start;
        const first = xo + o * length * inner + i;
        for (let j = 0; j < length; j++) accumulated = f(accumulated, x[first + j * inner]!);
        out[oo + o * inner + i] = accumulated;
      }
  };
