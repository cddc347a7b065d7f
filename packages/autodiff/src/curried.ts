/**
 * @file Functions of a function: what they are called with instead, or besides, is said at once and not dropped in silence.
 */
import { OptionError } from "@dydt/tensor";

/** @throws OptionError for what is no function, with the right call. */
export const requireFunction = (name: string, f: unknown, rest: string): void => {
  if (typeof f !== "function") throw new OptionError(`${name} got ${typeof f} in the place of a function: call it as ${name}(${rest})`);
};

/**
 * Refuses a call as `gradient(f, x)`, where `gradient(f)(x)` is meant, and what is no function.
 *
 * @param more - what was given after f.
 * @throws OptionError with the right call.
 */
export const requireFunctionAlone = (name: string, f: unknown, more: readonly unknown[]): void => {
  requireFunction(name, f, "f)(x");
  const mapped = more.length === 2 && typeof more[0] === "number" && Array.isArray(more[1]); // fs.map(gradient)
  if (more.length > 0 && !mapped)
    throw new OptionError(`${name} takes the function alone, and got ${more.length + 1} arguments: call it as ${name}(f)(x)`);
};
