/**
 * @file `scope`: many operations, one result, and nothing left behind.
 */
import { copy } from "./movement.js";
import { inTemporaryRegion, isRetained } from "./recorder.js";
import { allocatingIn, currentRegion, heap, type Region } from "./region.js";
import { isTensor } from "./tensor.js";

/** Rebuilds what holds tensors of `from`, copies of them in its place, made in the region that is open; anything else is returned itself. */
const copyParts = (value: unknown, from: Region): unknown => {
  if (typeof value !== "object" || value === null) return value;
  if (isTensor(value)) return value.region === from ? copy(value) : value;
  if (Array.isArray(value)) {
    let copies: unknown[] | undefined;
    for (let i = 0; i < value.length; i++) {
      const part: unknown = value[i];
      const copied = copyParts(part, from);
      if (copied !== part) (copies ??= value.slice())[i] = copied;
    }
    return copies ?? value;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return value;
  const record = value as Readonly<Record<string, unknown>>;
  let copies: Record<string, unknown> | undefined;
  for (const key of Object.keys(record)) {
    const part = record[key];
    const copied = copyParts(part, from);
    if (copied !== part) (copies ??= { ...record })[key] = copied;
  }
  return copies ?? value;
};

/**
 * Copies the tensors of the innermost region that are found in a value (in records and lists, to any depth) to `region`.
 * Everything else, tensors of other regions and the heap included, stays what it is; a value without such tensors is returned itself.
 */
export const copyOut = <T>(value: T, region: Region): T => {
  const from = currentRegion();
  if (from === region || from === heap || isRetained()) return value;
  return allocatingIn(region, () => copyParts(value, from)) as T;
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
