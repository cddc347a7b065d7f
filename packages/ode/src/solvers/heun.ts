/**
 * @file Heun's method of order 2, the explicit trapezoidal rule, with Euler's method embedded.
 *
 *   k₁ = f(t₀, y₀)
 *   k₂ = f(t₁, y₀ + h k₁)
 *   y₁ = y₀ + h (½ k₁ + ½ k₂)
 *   e  = h (−½ k₁ + ½ k₂)
 *   y(t₀ + θh) = y₀ + h ((θ − ½θ²) k₁ + ½θ² k₂)
 *
 * Order 2, embedded order 1, 2 stages. Quadratic dense output, order 2. Stability size 2.
 * K. Heun, Z. Math. Phys. 45, 1900, 23–38; E. Hairer, S. P. Nørsett, G. Wanner, Solving Ordinary Differential Equations I, 2nd ed., 1993, II.1.
 */
import { knownRungeKutta } from "../runge-kutta.js";
import type { Solver } from "../solver.js";
import type { DenseStep, EmbeddedStep } from "../step.js";
import type { Ode } from "../term.js";
import { defineTableau } from "../tableau.js";

/** Heun's method with Euler's method embedded, 2(1). */
export const heunTableau = defineTableau({
  name: "heun",
  order: 2,
  errorOrder: 1,
  c: [0, 1],
  a: [[], [1]],
  b: [1 / 2, 1 / 2],
  error: [-1 / 2, 1 / 2],
  dense: [
    [1, -1 / 2],
    [0, 1 / 2],
  ],
  denseOrder: 2,
  stabilitySize: 2,
});

/**
 * Heun's method of order 2, the explicit trapezoidal rule: two evaluations of f per step, both at its ends.
 *
 * Not recommended where the error is controlled, since its estimate is that of Euler's method and much too large: {@link bosh3} and {@link tsit5} take far fewer steps.
 *
 * @returns a solver whose steps carry an error estimate and dense output.
 * @example
 * const { y1 } = solve((t, y) => y.neg(), tensor([1]), { t0: 0, t1: 1, solver: heun(), controller: fixedSteps(100) });
 * expectClose(y1, [0.36787944117144233], { rtol: 1e-4 });
 */
export const heun = (...none: readonly []): Solver<Ode, EmbeddedStep & DenseStep> => knownRungeKutta(heunTableau, none);
