/**
 * @file The kernels in plain JavaScript: the reference for every other set, and the fallback where there is no WebAssembly.
 *
 * Arithmetic is float64 throughout, and results are rounded once when they are stored; but tanhSlope of float32 rounds every operation, as the other sets do, and
 * products of integers are taken modulo 2³².
 */
import type { Dtype, TypedArray } from "../dtype.js";
import { arrayOf, elementsOf, type Tensor } from "../tensor.js";
import type { BinaryOp, Comparison, Kernels, Reduction, UnaryOp } from "./kernels.js";
import { erf, exp, expm1, geluExact, log, log1p, sigmoid, softplus, cos, sin, tanh, power } from "./transcendental.js";
import { binaryLoop, reduceLoop, unaryLoop, walk, type LoopOperand } from "./js-loops.js";
import { matmulLoop } from "./js-matmul.js";
import { broadcastStrides } from "../shape.js";

const unary: Readonly<Record<UnaryOp, ReturnType<typeof unaryLoop>>> = {
  neg: unaryLoop((x) => -x),
  square: unaryLoop((x) => x * x),
  sqrt: unaryLoop((x) => Math.sqrt(x)),
  reciprocal: unaryLoop((x) => 1 / x),
  sign: unaryLoop((x) => Math.sign(x)),
  floor: unaryLoop((x) => Math.floor(x)),
  abs: unaryLoop((x) => Math.abs(x)),
  exp: unaryLoop((x) => exp(x)),
  expm1: unaryLoop((x) => expm1(x)),
  log: unaryLoop((x) => log(x)),
  log1p: unaryLoop((x) => log1p(x)),
  sin: unaryLoop((x) => sin(x)),
  cos: unaryLoop((x) => cos(x)),
  tanh: unaryLoop((x) => tanh(x)),
  sigmoid: unaryLoop((x) => sigmoid(x)),
  softplus: unaryLoop((x) => softplus(x)),
  erf: unaryLoop((x) => erf(x)),
  gelu: unaryLoop((x) => geluExact(x)),
  relu: unaryLoop((x) => (x > 0 ? x : x === x ? 0 : x)),
  step: unaryLoop((x) => (x > 0 ? 1 : x === x ? 0 : x)),
};

type Scalar = (x: number, y: number) => number;

const inFloat64: Readonly<Record<BinaryOp, Scalar>> = {
  add: (x, y) => x + y,
  sub: (x, y) => x - y,
  mul: (x, y) => x * y,
  div: (x, y) => x / y,
  pow: (x, y) => power(x, y),
  tanhSlope: (x, y) => x * (1 - y * y),
  maximum: (x, y) => Math.max(x, y),
  minimum: (x, y) => Math.min(x, y),
};

const inFloat32: typeof inFloat64 = {
  ...inFloat64,
  tanhSlope: (x, y) => {
    const rounded = Math.fround(y);
    return Math.fround(x) * Math.fround(1 - Math.fround(rounded * rounded));
  },
};

/** xʸ modulo 2³²; for y < 0 truncated towards 0, and 0 for x = 0. */
const integerPower: Scalar = (x, y) => {
  if (y < 0) return x === 1 ? 1 : x === -1 ? 1 - 2 * (y & 1) : 0;
  let product = 1;
  for (let rest = y, square = x; rest > 0; rest >>= 1, square = Math.imul(square, square)) if ((rest & 1) === 1) product = Math.imul(product, square);
  return product;
};

const inIntegers: typeof inFloat64 = { ...inFloat64, mul: (x, y) => Math.imul(x, y), pow: integerPower };

/** By the type of the result. */
const scalar: Readonly<Record<Dtype, typeof inFloat64>> = { float64: inFloat64, float32: inFloat32, int32: inIntegers, bool: inIntegers };

const loopsOf = (table: typeof inFloat64) =>
  Object.fromEntries(Object.entries(table).map(([op, f]) => [op, binaryLoop(f)])) as Readonly<Record<BinaryOp, ReturnType<typeof binaryLoop>>>;
const integerLoops = loopsOf(inIntegers);
const binary = { float64: loopsOf(inFloat64), float32: loopsOf(inFloat32), int32: integerLoops, bool: integerLoops };

const squareOfIntegers = unaryLoop((x) => Math.imul(x, x));
const productOfIntegers = reduceLoop(1, (product, x) => Math.imul(product, x));

const comparison: Readonly<Record<Comparison, ReturnType<typeof binaryLoop>>> = {
  equal: binaryLoop((x, y) => (x === y ? 1 : 0)),
  notEqual: binaryLoop((x, y) => (x !== y ? 1 : 0)),
  less: binaryLoop((x, y) => (x < y ? 1 : 0)),
  lessEqual: binaryLoop((x, y) => (x <= y ? 1 : 0)),
  greater: binaryLoop((x, y) => (x > y ? 1 : 0)),
  greaterEqual: binaryLoop((x, y) => (x >= y ? 1 : 0)),
  and: binaryLoop((x, y) => (x !== 0 && y !== 0 ? 1 : 0)),
  or: binaryLoop((x, y) => (x !== 0 || y !== 0 ? 1 : 0)),
};

const reduction: Readonly<Record<Reduction, ReturnType<typeof reduceLoop>>> = {
  sum: reduceLoop(0, (s, x) => s + x),
  prod: reduceLoop(1, (s, x) => s * x),
  max: reduceLoop(-Infinity, (s, x) => Math.max(s, x)),
  min: reduceLoop(Infinity, (s, x) => Math.min(s, x)),
};

const operand = (x: Tensor): LoopOperand => ({ array: arrayOf(x), offset: x.offset, shape: x.shape, size: x.size });

/** Σ f(i) as four sums of the i ≡ 0, 1, 2, 3 (mod 4), which vector lanes can repeat to the bit. */
const sumByFour = (n: number, f: (i: number) => number): number => {
  const sums = [0, 0, 0, 0];
  for (let i = 0; i < n; i++) sums[i & 3]! += f(i);
  return sums[0]! + sums[2]! + (sums[1]! + sums[3]!);
};

/** The plain-JavaScript set. */
export const jsKernels: Kernels = {
  name: "js",
  unary: (op, x, out) =>
    (op === "square" && out.dtype === "int32" ? squareOfIntegers : unary[op])(out.size, arrayOf(x), x.offset, arrayOf(out), out.offset),
  binary: (op, a, b, out) => binary[out.dtype][op](out.shape, out.size, operand(a), operand(b), arrayOf(out), out.offset),
  binaryNumber: (op, a, b, out) => {
    const to = arrayOf(out);
    const f = scalar[out.dtype][op];
    if (typeof a === "number") {
      const y = b as Tensor;
      const from = arrayOf(y);
      for (let i = 0; i < out.size; i++) to[out.offset + i] = f(a, from[y.offset + i]!);
      return;
    }
    const y = b as number;
    const from = arrayOf(a);
    if (op === "mul" && out.dtype !== "int32") for (let i = 0; i < out.size; i++) to[out.offset + i] = from[a.offset + i]! * y;
    else if (op === "add") for (let i = 0; i < out.size; i++) to[out.offset + i] = from[a.offset + i]! + y;
    else for (let i = 0; i < out.size; i++) to[out.offset + i] = f(from[a.offset + i]!, y);
  },
  compare: (op, a, b, out) => comparison[op](out.shape, out.size, operand(a), operand(b), arrayOf(out), out.offset),
  where: (condition, a, b, out) => {
    if (out.size === 0) return;
    const mask = arrayOf(condition);
    const x = arrayOf(a);
    const y = arrayOf(b);
    const to = arrayOf(out);
    const strides = broadcastStrides(condition.shape, out.shape);
    const last = strides.length === 0 ? 0 : strides[strides.length - 1]!;
    const at = new Int32Array(out.size);
    walk(out.shape, strides, strides, (o, m, _, length) => {
      for (let k = 0; k < length; k++) at[o + k] = m + k * last;
    });
    walk(out.shape, broadcastStrides(a.shape, out.shape), broadcastStrides(b.shape, out.shape), (o, i, j, length, dx, dy) => {
      for (let k = 0; k < length; k++)
        to[out.offset + o + k] = mask[condition.offset + at[o + k]!] !== 0 ? x[a.offset + i + k * dx]! : y[b.offset + j + k * dy]!;
    });
  },
  reduce: (op, x, outer, length, inner, out) => {
    const loop = op === "prod" && out.dtype === "int32" ? productOfIntegers : reduction[op];
    loop(outer, length, inner, arrayOf(x), x.offset, arrayOf(out), out.offset);
  },
  matmul: (a, b, layout, out) => matmulLoop(layout, arrayOf(a), a.offset, arrayOf(b), b.offset, arrayOf(out), out.offset),
  weightedSum: (base, weights, terms, out) => {
    const to = arrayOf(out);
    const n = out.size;
    const o = out.offset;
    const sums = base === null ? new Float64Array(n) : Float64Array.from(arrayOf(base).subarray(base.offset, base.offset + n));
    for (let j = 0; j < terms.length; j++) {
      const weight = weights[j]!;
      const term = arrayOf(terms[j]!);
      const start = terms[j]!.offset;
      if (base === null && j === 0) for (let i = 0; i < n; i++) sums[i] = weight * term[start + i]!;
      else for (let i = 0; i < n; i++) sums[i]! += weight * term[start + i]!;
    }
    for (let i = 0; i < n; i++) to[o + i] = sums[i]!;
  },
  innerProduct: (x, y) => {
    const a = arrayOf(x);
    const b = arrayOf(y);
    return sumByFour(x.size, (i) => a[x.offset + i]! * b[y.offset + i]!);
  },
  scaledSquares: (error, y0, y1, rtol, atol) => {
    const e = arrayOf(error);
    const a = arrayOf(y0);
    const b = arrayOf(y1);
    return sumByFour(error.size, (i) => {
      const scale =
        (atol.length === 1 ? atol[0]! : atol[i]!) +
        (rtol.length === 1 ? rtol[0]! : rtol[i]!) * Math.max(Math.abs(a[y0.offset + i]!), Math.abs(b[y1.offset + i]!));
      const part = e[error.offset + i]!;
      const ratio = part === 0 ? 0 : part / scale; // a component that is exactly zero has no error, whatever its tolerance
      return ratio * ratio;
    });
  },
  firstNonFinite: (x) => {
    const a = arrayOf(x);
    for (let i = 0; i < x.size; i++) if (!Number.isFinite(a[x.offset + i]!)) return i;
    return -1;
  },
  adam: (operands, { beta1, beta2, correction, epsilon, weight }, out) => {
    const [x, g, m, v] = operands.map(elementsOf) as readonly TypedArray[];
    const [toX, toM, toV] = out.map(elementsOf) as readonly TypedArray[];
    const round = out[0].dtype === "float32" ? Math.fround : (value: number): number => value;
    for (let i = 0; i < out[0].size; i++) {
      const slope = g![i]!;
      const mean = round(beta1 * m![i]! + (1 - beta1) * slope);
      const meanSquare = round(beta2 * v![i]! + (1 - beta2) * round(slope * slope));
      toM![i] = mean;
      toV![i] = meanSquare;
      toX![i] = x![i]! + weight * round(mean / round(round(Math.sqrt(round(meanSquare / correction))) + epsilon));
    }
  },
};
