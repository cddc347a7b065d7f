/**
 * @file sin and cos.
 *
 *   |x| = n π/2 + r,  |r| ≤ π/4              π/2 in four parts, three of 33 bits, so that n times each is exact while |n| < 2²⁰, and the differences are kept as
 *                                            r + rLow (W. J. Cody, W. Waite, Software Manual for the Elementary Functions, 1980, ch. 8)
 *   sin(r + ρ) = r + (ρ (1 − r²/2) + r³ S(r²))
 *   cos(r + ρ) = 1 − r²/2 + (r⁴ C(r²) − r ρ)
 *   sin |x| = sin r, cos r, −sin r, −cos r for n ≡ 0, 1, 2, 3 (mod 4); cos |x| begins one later
 *
 * S and C, of degree 5, interpolate at the Chebyshev nodes of 0 ≤ r² ≤ (π/4)²: errors 2e-17 and 9e-19.
 * At most 1 ulp for |x| < 1.6e6. Beyond, the result is that of an argument within a few ulp of x, and from about 2⁵⁰ on it is only known to lie in [−1, 1].
 */
import { sumError } from "./float64-bits.js";

const TWO_OVER_PI = 0.6366197723675814;
const HALF_PI_1 = 1.5707963267341256;
const HALF_PI_2 = 6.077100506303966e-11;
const HALF_PI_3 = 2.0222662487111665e-21;
const HALF_PI_4 = 8.4784276603689e-32;

const sineNearZero = (r: number, rLow: number): number => {
  const z = r * r;
  let s = 1.5917988979397435e-10;
  s = s * z - 2.5051129896450185e-8;
  s = s * z + 2.7557316093198404e-6;
  s = s * z - 1.9841269836740532e-4;
  s = s * z + 0.008333333333330936;
  s = s * z - 0.16666666666666666;
  return r + (rLow * (1 - 0.5 * z) + z * r * s);
};

const cosineNearZero = (r: number, rLow: number): number => {
  const z = r * r;
  let c = -1.138254464534925e-11;
  c = c * z + 2.087614504941318e-9;
  c = c * z - 2.755731726587808e-7;
  c = c * z + 2.48015872987544e-5;
  c = c * z - 0.0013888888888887389;
  c = c * z + 0.041666666666666664;
  const half = 0.5 * z;
  const leading = 1 - half;
  return leading + (1 - leading - half + (z * z * c - r * rLow));
};

/** sin(x + turns π/2) for x ≥ 0. */
const sineAfterQuarterTurns = (x: number, turns: number): number => {
  const n = Math.floor(x * TWO_OVER_PI + 0.5);
  const r1 = x - n * HALF_PI_1;
  const w2 = -n * HALF_PI_2;
  const r2 = r1 + w2;
  const w3 = -n * HALF_PI_3;
  const r3 = r2 + w3;
  const low = sumError(r1, w2, r2) + sumError(r2, w3, r3) - n * HALF_PI_4;
  const sum = r3 + low;
  // The bounds matter only where ulp(x) is no longer small against π/2.
  const r = Math.max(-0.8, Math.min(0.8, sum));
  const rLow = Math.max(-1e-8, Math.min(1e-8, r3 - sum + low));
  const quadrant = (n + turns) & 3;
  const magnitude = (quadrant & 1) === 0 ? sineNearZero(r, rLow) : cosineNearZero(r, rLow);
  return (quadrant & 2) === 0 ? magnitude : -magnitude;
};

/** The sine of x radians; keeps −0, ±∞ gives NaN; at most 1 ulp for |x| < 1.6e6. */
export const sin = (x: number): number => (x > 0 ? sineAfterQuarterTurns(x, 0) : x < 0 ? -sineAfterQuarterTurns(-x, 0) : x);

/** The cosine of x radians; ±∞ gives NaN; at most 1 ulp for |x| < 1.6e6. */
export const cos = (x: number): number => sineAfterQuarterTurns(Math.abs(x), 1);
