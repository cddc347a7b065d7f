/**
 * @file The checks of a gradient by values of the loss alone: the order of the Taylor remainder along frozen steps, and central differences.
 *
 * Adjoints of the flow, and solves whose events move the steps, are looked at with shorter steps.
 */
import { DydtError, type Tensor } from "@dydt/tensor";
import { observing, type Ambient } from "./ambient.js";
import { number, type CheckSheet } from "./certificate.js";
import { dot, move, partsOf } from "./certify-direction.js";
import { centralDifference, taylorOrder } from "./certify-slope.js";
import { largestTolerance, type Subject } from "./certify-subject.js";
import { observedGradient, relativeDifference } from "./compare.js";
import { sharpened } from "./sharpen.js";

/** The gradient with shorter steps, where these can be taken. */
const sharperGradient = <P>(loss: (parameters: P) => Tensor, parameters: P): ReturnType<typeof observedGradient<P>> | undefined => {
  try {
    return observedGradient(loss, parameters, { remake: sharpened });
  } catch (error) {
    if (!(error instanceof DydtError)) throw error;
    return undefined;
  }
};

/** The loss; NaN where it has no value, as beyond the ends of an interval that moves. */
const valueOf = <P>(loss: (parameters: P) => Tensor, at: P, ambient: Ambient): number => {
  try {
    return observing(ambient, () => loss(at).item()).result;
  } catch (error) {
    if (!(error instanceof DydtError)) throw error;
    return NaN;
  }
};

/** How far a gradient of the flow may be off, relative to itself, with steps that are shorter than those of the tolerance, or than those that change it by the gap. */
const allowedMisfit = (tolerance: number, gap: number, single: boolean): number =>
  Math.max(Math.min(Math.max(1000 * tolerance, single ? 1e-3 : 1e-6), single ? 1e-3 : 3e-4), Math.min(gap / 2, 0.02));

const whyNoOrder = (seen: number, allowed: number): string => {
  const hides = allowed === 0 ? "rounding" : `rounding, and of what a gradient may be off at these tolerances (${number(allowed)})`;
  if (seen === 0 && allowed === 0) return "the remainder is below rounding: the loss is linear along this direction, or too flat for it";
  return `the remainder stands out of ${hides} at ${seen === 0 ? "no step" : `${seen} steps in a row at most`}: three are needed to tell its order`;
};

/**
 * Compares the gradient with values of the loss.
 *
 * @param step - the largest step of the Taylor test, relative to the parameters.
 * @returns whether values of the loss have confirmed it.
 */
export const checkValues = <P>(subject: Subject<P>, { rows, add, skip }: CheckSheet, step: number): boolean => {
  const { loss, parameters, gradient, solves, single, precision, tolerance, fixedGrid, flows, events, direction, along } = subject;
  const approximate = flows || events;
  const reference = approximate ? sharperGradient(loss, parameters) : undefined;
  const frozen = reference?.solves ?? solves;
  const sharper = reference === undefined ? {} : { remake: sharpened };
  const value = (h: number): number => valueOf(loss, move(parameters, h, direction), events ? sharper : { grids: frozen });
  const slope = reference === undefined ? along : dot(reference.gradient, direction);
  const gap = reference === undefined ? 0 : relativeDifference(gradient, reference.gradient);
  // What the derivative along these values may be off: nothing but rounding where they are those of the very steps that it belongs to.
  const allowed = approximate ? (reference === undefined && fixedGrid ? 1e-2 : allowedMisfit(tolerance, fixedGrid ? gap : 0, single)) : 0;
  const noise = events ? Math.max(precision, reference === undefined ? tolerance : largestTolerance(reference.solves)) : precision;
  const first = approximate || single ? 8 * step : step;
  const costs = events && solves.some(({ costs }) => costs);
  const noSteps = "events move the steps, and the costs of other steps are other functions: values of the loss are no check of this gradient";

  // At the edge of where the loss has values it is looked at from the other side.
  const side = costs || Number.isFinite(value(first)) ? 1 : -1;
  const { order, seen } = costs ? { order: undefined, seen: 0 } : taylorOrder((h) => value(side * h), side * slope, first, allowed, noise);
  const isLow = order !== undefined && !(order >= 1.8);
  const central = approximate || order === undefined || isLow ? centralDifference(costs ? () => NaN : value, 8 * step, precision) : undefined;
  const { slope: found = NaN, error = NaN, bend = 0 } = central ?? {};
  const size = Math.max(Math.abs(slope), Math.abs(found), partsOf(reference?.gradient ?? gradient, direction), bend);
  const [misfit, doubt] = size === 0 ? [0, 0] : [Math.abs(found - slope) / size, error / size];
  const threshold = approximate ? allowed : single ? 1e-3 : 1e-6;
  const isSure = Math.max(misfit, doubt) <= (approximate ? allowed : threshold / 10);

  if (costs) skip("Taylor remainder", "at least", noSteps);
  else if (order === undefined) skip("Taylor remainder", "at least", whyNoOrder(seen, allowed));
  else if (isLow && isSure) skip("Taylor remainder", "at least", "higher derivatives hide the order in h: the central differences tell more");
  else
    add(
      "Taylor remainder",
      order,
      "at least",
      1.8,
      `order in h along ${events ? "the" : "the frozen"} steps; 2 for a right gradient, 1 for a wrong one`,
    );

  if (costs) skip("central differences", "at most", noSteps);
  else if (central !== undefined) {
    if (Number.isNaN(found)) skip("central differences", "at most", "the loss has no values on both sides");
    else if (doubt > threshold && !(misfit > 10 * doubt) && Number.isFinite(slope))
      skip("central differences", "at most", `the values of the loss tell this derivative to ${number(doubt)} only, and ${number(threshold)} is asked for`);
    else add("central differences", misfit, "at most", threshold, `directional derivative by values of the loss, and by the gradient${reference === undefined ? "" : ", both with shorter steps"}`); // prettier-ignore
  }
  // One of the two must have seen what the loss does: all other checks compare gradients with each other.
  const confirmed = rows.some(({ verdict }) => verdict === "pass");
  if (reference !== undefined)
    add("own against shorter steps", gap, "at most", fixedGrid ? 1e-2 : 1000 * tolerance, "how much of the gradient is due to the steps", fixedGrid);
  return confirmed;
};
