/**
 * @file Tsitouras 5(4).
 *
 *   kᵢ = f(t₀ + cᵢ h, y₀ + h Σ_{j<i} aᵢⱼ kⱼ),  i = 1 … 6
 *   y₁ = y₀ + h Σ bᵢ kᵢ
 *   k₇ = f(t₁, y₁)                             first stage of the next step
 *   e  = h Σ (bᵢ − b̂ᵢ) kᵢ
 *   b₁(θ) = −1.0530884977290216 θ (θ − 1.3299890189751412)(θ² − 1.4364028541716351 θ + 0.7139816917074209)
 *   b₂(θ) = 0.1017 θ² (θ² − 2.1966568338249754 θ + 1.2949852507374631)
 *   b₃(θ) = 2.490627285651252793 θ² (θ² − 2.38535645472061657 θ + 1.57803468208092486)
 *   b₄(θ) = −16.54810288924490272 (θ − 1.21712927295533244)(θ − 0.61620406037800089) θ²
 *   b₅(θ) = 47.37952196281928122 (θ − 1.203071208372362603)(θ − 0.658047292653547382) θ²
 *   b₆(θ) = −34.87065786149660974 (θ − 1.2)(θ − 2/3) θ²
 *   b₇(θ) = 2.5 (θ − 1)(θ − 0.6) θ²
 *
 * Order 5, embedded order 4, 7 stages, first same as last: 6 evaluations of f per accepted step. Quartic dense output, order 4, with continuous slopes.
 * Stability size 3.5068; stages 6 and 7 both stand at t₁ and give Shampine's estimate of the stiffness.
 * Ch. Tsitouras, Runge–Kutta pairs of order 5(4) satisfying only the first column simplifying assumption, Comput. Math. Appl. 62(2), 2011, 770–775.
 * The products above are written out in powers of θ below, each coefficient rounded once.
 */
import { knownRungeKutta } from "../runge-kutta.js";
import type { Solver } from "../solver.js";
import type { DenseStep, EmbeddedStep, StiffnessStep } from "../step.js";
import type { Ode } from "../term.js";
import { defineTableau } from "../tableau.js";

/** Tsitouras 5(4). */
export const tsit5Tableau = defineTableau({
  name: "tsit5",
  order: 5,
  errorOrder: 4,
  c: [0, 0.161, 0.327, 0.9, 0.9800255409045097, 1, 1],
  a: [
    [],
    [0.161],
    [-0.008480655492356989, 0.335480655492357],
    [2.8971530571054935, -6.359448489975075, 4.3622954328695815],
    [5.325864828439257, -11.748883564062828, 7.4955393428898365, -0.09249506636175525],
    [5.86145544294642, -12.92096931784711, 8.159367898576159, -0.071584973281401, -0.028269050394068383],
    [0.09646076681806523, 0.01, 0.4798896504144996, 1.379008574103742, -3.290069515436081, 2.324710524099774],
  ],
  b: [0.09646076681806523, 0.01, 0.4798896504144996, 1.379008574103742, -3.290069515436081, 2.324710524099774, 0],
  error: [
    0.0017800110522257714, 0.0008164344596567469, -0.007880878010261995, 0.1447110071732629, -0.5823571654525552, 0.45808210592918697,
    -0.015151515151515152,
  ],
  dense: [
    [1, -2.763706197274826, 2.9132554618219126, -1.0530884977290216],
    [0, 0.13169999999999998, -0.2234, 0.1017],
    [0, 3.9302962368947516, -5.941033872131505, 2.490627285651253],
    [0, -12.411077166933676, 30.33818863028232, -16.548102889244902],
    [0, 37.50931341651104, -88.1789048947664, 47.37952196281928],
    [0, -27.896526289197286, 65.09189467479366, -34.87065786149661],
    [0, 1.5, -4, 2.5],
  ],
  denseOrder: 4,
  stiffness: [6, 5],
  stabilitySize: 3.5068,
});

/**
 * Tsitouras 5(4), the solver to begin with: non-stiff problems, tolerances from 1e-3 to 1e-8.
 *
 * Not recommended for stiff problems (many rejected steps, h·ρ near 3.5), which need an implicit method, nor below 1e-9, where methods of higher order need fewer
 * evaluations.
 *
 * @returns a solver whose steps carry an error estimate, dense output and an estimate of the stiffness.
 * @example
 * const { y1 } = solve((t, y) => y.neg(), tensor([1]), { t0: 0, t1: 1, solver: tsit5() });
 * expectClose(y1, [0.36787944117144233], { rtol: 1e-5 });
 */
export const tsit5 = (...none: readonly []): Solver<Ode, EmbeddedStep & DenseStep & StiffnessStep> => knownRungeKutta(tsit5Tableau, none);
