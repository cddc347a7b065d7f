/**
 * @file How a continuous adjoint solves backward: with which solver and controller, and how one stretch between two times is integrated.
 */
import { ShapeError } from "@dydt/tensor";
import type { Controller, ControlSetup, Tolerances } from "../controller.js";
import { adaptive } from "../controllers/adaptive.js";
import { grid } from "../controllers/fixed.js";
import { onLeadingLeaves } from "../controllers/leading-leaves.js";
import { SolveError, type Failure } from "../errors.js";
import { begin } from "../integrate.js";
import type { MutableStats, Problem } from "../problem.js";
import type { Leaves, Step } from "../step.js";
import { alone } from "../supervision.js";
import { odeTerm, type Ode } from "../term.js";
import { timeValue, type Time } from "../time.js";
import type { BackwardOptions } from "./backward-options.js";
import type { Forward } from "./forward-run.js";

/** The strictest of the tolerances that a controller used. */
export const strictest = (tolerances: Tolerances | undefined): { readonly rtol?: number; readonly atol?: number } => {
  if (tolerances === undefined) return {};
  const least = (arrays: readonly Float64Array[]): number => arrays.reduce((low, array) => array.reduce((a, b) => Math.min(a, b), low), Infinity);
  const [rtol, atol] = [least(tolerances.rtol), least(tolerances.atol)];
  return { ...(rtol < Infinity && { rtol }), ...(atol < Infinity && { atol }) };
};

/** A problem like another one, but for what is given; without outputs of its own. */
export const sideProblem = <R extends Step, S extends Step>(
  { form, maxSteps }: Problem<R>,
  changes: Pick<Problem<S>, "term" | "t0" | "t1" | "y0" | "solver" | "controller" | "stops"> &
    Partial<Pick<Problem<S>, "form" | "maxSteps" | "saves" | "regularizers" | "events">>,
): Problem<S> => ({
  saves: [],
  regularizers: [],
  ...alone(),
  form,
  maxSteps,
  stats: { evaluations: 0, accepted: 0, rejected: 0, peakBytes: 0, reverse: undefined } satisfies MutableStats,
  ...changes,
});

/** A term over plain lists of tensors with this slope. */
const listTerm = (leaves: Leaves, slope: (t: Time, y: Leaves) => Leaves): Ode => ({
  ...odeTerm<Leaves>(
    (_t, y) => y,
    leaves,
    leaves,
    () => undefined,
  ),
  slope,
});

/** The step ends of the forward solve from one time back to another. */
const backAlong = (forward: readonly number[], from: number, to: number): readonly number[] => {
  const [low, high] = from < to ? [from, to] : [to, from];
  return [from, ...forward.filter((t) => t > low && t < high).reverse(), to];
};

/** A controller of the user's, which says what is wanted where it does not fit. */
const fitting = (name: string, controller: Controller<Step>): Controller<Step> => ({
  ...controller,
  begin: (setup: ControlSetup) => {
    try {
      return controller.begin(setup);
    } catch (cause) {
      if (!(cause instanceof ShapeError)) throw cause;
      throw new ShapeError(
        `the controller of ${name} does not fit: ${cause.message}. Its tolerances are for the costate, and have the form of the state; ` +
          `for backsolveAdjoint a list of two, for the costate and the state; with seminorm: false a number`,
        { cause },
      );
    }
  },
});

/** Counts of the backward solve, over all stretches. */
export interface BackwardCounts {
  steps: number;
  rejected: number;
  /** Length of the last attempt, to begin the next stretch with. */
  length: number | undefined;
}

/** What is solved backward, and how. */
interface Backward<R extends Step> {
  readonly name: string;
  readonly forward: Forward<R>;
  readonly options: BackwardOptions;
  readonly counts: BackwardCounts;
  readonly slope: (t: Time, state: Leaves) => Leaves;
  /** How many tensors of the state the controller looks at, and the tree that they are. */
  readonly leading: number;
  readonly form: unknown;
  /** Sees each accepted step while it is valid. */
  readonly look?: (step: Step) => void;
}

/** What decides the steps of a stretch. */
const controllerOf = <R extends Step>({ name, forward, options, counts }: Backward<R>, from: number, to: number): Controller<Step> => {
  const { controller, rtol, atol } = options;
  if (controller !== undefined) return fitting(name, controller);
  const { tolerances, times } = forward;
  if (rtol === undefined && atol === undefined && tolerances === undefined) return grid(backAlong(times, from, to));
  return adaptive({
    ...strictest(tolerances),
    ...(rtol !== undefined && { rtol }),
    ...(atol !== undefined && { atol }),
    ...(counts.length !== undefined && { first: Math.min(counts.length, Math.abs(to - from)) }),
  }) as unknown as Controller<Step>;
};

/** Integrates from (from, state) back to `to`, and gives the state there to `done` while it is valid. */
export const solveStretch = <R extends Step, T>(backward: Backward<R>, from: number, to: number, state: Leaves, done: (state: Leaves) => T): T => {
  const { name, options, counts, slope, leading, form, look } = backward;
  const { problem } = backward.forward;
  const controller = controllerOf(backward, from, to);
  const [low, high] = from < to ? [from, to] : [to, from];
  const stops = [...new Set(problem.stops.map(timeValue))].filter((t) => t > low && t < high).reverse();
  const side = sideProblem<R, Step>(problem, {
    term: listTerm(state, slope),
    t0: from,
    t1: to,
    y0: state,
    form,
    solver: options.solver ?? problem.solver,
    controller: leading < state.length ? onLeadingLeaves(controller, leading, form) : controller,
    stops,
    maxSteps: options.maxSteps ?? problem.maxSteps,
  });
  const run = begin(side, "regions");
  try {
    let end = state;
    for (const step of run.steps) {
      look?.(step);
      end = step.y1;
      // The last step of a stretch is cut short: the longest of the last two tells how the next may begin.
      counts.length = Math.max(Math.abs(step.t1 - step.t0), step.t1 === to ? (counts.length ?? 0) : 0);
    }
    counts.steps += side.stats.accepted;
    counts.rejected += side.stats.rejected;
    return done(end);
  } catch (error) {
    if (!(error instanceof SolveError)) throw error;
    const { status, t, recent } = error as Failure;
    throw new SolveError(
      `the backward solve of ${name} from t = ${from} to ${to} failed: ${error.message}. The adjoint equation may be stiff or unstable backward: ` +
        `try discreteAdjoint(), which solves nothing backward, or another solver, tolerance or adjoint for the reverse`,
      { status, t, recent, cause: error },
    );
  } finally {
    run.close();
  }
};
