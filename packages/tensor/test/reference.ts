/**
 * @file A slow reference for tensors: index by index, nothing shared with the library but the definition of row-major order.
 */
import fc from "fast-check";
import { expect } from "vitest";
import { random, type Dtype, type Shape, type Tensor } from "@dydt/tensor";

/** All indices of a shape, in row-major order. */
export const indicesOf = (shape: Shape): readonly (readonly number[])[] =>
  shape.reduce<readonly (readonly number[])[]>((all, length) => all.flatMap((index) => Array.from({ length }, (_, i) => [...index, i])), [[]]);

/** The element of a row-major list at an index, axes of length 1 (and missing ones in front) repeated. */
export const elementAt = (shape: Shape, data: ArrayLike<number>, index: readonly number[]): number => {
  const own = index.slice(index.length - shape.length);
  const flat = shape.reduce((sum, length, i) => sum * length + (length === 1 ? 0 : own[i]!), 0);
  return data[flat]!;
};

export const count = (shape: Shape): number => shape.reduce((product, length) => product * length, 1);

/** Fails unless x has this shape and exactly these numbers, NaN and the sign of zero included. */
export const expectExactly = (x: Tensor, shape: Shape, data: ArrayLike<number>): void => {
  expect(x.shape).toEqual(shape);
  expect(x.size).toBe(count(shape));
  expect(Array.from(x.data)).toEqual(Array.from(data));
};

/** Shapes of up to four axes, with axes of length 0 and 1 and the shape [] among them. */
export const anyShape = ({ minRank = 0, maxRank = 4, minLength = 0, maxLength = 4 } = {}): fc.Arbitrary<readonly number[]> =>
  fc.array(fc.integer({ min: minLength, max: maxLength }), { minLength: minRank, maxLength: maxRank });

/** A shape that broadcasts to `shape`: some axes of length 1, some missing in front. */
const shrunk = (shape: Shape): fc.Arbitrary<readonly number[]> =>
  fc
    .tuple(fc.integer({ min: 0, max: shape.length }), fc.array(fc.boolean(), { minLength: shape.length, maxLength: shape.length }))
    .map(([drop, ones]) => shape.map((length, i) => (ones[i] === true ? 1 : length)).slice(drop));

/** A shape, and one that broadcasts to it. */
export const broadcastPair = fc.tuple(anyShape(), fc.constant(null)).chain(([shape]) => fc.tuple(fc.constant(shape), shrunk(shape)));

/** Two shapes that broadcast to each other, and their common shape. */
export const broadcastTriple = anyShape()
  .chain((shape) => fc.tuple(shrunk(shape), shrunk(shape)))
  .map(([a, b]) => {
    const rank = Math.max(a.length, b.length);
    const common = Array.from({ length: rank }, (_, i) => {
      const [m, n] = [a[a.length - rank + i] ?? 1, b[b.length - rank + i] ?? 1];
      return m === 1 ? n : m;
    });
    return { a, b, common };
  });

/** Normal numbers. */
export const normals = (shape: Shape, seed: number, dtype: "float64" | "float32" = "float64"): Tensor => random(seed).normal(shape, { dtype });

export const seeds = fc.integer({ min: 0, max: 1 << 30 });

export const roundTo = (dtype: Dtype, value: number): number => (dtype === "float32" ? Math.fround(value) : value);
