/**
 * @file erf and the two forms of GELU.
 *
 *   G(a) = exp(a²/2) erfc(a/√2)                      for a ≥ 0; Mills' ratio times √(2/π)
 *        = 1 / (1 + a K(t)),  t = (a − 3) / (a + 3)    K, which only goes from √(2/π) to √(π/2), of degree 24, interpolates at the Chebyshev nodes of
 *                                                     0 ≤ a ≤ 39: error 9e-17
 *   erf x = x + x E(x²) for |x| < 0.9, else 1 − exp(−x²) G(√2 |x|) with the sign of x;  E of degree 11: error 3e-17
 *   Φ(−a) = ½ exp(−a²/2) G(a)
 *   gelu x = x Φ(x) = max(x, −0) − |x| Φ(−|x|)       D. Hendrycks, K. Gimpel, arXiv:1606.08415, eq. 1
 *   geluTanh x = ½ x (1 + tanh(√(2/π) (x + 0.044715 x³))) = x σ(2 √(2/π) (x + 0.044715 x³)), which does not cancel for x < 0
 *
 * The squares enter exp as a = b + c with b of 24 bits, a² = b² + c (a + b), so that their rounding is not multiplied by a².
 */
import { exp, expOfSum } from "./exponential.js";
import { productError, sumError } from "./float64-bits.js";

/** G(a), for 0 ≤ a ≤ 40. */
const scaledTail = (a: number): number => {
  const t = (a - 3) / (a + 3);
  let p = 2.7645878869947356e-9;
  p = p * t + 4.104869636736974e-8;
  p = p * t + 7.9643202326237e-8;
  p = p * t - 2.3002464961864207e-7;
  p = p * t - 7.784087555752975e-7;
  p = p * t + 3.6342858297219065e-7;
  p = p * t + 3.6692654115839197e-6;
  p = p * t + 1.7016139902564245e-6;
  p = p * t - 1.182597500683526e-5;
  p = p * t - 1.48495323259885e-5;
  p = p * t + 2.8404977736637426e-5;
  p = p * t + 6.71881387453212e-5;
  p = p * t - 4.787756048699367e-5;
  p = p * t - 0.0002382059459719036;
  p = p * t + 2.5139128077505393e-5;
  p = p * t + 0.000752343965103896;
  p = p * t + 0.00021865809853736882;
  p = p * t - 0.0023148654733077586;
  p = p * t - 0.0012784492155830933;
  p = p * t + 0.007652402676742213;
  p = p * t + 0.005015154913999099;
  p = p * t - 0.03145108467220824;
  p = p * t - 0.016604148031199622;
  p = p * t + 0.2532599830495306;
  p = p * t + 1.0382513194752732;
  return 1 / (1 + a * p);
};

/** exp(−factor · a²) for 0 ≤ a ≤ 40 and a factor that is a power of two. */
const gaussian = (a: number, factor: number): number => {
  const b = Math.fround(a);
  return expOfSum(-factor * (b * b), -factor * ((a - b) * (a + b)));
};

/** The error function 2/√π ∫₀ˣ e^−t² dt; keeps −0, ±∞ gives ±1; at most 2 ulp. */
export const erf = (x: number): number => {
  const a = Math.min(Math.abs(x), 7);
  const z = a * a;
  let e = -8.493998797080943e-10;
  e = e * z + 1.4051482766989913e-8;
  e = e * z - 1.6276526722586205e-7;
  e = e * z + 1.6455328747938096e-6;
  e = e * z - 1.492530753550859e-5;
  e = e * z + 1.2055321382481122e-4;
  e = e * z - 8.548326764466543e-4;
  e = e * z + 0.0052239776217703725;
  e = e * z - 0.02686617064482373;
  e = e * z + 0.11283791670953794;
  e = e * z - 0.3761263890318373;
  e = e * z + 0.1283791670955126;
  const magnitude = a < 0.9 ? a + a * e : 1 - gaussian(a, 1) * scaledTail(Math.SQRT2 * a);
  return x > 0 ? magnitude : x < 0 ? -magnitude : x;
};

/** x Φ(x), Φ the standard normal distribution function; −∞ gives −0; within 4 eps (2⁻⁵⁰), relative also in the lower tail. */
export const geluExact = (x: number): number => {
  const a = Math.min(Math.abs(x), 40);
  return Math.max(x, -0) - a * (0.5 * gaussian(a, 0.5) * scaledTail(a));
};

const LINEAR_HIGH = 1.5957691216057308;
const LINEAR_LOW = -9.96930880911092e-17;
const CUBIC = 0.07135481627260025;

/** ½ x (1 + tanh(√(2/π) (x + 0.044715 x³))), the usual approximation of x Φ(x); −∞ gives −0; within 4 eps, relative for x > −2 and absolute below. */
export const geluTanh = (x: number): number => {
  const a = Math.min(Math.abs(x), 40);
  // v = a (1.5957... + 0.0713... a²) in twice the working precision.
  const cubic = CUBIC * (a * a);
  const factor = LINEAR_HIGH + cubic;
  const factorLow = sumError(LINEAR_HIGH, cubic, factor) + LINEAR_LOW;
  const v = a * factor;
  const e = v > 745 ? exp(-v) : expOfSum(-v, -(productError(a, factor, v) + a * factorLow));
  return Math.max(x, -0) - a * (e / (1 + e));
};
