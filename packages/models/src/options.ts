/**
 * @file Options that are wrong are errors, in plain JavaScript too.
 */
import { OptionError } from "@dydt/tensor";

/** @throws OptionError for anything but 1, 2, 3, ... */
export const requirePositiveInteger = (name: string, what: string, value: number): void => {
  if (!Number.isSafeInteger(value) || value < 1) throw new OptionError(`${name} got ${what} ${value}: a positive whole number is needed`);
};

/** @throws OptionError for anything but a number with lower <= value < upper. */
export const requireBetween = (name: string, what: string, value: number, lower: number, upper: number): void => {
  if (!(typeof value === "number" && value >= lower && value < upper))
    throw new OptionError(`${name} got ${what} ${value}: a number from ${lower} to below ${upper} is needed`);
};

/** @throws OptionError for anything but a list. */
export const requireList = (name: string, what: string, value: unknown, example: string): void => {
  if (!Array.isArray(value)) throw new OptionError(`${name} got ${typeof value} as its ${what}: it needs a list, as in ${example}`);
};

/** @throws OptionError for anything but an object with these functions. */
export const requireMethods = (name: string, what: string, value: unknown, methods: readonly string[], example: string): void => {
  const given = (value ?? {}) as Readonly<Record<string, unknown>>;
  for (const method of methods)
    if (typeof given[method] !== "function")
      throw new OptionError(`${name} got ${value === null ? "null" : typeof value} without ${method} as its ${what}: give ${example}`);
};

/** @throws OptionError for anything but a module. */
export const requireModule = (name: string, value: unknown): void =>
  requireMethods(name, "module", value, ["init", "apply"], "one such as mlp([3, 32, 2])");
