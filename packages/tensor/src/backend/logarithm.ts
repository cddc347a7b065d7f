/**
 * @file log, log1p, softplus.
 *
 *   x = 2ᵏ m,  √½ ≤ m < √2,  f = m − 1,  s = f / (2 + f)
 *   ln m = 2 artanh s = 2s + s R(s²) = f − (f²/2 − s (f²/2 + R(s²)))       the second form has f, which is exact, as its leading term
 *   ln x = k ln 2 + ln m
 *   R(z) = z (2/3 + 2/5 z + ...), degree 7, interpolated at the Chebyshev nodes of 0 ≤ z ≤ (3 − √8)²: error 1e-17
 *   ln(1 + x) = ln u + ((1 + x) − u) / u,  u = fl(1 + x)
 *   softplus(x) = max(x, 0) + ln(1 + e^−|x|)
 *
 * P. T. P. Tang, ACM TOMS 16(4), 1990, 378–400, has the analysis of this reduction.
 */
import { exp, LN2_HIGH, LN2_LOW } from "./exponential.js";
import { exponent, significand } from "./float64-bits.js";

/** 2⁵⁴, which makes subnormal numbers normal. */
export const SUBNORMAL_SCALE = 18014398509481984;
export const SMALLEST_NORMAL = 2.2250738585072014e-308;

/** k ln 2 + ln(1 + f) + correction, for √½ ≤ 1 + f < √2. */
const combine = (k: number, f: number, correction: number): number => {
  const s = f / (2 + f);
  const z = s * s;
  let r = 0.14616585424888623;
  r = r * z + 0.15331710618210773;
  r = r * z + 0.18182889455674947;
  r = r * z + 0.22222211130259878;
  r = r * z + 0.2857142862600327;
  r = r * z + 0.39999999999899444;
  r = r * z + 0.666666666666667;
  const half = 0.5 * f * f;
  return k * LN2_HIGH - (half - (s * (half + z * r) + (k * LN2_LOW + correction)) - f);
};

/** The natural logarithm; ±0 gives −∞, negative numbers NaN, ∞ stays ∞; at most 1 ulp. */
export const log = (x: number): number => {
  const subnormal = x < SMALLEST_NORMAL;
  const normal = subnormal ? x * SUBNORMAL_SCALE : x;
  const k = exponent(normal) - (subnormal ? 54 : 0);
  const value = combine(k, significand(normal) - 1, 0);
  return x > 0 && x < Infinity ? value : x === 0 ? -Infinity : x > 0 ? x : NaN;
};

/** ln(1 + x) without cancellation near 0; keeps −0, −1 gives −∞, numbers below −1 give NaN, ∞ stays ∞; at most 1 ulp. */
export const log1p = (x: number): number => {
  const u = 1 + x;
  const k = exponent(u);
  // Near 0 the number itself is f; elsewhere f comes from the rounded u, and what the rounding lost is added to the logarithm.
  const lost = x > 1 ? 1 - (u - x) : x - (u - 1);
  const value = k === 0 ? combine(0, x, 0) : combine(k, significand(u) - 1, lost / u);
  return x === 0 ? x : u > 0 && x < Infinity ? value : u === 0 ? -Infinity : x > 0 ? x : NaN;
};

/** The smooth rectifier ln(1 + eˣ); NaN stays NaN, −∞ gives 0, ∞ gives ∞; at most 2 ulp. */
export const softplus = (x: number): number => Math.max(x, 0) + log1p(exp(-Math.abs(x)));
