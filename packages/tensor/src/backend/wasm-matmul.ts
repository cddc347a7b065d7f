/** @file Matrix products by WebAssembly. */
import type { Kernels } from "./kernels.js";
import type { KernelFunctions } from "./wasm-module.js";
import { addressOf, addressOfResult, beginCall, deliver, fetchResult, nowhere, reserve } from "./wasm-operands.js";

/**
 * Bytes that a product of m rows needs besides its operands, as kernels/generate-gemm.ts lays them out: a row, a panel of C and one of B, and a block of A where
 * its rows are packed. A sum that is added to C is not cut into blocks.
 */
export const scratchBytes = (m: number, k: number, transposeA: boolean, accumulate: boolean, bytes: number): number => {
  const depth = accumulate ? k : Math.min(k, 1024);
  return 32 * (1 + Math.min(m, 1024) + Math.max(depth, 64)) + (transposeA ? 128 * depth * bytes : 0);
};

/** The product of the set, for two operands of one float type. */
export const matmulKernel =
  ({ gemm64, gemm32 }: KernelFunctions): Kernels["matmul"] =>
  (a, b, layout, out) => {
    const { batch, m, k, n, transposeA, transposeB, strideA, strideB, accumulate = false } = layout;
    const wide = out.dtype === "float64";
    const kernel = wide ? gemm64! : gemm32!;
    const bytes = wide ? 8 : 4;
    const rowA = transposeA ? 1 : k;
    const columnA = transposeA ? m : 1;
    const rowB = transposeB ? 1 : n;
    const columnB = transposeB ? k : 1;
    beginCall();
    const left = addressOf(a);
    const right = addressOf(b);
    const to = addressOfResult(out);
    const scratch = reserve(scratchBytes(m, k, transposeA, accumulate, bytes));
    if (accumulate) fetchResult(out, to);
    for (let s = 0; s < batch; s++) {
      const [from, by] = [left + s * strideA * bytes, right + s * strideB * bytes];
      const target = to + s * m * n * bytes;
      kernel(m, k, n, from, rowA, columnA, by, rowB, columnB, target, accumulate ? target : nowhere, scratch);
    }
    deliver(out, to);
  };
