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

/** A solve that was run. */
export interface Noted {
  /** Every step end. */
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
  /** Step ends for each solve, in the order in which they begin; they are stretched where t0 or t1 has moved. */
  readonly grids?: readonly (readonly number[])[] | undefined;
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

/** The same steps as before, between other ends, with the tolerances that the controller has. */
const frozen = <R extends Step>(controller: Controller<R>, times: readonly number[]): Controller<R> => ({
  ...controller,
  begin: (setup) => {
    const control = controller.begin(setup);
    const [from, to] = [times[0]!, times[times.length - 1]!];
    const moved = from !== setup.t0 || to !== setup.t1;
    const stretched = times.map((t, j) =>
      j === 0 ? setup.t0 : j === times.length - 1 ? setup.t1 : moved ? setup.t0 + ((t - from) / (to - from)) * (setup.t1 - setup.t0) : t,
    );
    return { kind: "grid", times: stretched, ...(control.tolerances !== undefined && { tolerances: control.tolerances }) };
  },
});

/** Gives solves what is asked for, and notes them. */
const observerOf =
  ({ adjoint: instead, controller, remake, grids }: Ambient, seen: Noted[]): Observer =>
  <R extends Step>(problem: Problem<R>, adjoint: AnyAdjoint<R>): Observed<R> => {
    const chosen = (instead ?? adjoint) as unknown as AnyAdjoint<R>;
    const times = grids?.[seen.length];
    const given = (controller as Controller<R> | undefined) ?? problem.controller;
    const own = remake === undefined ? given : (remake(given as unknown as Controller<Step>) as unknown as Controller<R>);
    let tolerances: Tolerances | undefined;
    const used = times === undefined || timeValue(problem.t0) === timeValue(problem.t1) ? own : frozen(own, times);
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
