/**
 * @file How a continuous adjoint solves backward: with which solver and controller, and how one stretch between two times is integrated.
 */
import { checkOptions, OptionError } from "@dydt/tensor";
import type { Controller, Tolerances } from "../controller.js";
import { adaptive } from "../controllers/adaptive.js";
import { grid } from "../controllers/fixed.js";
import { onLeadingLeaves } from "../controllers/leading-leaves.js";
import { SolveError, type Failure } from "../errors.js";
import { begin } from "../integrate.js";
import type { MutableStats, Problem } from "../problem.js";
import type { Solver } from "../solver.js";
import type { Leaves, Step } from "../step.js";
import { alone } from "../supervision.js";
import { odeTerm, type Ode } from "../term.js";
import { timeValue, type Time } from "../time.js";

/** How to solve backward; what is not given is as in the forward solve. */
export interface BackwardOptions<R extends Step = Step> {
  /** Default: the solver of the forward solve. */
  readonly solver?: Solver<Ode, R>;
  /** Decides the steps of each stretch between two save times. Default: adaptive with the tolerances below, or the forward steps again where those were given. */
  readonly controller?: Controller<NoInfer<R>>;
  /** Relative tolerance; default that of the forward solve. */
  readonly rtol?: number;
  /** Absolute tolerance, for cotangents whose largest is of order one: they are scaled by a power of two. Default that of the forward solve. */
  readonly atol?: number;
  /** Whether the integrals that are parameter gradients are left out of the error norm; default true. */
  readonly seminorm?: boolean;
  /** Attempted steps of one stretch; default that of the forward solve. */
  readonly maxSteps?: number;
}

/** The option names of {@link BackwardOptions}. */
export const backwardOptionNames = ["solver", "controller", "rtol", "atol", "seminorm", "maxSteps"];

/** @throws OptionError for options of an adjoint that are not known, or contradict each other. */
export const checkBackward = <R extends Step>(name: string, options: BackwardOptions<R>, more: readonly string[] = []): void => {
  checkOptions(name, options, [...backwardOptionNames, ...more]);
  const { solver, controller, rtol, atol, seminorm } = options;
  if (solver !== undefined && (typeof solver !== "object" || !("step" in solver)))
    throw new OptionError(`${name} got a ${typeof solver} as solver: pass a solver such as tsit5()`);
  if (controller !== undefined && (typeof controller !== "object" || !("begin" in controller)))
    throw new OptionError(`${name} got a ${typeof controller} as controller: pass a controller such as adaptive() or fixedSteps(n)`);
  if (controller !== undefined && (rtol !== undefined || atol !== undefined))
    throw new OptionError(`${name} got a controller and tolerances: give the tolerances to the controller, as adaptive({ rtol, atol })`);
  for (const [key, value] of [
    ["rtol", rtol],
    ["atol", atol],
  ] as const)
    // prettier-ignore
    if (value !== undefined && !(value >= 0 && value < Infinity)) throw new OptionError(`${name} got ${key} = ${value}: a number of at least 0 is needed`);
  if (seminorm !== undefined && typeof seminorm !== "boolean") throw new OptionError(`${name} got seminorm ${String(seminorm)}: true or false`);
};

/** The strictest of the tolerances that a controller used. */
export const strictest = (tolerances: Tolerances | undefined): { readonly rtol?: number; readonly atol?: number } => {
  if (tolerances === undefined) return {};
  const least = (arrays: readonly Float64Array[]): number => arrays.reduce((low, array) => array.reduce((a, b) => Math.min(a, b), low), Infinity);
  const [rtol, atol] = [least(tolerances.rtol), least(tolerances.atol)];
  return { ...(rtol < Infinity && { rtol }), ...(atol < Infinity && { atol }) };
};

/** A problem like another one, but for what is given; without outputs of its own. */
export const sideProblem = <R extends Step, S extends Step>(
  problem: Problem<R>,
  changes: Pick<Problem<S>, "term" | "t0" | "t1" | "y0" | "solver" | "controller" | "stops"> & { readonly maxSteps?: number },
): Problem<S> => ({
  saves: [],
  regularizers: [],
  ...alone(),
  form: changes.y0,
  maxSteps: problem.maxSteps,
  stats: { evaluations: 0, accepted: 0, rejected: 0, peakBytes: 0, reverse: undefined } satisfies MutableStats,
  ...changes,
});

/** A term over plain lists of tensors with this slope. */
export const listTerm = (leaves: Leaves, slope: (t: Time, y: Leaves) => Leaves): Ode => ({
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

/** What is solved backward, and how. */
export interface Backward<R extends Step> {
  readonly name: string;
  readonly problem: Problem<R>;
  readonly grid: readonly number[];
  readonly tolerances: Tolerances | undefined;
  readonly options: BackwardOptions;
  readonly slope: (t: Time, state: Leaves) => Leaves;
  /** How many tensors of the state the controller looks at. */
  readonly leading: number;
  /** Sees each accepted step while it is valid. */
  readonly look?: (step: Step) => void;
}

/** Counts of the backward solve, over all stretches. */
export interface BackwardCounts {
  steps: number;
  rejected: number;
  /** Length of the last attempt, to begin the next stretch with. */
  length: number | undefined;
}

/** Integrates from (from, state) back to `to`, and gives the state there to `done` while it is valid. */
export const solveStretch = <R extends Step, T>(
  { name, problem, grid: forward, tolerances, options, slope, leading, look }: Backward<R>,
  counts: BackwardCounts,
  from: number,
  to: number,
  state: Leaves,
  done: (state: Leaves) => T,
): T => {
  const solver = options.solver ?? problem.solver;
  const span = Math.abs(to - from);
  const follow = options.controller === undefined && options.rtol === undefined && options.atol === undefined && tolerances === undefined;
  const controller =
    options.controller ??
    (follow
      ? grid(backAlong(forward, from, to))
      : (adaptive({
          ...strictest(tolerances),
          ...(options.rtol !== undefined && { rtol: options.rtol }),
          ...(options.atol !== undefined && { atol: options.atol }),
          ...(counts.length !== undefined && { first: Math.min(counts.length, span) }),
        }) as unknown as Controller<Step>));
  const [low, high] = from < to ? [from, to] : [to, from];
  const stops = [...new Set(problem.stops.map(timeValue))].filter((t) => t > low && t < high).reverse();
  const side = sideProblem<R, Step>(problem, {
    term: listTerm(state, slope),
    t0: from,
    t1: to,
    y0: state,
    solver,
    controller: leading < state.length ? onLeadingLeaves(controller, leading) : controller,
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
