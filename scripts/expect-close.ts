/**
 * @file The checks of examples of the documentation: a result is what the text says it is.
 */

type Numbers = number | ArrayLike<number> | readonly Numbers[];

/** What a tensor shows of itself here, so that this file needs no package. */
interface TensorLike {
  readonly shape: readonly number[];
  toArray(): unknown;
}

const isTensorLike = (value: unknown): value is TensorLike => typeof value === "object" && value !== null && "shape" in value && "toArray" in value;

const flatten = (value: unknown): readonly number[] => {
  if (isTensorLike(value)) return flatten(value.toArray());
  if (typeof value === "object" && value !== null) return Array.from(value as ArrayLike<unknown>).flatMap(flatten);
  return [Number(value)];
};

const shapeOf = (value: unknown): readonly number[] => {
  if (isTensorLike(value)) return value.shape;
  if (typeof value !== "object" || value === null) return [];
  const list = value as ArrayLike<unknown>;
  return [list.length, ...(list.length > 0 ? shapeOf(list[0]) : [])];
};

/**
 * Throws unless `actual` has the shape of `expected` and |actual - expected| <= atol + rtol |expected| everywhere (NaN equals NaN).
 *
 * @param tolerance - `rtol`, 1e-9 unless told, and `atol`, 1e-12 unless told.
 */
export const expectClose = (
  actual: Numbers | TensorLike,
  expected: Numbers | TensorLike,
  { rtol = 1e-9, atol = 1e-12 }: { readonly rtol?: number; readonly atol?: number } = {},
): void => {
  const [found, wanted] = [shapeOf(actual).join(), shapeOf(expected).join()];
  if (found !== wanted) throw new Error(`expected shape [${wanted}], got [${found}]`);
  const reference = flatten(expected);
  flatten(actual).forEach((value, i) => {
    const target = reference[i] as number;
    if (Object.is(value, target) || Math.abs(value - target) <= atol + rtol * Math.abs(target)) return;
    throw new Error(`expected ${String(target)} at flat index ${String(i)}, got ${String(value)} (rtol ${String(rtol)}, atol ${String(atol)})`);
  });
};

/** A number with the digits in which it is written. */
interface Digits {
  readonly digits: string;
}

/** What a comment says that is printed: a number, text or list, and perhaps words after it. */
const sayingOf = (comment: string): unknown => {
  const [, literal] = /^(\[.*\]|"[^"]*"|true|false|-?\d[\d.]*(?:e[+-]?\d+)?)(?=$|[:;, ])/.exec(comment) ?? [];
  if (literal === undefined) throw new Error(`no value is said to be printed: ${comment}`);
  const withDigits = literal.replace(/"[^"]*"|-?\d[\d.]*(?:e[+-]?\d+)?/g, (token) => (token.startsWith('"') ? token : `{"digits":"${token}"}`));
  return JSON.parse(withDigits) as unknown;
};

/** Whether a value is what was said; a number is right to the last digit that is written. */
const isSaid = (value: unknown, said: unknown): boolean => {
  if (Array.isArray(said)) {
    const list = typeof value === "object" && value !== null && "length" in value ? Array.from(value as ArrayLike<unknown>) : [];
    return list.length === said.length && said.every((one, i) => isSaid(list[i], one));
  }
  if (typeof said !== "object" || said === null) return value === said;
  const { digits } = said as Digits;
  const [mantissa = "", exponent = "0"] = digits.split("e");
  const decimals = (mantissa.split(".")[1] ?? "").length;
  return typeof value === "number" && Math.abs(value - Number(digits)) <= 0.5000001 * 10 ** (Number(exponent) - decimals);
};

/** Throws unless `value` is what the comment behind the line that prints it says. */
export const expectPrinted = (value: unknown, comment: string): void => {
  if (!isSaid(value, sayingOf(comment))) throw new Error(`expected ${comment}, got ${JSON.stringify(value)}`);
};
