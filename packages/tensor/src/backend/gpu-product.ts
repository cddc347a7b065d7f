/**
 * @file One matrix product of one shape on gpu.js: C[y, x] = Σₚ A(y, p) B(p, x), a thread for each element.
 *
 * The lengths stand in the source as numbers and nothing of the kernel is dynamic: gpu.js 2.24 computes wrong numbers, silently, with dynamicArguments in cpu
 * mode and with dynamicOutput in headlessgl. The source is text, so that bundlers and minifiers leave it alone.
 */
import type { GpuDevice } from "./gpu-library.js";
import type { MatmulLayout } from "./kernels.js";

/** Multiplies two single matrices into `out`; throws when the GPU failed or is gone. */
export interface GpuProduct {
  (a: Float32Array, b: Float32Array, out: Float32Array): void;
  /** Gives the GPU's memory of this kernel back. */
  readonly destroy: () => void;
}

const sourceOf = ({ k, transposeA, transposeB }: MatmulLayout): string => `function (a, b) {
  let sum = 0;
  for (let p = 0; p < ${String(k)}; p++) sum += ${transposeA ? "a[p][this.thread.y]" : "a[this.thread.y][p]"} * ${transposeB ? "b[this.thread.x][p]" : "b[p][this.thread.x]"};
  return sum;
}`;

/** gpu.js would go on in plain JavaScript. */
const refuseFallback = (): never => {
  throw new Error("gpu.js cannot compile this kernel and wanted to fall back to its cpu mode");
};

/** A lost context gives zeros, or what was there before. */
const isLost = (context: unknown): boolean => (context as { readonly isContextLost?: () => boolean } | null | undefined)?.isContextLost?.() === true;

/** The product of matrices of this layout, batch apart. Throws what gpu.js throws. */
export const createProduct = ({ gpu, input }: GpuDevice, layout: MatmulLayout): GpuProduct => {
  const { m, k, n, transposeA, transposeB } = layout;
  const sizeA: [number, number] = transposeA ? [m, k] : [k, m];
  const sizeB: [number, number] = transposeB ? [k, n] : [n, k];
  const kernel = gpu.createKernel(sourceOf(layout), { output: [n, m], precision: "single", tactic: "precision", onRequestFallback: refuseFallback });
  const product = (a: Float32Array, b: Float32Array, out: Float32Array): void => {
    const rows = kernel(input(a, sizeA), input(b, sizeB)) as ArrayLike<Float32Array> | undefined;
    if (isLost(gpu.context)) throw new Error("the WebGL context was lost");
    if (rows?.length !== m || rows[0]?.length !== n) throw new Error(`gpu.js returned no ${m} rows of ${n} numbers`);
    for (let i = 0; i < m; i++) out.set(rows[i]!, i * n); // rows are views of one buffer in some modes and arrays of their own in others
  };
  return Object.assign(product, { destroy: () => kernel.destroy?.() });
};
