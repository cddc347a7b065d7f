/**
 * @file Bogacki–Shampine 5(4).
 *
 *   kᵢ = f(t₀ + cᵢ h, y₀ + h Σ_{j<i} aᵢⱼ kⱼ),  i = 1 … 7
 *   y₁ = y₀ + h Σ bᵢ kᵢ
 *   k₈ = f(t₁, y₁)                             first stage of the next step
 *   e  = h Σ (bᵢ − b̂ᵢ) kᵢ
 *   y(t₀ + θh) = y₀ + h Σ bᵢ(θ) kᵢ             with k₉, k₁₀, k₁₁ at c = 1/2, 5/6, 1/9, evaluated when dense output is first asked for
 *
 * Order 5, embedded order 4, 8 stages, first same as last: 7 evaluations of f per accepted step. Dense output of degree 6, order 5, with continuous slopes, for
 * 3 evaluations more in a step in which it is asked for. Stability size 3.9879; stages 7 and 8 both stand at t₁ and give Shampine's estimate of the stiffness.
 * P. Bogacki, L. F. Shampine, An efficient Runge–Kutta (4,5) pair, Comput. Math. Appl. 32(6), 1996, 15–28; dense output as in the code RKSUITE.
 */
import { knownRungeKutta } from "../runge-kutta.js";
import type { Solver } from "../solver.js";
import type { DenseStep, EmbeddedStep, StiffnessStep } from "../step.js";
import type { Ode } from "../term.js";
import { defineTableau } from "../tableau.js";

/** Of the pair's second estimate, which also weighs the stages at the end of the step: a jump late in a step is not missed. */
const embedded = [2479 / 34992, 0, 123 / 416, 612941 / 3411720, 43 / 1440, 2272 / 6561, 79937 / 1113912, 3293 / 556956];
const b = [587 / 8064, 0, 4440339 / 15491840, 24353 / 124800, 387 / 44800, 2152 / 5985, 7267 / 94080, 0];

/** Bogacki–Shampine 5(4). */
export const bs5Tableau = defineTableau({
  name: "bs5",
  order: 5,
  errorOrder: 4,
  c: [0, 1 / 6, 2 / 9, 3 / 7, 2 / 3, 3 / 4, 1, 1],
  a: [
    [],
    [1 / 6],
    [2 / 27, 4 / 27],
    [183 / 1372, -162 / 343, 1053 / 1372],
    [68 / 297, -4 / 11, 42 / 143, 1960 / 3861],
    [597 / 22528, 81 / 352, 63099 / 585728, 58653 / 366080, 4617 / 20480],
    [174197 / 959244, -30942 / 79937, 8152137 / 19744439, 666106 / 1039181, -29421 / 29068, 482048 / 414219],
    [587 / 8064, 0, 4440339 / 15491840, 24353 / 124800, 387 / 44800, 2152 / 5985, 7267 / 94080],
  ],
  b,
  error: b.map((weight, i) => weight - embedded[i]!),
  denseStages: {
    c: [1 / 2, 5 / 6, 1 / 9],
    a: [
      [455 / 6144, 0, 10256301 / 35409920, 2307361 / 17971200, -387 / 102400, 73 / 5130, -7267 / 215040, 1 / 32],
      [
        -837888343715 / 13176988637184,
        30409415 / 52955362,
        -48321525963 / 759168069632,
        8530738453321 / 197654829557760,
        1361640523001 / 1626788720640,
        -13143060689 / 38604458898,
        18700221969 / 379584034816,
        -5831595 / 847285792,
        -5183640 / 26477681,
      ],
      [
        98719073263 / 1551965184000,
        1307 / 123552,
        4632066559387 / 70181753241600,
        7828594302389 / 382182512025600,
        40763687 / 11070259200,
        34872732407 / 224610586200,
        -2561897 / 30105600,
        1 / 10,
        -1 / 10,
        -1403317093 / 11371610250,
      ],
    ],
  },
  dense: [
    [1, -3547880131 / 437837400, 35856435071 / 1313512200, -2722545893 / 59875200, 12923488183 / 350269920, -12134338393 / 1050809760],
    [0, 0, 0, 0, 0, 0],
    [0, -1046723109 / 304608304, 4323308999 / 152304152, -27096444225 / 374902528, 65150312289 / 870309440, -33197340367 / 1218433216],
    [
      0,
      -55058055073 / 41469456600,
      3249645975331 / 248816739600,
      -201150852119 / 5671036800,
      6343174409579 / 165877826400,
      -284800997201 / 19905339168,
    ],
    [0, -1772261 / 10810800, 3586937 / 4054050, -2903933 / 1478400, 85695583 / 43243200, -540919 / 741312],
    [0, 2449079168 / 623918295, -9134977024 / 267393555, 413114104 / 5332635, -41174140576 / 623918295, 7157998304 / 374350977],
    [0, -7267 / 3920, 792103 / 47040, -1329861 / 31360, 94471 / 2240, -138073 / 9408],
    [0, 37 / 16, -1349 / 64, 3435 / 64, -3479 / 64, 1245 / 64],
    [0, 0, -7 / 3, 23, -39, 55 / 3],
    [0, -423642896 / 126351225, 11411880511 / 379053675, -26477681 / 359975, 1774004627 / 25270245, -1774004627 / 75810735],
    [0, 12, -59, 117, -105, 35],
  ],
  denseOrder: 5,
  stiffness: [7, 6],
  stabilitySize: 3.9879,
});

/**
 * Bogacki–Shampine 5(4): of the pairs of order 5 the one with the most reliable error estimate and dense output of full order, for tolerances from 1e-4 to 1e-8.
 *
 * Not recommended where f is expensive and dense output is not needed: {@link tsit5} takes six evaluations a step instead of seven. Not for stiff problems.
 *
 * @returns a solver whose steps carry an error estimate, dense output and an estimate of the stiffness.
 * @example
 * const { y1 } = solve((t, y) => y.neg(), tensor([1]), { t0: 0, t1: 1, solver: bs5() });
 * expectClose(y1, [0.36787944117144233], { rtol: 1e-5 });
 */
export const bs5 = (...none: readonly []): Solver<Ode, EmbeddedStep & DenseStep & StiffnessStep> => knownRungeKutta(bs5Tableau, none);
