/**
 * @file `scope`: many operations, one result, and nothing left behind.
 */
import { copy } from "./movement.js";
import { inTemporaryRegion, isRetained } from "./recorder.js";
import { allocatingIn, currentRegion, heap, type Region } from "./region.js";
import { isTensor, type Tensor } from "./tensor.js";

const copyTensor = (x: Tensor, region: Region): Tensor =>
  x.region === currentRegion() && x.region !== region && x.region !== heap ? allocatingIn(region, () => copy(x)) : x;

/**
 * Copies the tensors of the innermost region that are found in a value (in records and lists, to any depth) to `region`.
 * Everything else, tensors of other regions and the heap included, stays what it is; a value without such tensors is returned itself.
 */
export const copyOut = <T>(value: T, region: Region): T => {
  if (isRetained() || typeof value !== "object" || value === null) return value;
  if (isTensor(value)) return copyTensor(value, region) as T;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (!Array.isArray(value) && prototype !== Object.prototype && prototype !== null) return value;
  const entries = Object.entries(value);
  const copies = entries.map(([, part]) => copyOut(part as unknown, region));
  if (copies.every((part, i) => part === entries[i]![1])) return value;
  return (Array.isArray(value) ? copies : Object.fromEntries(entries.map(([key], i) => [key, copies[i]]))) as T;
};

/**
 * Runs `body` in a region of its own: all that it computes is released at the end, but for the tensors it returns.
 *
 * While a derivative is being recorded nothing is released before the recording is.
 *
 * @param body - synchronous; what it returns may hold tensors anywhere in records and lists.
 * @returns what `body` returned, its tensors copied to the region outside.
 * @throws AsynchronousBodyError when `body` returns a promise or an iterator.
 * @example
 * const total = scope(() => tensor([1, 2, 3]).exp().log().sum());
 * expectClose(total, 6);
 */
export const scope = <T>(body: () => T): T => inTemporaryRegion("step", (outside) => copyOut(body(), outside));
