import { describe, expect, test } from "vitest";
import {
  any,
  arange,
  argMax,
  beginEpoch,
  concat,
  endEpoch,
  random,
  recordingWith,
  stack,
  tensor,
  zeros,
  type Recorder,
  type Tensor,
} from "@dydt/tensor";
import { gradient, hessian, hessianVectorProduct, jacobian, jvp, vjp } from "@dydt/autodiff";
import { expectClose } from "../../../scripts/expect-close.js";

const w = random(1).normal([3, 2]);
const layer = (x: Tensor): Tensor => x.matmul(w).tanh(); // [2, 3] to [2, 2]

describe("jacobian", () => {
  test("has the shape [...y.shape, ...x.shape], and its products are those of jvp and vjp", () => {
    const [x, v, u] = [random(2).normal([2, 3]), random(3).normal([2, 3]), random(4).normal([2, 2])];
    const j = jacobian(layer)(x);
    expect(j.shape).toEqual([2, 2, 2, 3]);
    expectClose(
      j
        .reshape([4, 6])
        .matmul(v.reshape([6]))
        .reshape([2, 2]),
      jvp(layer, x, v).tangent,
      { rtol: 1e-13 },
    );
    expectClose(
      u
        .reshape([4])
        .matmul(j.reshape([4, 6]))
        .reshape([2, 3]),
      vjp(layer, x).pullback(u),
      { rtol: 1e-13 },
    );
  });

  test("is the same by columns and by rows, of which it takes the fewer", () => {
    const runs = (f: (x: Tensor) => Tensor, x: Tensor): { readonly times: number; readonly j: Tensor } => {
      let times = 0;
      const j = jacobian((y: Tensor) => (times++, f(y)))(x);
      return { times, j };
    };
    const [narrow, wide] = [random(5).normal([7, 2]), random(6).normal([2, 7])];
    const tall = runs((x) => narrow.matmul(x).sin(), tensor([0.1, 0.2]));
    const broad = runs((x) => wide.matmul(x).sin(), random(7).normal([7]));
    expect([tall.times, broad.times]).toEqual([1, 2]); // two columns at once; a look at the size, and one taped run for two rows
    expectClose(tall.j, narrow.mul(narrow.matmul(tensor([0.1, 0.2])).cos().reshape([7, 1])), { rtol: 1e-13 });
    expectClose(broad.j, wide.mul(wide.matmul(random(7).normal([7])).cos().reshape([2, 1])), { rtol: 1e-13 });
  }); // prettier-ignore

  test("evaluates the function once for all columns, or for 32 of them, whatever their number", () => {
    const times = (n: number, m: number): number => {
      let count = 0;
      const matrix = random(n).normal([m, n]);
      const j = jacobian((x: Tensor) => (count++, matrix.matmul(x)))(random(8).normal([n]));
      expect(j.toArray()).toEqual(matrix.toArray());
      return count;
    };
    expect([0, 1, 2, 3].map((n) => times(n, 5))).toEqual([1, 1, 1, 1]);
    expect([1, 2, 3].map((n) => times(n, 1))).toEqual([1, 1, 1]); // as cheap as a look and a row
    expect([4, 5, 32, 33, 70].map((n) => times(n, 70))).toEqual([2, 2, 2, 3, 4]); // one to see that there are not fewer rows
    expect([4, 70].map((n) => times(n, 3))).toEqual([2, 2]);
  });

  test("computes the values, and the slopes that columns share, once", () => {
    const f = (x: Tensor): Tensor => x.exp().sin().mul(x);
    const x = random(9).normal([3]);
    const [alone, together] = [countOperations(() => jvp(f, x, x)), countOperations(() => jacobian(f)(x))];
    const all = Object.fromEntries(Object.keys(together).map((op) => [op, [alone[op] ?? 0, together[op]!]]));
    expect(all).toMatchObject({ exp: [1, 1], sin: [1, 1], cos: [1, 1] });
    expect(all["mul"]).toEqual([1 + 4, 1 + 3 * 4]); // ẋ eˣ, times cos, and both terms of the product
  });

  test("of trees is a tree of trees", () => {
    const j = jacobian(({ a, b }: { readonly a: Tensor; readonly b: Tensor }) => [a.mul(b), b.square()] as const)({
      a: tensor([1, 2]),
      b: tensor(3),
    });
    expectClose(j[0].a, [[3, 0], [0, 3]]); // prettier-ignore
    expectClose(j[0].b, [1, 2]);
    expectClose(j[1].a, [0, 0]);
    expectClose(j[1].b, 6);
  });

  test("of single numbers and of none", () => {
    expectClose(jacobian((x: Tensor) => x.square())(tensor(3)), 6);
    expect(jacobian((x: Tensor) => x.exp())(zeros([0])).shape).toEqual([0, 0]);
    expect(jacobian((x: Tensor) => concat([x, tensor([1])]))(zeros([0])).shape).toEqual([1, 0]);
    expect(jacobian((x: Tensor) => x.slice([[0, 0]]))(tensor([1, 2])).shape).toEqual([0, 2]);
    expect(jacobian((x: Tensor) => x.cast("float64"))(tensor([1], { dtype: "float32" })).dtype).toBe("float64");
  });

  test.each([2, 3, 4, 5])("has the type of the value, by columns and by rows (%d numbers)", (n) => {
    for (const [from, to] of [
      ["float64", "float32"],
      ["float32", "float64"],
    ] as const) {
      // prettier-ignore
      const x = arange(n).cast(from);
      const sum = jacobian((y: Tensor) => y.cast(to).square().sum())(x);
      expect(sum.dtype).toBe(to);
      expectClose(sum, arange(n).mul(2).cast(to));
      expect(jacobian((y: Tensor) => y.cast(to))(x).dtype).toBe(to);
      const kinds = jacobian((y: Tensor) => ({
        place: argMax(y),
        above: any(y.greater(1)),
        none: y
          .sum()
          .reshape([1])
          .slice([[0, 0]]),
      }))(x);
      expect([kinds.place.dtype, kinds.above.dtype, kinds.none.dtype]).toEqual(["int32", "bool", from]);
      expect([kinds.place, kinds.above].map((j) => j.cast("float64").abs().sum().item())).toEqual([0, 0]);
      expect(kinds.none.shape).toEqual([0, n]);
    }
  });

  test("nests: the Jacobian of a Jacobian has all second derivatives, whichever mode is outside", () => {
    const f = (x: Tensor): Tensor => stack([x.at(0).square().mul(x.at(1)), x.at(1).sin()]);
    const second = jacobian(jacobian(f))(tensor([2, 3]));
    expectClose(second, [[[6, 4], [4, 0]], [[0, 0], [0, -Math.sin(3)]]], { rtol: 1e-14 }); // prettier-ignore
    expectClose(gradient((x: Tensor) => jacobian(f)(x).at(0).sum())(tensor([2, 3])), [10, 4]);
  });
});

/** How often each operation is computed. */
const countOperations = (run: () => unknown): Readonly<Record<string, number>> => {
  const counts: Record<string, number> = {};
  const counter: Recorder = {
    epoch: beginEpoch(),
    retains: false,
    watches: () => false,
    record: ({ op }) => void (counts[op] = (counts[op] ?? 0) + 1),
  };
  recordingWith([counter], run);
  endEpoch(counter.epoch);
  return counts;
};

describe("hessian", () => {
  const rosenbrock = (x: Tensor): Tensor => x.at(1).sub(x.at(0).square()).square().mul(100).add(x.at(0).sub(1).square());
  const exact = (x: number, y: number) => [[1200 * x * x - 400 * y + 2, -400 * x], [-400 * x, 200]]; // prettier-ignore

  test("is that of Rosenbrock's function, and its products with vectors are hessianVectorProduct", () => {
    expectClose(hessian(rosenbrock)(tensor([1.2, -0.4])), exact(1.2, -0.4), { rtol: 1e-13 });
    const v = tensor([0.3, -2]);
    expectClose(hessianVectorProduct(rosenbrock, tensor([1.2, -0.4]), v), tensor(exact(1.2, -0.4)).matmul(v), { rtol: 1e-13 });
  });

  test("evaluates the function once for all its columns, or for 32 of them", () => {
    const times = (n: number): number => {
      let count = 0;
      const h = hessian((x: Tensor) => (count++, x.square().mul(x).sum()))(random(3).normal([n]));
      expect(h.shape).toEqual([n, n]);
      return count;
    };
    expect([0, 1, 7, 32, 33].map(times)).toEqual([1, 1, 1, 1, 2]);
  });

  test("of a tree is a tree of trees", () => {
    const h = hessian(({ a, b }: { readonly a: Tensor; readonly b: Tensor }) => a.square().mul(b).sum())({ a: tensor([1, 2]), b: tensor(3) });
    expectClose(h.a.a, [[6, 0], [0, 6]]); // prettier-ignore
    expectClose(h.a.b, [2, 4]);
    expectClose(h.b.a, [2, 4]);
    expectClose(h.b.b, 0);
  });

  test("costs a few evaluations for each product, not a Hessian", () => {
    const count = (run: () => unknown): number => Object.values(countOperations(run)).reduce((sum, n) => sum + n, 0);
    const f = (x: Tensor): Tensor => { let y = x; for (let n = 0; n < 30; n++) y = y.tanh().mul(x); return y.sum(); }; // prettier-ignore
    const x = random(1).normal([50]);
    expect(count(() => hessianVectorProduct(f, x, x)) / count(() => f(x))).toBeLessThan(12);
  });
});
