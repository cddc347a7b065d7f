/**
 * @file Euler's method, explicit.
 *
 *   k₁ = f(t₀, y₀)
 *   y₁ = y₀ + h k₁
 *   y(t₀ + θh) = y₀ + θh k₁
 *
 * Order 1, no embedded method, 1 stage. Linear dense output, order 1. Stability size 2.
 * E. Hairer, S. P. Nørsett, G. Wanner, Solving Ordinary Differential Equations I, 2nd ed., 1993, I.7, eq. 7.3.
 */
import { knownRungeKutta } from "../runge-kutta.js";
import type { Solver } from "../solver.js";
import type { DenseStep } from "../step.js";
import type { Ode } from "../term.js";
import { defineTableau } from "../tableau.js";

/** Euler's method. */
export const eulerTableau = defineTableau({
  name: "euler",
  order: 1,
  c: [0],
  a: [[]],
  b: [1],
  dense: [[1]],
  denseOrder: 1,
  stabilitySize: 2,
});

/**
 * Euler's method: one evaluation of f per step, error proportional to h.
 *
 * Not recommended for accuracy ({@link rk4} takes four evaluations a step and gains four orders); it is the step of a residual network, and the simplest case to test with.
 *
 * @returns a solver whose steps carry dense output but no error estimate: it needs fixed steps.
 * @example
 * const { y1 } = solve((t, y) => y.neg(), tensor([1]), { t0: 0, t1: 1, solver: euler(), controller: fixedSteps(1000) });
 * expectClose(y1, [0.36787944117144233], { rtol: 1e-3 });
 */
export const euler = (...none: readonly []): Solver<Ode, DenseStep> => knownRungeKutta(eulerTableau, none);
