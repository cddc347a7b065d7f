import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  broadcastTo,
  concat,
  copy,
  embed,
  flip,
  pad,
  reshape,
  ShapeError,
  slice,
  split,
  stack,
  sumTo,
  tensor,
  transpose,
  zeros,
  type Range,
  type Tensor,
} from "@dydt/tensor";
import { expectClose } from "../../../scripts/expect-close.js";
import { anyShape, broadcastPair, elementAt, expectExactly, indicesOf, normals, seeds } from "./reference.js";

/** The indices that Python's range(*slice(start, stop, step).indices(length)) gives. */
const pythonSlice = (length: number, [start, stop, step = 1]: readonly [(number | null)?, (number | null)?, number?]): readonly number[] => {
  const [lower, upper] = step > 0 ? [0, length] : [-1, length - 1];
  const bound = (index: number): number => (index < 0 ? Math.max(index + length, lower) : Math.min(index, upper));
  const from = start === undefined || start === null ? (step > 0 ? lower : upper) : bound(start);
  const to = stop === undefined || stop === null ? (step > 0 ? upper : lower) : bound(stop);
  const indices: number[] = [];
  for (let i = from; step > 0 ? i < to : i > to; i += step) indices.push(i);
  return indices;
};

const bound = fc.option(fc.integer({ min: -7, max: 7 }), { nil: null });
const range: fc.Arbitrary<Range> = fc.oneof(
  fc.constant(null),
  fc.tuple(),
  fc.tuple(bound),
  fc.tuple(bound, bound),
  fc.tuple(bound, bound, fc.constantFrom(-3, -2, -1, 1, 2, 3)),
);
const sliced = anyShape({ maxLength: 5 }).chain((shape) => fc.tuple(fc.constant(shape), fc.array(range, { maxLength: shape.length })));
const inner = (a: Tensor, b: Tensor): number => a.mul(b).sum().item();

describe("slice", () => {
  test("has NumPy's semantics: negative steps, ends out of range, empty results", () => {
    fc.assert(
      fc.property(sliced, seeds, ([shape, ranges], seed) => {
        const x = normals(shape, seed);
        const taken = shape.map((length, i) => pythonSlice(length, ranges[i] ?? []));
        const wanted = taken.map((indices) => indices.length);
        const data = indicesOf(wanted).map((index) => elementAt(shape, x.data, index.map((at, i) => taken[i]![at]!))); // prettier-ignore
        expectExactly(slice(x, ranges), wanted, data);
      }),
      { numRuns: 500 },
    );
  });

  test("has the numbers of NumPy for single axes", () => {
    const x = tensor([0, 1, 2, 3, 4, 5]);
    expectExactly(slice(x, [[1, -1, 2]]), [2], [1, 3]);
    expectExactly(slice(x, [[null, null, -2]]), [3], [5, 3, 1]);
    expectExactly(slice(x, [[4, 1, -1]]), [3], [4, 3, 2]);
    expectExactly(slice(x, [[-100, 100]]), [6], x.data);
    expectExactly(slice(x, [[100, -100, -1]]), [6], [5, 4, 3, 2, 1, 0]);
    expectExactly(slice(x, [[3, 3]]), [0], []);
    expectExactly(slice(x, [[4, 2]]), [0], []);
  });

  test("refuses steps of zero, fractions, and more ranges than axes", () => {
    expect(() => slice(zeros([3]), [[0, 1, 0]])).toThrow("slice got step 0");
    expect(() => slice(zeros([3]), [[0.5]])).toThrow("slice got index 0.5");
    expect(() => slice(zeros([3]), [[0, NaN]])).toThrow(ShapeError);
    expect(() => slice(zeros([3]), [null, null])).toThrow("slice got 2 ranges for shape [3] with 1 axes");
  });
});

describe("every linear movement is the transpose of another: <Ax, y> = <x, Aᵀy>", () => {
  test("slice and embed", () => {
    fc.assert(
      fc.property(sliced, seeds, ([shape, ranges], seed) => {
        const x = normals(shape, seed);
        const part = slice(x, ranges);
        const y = normals(part.shape, seed + 1);
        const back = embed(y, shape, ranges);
        expect(back.shape).toEqual(shape);
        expectClose(inner(part, y), inner(x, back), { rtol: 1e-12 });
      }),
    );
    expect(() => embed(zeros([2]), [5], [[0, 3]])).toThrow("embed got [2] for a place of shape [3]");
  });

  test("broadcastTo and sumTo", () => {
    fc.assert(
      fc.property(broadcastPair, seeds, ([shape, small], seed) => {
        const [x, y] = [normals(small, seed), normals(shape, seed + 1)];
        const large = broadcastTo(x, shape);
        expectExactly(large, shape, indicesOf(shape).map((index) => elementAt(small, x.data, index))); // prettier-ignore
        const back = sumTo(y, small);
        expect(back.shape).toEqual(small);
        expectClose(inner(large, y), inner(x, back), { rtol: 1e-11, atol: 1e-11 });
      }),
    );
    expect(() => broadcastTo(zeros([2, 3]), [3])).toThrow("broadcastTo cannot make [3] of [2, 3]: an axis would shrink");
    expect(() => broadcastTo(zeros([2]), [3])).toThrow(ShapeError);
    expect(() => sumTo(zeros([2, 3]), [4])).toThrow(ShapeError);
    expect(() => sumTo(zeros([1]), [4])).toThrow("sumTo cannot make [4] of [1]: an axis would grow");
  });

  test("a permutation of axes and its inverse", () => {
    fc.assert(
      fc.property(
        anyShape().chain((shape) =>
          fc.tuple(
            fc.constant(shape),
            fc.shuffledSubarray(
              shape.map((_, i) => i),
              { minLength: shape.length },
            ),
          ),
        ),
        seeds,
        ([shape, axes], seed) => {
          const x = normals(shape, seed);
          const moved = transpose(x, axes);
          const wanted = axes.map((axis) => shape[axis]!);
          const origin = (index: readonly number[]): readonly number[] => shape.map((_, axis) => index[axes.indexOf(axis)]!);
          expectExactly(moved, wanted, indicesOf(wanted).map((index) => elementAt(shape, x.data, origin(index)))); // prettier-ignore
          expectExactly(transpose(moved, shape.map((_, axis) => axes.indexOf(axis))), shape, x.data); // prettier-ignore
        },
      ),
    );
    expect(transpose(zeros([2, 3, 4])).shape).toEqual([4, 3, 2]);
    expect(transpose(zeros([2, 3, 4]), [-1, 0, 1]).shape).toEqual([4, 2, 3]);
    expect(() => transpose(zeros([2, 3]), [0, 0])).toThrow("transpose got axes [0, 0], which is no permutation of the 2 axes of [2, 3]");
    expect(() => transpose(zeros([2, 3]), [0])).toThrow(ShapeError);
  });
});

describe("joining and cutting", () => {
  test("split undoes concat, along any axis", () => {
    fc.assert(
      fc.property(
        anyShape({ minRank: 1, maxRank: 3 }),
        fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 4 }),
        fc.nat(2),
        seeds,
        (shape, lengths, pick, seed) => {
          const axis = pick % shape.length;
          const list = lengths.map((length, i) => normals(shape.map((old, j) => (j === axis ? length : old)), seed + i)); // prettier-ignore
          for (const signed of [axis, axis - shape.length]) {
            const joined = concat(list, signed);
            expect(joined.shape[axis]).toBe(lengths.reduce((s, l) => s + l, 0));
            split(joined, lengths, signed).forEach((part, i) => expectExactly(part, list[i]!.shape, list[i]!.data));
          }
        },
      ),
    );
  });

  test("stack makes a new axis, and at along it gives each tensor back", () => {
    const list = [normals([2, 3], 1), normals([2, 3], 2)];
    list.forEach((x, i) => expectExactly(stack(list).at(i), [2, 3], x.data));
    expect([stack(list, 1).shape, stack(list, -1).shape]).toEqual([[2, 2, 3], [2, 3, 2]]); // prettier-ignore
    expectExactly(stack([tensor(1), tensor(2)]), [2], [1, 2]);
    expectExactly(
      stack(list, -1)
        .slice([null, null, [1, 2]])
        .reshape([2, 3]),
      [2, 3],
      list[1]!.data,
    );
  });

  test("lists that do not fit are errors that name both shapes", () => {
    expect(() => concat([zeros([2, 3]), zeros([2, 4])])).toThrow("concat along axis 0 got shapes [2, 3] and [2, 4], which differ elsewhere");
    expect(() => concat([zeros([2]), zeros([2, 1])])).toThrow(ShapeError);
    expect(() => concat([])).toThrow("concat needs at least one tensor");
    expect(() => concat([tensor(1), tensor(2)])).toThrow("concat got axis 0, but the tensor has rank 0");
    expect(() => stack([zeros([2]), zeros([3])])).toThrow("stack got shapes [2] and [3], which must be equal");
    expect(() => split(zeros([5]), [2, 2])).toThrow("split got lengths [2, 2], which add up to 4, not to the 5 of axis 0");
    expect(() => split(zeros([5]), [-1, 6])).toThrow(ShapeError);
  });

  test("pad surrounds with zeros and flip reverses one axis", () => {
    expectExactly(pad(tensor([[1, 2]]), [[1, 0], [0, 2]]), [2, 4], [0, 0, 0, 0, 1, 2, 0, 0]); // prettier-ignore
    expectExactly(flip(tensor([[1, 2], [3, 4]]), 1), [2, 2], [2, 1, 4, 3]); // prettier-ignore
    expectExactly(flip(tensor([[1, 2], [3, 4]]), -2), [2, 2], [3, 4, 1, 2]); // prettier-ignore
    expect(() => pad(zeros([2]), [])).toThrow("pad needs 1 pairs of whole numbers for shape [2], got []");
    expect(() => pad(zeros([2]), [[-1, 0]])).toThrow(ShapeError);
  });
});

describe("reshape and at", () => {
  test("a list of lengths that is changed later changes no tensor", () => {
    const shape = [2, 3];
    const made = [tensor([1, 2, 3, 4, 5, 6]).reshape(shape), tensor(1).broadcastTo(shape), zeros(shape)];
    shape[0] = 9;
    for (const x of made) expect(x.shape).toEqual([2, 3]);
  });

  test("keep the row-major order and share the memory", () => {
    const x = normals([2, 6], 1);
    expectExactly(reshape(x, [3, 2, 2]), [3, 2, 2], x.data);
    expect(reshape(x, [4, -1]).shape).toEqual([4, 3]);
    expect(reshape(x, [12]).data.buffer).toBe(x.data.buffer);
    expectExactly(x.at(-1), [6], x.data.slice(6));
    expect(x.at(1).data.buffer).toBe(x.data.buffer);
    expect(copy(x).data.buffer).not.toBe(x.data.buffer);
    expect(reshape(zeros([0, 3]), [-1, 3]).shape).toEqual([0, 3]);
  });

  test("refuse what does not fit", () => {
    expect(() => reshape(zeros([2, 3]), [4])).toThrow("reshape got [2, 3] with 6 elements, which do not fill [4]");
    for (const shape of [[-1, -1], [4, -1], [-2, -3], [1.5, 4], [0, -1]]) expect(() => reshape(zeros([2, 3]), shape)).toThrow(ShapeError); // prettier-ignore
    for (const i of [2, -3, 0.5, NaN]) expect(() => zeros([2]).at(i)).toThrow(`at(${i}) is outside the first axis of [2]`);
    expect(() => tensor(1).at(0)).toThrow("use item()");
  });
});
