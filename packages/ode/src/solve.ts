/**
 * @file `solve`: a problem in, a solution out; for whoever watches, one operation.
 */
import { node, type Cotangent, type NodeResult } from "@dydt/autodiff";
import { activeRecorders, formatShape, isTensor, meterBytes, OptionError, ShapeError, type Tensor, type TreeOf } from "@dydt/tensor";
import { requireObject } from "./arguments.js";
import { differentiableTimes, type AnyAdjoint, type InputCotangents, type OpenAdjoint, type OutputCotangents } from "./adjoint.js";
import { discreteAdjoint } from "./adjoints/discrete.js";
import { observed } from "./ambient.js";
import { grid as along } from "./controllers/fixed.js";
import { IncompatibleError, SolveError } from "./errors.js";
import * as sentences from "./sentences.js";
import { begin, type Run } from "./integrate.js";
import { collect, type Collector, type Outputs } from "./outcome.js";
import type { Problem } from "./problem.js";
import { problemFrom, savedValue, type DefaultStep, type SavedValue, type SolveOptions } from "./settings.js";
import { runningCostsOf, withRunningCosts } from "./regularizers/running.js";
import { solutionOf, valuesOf, type Reached, type Solution } from "./solution.js";
import type { Leaves, Step } from "./step.js";
import { alone } from "./supervision.js";
import { inOrder, timeValue, type Time } from "./time.js";

/** A solve that has begun, and collects what is asked for. */
const beginCollecting = <R extends Step, V>(problem: Problem<R>, value: SavedValue<V> | undefined) => {
  const reached = (): Reached => ({ outputs: collector.outputs(), grid: [...collector.times], happenings: collector.happenings });
  const run: Run<R> = begin(problem, "open", reached);
  const collector: Collector<R> = collect(problem, run, value?.of);
  const close = (): void => {
    problem.ending.stand = run.stand();
    collector.close();
    run.close();
  };
  return { steps: run.steps, take: collector.take, reached, close };
};

/** The solve in one go. */
const atOnce = <R extends Step, V>(problem: Problem<R>, value: SavedValue<V> | undefined): Reached => {
  const { steps, take, reached, close } = beginCollecting(problem, value);
  try {
    for (const step of steps) take(step);
    return reached();
  } finally {
    close();
  }
};

/** The solve, step by step. */
function* stepwise<R extends Step, V>(problem: Problem<R>, value: SavedValue<V> | undefined): Generator<void, Reached> {
  const { steps, take, reached, close } = beginCollecting(problem, value);
  try {
    for (const step of steps) {
      take(step);
      yield;
    }
    return reached();
  } finally {
    close();
  }
}

/** A solve that is set up: how it is run is left open. */
export interface Prepared<Y, V> {
  readonly atOnce: () => Reached;
  readonly stepwise: () => Generator<void, Reached>;
  /** The solve, by its adjoint, for whoever differentiates it. */
  readonly differentiated: () => Reached;
  /** The solution, which a failure gets, too. */
  readonly finish: (reached: Reached) => Solution<Y, V>;
  /** What is thrown in the place of an error of the body: a failure of this solve has the partial solution then. */
  readonly failed: (error: unknown) => unknown;
}

/** Checks everything, and begins nothing. Running costs become a part of the state. */
export const prepare = <Y, R extends Step, V>(f: (t: Tensor, y: Y) => Y, y0: Y, options: SolveOptions<R, Y, V>): Prepared<Y, V> => {
  if (typeof options !== "object" || options === null || runningCostsOf(options.regularize).length === 0)
    return prepareState(f, y0, options, (solution) => solution);
  // What it goes on from has the costs, too.
  const { controller } = problemFrom<Y, R, V>(f, y0, { ...options, regularize: [], resume: undefined } as SolveOptions<R, Y, V>);
  const costly = withRunningCosts(f, y0, options, controller);
  return prepareState(costly.field, costly.y0, costly.options, costly.solution);
};

/** @param shown - what the caller sees of the solution. */
const prepareState = <Y, R extends Step, V, S>(
  f: (t: Tensor, y: Y) => Y,
  y0: Y,
  options: SolveOptions<R, Y, V>,
  shown: (solution: Solution<Y, V>) => Solution<S, V>,
): Prepared<S, V> => {
  const described = problemFrom<Y, R, V>(f, y0, options);
  const asked: AnyAdjoint<R> = options.adjoint ?? discreteAdjoint();
  requireObject("adjoint", asked, "solve", "an adjoint such as discreteAdjoint()");
  const how: unknown = asked.solve;
  if (typeof how !== "function" && how !== "openly")
    throw new OptionError(`adjoint got a solve of type ${typeof how}: pass an adjoint such as discreteAdjoint()`);
  const { problem, adjoint, done } = observed(described, asked);
  const value = savedValue<Y, V>(y0, options.saveAt);
  if (adjoint.differentiates === "flow" && problem.regularizers.length > 0) throw new IncompatibleError(sentences.continuousAdjoint);
  const peak = meterBytes();

  const again = (t: Time, times: readonly number[]): Leaves => {
    if (problem.events.length > 0) throw new OptionError("at(t) has no derivative in a solve with events: ask for the time with saveAt");
    if (problem.supervision.resume !== undefined)
      throw new OptionError("at(t) has no derivative in a solve that was resumed, whose beginning is not known: ask for the time with saveAt");
    const ends = new Set(times);
    const reached = problem.stops.filter((stop) => ends.has(timeValue(stop)));
    // Steps that ended at save times move with them.
    const stops = problem.solver.interpolates === true ? reached : inOrder([...reached, t], problem);
    const saves = inOrder([...new Set([...reached.filter(isTensor), t])], problem);
    const reaches = timeValue(problem.t1) === times[times.length - 1];
    const t1 = reaches ? problem.t1 : times[times.length - 1]!;
    const along1: Problem<R> = {
      ...problem,
      ...alone(),
      t1,
      saves,
      stops,
      regularizers: [],
      controller: along(times),
      stats: { ...problem.stats },
    };
    return differentiated(along1, adjoint).outputs.ys.map((leaf) => leaf.at(saves.indexOf(t)));
  };
  const finish = (reached: Reached): Solution<S, V> => {
    problem.stats.peakBytes = peak();
    done(reached.grid);
    const applied = value === undefined || reached.happenings !== undefined;
    const outputs: Outputs = applied ? reached.outputs : { ...reached.outputs, ys: valuesOf(problem, reached, value) };
    const solution = shown(solutionOf(y0, problem, { ...reached, outputs }, value, again));
    if (solution.error !== undefined) Object.defineProperty(solution.error, "solution", { value: solution });
    return solution;
  };
  return {
    atOnce: () => atOnce(problem, value),
    stepwise: () => stepwise(problem, value),
    differentiated: () => differentiated(problem, adjoint, value),
    finish,
    failed: (error) => {
      if (error instanceof SolveError && error === problem.ending.error)
        finish({ happenings: undefined, ...(error.solution as Omit<Reached, "happenings">) });
      return error;
    },
  };
};

/**
 * Solves dy/dt = f(t, y) from t0 to t1.
 *
 * For whoever differentiates, the whole solve is one operation, whose derivative the adjoint computes: with respect to y0, t0, t1, save times, and every
 * watched tensor that f, an event or a saved value closes over, without being told.
 *
 * @param f - the field: gets the time as a 0-d tensor and the state, returns the slope, of the state's form, shapes and type. It must be a function of (t, y).
 * @param y0 - the initial state: a tensor, or a tree of tensors, of one float type.
 * @returns states at the save times, the end state, events, penalties and statistics.
 * @throws OptionError, ShapeError, DtypeError for what cannot be; MaxStepsError, StepTooSmallError, NonFiniteError, AbortedError, TimeLimitError, FieldError,
 * EventError for what went wrong, with the partial solution attached.
 * @example
 * const { ys } = solve((t, y) => y.neg(), tensor([1, 2]), { t0: 0, t1: 1, saveAt: [0.5, 1] });
 * expectClose(ys, [[0.6065306597, 1.2130613194], [0.3678794412, 0.7357588823]], { rtol: 1e-5 });
 * @example
 * // Every step, but only the sum of the state; the second call goes on where the first was stopped.
 * const options = { t0: 0, t1: 1, saveAt: { every: "step", value: (t: Tensor, y: Tensor) => y.sum() } } as const;
 * const part = solve((t, y) => y.neg(), tensor([1, 2]), { ...options, onStep: ({ t1 }) => t1 < 0.5 });
 * const rest = solve((t, y) => y.neg(), tensor([1, 2]), { ...options, resume: part.resume! });
 * expectClose(concat([part.ys, rest.ys]), concat([part.ts, rest.ts]).neg().exp().mul(3), { rtol: 1e-5 });
 */
export const solve = <Y, R extends Step = DefaultStep, V = Y>(
  f: (t: Tensor, y: Y) => NoInfer<Y>,
  y0: Y & TreeOf<Y>,
  options: SolveOptions<R, NoInfer<Y>, V>,
): Solution<Y, V> => {
  const { atOnce, differentiated, finish, failed } = prepare<Y, R, V>(f, y0, options);
  let reached: Reached;
  try {
    // Forward modes see through the solve: for them alone there is nothing to store.
    reached = activeRecorders().every(({ seesThrough }) => seesThrough !== undefined) ? atOnce() : differentiated();
  } catch (error) {
    throw failed(error);
  }
  return finish(reached);
};

/** The solve, by its adjoint, for whoever differentiates it. */
const differentiated = <R extends Step, V>(problem: Problem<R>, adjoint: AnyAdjoint<R>, value?: SavedValue<V>): Reached => {
  if (adjoint.solve !== "openly") return asNode(problem, adjoint);
  const reached = atOnce(problem, value);
  problem.stats.reverse = { evaluations: 0, advanced: 0, taped: 0 }; // whoever walks back finds everything recorded
  return reached;
};

const secondDerivatives =
  "For second derivatives use jvp of gradient, as hessianVectorProduct does, or solve with directAdjoint(), or differentiate a loop over integrate(...): both record every operation";

/** The solve as one operation of whoever watches. */
const asNode = <R extends Step>(problem: Problem<R>, adjoint: Exclude<AnyAdjoint<R>, OpenAdjoint<R>>): Reached => {
  if (problem.events.length > 0 && adjoint.events !== true)
    throw new IncompatibleError(`${adjoint.name} does not differentiate events: take discreteAdjoint()`);
  const times = differentiableTimes(problem);
  let found: Pick<Reached, "outputs" | "grid"> | undefined;
  const forward = (): NodeResult => {
    const { outputs, grid, pullback } = adjoint.solve(problem);
    found = { outputs, grid };
    return {
      outputs: flat(outputs),
      pullback: (cotangents: readonly Cotangent[], captured: readonly Tensor[]): readonly Cotangent[] => {
        const { y0, times: ofTimes, captured: ofCaptured }: Partial<InputCotangents> = pullback(like(outputs, cotangents), captured);
        return [
          ...requireLike(adjoint.name, "y0", y0, problem.y0),
          ...requireLike(adjoint.name, "times", ofTimes, times),
          ...requireLike(adjoint.name, "captured", ofCaptured, captured),
        ];
      },
    };
  };
  const outputs = node("solve", [...problem.y0, ...times], forward, { secondDerivatives });
  const { outputs: form, grid } = found!;
  return { outputs: like(form, outputs) as Outputs, grid, happenings: undefined };
};

/** @throws ShapeError where an adjoint returned other cotangents than those of these tensors. */
const requireLike = (name: string, what: string, cotangents: readonly Cotangent[] | undefined, tensors: readonly Tensor[]): readonly Cotangent[] => {
  const found = cotangents?.map((cotangent) => cotangent && formatShape(cotangent.shape));
  const wanted = tensors.map(({ shape }) => formatShape(shape));
  if (cotangents?.length === wanted.length && found!.every((shape, i) => shape === undefined || shape === wanted[i])) return cotangents;
  const list = (shapes: readonly (string | undefined)[]): string => `(${shapes.map((shape) => shape ?? "none").join(", ")})`;
  const returned = found === undefined ? `no cotangents of ${what}` : `cotangents of ${what} of shapes ${list(found)}`;
  throw new ShapeError(`the pullback of ${name} returned ${returned}: ${list(wanted)} are needed`);
};

const flat = ({ ys, y1, penalties, events }: Outputs): readonly Tensor[] => [
  ...ys, ...y1, ...penalties, ...events.flatMap(({ times, states }) => [times, ...states]),
]; // prettier-ignore

/** A list in the order of {@link flat} in the form of outputs. */
const like = (outputs: Outputs, list: readonly Cotangent[]): OutputCotangents => {
  let next = 0;
  const take = (count: number): readonly Cotangent[] => list.slice(next, (next += count));
  return {
    ys: take(outputs.ys.length),
    y1: take(outputs.y1.length),
    penalties: take(outputs.penalties.length),
    events: outputs.events.map(({ states }) => ({ times: take(1)[0], states: take(states.length) })),
  };
};
