/**
 * @file The asynchronous leapfrog method, with damping.
 *
 *   zₘ = z₀ + ½h v₀,  u = f(t₀ + ½h, zₘ)       v₀ = f(t₀, z₀) at first
 *   v₁ = 2η u + (1 − 2η) v₀
 *   z₁ = zₘ + ½h v₁
 *   e  = h (u − v₀)
 * and back, by the same equations,
 *   zₘ = z₁ − ½h v₁,  v₀ = (v₁ − 2η u) / (1 − 2η),  z₀ = zₘ − ½h v₀
 *
 * Order 2 for η = 1; with damping, η < 1, order 1. Embedded order 1, one evaluation of f per step, either way. It carries v, which is a part of the state. No dense
 * output. U. Mutze, An asynchronous leapfrog method II, arXiv 1311.6602; J. Zhuang et al., MALI, ICLR 2021 (damping, eq. 6).
 */
import { checkOptions, OptionError, weightedSum } from "@dydt/tensor";
import type { ReversibleSolver } from "../solver.js";
import type { EmbeddedStep, ReversibleStep } from "../step.js";
import type { Ode } from "../term.js";
import { timeAlong, timeValue } from "../time.js";

/** Options of {@link asynchronousLeapfrog}. */
export interface AsynchronousLeapfrogOptions {
  /** η from 0 to 1, not ½, where nothing could be undone. 1, the default, is undamped; less makes it stable on decaying problems, and of order 1. */
  readonly eta?: number | undefined;
}

/**
 * The asynchronous leapfrog method (ALF, the solver of MALI): one evaluation of f per step, order 2, and every step can be undone.
 *
 * Not recommended for decaying problems: undamped it is stable for pure oscillations only. With damping, going back amplifies rounding by 1 / |1 − 2η| a step: keep
 * η above 0.8, and the steps few.
 *
 * @returns a solver whose steps carry an error estimate and can be undone.
 * @throws OptionError for an η that is not from 0 to 1, or ½.
 * @example
 * const { y1 } = solve((t, y) => y.neg(), tensor([1]), { t0: 0, t1: 1, solver: asynchronousLeapfrog(), controller: fixedSteps(100) });
 * expectClose(y1, [0.36787944117144233], { rtol: 1e-4 });
 */
export const asynchronousLeapfrog = (options: AsynchronousLeapfrogOptions = {}): ReversibleSolver<Ode, EmbeddedStep & ReversibleStep> => {
  checkOptions("asynchronousLeapfrog", options, ["eta"]);
  const { eta = 1 } = options;
  if (!(typeof eta === "number" && eta > 0 && eta <= 1) || eta === 1 / 2)
    throw new OptionError(`asynchronousLeapfrog got eta = ${eta}: a number above 0, at most 1 and not 1/2 is needed; 1 is undamped`);
  return Object.freeze({
    name: "asynchronousLeapfrog",
    order: eta === 1 ? 2 : 1,
    errorOrder: 1,
    carries: "state",
    start: (term, t0, z0) => term.slope(t0, z0),
    step: (term, t0, t1, y0, v0) => {
      const h = term.differential(t0, t1);
      const middle = term.combine(y0, [1 / 2], [v0], h);
      const u = term.slope(timeAlong(t0, 1 / 2, h), middle);
      const carry = u.map((leaf, i) => weightedSum(null, [2 * eta, 1 - 2 * eta], [leaf, v0[i]!]));
      const y1 = term.combine(middle, [1 / 2], [carry], h);
      return { t0: timeValue(t0), t1: timeValue(t1), h, y0, y1, carry, error: term.combine(null, [1, -1], [u, v0], h), reversible: true };
    },
    inverse: (term, t0, t1, y1, v1) => {
      const h = term.differential(t0, t1);
      const middle = term.combine(y1, [-1 / 2], [v1], h);
      const u = term.slope(timeAlong(t0, 1 / 2, h), middle);
      const carry0 = u.map((leaf, i) => weightedSum(null, [(-2 * eta) / (1 - 2 * eta), 1 / (1 - 2 * eta)], [leaf, v1[i]!]));
      return { y0: term.combine(middle, [-1 / 2], [carry0], h), carry0 };
    },
  } satisfies ReversibleSolver<Ode, EmbeddedStep & ReversibleStep>);
};
