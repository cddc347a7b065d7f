/**
 * @file Reductions, with NumPy's `axis` and `keepDims`. Elements are taken in ascending order, so the bits never depend on the batch.
 */
import { kernels } from "./backend/active.js";
import type { Reduction } from "./backend/kernels.js";
import { isFloat } from "./dtype.js";
import { DtypeError, OptionError, ShapeError } from "./errors.js";
import { add, cast, div, equal, exp, log, logicalNot, sqrt, square, sub, where, abs, isFinite } from "./elementwise.js";
import { reshape } from "./movement.js";
import { checkOptions } from "./options.js";
import { primitive } from "./primitive.js";
import { formatShape, normalizeAxes, normalizeAxis, sameShape, sizeOf } from "./shape.js";
import { alias, allocate, arrayOf, elementsOf, isTensor, requireTensor, type Tensor } from "./tensor.js";

/** Which axes to reduce (all unless given), and whether they stay as axes of length 1 (default false). */
export interface ReduceOptions {
  readonly axis?: number | readonly number[];
  readonly keepDims?: boolean;
}

const known = ["axis", "keepDims"];

const reduction = (op: Reduction) =>
  primitive(op, (x: Tensor, options?: ReduceOptions): Tensor => {
    requireTensor(op, x);
    checkOptions(op, options, known);
    const { axis, keepDims = false } = options ?? {};
    const axes = normalizeAxes(op, axis, x.rank);
    const dtype = x.dtype === "bool" && (op === "sum" || op === "prod") ? "int32" : x.dtype;
    const kept = x.shape.map((length, i) => (axes.includes(i) ? 1 : length));
    if ((op === "max" || op === "min") && x.size === 0 && sizeOf(kept) > 0)
      throw new ShapeError(`${op} of no elements: a tensor of shape ${formatShape(x.shape)} is empty along the axes ${formatShape(axes)}`);
    let from = x;
    for (let i = axes.length - 1; i >= 0; i--) {
      const last = axes[i]!;
      while (i > 0 && axes[i - 1] === axes[i]! - 1) i--; // neighbouring axes are one longer axis
      const first = axes[i]!;
      const out = allocate(
        from.shape.map((length, j) => (j >= first && j <= last ? 1 : length)),
        dtype,
      );
      kernels.reduce(
        op,
        from,
        sizeOf(from.shape.slice(0, first)),
        sizeOf(from.shape.slice(first, last + 1)),
        sizeOf(from.shape.slice(last + 1)),
        out,
      );
      from = out;
    }
    if (from.dtype !== dtype) from = cast(from, dtype); // no axis to reduce
    return alias(from, keepDims ? kept : kept.filter((_, i) => !axes.includes(i)));
  });

/** Σ x; 0 for no elements. */
export const sum = reduction("sum");
/** The largest element, NaN if any is; tied elements share the derivative. @throws ShapeError for no elements. */
export const max = reduction("max");
/** The smallest element, NaN if any is; tied elements share the derivative. @throws ShapeError for no elements. */
export const min = reduction("min");
/** Π x; 1 for no elements. */
export const prod = reduction("prod");

const countOf = (op: string, x: Tensor, { axis }: ReduceOptions): number => sizeOf(normalizeAxes(op, axis, x.rank).map((i) => x.shape[i]!));

/** Integers and masks as float64, so that what follows does not overflow. */
const floating = (op: string, x: Tensor): Tensor => {
  requireTensor(op, x);
  return isFloat(x.dtype) ? x : cast(x, "float64");
};

/** The mean; NaN for no elements. */
export const mean = (x: Tensor, options: ReduceOptions = {}): Tensor => {
  checkOptions("mean", options, known);
  return div(sum(floating("mean", x), options), countOf("mean", x, options));
};

/** Mean square deviation from the mean, divided by n - correction (default 0), or by 0 where that is negative, as in NumPy. */
export const variance = (x: Tensor, given: ReduceOptions & { readonly correction?: number } = {}): Tensor => {
  checkOptions("variance", given, ["axis", "keepDims", "correction"]);
  const { correction = 0, keepDims = false, ...options } = given;
  const values = floating("variance", x);
  const deviation = sub(values, mean(values, { ...options, keepDims: true }));
  return div(sum(square(deviation), { ...options, keepDims }), Math.max(countOf("variance", x, options) - correction, 0));
};

/** The Euclidean norm √Σx²; with `order` 1 Σ|x|, with Infinity max|x|. The derivative at 0 is 0. */
export const norm = (x: Tensor, given: ReduceOptions & { readonly order?: number } = {}): Tensor => {
  checkOptions("norm", given, ["order", "axis", "keepDims"]);
  const { order = 2, ...options } = given;
  const values = floating("norm", x);
  if (order === 2) {
    const squares = sum(square(values), options);
    const vanishes = equal(squares, 0);
    return where(vanishes, 0, sqrt(where(vanishes, 1, squares)));
  }
  if (order === 1) return sum(abs(values), options);
  if (order === Infinity) return max(abs(values), options);
  throw new OptionError(`norm got order ${order}: 1, 2 or Infinity`);
};

/** Lets derivatives end: the same numbers, watched by nobody. */
export const stopGradient = primitive("stopGradient", (x: Tensor): Tensor => {
  requireTensor("stopGradient", x);
  return alias(x, x.shape);
});

/** ln Σ eˣ without overflow; −∞ for no elements, and where every element is −∞, with derivative 0. */
export const logsumexp = (x: Tensor, options: ReduceOptions = {}): Tensor => {
  checkOptions("logsumexp", options, known);
  const values = floating("logsumexp", x);
  const axes = normalizeAxes("logsumexp", options.axis, x.rank);
  const finite = (top: Tensor): Tensor => where(isFinite(top), top, 0);
  const shift = x.size === 0 ? 0 : finite(stopGradient(max(values, { ...options, keepDims: true })));
  const total = sum(exp(sub(values, shift)), { ...options, keepDims: true });
  const vanishes = equal(total, 0);
  const kept = where(vanishes, -Infinity, add(log(where(vanishes, 1, total)), shift));
  if (options.keepDims) return kept;
  return reshape(kept, x.shape.filter((_, i) => !axes.includes(i))); // prettier-ignore
};

/** eˣ / Σ eˣ along an axis, the last unless given. */
export const softmax = (x: Tensor, axis = -1): Tensor => {
  const values = floating("softmax", x);
  normalizeAxis("softmax", axis, x.rank);
  if (x.size === 0) return exp(values);
  const shifted = exp(sub(values, stopGradient(max(values, { axis, keepDims: true }))));
  return div(shifted, sum(shifted, { axis, keepDims: true }));
};

/** ln softmax(x) along an axis, the last unless given. */
export const logSoftmax = (x: Tensor, axis = -1): Tensor => {
  const values = floating("logSoftmax", x);
  normalizeAxis("logSoftmax", axis, x.rank);
  return sub(values, logsumexp(values, { axis, keepDims: true }));
};

/** Whether some element is not zero, as bool. */
export const any = (x: Tensor, options?: ReduceOptions): Tensor => {
  checkOptions("any", options, known);
  return cast(sum(cast(logicalNot(equal(x, 0)), "int32"), options), "bool");
};

/** Whether every element is not zero, as bool. */
export const all = (x: Tensor, options?: ReduceOptions): Tensor => {
  checkOptions("all", options, known);
  return equal(sum(cast(equal(x, 0), "int32"), options), 0);
};

/**
 * base + Σ wᵢ xᵢ: what a Runge-Kutta step is made of. Sums in float64 from left to right, rounded once.
 *
 * @param base - a tensor of the common shape, or null for none.
 * @param weights - numbers, or a float64 tensor of shape `[k]`, which then gets a derivative.
 * @param terms - k tensors of one shape and type.
 * @throws ShapeError when shapes, or the numbers of weights and terms, differ; DtypeError when types do.
 */
export const weightedSum = primitive("weightedSum", (base: Tensor | null, weights: readonly number[] | Tensor, terms: readonly Tensor[]): Tensor => {
  const first = base ?? terms[0];
  if (first === undefined) throw new ShapeError("weightedSum needs a base or a term");
  if (!isFloat(first.dtype)) throw new DtypeError(`weightedSum needs floats, got ${first.dtype}`);
  for (const x of terms) {
    if (x.dtype !== first.dtype) throw new DtypeError(`weightedSum got ${first.dtype} and ${x.dtype}`);
    if (!sameShape(x.shape, first.shape)) throw new ShapeError(`weightedSum got shapes ${formatShape(first.shape)} and ${formatShape(x.shape)}`);
  }
  if (isTensor(weights) && weights.dtype !== "float64")
    throw new DtypeError(`weightedSum needs float64 weights, got ${weights.dtype}: convert them with cast(weights, "float64")`);
  const count = isTensor(weights) ? weights.size : weights.length;
  if (count !== terms.length) throw new ShapeError(`weightedSum got ${count} weights for ${terms.length} terms`);
  const out = allocate(first.shape, first.dtype);
  kernels.weightedSum(base, isTensor(weights) ? Array.from(elementsOf(weights)) : weights, terms, out);
  return out;
});

/** [Σ g x₁, Σ g x₂, ...] as a float64 tensor of shape `[k]`: the transpose of {@link weightedSum} in its weights. */
export const innerProducts = primitive("innerProducts", (g: Tensor, terms: readonly Tensor[]): Tensor => {
  for (const x of terms)
    if (!sameShape(x.shape, g.shape)) throw new ShapeError(`innerProducts got shapes ${formatShape(g.shape)} and ${formatShape(x.shape)}`);
  const out = allocate([terms.length], "float64");
  const to = arrayOf(out);
  for (let i = 0; i < terms.length; i++) to[out.offset + i] = kernels.innerProduct(g, terms[i]!);
  return out;
});
