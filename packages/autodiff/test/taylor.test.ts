import { afterEach, describe, expect, test, vi } from "vitest";
import { beginEpoch, endEpoch, primitive, random, recordingWith, softplus, stack, tensor, zeros, type Recorder, type Tensor } from "@dydt/tensor";
import { defineJvp, gradient, jvp, taylor } from "@dydt/autodiff";
import { expectClose } from "../../../scripts/expect-close.js";

type Series = readonly number[];
const K = 10;

/** The coefficients of g at y₀ from derivatives that are polynomials in one number z with ż = slope(z). */
const polynomialDerivatives = (first: Series, slope: Series, z: number): Series => {
  const times = (a: Series, b: Series): Series => Array.from({ length: a.length + b.length - 1 }, (_, k) => a.reduce((sum, c, i) => sum + c * (b[k - i] ?? 0), 0));
  const derivative = (a: Series): Series => (a.length === 1 ? [0] : a.slice(1).map((c, i) => c * (i + 1)));
  const value = (a: Series): number => a.reduceRight((sum, c) => sum * z + c, 0);
  const all: number[] = [];
  let p = first;
  for (let k = 1, factorial = 1; k <= K; k++, factorial *= k) {
    all.push(value(p) / factorial);
    p = times(derivative(p), slope);
  }
  return all;
}; // prettier-ignore
const logistic = (x: number): number => 1 / (1 + Math.exp(-x));
/** Coefficients 1 … K of functions around x, from the theory of each. */
const around = {
  exp: (x: number): Series => polynomialDerivatives([0, 1], [0, 1], Math.exp(x)),
  tanh: (x: number): Series => polynomialDerivatives([1, 0, -1], [1, 0, -1], Math.tanh(x)),
  softplus: (x: number): Series => polynomialDerivatives([0, 1], [0, 1, -1], logistic(x)),
} as const;
const value = { exp: Math.exp, tanh: Math.tanh, softplus: (x: number): number => Math.log1p(Math.exp(x)) } as const;
const operation = { exp: (x: Tensor) => x.exp(), tanh: (x: Tensor) => x.tanh(), softplus } as const;
type Name = keyof typeof around;

/** g(x + p(t)) by substitution of one truncated series into another. */
const substitute = (outer: Series, inner: Series): Series => {
  const product = (a: Series, b: Series): Series => Array.from({ length: K + 1 }, (_, k) => { let sum = 0; for (let i = 0; i <= k; i++) sum += a[i]! * b[k - i]!; return sum; }); // prettier-ignore
  const p = [0, ...inner];
  let sum: Series = new Array<number>(K + 1).fill(0);
  for (let k = outer.length; k >= 1; k--) sum = product(sum.map((c, i) => c + (i === 0 ? outer[k - 1]! : 0)), p); // prettier-ignore
  return sum.slice(1);
};

describe("ten coefficients agree with the theory", () => {
  const chains: readonly (readonly Name[])[] = [["exp"], ["tanh"], ["softplus"], ["exp", "tanh"], ["tanh", "softplus", "exp"], ["softplus", "tanh", "exp", "tanh"]]; // prettier-ignore
  const path = Array.from(random(5).normal([K]).mul(0.4).data);
  test.each(chains.map((chain) => [chain.join(" → "), chain] as const))("%s", (_, chain) => {
    for (const [x, coefficients] of [[0.3, [1, ...new Array<number>(K - 1).fill(0)]], [-0.6, path]] as const) {
      let at: number = x;
      let wanted: Series = coefficients;
      for (const name of chain) {
        wanted = substitute(around[name](at), wanted);
        at = value[name](at);
      }
      const result = taylor((y: Tensor) => chain.reduce((sum, name) => operation[name](sum), y), tensor(x), coefficients.map((c) => tensor(c)));
      expectClose(result.value, at, { rtol: 1e-14 });
      const largest = Math.max(...wanted.map(Math.abs));
      result.coefficients.forEach((c, k) => expectClose(c, wanted[k]!, { rtol: 1e-12, atol: 1e-14 * largest }));
    }
  }); // prettier-ignore

  test("the solution of y' = −y² is its own series: 1 / (1 + t)", () => {
    const { coefficients } = taylor((t: Tensor) => t.add(1).reciprocal(), tensor(0), [tensor(1), ...Array.from({ length: 19 }, () => tensor(0))]);
    coefficients.forEach((c, k) => expectClose(c, k % 2 === 0 ? -1 : 1));
  });

  test("whole powers at zero, where the recurrence for real powers would divide by it", () => {
    const { coefficients } = taylor(
      (x: Tensor) => x.pow(3).add(x.pow(5)),
      tensor(0),
      [1, 2, 0, 0, 0].map((c) => tensor(c)),
    );
    expectClose(stack(coefficients), [0, 0, 1, 6, 13]); // (t + 2t²)³ + (t + 2t²)⁵
  });

  test("of trees, in float32, and none at all", () => {
    const x = { a: tensor([1, 2], { dtype: "float32" }), b: tensor(3, { dtype: "float32" }) };
    const direction = { a: tensor([1, 0], { dtype: "float32" }), b: tensor(1, { dtype: "float32" }) };
    const { coefficients } = taylor(({ a, b }: typeof x) => [a.mul(b)] as const, x, [direction, direction]);
    expect(coefficients.map(([y]) => [y.dtype, y.toArray()])).toEqual([["float32", [4, 2]], ["float32", [5, 2]]]); // prettier-ignore
    expect(taylor((y: Tensor) => y.exp(), tensor(0), [])).toMatchObject({ coefficients: [] });
    expect(() => taylor((y: Tensor) => y, tensor([0]), [tensor(1)])).toThrow("taylor got a tangent of shape [] for a tensor of shape [1]");
  });

  test("they can be differentiated, as the Taylor regularizer needs", () => {
    const w = random(1).normal([2, 2]);
    const x = tensor([[0.3, -0.8]]);
    const cost = (p: Tensor): Tensor =>
      taylor((y: Tensor) => y.matmul(p).tanh(), x, [x, x])
        .coefficients[1]!.square()
        .sum();
    const nested = (p: Tensor): Tensor => {
      const f = (t: Tensor): Tensor => x.add(x.mul(t)).add(x.mul(t.square())).matmul(p).tanh();
      return jvp((t: Tensor) => jvp(f, t, tensor(1)).tangent, tensor(0), tensor(1))
        .tangent.div(2)
        .square()
        .sum();
    };
    expectClose(gradient(cost)(w), gradient(nested)(w), { rtol: 1e-12 });
  });
});

describe("the cost of K coefficients", () => {
  const count = (f: (x: Tensor) => Tensor, x: Tensor, order: number): number => {
    let operations = 0;
    const counter: Recorder = { epoch: beginEpoch(), retains: false, watches: () => false, record: () => void operations++ };
    const path = Array.from({ length: order }, (_, k) => random(k).normal(x.shape).mul(0.1));
    recordingWith([counter], () => taylor(f, x, path));
    endEpoch(counter.epoch);
    return operations;
  };
  const w = random(3).normal([3, 3]);
  const functions: Readonly<Record<string, (x: Tensor) => Tensor>> = {
    tanh: (x) => x.tanh(),
    "a chain": (x) => softplus(x.exp().tanh()).add(1).log(),
    quotients: (x) => x.sin().div(x.square().add(1)).sqrt(),
    powers: (x) => x.square().add(1).pow(2.5).add(x.pow(7)),
    "a layer": (x) => x.matmul(w).tanh().matmul(w).sigmoid(),
    bells: (x) => x.mul(x.neg().square().exp()),
  };
  test.each(Object.entries(functions))("is at most quadratic: %s", (_, f) => {
    const x = random(4).uniform([2, 3]).add(0.5);
    const counts = [4, 8, 16, 32, 64].map((order) => count(f, x, order));
    counts.slice(1).forEach((n, i) => expect(n / counts[i]!).toBeLessThanOrEqual(4));
    // Second differences are constant: a polynomial of degree 2, from where the first coefficients are over.
    const [a, b, c, d] = [8, 9, 10, 11].map((order) => count(f, x, order));
    expect(d! - 3 * c! + 3 * b! - a!).toBe(0);
  });

  test("of forward mode nested as deep would be exponential", () => {
    const nested = (order: number): ((x: Tensor) => Tensor) => order === 0 ? (x) => x.tanh() : (x) => jvp(nested(order - 1), x, tensor(1)).tangent; // prettier-ignore
    const counter = (order: number): number => {
      let operations = 0;
      const recorder: Recorder = { epoch: beginEpoch(), retains: false, watches: () => false, record: () => void operations++ };
      recordingWith([recorder], () => nested(order)(tensor(0.3)));
      endEpoch(recorder.epoch);
      return operations;
    };
    expect(counter(8) / counter(4)).toBeGreaterThan(8);
  });
});

describe("a primitive without a Taylor rule", () => {
  afterEach(() => vi.restoreAllMocks());

  test("is gone through by nested forward mode, with the same coefficients, and that is said once", () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    const own = defineJvp(primitive("ownTanh", (x: Tensor) => x.tanh()), [(t, y) => t.sub(t.mul(y.square()))]);
    const path = Array.from({ length: 5 }, (_, k) => random(k).normal([2, 2]));
    const f = (tanh: (x: Tensor) => Tensor) => (x: Tensor): Tensor => tanh(tanh(x).mul(x));
    const x = random(9).normal([2, 2]);
    const wanted = taylor(f((y) => y.tanh()), x, path).coefficients;
    taylor(f(own), x, path).coefficients.forEach((c, k) => expectClose(c, wanted[k]!, { rtol: 1e-11, atol: 1e-13 }));
    taylor(f(own), x, path);
    expect(warn.mock.calls).toEqual([[expect.stringMatching(/^@dydt\/autodiff has no Taylor rule for ownTanh and nests forward mode 5 deep.*2\^5/)]]);
  }); // prettier-ignore

  test("is an error when it has no forward rule either", () => {
    const own = primitive("cube", (x: Tensor) => x.mul(x).mul(x));
    expect(() => taylor(own, tensor(1), [tensor(1)])).toThrow("no forward rule for cube: call defineJvp(cube, ...)");
  });

  test("is not asked for one where it is linear, or a product", () => {
    const warn = vi.spyOn(console, "warn");
    const product = defineJvp(primitive("product", (a: Tensor, b: Tensor) => a.mul(b)), ["linear", "linear"]);
    expectClose(stack(taylor((x: Tensor) => product(x, x), tensor(1), [tensor(1), zeros([]), zeros([])]).coefficients), [2, 1, 0]);
    expect(warn).not.toHaveBeenCalled();
  }); // prettier-ignore
});

test("a power with a tensor as its exponent has its series below zero as well", () => {
  const coefficients = (x: number, p: Tensor | number) =>
    taylor((at: Tensor) => at.pow(p), tensor(x), [tensor(1), tensor(0), tensor(0)]).coefficients;
  expectClose(stack(coefficients(-1, tensor(2))), [-2, 1, 0], { atol: 1e-14 });
  expectClose(stack(coefficients(-2, tensor(-1))), [-1 / 4, -1 / 8, -1 / 16], { rtol: 1e-14 });
  expectClose(stack(coefficients(1.7, tensor(2.5))), stack(coefficients(1.7, 2.5)), { rtol: 1e-13 });
});
