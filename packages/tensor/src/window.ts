/**
 * @file Windows that slide over images: how options become places.
 *
 * Along one axis of length l, with window k, step s, dilation d and p zeros around in all, there are ⌊(l + p − (k − 1) d − 1) / s⌋ + 1 places. "same" takes
 * p so that there are ⌈l / s⌉ of them, the larger half behind. V. Dumoulin, F. Visin, A guide to convolution arithmetic for deep learning, arXiv:1603.07285.
 */
import { OptionError, ShapeError } from "./errors.js";
import { formatShape } from "./shape.js";

/** One number for both axes, or one for the height and one for the width. */
export type Pair = number | readonly [height: number, width: number];

/** Zeros around an image: none, as many as give ⌈length / stride⌉ places, or so many on each side. */
export type Padding = "valid" | "same" | Pair;

/** A window over the last two axes of an image; pairs are height and width. */
export interface Window {
  readonly size: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly dilation: readonly [number, number];
  /** Zeros in front. */
  readonly before: readonly [number, number];
  readonly input: readonly [number, number];
  readonly output: readonly [number, number];
}

const pairOf = (op: string, name: string, given: Pair, least: number): readonly [number, number] => {
  const pair: readonly number[] = typeof given === "number" ? [given, given] : given;
  if (!Array.isArray(pair) || pair.length !== 2 || pair.some((one) => !Number.isInteger(one) || one < least))
    throw new OptionError(`${op} got ${name} ${JSON.stringify(given)}: a whole number of at least ${least}, or two of them`);
  return [pair[0]!, pair[1]!];
};

/**
 * The places of a window.
 *
 * @throws ShapeError when the window is larger than the padded image.
 */
export const windowOf = (
  op: string,
  input: readonly [number, number],
  size: Pair,
  { stride, padding, dilation }: { readonly stride: Pair; readonly padding: Padding; readonly dilation: Pair },
): Window => {
  const k = pairOf(op, "size", size, 1);
  const s = pairOf(op, "stride", stride, 1);
  const d = pairOf(op, "dilation", dilation, 1);
  const reach = (i: 0 | 1): number => (k[i] - 1) * d[i] + 1;
  const around = (i: 0 | 1): number => Math.max((Math.ceil(input[i] / s[i]) - 1) * s[i] + reach(i) - input[i], 0);
  const given = typeof padding === "string" ? null : pairOf(op, "padding", padding, 0);
  if (given === null && padding !== "same" && padding !== "valid")
    throw new OptionError(`${op} got padding ${JSON.stringify(padding)}: "valid", "same", a number or two are known`);
  const total = (i: 0 | 1): number => (given !== null ? 2 * given[i] : padding === "same" ? around(i) : 0);
  const before = (i: 0 | 1): number => Math.floor(total(i) / 2);
  const places = (i: 0 | 1): number => Math.floor((input[i] + total(i) - reach(i)) / s[i]) + 1;
  const output = [places(0), places(1)] as const;
  if (output[0] < 1 || output[1] < 1)
    throw new ShapeError(`${op} has a window of ${reach(0)} × ${reach(1)} on images of ${formatShape(input)}, padding included smaller than that`);
  return { size: k, stride: s, dilation: d, before: [before(0), before(1)], input, output };
};

/** The places o, from `low` up to `high`, at which element `tap` of the window lies within the image: 0 ≤ o s + tap d − before < length. */
export const within = ({ stride, dilation, before, input, output }: Window, i: 0 | 1, tap: number): readonly [low: number, high: number] => {
  const shift = before[i] - tap * dilation[i];
  const high = Math.min(output[i], Math.floor((input[i] - 1 + shift) / stride[i]) + 1);
  return [Math.min(Math.max(Math.ceil(shift / stride[i]), 0), Math.max(high, 0)), Math.max(high, 0)];
};
