import fc from "fast-check";
import { expect, test } from "vitest";
import { cumsum, ShapeError, sum, tensor, zeros } from "@dydt/tensor";
import { anyShape, elementAt, expectExactly, indicesOf, normals, seeds } from "./reference.js";

test("cumsum adds up along any axis, from either end", () => {
  const cases = anyShape({ minRank: 1, maxRank: 3 }).chain((shape) =>
    fc.tuple(fc.constant(shape), fc.integer({ min: -shape.length, max: shape.length - 1 })),
  );
  fc.assert(
    fc.property(cases, fc.boolean(), seeds, ([shape, axis], reverse, seed) => {
      const x = normals(shape, seed);
      const which = axis < 0 ? axis + shape.length : axis;
      const length = shape[which]!;
      const data = indicesOf(shape).map((index) => {
        let total = 0;
        const add = (k: number): number => (total += elementAt(shape, x.data, index.map((at, i) => (i === which ? k : at)))); // prettier-ignore
        if (reverse) for (let k = length - 1; k >= index[which]!; k--) add(k);
        else for (let k = 0; k <= index[which]!; k++) add(k);
        return total;
      });
      expectExactly(cumsum(x, axis, reverse), shape, data);
    }),
    { numRuns: 100 },
  );
});

test("running sums of float32 are added in float64, those of a mask count", () => {
  const x = tensor(Float32Array.from([1e8, 1, -1e8]));
  expectExactly(cumsum(x, 0), [3], [1e8, Math.fround(1e8 + 1), 1]);
  expect(cumsum(x, 0).at(-1).item()).toBe(sum(x).item());
  expect([cumsum(tensor([true, false, true]), 0).dtype, cumsum(tensor([true, false, true]), 0).toArray()]).toEqual(["int32", [1, 1, 2]]);
});

test("a single number has no axis to add along", () => {
  expect(() => cumsum(tensor(1), 0)).toThrow(ShapeError);
  expect(() => cumsum(zeros([2]), 1)).toThrow("cumsum got axis 1, but the tensor has rank 1: axes go from -1 to 0");
});
