/**
 * @file Single steps of a solver, on a problem, outside any solve: what the checks look at.
 */
import { elementsOf, tensor } from "@dydt/tensor";
import type { Solver } from "../solver.js";
import type { Leaves, Step } from "../step.js";
import { odeTerm, type Ode } from "../term.js";
import { timeValue } from "../time.js";
import type { ExactProblem, ListField } from "./problems.js";

/** A solver with a problem. */
export interface Workbench {
  readonly term: Ode;
  /** The times at which f was evaluated so far. */
  readonly times: readonly number[];
  /** One step, from the carry given or from `start`. */
  readonly step: (from: number, to: number, y: Leaves, carry?: Leaves) => Step;
  /** Steps through a list of times, each going on from the one before. */
  readonly walk: (times: readonly number[], y: Leaves) => readonly Step[];
}

/** Puts a solver and a field together. */
export const workbench = (solver: Solver<Ode, Step>, field: ListField, like: Leaves): Workbench => {
  const times: number[] = [];
  const counted = odeTerm<Leaves>(field, like, like, () => undefined);
  const term: Ode = {
    ...counted,
    slope: (t, y) => {
      times.push(timeValue(t));
      return counted.slope(t, y);
    },
  };
  const step = (from: number, to: number, y: Leaves, carry?: Leaves): Step => solver.step(term, from, to, y, carry ?? solver.start(term, from, y));
  const walk = (list: readonly number[], y: Leaves): readonly Step[] => {
    const steps: Step[] = [];
    for (let j = 0; j + 1 < list.length; j++) steps.push(step(list[j]!, list[j + 1]!, steps.at(-1)?.y1 ?? y, steps.at(-1)?.carry));
    return steps;
  };
  return { term, times, step, walk };
};

/** A bench at the beginning of a problem. */
export const benchOf = (solver: Solver<Ode, Step>, { field, exact, from }: ExactProblem): Workbench => workbench(solver, field, exact(from));

/** n steps of equal length; the last ends at `to` itself. */
export const equalSteps = (from: number, to: number, n: number): readonly number[] =>
  Array.from({ length: n + 1 }, (_, j) => (j === n ? to : from + (j * (to - from)) / n));

/** The largest number of a state; NaN where one is. */
export const sizeOf = (y: Leaves): number => {
  let most = 0;
  for (const leaf of y) for (const value of elementsOf(leaf)) most = Math.max(most, Math.abs(value));
  return most;
};

/** A state whose tensors are cut into tensors of one element each. */
export const cut = (y: Leaves): Leaves => y.flatMap((leaf) => Array.from(elementsOf(leaf), (value) => tensor([value], { dtype: leaf.dtype })));
