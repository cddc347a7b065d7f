/**
 * @file Dormand–Prince 5(4).
 *
 *   kᵢ = f(t₀ + cᵢ h, y₀ + h Σ_{j<i} aᵢⱼ kⱼ),  i = 1 … 6
 *   y₁ = y₀ + h Σ bᵢ kᵢ
 *   k₇ = f(t₁, y₁)                             first stage of the next step
 *   e  = h Σ (bᵢ − b̂ᵢ) kᵢ
 *   y(t₀ + θh) = y₀ + θ (D + (1 − θ)(B + θ (2D − h (k₁ + k₇) + (1 − θ) h Σ dᵢ kᵢ))),  D = y₁ − y₀,  B = h k₁ − D
 *
 * Order 5, embedded order 4, 7 stages, first same as last: 6 evaluations of f per accepted step. Quartic dense output, order 4, with continuous slopes.
 * Stability size 3.3066; stages 6 and 7 both stand at t₁ and give Shampine's estimate of the stiffness.
 * J. R. Dormand, P. J. Prince, J. Comput. Appl. Math. 6(1), 1980, 19–26. The weights b̂ and d are those of the code DOPRI5:
 * E. Hairer, S. P. Nørsett, G. Wanner, Solving Ordinary Differential Equations I, 2nd ed., 1993, II.5, Table 5.2, and II.6.
 */
import { knownRungeKutta } from "../runge-kutta.js";
import type { Solver } from "../solver.js";
import type { DenseStep, EmbeddedStep, StiffnessStep } from "../step.js";
import type { Ode } from "../term.js";
import { defineTableau } from "../tableau.js";

const b = [35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84, 0];

/** The weights d of the quartic part of the dense output. */
const d = [
  -12715105075 / 11282082432,
  0,
  87487479700 / 32700410799,
  -10690763975 / 1880347072,
  701980252875 / 199316789632,
  -1453857185 / 822651844,
  69997945 / 29380423,
];

/**
 * The coefficients of θ, θ², θ³, θ⁴ in bᵢ(θ), with δ₁ and δ₇ one for the first and the last stage:
 * bᵢ(θ) = θ bᵢ + θ(1 − θ)(δ₁ − bᵢ) + θ²(1 − θ)(2bᵢ − δ₁ − δ₇) + θ²(1 − θ)² dᵢ.
 */
const hermiteQuartic = (weight: number, quartic: number, first: number, last: number) => [
  first,
  3 * weight - 2 * first - last + quartic,
  first + last - 2 * weight - 2 * quartic,
  quartic,
];

/** Dormand–Prince 5(4). */
export const dopri5Tableau = defineTableau({
  name: "dopri5",
  order: 5,
  errorOrder: 4,
  c: [0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1, 1],
  a: [
    [],
    [1 / 5],
    [3 / 40, 9 / 40],
    [44 / 45, -56 / 15, 32 / 9],
    [19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729],
    [9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656],
    [35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84],
  ],
  b,
  error: [71 / 57600, 0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40],
  dense: b.map((weight, i) => hermiteQuartic(weight, d[i]!, i === 0 ? 1 : 0, i === 6 ? 1 : 0)),
  denseOrder: 4,
  stiffness: [6, 5],
  stabilitySize: 3.3066,
});

/**
 * Dormand–Prince 5(4), the method behind most codes called `ode45`, for tolerances from 1e-3 to 1e-8.
 *
 * Not recommended as a first choice: {@link tsit5} has smaller errors for the same work. It is here to compare with other codes.
 *
 * @returns a solver whose steps carry an error estimate, dense output and an estimate of the stiffness.
 * @example
 * const { y1 } = solve((t, y) => y.neg(), tensor([1]), { t0: 0, t1: 1, solver: dopri5() });
 * expectClose(y1, [0.36787944117144233], { rtol: 1e-5 });
 */
export const dopri5 = (...none: readonly []): Solver<Ode, EmbeddedStep & DenseStep & StiffnessStep> => knownRungeKutta(dopri5Tableau, none);
