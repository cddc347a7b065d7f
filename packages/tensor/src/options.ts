/**
 * @file Options that are not known are errors: a misspelt tolerance must not mean the default one.
 */
import { OptionError } from "./errors.js";

/**
 * Refuses keys that are not known, and whatever is no object of options; undefined stands for the defaults.
 *
 * @param name - of the function, for the message.
 * @param known - the keys, the likeliest first.
 * @throws OptionError naming the key, those that begin alike, and all.
 */
export const checkOptions = (name: string, options: object | undefined, known: readonly string[]): void => {
  if (options === undefined) return;
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    const given = typeof options === "bigint" ? String(options) : JSON.stringify(options);
    throw new OptionError(
      `${name} got ${given} where its options belong: give an object, as in { ${known[0]!}: ${given} }; it knows ${known.join(", ")}`,
    );
  }
  for (const key in options) {
    if (known.includes(key)) continue;
    const near = known.filter((one) => one.slice(0, 2).toLowerCase() === key.slice(0, 2).toLowerCase());
    throw new OptionError(
      `${name} got the unknown option ${key}${near.length > 0 ? ` (did you mean ${near.join(" or ")}?)` : ""}: it knows ${known.join(", ")}`,
    );
  }
};
