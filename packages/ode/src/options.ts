/**
 * @file Options that are not known are errors: a misspelt tolerance must not mean the default one.
 */
import { OptionError } from "@dydt/tensor";

/** @throws OptionError for a key that is not known, naming the nearest ones. */
export const checkOptions = (name: string, options: object, known: readonly string[]): void => {
  for (const key of Object.keys(options)) {
    if (known.includes(key)) continue;
    const near = known.filter((one) => one.toLowerCase().startsWith(key.slice(0, 2).toLowerCase()));
    throw new OptionError(`${name} does not know the option "${key}"${near.length > 0 ? `: did you mean ${near.join(" or ")}?` : ""} It takes ${known.join(", ")}`);
  }
};
