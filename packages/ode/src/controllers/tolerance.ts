/**
 * @file Tolerances: a number for all, or one for each component.
 */
import { elementsOf, formatShape, isTensor, OptionError, ShapeError, tensor, type Tensor } from "@dydt/tensor";
import type { Leaves } from "../step.js";

/** A tolerance: a number, or a list or tensor of the state's shape. */
export type Tolerance = number | readonly number[] | Tensor;

/** The smallest relative tolerance that rounding in float64 allows. */
const smallestRtol = 10 * Number.EPSILON;

const requireValid = (name: string, value: number): number => {
  if (!(value >= 0) || value === Infinity) throw new OptionError(`${name} got ${value}: a finite number of at least 0 is needed`);
  if (name === "rtol" && value > 0 && value < smallestRtol)
    throw new OptionError(`rtol got ${value}, which is below rounding: at least ${smallestRtol.toExponential(1)}, or 0`);
  return value;
};

/** Refuses negative, infinite and NaN tolerances, and rtol = atol = 0. */
export const checkTolerances = (rtol: Tolerance | undefined, atol: Tolerance | undefined): void => {
  const numbers = (name: string, value: Tolerance | undefined): readonly number[] => {
    if (value === undefined) return [1];
    const list = typeof value === "number" ? [value] : isTensor(value) ? Array.from(elementsOf(value)) : value;
    return list.map((one) => requireValid(name, one));
  };
  const relative = numbers("rtol", rtol);
  const absolute = numbers("atol", atol);
  if (relative.every((r) => r === 0) && absolute.some((a) => a === 0))
    throw new OptionError("rtol and atol are both 0: no step can be that exact; give one of them a positive value");
};

/** One array for each leaf of the state, of one element or as many as the leaf. */
export const toleranceArrays = (name: string, value: Tolerance, y0: Leaves): readonly Float64Array[] => {
  if (typeof value === "number") return y0.map(() => Float64Array.of(value));
  const given = isTensor(value) ? value : tensor(value);
  const [state] = y0;
  if (y0.length !== 1 || state === undefined)
    throw new OptionError(`${name} got ${given.size} numbers for a state of ${y0.length} tensors: give one number`);
  if (given.size !== state.size)
    throw new ShapeError(
      `${name} got ${given.size} numbers for a state of ${state.size}, of shape ${formatShape(state.shape)}: give one number, or one for each component`,
    );
  return [Float64Array.from(elementsOf(given))];
};
