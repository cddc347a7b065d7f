/**
 * @file Options that are wrong are errors, in plain JavaScript too.
 */
import { OptionError } from "@dydt/tensor";

/** @throws OptionError for a key that is not known: a misspelled option must not be one that silently keeps its default. */
export const refuseUnknownOptions = (name: string, options: object, known: readonly string[]): void => {
  for (const key of Object.keys(options))
    if (!known.includes(key)) throw new OptionError(`${name} got the unknown option ${key}: it knows ${known.join(", ")}`);
};

/** @throws OptionError for anything but 1, 2, 3, ... */
export const requirePositiveInteger = (name: string, what: string, value: number): void => {
  if (!Number.isSafeInteger(value) || value < 1) throw new OptionError(`${name} got ${what} ${value}: a positive whole number is needed`);
};

/** @throws OptionError for anything but a number with lower <= value < upper. */
export const requireBetween = (name: string, what: string, value: number, lower: number, upper: number): void => {
  if (!(value >= lower && value < upper)) throw new OptionError(`${name} got ${what} ${value}: a number from ${lower} to below ${upper} is needed`);
};
