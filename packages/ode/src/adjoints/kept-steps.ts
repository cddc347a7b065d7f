/**
 * @file Steps kept for evaluation in between: those of the forward solve, or of a part of it that is run again.
 */
import { createRegion, type Region } from "@dydt/tensor";
import { grid } from "../controllers/fixed.js";
import { IncompatibleError } from "../errors.js";
import * as sentences from "../sentences.js";
import { wholeOf } from "../events.js";
import { begin } from "../integrate.js";
import type { Problem } from "../problem.js";
import type { DenseStep, Leaves, Step } from "../step.js";
import { sideProblem } from "./backward.js";
import type { StateAt } from "./adjoint-equation.js";

/** @throws IncompatibleError for a step that cannot be evaluated in between. */
export const requireDense = (step: Step): DenseStep => {
  if (!("at" in step)) throw new IncompatibleError(sentences.denseAdjoint);
  return step as DenseStep;
};

/** The place of the first step that does not end before t; of the last one where all of them do, for a stage may lie a rounding error outside. */
const placeOf = (steps: readonly Step[], t: number): number => {
  const forwards = steps[0]!.t0 <= steps[0]!.t1;
  let [low, high] = [0, steps.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    const { t1 } = steps[middle]!;
    if (forwards ? t1 < t : t1 > t) low = middle + 1;
    else high = middle;
  }
  return low;
};

/** The state anywhere between two times, by the steps that lie there. The step that was found last is looked at first. */
export const betweenSteps = (steps: readonly DenseStep[], from: number, to: number): StateAt => {
  const [low, high] = from < to ? [from, to] : [to, from];
  const inside = steps.filter(({ t0, t1 }) => Math.max(t0, t1) > low && Math.min(t0, t1) < high);
  let found = 0;
  return (t) => {
    const misses = ({ t0, t1 }: Step): boolean => (t0 <= t1 ? t < t0 || t > t1 : t > t0 || t < t1);
    if (misses(inside[found]!)) found = placeOf(inside, t);
    // Where an event ended it, the step as the solver made it: the state before the event.
    const step = wholeOf(inside[found]!);
    return t === step.t1 ? step.y1 : t === step.t0 ? step.y0 : step.at(t);
  };
};

/** Steps in a region of their own. */
export interface Rerun {
  readonly steps: readonly DenseStep[];
  readonly region: Region;
}

/** Runs the steps between these times again, and keeps them. */
export const runAgain = <R extends Step>(problem: Problem<R>, times: readonly number[], y0: Leaves): Rerun => {
  const region = createRegion("store");
  const { term, solver } = problem;
  const [t0, t1] = [times[0]!, times[times.length - 1]!];
  const run = begin(sideProblem<R, R>(problem, { term, t0, t1, y0, solver, controller: grid(times), stops: [] }), region);
  try {
    return { steps: Array.from(run.steps, requireDense), region };
  } catch (error) {
    region.close();
    throw error;
  } finally {
    run.close();
  }
};
