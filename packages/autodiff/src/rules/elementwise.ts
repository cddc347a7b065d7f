/**
 * @file Rules of the elementwise operations.
 */
import {
  abs, add, cast, cos, div, elementsOf, equal, erf, exp, expm1, floor, full, geluExact, greater, greaterEqual, isFinite, isFloat, isTensor, kernels, less, lessEqual,
  log, log1p, logicalAnd, logicalOr, maximum, minimum, mul, neg, notEqual, pow, reciprocal, relu, sigmoid, sign, sin, softplus, sqrt, square, step, sub, tanh,
  tanhSlope, uninspected, where, type Operand, type Primitive, type Tensor,
} from "@dydt/tensor"; // prettier-ignore
import {
  bySlope, jointJvpEntry, jvpEntry, pointwise, spread, unbroadcast, vjpEntry, withoutDerivative, type JointJvpRule, type JvpEntry, type VjpEntry,
} from "../rule.js"; // prettier-ignore

/** A product of what goes through a rule with a slope, from operands made safe and by a multiplication that is. */
type Product = (safe: <T extends Operand>(one: T) => T | Tensor, times: (a: Tensor, b: Tensor) => Tensor) => Tensor;

/**
 * a b, of which a zero cotangent comes back as zero even where a or b is not finite: there it is a quotient, whose rule absorbs, with what is not finite on top, so
 * that no finite numbers make an infinite one, which checks would report.
 */
const steepProduct = (a: Tensor, b: Tensor): Tensor => {
  const product = mul(a, b);
  const finite = logicalAnd(isFinite(a), isFinite(b));
  const leads = isFinite(b);
  const [top, other] = [where(finite, 1, where(leads, a, b)), where(finite, 1, where(leads, b, a))];
  const tiny = less(abs(other), product.dtype === "float32" ? 1.1754943508222875e-38 : 2.2250738585072014e-308); // with a reciprocal that overflows: 0 becomes NaN, the others ±∞
  return where(finite, mul(where(finite, a, 1), where(finite, b, 1)), div(top, reciprocal(div(other, where(tiny, 0, 1)))));
};

/**
 * A product ȳ ∂y/∂x, or ∂y/∂x ẋ, but 0 where that is 0 · ∞ or 0 · NaN: a branch that `where` did not take has no say, even where its slope is infinite or NaN.
 *
 * The numbers are looked at first, since they are seldom such; then the product is made again of 1 in place of the operands there, so that its own
 * derivatives are numbers too. Where the slope is a number nothing is replaced: a product that is 0 may still have a derivative.
 *
 * This holds for sqrt, reciprocal, exp, expm1, log, log1p, div and pow alone, whose slopes are infinite at finite arguments. All others (mul, square, abs, relu,
 * sin, cos, tanh, sigmoid, softplus, erf, gelu, and what is made of them, as x log x) give NaN, as NaN · 0, for a zero cotangent where a factor is infinite or NaN.
 * There the safe way is a `where` inside the argument too: where(c, f(where(c, x, 1)), 0).
 */
export const absorbing = (g: Tensor, product: Product): Tensor => {
  const plain = uninspected(() => product((one) => one, mul));
  if (kernels.firstNonFinite(plain) < 0) return plain;
  const vanishes = logicalAnd(equal(g, 0), notEqual(plain, plain));
  if (!elementsOf(vanishes).includes(1)) return product((one) => one, steepProduct);
  return where(
    vanishes,
    0,
    product((one) => where(vanishes, 1, isTensor(one) ? one : full([], one, { dtype: g.dtype })), steepProduct),
  );
};

/** All of a cotangent to the operand that was chosen, half of it at a tie; both get NaN's, since neither can be told to be innocent. */
const choice = (primitive: Primitive<[Operand, Operand]>, beaten: (one: Operand, other: Operand) => Tensor): VjpEntry => {
  const share = (g: Tensor, one: Operand, other: Operand): Tensor =>
    unbroadcast(where(beaten(one, other), 0, where(equal(one, other), mul(g, 0.5), g)), one);
  return vjpEntry(
    primitive,
    (g, _y, a, b) => share(g, a, b),
    (g, _y, a, b) => share(g, b, a),
  );
};

/** d(xᵖ)/dx = p xᵖ⁻¹, which is 0 for p = 0 even where x⁻¹ is no number. */
const powerSlope = (x: Operand, p: Operand, like: Tensor): Tensor => {
  if (p === 0) return full(like.shape, 0, { dtype: like.dtype });
  if (p === 1) return full(like.shape, 1, { dtype: like.dtype });
  if (p === 2) return mul(x, 2);
  if (!isTensor(p)) return mul(pow(x, p - 1), p);
  return absorbing(p, (safe, times) => times(p, pow(safe(x), sub(p, 1))));
};

/** ln x where xᵖ has a derivative in p, so that p is a tensor; 0 where x = 0 and p ≥ 0, since xᵖ is 0 for all p > 0. */
export const logarithmOfBase = (x: Operand, p: Operand, like: Tensor): Tensor => {
  const base = isTensor(x) ? (isFloat(x.dtype) ? x : cast(x, like.dtype)) : full([], x, { dtype: like.dtype });
  return log(where(logicalAnd(equal(base, 0), greaterEqual(p, 0)), 1, base));
};

const inverseRootOfTwo = Math.SQRT1_2;
const densityAtZero = 0.3989422804014327; // 1 / √(2π)

/** The rules of elementwise.ts in @dydt/tensor. */
export const elementwiseRules: readonly VjpEntry[] = [
  vjpEntry(neg, (g) => neg(g)),
  vjpEntry(
    square,
    bySlope((_y, x) => mul(x, 2)),
  ),
  vjpEntry(
    abs,
    bySlope((_y, x) => sign(x)),
  ),
  vjpEntry(
    relu,
    bySlope((_y, x) => step(x)),
  ),
  vjpEntry(sqrt, (g, y) => absorbing(g, (safe) => div(g, mul(safe(y), 2)))),
  vjpEntry(reciprocal, (g, y, x) => absorbing(g, (safe, times) => neg(div(times(g, safe(y)), safe(x))))),
  vjpEntry(exp, (g, y) => absorbing(g, (safe, times) => times(g, safe(y)))),
  vjpEntry(expm1, (g, y) => absorbing(g, (safe, times) => times(g, add(safe(y), 1)))),
  vjpEntry(log, (g, _y, x) => absorbing(g, (safe) => div(g, safe(x)))),
  vjpEntry(log1p, (g, _y, x) => absorbing(g, (safe) => div(g, add(safe(x), 1)))),
  vjpEntry(
    sin,
    bySlope((_y, x) => cos(x)),
  ),
  vjpEntry(
    cos,
    bySlope((_y, x) => neg(sin(x))),
  ),
  vjpEntry(tanh, (g, y) => tanhSlope(g, y)),
  vjpEntry(
    tanhSlope,
    (z, _out, g, y) => unbroadcast(tanhSlope(z, y), g),
    (z, _out, g, y) => unbroadcast(mul(z, mul(mul(g, y), -2)), y),
  ),
  vjpEntry(
    sigmoid,
    bySlope((y) => mul(y, sub(1, y))),
  ),
  vjpEntry(
    softplus,
    bySlope((_y, x) => sigmoid(x)),
  ),
  vjpEntry(
    erf,
    bySlope((_y, x) => mul(exp(neg(square(x))), 1.1283791670955126)),
  ),
  vjpEntry(
    geluExact,
    bySlope((_y, x) => add(mul(add(erf(mul(x, inverseRootOfTwo)), 1), 0.5), mul(x, mul(exp(mul(square(x), -0.5)), densityAtZero)))),
  ),
  vjpEntry(
    add,
    (g, _y, a) => unbroadcast(g, a),
    (g, _y, _a, b) => unbroadcast(g, b),
  ),
  vjpEntry(
    sub,
    (g, _y, a) => unbroadcast(g, a),
    (g, _y, _a, b) => unbroadcast(neg(g), b),
  ),
  vjpEntry(
    mul,
    (g, _y, a, b) => unbroadcast(mul(g, b), a),
    (g, _y, a, b) => unbroadcast(mul(g, a), b),
  ),
  vjpEntry(
    div,
    (g, _y, a, b) =>
      unbroadcast(
        absorbing(g, (safe) => div(g, safe(b))),
        a,
      ),
    (g, y, _a, b) =>
      unbroadcast(
        absorbing(g, (safe, times) => neg(div(times(g, safe(y)), safe(b)))),
        b,
      ),
  ),
  vjpEntry(
    pow,
    (g, _y, x, p) =>
      unbroadcast(
        absorbing(g, (safe, times) => times(g, powerSlope(safe(x), p, g))),
        x,
      ),
    (g, y, x, p) =>
      unbroadcast(
        absorbing(g, (safe, times) => times(g, times(safe(y), logarithmOfBase(safe(x), p, y)))),
        p,
      ),
  ),
  choice(maximum, less),
  choice(minimum, greater),
  vjpEntry(
    where,
    null,
    (g, _y, condition, a) => unbroadcast(where(condition, g, 0), a),
    (g, _y, condition, _a, b) => unbroadcast(where(condition, 0, g), b),
  ),
  vjpEntry(cast, (g, _y, x, dtype) => (isFloat(dtype) ? cast(g, x.dtype) : undefined), null),
  ...[sign, floor, step, equal, notEqual, less, lessEqual, greater, greaterEqual, logicalAnd, logicalOr].map((one) =>
    withoutDerivative(one as Primitive),
  ),
];

/** What of a tangent goes on where its operand was chosen: all, or half at a tie. */
const chosenTangent = (primitive: Primitive<[Operand, Operand]>, beaten: (one: Operand, other: Operand) => Tensor): JvpEntry => {
  const share = (tangent: Tensor, y: Tensor, one: Operand, other: Operand): Tensor =>
    spread(where(beaten(one, other), 0, where(equal(one, other), mul(tangent, 0.5), tangent)), y);
  return jvpEntry(
    primitive,
    (t, y, a, b) => share(t, y, a, b),
    (t, y, a, b) => share(t, y, b, a),
  );
};

/** Both slopes of a power are made once, for all tangents that they are safe for. */
const powerTangent: JointJvpRule<[Operand, Operand]> = (y, x, p) => {
  let inBase: Tensor | undefined;
  let inExponent: Tensor | undefined;
  return ([ofBase, ofExponent]) => {
    const byBase =
      ofBase &&
      absorbing(ofBase, (safe, times) => {
        const base = safe(x);
        return times(ofBase, base === x ? (inBase ??= powerSlope(x, p, y)) : powerSlope(base, p, y));
      });
    const byExponent =
      ofExponent &&
      absorbing(ofExponent, (safe, times) => {
        const base = safe(x);
        const slope = (): Tensor => times(safe(y), logarithmOfBase(base, p, y));
        return times(ofExponent, base === x && times === mul ? (inExponent ??= slope()) : slope());
      });
    return byBase && byExponent ? add(byBase, byExponent) : (byBase ?? byExponent);
  };
};

/** The forward rules of elementwise.ts in @dydt/tensor. */
export const elementwiseTangents = (): readonly (readonly JvpEntry[])[] => [
  pointwise(elementwiseRules, [
    neg, square, abs, relu, sqrt, reciprocal, exp, expm1, log, log1p, sin, cos, tanh, sigmoid, softplus, erf, geluExact,
  ]), // prettier-ignore
  [
    jvpEntry(tanhSlope, "linear", (t, _y, g, y) => mul(mul(mul(g, y), -2), t)),
    jvpEntry(
      add,
      (t, y) => spread(t, y),
      (t, y) => spread(t, y),
    ),
    jvpEntry(
      sub,
      (t, y) => spread(t, y),
      (t, y) => spread(neg(t), y),
    ),
    jvpEntry(mul, "linear", "linear"),
    jvpEntry(
      div,
      (t, _y, _a, b) => absorbing(t, (safe) => div(t, safe(b))),
      (t, y, _a, b) => absorbing(t, (safe, times) => neg(div(times(t, safe(y)), safe(b)))),
    ),
    jointJvpEntry(pow, powerTangent),
    chosenTangent(maximum, less),
    chosenTangent(minimum, greater),
    jvpEntry(
      where,
      null,
      (t, y, condition) => spread(where(condition, t, 0), y),
      (t, y, condition) => spread(where(condition, 0, t), y),
    ),
    jvpEntry(cast, (t, y) => (isFloat(y.dtype) ? cast(t, y.dtype) : undefined), null),
  ],
];
