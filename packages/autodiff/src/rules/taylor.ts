/**
 * @file Taylor rules: how the coefficients of a path x(t) = Σ xₖ tᵏ go through an operation.
 *
 *   y = eˣ:   k yₖ = Σⱼ j xⱼ yₖ₋ⱼ, j = 1 … k      and so for every y with ẏ = ẋ w(y, x), once w has coefficients:   k yₖ = Σⱼ j xⱼ wₖ₋ⱼ
 *   y = a/b:  yₖ = (aₖ − Σⱼ bⱼ yₖ₋ⱼ) / b₀           y = xᵖ:  k x₀ yₖ = Σⱼ (p j − (k − j)) xⱼ yₖ₋ⱼ, and where x₀ = 0  ẏ = ẋ p xᵖ⁻¹
 *
 * Each coefficient is one sum over the ones before: K coefficients cost O(K²) products. Operations that are linear, or products, need no rule here: their forward
 * rule says so. A. Griewank, A. Walther, Evaluating Derivatives, 2nd ed., SIAM 2008, tables 13.1 and 13.2.
 */
import {
  abs, add, affineMoved, affineProduct, at, cast, concat, cos, div, elementsOf, equal, erf, exp, expm1, full, geluExact, isFinite, isFloat, isTensor, kernels, less, log, log1p, logicalNot, logicalOr, luSolve, matrixProduct, max, maximum, min, minimum, mul, neg, normalizeAxes, pow, prod,
  reciprocal, relu, reshape, scatterAdd, sigmoid, sin, slice, softplus, sqrt, square, stack, step, sub, tanh, tanhSlope, transpose, uninspected, weightedSum, where, zerosLike, type FusedActivation,
  type Primitive, type ReduceOptions, type Tensor,
} from "@dydt/tensor"; // prettier-ignore
import type { Tangent } from "../rule.js";
import { absorbing, logarithmOfBase } from "./elementwise.js";

/** Coefficients of a path, its value first; undefined where zero. Shorter ones go on with zeros. */
export type Jet = readonly Tangent[];

/** What an argument's coefficients are: for a list of tensors lists; undefined where it does not move. */
export type ArgumentJet = Jet | undefined | readonly (Jet | undefined)[];

/** From the coefficients of the arguments to those of the output, up to `order`; "coefficientwise" for pieces of linear functions, by the forward rule. */
export type TaylorRule = ((jets: readonly ArgumentJet[], output: Tensor, order: number, ...args: readonly unknown[]) => Jet) | "coefficientwise";

/** Σ wⱼ aⱼ bₖ₋ⱼ from j = first to j = last; undefined where every term is zero. */
export const convolved = (
  k: number,
  a: Jet,
  b: Jet,
  { first = 0, last = k, weight = () => 1, product = mul }: {
    readonly first?: number;
    readonly last?: number;
    readonly weight?: (j: number) => number;
    readonly product?: (a: Tensor, b: Tensor) => Tensor;
  } = {},
): Tangent => {
  const terms: Tensor[] = [];
  const weights: number[] = [];
  for (let j = first; j <= last; j++) {
    const [left, right] = [a[j], b[k - j]];
    if (left === undefined || right === undefined) continue;
    terms.push(product(left, right));
    weights.push(weight(j));
  }
  return terms.length === 0 ? undefined : terms.length === 1 && weights[0] === 1 ? terms[0] : weightedSum(null, weights, terms);
}; // prettier-ignore

/** Coefficient k of y where ẏ = ẋ w. */
const integral = (k: number, x: Jet, w: Jet): Tangent => convolved(k, x, w, { first: 1, weight: (j) => j / k });

const times = (x: Tangent, by: number | Tensor): Tangent => (x === undefined ? undefined : mul(x, by));
const negative = (x: Tangent): Tangent => (x === undefined ? undefined : neg(x));
const difference = (a: Tangent, b: Tangent): Tangent => (b === undefined ? a : a === undefined ? neg(b) : sub(a, b));
const over = (a: Tangent, b: Tensor): Tangent => (a === undefined ? undefined : div(a, b));

/** Coefficients one after the other, from those before. */
const recur = (first: Tensor, order: number, next: (k: number, known: Jet) => Tangent): Jet => {
  const jet: Tangent[] = [first];
  for (let k = 1; k <= order; k++) jet.push(next(k, jet));
  return jet;
};

/** An elementwise function of one argument. */
const unary =
  (rule: (x: Jet, y: Tensor, order: number) => Jet): TaylorRule =>
  (jets, y, order) =>
    rule(jets[0] as Jet, y, order);

/** Coefficients of two functions that need each other: k yₖ = Σ j xⱼ wₖ₋ⱼ, where `other` gives wₖ from y₀ … yₖ and w₀ … wₖ₋₁. */
const coupled = (x: Jet, y: Tensor, w: Tensor, order: number, other: (k: number, y: Jet, w: Jet) => Tangent): Jet => {
  const slopes: Tangent[] = [w];
  const jet: Tangent[] = [y];
  for (let k = 1; k <= order; k++) {
    jet.push(integral(k, x, slopes));
    slopes.push(other(k, jet, slopes));
  }
  return jet;
};

const exponential = (x: Jet, y: Tensor, order: number): Jet => recur(y, order, (k, known) => integral(k, x, known));
const squared = (x: Jet, order: number): Jet => recur(square(x[0]!), order, (k) => convolved(k, x, x));
const hyperbolicTangent = (x: Jet, y: Tensor, order: number): Jet =>
  coupled(x, y, sub(1, square(y)), order, (k, known) => negative(convolved(k, known, known)));
const logistic = (x: Jet, y: Tensor, order: number): Jet =>
  coupled(x, y, mul(y, sub(1, y)), order, (k, known) => difference(known[k], convolved(k, known, known)));
/** Of ln x, and of ln(1 + x), whose slope is 1 / `base`. */
const logarithm = (x: Jet, y: Tensor, base: Tensor, order: number): Jet =>
  recur(y, order, (k, known) => over(difference(x[k], convolved(k, known, x, { first: 1, last: k - 1, weight: (j) => j / k })), base));
/** Of erf x / c, whose slope is c′ e^(−x²) with c′ = `slope`. */
const bell = (x: Jet, y: Tensor, slope: number, order: number): Jet => {
  const exponent = squared(x, order).map(negative);
  const density = exponential(exponent, exp(exponent[0]!), order);
  return recur(y, order, (k) => times(integral(k, x, density), slope));
};

const jetOf = (jet: ArgumentJet, arg: unknown, like: Tensor): Jet =>
  (jet as Jet | undefined) ?? [isTensor(arg) ? (isFloat(arg.dtype) ? arg : cast(arg, like.dtype)) : full([], arg as number, { dtype: like.dtype })];

const wholePower = (x: Jet, p: number, order: number): Jet => {
  if (p === 1) return x;
  const half = wholePower(x, p >> 1, order);
  const even = recur(square(half[0]!), order, (k) => convolved(k, half, half));
  return p % 2 === 0 ? even : recur(mul(even[0]!, x[0]!), order, (k) => convolved(k, even, x));
};

/** Of xᵖ where x₀ = 0, or xᵖ is no number to divide: from the next lower powers, ẏ = ẋ p xᵖ⁻¹, with ṗ y ln x₀ as in the other modes; O(K³) products. */
const powerOfZero = (x: Jet, p: Jet, order: number): Jet => {
  const y = pow(x[0]!, p[0]!);
  if (order === 0) return [y];
  const product = (a: Tensor, b: Tensor): Tensor => absorbing(a, (safe, steep) => steep(a, safe(b)));
  const lower = powerOfZero(x, [sub(p[0]!, 1), ...p.slice(1)], order - 1);
  const slopes = recur(product(p[0]!, lower[0]!), order - 1, (k) => convolved(k, p, lower, { product }));
  const slopeInExponent = p.length === 1 ? undefined : mul(y, logarithmOfBase(x[0]!, p[0]!, y));
  return recur(y, order, (k) => {
    const byBase = convolved(k, x, slopes, { first: 1, weight: (j) => j / k, product });
    const byExponent = slopeInExponent === undefined || p[k] === undefined ? undefined : product(p[k], slopeInExponent);
    return byBase === undefined || byExponent === undefined ? (byBase ?? byExponent) : add(byBase, byExponent);
  });
};

/** Of xᵖ where x₀ is not 0; `moved` are the coefficients of p, where it moves. */
const powerOfOthers = (x: Jet, p: number | Tensor, moved: Jet | undefined, y: Tensor, order: number): Jet => {
  if (moved === undefined && !isTensor(p))
    return recur(y, order, (k, known) => over(convolved(k, x, known, { first: 1, weight: (j) => (p * j - (k - j)) / k }), x[0]!));
  if (moved === undefined)
    return recur(y, order, (k, known) => {
      const raised = convolved(k, x, known, { first: 1, weight: (j) => j / k });
      return over(difference(times(raised, p), convolved(k, x, known, { first: 1, last: k - 1, weight: (j) => (k - j) / k })), x[0]!);
    });
  const logarithms = logarithm(x, log(x[0]!), x[0]!, order);
  return exponential(
    recur(mul(moved[0]!, logarithms[0]!), order, (k) => convolved(k, moved, logarithms)),
    y,
    order,
  );
};

const power: TaylorRule = ([ofBase, ofExponent], y, order, base, exponent) => {
  const p = exponent as number | Tensor;
  if (p === 0) return [y];
  const x = jetOf(ofBase, base, y);
  if (Number.isInteger(p) && (p as number) > 0 && (p as number) <= 64) return [y, ...wholePower(x, p as number, order).slice(1)];
  const moved = ofExponent as Jet | undefined;
  const zero = equal(x[0]!, 0);
  const tiny = y.dtype === "float32" ? 1.1754943508222875e-38 : 2.2250738585072014e-308;
  const lost = moved === undefined ? logicalOr(zero, logicalOr(less(abs(y), tiny), logicalNot(isFinite(y)))) : zero;
  if (!elementsOf(lost).includes(1)) return powerOfOthers(x, p, moved, y, order);
  const there = (): Jet => powerOfZero([where(lost, x[0]!, 1), ...x.slice(1)], jetOf(moved, p, y), order);
  const tried = uninspected(there);
  const inZero = tried.every((one) => one === undefined || kernels.firstNonFinite(one) < 0) ? tried : there();
  const elsewhere = powerOfOthers([where(lost, 1, x[0]!), ...x.slice(1)], p, moved, where(lost, 1, y), order);
  return recur(y, order, (k) => (inZero[k] === undefined && elsewhere[k] === undefined ? undefined : where(lost, inZero[k] ?? 0, elsewhere[k] ?? 0)));
};

/** σ(z) from the coefficients of z and the value. */
const activated = (z: Jet, y: Tensor, activation: FusedActivation, order: number): Jet => {
  if (activation === "identity") return [y, ...z.slice(1)];
  if (activation === "tanh") return hyperbolicTangent(z, y, order);
  if (activation === "sigmoid") return logistic(z, y, order);
  if (activation === "relu") return [y, ...z.slice(1).map((one) => (one === undefined ? undefined : mul(one, step(y))))];
  return coupledSoftplus(z, y, neg(expm1(neg(y))), order);
};

/** ẏ = ẋ s with s = σ(x). */
const coupledSoftplus = (x: Jet, y: Tensor, s: Tensor, order: number): Jet => {
  const slopes = logistic(x, s, order);
  return recur(y, order, (k) => integral(k, x, slopes));
};

const affineRule: TaylorRule = ([ofX, ofWeight, ofBias], y, order, x, weight, _bias, activation = "identity") => {
  const [rows, columns] = [jetOf(ofX, x, y), jetOf(ofWeight, weight, y)];
  const z = recur(y, order, (k) => {
    const parts: (readonly [Tensor, Tensor])[] = [];
    for (let j = 0; j <= k; j++) {
      const [row, column] = [rows[j], columns[k - j]];
      if (row !== undefined && column !== undefined) parts.push([row, column]);
    }
    const bias = (ofBias as Jet | undefined)?.[k];
    return parts.length === 0 && bias === undefined ? undefined : affineMoved(y, parts, bias);
  });
  return activated(z, y, activation as FusedActivation, order);
};

const weightedSumRule: TaylorRule = ([ofBase, ofWeights, ofTerms], y, order, _base, weights, list) => {
  const terms = list as readonly Tensor[];
  const moved = (ofTerms as readonly (Jet | undefined)[] | undefined) ?? [];
  const ways = isTensor(weights) ? jetOf(ofWeights, weights, y) : [];
  const constant = isTensor(weights) ? undefined : (weights as readonly number[]);
  return recur(y, order, (k) => {
    let sum: Tangent = (ofBase as Jet | undefined)?.[k];
    for (let j = 0; j <= k; j++) {
      const way = constant === undefined ? ways[j] : undefined;
      if (constant === undefined ? way === undefined : j > 0) continue;
      const picked = terms.flatMap((x, i) => {
        const term = j === k ? x : moved[i]?.[k - j];
        return term === undefined ? [] : [{ term, weight: constant?.[i] ?? at(way!, i) }];
      });
      if (picked.length > 0) sum = added(sum, picked);
    }
    return sum;
  });
};

/** base + Σ wᵢ xᵢ for weights that are all numbers or all tensors. */
const added = (base: Tangent, picked: readonly { readonly term: Tensor; readonly weight: number | Tensor }[]): Tensor => {
  const weights = picked.map(({ weight }) => weight);
  const terms = picked.map(({ term }) => term);
  return weightedSum(base ?? null, isTensor(weights[0]) ? stack(weights as Tensor[]) : (weights as number[]), terms);
};

const solution: TaylorRule = ([ofMatrix, ofRight], x, order, matrix, right, transposed = false) => {
  const [a, b] = [jetOf(ofMatrix, matrix, x), jetOf(ofRight, right, x)];
  return recur(x, order, (k, known) => {
    const moved = convolved(k, a, known, { first: 1, product: (m, v) => matrixProduct(m, v, transposed as boolean, false) });
    const rest = difference(b[k], moved);
    return rest === undefined ? undefined : luSolve(a[0]!, rest, transposed as boolean);
  });
};

/** The rows of a list of coefficients, from one to before another. */
const rows = (x: Jet, from: number, to: number): Jet => x.map((one) => (one === undefined ? undefined : slice(one, [[from, to]])));

/** Products of pairs of rows, of pairs of pairs, and so on. */
const productOfRows = (x: Jet, count: number, order: number): Jet => {
  if (count < 2) return x;
  const half = count >> 1;
  const [left, right] = [rows(x, 0, half), rows(x, half, 2 * half)];
  const pairs = recur(mul(left[0]!, right[0]!), order, (k) => convolved(k, left, right));
  if (count % 2 === 0) return productOfRows(pairs, half, order);
  const last = rows(x, count - 1, count);
  const zero = (one: Tangent, like: Tensor): Tensor => one ?? zerosLike(like);
  const joined = pairs.map((pair, k) =>
    pair === undefined && last[k] === undefined ? undefined : concat([zero(pair, pairs[0]!), zero(last[k], last[0]!)]),
  );
  return productOfRows(joined, half + 1, order);
};

const product: TaylorRule = ([jet], y, order, of, options) => {
  const x = of as Tensor;
  const axes = normalizeAxes("prod", (options as ReduceOptions | undefined)?.axis, x.rank);
  const front = [...axes, ...x.shape.map((_, i) => i).filter((i) => !axes.includes(i))];
  const count = axes.reduce((length, i) => length * x.shape[i]!, 1);
  if (count === 0) return [y];
  const flat = (jet as Jet).map((one) => (one === undefined ? undefined : reshape(transpose(one, front), [count, y.size])));
  return [
    y,
    ...productOfRows(flat, count, order)
      .slice(1)
      .map((one) => (one === undefined ? undefined : reshape(one, y.shape))),
  ];
};

/** The Taylor rules of the operations of @dydt/tensor that are neither linear nor products. */
export const taylorRules = (): readonly (readonly [Primitive, TaylorRule])[] => [
  ...[add, sub, neg, relu, abs, maximum, minimum, where, cast, max, min, scatterAdd].map((one) => [one as Primitive, "coefficientwise"] as const),
  [square, unary((x, y, order) => [y, ...squared(x, order).slice(1)])],
  [exp, unary(exponential)],
  [expm1, unary((x, y, order) => [y, ...exponential(x, add(y, 1), order).slice(1)])],
  [log, unary((x, y, order) => logarithm(x, y, x[0]!, order))],
  [log1p, unary((x, y, order) => logarithm(x, y, add(x[0]!, 1), order))],
  [sin, unary((x, y, order) => coupled(x, y, cos(x[0]!), order, (k, known) => negative(integral(k, x, known))))],
  [cos, unary((x, y, order) => coupled(x, y, neg(sin(x[0]!)), order, (k, known) => negative(integral(k, x, known))))],
  [tanh, unary(hyperbolicTangent)],
  [sigmoid, unary(logistic)],
  [softplus, unary((x, y, order) => coupledSoftplus(x, y, sigmoid(x[0]!), order))],
  [sqrt, unary((x, y, order) => recur(y, order, (k, known) => over(times(difference(x[k], convolved(k, known, known, { first: 1, last: k - 1 })), 0.5), y)))],
  [reciprocal, unary((x, y, order) => recur(y, order, (k, known) => negative(times(convolved(k, x, known, { first: 1 }), y))))],
  [erf, unary((x, y, order) => bell(x, y, 1.1283791670955126, order))],
  [geluExact, unary((x, y, order) => {
    const root = x.map((one) => times(one, Math.SQRT1_2));
    const normal = bell(root, erf(root[0]!), 1.1283791670955126, order).map((one, k) => times(k === 0 ? add(one!, 1) : one, 0.5));
    return recur(y, order, (k) => convolved(k, x, normal));
  })],
  [div, ([ofA, ofB], y, order, numerator, denominator) => {
    const [a, b] = [jetOf(ofA, numerator, y), jetOf(ofB, denominator, y)];
    return recur(y, order, (k, known) => over(difference(a[k], convolved(k, b, known, { first: 1 })), b[0]!));
  }],
  [pow, power],
  [tanhSlope, ([ofG, ofY], out, order, g, y) => {
    const slope = jetOf(ofY, y, out);
    const complement = squared(slope, order).map((one, k) => (k === 0 ? sub(1, one!) : negative(one)));
    const factor = jetOf(ofG, g, out);
    return recur(out, order, (k) => convolved(k, factor, complement));
  }],
  [affineProduct, affineRule],
  [weightedSum, weightedSumRule],
  [luSolve, solution],
  [prod, product],
]; // prettier-ignore
