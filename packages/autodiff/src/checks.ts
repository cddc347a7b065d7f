/**
 * @file Checks that cost time, off by default: was a tensor changed between its recording and its use in the reverse?
 */
import { DydtError, elementsOf, formatShape, isTensor, type Tensor } from "@dydt/tensor";

/** A tensor that a tape keeps was changed from outside. */
export class MutationError extends DydtError {
  override readonly name = "MutationError";
}

let on = false;

/**
 * Switches the costly checks on or off. With them, every pullback makes sure that the tensors it needs are what they were when they were recorded.
 *
 * @param enabled - default off; about doubles the cost of small operations.
 */
export const setChecks = (enabled: boolean): void => {
  on = enabled;
};

/** Whether the costly checks are on. */
export const checksAreOn = (): boolean => on;

const tensorsOf = (args: readonly unknown[]): readonly Tensor[] => args.flat().filter(isTensor);

/** 32-bit FNV-1a over the bytes of the elements. */
const hash = (x: Tensor): number => {
  const elements = elementsOf(x);
  const bytes = new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength);
  let sum = 0x811c9dc5;
  for (let i = 0; i < bytes.length; i++) sum = Math.imul(sum ^ bytes[i]!, 0x01000193);
  return sum;
};

/** One number for each tensor among the arguments. */
export const checksum = (args: readonly unknown[]): readonly number[] => tensorsOf(args).map(hash);

/** @throws MutationError when an argument is no longer what it was, naming the operation and the shape. */
export const verifyChecksum = (op: string, args: readonly unknown[], sums: readonly number[]): void => {
  tensorsOf(args).forEach((x, i) => {
    if (hash(x) !== sums[i])
      throw new MutationError(
        `a tensor of shape ${formatShape(x.shape)} made by ${x.op} was changed after ${op} had used it: its gradient would be wrong. ` +
          `Do not write to data, ndarray or an array that was wrapped while a recording needs it`,
      );
  });
};
