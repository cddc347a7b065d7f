/**
 * @file The elementary functions on two float64 lanes, in AssemblyScript.
 *
 * The expressions of src/backend/{exponential,logarithm,power,trigonometric,error-function,float64-bits}.ts, operation for operation, so that both give the same
 * bits; formulas, sources and coefficients are explained there. A branch there is a select of lanes here.
 *
 * Clamps are pmin(x, bound) and pmax(x, bound), which compare `bound < x` and `x < bound`, and so keep a NaN in their first operand.
 */

// prettier-ignore
// @ts-ignore: decorator
@inline export function c(x: f64): v128 { return f64x2.splat(x); }
// @ts-ignore: decorator
@inline export function add(a: v128, b: v128): v128 { return f64x2.add(a, b); }
// @ts-ignore: decorator
@inline export function sub(a: v128, b: v128): v128 { return f64x2.sub(a, b); }
// @ts-ignore: decorator
@inline export function mul(a: v128, b: v128): v128 { return f64x2.mul(a, b); }
// @ts-ignore: decorator
@inline export function div(a: v128, b: v128): v128 { return f64x2.div(a, b); }
// @ts-ignore: decorator
@inline function neg(a: v128): v128 { return f64x2.neg(a); }
// @ts-ignore: decorator
@inline function abs(a: v128): v128 { return f64x2.abs(a); }
// @ts-ignore: decorator
@inline function floor(a: v128): v128 { return f64x2.floor(a); }
// @ts-ignore: decorator
@inline function lt(a: v128, b: v128): v128 { return f64x2.lt(a, b); }
// @ts-ignore: decorator
@inline function gt(a: v128, b: v128): v128 { return f64x2.gt(a, b); }
// @ts-ignore: decorator
@inline function eq(a: v128, b: v128): v128 { return f64x2.eq(a, b); }
// @ts-ignore: decorator
@inline function atMost(x: v128, bound: f64): v128 { return f64x2.pmin(x, c(bound)); }
// @ts-ignore: decorator
@inline function atLeast(x: v128, bound: f64): v128 { return f64x2.pmax(x, c(bound)); }
/** `yes` where the mask is set. */
// @ts-ignore: decorator
@inline function select(mask: v128, yes: v128, no: v128): v128 { return v128.bitselect(yes, no, mask); }
/** p r + a. */
// @ts-ignore: decorator
@inline function horner(p: v128, r: v128, a: f64): v128 { return add(mul(p, r), c(a)); }
/** `magnitude`, which is not negative, with the sign of x. */
// @ts-ignore: decorator
@inline function withSign(magnitude: v128, x: v128): v128 { return v128.or(magnitude, v128.and(x, c(-0.0))); }

// 2ᵏ: in the sum 2⁵² + 1023 + k the biased exponent stands in the lowest bits. NaN gives 0.
// @ts-ignore: decorator
@inline function powerOfTwo(k: v128): v128 { return i64x2.shl(add(k, c(4503599627371519)), 52); }
// @ts-ignore: decorator
@inline function scale(y: v128, k: v128): v128 {
  const half = floor(mul(k, c(0.5)));
  return mul(mul(y, powerOfTwo(half)), powerOfTwo(sub(k, half)));
}
// @ts-ignore: decorator
@inline function sumError(a: v128, b: v128, sum: v128): v128 {
  const bPart = sub(sum, a);
  return add(sub(a, sub(sum, bPart)), sub(b, bPart));
}

// @ts-ignore: decorator
@inline function exponentialTail(r: v128): v128 {
  let p = c(2.0911249642284405e-9);
  p = horner(p, r, 2.510040371657669e-8);
  p = horner(p, r, 2.7557282942188775e-7);
  p = horner(p, r, 2.7557268421682613e-6);
  p = horner(p, r, 2.480158731716211e-5);
  p = horner(p, r, 1.984126986307828e-4);
  p = horner(p, r, 0.001388888888888655);
  p = horner(p, r, 0.008333333333330056);
  p = horner(p, r, 0.041666666666666664);
  p = horner(p, r, 0.16666666666666669);
  const square = mul(r, r);
  return add(mul(c(0.5), square), mul(mul(square, r), p));
}

// @ts-ignore: decorator
@inline function expOfSum(high: v128, low: v128): v128 {
  const x = atLeast(atMost(high, 710), -746);
  const k = floor(add(mul(x, c(1.4426950408889634)), c(0.5)));
  const rHigh = sub(x, mul(k, c(0.6931471803691238)));
  const rLow = sub(low, mul(k, c(1.9082149292705877e-10)));
  const r = add(rHigh, rLow);
  return scale(add(c(1), add(r, add(exponentialTail(r), add(sub(rHigh, r), rLow)))), k);
}

// @ts-ignore: decorator
@inline export function exp(x: v128): v128 { return expOfSum(x, c(0)); }

// @ts-ignore: decorator
@inline export function expm1(x: v128): v128 {
  const clamped = atLeast(atMost(x, 710), -60);
  const k = floor(add(mul(clamped, c(1.4426950408889634)), c(0.5)));
  const rHigh = sub(clamped, mul(k, c(0.6931471803691238)));
  const rLow = mul(neg(k), c(1.9082149292705877e-10));
  const r = add(rHigh, rLow);
  const tail = add(exponentialTail(r), add(sub(rHigh, r), rLow));
  const half = powerOfTwo(sub(k, c(1)));
  const shift = sub(half, c(0.5));
  const part = mul(half, r);
  const leading = add(shift, part);
  const result = mul(c(2), add(leading, add(sumError(shift, part, leading), mul(half, tail))));
  return select(lt(abs(x), c(5.551115123125783e-17)), x, select(gt(x, c(710)), c(Infinity), result));
}

// @ts-ignore: decorator
@inline export function tanh(x: v128): v128 {
  const a = atMost(abs(x), 22);
  // In the sum with 1.5 · 2⁵² + 1023 the nearest whole number stands in the lowest bits, as a biased exponent.
  const shifted = add(atLeast(sub(mul(a, c(2.8853900817779268)), c(1.125)), 0), c(6755399441056767));
  const r = sub(a, mul(sub(shifted, c(6755399441056767)), c(0.34657359027997264)));
  const z = mul(r, r);
  let p = c(-2.014149456308388e-5);
  p = horner(p, z, 8.443719567103071e-5);
  p = horner(p, z, -0.0002342148186711548);
  p = horner(p, z, 0.000588792024475583);
  p = horner(p, z, -0.001455632070932804);
  p = horner(p, z, 0.003592106586471979);
  p = horner(p, z, -0.008863234104802229);
  p = horner(p, z, 0.021869488480722565);
  p = horner(p, z, -0.05396825396714515);
  p = horner(p, z, 0.13333333333332467);
  p = horner(p, z, -0.3333333333333333);
  const t = add(r, mul(mul(r, z), p));
  const s = i64x2.shl(shifted, 52);
  const below = sub(s, c(1));
  const limit = atMost(below, 1);
  const rest = sub(limit, t);
  return withSign(sub(limit, div(add(rest, rest), add(add(s, c(1)), mul(below, t)))), x);
}

/** k ln 2 + ln(1 + f) + correction. */
// @ts-ignore: decorator
@inline function combine(k: v128, f: v128, correction: v128): v128 {
  const s = div(f, add(c(2), f));
  const z = mul(s, s);
  let r = c(0.14616585424888623);
  r = horner(r, z, 0.15331710618210773);
  r = horner(r, z, 0.18182889455674947);
  r = horner(r, z, 0.22222211130259878);
  r = horner(r, z, 0.2857142862600327);
  r = horner(r, z, 0.39999999999899444);
  r = horner(r, z, 0.666666666666667);
  const half = mul(mul(c(0.5), f), f);
  const low = add(mul(s, add(half, mul(z, r))), add(mul(k, c(1.9082149292705877e-10)), correction));
  return sub(mul(k, c(0.6931471803691238)), sub(sub(half, low), f));
}

// The high words of both lanes, less that of √½.
// @ts-ignore: decorator
@inline function reducedHighWords(x: v128): v128 { return i32x4.sub(x, i32x4.splat(0x3fe6a09e)); }
// @ts-ignore: decorator
@inline function exponent(reduced: v128): v128 {
  const k = i32x4.shr_s(reduced, 20);
  return f64x2.convert_low_i32x4_s(v128.shuffle<i32>(k, k, 1, 3, 1, 3));
}
// @ts-ignore: decorator
@inline function significand(reduced: v128, x: v128): v128 {
  const high = i32x4.add(v128.and(reduced, i32x4.splat(0xfffff)), i32x4.splat(0x3fe6a09e));
  return v128.bitselect(high, x, i64x2.splat(0xffffffff00000000));
}

// @ts-ignore: decorator
@inline export function log(x: v128): v128 {
  const subnormal = lt(x, c(2.2250738585072014e-308));
  const normal = select(subnormal, mul(x, c(18014398509481984)), x);
  const reduced = reducedHighWords(normal);
  const k = sub(exponent(reduced), v128.and(subnormal, c(54)));
  const value = combine(k, sub(significand(reduced, normal), c(1)), c(0));
  const positive = gt(x, c(0));
  const special = select(eq(x, c(0)), c(-Infinity), select(positive, x, c(NaN)));
  return select(v128.and(positive, lt(x, c(Infinity))), value, special);
}

/** ln(1 + x) where the result is neither infinite nor NaN. */
// @ts-ignore: decorator
@inline function log1pWithin(x: v128, u: v128): v128 {
  const reduced = reducedHighWords(u);
  const k = exponent(reduced);
  const lost = select(gt(x, c(1)), sub(c(1), sub(u, x)), sub(x, sub(u, c(1))));
  const near = eq(k, c(0));
  return combine(k, select(near, x, sub(significand(reduced, u), c(1))), v128.andnot(div(lost, u), near));
}

// @ts-ignore: decorator
@inline export function log1p(x: v128): v128 {
  const u = add(c(1), x);
  const value = log1pWithin(x, u);
  const special = select(eq(u, c(0)), c(-Infinity), select(gt(x, c(0)), x, c(NaN)));
  const regular = v128.and(gt(u, c(0)), lt(x, c(Infinity)));
  return select(eq(x, c(0)), x, select(regular, value, special));
}

/** σ(x) for 1, softplus(x) = max(x, 0) + ln(1 + e) for 2: both begin with e = e^−|x|. */
// @ts-ignore: decorator
@inline export function exponential(x: v128, which: i32): v128 {
  const e = exp(neg(abs(x)));
  const sum = add(c(1), e);
  if (which == 2) return add(f64x2.max(x, c(0)), log1pWithin(e, sum));
  const negative = lt(x, c(0));
  const quotient = div(select(negative, e, c(1)), sum);
  const reciprocal = select(negative, sub(c(1), quotient), quotient);
  return sub(quotient, mul(mul(quotient, sub(e, sub(sum, c(1)))), reciprocal));
}

/** a · b = product + productError, exactly. */
function productError(a: v128, b: v128, product: v128): v128 {
  const aScaled = mul(c(134217729), a), bScaled = mul(c(134217729), b);
  const aHigh = sub(aScaled, sub(aScaled, a)), bHigh = sub(bScaled, sub(bScaled, b));
  const aLow = sub(a, aHigh), bLow = sub(b, bHigh);
  return add(add(add(sub(mul(aHigh, bHigh), product), mul(aHigh, bLow)), mul(aLow, bHigh)), mul(aLow, bLow));
}

/** xʸ for positive finite x and finite y. */
// @ts-ignore: decorator
@inline function positivePower(x: v128, y: v128): v128 {
  const subnormal = lt(x, c(2.2250738585072014e-308));
  const normal = select(subnormal, mul(x, c(18014398509481984)), x);
  const reduced = reducedHighWords(normal);
  const k = sub(exponent(reduced), v128.and(subnormal, c(54)));
  const m = significand(reduced, normal);
  const f = sub(m, c(1)), d = add(m, c(1));
  const s = div(f, d);
  const sd = mul(s, d);
  const sLow = div(sub(sub(sub(f, sd), productError(s, d, sd)), mul(s, sumError(m, c(1), d))), d);
  const z = mul(s, s), twice = mul(c(2), s);
  const zLow = add(productError(s, s, z), mul(twice, sLow));

  let q = c(0.11723178623876518);
  q = horner(q, z, 0.11706236339491206);
  q = horner(q, z, 0.1333480469384731);
  q = horner(q, z, 0.1538459496251843);
  q = horner(q, z, 0.18181818335392802);
  q = horner(q, z, 0.22222222221655885);
  q = horner(q, z, 0.28571428571429364);
  q = mul(z, horner(q, z, 0.4));
  const t = add(c(0.6666666666666666), q);
  const tLow = add(add(sub(c(0.6666666666666666), t), q), c(3.700743415417188e-17));
  const w = mul(z, t);
  const wLow = add(productError(z, t, w), add(mul(z, tLow), mul(zLow, t)));

  const sw = mul(s, w);
  const swLow = add(productError(s, w, sw), add(mul(s, wLow), mul(sLow, w)));
  const kLn2 = mul(k, c(0.6931471803691238));
  const first = add(kLn2, twice);
  const sum = add(first, sw);
  const rest = add(add(mul(c(2), sLow), swLow), mul(k, c(1.9082149292705877e-10)));
  const sumLow = add(sumError(first, sw, sum), add(sumError(kLn2, twice, first), rest));
  const logarithm = add(sum, sumLow);
  const logarithmLow = add(sub(sum, logarithm), sumLow);
  const product = mul(y, logarithm);
  const low = add(productError(y, logarithm, product), mul(y, logarithmLow));
  return expOfSum(product, v128.andnot(low, gt(abs(product), c(800))));
}

/** xʸ. */
// @ts-ignore: decorator
@inline export function power(x: v128, y: v128): v128 {
  const a = abs(x), square = mul(a, a);
  const isOne = eq(y, c(1)), isTwo = eq(y, c(2)), isThree = eq(y, c(3));
  const isProduct = v128.or(v128.or(isOne, isTwo), v128.or(isThree, eq(y, c(4))));
  let magnitude = select(isOne, a, mul(square, select(isTwo, c(1), select(isThree, a, square))));
  const zero = eq(a, c(0)), edge = v128.or(zero, eq(a, c(Infinity)));
  if (!i64x2.all_true(isProduct)) {
    const atEdge = v128.and(v128.xor(zero, gt(y, c(0))), c(Infinity));
    const general = positivePower(a, atLeast(atMost(y, 36893488147419103232.0), -36893488147419103232.0));
    magnitude = select(isProduct, magnitude, select(edge, atEdge, general));
  }
  const negative = i64x2.shr_s(x, 63);
  const whole = eq(floor(y), y);
  const odd = v128.andnot(whole, eq(mul(c(2), floor(mul(c(0.5), y))), y));
  const signed = v128.or(magnitude, v128.and(v128.and(negative, odd), c(-0.0)));
  const undefined = v128.or(v128.or(f64x2.ne(x, x), f64x2.ne(y, y)), v128.andnot(negative, v128.or(whole, edge)));
  return select(v128.or(eq(y, c(0)), eq(x, c(1))), c(1), select(undefined, c(NaN), signed));
}

/** The sine of x after 0 turns of π/2, which is odd, or its cosine after 1, which is even. */
// @ts-ignore: decorator
@inline export function sine(argument: v128, turns: f64): v128 {
  const x = abs(argument);
  const n = floor(add(mul(x, c(0.6366197723675814)), c(0.5)));
  const r1 = sub(x, mul(n, c(1.5707963267341256)));
  const minusN = neg(n);
  const w2 = mul(minusN, c(6.077100506303966e-11));
  const r2 = add(r1, w2);
  const w3 = mul(minusN, c(2.0222662487111665e-21));
  const r3 = add(r2, w3);
  const low = sub(add(sumError(r1, w2, r2), sumError(r2, w3, r3)), mul(n, c(8.4784276603689e-32)));
  const sum = add(r3, low);
  const r = atLeast(atMost(sum, 0.8), -0.8);
  const rLow = atLeast(atMost(add(sub(r3, sum), low), 1e-8), -1e-8);
  const z = mul(r, r);

  let s = c(1.5917988979397435e-10);
  s = horner(s, z, -2.5051129896450185e-8);
  s = horner(s, z, 2.7557316093198404e-6);
  s = horner(s, z, -1.9841269836740532e-4);
  s = horner(s, z, 0.008333333333330936);
  s = horner(s, z, -0.16666666666666666);
  const half = mul(c(0.5), z);
  const leading = sub(c(1), half);
  const sineOfR = add(r, add(mul(rLow, leading), mul(mul(z, r), s)));

  let q = c(-1.138254464534925e-11);
  q = horner(q, z, 2.087614504941318e-9);
  q = horner(q, z, -2.755731726587808e-7);
  q = horner(q, z, 2.48015872987544e-5);
  q = horner(q, z, -0.0013888888888887389);
  q = horner(q, z, 0.041666666666666664);
  const cosineOfR = add(leading, add(sub(sub(c(1), leading), half), sub(mul(mul(z, z), q), mul(r, rLow))));

  // (n + turns) mod 4, without loss also where n is no 32-bit integer.
  const turned = add(n, c(turns));
  const quadrant = sub(turned, mul(c(4), floor(mul(turned, c(0.25)))));
  const second = gt(quadrant, c(1.5));
  const odd = eq(sub(quadrant, v128.and(second, c(2))), c(1));
  const sign = v128.and(argument, c(turns == 0 ? -0.0 : 0.0));
  const flip = v128.xor(v128.and(second, c(-0.0)), sign);
  return v128.xor(select(odd, cosineOfR, sineOfR), flip);
}

// @ts-ignore: decorator
@inline function scaledTail(a: v128): v128 {
  const t = div(sub(a, c(3)), add(a, c(3)));
  let p = c(2.7645878869947356e-9);
  p = horner(p, t, 4.104869636736974e-8);
  p = horner(p, t, 7.9643202326237e-8);
  p = horner(p, t, -2.3002464961864207e-7);
  p = horner(p, t, -7.784087555752975e-7);
  p = horner(p, t, 3.6342858297219065e-7);
  p = horner(p, t, 3.6692654115839197e-6);
  p = horner(p, t, 1.7016139902564245e-6);
  p = horner(p, t, -1.182597500683526e-5);
  p = horner(p, t, -1.48495323259885e-5);
  p = horner(p, t, 2.8404977736637426e-5);
  p = horner(p, t, 6.71881387453212e-5);
  p = horner(p, t, -4.787756048699367e-5);
  p = horner(p, t, -0.0002382059459719036);
  p = horner(p, t, 2.5139128077505393e-5);
  p = horner(p, t, 0.000752343965103896);
  p = horner(p, t, 0.00021865809853736882);
  p = horner(p, t, -0.0023148654733077586);
  p = horner(p, t, -0.0012784492155830933);
  p = horner(p, t, 0.007652402676742213);
  p = horner(p, t, 0.005015154913999099);
  p = horner(p, t, -0.03145108467220824);
  p = horner(p, t, -0.016604148031199622);
  p = horner(p, t, 0.2532599830495306);
  p = horner(p, t, 1.0382513194752732);
  return div(c(1), add(c(1), mul(a, p)));
}

/** erf x for |x| < 0.9, with a = |x|. */
// @ts-ignore: decorator
@inline function errorSeries(a: v128): v128 {
  const z = mul(a, a);
  let e = c(-8.493998797080943e-10);
  e = horner(e, z, 1.4051482766989913e-8);
  e = horner(e, z, -1.6276526722586205e-7);
  e = horner(e, z, 1.6455328747938096e-6);
  e = horner(e, z, -1.492530753550859e-5);
  e = horner(e, z, 1.2055321382481122e-4);
  e = horner(e, z, -8.548326764466543e-4);
  e = horner(e, z, 0.0052239776217703725);
  e = horner(e, z, -0.02686617064482373);
  e = horner(e, z, 0.11283791670953794);
  e = horner(e, z, -0.3761263890318373);
  e = horner(e, z, 0.1283791670955126);
  return add(a, mul(a, e));
}

/** erf x, or gelu x: both need the tail, and exp(−f a²) with f = 1 or ½, where the rounding of the square is not multiplied by a². */
// @ts-ignore: decorator
@inline export function normal(x: v128, isErf: i32): v128 {
  const magnitude = abs(x);
  const a = f64x2.pmin(magnitude, c(isErf ? 7 : 40));
  let near = magnitude, series = magnitude;
  if (isErf) {
    near = lt(a, c(0.9));
    series = errorSeries(a);
    if (i64x2.all_true(near)) return select(eq(x, c(0)), x, withSign(series, x));
  }
  const factor = c(isErf ? -1 : -0.5);
  const b = f64x2.promote_low_f32x4(f32x4.demote_f64x2_zero(a));
  const e = expOfSum(mul(factor, mul(b, b)), mul(factor, mul(sub(a, b), add(a, b))));
  const tail = scaledTail(mul(c(isErf ? 1.4142135623730951 : 1), a));
  if (isErf) return select(eq(x, c(0)), x, withSign(select(near, series, sub(c(1), mul(e, tail))), x));
  return sub(f64x2.max(x, c(-0.0)), mul(a, mul(mul(c(0.5), e), tail)));
}
