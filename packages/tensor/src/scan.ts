/**
 * @file Running sums: yₙ = x₀ + x₁ + ... + xₙ, and from the other end, which is its transpose.
 */
import { primitive } from "./primitive.js";
import { blocksOf, normalizeAxis } from "./shape.js";
import { allocate, arrayOf, requireTensor, type Tensor } from "./tensor.js";

/**
 * Running sums along an axis, those of floats in float64.
 *
 * @param axis - negative counts from the end.
 * @param reverse - sums from the last element to the first instead; default false.
 * @returns a tensor of the shape of x; int32 for a mask.
 * @example
 * expectClose(cumsum(tensor([1, 2, 3]), 0), [1, 3, 6]);
 * expectClose(cumsum(tensor([1, 2, 3]), 0, true), [6, 5, 3]);
 */
export const cumsum = primitive("cumsum", (x: Tensor, axis: number, reverse: boolean = false): Tensor => {
  requireTensor("cumsum", x);
  const which = normalizeAxis("cumsum", axis, x.rank);
  const out = allocate(x.shape, x.dtype === "bool" ? "int32" : x.dtype);
  const { outer, length, inner } = blocksOf(x.shape, which);
  const from = arrayOf(x);
  const to = arrayOf(out);
  const [first, step] = reverse ? [(length - 1) * inner, -inner] : [0, inner];
  for (let o = 0; o < outer; o++)
    for (let i = 0; i < inner; i++) {
      let sum = 0;
      for (let k = 0, at = o * length * inner + first + i; k < length; k++, at += step) {
        sum += from[x.offset + at]!;
        to[out.offset + at] = sum;
      }
    }
  return out;
});
