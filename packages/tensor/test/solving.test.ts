import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  DtypeError,
  eye,
  linearSolve,
  matmul,
  OptionError,
  ShapeError,
  SingularMatrixError,
  stack,
  tensor,
  transpose,
  zeros,
  type Tensor,
} from "@dydt/tensor";
import { expectClose } from "../../../scripts/expect-close.js";
import { broadcastTriple, count, expectExactly, normals, seeds } from "./reference.js";

const transposedOf = (a: Tensor): Tensor =>
  transpose(
    a,
    a.shape.map((_, i) => (i < a.rank - 2 ? i : a.rank - 1 - (i - (a.rank - 2)))),
  );
/** Normal numbers with rows in need of pivoting: nothing on the diagonal, larger entries beside it. */
const wellPosed = (lead: readonly number[], n: number, seed: number): Tensor => {
  const ones = Float64Array.from({ length: n * n }, (_, i) => (((i % n) + 1) % n === Math.floor(i / n) ? 4 : 0));
  const a = normals([...lead, n, n], seed).mul(0.5).mul(n === 1 ? 0 : 1); // prettier-ignore
  return a.sub(a.mul(eye(n))).add(tensor(ones, { shape: [n, n] }));
};

describe("linearSolve", () => {
  test("gives x with A x = b, or with the transposed A, for batches that broadcast", () => {
    fc.assert(
      fc.property(broadcastTriple, fc.integer({ min: 0, max: 6 }), fc.integer({ min: 0, max: 3 }), fc.boolean(), seeds, ({ a, b, common }, n, k, transposed, seed) => {
        const [matrix, right] = [wellPosed(a, n, seed), normals([...b, n, k], seed + 1)];
        if (right.rank === matrix.rank - 1 && right.shape.join() === matrix.shape.slice(0, -1).join()) return; // vectors, see below
        const x = linearSolve(matrix, right, { transposed });
        expect(x.shape).toEqual([...common, n, k]);
        const back = matmul(transposed ? transposedOf(matrix) : matrix, x);
        if (count(back.shape) > 0) expectClose(back, right.broadcastTo(back.shape), { rtol: 1e-9, atol: 1e-9 });
      }),
      { numRuns: 100 },
    ); // prettier-ignore
  });

  test("takes one vector, for one matrix or many, or a vector for each", () => {
    const a = wellPosed([2, 3], 4, 1);
    const [one, each] = [normals([4], 2), normals([2, 3, 4], 3)];
    const times = (x: Tensor): Tensor => matmul(a, x.reshape([2, 3, 4, 1])).reshape([2, 3, 4]);
    expectClose(times(linearSolve(a, one)), one.broadcastTo([2, 3, 4]));
    expectClose(times(linearSolve(a, each)), each);
    expectClose(linearSolve(a.at(0).at(0), one), linearSolve(a, one).at(0).at(0));
    expectClose(linearSolve(a.at(0), each.at(0), { transposed: true }), linearSolve(transposedOf(a.at(0)), each.at(0)));
  });

  test("exchanges rows: a zero on the diagonal is no obstacle, and tiny pivots lose no digits", () => {
    expectExactly(linearSolve(tensor([[0, 1], [1, 0]]), tensor([2, 3])), [2], [3, 2]); // prettier-ignore
    expectClose(linearSolve(tensor([[1e-20, 1], [1, 1]]), tensor([1, 2])), [1, 1], { rtol: 1e-15 }); // prettier-ignore
  });

  test("has the same bits alone and in any batch, and float32 is solved in float64", () => {
    const [a, b] = [wellPosed([3], 5, 1), normals([3, 5, 2], 2)];
    for (let i = 0; i < 3; i++) expectExactly(linearSolve(a.at(i), b.at(i)), [5, 2], linearSolve(a, b).at(i).data);
    const [single, right] = [a.at(0).cast("float32"), b.at(0).cast("float32")];
    expectExactly(linearSolve(single, right), [5, 2], linearSolve(single.cast("float64"), right.cast("float64")).cast("float32").data);
  });

  test("has the same bits alone and where a matrix is repeated in the batch, between others too", () => {
    const [one, other] = [wellPosed([], 4, 1), wellPosed([], 4, 2)];
    const [zero, minus] = [tensor([[1, 0], [0, 1]]), tensor([[1, -0], [0, 1]])]; // prettier-ignore
    for (const [matrices, n] of [
      [[one, one, other, other, one], 4],
      [[zero, minus, zero, minus, minus], 2],
    ] as const)
      // prettier-ignore
      for (const transposed of [false, true]) {
        const right = normals([5, n, 2], 3).mul(tensor([1, 0, 1, -0, 1], { shape: [5, 1, 1] })); // prettier-ignore
        const x = linearSolve(stack(matrices), right, { transposed });
        matrices.forEach((a, i) => expectExactly(linearSolve(a, right.at(i), { transposed }), [n, 2], x.at(i).data));
      }
    const many = normals([3, 4, 2], 4);
    expectExactly(linearSolve(one, many), [3, 4, 2], linearSolve(stack([one, one, one]), many).data);
  });

  test("names the pivot of a singular matrix, and where it stands in a batch", () => {
    expect(() => linearSolve(zeros([2, 2]), zeros([2]))).toThrow(SingularMatrixError);
    const batch = tensor([[[1, 0], [0, 1]], [[1, 2], [2, 4]]]); // prettier-ignore
    expect(() => linearSolve(batch, zeros([2, 2]))).toThrow("linearSolve got a singular matrix, number 1 of 2, of shape [2, 2]: pivot 1 is 0");
    expect(linearSolve(tensor([[NaN]]), tensor([1])).toArray()).toEqual([NaN]);
  });

  test("of nothing is nothing", () => {
    expectExactly(linearSolve(zeros([0, 0]), zeros([0])), [0], []);
    expectExactly(linearSolve(zeros([0, 2, 2]), zeros([0, 2, 3])), [0, 2, 3], []);
  });

  test("refuses what does not fit", () => {
    expect(() => linearSolve(zeros([2, 3]), zeros([2]))).toThrow(ShapeError);
    expect(() => linearSolve(eye(2), zeros([3]))).toThrow("linearSolve got shapes [2, 2] and [3]: [..., n, n] and [n], [..., n] or [..., n, k] fit");
    expect(() => linearSolve(eye(2), tensor(1))).toThrow(ShapeError);
    expect(() => linearSolve(tensor(1), tensor([1]))).toThrow(ShapeError);
    expect(() => linearSolve(zeros([2, 3, 3]), zeros([4, 3, 1]))).toThrow(ShapeError);
    expect(() => linearSolve(eye(2), zeros([2], { dtype: "float32" }))).toThrow(DtypeError);
    expect(() => linearSolve(eye(2, { dtype: "int32" }), zeros([2], { dtype: "int32" }))).toThrow(DtypeError);
    expect(() => linearSolve(eye(2), zeros([2]), { transpose: true } as object)).toThrow(OptionError);
  });
});
