/**
 * @file How good a polynomial p through Chebyshev–Lobatto points of a stretch is in the place of the solution y.
 *
 *   defect: |p′ − f(t, p)| / |f| between the points
 *   error:  |p − y| ≈ |p′ − f(t, p)| T / (2n²)      n points on an interval of length T
 *
 * The error of interpolation is led by a polynomial of degree n, whose slope is at most 2n²/T times its size, and is of that order near the ends.
 * A. A. Markov, 1889: P. Borwein, T. Erdélyi, Polynomials and Polynomial Inequalities, 1995, theorem 5.1.8.
 */
import { scope } from "@dydt/tensor";
import type { Ode } from "../term.js";
import { chebyshevWeights, combineValues, lagrangeSlopes, lagrangeValues } from "./chebyshev.js";
import { largestOf } from "./cotangents.js";
import type { Stretch } from "./stretches.js";

/** Tolerances that interpolants are held against; none where the forward solve had none. */
export interface WantedAccuracy {
  readonly rtol?: number;
  readonly atol?: number;
}

/** What is known of an interpolant. */
export interface Quality {
  /** |p′ − f(t, p)| / |f|; infinite where something is NaN. */
  readonly defect: number;
  /** |p − y| in units of the tolerances; 0 where there are none. */
  readonly excess: number;
}

/** The largest defect with which an interpolant is used, unless another is given. Loose solutions are rough: their own defect is up to a hundred tolerances. */
export const usualDefect = ({ rtol = 0, atol = 0 }: WantedAccuracy): number => Math.min(0.1, Math.max(0.01, 100 * Math.max(rtol, atol)));

/** Looks at the polynomial in the first interval between points, in the middle one and in the last. Cost: three evaluations of f. */
export const qualityOf = (term: Ode, { points, values }: Stretch, { rtol = 0, atol = 0 }: WantedAccuracy): Quality =>
  scope(() => {
    const n = points.length;
    const weights = chebyshevWeights(n);
    let [difference, slopes, states] = [0, 0, 0];
    for (const j of new Set([0, Math.floor((n - 1) / 2), n - 2])) {
      const t = (points[j]! + points[j + 1]!) / 2;
      const state = combineValues(lagrangeValues(points, weights, t), values);
      const slope = term.slope(t, state);
      const own = combineValues(lagrangeSlopes(points, weights, t), values);
      difference = Math.max(difference, largestOf(own.map((leaf, i) => leaf.sub(slope[i]!))));
      slopes = Math.max(slopes, largestOf(slope));
      states = Math.max(states, largestOf(state));
    }
    if (!(difference > 0)) return { defect: difference === 0 ? 0 : Infinity, excess: 0 };
    const tolerance = atol + rtol * states;
    const error = (difference * Math.abs(points[n - 1]! - points[0]!)) / (2 * n * n);
    return { defect: difference / slopes, excess: tolerance > 0 ? error / tolerance : 0 };
  });
