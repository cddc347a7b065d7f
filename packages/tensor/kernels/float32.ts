/**
 * @file The most used elementary functions on four float32 lanes, in AssemblyScript.
 *
 *   x = k ln 2 + r,  eˣ = 2ᵏ (1 + r + r² P(r))            ln 2 in two parts, the first of 10 bits
 *   tanh a = l − 2 (l − t) / (s + 1 + (s − 1) t),  s = 2ᵏ,  t = tanh(a − ½ k ln 2),  k = ⌊2a / ln 2 − 1.125⌉ ≥ 0,  l = 0 for k = 0 and 1 otherwise
 *   tanh r = r + r z T(z),  z = r² ≤ 0.56²
 *   σ(x)   = 1 / (1 + e⁻ˣ) for x ≥ 0, eˣ / (1 + eˣ) for x < 0
 *   softplus(x) = max(x, 0) + 2 artanh s,  s = e / (2 + e),  e = e^−|x|,  2 artanh s = 2s + s z R(z),  z = s² ≤ 1/9, computed from 2s
 *
 * P, T and R, of degree 4, 4 and 3, interpolate at the Chebyshev nodes of their intervals, coefficients rounded to float32. At most 2 ulp.
 * Clamps keep NaN as in float64.ts. The other functions of float32 tensors go through float64.
 */

// @ts-ignore: decorator
@inline function c(x: f32): v128 { return f32x4.splat(x); }
// @ts-ignore: decorator
@inline function add(a: v128, b: v128): v128 { return f32x4.add(a, b); }
// @ts-ignore: decorator
@inline function sub(a: v128, b: v128): v128 { return f32x4.sub(a, b); }
// @ts-ignore: decorator
@inline function mul(a: v128, b: v128): v128 { return f32x4.mul(a, b); }
// @ts-ignore: decorator
@inline function div(a: v128, b: v128): v128 { return f32x4.div(a, b); }
// @ts-ignore: decorator
@inline function select(mask: v128, yes: v128, no: v128): v128 { return v128.bitselect(yes, no, mask); }
// @ts-ignore: decorator
@inline function horner(p: v128, r: v128, a: f32): v128 { return add(mul(p, r), c(a)); }

// 2ᵏ for −127 ≤ k ≤ 128: in the sum 2²³ + 127 + k the biased exponent stands in the lowest bits.
// @ts-ignore: decorator
@inline function powerOfTwo(k: v128): v128 { return i32x4.shl(add(k, c(8388735)), 23); }

/** eʳ for r = x − k ln 2. */
// @ts-ignore: decorator
@inline function reduced(x: v128, k: v128): v128 {
  const r = sub(sub(x, mul(k, c(0.693359375))), mul(k, c(-2.12194440054690581e-4)));
  let p = c(0.0013926203828305006);
  p = horner(p, r, 0.008363194763660431);
  p = horner(p, r, 0.041666556149721146);
  p = horner(p, r, 0.16666576266288757);
  p = horner(p, r, 0.5);
  return add(c(1), add(r, mul(mul(r, r), p)));
}
// @ts-ignore: decorator
@inline function wholePart(x: v128): v128 { return f32x4.floor(add(mul(x, c(1.44269504088896341)), c(0.5))); }

// @ts-ignore: decorator
@inline export function tanh(x: v128): v128 {
  const a = f32x4.pmin(f32x4.abs(x), c(10));
  // In the sum with 1.5 · 2²³ + 127 the nearest whole number stands in the lowest bits, as a biased exponent.
  const shifted = add(f32x4.pmax(sub(mul(a, c(2.8853900817779268)), c(1.125)), c(0)), c(12583039));
  const r = sub(a, mul(sub(shifted, c(12583039)), c(0.34657359027997264)));
  const z = mul(r, r);
  let p = c(-0.006542542017996311);
  p = horner(p, z, 0.021272748708724976);
  p = horner(p, z, -0.05390334874391556);
  p = horner(p, z, 0.1333308219909668);
  p = horner(p, z, -0.3333333134651184);
  const t = add(r, mul(mul(r, z), p));
  const s = i32x4.shl(shifted, 23), below = sub(s, c(1));
  const limit = f32x4.pmin(below, c(1)), rest = sub(limit, t);
  const magnitude = sub(limit, div(add(rest, rest), add(add(s, c(1)), mul(below, t))));
  return v128.or(magnitude, v128.and(x, c(-0.0)));
}

/** eˣ for 0, σ(x) for 1, softplus(x) for 2: each of them needs one exponential, which stands in the code once. */
// @ts-ignore: decorator
@inline export function exponential(x: v128, which: i32): v128 {
  // ∞ above 88.72, gradual underflow below −87.34.
  const clamped = f32x4.pmax(f32x4.pmin(which ? f32x4.neg(f32x4.abs(x)) : x, c(89)), c(-104));
  const k = wholePart(clamped);
  const half = f32x4.floor(mul(k, c(0.5)));
  const e = mul(mul(reduced(clamped, k), powerOfTwo(half)), powerOfTwo(sub(k, half)));
  if (!which) return e;
  if (which == 1) return div(select(f32x4.lt(x, c(0)), e, c(1)), add(c(1), e));
  const twice = div(add(e, e), add(c(2), e));
  const z = mul(twice, twice);
  let r = c(0.2685149908065796 / 512);
  r = horner(r, z, 0.28236618638038635 / 128);
  r = horner(r, z, 0.40007561445236206 / 32);
  r = horner(r, z, 0.6666663885116577 / 8);
  return add(f32x4.max(x, c(0)), add(twice, mul(mul(twice, z), r)));
}
