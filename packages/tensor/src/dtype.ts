/**
 * @file Element types: float64 (the default), float32 (training), int32 (indices), bool (masks, one byte an element).
 */
import { DtypeError, MemoryError } from "./errors.js";

/** The element type of a tensor. */
export type Dtype = "float64" | "float32" | "int32" | "bool";

/** The typed arrays that hold elements, one for each {@link Dtype}; bool is held in a Uint8Array of zeros and ones. */
export type TypedArray = Float64Array | Float32Array | Int32Array | Uint8Array;

/** Bytes of one element. */
export const bytesPerElement: Readonly<Record<Dtype, number>> = { float64: 8, float32: 4, int32: 4, bool: 1 };

/** What to say of a name of no element type. */
export const unknownDtype = (what: string, dtype: unknown): DtypeError =>
  new DtypeError(`${what} got the element type ${String(dtype)}: ${Object.keys(bytesPerElement).join(", ")} are known`);

/** A typed array of zeros. @throws DtypeError for the name of no element type; MemoryError where there is no room, with the bytes asked for. */
export const allocateArray = (dtype: Dtype, size: number): TypedArray => {
  try {
    switch (dtype) {
      case "float64":
        return new Float64Array(size);
      case "float32":
        return new Float32Array(size);
      case "int32":
        return new Int32Array(size);
      case "bool":
        return new Uint8Array(size);
    }
  } catch (cause) {
    throw new MemoryError(
      `a tensor of ${size} elements asked for ${size * bytesPerElement[dtype]} bytes, which are not to be had: use smaller ones`,
      { cause },
    );
  }
  throw unknownDtype("a tensor", dtype);
};

/** Whether derivatives exist for this element type. */
export const isFloat = (dtype: Dtype): boolean => dtype === "float64" || dtype === "float32";

/**
 * The element type of a result: equal types stay, int32 and bool adapt to a float, bool adapts to int32, and the two floats never mix.
 *
 * @throws DtypeError for float32 with float64, naming both.
 */
export const commonDtype = (op: string, a: Dtype, b: Dtype): Dtype => {
  if (a === b) return a;
  if (isFloat(a) && isFloat(b)) throw new DtypeError(`${op} got ${a} and ${b}: convert one of them with cast(x, "${a}") or cast(x, "${b}")`);
  if (isFloat(a)) return a;
  if (isFloat(b)) return b;
  return "int32";
};
