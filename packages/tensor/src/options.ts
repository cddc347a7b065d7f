/**
 * @file Options that are not known are errors: a misspelt tolerance must not mean the default one.
 */
import { OptionError } from "./errors.js";

/**
 * Refuses keys that are not known.
 *
 * @param name - of the function, for the message.
 * @throws OptionError naming the key, those that begin alike, and all.
 */
export const checkOptions = (name: string, options: object, known: readonly string[]): void => {
  for (const key of Object.keys(options)) {
    if (known.includes(key)) continue;
    const near = known.filter((one) => one.slice(0, 2).toLowerCase() === key.slice(0, 2).toLowerCase());
    throw new OptionError(
      `${name} got the unknown option ${key}${near.length > 0 ? ` (did you mean ${near.join(" or ")}?)` : ""}: it knows ${known.join(", ")}`,
    );
  }
};
