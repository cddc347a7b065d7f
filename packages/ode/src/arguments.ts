/**
 * @file What was given where something else belongs: types do not hold in plain JavaScript.
 */
import { formatShape, isTensor, OptionError } from "@dydt/tensor";

/** A value in the words of a message. */
export const described = (value: unknown): string => {
  if (isTensor(value)) return `a tensor of shape ${formatShape(value.shape)}`;
  if (typeof value === "string") return `"${value}"`;
  if (typeof value === "function") return "function";
  if (typeof value !== "object" || value === null) return String(value);
  return Array.isArray(value) ? `a list of ${value.length}` : "an object";
};

/** @throws OptionError for anything but a positive number; undefined stands for a default. */
export const requirePositive = (name: string, value: unknown, what = "number"): void => {
  if (value !== undefined && !(typeof value === "number" && value > 0))
    throw new OptionError(`${name} ${described(value)}: a positive ${what} is needed`);
};

/** Whether a value is an object with this property, as a solver has `step`. */
export const has = <K extends string>(value: unknown, property: K): value is Readonly<Record<K, unknown>> =>
  typeof value === "object" && value !== null && property in value;

/** @throws OptionError for what has not the shape of such an object. */
export const requireObject = (name: string, value: unknown, property: string, example: string): void => {
  if (!has(value, property)) throw new OptionError(`${name} got ${described(value)}: pass ${example}`);
};

/** @throws OptionError for what is given to a function without options: it would have no effect. */
export const takesNothing = (name: string, [value]: readonly unknown[]): void => {
  if (value !== undefined)
    throw new OptionError(
      `${name} got ${described(value)}, and takes nothing: tolerances belong to the controller, as in solve(f, y0, { t0, t1, controller: adaptive({ rtol: 1e-8 }) })`,
    );
};
