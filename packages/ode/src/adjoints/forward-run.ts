/**
 * @file The forward solve of an adjoint that looks at all of it only afterwards: its outputs, step ends and events.
 */
import type { Region } from "@dydt/tensor";
import type { Tolerances } from "../controller.js";
import { begin, type Run } from "../integrate.js";
import { collect, type Collector, type Outputs } from "../outcome.js";
import type { Problem } from "../problem.js";
import type { Step } from "../step.js";

/** A forward solve that has been run. */
export interface Forward<R extends Step> extends Pick<Collector<R>, "times" | "largest" | "saved" | "happenings"> {
  readonly problem: Problem<R>;
  readonly outputs: Outputs;
  readonly tolerances: Tolerances | undefined;
}

/** Where steps are made, and who sees them. */
export interface Watch<R extends Step> {
  /** Default: two regions in turn. */
  readonly place?: "regions" | Region;
  /** Sees each accepted step, while it is valid. */
  readonly look?: (step: R, tolerances: Tolerances | undefined) => void;
  /** Sees the last one again, if there was one. */
  readonly end?: (last: R) => void;
}

/** Runs the forward solve. */
export const solveForward = <R extends Step>(problem: Problem<R>, { place = "regions", look, end }: Watch<R> = {}): Forward<R> => {
  const run: Run<R> = begin(problem, place, () => ({ outputs: collector.outputs(), grid: [...collector.times] }));
  const { control } = run;
  const collector: Collector<R> = collect(problem, run);
  let last: R | undefined;
  try {
    for (const step of run.steps) {
      collector.take(step);
      look?.(step, control.tolerances);
      last = step;
    }
    if (last !== undefined) end?.(last);
    const { times, largest, saved, happenings } = collector;
    return { problem, outputs: collector.outputs(), times, largest, saved, happenings, tolerances: control.tolerances };
  } finally {
    collector.close();
    run.close();
  }
};

/** An event that happened. */
export interface Mark {
  readonly event: number;
  readonly t: number;
  /** Which of that event's rows it is. */
  readonly row: number;
  /** Whether the solve went on from another state, and whether it ended here. */
  readonly changes: boolean;
  readonly terminal: boolean;
}

/** The events of a solve, in its order. */
export const marksOf = <R extends Step>({ problem: { events }, happenings }: Forward<R>): readonly Mark[] => {
  const rows = events.map(() => 0);
  return [...happenings.values()].flatMap(({ found, changed }) =>
    found.map(({ event, t }, i): Mark => {
      const ends = changed && i === found.length - 1;
      const terminal = ends && events[event]!.then === "terminate";
      return { event, t, row: rows[event]!++, changes: ends && !terminal, terminal };
    }),
  );
};
