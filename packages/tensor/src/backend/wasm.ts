/**
 * @file The WebAssembly kernels of packages/tensor/kernels as a set.
 *
 * float64 has the same bits as the plain-JavaScript set. So has float32, but for matrix products, which sum in float32, and for exp, tanh (1 ulp), sigmoid and
 * softplus (2 ulp), which compute in float32.
 */
import { jsKernels } from "./js.js";
import type { Kernels } from "./kernels.js";
import { layerKernels } from "./wasm-layer.js";
import { elementwiseKernels } from "./wasm-elementwise.js";
import { maskKernels } from "./wasm-masks.js";
import { matmulKernel } from "./wasm-matmul.js";
import { instantiateKernels } from "./wasm-module.js";
import { sumKernels } from "./wasm-sums.js";
import { updateKernels } from "./wasm-updates.js";

/** The WebAssembly set, or the reason why it cannot run here. */
export const loadWasmKernels = (): Kernels | string => {
  const functions = instantiateKernels();
  if (typeof functions === "string") return functions;
  return {
    name: "wasm",
    ...elementwiseKernels(functions),
    ...sumKernels(functions),
    ...maskKernels(functions),
    ...updateKernels(functions),
    layer: layerKernels(functions),
    matmul: matmulKernel(functions),
  };
};

/** The WebAssembly set, or the plain-JavaScript one where that cannot run, which is said. */
export const chooseKernels = (): Kernels => {
  const loaded = loadWasmKernels();
  if (typeof loaded !== "string") return loaded;
  // eslint-disable-next-line no-console -- a slower set is never taken in silence
  console.warn(`@dydt/tensor computes in plain JavaScript, several times slower, because ${loaded}`);
  return jsKernels;
};
