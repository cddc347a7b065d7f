/**
 * @file Elementwise operations, with NumPy's broadcasting. JavaScript numbers adapt to the tensor beside them.
 */
import { kernels } from "./backend/active.js";
import type { BinaryOp, Comparison, UnaryOp } from "./backend/kernels.js";
import { requireIntegers } from "./create.js";
import { bytesPerElement, commonDtype, isFloat, unknownDtype, type Dtype } from "./dtype.js";
import { DtypeError, OptionError } from "./errors.js";
import { checkOptions } from "./options.js";
import { primitive } from "./primitive.js";
import { broadcastShapes } from "./shape.js";
import { allocate, arrayOf, elementsOf, isTensor, requireTensor, wrap, type Tensor } from "./tensor.js";

/** A tensor, or a number that adapts to the tensor beside it. */
export type Operand = Tensor | number;

const floatOf = (dtype: Dtype): Dtype => (isFloat(dtype) ? dtype : "float64");
const numeric = (dtype: Dtype): Dtype => (dtype === "bool" ? "int32" : dtype);

const ownType = (op: UnaryOp) =>
  primitive(op, (x: Tensor) => {
    requireTensor(op, x);
    const out = allocate(x.shape, numeric(x.dtype));
    kernels.unary(op, x, out);
    return out;
  });

const floatType = (op: UnaryOp) =>
  primitive(op, (x: Tensor) => {
    requireTensor(op, x);
    const out = allocate(x.shape, floatOf(x.dtype));
    kernels.unary(op, x, out);
    return out;
  });

/** −x. */
export const neg = ownType("neg");
/** x². */
export const square = ownType("square");
/** |x|; derivative 0 at 0. */
export const abs = ownType("abs");
/** −1, 0 or 1; NaN stays NaN. */
export const sign = ownType("sign");
/** The largest whole number not above x. */
export const floor = ownType("floor");
/** max(x, 0), NaN kept; derivative 0 at 0. */
export const relu = ownType("relu");
/** 1 where x > 0, else 0: the derivative of {@link relu}. */
export const step = ownType("step");
/** √x; NaN below 0. */
export const sqrt = floatType("sqrt");
/** 1 / x. */
export const reciprocal = floatType("reciprocal");
/** eˣ. */
export const exp = floatType("exp");
/** eˣ − 1, exact for small x. */
export const expm1 = floatType("expm1");
/** ln x; −∞ at 0, NaN below. */
export const log = floatType("log");
/** ln(1 + x), exact for small x. */
export const log1p = floatType("log1p");
/** sin x, to 1 ulp for |x| < 1.6e6; beyond, that of an argument within a few ulp of x, and from about 2⁵⁰ on any number of [−1, 1]. */
export const sin = floatType("sin");
/** cos x, as exact as {@link sin}. */
export const cos = floatType("cos");
/** Hyperbolic tangent. */
export const tanh = floatType("tanh");
/** 1 / (1 + e⁻ˣ). */
export const sigmoid = floatType("sigmoid");
/** ln(1 + eˣ), without overflow: max(x, 0) + log1p(e^−|x|). */
export const softplus = floatType("softplus");
/** The error function 2/√π ∫₀ˣ e^(−s²) ds. */
export const erf = floatType("erf");
/** x Φ(x), with the normal distribution function Φ. */
export const geluExact = floatType("gelu");

/** The ends of int32. */
const [lowest, highest] = [-2147483648, 2147483647];

/** The type of a number beside a tensor: the tensor's, when it can hold the number. */
const adapted = (op: string, of: Dtype, value: number): Dtype => {
  const dtype = numeric(of);
  if (isFloat(dtype)) return dtype;
  if (Number.isInteger(value) && value >= lowest && value <= highest) return dtype;
  throw new DtypeError(`${op} got an ${dtype} tensor and ${value}: convert the tensor with cast(x, "float64") first`);
};

const resultType = (op: BinaryOp, a: Operand, b: Operand): Dtype => {
  if (typeof a === "number" || typeof b === "number") {
    const dtype = isTensor(a) ? a.dtype : (b as Tensor).dtype;
    return op === "div" ? floatOf(dtype) : adapted(op, dtype, typeof a === "number" ? a : (b as number));
  }
  const dtype = numeric(commonDtype(op, a.dtype, b.dtype));
  return op === "div" ? floatOf(dtype) : dtype;
};

const requireOperands = (op: string, a: Operand, b: Operand): void => {
  if ((typeof a === "number" && typeof b === "number") || !(typeof a === "number" || isTensor(a)) || !(typeof b === "number" || isTensor(b)))
    throw new OptionError(`${op} needs a tensor and a tensor or number, got ${typeof a} and ${typeof b}: make one with tensor(value)`);
};

const binary = (op: BinaryOp) =>
  primitive(op, (a: Operand, b: Operand): Tensor => {
    requireOperands(op, a, b);
    const dtype = resultType(op, a, b);
    if (isTensor(a) && isTensor(b)) {
      const out = allocate(broadcastShapes(op, a.shape, b.shape), dtype);
      kernels.binary(op, a, b, out);
      return out;
    }
    const out = allocate(isTensor(a) ? a.shape : (b as Tensor).shape, dtype);
    kernels.binaryNumber(op, a, b, out);
    return out;
  });

/** a + b. */
export const add = binary("add");
/** a − b. */
export const sub = binary("sub");
/** a b. */
export const mul = binary("mul");
/** a / b; integers give float64. */
export const div = binary("div");
/** aᵇ, as IEEE 754's pow: x⁰ = 1 for every x. */
export const pow = binary("pow");
/** a (1 − b²): how a cotangent a is pulled back through b = tanh x. */
export const tanhSlope = binary("tanhSlope");
/** The larger operand, NaN if either is; at a tie each gets half the derivative. */
export const maximum = binary("maximum");
/** The smaller operand, NaN if either is; at a tie each gets half the derivative. */
export const minimum = binary("minimum");

const compare = (name: string, op: Comparison) =>
  primitive(name, (a: Operand, b: Operand): Tensor => {
    requireOperands(name, a, b);
    if (isTensor(a) && isTensor(b)) commonDtype(name, a.dtype, b.dtype);
    const x = isTensor(a) ? a : numberLike(a, b as Tensor);
    const y = isTensor(b) ? b : numberLike(b, x);
    const out = allocate(broadcastShapes(name, x.shape, y.shape), "bool");
    kernels.compare(op, x, y, out);
    return out;
  });
const numberLike = (value: number, beside?: Tensor): Tensor =>
  beside?.dtype === "float32" ? wrap(Float32Array.of(value), [], "float32") : wrap(Float64Array.of(value), [], "float64");

/** a = b, elementwise, as bool. As in arithmetic, float32 and float64 do not mix, and a number is rounded to the type of the tensor beside it. */
export const equal = compare("equal", "equal");
/** a ≠ b, elementwise, as bool. */
export const notEqual = compare("notEqual", "notEqual");
/** a < b, elementwise, as bool. */
export const less = compare("less", "less");
/** a ≤ b, elementwise, as bool. */
export const lessEqual = compare("lessEqual", "lessEqual");
/** a > b, elementwise, as bool. */
export const greater = compare("greater", "greater");
/** a ≥ b, elementwise, as bool. */
export const greaterEqual = compare("greaterEqual", "greaterEqual");
/** Both are not zero. */
export const logicalAnd = compare("logicalAnd", "and");
/** One of them is not zero. */
export const logicalOr = compare("logicalOr", "or");
/** x is zero. */
export const logicalNot = (x: Tensor): Tensor => equal(x, 0);

/**
 * a where the condition holds, b elsewhere; all three broadcast.
 *
 * @param condition - bool, or any type with 0 as false.
 * @example
 * const x = tensor([-1, 2]);
 * expectClose(where(greater(x, 0), x, 0), [0, 2]);
 */
export const where = primitive("where", (condition: Tensor, a: Operand, b: Operand): Tensor => {
  if (!isTensor(condition))
    throw new OptionError(`where needs a tensor as its condition, got ${typeof condition}: use JavaScript's own if for one boolean`);
  requireOperands("where", a, condition);
  requireOperands("where", b, condition);
  const dtype =
    typeof a === "number"
      ? typeof b === "number"
        ? "float64"
        : adapted("where", b.dtype, a)
      : typeof b === "number"
        ? adapted("where", a.dtype, b)
        : commonDtype("where", a.dtype, b.dtype);
  const x = isTensor(a) ? a : numberLike(a);
  const y = isTensor(b) ? b : numberLike(b);
  const out = allocate(broadcastShapes("where", condition.shape, broadcastShapes("where", x.shape, y.shape)), dtype);
  kernels.where(condition, x, y, out);
  return out;
});

/**
 * Converts the element type. Floats are rounded, integers truncated, bool means "not zero".
 *
 * @param dtype - the type wanted; equal types are copied.
 * @throws DtypeError for the name of no element type, and for numbers that int32 cannot hold.
 */
export const cast = primitive("cast", (x: Tensor, dtype: Dtype): Tensor => {
  requireTensor("cast", x);
  if (!Object.hasOwn(bytesPerElement, dtype)) throw unknownDtype("cast", dtype);
  requireIntegers("cast", dtype, elementsOf(x));
  const out = allocate(x.shape, dtype);
  const to = arrayOf(out);
  const from = arrayOf(x);
  if (dtype === "bool") for (let i = 0; i < x.size; i++) to[out.offset + i] = from[x.offset + i] !== 0 ? 1 : 0;
  else for (let i = 0; i < x.size; i++) to[out.offset + i] = from[x.offset + i]!;
  return out;
});

/**
 * x held between two bounds; derivative 1 from bound to bound, 0 beyond.
 *
 * @throws OptionError when the lower bound is above the upper; DtypeError for integers and a bound between two of them. Bounds beyond
 * the integers do not bound.
 */
export const clip = (x: Tensor, lower: number, upper: number): Tensor => {
  requireTensor("clip", x);
  if (!(lower <= upper)) throw new OptionError(`clip needs lower <= upper, got ${lower} and ${upper}`);
  const [low, high] = isFloat(x.dtype) ? [lower, upper] : [Math.max(lower, lowest), Math.min(upper, highest)];
  adapted("clip", x.dtype, low);
  adapted("clip", x.dtype, high);
  return where(less(x, low), low, where(greater(x, high), high, x));
};

/** x Φ(x), the Gaussian error linear unit: exact, or 0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³))). Default "none", the exact one. */
export const gelu = (x: Tensor, options?: { readonly approximate?: "none" | "tanh" }): Tensor => {
  checkOptions("gelu", options, ["approximate"]);
  const { approximate = "none" } = options ?? {};
  if (approximate === "none") return geluExact(x);
  if (approximate !== "tanh") throw new OptionError(`gelu got approximate ${String(approximate)}: "none" or "tanh"`);
  const inner = mul(add(x, mul(mul(square(x), x), 0.044715)), 0.7978845608028654);
  return mul(mul(x, 0.5), add(tanh(inner), 1));
};

/** x for x > 0, else slope · x. */
export const leakyRelu = (x: Tensor, slope = 0.01): Tensor => where(greater(x, 0), x, mul(x, slope));

/** x for x > 0, else alpha (eˣ − 1). */
export const elu = (x: Tensor, alpha = 1): Tensor => {
  const positive = greater(x, 0);
  return where(positive, x, mul(expm1(where(positive, 0, x)), alpha));
};

/** x σ(x), also known as swish. */
export const silu = (x: Tensor): Tensor => mul(x, sigmoid(x));

/** True where the element is neither infinite nor NaN. */
export const isFinite = (x: Tensor): Tensor => less(abs(x), Infinity);
