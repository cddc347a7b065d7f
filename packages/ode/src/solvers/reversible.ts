/**
 * @file Any one-step method, made reversible.
 *
 * With Ψ_h(t, y) the increment of the method's step of length h from (t, y), and z = y at first,
 *
 *   y₁ = λ y₀ + (1 − λ) z₀ + Ψ_h(t₀, z₀)       = λ (y₀ − z₀) + Φ_h(t₀, z₀)
 *   z₁ = z₀ − Ψ₋ₕ(t₁, y₁)                      = z₀ + y₁ − Φ₋ₕ(t₁, y₁)
 * and back, by the same equations,
 *   z₀ = z₁ − y₁ + Φ₋ₕ(t₁, y₁)
 *   y₀ = z₀ + (y₁ − Φ_h(t₀, z₀)) / λ
 *
 * where Φ is the step itself. The order is that of the method, for twice its evaluations of f, either way. z is carried and a part of the state. No dense output.
 * S. McCallum, J. Foster, Efficient, accurate and stable gradients for neural ODEs, arXiv 2410.11648, eq. 5 and 6.
 */
import { checkOptions, OptionError, weightedSum } from "@dydt/tensor";
import { requireObject } from "../arguments.js";
import type { ReversibleSolver, Solver } from "../solver.js";
import type { EmbeddedStep, Leaves, ReversibleStep, Step } from "../step.js";
import type { Ode } from "../term.js";
import { timeValue, type Time } from "../time.js";

/** Options of {@link reversible}. */
export interface ReversibleOptions {
  /** λ, which ties the two states together: above 0, at most 1. The nearer to 1, the less rounding grows on the way back, by 1/λ a step. Default 0.999. */
  readonly coupling?: number | undefined;
}

/** The record of a method that was made reversible: with its error estimate, where it has one. */
export type ReversedStep<R extends Step> = ReversibleStep & (R extends EmbeddedStep ? EmbeddedStep : unknown);

/** a + w (b − c). */
const corrected = (a: Leaves, w: number, b: Leaves, c: Leaves): Leaves => a.map((leaf, i) => weightedSum(leaf, [w, -w], [b[i]!, c[i]!]));

/**
 * Makes a one-step method reversible: of the same order, and every step can be undone.
 *
 * Not recommended where the states fit into memory: it takes twice the evaluations of f, and its region of stability is much smaller than that of the method.
 *
 * @param solver - a method that remembers nothing, or what it can recover: {@link rk4}, {@link tsit5}, ...
 * @param options - the coupling.
 * @returns a solver whose steps can be undone, and carry the method's error estimate.
 * @throws OptionError for a coupling that is not above 0 and at most 1, or a method that carries a state of its own.
 * @example
 * const { y1 } = solve((t, y) => y.neg(), tensor([1]), { t0: 0, t1: 1, solver: reversible(rk4()), controller: fixedSteps(20) });
 * expectClose(y1, [0.36787944117144233], { rtol: 1e-6 });
 */
export const reversible = <R extends Step>(solver: Solver<Ode, R>, options: ReversibleOptions = {}): ReversibleSolver<Ode, ReversedStep<R>> => {
  checkOptions("reversible", options, ["coupling"]);
  const { coupling = 0.999 } = options;
  if (!(typeof coupling === "number" && coupling > 0 && coupling <= 1))
    throw new OptionError(`reversible got coupling = ${coupling}: a number above 0, at most 1, is needed`);
  requireObject("reversible", solver, "step", "a solver such as rk4()");
  if (solver.carries === "state")
    throw new OptionError(`reversible got ${solver.name}, which carries a state from step to step: a one-step method such as rk4() is needed`);
  const through = (term: Ode, from: Time, to: Time, y: Leaves): R => solver.step(term, from, to, y, solver.start(term, from, y));
  return Object.freeze({
    name: `reversible(${solver.name})`,
    order: solver.order,
    errorOrder: solver.errorOrder,
    carries: "state",
    start: (_term: Ode, _t0: Time, y0: Leaves) => y0,
    step: (term: Ode, t0: Time, t1: Time, y0: Leaves, z0: Leaves) => {
      const ahead = through(term, t0, t1, z0);
      const y1 = corrected(ahead.y1, coupling, y0, z0);
      const carry = corrected(z0, 1, y1, through(term, t1, t0, y1).y1);
      const record: ReversibleStep = { t0: timeValue(t0), t1: timeValue(t1), h: ahead.h, y0, y1, carry, reversible: true };
      if ("error" in ahead) Object.defineProperty(record, "error", { get: () => (ahead as unknown as EmbeddedStep).error, enumerable: true });
      return record as ReversedStep<R>;
    },
    inverse: (term: Ode, t0: Time, t1: Time, y1: Leaves, z1: Leaves) => {
      const carry0 = corrected(z1, 1, through(term, t1, t0, y1).y1, y1);
      return { y0: corrected(carry0, 1 / coupling, y1, through(term, t0, t1, carry0).y1), carry0 };
    },
  });
};
