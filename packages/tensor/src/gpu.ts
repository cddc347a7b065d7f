/**
 * Matrix products on gpu.js: `setMatmulBackend(await gpuMatmul())`. An entry point of its own, so that nothing of it is loaded unless asked for.
 *
 * @packageDocumentation
 */
export type { GpuChoice } from "./backend/gpu-decision.js";
export { gpuMatmul, type GpuChoices, type GpuMatmul, type GpuMatmulOptions } from "./backend/gpu.js";
export { GpuWithdrawnError } from "./backend/gpu-error.js";
export type { GpuConstructor, GpuInput, GpuInstance, GpuKernel, GpuMode } from "./backend/gpu-library.js";
