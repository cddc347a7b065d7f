/**
 * @file The set of kernels that is in use: WebAssembly with SIMD, or plain JavaScript where that is missing.
 */
import type { Kernels } from "./kernels.js";
import { chooseKernels } from "./wasm.js";

/**
 * The kernels behind every operation.
 *
 * @internal
 */
export const kernels: Kernels = chooseKernels();
