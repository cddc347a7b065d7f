/** @file The error that ends a solve when a GPU can no longer be trusted. */
import { DydtError } from "../errors.js";

/**
 * A kernel on the GPU gave wrong numbers, lost its context or failed after it had been chosen: it is withdrawn, and every further product of that shape
 * throws this too. Going on with other kernels would change the bits between a step and its replay.
 */
export class GpuWithdrawnError extends DydtError {
  override readonly name = "GpuWithdrawnError";
}
