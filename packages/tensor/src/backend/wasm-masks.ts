/**
 * @file Comparisons and selections by WebAssembly, for operands of one float type that lie as the result does, or are single numbers. Other types and other
 * broadcasts are left to the plain-JavaScript set, and so are fewer elements than the kernels take at a time.
 */
import { bytesPerElement, isFloat, type Dtype } from "../dtype.js";
import { memoryView } from "../memory.js";
import { arrayOf, type Tensor } from "../tensor.js";
import { jsKernels } from "./js.js";
import type { Comparison, Kernels } from "./kernels.js";
import type { KernelFunctions } from "./wasm-module.js";
import { addressOf, addressOfResult, beginCall, deliver, reserve } from "./wasm-operands.js";

const together = 8;

/** What the kernels call the comparison, and whether the operands change places. */
const comparisons: Readonly<Partial<Record<Comparison, readonly [code: number, swapped: boolean]>>> = {
  equal: [0, false],
  notEqual: [3, false],
  less: [1, false],
  lessEqual: [2, false],
  greater: [1, true],
  greaterEqual: [2, true],
};

/** Whether x runs along a result of n elements of this type, or is one number. */
const fits = (x: Tensor, n: number, dtype: Dtype): boolean => x.size === 1 || (x.size === n && x.dtype === dtype);

/** Bytes from element to element. */
const step = (x: Tensor, dtype: Dtype): number => (x.size === 1 ? 0 : bytesPerElement[dtype]);

/** The address of x, or of its only number, rounded to the type and repeated for as many elements as are read at a time. */
const addressOfRun = (x: Tensor, dtype: Dtype): number => {
  if (x.size > 1) return addressOf(x);
  const value = arrayOf(x)[x.offset]!;
  const bytes = bytesPerElement[dtype];
  const address = reserve(together * bytes);
  memoryView(dtype).fill(value, address / bytes, address / bytes + together);
  return address;
};

/** The choosing part of the set. */
export const maskKernels = ({ compare64, compare32, where64, where32 }: KernelFunctions): Pick<Kernels, "compare" | "where"> => ({
  compare: (op, a, b, out) => {
    const known = comparisons[op];
    const n = out.size;
    const dtype = a.dtype;
    if (known === undefined || n < together || !isFloat(dtype) || b.dtype !== dtype || !fits(a, n, dtype) || !fits(b, n, dtype))
      return jsKernels.compare(op, a, b, out);
    const [code, swapped] = known;
    const [first, second] = swapped ? [b, a] : [a, b];
    beginCall();
    const left = addressOfRun(first, dtype);
    const right = addressOfRun(second, dtype);
    const to = addressOfResult(out);
    (dtype === "float64" ? compare64! : compare32!)(code, n, left, step(first, dtype), right, step(second, dtype), to);
    deliver(out, to);
  },

  where: (condition, a, b, out) => {
    const n = out.size;
    const dtype = out.dtype;
    if (!isFloat(dtype) || n < together || condition.dtype !== "bool" || condition.size !== n || !fits(a, n, dtype) || !fits(b, n, dtype))
      return jsKernels.where(condition, a, b, out);
    beginCall();
    const mask = addressOf(condition);
    const left = addressOfRun(a, dtype);
    const right = addressOfRun(b, dtype);
    const to = addressOfResult(out);
    (dtype === "float64" ? where64! : where32!)(n, mask, left, step(a, dtype), right, step(b, dtype), to);
    deliver(out, to);
  },
});
