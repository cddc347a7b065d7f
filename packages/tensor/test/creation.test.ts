import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Tensor } from "@dydt/tensor";
import {
  arange,
  DtypeError,
  eye,
  full,
  linspace,
  ones,
  OptionError,
  random,
  ShapeError,
  tensor,
  zeros,
  zerosLike,
  type NestedArray,
} from "@dydt/tensor";
import { anyShape, count, expectExactly, indicesOf, seeds } from "./reference.js";

describe("tensor()", () => {
  test("takes a number as a tensor without axes", () => {
    const x = tensor(3);
    expectExactly(x, [], [3]);
    expect(x.rank).toBe(0);
    expect(x.item()).toBe(3);
    expect(x.toArray()).toBe(3);
  });

  test("finds the shape of nested lists, row by row", () => {
    expectExactly(tensor([[1, 2, 3], [4, 5, 6]]), [2, 3], [1, 2, 3, 4, 5, 6]); // prettier-ignore
    expectExactly(tensor([[[1], [2]]]), [1, 2, 1], [1, 2]);
  });

  test("keeps empty lists as axes of length 0", () => {
    expectExactly(tensor([]), [0], []);
    expectExactly(tensor([[], []]), [2, 0], []);
    expectExactly(tensor([[[]]]), [1, 1, 0], []);
  });

  test("gives back through toArray what it was given, for any shape with elements on its last axis", () => {
    fc.assert(
      fc.property(anyShape({ minLength: 1 }), (shape) => {
        let next = 0;
        const build = (axis: number): NestedArray => (axis === shape.length ? next++ : Array.from({ length: shape[axis]! }, () => build(axis + 1)));
        const values = build(0);
        const x = tensor(values);
        expect(x.shape).toEqual(shape);
        expect(x.toArray()).toEqual(values);
      }),
    );
  });

  test.each([
    ["rows of different length", [[1, 2], [3]]],
    ["an empty row beside a full one", [[], [1]]],
    ["a full row beside an empty one", [[1], []]],
    ["a number beside a row", [1, [2]]],
    ["a row beside a number", [[1], 2]],
    ["different depths", [[[1]], [2]]],
    ["an empty list deeper than the others", [[], [[]]]],
  ] as readonly (readonly [string, NestedArray])[])("refuses ragged values: %s", (_, values) => {
    expect(() => tensor(values)).toThrow(ShapeError);
    expect(() => tensor(values)).toThrow(/ragged/);
  });

  test.each([
    [new Float64Array([1.5, -2]), "float64"],
    [new Float32Array([1.5, -2]), "float32"],
    [new Int32Array([1, -2]), "int32"],
    [new Int16Array([1, -2]), "int32"],
    [new Uint8Array([1, 254]), "int32"],
  ] as const)("keeps the element type of a typed array (%#)", (array, dtype) => {
    const x = tensor(array as Float64Array);
    expect(x.dtype).toBe(dtype);
    expectExactly(x, [2], array);
  });

  test("copies a typed array, so that writing to it later changes nothing", () => {
    const array = new Float64Array([1, 2]);
    const x = tensor(array);
    array[0] = 99;
    expectExactly(x, [2], [1, 2]);
  });

  test("refuses arrays of 64-bit integers and clamped bytes without a dtype", () => {
    expect(() => tensor(new BigInt64Array(2) as unknown as Float64Array)).toThrow(DtypeError);
    expect(() => tensor(new Uint32Array(2) as unknown as Float64Array)).toThrow(/Uint32Array/);
  });

  test("makes masks of booleans only: mixed with numbers they count as 0 and 1", () => {
    expect(tensor([true, false]).dtype).toBe("bool");
    expect(tensor([true, false]).toArray()).toEqual([true, false]);
    expect(tensor([true, 2.5]).dtype).toBe("float64");
    expectExactly(tensor([true, 2.5]), [2], [1, 2.5]);
  });

  test("holds only zeros and ones in a mask", () => {
    expectExactly(tensor([0, 7, -1], { dtype: "bool" }), [3], [0, 1, 1]);
    expectExactly(tensor(new Float64Array([0, 0.5]), { dtype: "bool" }), [2], [0, 1]);
    expectExactly(full([2], 5, { dtype: "bool" }), [2], [1, 1]);
  });

  test("takes a shape and a dtype", () => {
    expectExactly(tensor([1, 2, 3, 4], { shape: [2, 2], dtype: "float32" }), [2, 2], [1, 2, 3, 4]);
    expect(tensor([0.1], { dtype: "float32" }).item()).toBe(Math.fround(0.1));
    expect(() => tensor([1, 2, 3], { shape: [2, 2] })).toThrow("tensor got 3 values for shape [2, 2], which holds 4");
    expect(() => tensor([1], { shape: [1.5] })).toThrow(ShapeError);
  });

  test.each([["abc"], [null], [undefined], [[1, "2"]], [{}]])("refuses values that are no numbers: %j", (values) => {
    expect(() => tensor(values as unknown as NestedArray)).toThrow(OptionError);
  });
});

describe("the filling constructors", () => {
  test("fill with one number, of any shape", () => {
    fc.assert(
      fc.property(anyShape(), (shape) => {
        expectExactly(zeros(shape), shape, new Float64Array(count(shape)));
        expectExactly(ones(shape, { dtype: "int32" }), shape, new Int32Array(count(shape)).fill(1));
        expectExactly(zerosLike(ones(shape, { dtype: "float32" })), shape, new Float32Array(count(shape)));
      }),
    );
    expect(zerosLike(ones([2], { dtype: "float32" })).dtype).toBe("float32");
    expect(() => zeros([2, -1])).toThrow("lengths are whole numbers of at least 0");
  });

  test("eye is the identity matrix", () => {
    expectExactly(eye(3), [3, 3], indicesOf([3, 3]).map(([i, j]) => Number(i === j))); // prettier-ignore
    expectExactly(eye(0), [0, 0], []);
  });

  test("linspace ends exactly at its ends", () => {
    expectExactly(linspace(0, 1, 5), [5], [0, 0.25, 0.5, 0.75, 1]);
    expectExactly(linspace(2, 9, 1), [1], [2]);
    expectExactly(linspace(2, 9, 0), [0], []);
    expect(linspace(0, 0.3, 4).at(-1).item()).toBe(0.3);
  });

  test("arange leaves the stop out and counts down with a negative step", () => {
    expectExactly(arange(4), [4], [0, 1, 2, 3]);
    expectExactly(arange(1, 2, 0.25), [4], [1, 1.25, 1.5, 1.75]);
    expectExactly(arange(3, 0, -1), [3], [3, 2, 1]);
    expectExactly(arange(3, 0), [0], []);
    expect(() => arange(0, 1, 0)).toThrow(OptionError);
  });
});

describe("random()", () => {
  test("gives the same bits for the same seed and the same calls, and others for other seeds", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const draw = (): readonly Tensor[] => {
          const stream = random(seed);
          return [stream.normal([3, 2]), stream.uniform([4]), stream.permutation(5), ...stream.split(2).map((one) => one.normal([2]))];
        };
        const [first, second] = [draw(), draw()];
        first.forEach((x, i) => expectExactly(second[i]!, x.shape, x.data));
      }),
      { numRuns: 20 },
    );
    expect(random(1).uniform([3]).toArray()).not.toEqual(random(2).uniform([3]).toArray());
  });

  test("goes on where it ended, and permutes every number once", () => {
    const stream = random(3);
    expect(stream.normal([2]).toArray()).not.toEqual(stream.normal([2]).toArray());
    expect([...stream.permutation(20).data].sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i));
    expect(() => stream.normal([2], { dtype: "int32" })).toThrow(DtypeError);
  });
});
