/**
 * @file exp, expm1 and what is made of them: tanh and sigmoid.
 *
 *   x = k ln 2 + r,  |r| ≤ ½ ln 2        ln 2 in two parts, the first of 32 bits, so that k ln 2 loses nothing (W. J. Cody, W. Waite, Software Manual
 *                                        for the Elementary Functions, 1980, ch. 6)
 *   eʳ − 1 = r + r²/2 + r³ P(r)          P of degree 9, interpolating at the Chebyshev nodes of |r| ≤ 0.3467: error 8e-19
 *   eˣ     = 2ᵏ (1 + (eʳ − 1))
 *   eˣ − 1 = (2ᵏ − 1) + 2ᵏ (eʳ − 1)      summed without losing the rounding of its leading terms
 *   tanh a = l − 2 (l − t) / (s + 1 + (s − 1) t),  s = 2ᵏ,  t = tanh(a − ½ k ln 2),  k = ⌊2a / ln 2 − 1.125⌉ ≥ 0,  l = 0 for k = 0 and 1 otherwise, so that
 *                                        the quotient is at most ½ where something is subtracted from it
 *   tanh r = r + r z T(z),  z = r²       T of degree 10, interpolating at the Chebyshev nodes of z for 0 ≤ r ≤ 0.56: error 7e-18 of tanh r
 *   σ(x)   = 1 / (1 + e⁻ˣ) for x ≥ 0, eˣ / (1 + eˣ) for x < 0
 *   n / (d + δ) = q − q δ / d,  q = n / d,           gives back what the rounding of a denominator has lost; 1 / d follows from q
 */
import { powerOfTwo, scale, sumError } from "./float64-bits.js";

const LOG2_E = 1.4426950408889634;
export const LN2_HIGH = 0.6931471803691238;
export const LN2_LOW = 1.9082149292705877e-10;
/** 1.5 · 2⁵² + 1023: in a sum with it the nearest whole number stands in the lowest bits, as a biased exponent. */
const ROUNDER = 6755399441056767;
/** 2⁻⁵⁴: below it eˣ − 1 rounds to x, which halving could not keep for subnormal numbers. */
const TINY = 5.551115123125783e-17;

/** eʳ − 1 − r for |r| ≤ 0.3467. */
const exponentialTail = (r: number): number => {
  let p = 2.0911249642284405e-9;
  p = p * r + 2.510040371657669e-8;
  p = p * r + 2.7557282942188775e-7;
  p = p * r + 2.7557268421682613e-6;
  p = p * r + 2.480158731716211e-5;
  p = p * r + 1.984126986307828e-4;
  p = p * r + 0.001388888888888655;
  p = p * r + 0.008333333333330056;
  p = p * r + 0.041666666666666664;
  p = p * r + 0.16666666666666669;
  const square = r * r;
  return 0.5 * square + square * r * p;
};

/** exp(high + low) with one rounding error of the result, for |low| ≤ 2⁻¹² and any `high`; the digits of `low` survive however large `high` is. */
export const expOfSum = (high: number, low: number): number => {
  const x = Math.max(-746, Math.min(710, high));
  const k = Math.floor(x * LOG2_E + 0.5);
  const rHigh = x - k * LN2_HIGH;
  const rLow = low - k * LN2_LOW;
  const r = rHigh + rLow;
  return scale(1 + (r + (exponentialTail(r) + (rHigh - r + rLow))), k);
};

/** eˣ: ∞ above 709.78, gradual underflow below −708.39, 0 below −745.13; at most 1 ulp. */
export const exp = (x: number): number => expOfSum(x, 0);

/** eˣ − 1 without cancellation near 0; keeps −0, −∞ gives −1; at most 1 ulp. */
export const expm1 = (x: number): number => {
  const clamped = Math.max(-60, Math.min(710, x));
  const k = Math.floor(clamped * LOG2_E + 0.5);
  const rHigh = clamped - k * LN2_HIGH;
  const rLow = -k * LN2_LOW;
  const r = rHigh + rLow;
  const tail = exponentialTail(r) + (rHigh - r + rLow);
  // Half of everything, so that k = 1024 has a finite power of two.
  const half = powerOfTwo(k - 1);
  const shift = half - 0.5;
  const leading = shift + half * r;
  const result = 2 * (leading + (sumError(shift, half * r, leading) + half * tail));
  return Math.abs(x) < TINY ? x : x > 710 ? Infinity : result;
};

/** The hyperbolic tangent; keeps −0, ±∞ gives ±1; at most 1.6 ulp. */
export const tanh = (x: number): number => {
  const a = Math.min(Math.abs(x), 22);
  const k = Math.max(a * 2.8853900817779268 - 1.125, 0) + ROUNDER - ROUNDER;
  const r = a - k * 0.34657359027997264;
  const z = r * r;
  let p = -2.014149456308388e-5;
  p = p * z + 8.443719567103071e-5;
  p = p * z - 0.0002342148186711548;
  p = p * z + 0.000588792024475583;
  p = p * z - 0.001455632070932804;
  p = p * z + 0.003592106586471979;
  p = p * z - 0.008863234104802229;
  p = p * z + 0.021869488480722565;
  p = p * z - 0.05396825396714515;
  p = p * z + 0.13333333333332467;
  p = p * z - 0.3333333333333333;
  const t = r + r * z * p;
  const s = powerOfTwo(k);
  const limit = k > 0 ? 1 : 0;
  const rest = limit - t;
  const magnitude = limit - (rest + rest) / (s + 1 + (s - 1) * t);
  return x > 0 ? magnitude : x < 0 ? -magnitude : x;
};

/** The logistic function 1 / (1 + e⁻ˣ), which neither overflows nor loses small results; −∞ gives 0, ∞ gives 1; at most 2 ulp. */
export const sigmoid = (x: number): number => {
  const e = exp(-Math.abs(x));
  const sum = 1 + e;
  const quotient = (x < 0 ? e : 1) / sum;
  const reciprocal = x < 0 ? 1 - quotient : quotient;
  return quotient - quotient * (e - (sum - 1)) * reciprocal;
};
