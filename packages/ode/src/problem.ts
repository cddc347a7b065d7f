/**
 * @file A problem: everything a solve needs, checked, as plain data.
 */
import { DtypeError, formatShape, isFloat, isTensor, kernels, leavesOf, OptionError, type Tensor } from "@dydt/tensor";
import type { Controller } from "./controller.js";
import { NonFiniteError } from "./errors.js";
import type { Regularizer } from "./regularizer.js";
import type { Solver } from "./solver.js";
import type { Leaves, Step } from "./step.js";
import { odeTerm, type Ode } from "./term.js";
import { timeValue, type Time } from "./time.js";

/** Counts of a solve. */
export interface SolveStats {
  /** Evaluations of f in the forward solve. */
  readonly evaluations: number;
  /** Steps accepted. */
  readonly accepted: number;
  /** Attempts that the controller rejected. */
  readonly rejected: number;
  /** High-water mark of regions and checkpoint stores, the reverse included once it has run; tensors of the heap are not counted. */
  readonly peakBytes: number;
  /** Filled when the pullback runs. */
  readonly reverse: ReverseStats | undefined;
}

/** Counts of a pullback. */
export interface ReverseStats {
  /** Evaluations of f. */
  readonly evaluations: number;
  /** Steps run again without a tape. */
  readonly advanced: number;
  /** Steps run again under a tape. */
  readonly taped: number;
}

/** The counts while they are counted. */
export type MutableStats = { -readonly [K in keyof SolveStats]: SolveStats[K] };

/** Everything a solve needs. */
export interface Problem<R extends Step> {
  readonly term: Ode;
  readonly t0: Time;
  readonly t1: Time;
  readonly y0: Leaves;
  readonly solver: Solver<Ode, R>;
  readonly controller: Controller<R>;
  /** Times whose states are wanted, in the direction of the solve. */
  readonly saves: readonly Time[];
  /** Times besides t1 that steps must end at. */
  readonly stops: readonly Time[];
  readonly regularizers: readonly Regularizer<R>[];
  readonly maxSteps: number;
  readonly stats: MutableStats;
}

/** What {@link problemOf} makes a problem of. */
export interface ProblemOptions<R extends Step> {
  readonly t0: number | Tensor;
  readonly t1: number | Tensor;
  readonly solver: Solver<Ode, R>;
  readonly controller: Controller<R>;
  readonly saveAt: readonly number[] | Tensor | undefined;
  readonly regularizers: readonly Regularizer<R>[];
  readonly maxSteps: number | undefined;
}

const finiteTime = (name: string, t: number | Tensor): Time => {
  if (isTensor(t) && (t.size !== 1 || t.rank !== 0))
    throw new OptionError(`${name} got a tensor of shape ${formatShape(t.shape)}: a number or a 0-d tensor is needed`);
  if (!isTensor(t) && typeof t !== "number") throw new OptionError(`${name} got ${typeof t}: a number or a 0-d tensor is needed`);
  if (!Number.isFinite(timeValue(t))) throw new OptionError(`${name} got ${timeValue(t)}: a finite time is needed`);
  if (isTensor(t) && !isFloat(t.dtype)) throw new DtypeError(`${name} got a tensor of type ${t.dtype}: float64 is needed`);
  return isTensor(t) && t.dtype !== "float64" ? t.cast("float64") : t;
};

const saveTimes = (saveAt: readonly number[] | Tensor | undefined, from: number, to: number): readonly Time[] => {
  if (saveAt === undefined) return [to];
  if (isTensor(saveAt) && saveAt.rank !== 1)
    throw new OptionError(`saveAt got a tensor of shape ${formatShape(saveAt.shape)}: a list of times is needed`);
  if (!isTensor(saveAt) && !Array.isArray(saveAt)) throw new OptionError(`saveAt got ${typeof saveAt}: a list of times, or a 1-D tensor, is needed`);
  const times: readonly Time[] = isTensor(saveAt)
    ? Array.from({ length: saveAt.size }, (_, i) => finiteTime("saveAt", saveAt.at(i)))
    : (saveAt as readonly number[]);
  let before = from;
  for (const time of times) {
    const t = timeValue(time);
    if (!(from <= to ? t >= from && t <= to : t <= from && t >= to))
      throw new OptionError(`saveAt got the time ${t}, which is outside the solve from ${from} to ${to}`);
    if (from <= to ? t < before : t > before) throw new OptionError(`saveAt got ${t} after ${before}: times must be in the order of the solve`);
    before = t;
  }
  return times;
};

/**
 * Checks a problem and puts it together.
 *
 * @throws OptionError, DtypeError, NonFiniteError for what cannot be solved.
 */
export const problemOf = <Y, R extends Step>(f: (t: Tensor, y: Y) => Y, form: Y, y0: Leaves, options: ProblemOptions<R>): Problem<R> => {
  if (typeof f !== "function") throw new OptionError(`a field is a function (t, y) => dy/dt, got ${typeof f}`);
  const t0 = finiteTime("t0", options.t0);
  const t1 = finiteTime("t1", options.t1);
  if (options.maxSteps !== undefined && !(Number.isInteger(options.maxSteps) && options.maxSteps > 0))
    throw new OptionError(`maxSteps got ${options.maxSteps}: a positive whole number is needed`);
  const [first] = y0;
  for (const leaf of y0) {
    if (!isFloat(leaf.dtype))
      throw new DtypeError(
        `the state has a tensor of type ${leaf.dtype}: make it float64 or float32, with tensor(values, { dtype: "float64" }) or cast`,
      );
    if (leaf.dtype !== first!.dtype) throw new DtypeError(`the state mixes ${first!.dtype} and ${leaf.dtype}: make it all of one type with cast`);
    const bad = kernels.firstNonFinite(leaf);
    if (bad >= 0)
      throw new NonFiniteError(`the initial state is not finite: element ${bad} of a tensor of shape ${formatShape(leaf.shape)} is NaN or infinite`, {
        status: "nonFinite",
        t: timeValue(t0),
        recent: [],
      });
  }
  const saves = saveTimes(options.saveAt, timeValue(t0), timeValue(t1));
  const stats: MutableStats = { evaluations: 0, accepted: 0, rejected: 0, peakBytes: 0, reverse: undefined };
  return {
    term: odeTerm(f, form, y0, () => stats.evaluations++),
    t0,
    t1,
    y0,
    solver: options.solver,
    controller: options.controller,
    saves,
    stops: options.solver.interpolates === true ? [] : saves,
    regularizers: options.regularizers,
    maxSteps: options.maxSteps ?? 100_000,
    stats,
  };
};

/** The tensors of a state tree. @throws OptionError for something that is no tree of tensors. */
export const stateLeaves = (y0: unknown): Leaves => {
  if (typeof y0 !== "object" || y0 === null)
    throw new OptionError(`the initial state is a ${y0 === null ? "null" : typeof y0}: a tensor, or a tree of tensors, is needed`);
  return leavesOf(y0);
};
