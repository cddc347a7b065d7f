/**
 * @file Solves under observation: every solve inside a function takes the steps or the adjoint that somebody outside asks for, and is noted.
 *
 * A loss is a function that may solve anything, any number of times. To compare its gradients, or its values along one frozen grid, what its solves do must be
 * set from outside, in the order in which they are begun.
 */
import type { AnyAdjoint } from "./adjoint.js";
import type { Controller, Tolerances } from "./controller.js";
import type { Problem, SolveStats } from "./problem.js";
import type { Step } from "./step.js";
import { timeValue } from "./time.js";

/** The steps of a solve. */
export interface TakenSteps {
  /** Every step end. */
  readonly grid: readonly number[];
  /** t0, the times that steps had to end at, t1: between two of these, steps are constant fractions. */
  readonly knots: readonly number[];
}

/** A solve that was run. */
export interface Noted extends TakenSteps {
  grid: readonly number[];
  tolerances: Tolerances | undefined;
  readonly stats: SolveStats;
  /** What is asked of the adjoint. */
  readonly solver: Problem<Step>["solver"];
  readonly adjoint: AnyAdjoint<Step>;
  /** Whether there are events that change the state or end the solve, and so its steps; those that are only noted are none. */
  readonly events: boolean;
  /** Whether steps have costs. */
  readonly costs: boolean;
}

/** What solves inside do. */
export interface Ambient {
  /** In place of the solves' own. */
  readonly adjoint?: AnyAdjoint<never> | undefined;
  readonly controller?: Controller<never> | undefined;
  /** Makes one of each solve's own. */
  readonly remake?: ((controller: Controller<Step>) => Controller<Step>) | undefined;
  /** The steps of each solve, in the order in which they begin; they are stretched where what they lie between has moved. */
  readonly grids?: readonly TakenSteps[] | undefined;
}

/** A problem and its adjoint as the observer wants them; `done` is told the grid. */
export interface Observed<R extends Step> {
  readonly problem: Problem<R>;
  readonly adjoint: AnyAdjoint<R>;
  readonly done: (grid: readonly number[]) => void;
}

type Observer = <R extends Step>(problem: Problem<R>, adjoint: AnyAdjoint<R>) => Observed<R>;

/** Who observes now. It is brought by `observing`, so that programs that observe nothing do not carry it. */
let current: Observer | undefined;

/** A problem and its adjoint as whoever observes wants them. */
export const observed = <R extends Step>(problem: Problem<R>, adjoint: AnyAdjoint<R>): Observed<R> =>
  current === undefined ? { problem, adjoint, done: () => undefined } : current(problem, adjoint);

/** Runs a body, and notes its solves. */
export const observing = <T>(ambient: Ambient, body: () => T): { readonly result: T; readonly solves: readonly Noted[] } => {
  const outer = current;
  const solves: Noted[] = [];
  current = observerOf(ambient, solves);
  try {
    return { result: body(), solves };
  } finally {
    current = outer;
  }
};

/** A time that lies between old knots, between new ones. Of knots that coincide the first counts, and of those at the end the last, as in the solve. */
const stretched = (t: number, old: readonly number[], knots: readonly number[]): number => {
  const end = old[old.length - 1]!;
  const direction = end < old[0]! ? -1 : 1;
  const movedTo = (knot: number): number => knots[knot === end ? old.length - 1 : old.indexOf(knot)]!;
  const next = old.findIndex((knot) => (knot - t) * direction >= 0);
  const to = old[next]!;
  if (t === to) return movedTo(to);
  const from = old[next - 1]!;
  const [start, stop] = [movedTo(from), movedTo(to)];
  return from === start && to === stop ? t : start + ((t - from) / (to - from)) * (stop - start);
};

/** The same steps as before, between knots that may have moved, with the tolerances that the controller has. */
const frozen = <R extends Step>(controller: Controller<R>, { grid, knots: before }: TakenSteps, now: readonly number[]): Controller<R> => ({
  ...controller,
  begin: (setup) => {
    const ends = (knots: readonly number[]): readonly [number, number] => [knots[0]!, knots[knots.length - 1]!];
    const [t0, t1] = ends(before);
    // A list of times as controller would not fit between other ends.
    const { tolerances } = controller.begin({ ...setup, t0, t1 });
    // Ends that have moved may leave a knot behind.
    const [old, knots] = before.length === now.length ? [before, now] : [ends(before), ends(now)];
    return { kind: "grid", times: grid.map((t) => stretched(t, old, knots)), ...(tolerances !== undefined && { tolerances }) };
  },
});

/** Gives solves what is asked for, and notes them. */
const observerOf =
  ({ adjoint: instead, controller, remake, grids }: Ambient, seen: Noted[]): Observer =>
  <R extends Step>(problem: Problem<R>, adjoint: AnyAdjoint<R>): Observed<R> => {
    const chosen = (instead ?? adjoint) as unknown as AnyAdjoint<R>;
    const taken = grids?.[seen.length];
    const knots = [problem.t0, ...problem.stops, problem.t1].map(timeValue);
    const given = (controller as Controller<R> | undefined) ?? problem.controller;
    const own = remake === undefined ? given : (remake(given as unknown as Controller<Step>) as unknown as Controller<R>);
    let tolerances: Tolerances | undefined;
    const used = taken === undefined || knots[0] === knots[knots.length - 1] ? own : frozen(own, taken, knots);
    const watched: Controller<R> = {
      ...used,
      begin: (setup) => {
        const control = used.begin(setup);
        tolerances = control.tolerances;
        return control;
      },
    };
    const { stats, solver, events, regularizers } = problem;
    const noted: Noted = {
      grid: [],
      knots,
      tolerances: undefined,
      stats,
      solver,
      adjoint: chosen as unknown as AnyAdjoint<Step>,
      events: events.some(({ then }) => then !== undefined),
      costs: regularizers.length > 0,
    };
    seen.push(noted);
    const done = (grid: readonly number[]): void => {
      noted.grid = [...grid];
      noted.tolerances = tolerances;
    };
    return { problem: { ...problem, controller: watched }, adjoint: chosen, done };
  };
