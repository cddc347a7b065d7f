/**
 * @file Interpolation between Chebyshev–Lobatto points, which include both ends.
 *
 *   tⱼ = (a + b)/2 − (b − a)/2 cos(πj / (n − 1)),  wⱼ = (−1)ʲ, halved for j = 0 and n − 1
 *   p(t) = Σⱼ ℓⱼ(t) vⱼ,  ℓⱼ(t) = wⱼ/(t − tⱼ) / Σₖ wₖ/(t − tₖ),  ℓⱼ′(t) = ℓⱼ (Σₖ ℓₖ/(t − tₖ) − 1/(t − tⱼ))
 *   cₖ = (2 − δ₀ₖ − δₙ₋₁,ₖ)/(n − 1) Σⱼ″ vⱼ cos(πjk / (n − 1))
 *
 * The weights belong to these points. Those of the points without the ends, (−1)ʲ sin((2j + 1)π / 2n), interpolate here too, but without spectral accuracy.
 * J.-P. Berrut, L. N. Trefethen, Barycentric Lagrange Interpolation, SIAM Review 46(3), 2004, eq. 4.2, 5.4, 9.4.
 */
import { cos, tensor, weightedSum } from "@dydt/tensor";
import type { Leaves } from "../step.js";

/** cos(πj / (n − 1)) for j from 0 to n − 1, antisymmetric to the last bit. */
const cosines = (n: number): readonly number[] => {
  const table = Array.from(cos(tensor(Array.from({ length: n }, (_, j) => (Math.PI * j) / (n - 1)))).data);
  return table.map((_, j) => (2 * j === n - 1 ? 0 : 2 * j < n - 1 ? table[j]! : -table[n - 1 - j]!));
};

/** The points from a to b, both included; at least 2. */
export const chebyshevPoints = (n: number, a: number, b: number): readonly number[] =>
  cosines(n).map((x, j) => (j === 0 ? a : j === n - 1 ? b : (a + b) / 2 - ((b - a) / 2) * x));

/** The barycentric weights of these points. */
export const chebyshevWeights = (n: number): readonly number[] =>
  Array.from({ length: n }, (_, j) => (j % 2 === 0 ? 1 : -1) * (j === 0 || j === n - 1 ? 0.5 : 1));

/** The values ℓⱼ(t) of the Lagrange polynomials. */
export const lagrangeValues = (points: readonly number[], weights: readonly number[], t: number): readonly number[] => {
  const hit = points.indexOf(t);
  if (hit >= 0) return points.map((_, j) => (j === hit ? 1 : 0));
  const terms = points.map((point, j) => weights[j]! / (t - point));
  const total = terms.reduce((a, b) => a + b);
  return terms.map((term) => term / total);
};

/** Their derivatives ℓⱼ′(t). */
export const lagrangeSlopes = (points: readonly number[], weights: readonly number[], t: number): readonly number[] => {
  const hit = points.indexOf(t);
  if (hit < 0) {
    const values = lagrangeValues(points, weights, t);
    const common = points.reduce((total, point, j) => total + values[j]! / (t - point), 0);
    return points.map((point, j) => values[j]! * (common - 1 / (t - point)));
  }
  const slopes = points.map((point, j) => (j === hit ? 0 : weights[j]! / weights[hit]! / (t - point)));
  slopes[hit] = -slopes.reduce((a, b) => a + b);
  return slopes;
};

/** The interpolant's value or slope, by the numbers for its points. */
export const combineValues = (factors: readonly number[], values: readonly Leaves[]): Leaves =>
  values[0]!.map((_, i) =>
    weightedSum(
      null,
      factors,
      values.map((value) => value[i]!),
    ),
  );

/** The Chebyshev coefficients c₀, ..., cₙ₋₁ of the interpolant. */
export const chebyshevCoefficients = (values: readonly Leaves[]): readonly Leaves[] => {
  const n = values.length;
  const table = cosines(n);
  // The points run from a to b, so that x = −cos: odd polynomials change their sign.
  const cosine = (m: number): number => {
    const r = m % (2 * (n - 1));
    return r < n ? table[r]! : table[2 * (n - 1) - r]!;
  };
  const end = (j: number): number => (j === 0 || j === n - 1 ? 0.5 : 1);
  return values.map((_, k) =>
    combineValues(
      values.map((_, j) => (((k % 2 === 0 ? 2 : -2) * end(k) * end(j)) / (n - 1)) * cosine(j * k)),
      values,
    ),
  );
};
