/**
 * @file Reverse rules of the elementwise operations.
 */
import {
  abs, add, cast, cos, div, equal, erf, exp, expm1, floor, full, geluExact, greater, greaterEqual, isFloat, isTensor, less, lessEqual, log, log1p, logicalAnd,
  logicalOr, maximum, minimum, mul, neg, notEqual, pow, reciprocal, relu, sigmoid, sign, sin, softplus, sqrt, square, step, sub, tanh, tanhSlope, where,
  type Operand, type Primitive, type Tensor,
} from "@dydt/tensor"; // prettier-ignore
import { unbroadcast, vjpEntry, withoutDerivative, type VjpEntry } from "../rule.js";

/** 1 where the operand was chosen, ½ at a tie, 0 elsewhere. */
const chosen = (y: Tensor, operand: Operand, other: Operand): Tensor =>
  mul(cast(equal(y, operand), y.dtype), sub(1, mul(cast(equal(operand, other), y.dtype), 0.5)));

const choice = (primitive: Primitive<[Operand, Operand]>): VjpEntry =>
  vjpEntry(
    primitive,
    (g, y, a, b) => unbroadcast(mul(g, chosen(y, a, b)), a),
    (g, y, a, b) => unbroadcast(mul(g, chosen(y, b, a)), b),
  );

/** d(xᵖ)/dx = p xᵖ⁻¹, which is 0 for p = 0 even at x = 0. */
const powerSlope = (x: Operand, p: Operand, like: Tensor): Tensor => {
  if (p === 0) return full(like.shape, 0, { dtype: like.dtype });
  if (p === 1) return full(like.shape, 1, { dtype: like.dtype });
  if (p === 2) return mul(x, 2);
  if (!isTensor(p)) return mul(pow(x, p - 1), p);
  return where(equal(p, 0), 0, mul(p, pow(x, sub(p, 1))));
};

/** ln x where xᵖ has a derivative in p; 0 at x = 0, where xᵖ is 0 for all p > 0. */
const logarithmOfBase = (x: Operand, like: Tensor): Tensor => {
  const base = isTensor(x) ? x : full([], x, { dtype: like.dtype });
  return log(where(equal(base, 0), 1, base));
};

const inverseRootOfTwo = Math.SQRT1_2;
const densityAtZero = 0.3989422804014327; // 1 / √(2π)

/** The rules of elementwise.ts in @dydt/tensor. */
export const elementwiseRules: readonly VjpEntry[] = [
  vjpEntry(neg, (g) => neg(g)),
  vjpEntry(square, (g, _y, x) => mul(g, mul(x, 2))),
  vjpEntry(abs, (g, _y, x) => mul(g, sign(x))),
  vjpEntry(relu, (g, _y, x) => mul(g, step(x))),
  vjpEntry(sqrt, (g, y) => div(g, mul(y, 2))),
  vjpEntry(reciprocal, (g, y) => neg(mul(g, square(y)))),
  vjpEntry(exp, (g, y) => mul(g, y)),
  vjpEntry(expm1, (g, y) => mul(g, add(y, 1))),
  vjpEntry(log, (g, _y, x) => div(g, x)),
  vjpEntry(log1p, (g, _y, x) => div(g, add(x, 1))),
  vjpEntry(sin, (g, _y, x) => mul(g, cos(x))),
  vjpEntry(cos, (g, _y, x) => neg(mul(g, sin(x)))),
  vjpEntry(tanh, (g, y) => tanhSlope(g, y)),
  vjpEntry(
    tanhSlope,
    (z, _out, g, y) => unbroadcast(tanhSlope(z, y), g),
    (z, _out, g, y) => unbroadcast(mul(z, mul(mul(g, y), -2)), y),
  ),
  vjpEntry(sigmoid, (g, y) => mul(g, mul(y, sub(1, y)))),
  vjpEntry(softplus, (g, _y, x) => mul(g, sigmoid(x))),
  vjpEntry(erf, (g, _y, x) => mul(g, mul(exp(neg(square(x))), 1.1283791670955126))),
  vjpEntry(geluExact, (g, _y, x) =>
    mul(g, add(mul(add(erf(mul(x, inverseRootOfTwo)), 1), 0.5), mul(x, mul(exp(mul(square(x), -0.5)), densityAtZero)))),
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
    (g, _y, a, b) => unbroadcast(div(g, b), a),
    (g, y, _a, b) => unbroadcast(neg(div(mul(g, y), b)), b),
  ),
  vjpEntry(
    pow,
    (g, _y, x, p) => unbroadcast(mul(g, powerSlope(x, p, g)), x),
    (g, y, x, p) => unbroadcast(mul(g, mul(y, logarithmOfBase(x, y))), p),
  ),
  choice(maximum),
  choice(minimum),
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
