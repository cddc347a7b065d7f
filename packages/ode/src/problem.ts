/**
 * @file A problem: everything a solve needs, checked, as plain data.
 */
import {
  activeRecorders,
  DtypeError,
  formatShape,
  isFloat,
  isTensor,
  kernels,
  leavesOf,
  OptionError,
  ShapeError,
  type Dtype,
  type Tensor,
} from "@dydt/tensor";
import { described, has } from "./arguments.js";
import type { Controller } from "./controller.js";
import { NonFiniteError } from "./errors.js";
import type { Regularizer } from "./regularizer.js";
import type { Solver } from "./solver.js";
import type { Leaves, Step } from "./step.js";
import { odeTerm, type Ode } from "./term.js";
import { isFollowedAt, type LeafEvent } from "./events.js";
import { ownTermOf } from "./own-term.js";
import { unended, unsupervised, type Ending, type Resumption, type Supervision } from "./supervision.js";
import { inOrder, timeValue, type Time } from "./time.js";

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
  /** Steps of a continuous adjoint's backward solve, and attempts rejected there. */
  readonly steps?: number;
  readonly rejected?: number;
  /** How far the states that were solved for again, backward, lie from those of the forward solve: the largest difference. */
  readonly drift?: number;
  /** The largest |p′ − f(t, p)| of an interpolant p, whether it stood for the solution or was not good enough, relative to the largest |f|; none without one. */
  readonly defect?: number;
  /** The most nodes that an interpolant had; none without one. */
  readonly nodes?: number;
  /** Stretches where an interpolant was not good enough, and the steps were run again instead. */
  readonly fallbacks?: number;
  /** What to think of these numbers, where something is to be done. */
  readonly warning?: string;
  /** What an adjoint that plans had expected. */
  readonly predicted?: { readonly bytes: number; readonly advanced: number };
}

/** The counts while they are counted. */
export type MutableStats = { -readonly [K in keyof SolveStats]: SolveStats[K] };

/** Everything a solve needs. */
export interface Problem<R extends Step> {
  readonly term: Ode;
  readonly t0: Time;
  readonly t1: Time;
  readonly y0: Leaves;
  /** The initial state as the user has it: a tree with the leaves y0. */
  readonly form: unknown;
  readonly solver: Solver<Ode, R>;
  readonly controller: Controller<R>;
  /** Times whose states are wanted, in the direction of the solve. */
  readonly saves: readonly Time[];
  /** The same list, where the end of every step is to be saved, and which ends are: the loop adds them as they come. They move with their steps. */
  readonly stepSaves: { readonly list: Time[]; readonly ends: Set<number> } | undefined;
  readonly events: readonly LeafEvent[];
  readonly supervision: Supervision;
  /** Filled by the loop. */
  readonly ending: Ending;
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
  /** Whether the end of every step is saved besides. */
  readonly everyStep?: boolean;
  readonly events?: readonly LeafEvent[];
  readonly supervision?: Supervision;
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
  const given: readonly Time[] = isTensor(saveAt) ? Array.from({ length: saveAt.size }, (_, i) => saveAt.at(i)) : saveAt;
  const areTensors = isTensor(given[0]);
  const times = areTensors ? given.map((time) => finiteTime("saveAt", time)) : given;
  let before = from;
  for (const time of times) {
    if (isTensor(time) !== areTensors || (!areTensors && typeof time !== "number"))
      throw new OptionError(
        `saveAt got ${described(time)} among its times: give a list of numbers, or one 1-D tensor, by stack([...]) where times are tensors`,
      );
    const t = timeValue(time);
    if (!(from <= to ? t >= from && t <= to : t <= from && t >= to))
      throw new OptionError(`saveAt got the time ${t}, which is outside the solve from ${from} to ${to}`);
    if (from <= to ? t < before : t > before) throw new OptionError(`saveAt got ${t} after ${before}: times must be in the order of the solve`);
    before = t;
  }
  return times;
};

/** The save times where they must be stepped to, and those of the controller, in order; a save time before a number of the same value. */
const allStops = <R extends Step>(
  { solver, controller }: ProblemOptions<R>,
  saves: readonly Time[],
  t0: number,
  t1: number,
  dtype: Dtype,
): readonly Time[] => {
  const forced = solver.interpolates === true ? [] : saves;
  const declared = controller.stops?.({ t0, t1, dtype }) ?? [];
  if (declared.length === 0) return forced;
  return inOrder([...forced, ...declared], { t0, t1 });
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
  const supervision = options.supervision ?? unsupervised;
  const everyStep = options.everyStep === true;
  const saves = [...(everyStep && options.saveAt === undefined ? [] : saveTimes(options.saveAt, timeValue(t0), timeValue(t1)))];
  if (supervision.resume !== undefined)
    beginAt(supervision.resume, options.solver, form, y0, saves, timeValue(t0), timeValue(t1), options.events ?? []);
  else if (everyStep && (saves.length === 0 || timeValue(saves[0]!) !== timeValue(t0))) saves.unshift(timeValue(t0));
  const own = ownTermOf(f);
  if (own !== undefined && (y0.length !== 1 || !isTensor(form)))
    throw new OptionError(`a field made by inPlace is for a state of one tensor, and this one is a tree of ${y0.length}`);
  const count = () => stats.evaluations++;
  const stats: MutableStats = { evaluations: 0, accepted: 0, rejected: 0, peakBytes: 0, reverse: undefined };
  return {
    term: own !== undefined && activeRecorders().length === 0 ? own(y0, count) : odeTerm(f, form, y0, count),
    t0,
    t1,
    y0,
    form,
    solver: options.solver,
    controller: options.controller,
    saves,
    stepSaves: everyStep ? { list: saves, ends: new Set() } : undefined,
    events: options.events ?? [],
    supervision,
    ending: unended(),
    stops: allStops(options, [...saves], timeValue(t0), timeValue(t1), first?.dtype ?? "float64"),
    regularizers: options.regularizers,
    maxSteps: options.maxSteps ?? 100_000,
    stats,
  };
};

/** A field whose slope is the state. */
const state = (_t: Tensor, y: unknown): unknown => y;

/**
 * Checks where a solve is to go on, and leaves out the times that it has saved already.
 *
 * @throws OptionError, ShapeError when it is no state of this solve.
 */
const beginAt = (
  resume: Resumption,
  { name, carries, start }: Pick<Solver<Ode, Step>, "name" | "carries" | "start">,
  form: unknown,
  y0: Leaves,
  saves: Time[],
  t0: number,
  t1: number,
  happenings: readonly LeafEvent[],
): void => {
  const refuse = (what: string): never => {
    throw new OptionError(`resume got ${what}: give what a solution, or a step, of the same call has as \`resume\``);
  };
  const areTensors = (list: unknown): boolean => Array.isArray(list) && list.every(isTensor);
  if (!has(resume, "t")) refuse(described(resume));
  if (!Number.isFinite(resume.t)) refuse(`t = ${described(resume.t)}`);
  if (!(Number.isFinite(resume.h) && resume.h >= 0)) refuse(`h = ${described(resume.h)}`);
  for (const key of ["y", "carry"] as const)
    if (key === "carry" && carries !== "state" ? resume.carry !== undefined : !areTensors(resume[key]))
      refuse(`${key} = ${described(resume[key])} for ${name}`);
  const { memory, events } = resume;
  if (!Array.isArray(memory) || memory.some((x) => typeof x === "string")) refuse(`memory = ${described(memory)}`);
  const areNumbers = (list: unknown): boolean => Array.isArray(list) && list.every((x) => typeof x === "number");
  if (events !== undefined && !(has(events, "since") && [events.values, events.counts, events.pending, events.since].every(areNumbers)))
    refuse(`events = ${described(events)}`);
  const direction = t1 < t0 ? -1 : 1;
  if ((resume.t - t0) * direction < 0 || (t1 - resume.t) * direction < 0)
    throw new OptionError(`resume stands at t = ${resume.t}, which is outside the solve from ${t0} to ${t1}`);
  const shapes = (leaves: Leaves): string => leaves.map(({ shape, dtype }) => `${dtype} ${formatShape(shape)}`).join(", ");
  if (shapes(resume.y) !== shapes(y0)) throw new ShapeError(`resume holds a state of ${shapes(resume.y)}, and this solve has one of ${shapes(y0)}`);
  if (carries === "state" && resume.t !== t1) {
    // Any field tells the form of what is carried; this one costs no evaluation.
    const still = odeTerm(state, form, y0, () => undefined);
    const carry = shapes(start(still, t0, y0));
    if (shapes(resume.carry!) !== carry) throw new ShapeError(`resume holds a carry of ${shapes(resume.carry!)}, and ${name} carries ${carry}`);
  }
  // What is saved where more is to happen is saved after it.
  const isOpen = isFollowedAt(resume.t, t1, resume.events?.pending ?? [], happenings);
  const isSaved = (save: Time): boolean => (timeValue(save) - resume.t) * direction < 0 || (timeValue(save) === resume.t && !isOpen);
  saves.splice(0, saves.filter(isSaved).length);
};

/** The tensors of a state tree. @throws OptionError for something that is no tree of tensors. */
export const stateLeaves = (y0: unknown): Leaves => {
  if (typeof y0 !== "object" || y0 === null)
    throw new OptionError(`the initial state is a ${y0 === null ? "null" : typeof y0}: a tensor, or a tree of tensors, is needed`);
  return leavesOf(y0);
};
