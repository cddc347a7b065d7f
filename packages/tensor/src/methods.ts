/**
 * @file The common operations as methods, for chaining: `x.matmul(w).add(b).tanh()`.
 */
import * as elementwise from "./elementwise.js";
import type { Operand } from "./elementwise.js";
import type { Dtype } from "./dtype.js";
import * as extremes from "./extremes.js";
import type { ExtremeOptions } from "./extremes.js";
import { gather, take, type Indices } from "./indexing.js";
import { matmul } from "./linalg.js";
import * as movement from "./movement.js";
import * as slicing from "./slicing.js";
import type { Range } from "./slicing.js";
import * as reduce from "./reduce.js";
import type { ReduceOptions } from "./reduce.js";
import { allocatingIn, heap } from "./region.js";
import { cumsum } from "./scan.js";
import type { Shape } from "./shape.js";
import { Tensor } from "./tensor.js";

declare module "./tensor.js" {
  interface Tensor {
    add: (other: Operand) => Tensor;
    sub: (other: Operand) => Tensor;
    mul: (other: Operand) => Tensor;
    div: (other: Operand) => Tensor;
    pow: (exponent: Operand) => Tensor;
    maximum: (other: Operand) => Tensor;
    minimum: (other: Operand) => Tensor;
    clip: (lower: number, upper: number) => Tensor;
    neg: () => Tensor;
    square: () => Tensor;
    sqrt: () => Tensor;
    reciprocal: () => Tensor;
    abs: () => Tensor;
    sign: () => Tensor;
    floor: () => Tensor;
    exp: () => Tensor;
    expm1: () => Tensor;
    log: () => Tensor;
    log1p: () => Tensor;
    sin: () => Tensor;
    cos: () => Tensor;
    tanh: () => Tensor;
    sigmoid: () => Tensor;
    relu: () => Tensor;
    softplus: () => Tensor;
    erf: () => Tensor;
    equal: (other: Operand) => Tensor;
    notEqual: (other: Operand) => Tensor;
    less: (other: Operand) => Tensor;
    lessEqual: (other: Operand) => Tensor;
    greater: (other: Operand) => Tensor;
    greaterEqual: (other: Operand) => Tensor;
    cast: (dtype: Dtype) => Tensor;
    sum: (options?: ReduceOptions) => Tensor;
    mean: (options?: ReduceOptions) => Tensor;
    max: (options?: ReduceOptions) => Tensor;
    min: (options?: ReduceOptions) => Tensor;
    argMax: (options?: ExtremeOptions) => Tensor;
    argMin: (options?: ExtremeOptions) => Tensor;
    prod: (options?: ReduceOptions) => Tensor;
    variance: (options?: ReduceOptions & { readonly correction?: number }) => Tensor;
    norm: (options?: ReduceOptions & { readonly order?: number }) => Tensor;
    logsumexp: (options?: ReduceOptions) => Tensor;
    softmax: (axis?: number) => Tensor;
    logSoftmax: (axis?: number) => Tensor;
    cumsum: (axis: number, reverse?: boolean) => Tensor;
    any: (options?: ReduceOptions) => Tensor;
    all: (options?: ReduceOptions) => Tensor;
    matmul: (other: Tensor) => Tensor;
    reshape: (shape: Shape) => Tensor;
    transpose: (axes?: readonly number[]) => Tensor;
    slice: (ranges: readonly Range[]) => Tensor;
    take: (indices: Indices, axis?: number) => Tensor;
    gather: (index: Indices, axis: number) => Tensor;
    flip: (axis: number) => Tensor;
    broadcastTo: (shape: Shape) => Tensor;
    /** Element i along the first axis; negative counts from the end. */
    at: (i: number) => Tensor;
    /** A copy on the heap, which lives as long as it is used. Derivatives follow. */
    clone: () => Tensor;
  }
}

const operations = {
  add: elementwise.add, sub: elementwise.sub, mul: elementwise.mul, div: elementwise.div, pow: elementwise.pow,
  maximum: elementwise.maximum, minimum: elementwise.minimum, clip: elementwise.clip,
  neg: elementwise.neg, square: elementwise.square, sqrt: elementwise.sqrt, reciprocal: elementwise.reciprocal,
  abs: elementwise.abs, sign: elementwise.sign, floor: elementwise.floor,
  exp: elementwise.exp, expm1: elementwise.expm1, log: elementwise.log, log1p: elementwise.log1p, sin: elementwise.sin, cos: elementwise.cos,
  tanh: elementwise.tanh, sigmoid: elementwise.sigmoid, relu: elementwise.relu, softplus: elementwise.softplus, erf: elementwise.erf,
  equal: elementwise.equal, notEqual: elementwise.notEqual, less: elementwise.less, lessEqual: elementwise.lessEqual, greater: elementwise.greater,
  greaterEqual: elementwise.greaterEqual, cast: elementwise.cast,
  sum: reduce.sum, mean: reduce.mean, max: reduce.max, min: reduce.min, argMax: extremes.argMax, argMin: extremes.argMin, prod: reduce.prod,
  variance: reduce.variance, norm: reduce.norm, logsumexp: reduce.logsumexp, softmax: reduce.softmax, logSoftmax: reduce.logSoftmax, cumsum,
  any: reduce.any, all: reduce.all, take, gather,
  matmul, reshape: movement.reshape, transpose: movement.transpose, slice: slicing.slice, flip: slicing.flip,
  broadcastTo: movement.broadcastTo, at: movement.at,
  clone: (x: Tensor): Tensor => allocatingIn(heap, () => movement.copy(x)),
}; // prettier-ignore

for (const [name, operation] of Object.entries(operations) as readonly (readonly [string, (x: Tensor, ...rest: readonly unknown[]) => Tensor])[])
  Object.defineProperty(Tensor.prototype, name, {
    value: function (this: Tensor, ...rest: readonly unknown[]): Tensor {
      return operation(this, ...rest);
    },
  });

/** Node's console prints a tensor as a text does. */
Object.defineProperty(Tensor.prototype, Symbol.for("nodejs.util.inspect.custom"), {
  value: function (this: Tensor): string {
    return this.toString();
  },
});

export { Tensor };
