/**
 * @file ndarrays in: of any strides and offset.
 */
import ndarray, { type NdArray } from "ndarray";
import ops from "ndarray-ops";
import { allocateArray, type Dtype, type TypedArray } from "./dtype.js";
import { DtypeError } from "./errors.js";
import { stridesOf } from "./shape.js";
import { wrap, type Tensor } from "./tensor.js";

const dtypeOfNdarray: Readonly<Record<string, Dtype>> = {
  float64: "float64",
  array: "float64",
  generic: "float64",
  float32: "float32",
  int32: "int32",
  int16: "int32",
  int8: "int32",
  uint16: "int32",
  uint8: "int32",
  uint8_clamped: "int32",
};

/**
 * A tensor with the elements of any ndarray, of any strides and offset, copied.
 *
 * @throws DtypeError for element types that no tensor has.
 * @example
 * const transposed = fromNdarray(tensor([[1, 2], [3, 4]]).ndarray.transpose(1, 0));
 * expectClose(transposed, [[1, 3], [2, 4]]);
 */
export const fromNdarray = (source: NdArray<TypedArray | number[]>): Tensor => {
  const dtype = dtypeOfNdarray[source.dtype];
  if (dtype === undefined)
    throw new DtypeError(`fromNdarray got elements of type ${source.dtype}: float64, float32, int32 and smaller integers are known`);
  const array = allocateArray(dtype, source.size);
  const shape = [...source.shape];
  ops.assign(ndarray(array, shape, stridesOf(shape)), source as NdArray<TypedArray>);
  return wrap(array, shape, dtype);
};
