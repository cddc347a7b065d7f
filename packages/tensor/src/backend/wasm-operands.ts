/**
 * @file Where the operands of a kernel lie in the linear memory.
 *
 * A tensor of a region is used in place. One of the heap is copied into scratch memory, a result for the heap is copied out of it. While a region is open, the
 * copy of a whole heap array, such as a matrix of parameters, is kept until another region, or another generation of the region, is the innermost.
 */
import { bytesPerElement, type Dtype, type TypedArray } from "../dtype.js";
import { acquireChunk, memoryView, releaseChunk, type Chunk } from "../memory.js";
import { aligned, currentRegion, heap, type Region } from "../region.js";
import { arrayOf, type Owned, type Tensor } from "../tensor.js";

/** In place of the address of an operand or a result that is left out; 0 is an address like any other. */
export const nowhere = -1;

/** Memory that is handed out block by block and taken back as a whole. */
const createArena = () => {
  const chunks: Chunk[] = [];
  let position = 0;
  let end = 0;
  return {
    used: 0,
    /** Address of a 16-byte aligned block; may grow the memory. */
    reserve(bytes: number): number {
      if (position + bytes > end) {
        const chunk = acquireChunk(bytes);
        chunks.push(chunk);
        position = chunk.offset;
        end = position + chunk.bytes;
      }
      const address = position;
      position += aligned(bytes);
      this.used += bytes;
      return address;
    },
    /** Keeps the first chunk only. */
    reset(): void {
      this.used = 0;
      while (chunks.length > 1) releaseChunk(chunks.pop()!);
      if (chunks.length === 0) return;
      position = chunks[0]!.offset;
      end = position + chunks[0]!.bytes;
    },
  };
};

const scratch = createArena();
const copies = createArena();
/** Copies beyond this are not kept. */
const copiesLimit = 32 * 1024 * 1024;

/** Copies count as long as nothing but operations of this generation of this region is computed. */
let epoch = 1;
let epochRegion: Region = heap;
let epochGeneration = -1;

/** Begins a call: all scratch memory is free again. */
export const beginCall = (): void => {
  if (scratch.used > 0) scratch.reset();
};

/** A block of scratch memory for this call; may grow the memory. */
export const reserve = (bytes: number): number => scratch.reserve(bytes);

const copyTo = (address: number, from: TypedArray, dtype: Dtype): void => {
  memoryView(dtype).set(from, address / bytesPerElement[dtype]);
};

const addressOfCopy = (x: Tensor, own: Owned): number => {
  const bytes = x.size * bytesPerElement[x.dtype];
  const array = arrayOf(x);
  const whole = array.length === x.size;
  const region = currentRegion();
  if (!whole || region === heap) {
    const address = scratch.reserve(bytes);
    copyTo(address, whole ? array : array.subarray(x.offset, x.offset + x.size), x.dtype);
    return address;
  }
  if (region !== epochRegion || region.generation !== epochGeneration) {
    epochRegion = region;
    epochGeneration = region.generation;
    epoch++;
    copies.reset();
  }
  if (own.copyEpoch === epoch) return own.copyAddress;
  const isKept = copies.used + bytes <= copiesLimit;
  const address = (isKept ? copies : scratch).reserve(bytes);
  copyTo(address, array, x.dtype);
  if (isKept) {
    own.copyEpoch = epoch;
    own.copyAddress = address;
  }
  return address;
};

/** Address of elements in the linear memory. */
const addressInPlace = (x: Tensor): number => {
  arrayOf(x); // which says so where it is released
  return x.offset * bytesPerElement[x.dtype];
};

/** Address of the elements of x; may grow the memory. */
export const addressOf = (x: Tensor): number => (x.own === null ? addressInPlace(x) : addressOfCopy(x, x.own));

/** Address that a kernel writes a result to; may grow the memory. */
export const addressOfResult = (out: Tensor): number =>
  out.own === null ? addressInPlace(out) : scratch.reserve(arrayOf(out).BYTES_PER_ELEMENT * out.size);

/** Brings a result to the heap, if it belongs there. */
export const deliver = (out: Tensor, address: number): void => {
  if (out.own === null) return;
  out.own.copyEpoch = 0; // what was kept of it is stale
  const own = out.own.array;
  const from = memoryView(out.dtype);
  const start = address / bytesPerElement[out.dtype];
  if (out.size > 32) own.set(from.subarray(start, start + out.size), out.offset);
  else for (let i = 0; i < out.size; i++) own[out.offset + i] = from[start + i]!;
};

/** Brings the elements of a tensor of the heap to where its result will be, for kernels that add to it. */
export const fetchResult = (out: Tensor, address: number): void => {
  if (out.own !== null) copyTo(address, out.own.array.subarray(out.offset, out.offset + out.size), out.dtype);
};
