/**
 * @file Elementwise operations by WebAssembly. What has no kernel (integers, mixed types, unusual broadcasts) is left to the plain-JavaScript set.
 */
import { bytesPerElement, isFloat } from "../dtype.js";
import { memoryView } from "../memory.js";
import type { Shape } from "../shape.js";
import { arrayOf, type Tensor } from "../tensor.js";
import { jsKernels } from "./js.js";
import type { BinaryOp, Kernels, UnaryOp } from "./kernels.js";
import type { KernelFunction, KernelFunctions } from "./wasm-module.js";
import { addressOf, addressOfResult, beginCall, deliver, reserve } from "./wasm-operands.js";

/** Up to this many elements a loop in JavaScript costs less than a call. */
const few = 4;

/** Operations whose float64 result, rounded to the element type, is what the kernels compute: with these the number of elements cannot show. */
const isExact = (op: BinaryOp): op is "add" | "sub" | "mul" | "div" => op === "add" || op === "mul" || op === "sub" || op === "div";
const exactly = (op: "add" | "sub" | "mul" | "div", x: number, y: number): number =>
  op === "add" ? x + y : op === "mul" ? x * y : op === "sub" ? x - y : x / y;
const exactUnary: ReadonlySet<UnaryOp> = new Set<UnaryOp>(["neg", "square", "sqrt", "reciprocal", "abs"]);

type Pass = (n: number, x: number, out: number) => void;
type Table<K extends string, F> = Readonly<Partial<Record<K, F>>>;

/** Elements of float32 that go through float64 at a time. */
const block = 512;

/** A float32 pass that computes in float64, block by block, and rounds once. */
const throughFloat64 =
  ({ promote, demote }: KernelFunctions, pass: Pass): Pass =>
  (n, x, out) => {
    const wide = reserve(8 * Math.min(n, block));
    for (let i = 0; i < n; i += block) {
      const count = Math.min(block, n - i);
      promote!(count, x + 4 * i, wide);
      pass(count, wide, wide);
      demote!(count, wide, out + 4 * i);
    }
  };

// prettier-ignore
const inBothTypes = ["neg", "square", "sqrt", "reciprocal", "abs", "floor", "sign", "relu", "step", "tanh"] as const;
const inFloat64 = ["exp", "expm1", "log", "log1p"] as const;

const unaryTables = (f: KernelFunctions): readonly [float64: Table<UnaryOp, Pass>, float32: Table<UnaryOp, Pass>] => {
  /** One of the functions that share a kernel. */
  const chosen =
    (kernel: KernelFunction, which: number): Pass =>
    (n, x, out) =>
      kernel(n, x, out, which);
  const only64: Table<UnaryOp, Pass> = {
    sin: chosen(f["sine64"]!, 0),
    cos: chosen(f["sine64"]!, 1),
    erf: chosen(f["normal64"]!, 1),
    gelu: chosen(f["normal64"]!, 0),
    ...Object.fromEntries(inFloat64.map((op) => [op, f[`${op}64`]!])),
  };
  const both = (bits: number): Table<UnaryOp, Pass> => ({
    sigmoid: chosen(f[`exponential${bits}`]!, 1),
    softplus: chosen(f[`exponential${bits}`]!, 2),
    ...Object.fromEntries(inBothTypes.map((op) => [op, f[`${op}${bits}`]!])),
  });
  const through = Object.fromEntries(Object.entries(only64).map(([op, pass]) => [op, throughFloat64(f, pass)]));
  return [
    { ...both(64), ...only64 },
    { ...both(32), ...through, exp: chosen(f["exponential32"]!, 0) },
  ];
};

/** Rows, their length, and for each operand its address, the bytes from row to row and whether it runs along a row; then the result's address. */
type BinaryPass = (m: number, n: number, a: number, rowA: number, runA: number, b: number, rowB: number, runB: number, out: number) => void;

const binaryTable = (f: KernelFunctions, bits: 64 | 32): Readonly<Record<BinaryOp, BinaryPass>> => {
  const [wide, bytes] = bits === 64 ? [1, 8] : [0, 4];
  const extreme =
    (sign: number): BinaryPass =>
    (m, n, a, rowA, runA, b, rowB, runB, out) =>
      f[`extreme${bits}`]!(m, n, a, rowA, runA, b, rowB, runB, out, sign);
  return {
    add: f[`add${bits}`]!,
    sub: f[`sub${bits}`]!,
    mul: f[`mul${bits}`]!,
    div: f[`div${bits}`]!,
    tanhSlope: f[`tanhSlope${bits}`]!,
    minimum: extreme(1),
    maximum: extreme(-1),
    pow: (m, n, a, rowA, runA, b, rowB, runB, out) => f["power"]!(m, n, a, rowA, runA * bytes, wide, b, rowB, runB * bytes, wide, out, wide),
  };
};

/** Whether `part` is the end of `shape`, so that it repeats as a whole. */
const isEnd = (part: Shape, shape: Shape): boolean => {
  let first = 0;
  while (first < part.length && part[first] === 1) first++;
  const lead = shape.length - part.length;
  for (let i = first; i < part.length; i++) if (part[i] !== shape[lead + i]) return false;
  return true;
};

/** Whether `part` is the beginning of `shape`, with ones behind, so that each of its elements repeats. */
const isBeginning = (part: Shape, shape: Shape): boolean => {
  if (part.length !== shape.length) return false;
  let end = part.length;
  while (end > 0 && part[end - 1] === 1) end--;
  for (let i = 0; i < end; i++) if (part[i] !== shape[i]) return false;
  return true;
};

/** The elementwise part of the set. */
export const elementwiseKernels = (f: KernelFunctions): Pick<Kernels, "unary" | "binary" | "binaryNumber"> => {
  const [unary64, unary32] = unaryTables(f);
  const binary64 = binaryTable(f, 64);
  const binary32 = binaryTable(f, 32);
  const { addNumber32, mulNumber32, divNumber32, subFromNumber32, divideNumber32, power } = f;

  const unary: Kernels["unary"] = (op, x, out) => {
    const dtype = out.dtype;
    const pass = x.dtype !== dtype ? undefined : dtype === "float64" ? unary64[op] : dtype === "float32" ? unary32[op] : undefined;
    if (pass === undefined || (out.size <= few && exactUnary.has(op))) return jsKernels.unary(op, x, out);
    beginCall();
    const from = addressOf(x);
    const to = addressOfResult(out);
    pass(out.size, from, to);
    deliver(out, to);
  };

  const binary: Kernels["binary"] = (op, a, b, out) => {
    const dtype = out.dtype;
    const n = out.size;
    const kernel = dtype === "float64" ? binary64[op] : binary32[op];
    if (!isFloat(dtype) || a.dtype !== dtype || b.dtype !== dtype || n === 0) return jsKernels.binary(op, a, b, out);
    if (n <= few && a.size === n && b.size === n && isExact(op)) {
      const x = arrayOf(a);
      const y = arrayOf(b);
      const to = arrayOf(out);
      for (let i = 0; i < n; i++) to[out.offset + i] = exactly(op, x[a.offset + i]!, y[b.offset + i]!);
      return;
    }
    // Rows of `length` elements; for each operand the elements from row to row, and whether it runs along a row or repeats one element.
    let length = n;
    let rowA = 0;
    let rowB = 0;
    let runA = 1;
    let runB = 1;
    if (a.size !== n || b.size !== n) {
      const full = a.size === n ? a : b;
      const part = full === a ? b : a;
      if (full.size !== n) return jsKernels.binary(op, a, b, out);
      const repeats = part.size === 1 || !isEnd(part.shape, out.shape);
      if (repeats && part.size !== 1 && !isBeginning(part.shape, out.shape)) return jsKernels.binary(op, a, b, out);
      length = repeats ? n / part.size : part.size;
      const step = repeats ? 1 : 0;
      rowA = full === a ? length : step;
      rowB = full === a ? step : length;
      if (repeats && full === a) runB = 0;
      else if (repeats) runA = 0;
    }
    const bytes = bytesPerElement[dtype];
    beginCall();
    const left = addressOf(a);
    const right = addressOf(b);
    const to = addressOfResult(out);
    kernel(n / length, length, left, rowA * bytes, runA, right, rowB * bytes, runB, to);
    deliver(out, to);
  };

  /** The address of one number, to be repeated. */
  const placed = (value: number, dtype: "float64" | "float32"): number => {
    const address = reserve(16);
    memoryView(dtype)[address / bytesPerElement[dtype]] = value;
    return address;
  };

  /** x ∘ number or number ∘ x, computed in float64 and rounded once; tanhSlope, and the larger and the smaller, take the number rounded first. */
  const withNumber32 = (op: BinaryOp, n: number, x: number, value: number, isFirst: boolean, out: number): void => {
    if (op === "add") addNumber32!(n, x, value, out);
    else if (op === "sub" && isFirst) subFromNumber32!(n, x, value, out);
    else if (op === "sub") addNumber32!(n, x, -value, out);
    else if (op === "mul") mulNumber32!(n, x, value, out);
    else if (op === "div" && isFirst) divideNumber32!(n, x, value, out);
    else if (op === "div") divNumber32!(n, x, value, out);
    else if (op === "pow" && isFirst) power!(1, n, placed(value, "float64"), 0, 0, 1, x, 0, 4, 0, out, 0);
    else if (op === "pow") power!(1, n, x, 0, 4, 0, placed(value, "float64"), 0, 0, 1, out, 0);
    else if (isFirst) binary32[op](1, n, placed(value, "float32"), 0, 0, x, 0, 1, out);
    else binary32[op](1, n, x, 0, 1, placed(value, "float32"), 0, 0, out);
  };

  const binaryNumber: Kernels["binaryNumber"] = (op, a, b, out) => {
    const dtype = out.dtype;
    const isFirst = typeof a === "number";
    const x = (isFirst ? b : a) as Tensor;
    const value = (isFirst ? a : b) as number;
    if (op === "pow" && value === 2 && !isFirst) return unary("square", x, out);
    if (!isFloat(dtype) || x.dtype !== dtype || (out.size <= few && isExact(op))) return jsKernels.binaryNumber(op, a, b, out);
    beginCall();
    const from = addressOf(x);
    const to = addressOfResult(out);
    if (dtype === "float32") withNumber32(op, out.size, from, value, isFirst, to);
    else if (isFirst) binary64[op](1, out.size, placed(value, "float64"), 0, 0, from, 0, 1, to);
    else binary64[op](1, out.size, from, 0, 1, placed(value, "float64"), 0, 0, to);
    deliver(out, to);
  };

  return { unary, binary, binaryNumber };
};
