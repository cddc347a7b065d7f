/**
 * @file Whether a GPU computed what it should: every element of two products when a kernel is new, one element of every product afterwards.
 *
 * A float32 sum of k products, in any order, with fused or separate multiplications, differs from the exact one by at most γₖ Σ |a||b|, γₖ = ku/(1 − ku),
 * u = 2⁻²⁴ (N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., eq. 3.5). Four times that is granted, and underflow to zero.
 */
import { formatShape } from "../shape.js";
import { wrap } from "../tensor.js";
import { kernels } from "./active.js";
import type { GpuProduct } from "./gpu-product.js";
import type { MatmulLayout } from "./kernels.js";

const unit = 1 / 0x1000000;
const smallest = 1.1754943508222875e-38;
const largest = 3.4e38;

/** Whether `got` may stand for the exact `wanted` = Σ a b with Σ |a||b| = `scale`. */
const acceptable = (got: number, wanted: number, scale: number, k: number): boolean => {
  if (Number.isNaN(wanted)) return Number.isNaN(got);
  if (!Number.isFinite(wanted)) return !Number.isFinite(got);
  if (scale > largest) return true; // partial sums may overflow in float32
  return Math.abs(got - wanted) <= 4 * (k + 2) * unit * scale + k * smallest;
};

const complaint = (i: number, j: number, got: number, wanted: number): string =>
  `it gave ${got} instead of ${wanted} for element ${formatShape([i, j])}`;

/** Numbers from -1 to 1 that float32 holds, a function of their index. */
const fill = (length: number, seed: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => {
    const x = Math.imul(i + seed, 0x9e3779b1);
    return (Math.imul(x ^ (x >>> 15), 0x85ebca6b) >> 8) / 0x800000;
  });

/** Strides of A along m and k, of B along k and n. */
const stridesOf = ({ m, k, n, transposeA, transposeB }: MatmulLayout) => ({
  rowA: transposeA ? 1 : k,
  alongA: transposeA ? m : 1,
  alongB: transposeB ? 1 : n,
  columnB: transposeB ? k : 1,
});

/** √Σ x² of each of `count` vectors. */
const norms = (x: Float32Array, count: number, length: number, across: number, along: number): Float64Array =>
  Float64Array.from({ length: count }, (_, i) => {
    let squares = 0;
    for (let p = 0; p < length; p++) squares += x[i * across + p * along]! * x[i * across + p * along]!;
    return Math.sqrt(squares);
  });

/** Compares all of one product with the kernel set's, in float64. */
const compare = (product: GpuProduct, layout: MatmulLayout, a: Float32Array, b: Float32Array): string | null => {
  const { m, k, n } = layout;
  const { rowA, alongA, alongB, columnB } = stridesOf(layout);
  const got = new Float32Array(m * n);
  product(a, b, got);
  const wanted = new Float64Array(m * n);
  const double = (x: Float32Array) => wrap(Float64Array.from(x), [x.length], "float64");
  kernels.matmul(double(a), double(b), { ...layout, batch: 1 }, wrap(wanted, [m, n], "float64"));
  const [left, right] = [norms(a, m, k, rowA, alongA), norms(b, n, k, columnB, alongB)]; // Σ |a||b| ≤ ‖a‖ ‖b‖
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++)
      if (!acceptable(got[i * n + j]!, wanted[i * n + j]!, left[i]! * right[j]!, k)) return complaint(i, j, got[i * n + j]!, wanted[i * n + j]!);
  return null;
};

/**
 * Runs a new kernel on two products: numbers, and numbers with NaN, infinity and a zero against infinity among them.
 *
 * @returns what is wrong with it, or null. Throws what the product throws.
 */
export const verifyProduct = (product: GpuProduct, layout: MatmulLayout): string | null => {
  const { m, k, n } = layout;
  const { rowA, alongA, alongB, columnB } = stridesOf(layout);
  const [a, b] = [fill(m * k, 1), fill(k * n, m * k + 1)];
  const wrong = compare(product, layout, a, b);
  if (wrong !== null) return wrong;
  const last = k - 1;
  b[last * alongB + (n - 1) * columnB] = Infinity;
  a[last * alongA] = 0;
  a[(m - 1) * rowA] = NaN;
  const poisoned = compare(product, layout, a, b);
  return poisoned === null ? null : `it mishandles NaN and infinity: ${poisoned}`;
};

/**
 * Computes one element of a product again; which one moves on with `turn`. Cost: k multiplications.
 *
 * @returns what is wrong with it, or null.
 */
export const checkOneElement = (turn: number, layout: MatmulLayout, a: Float32Array, b: Float32Array, out: Float32Array): string | null => {
  const { m, k, n } = layout;
  const { rowA, alongA, alongB, columnB } = stridesOf(layout);
  const element = (turn * 7919) % (m * n); // a prime, so that few calls see rows and columns all over
  const [i, j] = [Math.floor(element / n), element % n];
  let wanted = 0;
  let scale = 0;
  for (let p = 0; p < k; p++) {
    const term = a[i * rowA + p * alongA]! * b[p * alongB + j * columnB]!;
    wanted += term;
    scale += Math.abs(term);
  }
  return acceptable(out[element]!, wanted, scale, k) ? null : complaint(i, j, out[element]!, wanted);
};
