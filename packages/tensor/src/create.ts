/**
 * @file Constructors. What they make is always on the heap and belongs to the caller.
 */
import { allocateArray, type Dtype, type TypedArray } from "./dtype.js";
import { DtypeError, OptionError, ShapeError } from "./errors.js";
import { checkOptions } from "./options.js";
import { checkShape, formatShape, sizeOf, type Shape } from "./shape.js";
import { wrap, type NestedArray, type Tensor } from "./tensor.js";

/** Options of {@link tensor}. */
export interface TensorOptions {
  /** Default: the nesting of the values. */
  readonly shape?: Shape;
  /** Default: the type of a typed array, bool when all values are booleans, else float64. */
  readonly dtype?: Dtype;
}

/** Options of the constructors that fill. */
export interface FillOptions {
  /** Default: float64. */
  readonly dtype?: Dtype;
}

const dtypeOfArray = (values: ArrayBufferView): Dtype => {
  if (values instanceof Float64Array) return "float64";
  if (values instanceof Float32Array) return "float32";
  if (
    values instanceof Int32Array ||
    values instanceof Int16Array ||
    values instanceof Int8Array ||
    values instanceof Uint16Array ||
    values instanceof Uint8Array
  )
    return "int32";
  throw new DtypeError(
    `tensor got ${values.constructor.name}: Float64Array, Float32Array, Int32Array and smaller integers are known; convert the others first`,
  );
};

/**
 * A tensor of the given numbers, copied.
 *
 * @param values - a number, nested arrays of numbers or booleans, or a typed array.
 * @throws ShapeError for ragged arrays, or when `shape` does not hold the values; DtypeError for an unknown element type, and for
 * numbers that int32 cannot hold; OptionError for unknown options.
 * @example
 * expectClose(tensor([[1, 2], [3, 4]]).sum(), 10);
 * expectClose(tensor(new Float32Array([1, 2, 3, 4]), { shape: [2, 2] }).at(1), [3, 4]);
 */
export const tensor = (values: NestedArray | TypedArray, options?: TensorOptions): Tensor => {
  checkOptions("tensor", options, ["dtype", "shape"]);
  const { shape, dtype } = options ?? {};
  if (ArrayBuffer.isView(values)) {
    const type = dtype ?? dtypeOfArray(values);
    requireIntegers("tensor", type, values);
    return filled(shape ?? [values.length], type, values.length, (array) =>
      array.set(type === "bool" ? values.map((x) => (x === 0 ? 0 : 1)) : values),
    );
  }
  const own: number[] = [];
  const numbers: number[] = [];
  let booleans = 0;
  const visit = (part: NestedArray, depth: number): void => {
    if (typeof part === "number" || typeof part === "boolean") {
      if (depth !== own.length)
        throw new ShapeError(`tensor got ragged values: a number at depth ${depth}, but lists of shape ${formatShape(own)} elsewhere`);
      if (typeof part === "boolean") booleans++;
      numbers.push(Number(part));
      return;
    }
    if (!Array.isArray(part))
      throw new OptionError(`tensor got ${part === null ? "null" : typeof part} among its values: numbers, booleans and lists of them are known`);
    if (depth === own.length && numbers.length === 0) own.push(part.length);
    else if (part.length !== own[depth])
      throw new ShapeError(`tensor got ragged values: a list of ${part.length} at depth ${depth}, where others have ${own[depth] ?? "numbers"}`);
    for (const item of part as readonly NestedArray[]) visit(item, depth + 1);
  };
  visit(values, 0);
  const type = dtype ?? (booleans > 0 && booleans === numbers.length ? "bool" : "float64");
  requireIntegers("tensor", type, numbers);
  return filled(shape ?? own, type, numbers.length, (array) => array.set(type === "bool" ? numbers.map((x) => (x === 0 ? 0 : 1)) : numbers));
};

const filled = (shape: Shape, dtype: Dtype, size: number, fill: (array: TypedArray) => void): Tensor => {
  if (sizeOf(checkShape("tensor", shape)) !== size)
    throw new ShapeError(`tensor got ${size} values for shape ${formatShape(shape)}, which holds ${sizeOf(shape)}`);
  const array = allocateArray(dtype, size);
  fill(array);
  return wrap(array, [...shape], dtype);
};

/** @throws DtypeError for a number that int32 cannot hold; fractions are cut off. */
export const requireIntegers = (op: string, dtype: Dtype, values: ArrayLike<number>): void => {
  if (dtype !== "int32" || values instanceof Int32Array) return;
  for (let i = 0; i < values.length; i++)
    if (!(Math.abs(Math.trunc(values[i]!) + 0.5) < 2147483648))
      throw new DtypeError(`${op} got ${values[i]!}, which int32 cannot hold: whole numbers from -2147483648 to 2147483647; use float64`);
};

/** The element type that is asked for. @throws OptionError for unknown options. */
export const dtypeOf = (op: string, options: FillOptions | undefined): Dtype => {
  checkOptions(op, options, ["dtype"]);
  return options?.dtype ?? "float64";
};

const constant = (op: string, shape: Shape, value: number, dtype: Dtype): Tensor =>
  wrap(allocateArray(dtype, sizeOf(checkShape(op, shape))).fill(dtype === "bool" ? Number(value !== 0) : value), [...shape], dtype);

/** A tensor filled with one number. @throws OptionError for what is no number; DtypeError for one that int32 cannot hold. */
export const full = (shape: Shape, value: number, options?: FillOptions): Tensor => {
  if (typeof value !== "number" && typeof value !== "boolean") throw new OptionError(`full got ${typeof value} as its number: write full([2, 3], 1)`);
  const dtype = dtypeOf("full", options);
  requireIntegers("full", dtype, [value]);
  return constant("full", shape, value, dtype);
};

/** Zeros. */
export const zeros = (shape: Shape, options?: FillOptions): Tensor => constant("zeros", shape, 0, dtypeOf("zeros", options));

/** Ones. */
export const ones = (shape: Shape, options?: FillOptions): Tensor => constant("ones", shape, 1, dtypeOf("ones", options));

/** Zeros of the shape and element type of `x`. */
export const zerosLike = (x: Tensor): Tensor => constant("zerosLike", x.shape, 0, x.dtype);

/** The identity matrix `[n, n]`. */
export const eye = (n: number, options?: FillOptions): Tensor => {
  const dtype = dtypeOf("eye", options);
  const array = allocateArray(dtype, sizeOf(checkShape("eye", [n, n])));
  for (let i = 0; i < n; i++) array[i * (n + 1)] = 1;
  return wrap(array, [n, n], dtype);
};

/**
 * `count` numbers from start to stop, evenly spaced, both ends included.
 *
 * @example
 * expectClose(linspace(0, 1, 5), [0, 0.25, 0.5, 0.75, 1]);
 */
export const linspace = (start: number, stop: number, count: number, options?: FillOptions): Tensor => {
  const dtype = dtypeOf("linspace", options);
  const array = allocateArray("float64", sizeOf(checkShape("linspace", [count])));
  for (let i = 0; i < count; i++) array[i] = i === count - 1 && count > 1 ? stop : start + ((stop - start) * i) / Math.max(1, count - 1);
  return tensor(array, { dtype });
};

/**
 * Numbers from start in equal steps, stop excluded; `arange(n)` counts from 0.
 *
 * @throws OptionError for a step of 0.
 */
export const arange = (start: number, stop?: number, step = 1, options?: FillOptions): Tensor => {
  const dtype = dtypeOf("arange", options);
  if (step === 0 || !Number.isFinite(step)) throw new OptionError(`arange got step ${step}: a finite number that is not 0 is needed`);
  const [first, end] = stop === undefined ? [0, start] : [start, stop];
  const count = Math.max(0, Math.ceil((end - first) / step));
  const array = allocateArray("float64", sizeOf(checkShape("arange", [count])));
  for (let i = 0; i < count; i++) array[i] = first + i * step;
  return tensor(array, { dtype });
};
