/** @file Reductions, inner products and weighted sums by WebAssembly; integers and products along an axis are left to the plain-JavaScript set. */
import { isFloat } from "../dtype.js";
import { memoryView } from "../memory.js";
import { jsKernels } from "./js.js";
import type { Kernels } from "./kernels.js";
import type { KernelFunctions } from "./wasm-module.js";
import { addressOf, addressOfResult, beginCall, deliver, reserve } from "./wasm-operands.js";

/** The summing part of the set. */
export const sumKernels = (f: KernelFunctions): Pick<Kernels, "reduce" | "weightedSum" | "innerProduct" | "scaledSquares" | "firstNonFinite"> => {
  const { sum64, sum32, extremeOf64, extremeOf32 } = f;
  const { weightedSum64, weightedSum32, innerProduct64, innerProduct32, scaledSquares64, scaledSquares32, firstNonFinite64, firstNonFinite32 } = f;

  return {
    reduce: (op, x, outer, length, inner, out) => {
      const dtype = out.dtype;
      if (op === "prod" || x.dtype !== dtype || (dtype !== "float64" && dtype !== "float32"))
        return jsKernels.reduce(op, x, outer, length, inner, out);
      beginCall();
      const from = addressOf(x);
      const to = addressOfResult(out);
      if (op === "sum") (dtype === "float64" ? sum64! : sum32!)(outer, length, inner, from, to);
      else (dtype === "float64" ? extremeOf64! : extremeOf32!)(outer, length, inner, from, to, op === "min" ? 1 : -1);
      deliver(out, to);
    },

    weightedSum: (base, weights, terms, out) => {
      const count = terms.length;
      if (!isFloat(out.dtype) || (base === null && count === 0)) return jsKernels.weightedSum(base, weights, terms, out);
      beginCall();
      const from = base === null ? 0 : addressOf(base);
      const to = addressOfResult(out);
      // The weights, then the addresses of the terms, which are written one by one since placing a term may grow the memory.
      const list = reserve(12 * count);
      for (let j = 0; j < count; j++) {
        const address = addressOf(terms[j]!);
        memoryView("float64")[list / 8 + j] = weights[j]!;
        memoryView("int32")[list / 4 + 2 * count + j] = address;
      }
      (out.dtype === "float64" ? weightedSum64! : weightedSum32!)(out.size, base === null ? 0 : 1, from, count, list, to);
      deliver(out, to);
    },

    innerProduct: (x, y) => {
      if (!isFloat(x.dtype) || x.dtype !== y.dtype) return jsKernels.innerProduct(x, y);
      beginCall();
      const left = addressOf(x);
      return (x.dtype === "float64" ? innerProduct64! : innerProduct32!)(x.size, left, addressOf(y));
    },

    scaledSquares: (error, y0, y1, rtol, atol) => {
      const dtype = error.dtype;
      if (!isFloat(dtype) || y0.dtype !== dtype || y1.dtype !== dtype || rtol.length !== 1 || atol.length !== 1)
        return jsKernels.scaledSquares(error, y0, y1, rtol, atol);
      beginCall();
      const from = addressOf(error);
      const before = addressOf(y0);
      return (dtype === "float64" ? scaledSquares64! : scaledSquares32!)(error.size, from, before, addressOf(y1), rtol[0]!, atol[0]!);
    },

    firstNonFinite: (x) => {
      if (x.own !== null || !isFloat(x.dtype)) return jsKernels.firstNonFinite(x);
      return (x.dtype === "float64" ? firstNonFinite64! : firstNonFinite32!)(x.size, addressOf(x));
    },
  };
};
