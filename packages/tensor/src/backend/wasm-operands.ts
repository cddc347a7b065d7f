/**
 * @file Where the operands of a kernel lie in the linear memory.
 *
 * A tensor of a region is used in place. One of the heap is copied into scratch memory, a result for the heap is copied out of it. While a region is open, the
 * copy of a whole heap array, such as a matrix of parameters, is kept until another region, or another generation of the region, is the innermost.
 */
import { bytesPerElement, type Dtype, type TypedArray } from "../dtype.js";
import { acquireChunk, memoryView, releaseChunk, type Chunk } from "../memory.js";
import { currentRegion, heap, type Region } from "../region.js";
import { arrayOf, type Tensor } from "../tensor.js";

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
      position += (bytes + 15) & ~15;
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

/** Where the copies lie. It holds the arrays as long as the copies count, which take as much memory. */
const addressOfKept = new Map<TypedArray, number>();
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

const addressOfCopy = (x: Tensor, own: TypedArray): number => {
  const bytes = x.size * bytesPerElement[x.dtype];
  const whole = own.length === x.size;
  const region = currentRegion();
  if (!whole || region === heap || copies.used + bytes > copiesLimit) {
    const address = scratch.reserve(bytes);
    copyTo(address, whole ? own : own.subarray(x.offset, x.offset + x.size), x.dtype);
    return address;
  }
  if (region !== epochRegion || region.generation !== epochGeneration) {
    epochRegion = region;
    epochGeneration = region.generation;
    addressOfKept.clear();
    copies.reset();
  }
  const known = addressOfKept.get(own);
  if (known !== undefined) return known;
  const address = copies.reserve(bytes);
  copyTo(address, own, x.dtype);
  addressOfKept.set(own, address);
  return address;
};

/** Whether the elements lie in the linear memory; a released tensor is left to {@link arrayOf}, which says so. */
const inPlace = (x: Tensor): boolean => x.own === null && x.generation === x.region.generation;

/** Address of the elements of x; may grow the memory. */
export const addressOf = (x: Tensor): number => (inPlace(x) ? x.offset * bytesPerElement[x.dtype] : addressOfCopy(x, arrayOf(x)));

/** Address that a kernel writes a result to; may grow the memory. */
export const addressOfResult = (out: Tensor): number => {
  const bytes = bytesPerElement[out.dtype];
  if (inPlace(out)) return out.offset * bytes;
  arrayOf(out);
  return scratch.reserve(out.size * bytes);
};

/** Brings a result to the heap, if it belongs there. */
export const deliver = (out: Tensor, address: number): void => {
  const own = out.own;
  if (own === null) return;
  addressOfKept.delete(own); // what was kept of it is stale
  const from = memoryView(out.dtype);
  const start = address / bytesPerElement[out.dtype];
  if (out.size > 32) own.set(from.subarray(start, start + out.size), out.offset);
  else for (let i = 0; i < out.size; i++) own[out.offset + i] = from[start + i]!;
};

/** Brings the elements of a tensor of the heap to where its result will be, for kernels that add to it. */
export const fetchResult = (out: Tensor, address: number): void => {
  if (out.own !== null) copyTo(address, out.own.subarray(out.offset, out.offset + out.size), out.dtype);
};
