/**
 * @file The state at a save time that lies in a step: the same in a forward solve, in forward mode and on the tape of a step.
 *
 * Between the ends of a step dense output gives it. Where it begins or ends it is the state there. A step end that moves with t0 or t1 leaves a save time behind, and a save
 * time that moves leaves the step end: the state has the derivatives of the dense output then; where there is none, and where the solve begins, those of a step of the solver whose length is 0 as a number. A save time that
 * is the moving end itself moves with it, as do all rows of saveAt: { every: "step" }.
 */
import { add, stopGradient, sub } from "@dydt/tensor";
import { eventful } from "./events.js";
import type { Problem } from "./problem.js";
import type { DenseStep, Leaves, Step } from "./step.js";
import { timeValue, type MovingEnds, type Time } from "./time.js";

/** What can make a step. */
type Stepping = Pick<Problem<Step>, "term" | "solver" | "stepSaves">;

/**
 * The state y at a time that is another one with the same value: y itself as numbers, with the derivatives of the solution to the order of the solver.
 *
 * Cost: one step.
 */
export const stateMoved = ({ term, solver }: Pick<Stepping, "term" | "solver">, from: Time, to: Time, y: Leaves): Leaves =>
  solver.step(term, from, to, y, solver.start(term, from, y)).y1;

/**
 * The state of a step at a save time.
 *
 * @param t - a tensor where derivatives with respect to it are wanted.
 * @param ends - those of the step, where they move.
 */
export const savedState = (step: Step, t: Time, stepping: Stepping, ends: MovingEnds | undefined): Leaves => {
  const time = timeValue(t);
  if (stepping.stepSaves?.ends.has(time) === true) return step.y1;
  const dense = "at" in step ? (step as DenseStep) : undefined;
  if (dense !== undefined && time !== step.t0 && time !== step.t1) return dense.at(t);
  const { from, to, segment } = ends ?? { from: step.t0, to: step.t1, segment: undefined };
  const happening = eventful(step);
  const event = happening?.end;
  const [near, y] = time === step.t1 ? [event ?? to, step.y1] : [from, step.y0];
  const end = segment?.end;
  const together = t === end || (typeof t === "number" && (typeof near === "number" || (end !== undefined && t === timeValue(end))));
  const ended = typeof t === "number" && time === step.t1 && happening?.terminal === true;
  if (together || ended) return y;
  if (dense === undefined || time === step.t0 || event !== undefined) return stateMoved(stepping, near, t, y);
  return dense.at(t).map((leaf, i) => add(stopGradient(y[i]!), sub(leaf, stopGradient(leaf))));
};
