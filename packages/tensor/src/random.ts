/**
 * @file Random numbers as a pure function of (seed, position): Philox counters, the same bits on every machine.
 */
import { keyFromSeed, normals, permutation, splitKey, uniforms, type Key } from "./counter-random.js";
import { allocateArray, type Dtype } from "./dtype.js";
import { DtypeError, OptionError } from "./errors.js";
import { checkOptions } from "./options.js";
import { checkShape, sizeOf, type Shape } from "./shape.js";
import { wrap, type Tensor } from "./tensor.js";

/** Options of random tensors. */
export interface RandomOptions {
  /** float64 (default) or float32. */
  readonly dtype?: Dtype;
}

/** A stream of random numbers. Each call goes on where the last one ended; the same calls give the same bits. */
export interface Random {
  /** Standard normal numbers. */
  readonly normal: (shape: Shape, options?: RandomOptions) => Tensor;
  /** Numbers in [0, 1). */
  readonly uniform: (shape: Shape, options?: RandomOptions) => Tensor;
  /** 0 to n - 1 in random order, as int32 `[n]`. @throws OptionError where n is no whole number of at least 0. */
  readonly permutation: (n: number) => Tensor;
  /** n independent streams, default 2. @throws OptionError where n is no whole number of at least 1. */
  readonly split: (n?: number) => readonly Random[];
}

/**
 * A stream of random numbers.
 *
 * @param seed - any whole number; the same seed gives the same numbers on every machine.
 * @throws OptionError for a seed that is no safe integer.
 * @example
 * const a = random(7).normal([3]), b = random(7).normal([3]);
 * expectClose(a.sub(b), [0, 0, 0]);
 */
export const random = (seed: number): Random => stream(keyFromSeed(seed));

const requireCount = (name: string, n: number, least: number): void => {
  if (!Number.isInteger(n) || n < least) throw new OptionError(`${name} got ${String(n)}: a whole number of at least ${least} is needed`);
};

const stream = (key: Key): Random => {
  let position = 0;
  const draw =
    (name: string, fill: typeof normals) =>
    (shape: Shape, options?: RandomOptions): Tensor => {
      checkOptions(name, options, ["dtype"]);
      const { dtype = "float64" } = options ?? {};
      if (dtype !== "float64" && dtype !== "float32") throw new DtypeError(`random numbers are float64 or float32, not ${dtype}`);
      const array = allocateArray(dtype, sizeOf(checkShape(name, shape))) as Float64Array | Float32Array;
      position = fill(key, position, array);
      return wrap(array, [...shape], dtype);
    };
  return Object.freeze({
    normal: draw("normal", normals),
    uniform: draw("uniform", uniforms),
    permutation: (n: number) => {
      requireCount("permutation", n, 0);
      const { order, next } = permutation(key, position, n);
      position = next;
      return wrap(order, [n], "int32");
    },
    split: (n = 2) => {
      requireCount("split", n, 1);
      const keys = splitKey(key, position, n);
      position++;
      return keys.map(stream);
    },
  });
};
