/**
 * @file Matrix products in plain JavaScript, by blocks of 2 × 4 results held in registers.
 *
 *   C[i, j] = Σₖ A[i, k] B[k, j], summed in ascending k from 0, so that a row has the same bits alone and in any batch; then C is added, if asked.
 */
import type { TypedArray } from "../dtype.js";
import type { MatmulLayout } from "./kernels.js";

/** Batched C = op(A) op(B), or C + op(A) op(B). */
export const matmulLoop = (layout: MatmulLayout, a: TypedArray, ao: number, b: TypedArray, bo: number, c: TypedArray, co: number): void => {
  const { batch, m, k, n, transposeA, transposeB, strideA, strideB, accumulate = false } = layout;
  const rowA = transposeA ? 1 : k;
  const columnA = transposeA ? m : 1;
  const rowB = transposeB ? 1 : n;
  const columnB = transposeB ? k : 1;
  for (let s = 0; s < batch; s++)
    multiply(m, k, n, a, ao + s * strideA, rowA, columnA, b, bo + s * strideB, rowB, columnB, c, co + s * m * n, accumulate);
};

// prettier-ignore
const multiply = (
  m: number, k: number, n: number,
  a: TypedArray, ao: number, ar: number, ac: number,
  b: TypedArray, bo: number, br: number, bc: number,
  c: TypedArray, co: number, accumulate: boolean,
): void => {
  let i = 0;
  for (; i + 2 <= m; i += 2) {
    let j = 0;
    for (; j + 4 <= n; j += 4) {
      let c00 = 0, c01 = 0, c02 = 0, c03 = 0, c10 = 0, c11 = 0, c12 = 0, c13 = 0;
      let pa = ao + i * ar;
      let pb = bo + j * bc;
      for (let p = 0; p < k; p++, pa += ac, pb += br) {
        const a0 = a[pa]!, a1 = a[pa + ar]!;
        const b0 = b[pb]!, b1 = b[pb + bc]!, b2 = b[pb + 2 * bc]!, b3 = b[pb + 3 * bc]!;
        c00 += a0 * b0; c01 += a0 * b1; c02 += a0 * b2; c03 += a0 * b3;
        c10 += a1 * b0; c11 += a1 * b1; c12 += a1 * b2; c13 += a1 * b3;
      }
      const o = co + i * n + j;
      if (accumulate) {
        c00 = c[o]! + c00; c01 = c[o + 1]! + c01; c02 = c[o + 2]! + c02; c03 = c[o + 3]! + c03;
        c10 = c[o + n]! + c10; c11 = c[o + n + 1]! + c11; c12 = c[o + n + 2]! + c12; c13 = c[o + n + 3]! + c13;
      }
      c[o] = c00; c[o + 1] = c01; c[o + 2] = c02; c[o + 3] = c03;
      c[o + n] = c10; c[o + n + 1] = c11; c[o + n + 2] = c12; c[o + n + 3] = c13;
    }
    for (; j < n; j++) {
      single(k, a, ao + i * ar, ac, b, bo + j * bc, br, c, co + i * n + j, accumulate);
      single(k, a, ao + (i + 1) * ar, ac, b, bo + j * bc, br, c, co + (i + 1) * n + j, accumulate);
    }
  }
  for (; i < m; i++) for (let j = 0; j < n; j++) single(k, a, ao + i * ar, ac, b, bo + j * bc, br, c, co + i * n + j, accumulate);
};

// prettier-ignore
const single = (
  k: number, a: TypedArray, ao: number, ac: number, b: TypedArray, bo: number, br: number, c: TypedArray, at: number, accumulate: boolean,
): void => {
  let sum = 0;
  for (let p = 0; p < k; p++) sum += a[ao + p * ac]! * b[bo + p * br]!;
  c[at] = accumulate ? c[at]! + sum : sum;
};
