/**
 * @file `solve`: a problem in, a solution out; for whoever watches, one operation.
 */
import { node, type Cotangent } from "@dydt/autodiff";
import { checkOptions, activeRecorders, identity, meterBytes, OptionError, tensor, unflatten, type Tensor, type TreeOf } from "@dydt/tensor";
import { differentiableTimes, type Adjoint, type OutputCotangents } from "./adjoint.js";
import { discreteAdjoint } from "./adjoints/discrete.js";
import type { Controller } from "./controller.js";
import { adaptive } from "./controllers/adaptive.js";
import { SolveError, type sentences, type Status } from "./errors.js";
import { begin, type Run } from "./integrate.js";
import { collect, type Collector, type Outputs } from "./outcome.js";
import { problemOf, stateLeaves, type Problem, type SolveStats } from "./problem.js";
import type { Regularizer } from "./regularizer.js";
import type { Solver } from "./solver.js";
import type { EmbeddedStep, Step, StiffnessStep } from "./step.js";
import type { RungeKuttaStep } from "./runge-kutta.js";
import { tsit5, type tsit5Tableau } from "./solvers/tsit5.js";
import type { Ode } from "./term.js";
import { timeValue } from "./time.js";

/** The record of the default solver. */
export type DefaultStep = RungeKuttaStep<typeof tsit5Tableau>;

type ErrorSentence<R> = R extends EmbeddedStep ? never : (typeof sentences)["adaptive"];
type CostSentence<R> =
  | (R extends EmbeddedStep ? never : (typeof sentences)["errorEstimate"])
  | (R extends StiffnessStep ? never : (typeof sentences)["stiffnessEstimate"]);

/** The controller of a solver: optional where the default one, {@link adaptive}, has the error estimate that it needs. */
export type ControllerOption<R extends Step> = R extends EmbeddedStep
  ? { readonly controller?: Controller<NoInfer<R>> }
  : { readonly controller: Controller<NoInfer<R>> | ErrorSentence<R> };

/** What a solve is told besides its field and initial state. */
export interface SolveSettings<R extends Step> {
  /** Where the initial state stands; a number, or a 0-d tensor to differentiate with respect to it. */
  readonly t0: number | Tensor;
  /** Where to solve to; may be before t0. */
  readonly t1: number | Tensor;
  /** Default {@link tsit5}. */
  readonly solver?: Solver<Ode, R>;
  /** Times whose states are wanted, in the direction of the solve, t0 and t1 allowed; default [t1]. The steps are not changed where the solver interpolates. */
  readonly saveAt?: readonly number[] | Tensor;
  /** How to differentiate; default {@link discreteAdjoint} with every state stored. */
  readonly adjoint?: Adjoint<NoInfer<R>>;
  /** Costs of the steps, returned as `penalties`. */
  readonly regularize?: Regularizer<NoInfer<R>> | readonly Regularizer<NoInfer<R>>[] | CostSentence<R>;
  /** Attempted steps before the solve is given up; default 100,000. */
  readonly maxSteps?: number;
}

/** Options of {@link solve}. */
export type SolveOptions<R extends Step> = SolveSettings<R> & ControllerOption<R>;

/** What a solve found. All tensors are on the heap and belong to the caller. */
export interface Solution<Y> {
  /** The save times, float64 `[n]`. */
  readonly ts: Tensor;
  /** The states there, a tree like y0 with a new first axis: `[n, ...]`. */
  readonly ys: Y;
  /** The state at t1. */
  readonly y1: Y;
  /** One scalar for each regularizer, in order, unweighted. */
  readonly penalties: readonly Tensor[];
  /** Every accepted step end, t0 included: `grid(solution)` repeats them. */
  readonly grid: readonly number[];
  /** How it ended. */
  readonly status: Status;
  readonly stats: SolveStats;
}

const known = ["t0", "t1", "solver", "controller", "saveAt", "adjoint", "regularize", "maxSteps"];

const requireObject = (name: string, value: unknown, method: string, example: string): void => {
  if (typeof value === "object" && value !== null && method in value) return;
  throw new OptionError(`${name} got ${typeof value === "string" ? `"${value}"` : typeof value}: pass ${example}`);
};

/** The problem that options describe, its initial state under headers of its own. */
export const problemFrom = <Y, R extends Step>(f: (t: Tensor, y: Y) => Y, y0: Y, options: SolveOptions<R>): Problem<R> => {
  if (typeof options !== "object" || options === null) throw new OptionError("solve needs options: at least { t0, t1 }");
  checkOptions("solve", options, known);
  const { t0, t1, saveAt, maxSteps } = options;
  const solver = options.solver ?? (tsit5() as unknown as Solver<Ode, R>);
  const controller = (options.controller ?? adaptive()) as unknown as Controller<R>;
  const regularize = options.regularize ?? [];
  const regularizers = (Array.isArray(regularize) ? regularize : [regularize]) as readonly Regularizer<R>[];
  requireObject("solver", solver, "step", "a solver such as tsit5()");
  requireObject("controller", controller, "begin", "a controller such as adaptive() or fixedSteps(n)");
  for (const regularizer of regularizers) requireObject("regularize", regularizer, "cost", "a regularizer such as errorEstimate()");
  // Under headers of its own: where f closes over the initial state as well, that is another way in for derivatives.
  const leaves = stateLeaves(y0).map((leaf) => identity(leaf));
  return problemOf(f, y0, leaves, { t0, t1, solver, controller, saveAt, regularizers, maxSteps });
};

const plainly = <R extends Step>(problem: Problem<R>): { readonly outputs: Outputs; readonly grid: readonly number[] } => {
  const run: Run<R> = begin(problem, "regions", () => ({ outputs: collector.outputs(), grid: [...collector.times] }));
  const collector: Collector<R> = collect(problem, run.control);
  try {
    for (const step of run.steps) collector.take(step);
    return { outputs: collector.outputs(), grid: collector.times };
  } finally {
    run.close();
  }
};

/**
 * Solves dy/dt = f(t, y) from t0 to t1.
 *
 * For whoever differentiates, the whole solve is one operation, whose derivative the adjoint computes: with respect to y0, t0, t1, save times, and every
 * watched tensor that f closes over, without being told.
 *
 * @param f - the field: gets the time as a 0-d tensor and the state, returns the slope, of the state's form, shapes and type. It must be a function of (t, y).
 * @param y0 - the initial state: a tensor, or a tree of tensors, of one float type.
 * @returns states at the save times, the end state, penalties and statistics.
 * @throws OptionError, ShapeError, DtypeError for what cannot be; MaxStepsError, StepTooSmallError, NonFiniteError, FieldError for what went wrong, with the
 * partial solution attached.
 * @example
 * const { ys } = solve((t, y) => y.neg(), tensor([1, 2]), { t0: 0, t1: 1, saveAt: [0.5, 1] });
 * expectClose(ys, [[0.6065306597, 1.2130613194], [0.3678794412, 0.7357588823]], { rtol: 1e-5 });
 */
export const solve = <Y, R extends Step = DefaultStep>(
  f: (t: Tensor, y: Y) => NoInfer<Y>,
  y0: Y & TreeOf<Y>,
  options: SolveOptions<R>,
): Solution<Y> => {
  const form: Y = y0;
  const problem = problemFrom(f, form, options);
  const adjoint: Adjoint<R> = options.adjoint ?? discreteAdjoint();
  requireObject("adjoint", adjoint, "solve", "an adjoint such as discreteAdjoint()");
  const peak = meterBytes();
  try {
    let grid: readonly number[] = [];
    let outputs: Outputs;
    if (activeRecorders().length === 0) ({ outputs, grid } = plainly(problem));
    else {
      outputs = asNode(problem, adjoint, (times) => {
        grid = times;
      });
    }
    problem.stats.peakBytes = peak();
    return solutionOf(form, problem, outputs, grid, "success");
  } catch (error) {
    if (error instanceof SolveError && error.solution !== undefined) {
      const { outputs, grid } = error.solution as { readonly outputs: Outputs; readonly grid: readonly number[] };
      problem.stats.peakBytes = peak();
      Object.defineProperty(error, "solution", { value: solutionOf(form, problem, outputs, grid, error.status) });
    }
    throw error;
  }
};

const solutionOf = <Y, R extends Step>(
  form: Y,
  problem: Problem<R>,
  { ys, y1, penalties }: Outputs,
  grid: readonly number[],
  status: Status,
): Solution<Y> => {
  const reached = ys[0]?.shape[0] ?? problem.saves.length;
  return Object.freeze({
    ts: tensor(problem.saves.slice(0, reached).map(timeValue)),
    ys: unflatten(form, ys),
    y1: unflatten(form, y1),
    penalties,
    grid,
    status,
    stats: problem.stats,
  });
};

/** The solve as one operation of whoever watches. */
const asNode = <R extends Step>(problem: Problem<R>, adjoint: Adjoint<R>, found: (grid: readonly number[]) => void): Outputs => {
  const times = differentiableTimes(problem);
  const count = problem.y0.length;
  const outputs = node("solve", [...problem.y0, ...times], () => {
    const { outputs, grid, pullback } = adjoint.solve(problem);
    found(grid);
    return {
      outputs: [...outputs.ys, ...outputs.y1, ...outputs.penalties],
      pullback: (cotangents: readonly Cotangent[], captured: readonly Tensor[]): readonly Cotangent[] => {
        const split: OutputCotangents = {
          ys: cotangents.slice(0, count),
          y1: cotangents.slice(count, 2 * count),
          penalties: cotangents.slice(2 * count),
        };
        const { y0, times: ofTimes, captured: ofCaptured } = pullback(split, captured);
        return [...y0, ...ofTimes, ...ofCaptured];
      },
    };
  });
  return { ys: outputs.slice(0, count), y1: outputs.slice(count, 2 * count), penalties: outputs.slice(2 * count) };
};
