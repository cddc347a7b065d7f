/**
 * @file The classical Runge–Kutta method of order 4.
 *
 *   k₁ = f(t₀, y₀)
 *   k₂ = f(t₀ + ½h, y₀ + ½h k₁)
 *   k₃ = f(t₀ + ½h, y₀ + ½h k₂)
 *   k₄ = f(t₁, y₀ + h k₃)
 *   y₁ = y₀ + h (1/6 k₁ + 1/3 k₂ + 1/3 k₃ + 1/6 k₄)
 *   y(t₀ + θh) = y₀ + h ((θ − 3/2 θ² + 2/3 θ³) k₁ + (θ² − 2/3 θ³)(k₂ + k₃) + (−½θ² + 2/3 θ³) k₄)
 *
 * Order 4, no embedded method, 4 stages. Cubic dense output, order 3. Stability size 2.7853.
 * W. Kutta, Z. Math. Phys. 46, 1901, 435–453; dense output: E. Hairer, S. P. Nørsett, G. Wanner, Solving Ordinary Differential Equations I, 2nd ed., 1993, II.6.
 */
import { knownRungeKutta } from "../runge-kutta.js";
import type { Solver } from "../solver.js";
import type { DenseStep } from "../step.js";
import type { Ode } from "../term.js";
import { defineTableau } from "../tableau.js";

/** The classical Runge–Kutta method. */
export const rk4Tableau = defineTableau({
  name: "rk4",
  order: 4,
  c: [0, 1 / 2, 1 / 2, 1],
  a: [[], [1 / 2], [0, 1 / 2], [0, 0, 1]],
  b: [1 / 6, 1 / 3, 1 / 3, 1 / 6],
  dense: [
    [1, -3 / 2, 2 / 3],
    [0, 1, -2 / 3],
    [0, 1, -2 / 3],
    [0, -1 / 2, 2 / 3],
  ],
  denseOrder: 3,
  stabilitySize: 2.7853,
});

/**
 * The classical Runge–Kutta method: order 4 for four evaluations of f per step.
 *
 * Not recommended where the error is to be controlled, since it estimates none: {@link tsit5} does, at a smaller error for the same work.
 *
 * @returns a solver whose steps carry dense output but no error estimate: it needs fixed steps.
 * @example
 * const { y1 } = solve((t, y) => y.neg(), tensor([1]), { t0: 0, t1: 1, solver: rk4(), controller: fixedSteps(20) });
 * expectClose(y1, [0.36787944117144233], { rtol: 1e-6 });
 */
export const rk4 = (...none: readonly []): Solver<Ode, DenseStep> => knownRungeKutta(rk4Tableau, none);
