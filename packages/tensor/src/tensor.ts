/**
 * @file The tensor: a plain, contiguous, row-major, immutable value.
 *
 * Its elements lie in a typed array of its own (heap) or in a block of the linear memory (regions); it knows the generation of its region, so that a use after
 * the release is an error and never a wrong number. Watchers mark it with a slot: one mark inline, further ones in a small list, so that tapes nest.
 */
import ndarray, { type NdArray } from "ndarray";
import { allocateArray, bytesPerElement, type Dtype, type TypedArray } from "./dtype.js";
import { OptionError, ReleasedTensorError, ShapeError, WatchedTensorError } from "./errors.js";
import { memoryView } from "./memory.js";
import { isLive, isWatched } from "./recorder.js";
import { currentRegion, heap, type Region } from "./region.js";
import { formatShape, sizeOf, type Shape } from "./shape.js";

interface Mark {
  readonly epoch: number;
  readonly slot: number;
}

/** A typed array of the heap, and the address of its copy in the linear memory as long as the copies of that epoch count. */
export interface Owned {
  readonly array: TypedArray;
  copyEpoch: number;
  copyAddress: number;
}

/** An array that has no copy yet. */
export const owned = (array: TypedArray): Owned => ({ array, copyEpoch: 0, copyAddress: 0 });

/** So many elements are printed at most; of more the first few. */
const printed = 20;

/** Numbers nested to any depth. */
export type NestedArray = number | boolean | readonly NestedArray[];

/**
 * A multidimensional array of numbers. Made by {@link tensor}, `zeros`, ... and by every operation; never changed.
 *
 * @example
 * const x = tensor([[1, 2], [3, 4]]);
 * expectClose(x.mul(2).sum(), 20);
 */
export class Tensor {
  /** Axis lengths, outermost first. */
  readonly shape: Shape;
  /** Element type. */
  readonly dtype: Dtype;
  /** Number of elements. */
  readonly size: number;
  /** @internal The typed array that holds it, or null for a block of the linear memory. */
  readonly own: Owned | null;
  /** @internal Index of the first element in its typed array or in the memory's view. */
  readonly offset: number;
  /** @internal */
  readonly region: Region;
  /** @internal */
  readonly generation: number;
  /** @internal Name of the operation that made it. */
  op = "tensor";
  /** @internal Epoch and slot of one watcher, and of further ones. */
  epoch = 0;
  /** @internal */
  slot = -1;
  /** @internal */
  marks: Mark[] | null = null;

  /** @internal Use {@link tensor}. */
  constructor(shape: Shape, dtype: Dtype, size: number, own: Owned | null, offset: number, region: Region) {
    this.shape = shape;
    this.dtype = dtype;
    this.size = size;
    this.own = own;
    this.offset = offset;
    this.region = region;
    this.generation = region.generation;
  }

  /** Number of axes. */
  get rank(): number {
    return this.shape.length;
  }

  /**
   * The elements, row by row, without a copy. For a tensor of a region it is a view to be used before the next operation.
   *
   * @throws WatchedTensorError while somebody differentiates through this tensor: what is computed from the bare numbers would have gradient zero.
   */
  get data(): TypedArray {
    refuseWatched(this, "data");
    return elementsOf(this);
  }

  /** A zero-copy ndarray view of the elements, for use with ndarray-ops and its kin. @throws WatchedTensorError as {@link data} does. */
  get ndarray(): NdArray<TypedArray> {
    refuseWatched(this, "ndarray");
    return ndarray(elementsOf(this), [...this.shape]);
  }

  /**
   * The one element of a tensor of size 1, as a JavaScript number. Allowed while watched, since branching on a value is legitimate.
   *
   * @throws ShapeError for any other size.
   */
  item(): number {
    if (this.size !== 1)
      throw new ShapeError(`item() needs one element, but this tensor has shape ${formatShape(this.shape)}: pick one with at(i), or use toArray()`);
    return arrayOf(this)[this.offset]!;
  }

  /** The elements as nested JavaScript arrays, booleans for bool; a copy. @throws WatchedTensorError as {@link data} does. */
  toArray(): NestedArray {
    refuseWatched(this, "toArray()");
    return nested(this);
  }

  /**
   * What `JSON.stringify` writes, so that it saves any tree of tensors: the nested arrays of {@link toArray}. The element type is not among them: to restore, give it
   * to `tensor` again. As everywhere in JSON, NaN and infinities become null, which `tensor` refuses.
   *
   * @throws WatchedTensorError as {@link data} does.
   * @example
   * const parameters = { weight: tensor([[0.1, 0.2]], { dtype: "float32" }), bias: tensor([1, 2]) };
   * const saved = JSON.parse(JSON.stringify(parameters)) as Record<string, NestedArray>;
   * const restored = mapTree((leaf, path) => tensor(saved[path]!, { dtype: leaf.dtype }), parameters);
   * expectClose(restored.weight.sub(parameters.weight), [[0, 0]]);
   */
  toJSON(): NestedArray {
    refuseWatched(this, "toJSON()");
    return nested(this);
  }

  /** @throws OptionError always: a tensor is not a number. */
  [Symbol.toPrimitive](hint: string): string {
    if (hint === "string") return this.toString();
    throw new OptionError(
      `a tensor of shape ${formatShape(this.shape)} was used as a JavaScript number: use sin(t), t.mul(2), ... instead of Math.sin(t), t * 2, or t.item() for its value`,
    );
  }

  /**
   * Type, shape and numbers, for people: all of up to 20 elements, the first of more; also what Node's console shows. Watched or not, nothing is recorded.
   *
   * @example
   * String(tensor([[1, 2], [3, 4]])); // "Tensor float64 [2, 2] [[1, 2], [3, 4]]"
   */
  toString(): string {
    const head = `Tensor ${this.dtype} ${formatShape(this.shape)}`;
    if (this.generation !== this.region.generation) return `${head} (released)`;
    const text = (part: NestedArray): string => {
      if (Array.isArray(part)) return `[${(part as readonly NestedArray[]).map(text).join(", ")}]`;
      return String(this.dtype === "float32" ? Number((part as number).toPrecision(7)) : this.dtype === "bool" ? Boolean(part) : part);
    };
    if (this.size <= printed) return `${head} ${text(nested(this))}`;
    return `${head} [${Array.from(elementsOf(this).subarray(0, 3), text).join(", ")}, ... ${this.size} numbers]`;
  }
}

const nested = (x: Tensor): NestedArray => {
  const elements = elementsOf(x);
  let next = 0;
  const build = (axis: number): NestedArray => {
    if (axis === x.shape.length) return x.dtype === "bool" ? elements[next++] !== 0 : elements[next++]!;
    return Array.from({ length: x.shape[axis]! }, () => build(axis + 1));
  };
  return build(0);
};

const refuseWatched = (x: Tensor, what: string): void => {
  if (isWatched(x))
    throw new WatchedTensorError(
      `${what} of a tensor of shape ${formatShape(x.shape)} made by ${x.op} was read while it is being differentiated: what is computed from the numbers would get no gradient. ` +
        `Use tensor operations, or stopGradient(x).${what} where the derivative shall end`,
    );
};

/** The typed array in which element 0 lies at index `x.offset`. @throws ReleasedTensorError after the release of its region. */
export const arrayOf = (x: Tensor): TypedArray => {
  if (x.generation !== x.region.generation)
    throw new ReleasedTensorError(
      `a tensor of shape ${formatShape(x.shape)} made by ${x.op} was used after its ${x.region.kind} region was released: ` +
        `return it from the body that made it (scope, gradient, a step), or keep x.clone()`,
    );
  return x.own === null ? memoryView(x.dtype) : x.own.array;
};

/** Exactly the elements, as a view; what the public getter gives when nobody watches. */
export const elementsOf = (x: Tensor): TypedArray => {
  const array = arrayOf(x);
  return x.offset === 0 && array.length === x.size ? array : array.subarray(x.offset, x.offset + x.size);
};

/** A tensor with undefined contents, in `region` (the innermost open one unless given). */
export const allocate = (shape: Shape, dtype: Dtype, region: Region = currentRegion()): Tensor => {
  const size = sizeOf(shape);
  if (region === heap) return new Tensor(shape, dtype, size, owned(allocateArray(dtype, size)), 0, heap);
  const bytes = bytesPerElement[dtype];
  return new Tensor(shape, dtype, size, null, region.allocate(size * bytes) / bytes, region);
};

/** A heap tensor around a typed array, which must not be changed afterwards. */
export const wrap = (array: TypedArray, shape: Shape, dtype: Dtype): Tensor => new Tensor(shape, dtype, array.length, owned(array), 0, heap);

/** A 0-d tensor of one number, in the innermost open region. */
export const scalar = (value: number, dtype: Dtype): Tensor => {
  const x = allocate([], dtype);
  arrayOf(x)[x.offset] = value;
  return x;
};

/** Another header for the same elements, from element `start` on: shapes change, memory does not. */
export const alias = (x: Tensor, shape: Shape, start = 0): Tensor => {
  arrayOf(x);
  return new Tensor(shape, x.dtype, sizeOf(shape), x.own, x.offset + start, x.region);
};

/** Gives the block of one tensor of a region back, for the next allocation of its size; the tensor must not be used again. */
export const recycle = (x: Tensor): void => {
  const bytes = bytesPerElement[x.dtype];
  x.region.recycle(x.offset * bytes, x.size * bytes);
};

/** Whether a value is a tensor. */
export const isTensor = (value: unknown): value is Tensor => value instanceof Tensor;

/** @throws OptionError for what is no tensor. */
export const requireTensor = (op: string, x: unknown): void => {
  if (!isTensor(x)) throw new OptionError(`${op} needs a tensor, got ${Array.isArray(x) ? "a list" : typeof x}: make one with tensor(value)`);
};

/** @throws OptionError for anything but a list of tensors. */
export const requireTensors = (op: string, list: readonly Tensor[]): void => {
  if (!Array.isArray(list) || !list.every(isTensor)) throw new OptionError(`${op} needs a list of tensors: write ${op}([a, b])`);
};

/** The slot that the watcher with this epoch gave to `x`, or -1. */
export const slotOf = (x: Tensor, epoch: number): number => {
  if (x.epoch === epoch) return x.slot;
  if (x.marks !== null) for (const mark of x.marks) if (mark.epoch === epoch) return mark.slot;
  return -1;
};

/** Marks `x` with a slot of the watcher with this epoch. */
export const setSlot = (x: Tensor, epoch: number, slot: number): void => {
  if (x.epoch === 0 || x.epoch === epoch || !isLive(x.epoch)) {
    x.epoch = epoch;
    x.slot = slot;
    return;
  }
  const others = (x.marks ?? []).filter((mark) => mark.epoch !== epoch && isLive(mark.epoch));
  others.push({ epoch, slot });
  x.marks = others;
};
