/**
 * @file The explicit midpoint method, with Euler's method embedded.
 *
 *   k₁ = f(t₀, y₀)
 *   k₂ = f(t₀ + ½h, y₀ + ½h k₁)
 *   y₁ = y₀ + h k₂
 *   e  = h (−k₁ + k₂)
 *   y(t₀ + θh) = y₀ + h ((θ − θ²) k₁ + θ² k₂)
 *
 * Order 2, embedded order 1, 2 stages. Quadratic dense output, order 2. Stability size 2.
 * C. Runge, Math. Ann. 46, 1895, 167–178; E. Hairer, S. P. Nørsett, G. Wanner, Solving Ordinary Differential Equations I, 2nd ed., 1993, II.1.
 */
import { knownRungeKutta } from "../runge-kutta.js";
import type { Solver } from "../solver.js";
import type { DenseStep, EmbeddedStep } from "../step.js";
import type { Ode } from "../term.js";
import { defineTableau } from "../tableau.js";

/** The explicit midpoint method with Euler's method embedded, 2(1). */
export const midpointTableau = defineTableau({
  name: "midpoint",
  order: 2,
  errorOrder: 1,
  c: [0, 1 / 2],
  a: [[], [1 / 2]],
  b: [0, 1],
  error: [-1, 1],
  dense: [
    [1, -1],
    [0, 1],
  ],
  denseOrder: 2,
  stabilitySize: 2,
});

/**
 * The explicit midpoint method: order 2 for two evaluations of f per step.
 *
 * Not recommended where the error is controlled, since its estimate is that of Euler's method and much too large: {@link bosh3} and {@link tsit5} take far fewer steps.
 *
 * @returns a solver whose steps carry an error estimate and dense output.
 * @example
 * const { y1 } = solve((t, y) => y.neg(), tensor([1]), { t0: 0, t1: 1, solver: midpoint(), controller: fixedSteps(100) });
 * expectClose(y1, [0.36787944117144233], { rtol: 1e-4 });
 */
export const midpoint = (...none: readonly []): Solver<Ode, EmbeddedStep & DenseStep> => knownRungeKutta(midpointTableau, none);
