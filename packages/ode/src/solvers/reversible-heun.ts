/**
 * @file The reversible Heun method.
 *
 *   ŷ₁ = 2y₀ − ŷ₀ + h F₀,                      ŷ = y at first, F₀ = f(t₀, ŷ₀)
 *   y₁ = y₀ + ½h (F₀ + F₁),                    F₁ = f(t₁, ŷ₁)
 *   e  = ½h (F₁ − F₀)
 * and back, by the same equations,
 *   ŷ₀ = 2y₁ − ŷ₁ − h F₁
 *   y₀ = y₁ − ½h (F₁ + F₀)
 *
 * Order 2, embedded order 1 (Euler's method), one evaluation of f per step, either way. It carries ŷ and F(ŷ), which are a part of the state. No dense output.
 * P. Kidger, J. Foster, X. Li, T. Lyons, Efficient and accurate gradients for neural SDEs, NeurIPS 2021, algorithms 1 and 2.
 */
import { weightedSum } from "@dydt/tensor";
import { takesNothing } from "../arguments.js";
import type { ReversibleSolver } from "../solver.js";
import type { EmbeddedStep, Leaves, ReversibleStep } from "../step.js";
import type { Ode } from "../term.js";
import { timeValue } from "../time.js";

/** 2a − b. */
const reflected = (a: Leaves, b: Leaves): Leaves => a.map((leaf, i) => weightedSum(null, [2, -1], [leaf, b[i]!]));

/** The second state and its slope. */
const unpack = (carry: Leaves): readonly [state: Leaves, slope: Leaves] => [carry.slice(0, carry.length / 2), carry.slice(carry.length / 2)];

/**
 * The reversible Heun method: order 2, and every step can be undone, so that {@link ReversibleSolver | an adjoint} needs no stored states and is still exact.
 *
 * Not recommended where memory is no concern: {@link heun} has the same order and {@link tsit5} a higher one, and both are stable on decaying problems, while this
 * method is stable for pure oscillations only (h·ρ ≤ 1 on the imaginary axis): errors grow slowly along steep decay.
 *
 * @returns a solver whose steps carry an error estimate and can be undone.
 * @example
 * const { y1, stats } = solve((t, y) => y.neg(), tensor([1]), { t0: 0, t1: 1, solver: reversibleHeun(), controller: fixedSteps(100) });
 * expectClose(y1, [0.36787944117144233], { rtol: 1e-4 });
 * expectClose(stats.evaluations, 101);
 */
export const reversibleHeun = (...none: readonly []): ReversibleSolver<Ode, EmbeddedStep & ReversibleStep> => {
  takesNothing("reversibleHeun", none);
  return Object.freeze({
    name: "reversibleHeun",
    order: 2,
    errorOrder: 1,
    carries: "state",
    start: (term, t0, y0) => [...y0, ...term.slope(t0, y0)],
    step: (term, t0, t1, y0, carry) => {
      const [second, slope] = unpack(carry);
      const h = term.differential(t0, t1);
      const ahead = term.combine(reflected(y0, second), [1], [slope], h);
      const next = term.slope(t1, ahead);
      const y1 = term.combine(y0, [1 / 2, 1 / 2], [slope, next], h);
      return {
        t0: timeValue(t0),
        t1: timeValue(t1),
        h,
        y0,
        y1,
        carry: [...ahead, ...next],
        error: term.combine(null, [-1 / 2, 1 / 2], [slope, next], h),
        reversible: true,
      };
    },
    inverse: (term, t0, t1, y1, carry) => {
      const [ahead, next] = unpack(carry);
      const h = term.differential(t0, t1);
      const second = term.combine(reflected(y1, ahead), [-1], [next], h);
      const slope = term.slope(t0, second);
      return { y0: term.combine(y1, [-1 / 2, -1 / 2], [slope, next], h), carry0: [...second, ...slope] };
    },
  } satisfies ReversibleSolver<Ode, EmbeddedStep & ReversibleStep>);
};
