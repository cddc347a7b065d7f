/**
 * @file The place where somebody else may multiply matrices: one backend at most, asked before the kernel set.
 *
 * What a backend must keep: its answer for a layout is the same as long as the process runs, since a step and its replay must give the same bits; and it
 * either takes a product and gives it right, or leaves it alone, or throws. It never computes something else in silence.
 */
import { OptionError } from "../errors.js";
import type { Tensor } from "../tensor.js";
import type { MatmulLayout } from "./kernels.js";

/** Multiplies matrices in place of the kernel set, such as what `gpuMatmul` of `@dydt/tensor/gpu` makes. */
export interface MatmulBackend {
  readonly name: string;
  /**
   * Writes op(A) op(B) into `out` and returns true, or returns false and writes nothing that counts: not its case, the kernel set does it.
   *
   * `a`, `b` and `out` are contiguous tensors of one float type; `elementsOf` gives their numbers.
   */
  readonly multiply: (a: Tensor, b: Tensor, layout: MatmulLayout, out: Tensor) => boolean;
  /** What was chosen for which shapes, and why, as text to print. */
  readonly explain: () => string;
}

/** The backend in use, or null for the kernel set alone. */
export let matmulBackend: MatmulBackend | null = null;

/**
 * Lets a backend multiply matrices where it wants to, from the next product on.
 *
 * Products made by it need not have the bits of the kernel set, so set it before a solve and leave it until gradients are taken.
 *
 * @param backend - asked for every product but those that the gradients of convolutions add up in place; null (the default) for the kernel set alone.
 * @throws OptionError when it has no function `multiply`.
 * @example
 * let products = 0;
 * setMatmulBackend({ name: "counter", multiply: () => (products++, false), explain: () => `${products} products` });
 * tensor([[1, 2]]).matmul(tensor([[3], [4]]));
 * setMatmulBackend(null);
 * expectClose(products, 1);
 */
export const setMatmulBackend = (backend: MatmulBackend | null): void => {
  const given: unknown = backend;
  if (given !== null && (typeof given !== "object" || typeof (given as Partial<MatmulBackend>).multiply !== "function"))
    throw new OptionError(
      `setMatmulBackend needs null or a backend with a function multiply: await gpuMatmul() makes one, and is a promise before that`,
    );
  matmulBackend = backend;
};
