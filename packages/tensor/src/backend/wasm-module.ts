/**
 * @file The compiled kernels, instantiated synchronously on the engine's own memory.
 */
import { linearMemory } from "../memory.js";
import { kernelBinary } from "./wasm-binary.js";

/** A function of numbers; addresses are in bytes. */
export type KernelFunction = (...args: readonly number[]) => number;

/** What the module exports, by name; packages/tensor/kernels says what each does. */
export type KernelFunctions = Readonly<Record<string, KernelFunction>>;

/** A module with one function that uses a vector. */
// prettier-ignore
const vectorModule = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11);

/** The kernels' functions, or the reason why they cannot run here. */
export const instantiateKernels = (): KernelFunctions | string => {
  if (linearMemory === null) return "there is no WebAssembly here";
  if (!WebAssembly.validate(vectorModule)) return "this WebAssembly has no SIMD instructions";
  try {
    const binary = Uint8Array.from(atob(kernelBinary), (letter) => letter.charCodeAt(0));
    return new WebAssembly.Instance(new WebAssembly.Module(binary), { env: { memory: linearMemory } }).exports as KernelFunctions;
  } catch (error) {
    return `WebAssembly was refused (${String(error)})`;
  }
};
