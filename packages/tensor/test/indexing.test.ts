import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  argMax, argMin, DtypeError, embedTaken, gather, oneHot, OptionError, scatterAdd, ShapeError, take, tensor, zeros, type Shape, type Tensor,
} from "@dydt/tensor"; // prettier-ignore
import { expectClose } from "../../../scripts/expect-close.js";
import { anyShape, count, elementAt, expectExactly, indicesOf, normals, seeds } from "./reference.js";

const int32 = (values: readonly number[], shape: Shape): Tensor => tensor(Int32Array.from(values), { shape });

/** Whole numbers of a shape within an axis, negative ones among them. */
const indicesWithin = (shape: Shape, length: number): fc.Arbitrary<Tensor> =>
  fc.array(fc.integer({ min: -length, max: length - 1 }), { minLength: count(shape), maxLength: count(shape) }).map((values) => int32(values, shape));

/** A shape with an axis, counted from either end, that has elements. */
const withAxis = anyShape({ minRank: 1, maxRank: 3, minLength: 1 }).chain((shape) =>
  fc.integer({ min: -shape.length, max: shape.length - 1 }).map((axis) => ({ shape, axis, which: axis < 0 ? axis + shape.length : axis })),
);
const wrapped = (index: number, length: number): number => (index < 0 ? index + length : index);

describe("take", () => {
  const cases = withAxis.chain(({ shape, axis, which }) =>
    fc.record({
      shape: fc.constant(shape),
      axis: fc.constant(axis),
      which: fc.constant(which),
      indices: anyShape({ maxRank: 2, maxLength: 3 }).chain((own) => indicesWithin(own, shape[which]!)),
      seed: seeds,
    }),
  );

  test("puts the shape of the indices in the place of the axis, as in NumPy", () => {
    fc.assert(
      fc.property(cases, ({ shape, axis, which, indices, seed }) => {
        const x = normals(shape, seed);
        const wanted = [...shape.slice(0, which), ...indices.shape, ...shape.slice(which + 1)];
        const data = indicesOf(wanted).map((index) => {
          const picked = elementAt(indices.shape, indices.data, index.slice(which, which + indices.rank));
          return elementAt(shape, x.data, [...index.slice(0, which), wrapped(picked, shape[which]!), ...index.slice(which + indices.rank)]); // prettier-ignore
        }); // axes of length 1 repeat, and the only index within them is 0
        expectExactly(take(x, indices, axis), wanted, data);
      }),
      { numRuns: 100 },
    );
  });

  test("has embedTaken as its transpose: <take(x), g> = <x, embedTaken(g)>", () => {
    fc.assert(
      fc.property(cases, ({ shape, axis, indices, seed }) => {
        const x = normals(shape, seed);
        const taken = take(x, indices, axis);
        const g = normals(taken.shape, seed + 1);
        expectClose(taken.mul(g).sum(), embedTaken(g, shape, indices, axis).mul(x).sum(), { rtol: 1e-11, atol: 1e-11 });
      }),
      { numRuns: 60 },
    );
  });

  test("takes a number, a nested list or an int32 tensor, and keeps every element type", () => {
    const x = tensor([[1, 2], [3, 4], [5, 6]]); // prettier-ignore
    expectExactly(take(x, -1), [2], [5, 6]);
    expectExactly(x.take([[0], [2]], 0), [2, 1, 2], [1, 2, 5, 6]);
    expectExactly(take(x, []), [0, 2], []);
    expect(take(tensor([true, false]), [1, 0]).toArray()).toEqual([false, true]);
    expect(take(normals([3, 40], 1, "float32"), [2]).data).toEqual(normals([3, 40], 1, "float32").at(2).data);
    expectExactly(take(zeros([0, 3]), [], 0), [0, 3], []);
  });

  test("refuses indices outside, with the index, and those that are no int32", () => {
    const x = zeros([3, 2]);
    expect(() => take(x, [0, 3])).toThrow(ShapeError);
    expect(() => take(x, [0, 3])).toThrow("take got index 3: whole numbers from -3 to 2 are known here");
    expect(() => take(x, -3, 1)).toThrow(ShapeError);
    expect(() => take(x, [0.5])).toThrow(ShapeError);
    expect(() => take(zeros([0]), [0])).toThrow(ShapeError);
    expect(() => take(tensor(1), 0)).toThrow(ShapeError);
    expect(() => take(x, tensor([0, 1]))).toThrow(DtypeError);
    expect(() => take(x, [true, false, true])).toThrow("take got bool indices");
  });
});

describe("gather and scatterAdd", () => {
  const cases = withAxis.chain(({ shape, axis, which }) =>
    fc.record({
      shape: fc.constant(shape),
      axis: fc.constant(axis),
      which: fc.constant(which),
      seed: seeds,
      index: fc
        .tuple(...shape.map((length, i) => fc.integer({ min: 0, max: i === which ? 4 : length })))
        .chain((own) => indicesWithin(own, shape[which]!)),
    }),
  );
  const places = (index: Tensor, which: number, length: number): readonly (readonly number[])[] =>
    indicesOf(index.shape).map((at, flat) => at.map((one, i) => (i === which ? wrapped(index.data[flat]!, length) : one)));

  test("gather picks one element for each entry of the index", () => {
    fc.assert(
      fc.property(cases, ({ shape, axis, which, index, seed }) => {
        const x = normals(shape, seed);
        const data = places(index, which, shape[which]!).map((at) => elementAt(shape, x.data, at));
        expectExactly(gather(x, index, axis), index.shape, data);
      }),
      { numRuns: 100 },
    );
  });

  test("scatterAdd adds every update in its place, several to one if need be", () => {
    fc.assert(
      fc.property(cases, ({ shape, axis, which, index, seed }) => {
        const [x, updates] = [normals(shape, seed), normals(index.shape, seed + 1)];
        const before = Array.from(x.data);
        const data = Array.from(x.data);
        const flat = new Map(indicesOf(shape).map((at, i) => [at.join(), i]));
        places(index, which, shape[which]!).forEach((at, i) => (data[flat.get(at.join())!]! += updates.data[i]!));
        expectExactly(scatterAdd(x, index, updates, axis), shape, data);
        expect(Array.from(x.data)).toEqual(before);
      }),
      { numRuns: 100 },
    );
  });

  test("refuse indices of another rank, too long beside the axis, or outside it", () => {
    const x = zeros([2, 3]);
    expect(() => gather(x, [0, 1], 1)).toThrow(ShapeError);
    expect(() => gather(x, [[0], [0], [0]], 1)).toThrow("gather along axis 1 got an index of shape [3, 1] for [2, 3]");
    expect(() => gather(x, [[3]], 1)).toThrow(ShapeError);
    expect(() => gather(x, tensor([[0]]), 1)).toThrow(DtypeError);
    expect(() => scatterAdd(x, [[0]], zeros([1, 2]), 1)).toThrow(ShapeError);
    expect(() => scatterAdd(x, [[0]], zeros([1, 1], { dtype: "float32" }), 1)).toThrow(DtypeError);
    expect(() => scatterAdd(tensor([true]), [0], tensor([true]), 0)).toThrow(DtypeError);
  });
});

describe("oneHot", () => {
  test("has a one where the index says, in rows on a new last axis", () => {
    expectExactly(oneHot([[0, 2], [1, 1]], 3), [2, 2, 3], [1, 0, 0, 0, 0, 1, 0, 1, 0, 0, 1, 0]); // prettier-ignore
    expectExactly(oneHot(1, 2), [2], [0, 1]);
    expectExactly(oneHot([], 2), [0, 2], []);
    expect(oneHot(int32([1], [1]), 2, { dtype: "float32" }).dtype).toBe("float32");
    expect(oneHot([1], 2, { dtype: "bool" }).toArray()).toEqual([[false, true]]);
  });

  test("refuses classes that do not exist", () => {
    expect(() => oneHot([3], 3)).toThrow("oneHot got index 3: whole numbers from 0 to 2 are known here");
    expect(() => oneHot([-1], 3)).toThrow(ShapeError);
    expect(() => oneHot([0], -1)).toThrow(OptionError);
  });
});

describe("argMax and argMin", () => {
  const few = fc.constantFrom(-1, 0, 1, NaN, -Infinity, Infinity);
  test.each([["argMax", argMax, 1] as const, ["argMin", argMin, -1] as const])("%s finds the first extremum along any axis", (_, search, sign) => {
    const first = (list: readonly number[]): number =>
      list.some(Number.isNaN) ? list.findIndex(Number.isNaN) : list.map((one) => one * sign).indexOf(Math.max(...list.map((one) => one * sign)));
    fc.assert(
      fc.property(
        withAxis.chain((one) =>
          fc.tuple(fc.constant(one), fc.array(few, { minLength: count(one.shape), maxLength: count(one.shape) }), fc.boolean()),
        ),
        ([{ shape, axis, which }, values, keepDims]) => {
          const x = tensor(Float64Array.from(values), { shape });
          const kept = shape.map((length, i) => (i === which ? 1 : length));
          const data = indicesOf(kept).map((index) =>
            first(Array.from({ length: shape[which]! }, (_, k) => elementAt(shape, values, index.map((at, i) => (i === which ? k : at))))),
          ); // prettier-ignore
          const found = search(x, { axis, keepDims });
          expectExactly(found, keepDims ? kept : kept.filter((_, i) => i !== which), data);
          expect(found.dtype).toBe("int32");
          expectExactly(search(x, { keepDims }), keepDims ? shape.map(() => 1) : [], [first(values)]);
        },
      ),
      { numRuns: 100 },
    );
  });

  test("of a single number is 0, of nothing an error, of no rows nothing", () => {
    expectExactly(argMax(tensor(5)), [], [0]);
    expectExactly(argMax(zeros([0, 3]), { axis: 1 }), [0], []);
    expect(() => argMin(zeros([0, 3]), { axis: 0 })).toThrow(ShapeError);
    expect(() => argMax(zeros([0]))).toThrow("argMax of no elements");
    expect(() => argMax(zeros([2]), { axis: 1 })).toThrow(ShapeError);
  });
});
