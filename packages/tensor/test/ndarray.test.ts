import fc from "fast-check";
import ndarray, { type NdArray } from "ndarray";
import ops from "ndarray-ops";
import { describe, expect, test } from "vitest";
import { DtypeError, fromNdarray, scope, tensor, zeros, type TypedArray } from "@dydt/tensor";
import { anyShape, count, expectExactly, indicesOf, normals, seeds } from "./reference.js";

describe("fromNdarray", () => {
  test("copies any ndarray: transposed, with steps, reversed, starting anywhere", () => {
    const cut = fc.record({ low: fc.nat(2), step: fc.constantFrom(-2, -1, 1, 2) });
    fc.assert(
      fc.property(
        anyShape({ minRank: 1, minLength: 1 }).chain((shape) =>
          fc.tuple(
            fc.constant(shape),
            fc.shuffledSubarray(shape.map((_, i) => i), { minLength: shape.length }), // prettier-ignore
            fc.array(cut, { minLength: shape.length, maxLength: shape.length }),
          ),
        ),
        seeds,
        ([shape, order, cuts], seed) => {
          let source: NdArray<TypedArray> = normals(shape, seed).ndarray.transpose(...order);
          source = source.lo(...source.shape.map((length, i) => Math.min(cuts[i]!.low, length - 1))).step(...cuts.map((one) => one.step));
          const wanted = indicesOf(source.shape).map((index) => source.get(...index));
          expectExactly(fromNdarray(source), source.shape, wanted);
        },
      ),
      { numRuns: 300 },
    );
  });

  test("copies ndarrays without axes and without elements", () => {
    expectExactly(fromNdarray(tensor(5).ndarray), [], [5]);
    expectExactly(fromNdarray(zeros([0, 3]).ndarray), [0, 3], []);
    expectExactly(fromNdarray(ndarray([1, 2, 3, 4], [2, 2])), [2, 2], [1, 2, 3, 4]);
  });

  test("keeps float32 and int32, widens small integers, and refuses the rest", () => {
    expect(fromNdarray(ndarray(new Float32Array([1.5]), [1])).dtype).toBe("float32");
    expect(fromNdarray(ndarray(new Int32Array([1]), [1])).dtype).toBe("int32");
    expect(fromNdarray(ndarray(new Uint8Array([200]), [1])).item()).toBe(200);
    expect(() => fromNdarray(ndarray(new Uint32Array(1), [1]) as unknown as NdArray<TypedArray>)).toThrow(DtypeError);
  });

  test("does not share memory with its source", () => {
    const source = ndarray(new Float64Array([1, 2]), [2]);
    const x = fromNdarray(source);
    source.set(0, 99);
    expectExactly(x, [2], [1, 2]);
  });
});

describe("tensor.ndarray", () => {
  test("is a view of the elements, without a copy, that ndarray-ops can read", () => {
    fc.assert(
      fc.property(anyShape({ minLength: 1 }), seeds, (shape, seed) => {
        const x = normals(shape, seed);
        expect(x.ndarray.data).toBe(x.data);
        expect(x.ndarray.shape).toEqual(shape);
        const out = ndarray(new Float64Array(count(shape)), [...shape]);
        ops.assign(out, x.ndarray);
        expect(Array.from(out.data)).toEqual(Array.from(x.data));
      }),
    );
  });

  test("begins at the right element for a part that shares memory, on the heap and in a region", () => {
    const x = normals([3, 4], 1);
    expectExactly(fromNdarray(x.at(2).ndarray), [4], x.data.slice(8));
    const copied = scope(() => ({ again: fromNdarray(x.mul(2).at(1).ndarray) }));
    expectExactly(copied.again, [4], x.at(1).mul(2).data);
  });
});
