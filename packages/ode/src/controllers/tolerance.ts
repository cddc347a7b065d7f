/**
 * @file Tolerances: a number for all, one for each component, or a tree like the state's.
 */
import { elementsOf, formatShape, isTensor, OptionError, ShapeError, tensor, type NestedArray, type Tensor } from "@dydt/tensor";
import type { Leaves } from "../step.js";

/** A tolerance: a number, a list or tensor of the state's shape, or for a state that is a tree a tree of these. */
export type Tolerance = number | Tensor | readonly Tolerance[] | { readonly [branch: string]: Tolerance };

/** The smallest relative tolerance that rounding in float64 allows. */
const smallestRtol = 10 * Number.EPSILON;

const requireValid = (name: string, value: number): number => {
  if (!(value >= 0) || value === Infinity) throw new OptionError(`${name} got ${value}: a finite number of at least 0 is needed`);
  if (name === "rtol" && value > 0 && value < smallestRtol)
    throw new OptionError(`rtol got ${value}, which is below rounding: at least ${smallestRtol.toExponential(1)}, or 0`);
  return value;
};

/** All numbers of a tolerance. */
const numbersOf = (name: string, value: Tolerance): readonly number[] => {
  if (typeof value === "number") return [requireValid(name, value)];
  if (isTensor(value)) return Array.from(elementsOf(value), (one) => requireValid(name, one));
  if (typeof value !== "object" || value === null)
    throw new OptionError(`${name} got ${typeof value}: a number, or a list or tree of numbers, is needed`);
  return Object.values(value).flatMap((branch) => numbersOf(name, branch));
};

/** Refuses negative, infinite and NaN tolerances, and rtol = atol = 0. */
export const checkTolerances = (rtol: Tolerance | undefined, atol: Tolerance | undefined): void => {
  const relative = rtol === undefined ? [1] : numbersOf("rtol", rtol);
  const absolute = atol === undefined ? [1] : numbersOf("atol", atol);
  if (relative.every((r) => r === 0) && absolute.some((a) => a === 0))
    throw new OptionError("rtol and atol are both 0: no step can be that exact; give one of them a positive value");
};

/** The numbers of one tensor of the state: one, or as many as it has elements. */
const leafTolerance = (name: string, value: Tolerance, state: Tensor, where: string): Float64Array => {
  if (typeof value === "number") return Float64Array.of(value);
  if (!isTensor(value) && !Array.isArray(value))
    throw new ShapeError(
      `${name} has branches${where} where the state has a tensor of shape ${formatShape(state.shape)}: give one number, or a list`,
    );
  const given = isTensor(value) ? value : tensor(value as NestedArray);
  if (given.size !== state.size)
    throw new ShapeError(
      `${name} got ${given.size} numbers${where} for a state of ${state.size}, of shape ${formatShape(state.shape)}: give one number, or one for each component`,
    );
  return Float64Array.from(elementsOf(given));
};

/**
 * One array for each leaf of the state, of one element or as many as the leaf.
 *
 * @param form - the state as a tree; a list of its tensors unless given.
 * @throws ShapeError for a tolerance of another form or size.
 */
export const toleranceArrays = (
  name: string,
  value: Tolerance,
  y0: Leaves,
  form: unknown = y0.length === 1 ? y0[0] : y0,
): readonly Float64Array[] => {
  if (typeof value === "number") return y0.map(() => Float64Array.of(value));
  const arrays: Float64Array[] = [];
  const walk = (branch: unknown, given: Tolerance, path: string): void => {
    const where = path === "" ? "" : ` at ${path}`;
    if (isTensor(branch)) return void arrays.push(leafTolerance(name, given, branch, where));
    const wanted = Object.entries(branch as object);
    if (typeof given === "number") return wanted.forEach(([key, part]) => walk(part, given, path === "" ? key : `${path}.${key}`));
    const keys = isTensor(given) ? [] : Object.keys(given);
    if (isTensor(given) || keys.length !== wanted.length || wanted.some(([key]) => !keys.includes(key)))
      throw new ShapeError(
        `${name} has ${isTensor(given) ? "a tensor" : `the branches ${keys.join(", ")}`}${where} for a state of ${wanted.map(([key]) => key).join(", ")}: ` +
          `give one number, or a tree like the state`,
      );
    for (const [key, part] of wanted) walk(part, (given as Readonly<Record<string, Tolerance>>)[key]!, path === "" ? key : `${path}.${key}`);
  };
  walk(form, value, "");
  return arrays;
};
