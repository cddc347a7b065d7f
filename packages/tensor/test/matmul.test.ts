import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { all, DtypeError, lessEqual, matmul, matrixProduct, random, ShapeError, tensor, transpose, zeros, type Tensor } from "@dydt/tensor";
import { broadcastTriple, elementAt, expectExactly, indicesOf, normals, seeds } from "./reference.js";

const length = fc.integer({ min: 0, max: 7 });

/** Each element as a sum in ascending order, for operands of rank at least 2 whose batches broadcast. */
const naive = (a: Tensor, b: Tensor, batch: readonly number[]): readonly number[] => {
  const [m, k, n] = [a.shape[a.rank - 2]!, a.shape[a.rank - 1]!, b.shape[b.rank - 1]!];
  return indicesOf([...batch, m, n]).map((index) => {
    const [lead, i, j] = [index.slice(0, -2), index[index.length - 2]!, index[index.length - 1]!];
    let total = 0;
    for (let p = 0; p < k; p++) total += elementOf(a, [...lead, i, p]) * elementOf(b, [...lead, p, j]);
    return total;
  });
};
/** As elementAt, but the last two axes never repeat. */
const elementOf = (x: Tensor, index: readonly number[]): number => {
  const [rows, columns] = [x.shape[x.rank - 2]!, x.shape[x.rank - 1]!];
  const matrices = x.size / (rows * columns);
  const which = elementAt(x.shape.slice(0, -2), Array.from({ length: matrices }, (_, i) => i), index.slice(0, -2)); // prettier-ignore
  return x.data[(which * rows + index[index.length - 2]!) * columns + index[index.length - 1]!]!;
};

describe("matmul", () => {
  test("of matrices is summed in ascending order, of any size, the empty ones included", () => {
    fc.assert(
      fc.property(length, length, length, seeds, (m, k, n, seed) => {
        const [a, b] = [normals([m, k], seed), normals([k, n], seed + 1)];
        expectExactly(matmul(a, b), [m, n], naive(a, b, []));
      }),
    );
  });

  test("broadcasts batches as NumPy does", () => {
    fc.assert(
      fc.property(
        broadcastTriple,
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 1, max: 5 }),
        seeds,
        ({ a, b, common }, m, k, n, seed) => {
          const [x, y] = [normals([...a, m, k], seed), normals([...b, k, n], seed + 1)];
          expectExactly(matmul(x, y), [...common, m, n], naive(x, y, common));
        },
      ),
    );
  });

  test("takes vectors as rows on the left and columns on the right", () => {
    const [v, w, a, s] = [normals([3], 1), normals([4], 2), normals([3, 4], 3), normals([2, 3, 4], 4)];
    expectExactly(matmul(v, a), [4], matmul(v.reshape([1, 3]), a).data);
    expectExactly(matmul(a, w), [3], matmul(a, w.reshape([4, 1])).data);
    expectExactly(matmul(v, v), [], v.square().sum().data);
    expectExactly(matmul(v, s), [2, 4], matmul(v.reshape([1, 3]), s).data);
    expectExactly(matmul(s, w), [2, 3], matmul(s, w.reshape([4, 1])).data);
  });

  test("reads transposed operands in place", () => {
    fc.assert(
      fc.property(
        fc.constantFrom([], [2]),
        length,
        length,
        length,
        fc.boolean(),
        fc.boolean(),
        seeds,
        (lead, m, k, n, transposeA, transposeB, seed) => {
          const a = normals([...lead, ...(transposeA ? [k, m] : [m, k])], seed);
          const b = normals([...lead, ...(transposeB ? [n, k] : [k, n])], seed + 1);
          const flip = (x: Tensor): Tensor => transpose(x, lead.length === 0 ? [1, 0] : [0, 2, 1]);
          const wanted = matrixProduct(transposeA ? flip(a) : a, transposeB ? flip(b) : b);
          expectExactly(matrixProduct(a, b, transposeA, transposeB), [...lead, m, n], wanted.data);
        },
      ),
    );
  });

  test.each(["float64", "float32"] as const)("a row of %s has the same bits alone and in any batch", (dtype) => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 33 }), fc.integer({ min: 1, max: 9 }), seeds, (m, k, n, seed) => {
        const [a, b] = [normals([m, k], seed, dtype), normals([k, n], seed + 1, dtype)];
        const together = matmul(a, b);
        const stacked = matmul(a.reshape([m, 1, k]), b.reshape([1, k, n]));
        for (let i = 0; i < m; i++) {
          expectExactly(matmul(a.at(i), b), [n], together.at(i).data);
          expectExactly(stacked.at(i).at(0), [n], together.at(i).data);
        }
        for (let j = 0; j < n; j++) expectExactly(matmul(a, b.transpose().at(j)), [m], together.transpose().at(j).data);
      }),
      { numRuns: 40 },
    );
  });

  test("lets NaN and infinities through zeros", () => {
    expectExactly(matmul(tensor([[0, 1]]), tensor([[NaN, Infinity], [1, 2]])), [1, 2], [NaN, NaN]); // prettier-ignore
  });

  test("of float32 is right to float32's rounding of the sum of magnitudes", () => {
    const [a, b] = [random(1).normal([5, 300], { dtype: "float32" }), random(2).normal([300, 7], { dtype: "float32" })];
    const exact = matmul(a.cast("float64"), b.cast("float64"));
    const bound = matmul(a.abs().cast("float64"), b.abs().cast("float64")).mul(300 * 2 ** -24);
    expect(all(lessEqual(matmul(a, b).cast("float64").sub(exact).abs(), bound)).item()).toBe(1);
  });

  test("shapes and types that do not fit are errors that name the operands as they were given", () => {
    expect(() => matmul(zeros([2, 3]), zeros([2, 3]))).toThrow("matmul got shapes [2, 3] and [2, 3]: the inner lengths 3 and 2 must be equal");
    expect(() => matmul(zeros([3]), zeros([4]))).toThrow("matmul got shapes [3] and [4]: the inner lengths 3 and 4 must be equal");
    expect(() => matmul(zeros([5, 2, 3]), zeros([2]))).toThrow("matmul got shapes [5, 2, 3] and [2]");
    expect(() => matmul(zeros([2, 2, 3]), zeros([5, 3, 2]))).toThrow("matmul got shapes [2] and [5], which do not broadcast");
    expect(() => matmul(tensor(2), zeros([2]))).toThrow("use mul for a single number");
    expect(() => matmul(zeros([2, 2], { dtype: "int32" }), zeros([2, 2], { dtype: "int32" }))).toThrow(DtypeError);
    expect(() => matrixProduct(zeros([3, 2]), zeros([2, 3]), true)).toThrow("matmul got shapes [3, 2] (transposed) and [2, 3]");
    for (const [a, b] of [[[2], [2]], [[1, 1, 2, 2], [1, 1, 2, 2]], [[2, 2], [1, 2, 2]], [[2, 2, 2], [3, 2, 2]]] as const)
      expect(() => matrixProduct(zeros(a), zeros(b))).toThrow(ShapeError); // prettier-ignore
  });
});
