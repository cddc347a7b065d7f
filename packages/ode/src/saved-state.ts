/**
 * @file The state at a save time that lies in a step: the same in a forward solve, in forward mode and on the tape of a step.
 *
 * Between the ends of a step dense output gives it. Where it ends it is the state there. A step end that moves with t0 or t1 leaves a save time behind, and a save
 * time that moves leaves the step end, so the state follows along the slope: y(t) = y₁ + (t − t₁) f(t₁, y₁), with t − t₁ = 0 as a number. A save time that is
 * the moving end itself moves with it.
 */
import { eventful } from "./events.js";
import type { DenseStep, Leaves, Step } from "./step.js";
import type { Ode } from "./term.js";
import { timeBetween, timeValue, type MovingEnds, type Time } from "./time.js";

/**
 * The state of a step at a save time.
 *
 * @param t - a tensor where derivatives with respect to it are wanted.
 * @param ends - those of the step, where they move.
 */
export const savedState = (step: Step, t: Time, term: Ode, ends: MovingEnds | undefined): Leaves => {
  const time = timeValue(t);
  if (time !== step.t1 && "at" in step) return (step as DenseStep).at(t);
  const { from, to, segment } = ends ?? { from: step.t0, to: step.t1, segment: undefined };
  const [near, y] = time === step.t0 ? [from, step.y0] : [eventful(step)?.end ?? to, step.y1];
  const end = segment?.end;
  const together = t === end || (typeof t === "number" && (typeof near === "number" || (end !== undefined && t === timeValue(end))));
  return together ? y : term.combine(y, [1], [term.slope(near, y)], timeBetween(near, t));
};
