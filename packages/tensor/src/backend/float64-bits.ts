/**
 * @file Exponent and significand of a float64 by its bits, and error-free transformations of sums and products.
 *
 *   x = 2ᵏ m,  √½ ≤ m < √2 (up to the last 32 bits of √½)
 *   a + b = s + sumError(a, b, s)          exactly, s = fl(a + b)       D. E. Knuth, TAOCP vol. 2, 4.2.2, theorem B
 *   a · b = p + productError(a, b, p)      exactly, p = fl(a · b)       T. J. Dekker, Numer. Math. 18, 1971, 224–242
 *
 * productError is exact while |a|, |b| < 2⁹⁹⁵ and |a · b| > 2⁻⁹⁶⁸; no fused multiply-add is assumed, so every engine and WebAssembly agree.
 */

const float64 = new Float64Array(1);
const words = new Uint32Array(float64.buffer);
float64[0] = 1;
/** Which of the two words holds sign, exponent and the leading 20 bits of the significand. */
const HIGH = words[1] === 0x3ff00000 ? 1 : 0;

/** 2ᵏ for a whole number k in [−1022, 1023]. */
export const powerOfTwo = (k: number): number => {
  words[HIGH] = (k + 1023) << 20;
  words[1 - HIGH] = 0;
  return float64[0]!;
};

/** 2ᵏ y for a whole number k in [−2044, 2046] and |y| near 1, rounded once: the first factor is exact, the second one overflows or underflows gradually. */
export const scale = (y: number, k: number): number => {
  const half = k >> 1;
  return y * powerOfTwo(half) * powerOfTwo(k - half);
};

/** The high word of √½. */
const SQRT_HALF = 0x3fe6a09e;

/** The whole number k with x = 2ᵏ m, √½ ≤ m < √2, for a positive finite x that is not subnormal. */
export const exponent = (x: number): number => {
  float64[0] = x;
  return (words[HIGH]! - SQRT_HALF) >> 20;
};

/** The m with x = 2ᵏ m, √½ ≤ m < √2, for a positive finite x that is not subnormal. */
export const significand = (x: number): number => {
  float64[0] = x;
  words[HIGH] = ((words[HIGH]! - SQRT_HALF) & 0xfffff) + SQRT_HALF;
  return float64[0];
};

/** What fl(a + b) = `sum` has lost. */
export const sumError = (a: number, b: number, sum: number): number => {
  const bPart = sum - a;
  return a - (sum - bPart) + (b - bPart);
};

/** 2²⁷ + 1 splits a float64 into two halves of 26 bits. */
const SPLITTER = 134217729;

/** What fl(a · b) = `product` has lost. */
export const productError = (a: number, b: number, product: number): number => {
  const aScaled = SPLITTER * a;
  const bScaled = SPLITTER * b;
  const aHigh = aScaled - (aScaled - a);
  const bHigh = bScaled - (bScaled - b);
  const aLow = a - aHigh;
  const bLow = b - bHigh;
  return aHigh * bHigh - product + aHigh * bLow + aLow * bHigh + aLow * bLow;
};
