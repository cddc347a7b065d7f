import { describe, expect, test } from "vitest";
import * as fc from "fast-check";
import {
  add, at, broadcastTo, cast, clip, copy, DtypeError, embed, embedAt, embedTaken, full, logSoftmax, logsumexp, maximum, mean, mul, norm, pow, prod, scope, ShapeError,
  softmax, square, sub, tanhSlope, tensor, variance, where, zeros, type Tensor,
} from "@dydt/tensor"; // prettier-ignore
import { jsKernels } from "../src/backend/js.js";
import { wrap } from "../src/tensor.js";

const int32 = (values: readonly number[]): Tensor => tensor(values, { dtype: "int32" });
const float32 = (values: readonly number[]): Tensor => tensor(Float32Array.from(values));

describe("a (1 − b²), the slope of tanh, in float32", () => {
  test("keeps its operands in order where the first is a number", () => {
    expect(tanhSlope(2, float32([0.5])).toArray()).toEqual([1.5]);
    expect(tanhSlope(2, float32([3, 3, 3, 3, 3])).toArray()).toEqual([-16, -16, -16, -16, -16]);
    expect(tanhSlope(float32([0.5]), 2).toArray()).toEqual([-1.5]);
  });

  test("has the same bits however the operands are broadcast, and in the plain-JavaScript set", () => {
    const g = float32([0.1, 0.7, 1.3]).reshape([3, 1]);
    const y = float32([0.3, 0.9, 0.77, 0.123]);
    const whole = tanhSlope(broadcastTo(g, [3, 4]), broadcastTo(y, [3, 4]));
    expect(tanhSlope(g, y).toArray()).toEqual(whole.toArray());
    const plain = wrap(new Float32Array(12), [3, 4], "float32");
    jsKernels.binary("tanhSlope", broadcastTo(g, [3, 4]), broadcastTo(y, [3, 4]), plain);
    expect(plain.toArray()).toEqual(whole.toArray());
    for (const [i, one] of [0.1, 0.7, 1.3].entries()) expect(tanhSlope(one, y).toArray()).toEqual(at(whole, i).toArray());
  });
});

describe("integers", () => {
  const any = fc.integer({ min: -2147483648, max: 2147483647 });

  test("are multiplied modulo 2³², also beyond 2⁵³", () => {
    fc.assert(
      fc.property(any, any, (a, b) => {
        const product = Number(BigInt.asIntN(32, BigInt(a) * BigInt(b)));
        expect(mul(int32([a]), int32([b])).toArray()).toEqual([product]);
        expect(mul(int32([a]), b).toArray()).toEqual([product]);
        expect(mul(b, int32([a])).toArray()).toEqual([product]);
        expect(prod(int32([a, b])).item()).toBe(product);
        expect(square(int32([a])).toArray()).toEqual([Number(BigInt.asIntN(32, BigInt(a) ** 2n))]);
      }),
    );
    expect(mul(int32([123456789]), int32([123456789])).toArray()).toEqual([Math.imul(123456789, 123456789)]);
  });

  test("have powers modulo 2³²; a negative exponent truncates", () => {
    fc.assert(
      fc.property(any, fc.integer({ min: 0, max: 40 }), (a, n) => {
        const power = Number(BigInt.asIntN(32, BigInt(a) ** BigInt(n)));
        expect(pow(int32([a]), n).toArray()).toEqual([power]);
        expect(pow(int32([a]), int32([n])).toArray()).toEqual([power]);
      }),
    );
    expect(pow(int32([1, -1, -1, 2, -3, 0]), int32([-5, -2, -3, -1, -2, -1])).toArray()).toEqual([1, 1, -1, 0, 0, 0]);
    expect(pow(int32([2, 3]), 2147483647).toArray()).toEqual([0, Number(BigInt.asIntN(32, modularPower(3n, 2147483647n)))]);
  });

  const modularPower = (x: bigint, n: bigint): bigint => {
    if (n === 0n) return 1n;
    const half = modularPower(x, n / 2n);
    return (half * half * (n % 2n === 1n ? x : 1n)) % 2n ** 32n;
  };

  test("become float64 before they can overflow in means, norms and exponentials", () => {
    const large = int32([2e9, 2e9]);
    expect(mean(large).item()).toBe(2e9);
    expect(variance(large).item()).toBe(0);
    expect(variance(int32([-2e9, 2e9])).item()).toBe(4e18);
    expect(norm(int32([50000, 0])).item()).toBe(50000);
    expect(norm(large, { order: 1 }).item()).toBe(4e9);
    expect(norm(int32([-2147483648]), { order: Infinity }).item()).toBe(2147483648);
    expect(logsumexp(int32([2e9, -2e9])).item()).toBe(2e9);
    expect(softmax(int32([2e9, -2e9])).toArray()).toEqual([1, 0]);
    expect(logSoftmax(int32([2e9, -2e9])).toArray()).toEqual([0, -4e9]);
    expect(mean(tensor([true, false])).item()).toBe(0.5);
  });

  test("refuse a number that they cannot hold, and say which", () => {
    for (const operation of [add, sub, mul, pow, maximum]) {
      expect(() => operation(int32([1]), 2 ** 40)).toThrow(DtypeError);
      expect(() => operation(2 ** 40, int32([1]))).toThrow(/1099511627776/);
    }
    expect(() => where(tensor([true]), int32([1]), -(2 ** 31) - 1)).toThrow(DtypeError);
    expect(add(int32([1]), 2147483646).toArray()).toEqual([2147483647]);
    expect(add(int32([1]), -2147483648).toArray()).toEqual([-2147483647]);
  });

  test("are clipped by bounds beyond them as by none, and by none between two of them", () => {
    expect(clip(int32([1, 5, -7]), -Infinity, 3).toArray()).toEqual([1, 3, -7]);
    expect(clip(int32([1, 5, -7]), 0, Infinity).toArray()).toEqual([1, 5, 0]);
    expect(clip(int32([1, 5]), -1e10, 1e10).toArray()).toEqual([1, 5]);
    expect(() => clip(int32([1]), 0.5, 3)).toThrow(/clip got an int32 tensor and 0.5/);
    expect(() => clip(int32([1]), 1e10, 2e10)).toThrow(/clip got an int32 tensor and 10000000000/);
    expect(clip(tensor([1, 5]), -Infinity, 3).toArray()).toEqual([1, 3]);
  });
});

test("a variance with fewer elements than its correction is none, and never negative", () => {
  const corrected = (values: readonly number[], correction: number): number => variance(tensor(values), { correction }).item();
  expect([corrected([1], 1), corrected([1], 2), corrected([], 1), corrected([1, 2], 3), corrected([1, 3], 1.5)]).toEqual([
    NaN,
    NaN,
    NaN,
    Infinity,
    4,
  ]);
});

describe("no elements", () => {
  test("have an empty softmax, and −∞ as their logsumexp", () => {
    expect(softmax(zeros([2, 0])).shape).toEqual([2, 0]);
    expect(logSoftmax(zeros([2, 0])).shape).toEqual([2, 0]);
    expect(softmax(cast(zeros([0, 3]), "float32"), 0).dtype).toBe("float32");
    expect(logsumexp(zeros([0])).item()).toBe(-Infinity);
    expect(logsumexp(zeros([2, 0]), { axis: 1, keepDims: true }).toArray()).toEqual([[-Infinity], [-Infinity]]);
    expect(() => softmax(zeros([2, 0]), 2)).toThrow(/softmax got axis 2/);
    expect(() => logsumexp(zeros([0]), { axis: 1 })).toThrow(/logsumexp got axis 1/);
  });
});

describe("a place that does not exist", () => {
  test("is refused by embedAt, which writes nowhere else", () => {
    for (const i of [-3, 2, 0.5, NaN]) expect(() => embedAt(tensor([1, 1]), [2, 2], i)).toThrow(ShapeError);
    expect(() => embedAt(tensor(1), [], 0)).toThrow(ShapeError);
    expect(embedAt(tensor([1, 1]), [2, 2], -2).toArray()).toEqual([[1, 1], [0, 0]]); // prettier-ignore
    scope(() => {
      const x = copy(tensor([1, 1]));
      const beside = copy(full([12], 7));
      expect(() => embedAt(x, [2, 2], -3)).toThrow(/embedAt\(-3\) is outside the first axis of \[2, 2\]/);
      expect(beside.toArray()).toEqual(new Array(12).fill(7));
    });
  });

  test("and so is a shape that is none", () => {
    for (const shape of [[-1], [1.5], [NaN]]) {
      expect(() => broadcastTo(tensor([1]), shape)).toThrow(ShapeError);
      expect(() => embed(tensor([1]), shape, [[0, 1]])).toThrow(ShapeError);
      expect(() => embedTaken(tensor([1]), shape, [0])).toThrow(ShapeError);
    }
    expect(() => broadcastTo(tensor([[1], [1]]), [2, 1.5])).toThrow(/broadcastTo got shape \[2, 1.5\]/);
  });
});
