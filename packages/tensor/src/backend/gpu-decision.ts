/**
 * @file Who multiplies the matrices of one shape: decided at its first product, and never changed afterwards.
 *
 * A shape of interest gets a kernel, which is verified and timed: "gpu" if at least 1.5 times faster than the kernel set, else "kernels". A chosen kernel that
 * fails later is withdrawn: from then on its products throw, so that nothing falls back in the middle of a solve.
 */
import { elementsOf, type Tensor } from "../tensor.js";
import { kernels } from "./active.js";
import { GpuWithdrawnError } from "./gpu-error.js";
import type { GpuDevice } from "./gpu-library.js";
import { compareTimes } from "./gpu-measure.js";
import { createProduct, type GpuProduct } from "./gpu-product.js";
import { checkOneElement, verifyProduct } from "./gpu-verify.js";
import type { MatmulLayout } from "./kernels.js";

/** Who multiplies the matrices of a shape. */
export type GpuChoice = "gpu" | "kernels";

/** What is known of one shape. */
export interface Decision {
  /** The kernel on the GPU; null for the kernel set. */
  readonly product: GpuProduct | null;
  readonly why: string;
  /** What every product throws, once the kernel has failed. */
  withdrawn: GpuWithdrawnError | null;
  /** Products made by the kernel. */
  uses: number;
}

/** How many times faster a GPU must be. */
export const speedup = 1.5;

/** The name of a shape, as in `"512x785x100 NT"`. */
export const keyOf = ({ m, k, n, transposeA, transposeB }: MatmulLayout): string =>
  `${m}x${k}x${n} ${transposeA ? "T" : "N"}${transposeB ? "T" : "N"}`;

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
const milliseconds = (time: number): string => `${time.toPrecision(3)} ms`;

/** The elements as they lie now; growth of the memory makes views anew. @throws ReleasedTensorError */
const floats = (x: Tensor): Float32Array => elementsOf(x) as Float32Array;

const decision = (product: GpuProduct | null, why: string): Decision => ({ product, why, withdrawn: null, uses: 0 });

const withdraw = (one: Decision, { mode }: GpuDevice, layout: MatmulLayout, wrong: string, cause: unknown): GpuWithdrawnError => {
  const key = keyOf(layout);
  const error = new GpuWithdrawnError(
    `the gpu.js kernel for products ${key} in mode ${mode} is withdrawn: ${wrong}. What used it ends here, since other kernels would give other bits; ` +
      `run again with choices: { "${key}": "kernels" }, or without the GPU: setMatmulBackend(null)`,
    { cause },
  );
  one.withdrawn = error;
  return error;
};

/** A verified kernel, or what is wrong with it. */
const prepare = (
  device: GpuDevice,
  layout: MatmulLayout,
): { readonly product: GpuProduct } | { readonly wrong: string; readonly cause?: unknown } => {
  try {
    const product = createProduct(device, layout);
    const wrong = verifyProduct(product, layout);
    return wrong === null ? { product } : { wrong };
  } catch (cause) {
    return { wrong: messageOf(cause), cause };
  }
};

/** Runs `product` on each matrix of the batch and looks at one element of each. Throws when something is wrong. */
const multiplyBatch = (product: GpuProduct, turn: number, layout: MatmulLayout, a: Float32Array, b: Float32Array, out: Float32Array): void => {
  const { batch, m, k, n, strideA, strideB } = layout;
  for (let s = 0; s < batch; s++) {
    const left = a.subarray(s * strideA, s * strideA + m * k);
    const right = b.subarray(s * strideB, s * strideB + k * n);
    const result = out.subarray(s * m * n, (s + 1) * m * n);
    product(left, right, result);
    const wrong = checkOneElement(turn + s, layout, left, right, result);
    if (wrong !== null) throw new Error(wrong);
  }
};

/** The choice that was passed in: "gpu" is made ready, and withdrawn at once where it is wrong. */
export const obey = (device: GpuDevice, layout: MatmulLayout, choice: GpuChoice): Decision => {
  const why = "as passed in";
  if (choice === "kernels") return decision(null, why);
  const found = prepare(device, layout);
  const one = decision("product" in found ? found.product : null, why);
  if ("wrong" in found) withdraw(one, device, layout, found.wrong, found.cause);
  return one;
};

/** Makes, verifies and times the kernel of a shape, on the operands at hand. A kernel that is wrong before its first use is only not chosen. */
export const decide = (device: GpuDevice, a: Tensor, b: Tensor, layout: MatmulLayout, out: Tensor, clock: () => number): Decision => {
  const found = prepare(device, layout);
  if (!("product" in found)) return decision(null, `no kernel: ${found.wrong}`);
  const { product } = found;
  const single = { ...layout, batch: 1 };
  const repeats = Math.min(16, Math.ceil(16_777_216 / (layout.m * layout.k * layout.n))); // about a millisecond, which a browser's coarse clock can see
  const wrong: string[] = [];
  const multiply = (): void => {
    const [x, y, z] = [floats(a), floats(b), floats(out)];
    try {
      multiplyBatch(product, 0, single, x, y, z);
    } catch (error) {
      wrong.push(messageOf(error));
    }
  };
  const timing = compareTimes(() => kernels.matmul(a, b, single, out), multiply, repeats, clock);
  const faster = wrong.length === 0 && timing.kernels > 0 && timing.kernels >= speedup * timing.gpu;
  if (!faster) product.destroy();
  if (wrong.length > 0) return decision(null, `no kernel: ${wrong[0]!}`);
  return decision(faster ? product : null, `measured ${milliseconds(timing.gpu)} on gpu.js, ${milliseconds(timing.kernels)} on the kernel set`);
};

/**
 * The product by a decision that has a kernel.
 *
 * @throws GpuWithdrawnError when the kernel fails, or has failed before.
 */
export const multiplyBy = (one: Decision, device: GpuDevice, a: Tensor, b: Tensor, layout: MatmulLayout, out: Tensor): boolean => {
  if (one.withdrawn !== null) throw one.withdrawn;
  if (one.product === null) return false;
  const [x, y, z] = [floats(a), floats(b), floats(out)];
  try {
    multiplyBatch(one.product, one.uses, layout, x, y, z);
  } catch (cause) {
    throw withdraw(one, device, layout, messageOf(cause), cause);
  }
  one.uses += layout.batch;
  return true;
};
