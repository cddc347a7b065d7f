/**
 * @file Kutta's 3/8 rule, the other method of order 4 with four stages in common use.
 *
 *   k₁ = f(t₀, y₀)
 *   k₂ = f(t₀ + ⅓h, y₀ + ⅓h k₁)
 *   k₃ = f(t₀ + ⅔h, y₀ + h (−⅓ k₁ + k₂))
 *   k₄ = f(t₁, y₀ + h (k₁ − k₂ + k₃))
 *   y₁ = y₀ + h (1/8 k₁ + 3/8 k₂ + 3/8 k₃ + 1/8 k₄)
 *   y(t₀ + θh) = y₀ + h ((θ − 15/8 θ² + θ³) k₁ + (15/8 θ² − 3/2 θ³) k₂ + 3/8 θ² k₃ + (−3/8 θ² + ½θ³) k₄)
 *
 * Order 4, no embedded method, 4 stages. Cubic dense output, order 3: the only one, as its four polynomials solve the four conditions of order 3.
 * Stability size 2.7853. W. Kutta, Z. Math. Phys. 46, 1901, 435–453.
 */
import { knownRungeKutta } from "../runge-kutta.js";
import type { Solver } from "../solver.js";
import type { DenseStep } from "../step.js";
import type { Ode } from "../term.js";
import { defineTableau } from "../tableau.js";

/** Kutta's 3/8 rule. */
export const rk4ThreeEighthsTableau = defineTableau({
  name: "rk4ThreeEighths",
  order: 4,
  c: [0, 1 / 3, 2 / 3, 1],
  a: [[], [1 / 3], [-1 / 3, 1], [1, -1, 1]],
  b: [1 / 8, 3 / 8, 3 / 8, 1 / 8],
  dense: [
    [1, -15 / 8, 1],
    [0, 15 / 8, -3 / 2],
    [0, 3 / 8, 0],
    [0, -3 / 8, 1 / 2],
  ],
  denseOrder: 3,
  stabilitySize: 2.7853,
});

/**
 * Kutta's 3/8 rule: order 4 for four evaluations of f per step, most of its error coefficients smaller than those of {@link rk4}.
 *
 * Not recommended where the error is to be controlled, since it estimates none: {@link tsit5} does, at a smaller error for the same work.
 *
 * @returns a solver whose steps carry dense output but no error estimate: it needs fixed steps.
 * @example
 * const { y1 } = solve((t, y) => y.neg(), tensor([1]), { t0: 0, t1: 1, solver: rk4ThreeEighths(), controller: fixedSteps(20) });
 * expectClose(y1, [0.36787944117144233], { rtol: 1e-6 });
 */
export const rk4ThreeEighths = (...none: readonly []): Solver<Ode, DenseStep> => knownRungeKutta(rk4ThreeEighthsTableau, none);
