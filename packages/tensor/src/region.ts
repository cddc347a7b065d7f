/**
 * @file Who owns a tensor's memory.
 *
 * Three kinds: the heap (typed arrays, garbage-collected), step regions (two per running solve, used in turn) and tape regions.
 * A region allocates by moving a pointer, and `reset` forgets all of it at once by raising the generation number that its tensors remember.
 * A primitive allocates in the innermost region open in this synchronous call; no region is ever open across a yield, an await or a return.
 */
import { AsynchronousBodyError } from "./errors.js";
import { acquireChunk, releaseChunk, type Chunk } from "./memory.js";

/** An owner of tensor memory. */
export interface Region {
  readonly kind: "heap" | "step" | "tape" | "store";
  /** Raised by every reset: a tensor with another number is a tensor after its release. */
  generation: number;
  /** Bytes allocated since the last reset. */
  used: number;
  /** Byte offset of a fresh 16-byte aligned block. */
  readonly allocate: (bytes: number) => number;
  /** Returns one block for reuse by an allocation of the same size. */
  readonly recycle: (offset: number, bytes: number) => void;
  /** Closes another region when this one is reset: what depends on a recording is released with it. */
  readonly adopt: (dependent: Region) => void;
  /** Forgets every tensor of this region. */
  readonly reset: () => void;
  /** Resets, and returns the memory. The region may be used again. */
  readonly close: () => void;
}

const unreachable = (): never => {
  throw new RangeError("the heap allocates typed arrays, not blocks");
};

/** The region of everything that has no other: typed arrays that JavaScript collects. */
export const heap: Region = {
  kind: "heap",
  generation: 0,
  used: 0,
  allocate: unreachable,
  recycle: unreachable,
  adopt: unreachable,
  reset: unreachable,
  close: unreachable,
};

const forgotten = new FinalizationRegistry<Region>((region) => region.close());

/** Closes a region when `owner` has been collected: for owners on the heap, which nobody closes. */
export const closeWithOwner = (owner: object, region: Region): void => {
  forgotten.register(owner, region);
};

/** The bytes of a whole number of blocks of 16. */
export const aligned = (bytes: number): number => Math.ceil(bytes / 16) * 16;

/** A region of its own in the linear memory. */
export const createRegion = (kind: "step" | "tape" | "store"): Region => {
  const chunks: Chunk[] = [];
  let index = -1; // the chunk that is being filled
  let position = 0;
  let end = 0;
  let recycled: Map<number, number[]> | null = null;
  let dependents: Region[] | null = null;

  const nextChunk = (bytes: number): void => {
    while (++index < chunks.length) if (chunks[index]!.bytes >= bytes) break;
    if (index >= chunks.length) chunks.push(acquireChunk(bytes, chunks.length === 0 ? 0 : chunks[chunks.length - 1]!.bytes * 2));
    position = chunks[index]!.offset;
    end = position + chunks[index]!.bytes;
  };

  const region: Region = {
    kind,
    generation: 1,
    used: 0,
    allocate: (bytes) => {
      const size = aligned(bytes);
      count(region, size);
      const reused = recycled?.get(size)?.pop();
      if (reused !== undefined) return reused;
      if (position + size > end) nextChunk(size);
      const offset = position;
      position += size;
      return offset;
    },
    recycle: (offset, bytes) => {
      const size = aligned(bytes);
      count(region, -size);
      const list = (recycled ??= new Map<number, number[]>()).get(size);
      if (list === undefined) recycled.set(size, [offset]);
      else list.push(offset);
    },
    adopt: (dependent) => {
      (dependents ??= []).push(dependent);
    },
    reset: () => {
      const closing = dependents;
      dependents = null;
      closing?.forEach((dependent) => dependent.close());
      region.generation++;
      count(region, -region.used);
      recycled?.clear();
      index = chunks.length === 0 ? -1 : 0;
      position = index < 0 ? 0 : chunks[0]!.offset;
      end = index < 0 ? 0 : position + chunks[0]!.bytes;
    },
    close: () => {
      region.reset();
      for (const chunk of chunks) releaseChunk(chunk);
      chunks.length = 0;
      index = -1;
      position = end = 0;
    },
  };
  return region;
};

let current: Region = heap;
let live = 0; // bytes used in all regions
let peak = 0;

const count = (region: Region, bytes: number): void => {
  region.used += bytes;
  live += bytes;
  if (live > peak) peak = live;
};

/** The region that a primitive allocates in just now. */
export const currentRegion = (): Region => current;

/**
 * Runs `body` with `region` as the place of its allocations.
 *
 * @throws AsynchronousBodyError when `body` returns a promise or an iterator, which would go on after the region was closed.
 */
export const allocatingIn = <T>(region: Region, body: () => T): T => {
  const outer = current;
  current = region;
  try {
    return synchronous(body());
  } finally {
    current = outer;
  }
};

/** Refuses a result that would go on computing after its scope has ended. */
export const synchronous = <T>(result: T): T => {
  if (typeof result === "object" && result !== null) {
    const { then, next } = result as { readonly then?: unknown; readonly next?: unknown };
    if (typeof then === "function" || typeof next === "function")
      throw new AsynchronousBodyError(
        `the body returned ${typeof then === "function" ? "a promise" : "an iterator"}, but what it computes is released or unwatched when it returns: ` +
          `await outside, or drain the iterator inside`,
      );
  }
  return result;
};

/** Counts bytes that are held outside the regions, such as a grid of times; negative when they are given up. */
export const countBytes = (bytes: number): void => {
  live += bytes;
  if (live > peak) peak = live;
};

/**
 * Starts measuring the high-water mark of region memory.
 *
 * @returns a function that gives the bytes used at the highest point since, beyond those in use at the start. Meters nest.
 */
export const meterBytes = (): (() => number) => {
  const start = live;
  const outer = peak;
  peak = live;
  return () => {
    const highest = peak - start;
    peak = Math.max(outer, peak);
    return highest;
  };
};
