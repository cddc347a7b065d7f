/**
 * @file gpu.js as far as it is used here, and how it is found: given, or imported on demand. Nothing else imports it.
 *
 * Only modes that answer at once will do, since `matmul` returns a tensor and not a promise: webgl2 and headlessgl on a GPU, webasm and cpu without one.
 */
import { OptionError } from "../errors.js";

/** Modes of gpu.js that answer synchronously and hold float32 exactly. */
export type GpuMode = "webgl2" | "headlessgl" | "webasm" | "cpu";

/** A matrix as gpu.js's `input(flat, [columns, rows])` wraps it. */
export type GpuInput = (flat: Float32Array, size: [columns: number, rows: number]) => unknown;

/** A compiled kernel of two matrices; the result is a list of rows. */
export interface GpuKernel {
  (a: unknown, b: unknown): unknown;
  readonly destroy?: () => void;
}

/** What is used of an object of gpu.js's class GPU. */
export interface GpuInstance {
  readonly mode: string;
  /** The WebGL context, where the mode has one. */
  readonly context?: unknown;
  readonly createKernel: (source: string, settings: object) => GpuKernel;
}

/** What is used of gpu.js's class GPU itself. */
export interface GpuConstructor {
  new (settings: { mode: GpuMode }): GpuInstance;
  readonly isWebGL2Supported?: boolean;
  readonly isHeadlessGLSupported?: boolean;
  readonly isWebAssemblySupported?: boolean;
  /** The browser build carries it here. */
  readonly input?: GpuInput;
}

/** A GPU in one mode, and the wrapper that its arguments need. */
export interface GpuDevice {
  readonly gpu: GpuInstance;
  readonly mode: GpuMode;
  readonly input: GpuInput;
}

const modes: readonly string[] = ["webgl2", "headlessgl", "webasm", "cpu"] satisfies readonly GpuMode[];

const requireSynchronous = (mode: string): GpuMode => {
  if (modes.includes(mode)) return mode as GpuMode;
  const why =
    mode === "webgpu" || mode === "async"
      ? "answers with promises, but a product must be there when matmul returns"
      : "is none of gpu.js's modes that are synchronous and exact to float32";
  throw new OptionError(`gpuMatmul cannot use mode "${mode}", which ${why}: it takes ${modes.join(", ")}`);
};

/** The Node build is a namespace with GPU and input; the browser build is the class GPU, which carries the rest, and bundlers make it the default export. */
const importLibrary = async (): Promise<{ readonly GPU: GpuConstructor; readonly input: GpuInput }> => {
  try {
    const namespace = (await import("gpu.js")) as unknown as { readonly GPU?: GpuConstructor; readonly input?: GpuInput; readonly default?: unknown };
    const inner = (namespace.default ?? namespace) as { readonly GPU?: GpuConstructor; readonly input?: GpuInput };
    const [GPU, input] = [namespace.GPU ?? inner.GPU, namespace.input ?? inner.input];
    if (GPU === undefined || input === undefined) throw new TypeError("the module gpu.js exports no GPU and input");
    return { GPU, input };
  } catch (cause) {
    throw new OptionError(
      "gpuMatmul needs gpu.js, which is not installed with @dydt/tensor: add it with `npm install gpu.js@~2.24.1`, " +
        "or hand over its class with gpuMatmul({ gpu: GPU })",
      { cause },
    );
  }
};

const bestMode = (GPU: GpuConstructor): GpuMode => {
  if (GPU.isWebGL2Supported === true) return "webgl2";
  if (GPU.isHeadlessGLSupported === true) return "headlessgl";
  return GPU.isWebAssemblySupported === false ? "cpu" : "webasm";
};

const construct = (GPU: GpuConstructor, mode: GpuMode): GpuInstance => {
  try {
    return new GPU({ mode });
  } catch (cause) {
    throw new OptionError(`gpu.js has no mode "${mode}" here: leave mode out for the best there is (${bestMode(GPU)})`, { cause });
  }
};

/**
 * The GPU to use.
 *
 * @param given - gpu.js's class or an object of it; undefined imports gpu.js.
 * @param mode - default: the mode of the object given, else webgl2, headlessgl, webasm, cpu, the first that works here.
 * @throws OptionError when gpu.js is not installed, or the mode is not synchronous, not available here, or not that of the object given.
 */
export const openGpu = async (given: GpuConstructor | GpuInstance | undefined, mode: string | undefined): Promise<GpuDevice> => {
  if (mode !== undefined) requireSynchronous(mode);
  if (typeof given === "object" && mode !== undefined && mode !== given.mode)
    throw new OptionError(`gpuMatmul got mode "${mode}" and a GPU of mode "${given.mode}": give one of them`);
  if (typeof given === "object") requireSynchronous(given.mode);
  const known = typeof given === "object" ? (given.constructor as GpuConstructor) : given;
  const library = known?.input === undefined ? await importLibrary() : { GPU: known, input: known.input };
  const GPU = known ?? library.GPU;
  const gpu = typeof given === "object" ? given : construct(GPU, requireSynchronous(mode ?? bestMode(GPU)));
  return { gpu, mode: requireSynchronous(gpu.mode), input: library.input };
};
