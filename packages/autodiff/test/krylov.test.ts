import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { gmres, gradient, KrylovError } from "@dydt/autodiff";
import { eye, OptionError, random, ShapeError, tensor, WatchedTensorError, zeros, type Tensor } from "@dydt/tensor";
import { expectClose } from "../../../scripts/expect-close.js";

const by = (a: Tensor) => (v: Tensor) => a.matmul(v);
const size = (x: Tensor) => Math.sqrt(x.square().sum().item());

describe("gmres", () => {
  test("property: the residual it reports is true and within the tolerance, restarts or not", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 1000 }), (n, restart, seed) => {
        const draws = random(seed);
        const a = eye(n)
          .mul(4)
          .add(draws.normal([n, n]).mul(1 / Math.sqrt(n)));
        const b = draws.normal([n]);
        const { x, residual, iterations } = gmres(by(a), b, { tolerance: 1e-9, restart });
        const actual = size(b.sub(a.matmul(x))) / size(b);
        expect(actual).toBeLessThanOrEqual(1e-9);
        expectClose(residual, actual, { rtol: 1e-5, atol: 1e-14 });
        if (restart >= n) expect(iterations).toBeLessThanOrEqual(n + 1);
      }),
      { numRuns: 60 },
    );
  });

  test("needs as many iterations as the matrix has eigenvalues, and stops where the space is exhausted", () => {
    const few = tensor([[2, 0, 0, 0], [0, 5, 0, 0], [0, 0, 2, 0], [0, 0, 0, 5]]); // prettier-ignore
    expect(gmres(by(few), tensor([1, 2, 3, 4])).iterations).toBe(2);
    expect(gmres((v) => v.mul(3), tensor([1, 2, 3]))).toMatchObject({ iterations: 1 });
    expectClose(gmres(by(few), tensor([1, 0, 0, 0]), { tolerance: 0 }).x, [0.5, 0, 0, 0]);
  });

  test("what is no function, or no tensor, is refused by name", () => {
    const b = tensor([1, 2]);
    expect(() => gmres((() => 3) as never, b)).toThrow(OptionError);
    expect(() => gmres((() => 3) as never, b)).toThrow("gmres needs an operator that gives a product that is a tensor [n], got number");
    expect(() => gmres(eye(2) as never, b)).toThrow(OptionError);
    expect(() => gmres((v) => v, [1, 2] as never)).toThrow("gmres needs a right-hand side that is a tensor [n], got a list");
    expect(() => gmres((v) => v, b, { guess: [1, 2] as never })).toThrow("gmres needs a guess that is a tensor [n], got a list");
  });

  test("begins where it is told", () => {
    const a = tensor([[4, 1], [2, 3]]); // prettier-ignore
    const { x } = gmres(by(a), tensor([1, 2]));
    expect(gmres(by(a), tensor([1, 2]), { guess: x }).iterations).toBe(0);
  });

  test("the solution of a zero right-hand side is zero, of nothing nothing", () => {
    expect(gmres((v) => v, zeros([3]))).toMatchObject({ iterations: 0, residual: 0 });
    expect(gmres((v) => v, zeros([0])).x.shape).toEqual([0]);
  });

  test("works in float32, and over the whole range of exponents", () => {
    const a = tensor([[4, 1], [2, 3]], { dtype: "float32" }); // prettier-ignore
    const { x } = gmres(by(a), tensor([1, 2], { dtype: "float32" }));
    expect(x.dtype).toBe("float32");
    expectClose(x, [0.1, 0.6], { rtol: 1e-5 });
    for (const scale of [1e-300, 1e300])
      expectClose(gmres((v) => v.mul(tensor([1, 2])), tensor([scale, scale])).x, [scale, scale / 2], { rtol: 1e-9, atol: 0 });
  });

  test("says so where there is no solution, with what it reached", () => {
    const singular = tensor([[1, 0], [0, 0]]); // prettier-ignore
    const failure = (() => {
      try {
        gmres(by(singular), tensor([1, 1]));
      } catch (error) {
        return error as KrylovError;
      }
    })();
    expect(failure).toBeInstanceOf(KrylovError);
    expectClose(failure!.residual, Math.sqrt(0.5), { rtol: 1e-9 });
    expect(failure!.message).toContain("falls no further");
    expectClose(gmres(by(singular), tensor([1, 0])).x, [1, 0]); // in its range there is one
    expect(() => gmres(by(tensor([[0, 1], [0, 0]])), tensor([1, 0]))).toThrow(KrylovError); // prettier-ignore
    expect(() => gmres((v) => v.mul(NaN), tensor([1, 0]))).toThrow(KrylovError);
    // a cyclic shift stands still until all vectors are there
    const shift = (v: Tensor) => v.take(tensor([2, 0, 1], { dtype: "int32" }));
    expect(() => gmres(shift, tensor([1, 0, 0]), { restart: 2 })).toThrow("keep more vectors");
    expect(gmres(shift, tensor([1, 0, 0])).iterations).toBe(3);
    expect(() => gmres(by(random(1).normal([30, 30])), random(2).normal([30]), { iterations: 4 })).toThrow("after 4 iterations");
  });

  test("a right-hand side of any finite size is solved, also where its norm leaves the range", () => {
    const a = tensor([[4, 1], [2, 3]]); // prettier-ignore
    const smallest = 5e-324;
    for (const [b, x] of [
      [
        [1.7e308, 1.7e308],
        [3.4e307, 3.4e307],
      ],
      [
        [-1.7e308, 0],
        [-5.1e307, 3.4e307],
      ],
      [
        [1e-310, 2e-310],
        [1e-311, 6e-311],
      ],
      [
        [40 * smallest, 80 * smallest],
        [4 * smallest, 24 * smallest],
      ],
    ] as const)
      // prettier-ignore
      expectClose(gmres(by(a), tensor(b)).x, tensor(x), { rtol: 1e-9, atol: smallest });
    const { x, residual } = gmres((v) => v, tensor([1.7e308, 1.7e308]));
    expectClose(x, [1.7e308, 1.7e308], { rtol: 1e-15 });
    expect(residual).toBeLessThan(1e-15);
    for (const scale of [3e38, 1e-44]) {
      const b = tensor([scale, scale], { dtype: "float32" });
      expectClose(gmres((v) => v, b).x, b, { rtol: 1e-6 });
    }
    expect(gmres((v) => v.mul(2), tensor([1e-320]), { guess: tensor([1]) }).x.item()).toBe(5e-321);
  });

  test("a right-hand side or a solution that is not finite is an error, never zeros", () => {
    for (const bad of [Infinity, -Infinity, NaN]) {
      expect(() => gmres((v) => v, tensor([1, bad]))).toThrow(KrylovError);
      expect(() => gmres((v) => v, tensor([1, bad]))).toThrow(`${bad} as element 1 of the right-hand side`);
    }
    expect(() => gmres((v) => v.mul(1e-3), tensor([1.7e308]))).toThrow("beyond the range of float64");
    expect(() => gmres((v) => v.mul(1e-3), tensor([3e38], { dtype: "float32" }))).toThrow("beyond the range of float32");
    expect(() => gmres((v) => v.mul(1e170), tensor([1e-170]))).toThrow("beyond the range of float64"); // 0, whose residual is all of b
    expect(() => gmres((v) => v.mul(1e30), tensor([1e-30], { dtype: "float32" }))).toThrow("beyond the range of float32");
    expectClose(gmres((v) => v.mul(1e200), tensor([3])).x, [3e-200], { rtol: 1e-14 }); // whose square leaves the range
    expectClose(gmres((v) => v.mul(1e-200), tensor([3])).x, [3e200], { rtol: 1e-14 });
    expect(() => gmres((v) => v.mul(tensor([Infinity, 1])), tensor([1, 1]))).toThrow(KrylovError);
    expect(() => gmres((v) => v, tensor([1]), { guess: tensor([Infinity]) })).toThrow(KrylovError);
  });

  test.each([[{ tolerance: -1 }], [{ tolerance: NaN }], [{ tolerance: Infinity }], [{ restart: 0 }], [{ iterations: 2.5 }], [{ tol: 1 }]])(
    "refuses %j",
    (options) => {
      expect(() => gmres((v) => v, tensor([1]), options as never)).toThrow(OptionError);
    },
  );

  test("refuses what is no vector, and a right-hand side that is being differentiated", () => {
    expect(() => gmres((v) => v, tensor([[1]]))).toThrow(ShapeError);
    expect(() => gmres(() => tensor([1, 2]), tensor([1]))).toThrow(ShapeError);
    expect(() => gmres((v) => v, tensor([1]), { guess: tensor([1, 2]) })).toThrow(ShapeError);
    expect(() => gradient((b: Tensor) => gmres((v) => v.mul(2), b).x.sum())(tensor([1]))).toThrow(WatchedTensorError);
  });
});
