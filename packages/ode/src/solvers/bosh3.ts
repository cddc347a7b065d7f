/**
 * @file Bogacki–Shampine 3(2).
 *
 *   k₁ = f(t₀, y₀)
 *   k₂ = f(t₀ + ½h, y₀ + ½h k₁)
 *   k₃ = f(t₀ + ¾h, y₀ + ¾h k₂)
 *   y₁ = y₀ + h (2/9 k₁ + 1/3 k₂ + 4/9 k₃)
 *   k₄ = f(t₁, y₁)                             first stage of the next step
 *   e  = h (−5/72 k₁ + 1/12 k₂ + 1/9 k₃ − 1/8 k₄)
 *   y(t₀ + θh) = the cubic through y₀ and y₁ with the slopes k₁ and k₄:
 *                bᵢ(θ) = bᵢ (3θ² − 2θ³), plus θ − 2θ² + θ³ for i = 1 and −θ² + θ³ for i = 4
 *
 * Order 3, embedded order 2, 4 stages, first same as last: 3 evaluations of f per accepted step. Cubic Hermite dense output, order 3.
 * Stability size 2.5127. P. Bogacki, L. F. Shampine, Appl. Math. Lett. 2(4), 1989, 321–325.
 */
import { knownRungeKutta } from "../runge-kutta.js";
import type { Solver } from "../solver.js";
import type { DenseStep, EmbeddedStep } from "../step.js";
import type { Ode } from "../term.js";
import { defineTableau } from "../tableau.js";

/** Bogacki–Shampine 3(2). */
export const bosh3Tableau = defineTableau({
  name: "bosh3",
  order: 3,
  errorOrder: 2,
  c: [0, 1 / 2, 3 / 4, 1],
  a: [[], [1 / 2], [0, 3 / 4], [2 / 9, 1 / 3, 4 / 9]],
  b: [2 / 9, 1 / 3, 4 / 9, 0],
  error: [-5 / 72, 1 / 12, 1 / 9, -1 / 8],
  dense: [
    [1, -4 / 3, 5 / 9],
    [0, 1, -2 / 3],
    [0, 4 / 3, -8 / 9],
    [0, -1, 1],
  ],
  denseOrder: 3,
  stabilitySize: 2.5127,
});

/**
 * Bogacki–Shampine 3(2), the method for loose tolerances (rtol 1e-2 to 1e-4).
 *
 * Not recommended below 1e-5: {@link tsit5} needs fewer evaluations there.
 *
 * @returns a solver whose steps carry an error estimate and dense output.
 * @example
 * const { y1 } = solve((t, y) => y.neg(), tensor([1]), { t0: 0, t1: 1, solver: bosh3() });
 * expectClose(y1, [0.36787944117144233], { rtol: 1e-5 });
 */
export const bosh3 = (...none: readonly []): Solver<Ode, EmbeddedStep & DenseStep> => knownRungeKutta(bosh3Tableau, none);
