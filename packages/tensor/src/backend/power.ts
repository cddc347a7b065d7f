/**
 * @file power(x, y) = xʸ for real y.
 *
 *   xʸ = exp(y L),  L = ln |x| as an unevaluated sum of two float64 numbers, good to about 2⁻⁶⁴, since exp turns a relative error of y L into y L times as much
 *   |x| = 2ᵏ m,  s = (m − 1) / (m + 1),  z = s²
 *   ln m = 2s + s w,  w = z (2/3 + z Q(z))      s, z, w and the sums in twice the working precision, Q in the working one
 *   Q of degree 7 interpolates at the Chebyshev nodes of 0 ≤ z ≤ (3 − √8)²: relative error 1e-20
 *
 * Special cases as in IEEE 754-2019, 9.2.1 (pow). For y = 0, 1, 2, 3, 4 the power is a product, so that x² is the nearest number to the square.
 */
import { expOfSum, LN2_HIGH, LN2_LOW } from "./exponential.js";
import { exponent, productError, significand, sumError } from "./float64-bits.js";
import { SMALLEST_NORMAL, SUBNORMAL_SCALE } from "./logarithm.js";

const TWO_THIRDS_HIGH = 0.6666666666666666;
const TWO_THIRDS_LOW = 3.700743415417188e-17;
/** Where |y| is larger, xʸ is 0, 1 or ∞ for every x; a whole power of two, so still even. */
const LARGEST_EXPONENT = 36893488147419103232;

/** xʸ for positive finite x and finite y, through the logarithm. */
const positivePower = (x: number, y: number): number => {
  const subnormal = x < SMALLEST_NORMAL;
  const normal = subnormal ? x * SUBNORMAL_SCALE : x;
  const k = exponent(normal) - (subnormal ? 54 : 0);
  const m = significand(normal);

  // s = (m − 1) / (m + 1): quotient and remainder.
  const f = m - 1;
  const d = m + 1;
  const s = f / d;
  const sd = s * d;
  const sLow = (f - sd - productError(s, d, sd) - s * sumError(m, 1, d)) / d;

  // z = s².
  const z = s * s;
  const zLow = productError(s, s, z) + 2 * s * sLow;

  // w = z (2/3 + z Q(z)).
  let q = 0.11723178623876518;
  q = q * z + 0.11706236339491206;
  q = q * z + 0.1333480469384731;
  q = q * z + 0.1538459496251843;
  q = q * z + 0.18181818335392802;
  q = q * z + 0.22222222221655885;
  q = q * z + 0.28571428571429364;
  q = z * (q * z + 0.4);
  const t = TWO_THIRDS_HIGH + q;
  const tLow = TWO_THIRDS_HIGH - t + q + TWO_THIRDS_LOW;
  const w = z * t;
  const wLow = productError(z, t, w) + (z * tLow + zLow * t);

  // L = k ln 2 + 2s + s w, the larger terms first.
  const sw = s * w;
  const swLow = productError(s, w, sw) + (s * wLow + sLow * w);
  const kLn2 = k * LN2_HIGH;
  const first = kLn2 + 2 * s;
  const sum = first + sw;
  const sumLow = sumError(first, sw, sum) + (sumError(kLn2, 2 * s, first) + (2 * sLow + swLow + k * LN2_LOW));
  const logarithm = sum + sumLow;
  const logarithmLow = sum - logarithm + sumLow;

  const product = y * logarithm;
  // Far outside the range of exp the low part does not matter, and could be as large as its range.
  return Math.abs(product) > 800 ? expOfSum(product, 0) : expOfSum(product, productError(y, logarithm, product) + y * logarithmLow);
};

/** |x|ʸ for y ≠ 0 and no NaN. */
const magnitudeOfPower = (x: number, y: number): number => {
  if (y === 1) return x;
  if (y === 2) return x * x;
  if (y === 3) return x * x * x;
  if (y === 4) return x * x * (x * x);
  if (x === 0 || x === Infinity) return (x === 0) === y > 0 ? 0 : Infinity;
  return positivePower(x, Math.max(-LARGEST_EXPONENT, Math.min(LARGEST_EXPONENT, y)));
};

/**
 * xʸ; at most 2 ulp.
 *
 * power(x, ±0) and power(1, y) are 1 even for NaN, power(−1, ±∞) is 1, a negative x needs a whole y (else NaN), and odd y keep the sign of x, that of −0 included.
 */
export const power = (x: number, y: number): number => {
  if (y === 0 || x === 1) return 1;
  if (Number.isNaN(x) || Number.isNaN(y)) return NaN;
  const magnitude = magnitudeOfPower(Math.abs(x), y);
  const negative = x < 0 || Object.is(x, -0);
  if (!negative) return magnitude;
  // Infinite exponents are whole and even, as all large ones are.
  const whole = Math.floor(y) === y;
  const odd = whole && Math.abs(y) < Infinity && Math.floor(y / 2) * 2 !== y;
  if (odd) return -magnitude;
  return whole || x === 0 || x === -Infinity ? magnitude : NaN;
};
