import { describe, expect, test } from "vitest";
import * as dydt from "@dydt/tensor";
import {
  clip, elu, equal, full, gather, greater, isFinite, leakyRelu, less, linearSolve, logSoftmax, logsumexp, max, maximum, minimum, norm, pow, prod, relu, scatterAdd,
  SingularMatrixError, softmax, take, tensor, where, zeros, type Tensor,
} from "@dydt/tensor"; // prettier-ignore
import { gradient } from "@dydt/autodiff";
import { expectClose } from "../../../scripts/expect-close.js";

/** -0 counts as 0 here. */
const slope = (f: (x: Tensor) => Tensor, at: readonly number[]): readonly number[] =>
  gradient((x: Tensor) => f(x).sum())(tensor(at))
    .add(0)
    .toArray() as readonly number[];
/** Row by row, the derivative of each entry of the gradient. */
const hessian = (f: (x: Tensor) => Tensor, at: readonly number[]): readonly (readonly number[])[] =>
  at.map((_, i) => gradient((x: Tensor) => gradient((y: Tensor) => f(y).sum())(x).at(i))(tensor(at)).toArray() as number[]);

describe("a branch that where does not take has no say in the gradient, however its slope misbehaves", () => {
  const traps: Readonly<Record<string, readonly [f: (x: Tensor) => Tensor, at: number]>> = {
    "sqrt at 0": [(x) => x.sqrt(), 0],
    "sqrt below 0": [(x) => x.sqrt(), -1],
    "log at 0": [(x) => x.log(), 0],
    "log below 0": [(x) => x.log(), -1],
    "log1p at -1": [(x) => x.log1p(), -1],
    "reciprocal at 0": [(x) => x.reciprocal(), 0],
    "division by 0": [(x) => dydt.div(1, x), 0],
    "0 / 0": [(x) => x.div(x), 0],
    "an overflowing exp": [(x) => x.exp(), 1000],
    "an overflowing expm1": [(x) => x.expm1(), 1000],
    "a root as a power": [(x) => x.pow(0.5), 0],
    "a power of a negative number": [(x) => x.pow(1.5), -2],
    "an exponent over a negative base": [(x) => pow(-2, x), 0.5],
    "an exponent over 0": [(x) => pow(0, x), -1],
    "a power with both operands 0": [(x) => x.pow(x), 0],
    "the norm at 0": [(x) => norm(x, { axis: [] }), 0],
    "an infinite sigmoid": [(x) => x.exp().sigmoid(), 1000],
    "the logarithm of an underflow": [(x) => x.exp().log(), -1000],
    "a normalised zero": [(x) => x.div(x.square().sqrt()), 0],
  };
  test.each(Object.entries(traps))("%s", (_, [f, at]) => {
    expect(slope((x) => where(equal(x, at), 5, f(x)), [at, 0.25])).toEqual([0, expect.any(Number)]);
    expect(slope((x) => where(equal(x, at), x.mul(3), f(x)), [at])).toEqual([3]);
    expect(slope((x) => where(less(x, at), f(x), where(greater(x, at), f(x), 0)), [at])).toEqual([0]);
  });

  test("to second order", () => {
    for (const [name, [f, at]] of Object.entries(traps))
      expect.soft([name, hessian((x) => where(equal(x, at), x.square(), f(x)), [at])]).toEqual([name, [[2]]]);
  });
});

describe("at kinks and ends", () => {
  test("roots and norms: the slope of sqrt at 0 is infinite, that of norm is 0, also to second order", () => {
    expect(slope((x) => x.sqrt(), [0, 4])).toEqual([Infinity, 0.25]);
    for (const order of [1, 2, Infinity]) expect(slope((x) => norm(x, { order }), [0, 0])).toEqual([0, 0]);
    expect(hessian((x) => norm(x), [0, 0])).toEqual([[0, 0], [0, 0]]); // prettier-ignore
    expectClose(
      slope((x) => norm(x), [3, -4]),
      [0.6, -0.8],
    );
    expectClose(gradient((x: Tensor) => norm(x, { axis: 1 }).sum())(tensor([[0, 0], [3, 4]])), [[0, 0], [0.6, 0.8]]); // prettier-ignore
    expect(norm(tensor([NaN, 0])).item()).toBeNaN();
  });

  test("maximum and minimum share a tie, max and min among all that tie, and norms of order infinity too", () => {
    for (const choose of [maximum, minimum]) {
      const shares = gradient(([a, b]: readonly [Tensor, Tensor]) => choose(a, b).sum())([tensor([1, 2, 3]), tensor([1, 5, 0])]);
      const wins = choose === maximum ? [0.5, 0, 1] : [0.5, 1, 0];
      expect(shares.map((g) => g.toArray())).toEqual([wins, wins.map((one) => 1 - one)]);
    }
    expect(slope((x) => maximum(x, 0), [0])).toEqual([0.5]);
    expect(slope((x) => maximum(x, x), [2])).toEqual([1]);
    expect(slope((x) => max(x, { axis: 0 }), [2, 2, 1])).toEqual([0.5, 0.5, 0]);
    expect(slope((x) => norm(x, { order: Infinity }), [2, -2, 1])).toEqual([0.5, -0.5, 0]);
  });

  test("a NaN that was chosen is nobody's alone: both operands keep the derivative", () => {
    expect(slope((x) => maximum(x, 1), [NaN])).toEqual([1]);
    expect(slope((x) => minimum(1, x), [NaN])).toEqual([1]);
  });

  test("rectifiers: relu and leakyRelu have the left slope at 0, elu its own, abs 0, clip 1 from bound to bound", () => {
    expect(slope(relu, [0])).toEqual([0]);
    expect(slope((x) => leakyRelu(x, 0.1), [0])).toEqual([0.1]);
    expect(slope((x) => elu(x, 1), [0, 2, 1000])).toEqual([1, 1, 1]);
    expect(slope((x) => elu(x, 0.5), [0])).toEqual([0.5]);
    expect(slope((x) => x.abs(), [0])).toEqual([0]);
    expect(slope((x) => clip(x, -1, 1), [-2, -1, 0, 1, 2])).toEqual([0, 1, 1, 1, 0]);
    expect(slope((x) => clip(x, 1, 1), [1, 2])).toEqual([1, 0]);
  });

  test("powers: x⁰ has slope 0 everywhere, x¹ slope 1, and 0ᵖ has slope 0 in p for p ≥ 0", () => {
    expect(slope((x) => x.pow(0), [0, -1, 2, Infinity])).toEqual([0, 0, 0, 0]);
    expect(slope((x) => x.pow(1), [0, -1])).toEqual([1, 1]);
    expect(slope((x) => x.pow(2), [0, -1])).toEqual([0, -2]);
    expect(slope((x) => x.pow(3), [0, -1])).toEqual([0, 3]);
    expect(slope((x) => x.pow(tensor([0, 0, 1, 2, 3])), [0, 2, 0, 0, -2])).toEqual([0, 0, 1, 0, 12]);
    expect(slope((p) => pow(0, p), [0, 2])).toEqual([0, 0]);
    expect(slope((p) => pow(tensor([0, 1, 2]), p), [2, 5, 0])).toEqual([0, 0, expect.closeTo(Math.LN2, 14)]);
    expect(hessian((x) => x.pow(3), [0])).toEqual([[0]]);
    expect(hessian((x) => x.pow(2), [0])).toEqual([[2]]);
  });

  test("the mixed second derivative of xᵖ at p = 0 is 1 / x", () => {
    const mixed = gradient((x: Tensor) => gradient((p: Tensor) => pow(x, p).sum())(tensor([0])).sum());
    expectClose(mixed(tensor([4])), [0.25]);
    const other = gradient((p: Tensor) => gradient((x: Tensor) => pow(x, p).sum())(tensor([4])).sum());
    expectClose(other(tensor([0])), [0.25]);
  });

  test("logsumexp: −∞ has no share, and where all are −∞ the slope is 0", () => {
    expectClose(slope(logsumexp, [-Infinity, 0, 1]), [0, 0.2689414213699951, 0.7310585786300049]);
    expect(slope(logsumexp, [-Infinity, -Infinity])).toEqual([0, 0]);
    expect(logsumexp(tensor([-Infinity, -Infinity])).item()).toBe(-Infinity);
    expect(gradient((x: Tensor) => where(isFinite(logsumexp(x, { axis: 1 })), logsumexp(x, { axis: 1 }), 0).sum())(full([2, 2], -Infinity)).toArray()).toEqual([[0, 0], [0, 0]]); // prettier-ignore
    expectClose(slope(logsumexp, [1000, 1000]), [0.5, 0.5]);
    expectClose(
      slope((x) => softmax(x).mul(tensor([1, 2])), [-Infinity, 0]),
      [0, 0],
    );
    expectClose(
      slope((x) => logSoftmax(x).slice([[1]]), [-Infinity, 0, 0]),
      [0, 0, 0],
    );
  });

  test("saturated functions have slope 0, not NaN", () => {
    for (const f of [dydt.tanh, dydt.sigmoid, dydt.erf]) expect(slope((x) => f(x), [-1000, 1000])).toEqual([0, 0]);
    expect(slope(dydt.softplus, [-1000, 1000])).toEqual([0, 1]);
    expect(slope(dydt.silu, [-1000, 1000])).toEqual([0, 1]);
    expect(slope((x) => dydt.gelu(x), [-1000, 1000])).toEqual([0, 1]);
    expect(slope((x) => dydt.gelu(x, { approximate: "tanh" }), [-50, 50])).toEqual([0, 1]);
  });
});

describe("products with zeros", () => {
  const others = (at: readonly number[], i: number): number => at.reduce((product, x, j) => (j === i ? product : product * x), 1);
  const seconds = (at: readonly number[], i: number, k: number): number =>
    i === k ? 0 : at.reduce((p, x, j) => (j === i || j === k ? p : p * x), 1);

  test.each([[[2, 3, 4]], [[0, 2, 3]], [[2, 0, 3, 0]], [[0, 0, 0]], [[5]], [[0]], [[1, 2, 0, 4, 5, 0.5, 7]]])(
    "%j: the product of the others, to second order",
    (at) => {
      expectClose(slope(prod, at), at.map((_, i) => others(at, i))); // prettier-ignore
      expectClose(hessian(prod, at), at.map((_, i) => at.map((_, k) => seconds(at, i, k)))); // prettier-ignore
    },
  );

  test("along any axes", () => {
    const g = gradient((x: Tensor) => prod(x, { axis: [0, 2] }).mul(tensor([1, 10])).sum())(tensor([[[2, 0], [1, 2]], [[3, 4], [3, 4]]])); // prettier-ignore
    expectClose(g, [[[0, 24], [240, 120]], [[0, 0], [80, 60]]]); // prettier-ignore
    expect(gradient((x: Tensor) => prod(x, { axis: 0 }).sum())(zeros([0, 3])).shape).toEqual([0, 3]);
    expect(gradient((x: Tensor) => prod(x, { axis: 1 }).sum())(zeros([0, 3])).shape).toEqual([0, 3]);
    expect(gradient((x: Tensor) => prod(x))(tensor(3)).item()).toBe(1);
  });
});

describe("indices", () => {
  test("an element that is taken twice gets both cotangents, one that is not gets none", () => {
    const weights = tensor([1, 10, 100]);
    expect(slope((x) => take(x, [2, 0, -1]).mul(weights), [5, 6, 7])).toEqual([10, 0, 101]);
    expect(slope((x) => gather(x, [2, 0, -1], 0).mul(weights), [5, 6, 7])).toEqual([10, 0, 101]);
    expect(slope((x) => scatterAdd(x, [0, 0], x.slice([[1]]).mul(3), 0).square(), [1, 2, 3])).toEqual([32, 4 + 96, 6 + 96]);
  });
});

describe("a singular matrix", () => {
  test("is an error in the reverse pass as in the forward one", () => {
    expect(() => gradient((a: Tensor) => linearSolve(a, tensor([1, 1])).sum())(zeros([2, 2]))).toThrow(SingularMatrixError);
  });
});
