/**
 * @file Ralston's method of order 2, with Euler's method embedded.
 *
 *   k₁ = f(t₀, y₀)
 *   k₂ = f(t₀ + ⅔h, y₀ + ⅔h k₁)
 *   y₁ = y₀ + h (¼ k₁ + ¾ k₂)
 *   e  = h (−¾ k₁ + ¾ k₂)
 *   y(t₀ + θh) = y₀ + h ((θ − ¾θ²) k₁ + ¾θ² k₂)
 *
 * Order 2, embedded order 1, 2 stages. Quadratic dense output, order 2. Stability size 2.
 * A. Ralston, Math. Comp. 16, 1962, 431–437: of the two-stage methods of order 2, the one with the smallest bound on the truncation error.
 */
import { knownRungeKutta } from "../runge-kutta.js";
import type { Solver } from "../solver.js";
import type { DenseStep, EmbeddedStep } from "../step.js";
import type { Ode } from "../term.js";
import { defineTableau } from "../tableau.js";

/** Ralston's method with Euler's method embedded, 2(1). */
export const ralstonTableau = defineTableau({
  name: "ralston",
  order: 2,
  errorOrder: 1,
  c: [0, 2 / 3],
  a: [[], [2 / 3]],
  b: [1 / 4, 3 / 4],
  error: [-3 / 4, 3 / 4],
  dense: [
    [1, -3 / 4],
    [0, 3 / 4],
  ],
  denseOrder: 2,
  stabilitySize: 2,
});

/**
 * Ralston's method: of the methods of order 2 with two evaluations of f, the one with the smallest bound on its error.
 *
 * Not recommended where the error is controlled, since its estimate is that of Euler's method and much too large: {@link bosh3} and {@link tsit5} take far fewer steps.
 *
 * @returns a solver whose steps carry an error estimate and dense output.
 * @example
 * const { y1 } = solve((t, y) => y.neg(), tensor([1]), { t0: 0, t1: 1, solver: ralston(), controller: fixedSteps(100) });
 * expectClose(y1, [0.36787944117144233], { rtol: 1e-4 });
 */
export const ralston = (...none: readonly []): Solver<Ode, EmbeddedStep & DenseStep> => knownRungeKutta(ralstonTableau, none);
