/**
 * @file Matrix products on gpu.js, where that is faster: one kernel for each shape, verified, measured once, and never changed afterwards.
 */
import { OptionError } from "../errors.js";
import { checkOptions } from "../options.js";
import type { Tensor } from "../tensor.js";
import { kernels } from "./active.js";
import { decide, keyOf, multiplyBy, obey, speedup, type Decision, type GpuChoice } from "./gpu-decision.js";
import { openGpu, type GpuConstructor, type GpuInstance, type GpuMode } from "./gpu-library.js";
import type { MatmulLayout } from "./kernels.js";
import type { MatmulBackend } from "./matmul.js";

/** Choices by shape: `"512x785x100 NT"` is `[512, 785]` times `[785, 100]` with the right factor stored transposed. */
export type GpuChoices = Readonly<Record<string, GpuChoice>>;

/** Options of {@link gpuMatmul}. */
export interface GpuMatmulOptions {
  /** gpu.js's class GPU, or an object of it; default: gpu.js is imported. */
  readonly gpu?: GpuConstructor | GpuInstance;
  /** Default: webgl2, headlessgl, webasm, cpu, the first that works here. */
  readonly mode?: GpuMode;
  /** What `choices()` gave in another run. These shapes are not measured; "gpu" among them is an order, and an error where the kernel proves wrong. */
  readonly choices?: GpuChoices;
  /** Multiply-adds m·k·n below which a shape is left to the kernel set unmeasured, default 1,048,576: no GPU answers so fast. */
  readonly threshold?: number;
  /** Milliseconds from any origin, for measuring; default performance.now. */
  readonly clock?: () => number;
}

/** A {@link MatmulBackend} on gpu.js. */
export interface GpuMatmul extends MatmulBackend {
  readonly mode: GpuMode;
  /** The choices passed in and made so far, to be passed to {@link gpuMatmul} in another process; a withdrawn kernel counts as "kernels". */
  readonly choices: () => GpuChoices;
}

const optionNames = ["gpu", "mode", "choices", "threshold", "clock"] as const satisfies readonly (keyof GpuMatmulOptions)[];

const checkChoices = (choices: GpuChoices): void => {
  for (const [key, choice] of Object.entries<string>(choices))
    if (!/^[1-9]\d*x[1-9]\d*x[1-9]\d* [NT]{2}$/.test(key) || (choice !== "gpu" && choice !== "kernels"))
      throw new OptionError(`gpuMatmul got the choice "${key}": "${choice}", but choices look like "512x785x100 NT": "gpu" or "kernels"`);
};

/**
 * A backend that multiplies float32 matrices on gpu.js wherever that is at least 1.5 times faster than the kernel set.
 *
 * The first product of a shape of at least `threshold` multiply-adds makes a kernel, verifies it against the kernel set and times both (tens of milliseconds);
 * the choice then stands for the life of the backend, of which a process needs one. Every product has one element checked. float64 is not its case.
 * Results agree with the kernel set's to float32 rounding, not in their last bits, and a row may have other bits in another batch.
 *
 * @returns a promise of the backend, for `setMatmulBackend`. Its products throw `GpuWithdrawnError` from the moment a chosen kernel gives wrong numbers,
 * fails or loses its context.
 * @throws OptionError (as a rejection) when gpu.js is not installed, the mode is not synchronous or not available here, or an option is not valid.
 * @example
 * ```ts no-run
 * import { setMatmulBackend } from "@dydt/tensor";
 * import { gpuMatmul } from "@dydt/tensor/gpu";
 *
 * const backend = await gpuMatmul();
 * setMatmulBackend(backend);
 * // ... train ...
 * console.log(backend.explain());
 * ```
 */
export const gpuMatmul = async (options: GpuMatmulOptions = {}): Promise<GpuMatmul> => {
  checkOptions("gpuMatmul", options, optionNames);
  const { choices: given = {}, threshold = 1_048_576, clock = () => performance.now() } = options;
  checkChoices(given);
  if (!(threshold >= 0)) throw new OptionError(`gpuMatmul needs a threshold of at least 0 multiply-adds, got ${threshold}`);
  const device = await openGpu(options.gpu, options.mode);
  const decisions = new Map<string, Decision>();

  const multiply = (a: Tensor, b: Tensor, layout: MatmulLayout, out: Tensor): boolean => {
    const { batch, m, k, n } = layout;
    if (a.dtype !== "float32" || batch * m * k * n === 0) return false;
    const key = keyOf(layout);
    const known = decisions.get(key);
    if (known !== undefined) return multiplyBy(known, device, a, b, layout, out);
    const choice = given[key];
    if (choice === undefined && m * k * n < threshold) return false;
    const decision = choice === undefined ? decide(device, a, b, layout, out, clock) : obey(device, layout, choice);
    decisions.set(key, decision);
    return multiplyBy(decision, device, a, b, layout, out);
  };

  const stateOf = ({ product, withdrawn }: Decision): string => (withdrawn !== null ? "withdrawn" : product !== null ? "gpu" : "kernels");
  const rowOf = (key: string, decision: Decision): string =>
    `${key.padEnd(20)} ${stateOf(decision).padEnd(10)} ${String(decision.uses).padStart(8)} products  ${decision.withdrawn?.message ?? decision.why}`;
  const explain = (): string =>
    [
      `gpu.js in mode ${device.mode}, where it measured at least ${speedup} times faster than the ${kernels.name} kernels; ` +
        `float32 products of at least ${threshold} multiply-adds are measured`,
      ...(decisions.size === 0 ? ["no such product yet"] : [...decisions].map(([key, decision]) => rowOf(key, decision))),
    ].join("\n");
  const choices = (): GpuChoices =>
    Object.fromEntries([
      ...Object.entries(given),
      ...[...decisions].map(([key, decision]) => [key, stateOf(decision) === "gpu" ? "gpu" : "kernels"] as const),
    ]);

  return Object.freeze({ name: `gpu.js ${device.mode}`, mode: device.mode, multiply, explain, choices });
};
