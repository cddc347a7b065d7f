/**
 * @file The set of kernels that is in use.
 */
import { jsKernels } from "./js.js";
import type { Kernels } from "./kernels.js";

/** The kernels behind every operation. */
export const kernels: Kernels = jsKernels;
