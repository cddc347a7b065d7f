/**
 * @file What a solver is: a pure function from a state to a step record.
 *
 * **Contract.** `step` computes with tensor operations only and changes nothing; the same arguments give the same bits. A stage with c = 1 is evaluated at
 * t1 itself. A recoverable carry is what `start(term, t1, y1)` would give, with the same bits; it is never stored. A carry of kind "state" is part of the
 * solution, and is stored with it.
 *
 * **Example.** Euler's method:
 *
 * @example
 * const myEuler: Solver<Ode, Step> = {
 *   name: "myEuler", order: 1, carries: "nothing", start: () => [],
 *   step: (term, t0, t1, y0) => {
 *     const h = term.differential(t0, t1);
 *     const y1 = term.combine(y0, [1], [term.slope(t0, y0)], h);
 *     return { t0: timeValue(t0), t1: timeValue(t1), h, y0, y1, carry: [] };
 *   },
 * };
 * const { y1 } = solve((t, y) => y.neg(), tensor([1]), { t0: 0, t1: 1, solver: myEuler, controller: fixedSteps(1000) });
 * expectClose(y1, [0.36788], { rtol: 1e-3 });
 */
import type { Leaves, ReversibleStep, Step } from "./step.js";
import type { Tableau } from "./tableau.js";
import type { Term } from "./term.js";
import type { Time } from "./time.js";

/** A method for terms T whose steps are records R. */
export interface Solver<in T extends Term, out R extends Step> {
  readonly name: string;
  /** Order of the solution. */
  readonly order: number;
  /** Order of the embedded solution, when there is one. */
  readonly errorOrder?: number | undefined;
  /** How far the region of stability reaches along the negative axis. */
  readonly stabilitySize?: number | undefined;
  /** Whether its steps can be evaluated in between (`at`); where not, steps end at the save times. Default false. */
  readonly interpolates?: boolean;
  /** The order to which `at` is right at every time of the step, where it interpolates. */
  readonly denseOrder?: number | undefined;
  /** What it solves: any system (default), or only systems of second order, in states of positions and velocities. */
  readonly equations?: "first order" | "second order";
  /** The coefficients of an explicit Runge–Kutta method. */
  readonly tableau?: Tableau;
  /** What is carried from step to step: nothing, something that `start` would give too, or a part of the state. */
  readonly carries: "nothing" | "recoverable" | "state";
  /** The carry before the first step. */
  readonly start: (term: T, t0: Time, y0: Leaves) => Leaves;
  /** One step from (t0, y0) to t1. */
  readonly step: (term: T, t0: Time, t1: Time, y0: Leaves, carry: Leaves) => R;
  /** The way back, of solvers that have one: see {@link ReversibleSolver}. */
  readonly inverse?: Inverse<T>;
}

/** What was before a step: the state and the carry that `step` got. */
export interface Before {
  readonly y0: Leaves;
  readonly carry0: Leaves;
}

/**
 * Undoes a step: from t1, with the state and the carry that the step from t0 left there, to what it began with.
 *
 * It is given the times in the order of the step, t0 first, and solves the equations of the step for its beginning, so that it is exact but for rounding.
 */
export type Inverse<in T extends Term> = (term: T, t0: Time, t1: Time, y1: Leaves, carry1: Leaves) => Before;

/**
 * A solver whose steps can be undone, by algebra and not by solving backward in time: an adjoint needs none of the states between, and is exact.
 *
 * A carry of kind "state" goes both ways, and begins with `start`. For a recoverable one `carry0` has the value of `start(term, t0, y0)`, up to rounding.
 *
 * @example
 * const solver: ReversibleSolver<Ode, ReversibleStep> = reversibleHeun();
 * const [step] = [...integrate((t, y) => y.neg(), tensor([1]), { t0: 0, t1: 0.1, solver, controller: fixedSteps(1) })];
 * expectClose(step!.y1, [0.905], { rtol: 1e-12 });
 */
export interface ReversibleSolver<in T extends Term, out R extends ReversibleStep> extends Solver<T, R> {
  readonly inverse: Inverse<T>;
}
