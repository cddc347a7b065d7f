/**
 * @file The one linear memory that regions allocate in.
 *
 * A WebAssembly.Memory grows but never moves a byte offset, so growth changes no tensor: only the typed-array views below are made anew.
 * Chunks are powers of two of at least 64 KiB, kept in free lists by size; where such a one has no room any more, they are what is needed, or what is free.
 */
import { MemoryError } from "./errors.js";
import type { Dtype, TypedArray } from "./dtype.js";

const pageBytes = 65536;
const maximumPages = 65536;
const initialPages = 16;
/** Kernels read whole vectors, up to 12 bytes beyond the end of an operand: so much is left behind the last chunk. */
const overreadBytes = 16;

/** Where there is no WebAssembly: a buffer that is copied when it grows. */
const plainMemory = (): Pick<WebAssembly.Memory, "buffer" | "grow"> => {
  let buffer = new ArrayBuffer(initialPages * pageBytes);
  return {
    get buffer() {
      return buffer;
    },
    grow: (pages) => {
      const present = buffer.byteLength;
      const larger = new ArrayBuffer(present + pages * pageBytes);
      new Uint8Array(larger).set(new Uint8Array(buffer));
      buffer = larger;
      return present / pageBytes;
    },
  };
};

/** The WebAssembly memory that kernels import, or null where there is no WebAssembly. */
export const linearMemory: WebAssembly.Memory | null =
  typeof WebAssembly === "undefined" ? null : new WebAssembly.Memory({ initial: initialPages, maximum: maximumPages });
const memory = linearMemory ?? plainMemory();

/** A run of bytes of the linear memory. */
export interface Chunk {
  readonly offset: number;
  readonly bytes: number;
}

let floats64 = new Float64Array(memory.buffer);
let floats32 = new Float32Array(memory.buffer);
let integers = new Int32Array(memory.buffer);
let bytes8 = new Uint8Array(memory.buffer);

const makeViews = (): void => {
  floats64 = new Float64Array(memory.buffer);
  floats32 = new Float32Array(memory.buffer);
  integers = new Int32Array(memory.buffer);
  bytes8 = new Uint8Array(memory.buffer);
};

let top = 0;
const free = new Map<number, Chunk[]>();

/** The present view of the whole memory as elements of one type; made anew when the memory has grown. */
export const memoryView = (dtype: Dtype): TypedArray =>
  dtype === "float64" ? floats64 : dtype === "float32" ? floats32 : dtype === "int32" ? integers : bytes8;

/**
 * A chunk of at least `bytes` bytes, contents undefined.
 *
 * @param wished - bytes that it has where there is room for them.
 * @throws MemoryError when the memory cannot grow so far, with the bytes asked for.
 */
export const acquireChunk = (bytes: number, wished = bytes): Chunk => {
  let size = pageBytes;
  while (size < Math.max(bytes, wished)) size *= 2;
  if (top + size + overreadBytes > maximumPages * pageBytes) {
    const lengths = [...free.keys()].filter((length) => length >= bytes && free.get(length)!.length > 0);
    size = lengths.length > 0 ? Math.min(...lengths) : Math.ceil(bytes / pageBytes) * pageBytes;
  }
  const reusable = free.get(size)?.pop();
  if (reusable !== undefined) return reusable;
  const end = top + size;
  const missing = Math.ceil((end + overreadBytes - memory.buffer.byteLength) / pageBytes);
  if (missing > 0) grow(missing, bytes);
  const chunk = { offset: top, bytes: size };
  top = end;
  return chunk;
};

/** Gives a chunk back. */
export const releaseChunk = (chunk: Chunk): void => {
  const list = free.get(chunk.bytes);
  if (list === undefined) free.set(chunk.bytes, [chunk]);
  else list.push(chunk);
};

/** Grows by the missing pages, or by a quarter of what there is when that is more, so that views are seldom made anew. */
const grow = (missing: number, bytes: number): void => {
  const present = memory.buffer.byteLength / pageBytes;
  const wished = Math.min(Math.max(missing, Math.ceil(present / 4)), maximumPages - present);
  try {
    if (wished < missing) throw new RangeError("beyond the maximum");
    memory.grow(wished);
  } catch (cause) {
    throw new MemoryError(
      `a region asked for ${bytes} bytes, but the engine's memory holds ${memory.buffer.byteLength} of at most ${maximumPages * pageBytes} bytes: ` +
        `use smaller batches, or fewer stored states (revolve(n))`,
      { cause },
    );
  }
  makeViews();
};
