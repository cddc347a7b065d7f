import fc from "fast-check";
import { afterEach, describe, expect, test, vi } from "vitest";
import * as dydt from "@dydt/tensor";
import { checkGradients, gradient, jvp, pushforward, stopGradient, taylor, vjp } from "@dydt/autodiff";
import { isTensor, random, type Convolution, type Range, type Tensor, affine, affineProduct, embedAt, tanhSlope } from "@dydt/tensor";

const {
  abs, add, at, averagePool, broadcastTo, cast, clip, concat, conv2d, convolve, convolveTransposed, convolveWeight, copy, cos, cumsum, div, elu, embed, embedTaken, erf, exp, expm1, flip, gather, gelu, geluExact, groupNormalize, identity, innerProducts, layerNormalize, leakyRelu, linearSolve, log, log1p, logSoftmax, logsumexp, luSolve,
  matmul, matrixProduct, max, maximum, mean, min, minimum, mul, neg, norm, pad, poolMeans, pow, prod, reciprocal, relu, reshape, scatterAdd, sigmoid, silu, sin, slice, softmax, softplus, split, spreadMeans, sqrt, square, stack,
  sub, sum, sumTo, take, tanh, transpose, variance, weightedSum, where,
} = dydt; // prettier-ignore

type Inputs = readonly Tensor[];
/** An operation, the shapes of its operands, and where they lie: "any" keeps away from kinks at 0, "positive" between 0.5 and 2. */
type Line = readonly [f: (x: Inputs) => Tensor | Inputs, shapes: readonly (readonly number[])[], domain?: "any" | "positive"];

const cut: readonly Range[] = [[1, null], [null, null, -2]]; // prettier-ignore
const image = [[2, 2, 4, 5]];
const one = [[2, 3]];
const two = [[2, 3], [2, 3]]; // prettier-ignore
const mask = random(9).uniform([2, 3]).sub(0.5);

const lines: Readonly<Record<string, readonly Line[]>> = {
  add: [[([a, b]) => add(a!, b!), two], [([a]) => add(a!, 2), one], [([a]) => add(2, a!), one]],
  sub: [[([a, b]) => sub(a!, b!), two], [([a]) => sub(a!, 2), one], [([a]) => sub(2, a!), one]],
  mul: [[([a, b]) => mul(a!, b!), two], [([a]) => mul(a!, 2), one], [([a]) => mul(a!, a!), one]],
  div: [[([a, b]) => div(a!, b!), two, "positive"], [([a]) => div(a!, 3), one], [([a]) => div(3, a!), one, "positive"], [([a]) => div(a!, a!), one, "positive"]],
  pow: [
    [([a, b]) => pow(a!, b!), two, "positive"], [([a]) => pow(2.5, a!), one], [([a]) => pow(a!, 0), one], [([a]) => pow(a!, 1), one], [([a]) => pow(a!, 2), one], [([a]) => pow(a!, 3), one],
    [([a]) => pow(a!, -1.5), one, "positive"],
  ],
  maximum: [[([a, b]) => maximum(a!, b!), two], [([a]) => maximum(a!, 0.1), one]],
  minimum: [[([a, b]) => minimum(a!, b!), two], [([a]) => minimum(0.1, a!), one]],
  where: [[([a, b]) => where(mask, a!, b!), two], [([a]) => where(mask, a!, 1), one], [([a]) => where(mask, 1, a!), [[3]]]],
  neg: [[([x]) => neg(x!), one]],
  square: [[([x]) => square(x!), one]],
  abs: [[([x]) => abs(x!), one]],
  relu: [[([x]) => relu(x!), one]],
  sqrt: [[([x]) => sqrt(x!), one, "positive"]],
  reciprocal: [[([x]) => reciprocal(x!), one, "positive"]],
  exp: [[([x]) => exp(x!), one]],
  expm1: [[([x]) => expm1(x!), one]],
  log: [[([x]) => log(x!), one, "positive"]],
  log1p: [[([x]) => log1p(x!), one, "positive"]],
  sin: [[([x]) => sin(x!), one]],
  cos: [[([x]) => cos(x!), one]],
  tanh: [[([x]) => tanh(x!), one]],
  tanhSlope: [[([a, b]) => tanhSlope(a!, b!), two], [([a]) => tanhSlope(a!, a!), one]],
  sigmoid: [[([x]) => sigmoid(x!), one]],
  softplus: [[([x]) => softplus(x!), one]],
  erf: [[([x]) => erf(x!), one]],
  geluExact: [[([x]) => geluExact(x!), one]],
  gelu: [[([x]) => gelu(x!), one], [([x]) => gelu(x!, { approximate: "tanh" }), one]],
  silu: [[([x]) => silu(x!), one]],
  elu: [[([x]) => elu(x!, 0.7), one]],
  leakyRelu: [[([x]) => leakyRelu(x!), one]],
  clip: [[([x]) => clip(x!, -0.9, 0.9), one]],
  cast: [[([x]) => cast(x!, "float64"), one]],
  sum: [[([x]) => sum(x!), one], [([x]) => sum(x!, { axis: [0, -1] }), [[2, 3, 2]]], [([x]) => sum(x!, { axis: 1, keepDims: true }), one]],
  mean: [[([x]) => mean(x!), one], [([x]) => mean(x!, { axis: -1 }), one]],
  variance: [[([x]) => variance(x!, { axis: 1, correction: 1 }), one], [([x]) => variance(x!), one]],
  max: [[([x]) => max(x!), one], [([x]) => max(x!, { axis: [0, 2] }), [[2, 3, 2]]]],
  min: [[([x]) => min(x!), one], [([x]) => min(x!, { axis: -1, keepDims: true }), one]],
  norm: [[([x]) => norm(x!), one], [([x]) => norm(x!, { axis: 0, order: 1 }), one], [([x]) => norm(x!, { order: Infinity }), one]],
  logsumexp: [[([x]) => logsumexp(x!), one], [([x]) => logsumexp(x!, { axis: 0, keepDims: true }), one], [([x]) => logsumexp(x!, { axis: [1] }), one]],
  softmax: [[([x]) => softmax(x!), one], [([x]) => softmax(x!, 0), one]],
  logSoftmax: [[([x]) => logSoftmax(x!), one]],
  weightedSum: [
    [([b, w, x, y]) => weightedSum(b!, w!, [x!, y!]), [[3], [2], [3], [3]]], [([w, x, y]) => weightedSum(null, w!, [x!, y!]), [[2], [3], [3]]],
    [([b, x]) => weightedSum(b!, [0.5, 2], [x!, b!]), [[3], [3]]],
  ],
  innerProducts: [[([g, x, y]) => innerProducts(g!, [x!, y!, g!]), [[2, 3], [2, 3], [2, 3]]]],
  matmul: [
    [([a, b]) => matmul(a!, b!), [[2, 3], [3, 2]]], [([a, b]) => matmul(a!, b!), [[3], [3]]], [([a, b]) => matmul(a!, b!), [[3], [2, 3, 2]]], [([a, b]) => matmul(a!, b!), [[2, 2, 3], [3]]],
    [([a, b]) => matmul(a!, b!), [[2, 1, 2, 3], [3, 3, 1]]], [([a, b]) => matmul(a!, b!), [[2, 2, 3], [3, 2]]], [([a]) => matmul(a!, a!), [[2, 2]]],
  ],
  affineProduct: [[([x, w, b]) => affineProduct(x!, w!, b!), [[2, 3], [3, 2], [2]]]],
  affine: [[([x, w, b]) => affine(x!, w!, b!), [[3], [3, 2], [2]]], [([x, w, b]) => affine(x!, w!, b!), [[2, 1, 3], [3, 2], [2]]]],
  matrixProduct: [[true, false].flatMap((p) => [true, false].map((q): Line => [([a, b]) => matrixProduct(a!, b!, p, q), [p ? [3, 2] : [2, 3], q ? [2, 3] : [3, 2]]]))].flat(),
  prod: [
    [([x]) => prod(x!), one], [([x]) => prod(x!, { axis: [0, -1] }), [[2, 3, 2]]], [([x]) => prod(x!, { axis: 1, keepDims: true }), [[2, 5, 2]]],
    [([x]) => prod(where(dydt.tensor([true, false, true]), x!, mul(x!, 0))), one], [([x]) => prod(where(dydt.tensor([false, false, true]), x!, mul(x!, 0)), { axis: 1 }), one],
  ],
  cumsum: [[([x]) => cumsum(x!, 1), one], [([x]) => cumsum(x!, 0, true), one]],
  take: [[([x]) => take(x!, [[1, -1], [0, 1]]), one], [([x]) => take(x!, dydt.tensor([2, 0, 2], { dtype: "int32" }), -1), one], [([x]) => take(x!, 1, 1), [[2, 3, 2]]]],
  embedTaken: [[([x]) => embedTaken(x!, [4, 3], [1, 1]), one]],
  gather: [[([x]) => gather(x!, [[0, 0, -1, 1]], 1), one], [([x]) => gather(x!, [[1, 0, 1]], 0), one]],
  scatterAdd: [[([x, u]) => scatterAdd(x!, [[0, 0], [2, -1]], u!, 1), [[2, 3], [2, 2]]]],
  conv2d: [
    [([x, w]) => conv2d(x!, w!), [...image, [3, 2, 2, 3]]],
    [([x, w]) => conv2d(x!, w!, { stride: [2, 1], padding: "same", dilation: [1, 2], groups: 2 }), [...image, [4, 1, 3, 2]]],
    [([x, w]) => conv2d(x!, w!), [...image, [3, 2, 1, 1]]], [([x]) => conv2d(x!, x!, { padding: 2, stride: 2 }), [[2, 2, 3, 3]]],
  ],
  convolve: [[([x, w]) => convolve(x!, w!, sliding), [...image, [4, 1, 3, 2]]]],
  convolveTransposed: [[([g, w]) => convolveTransposed(g!, w!, sliding), [[2, 4, 2, 3], [4, 1, 3, 2]]]],
  convolveWeight: [[([x, g]) => convolveWeight(x!, g!, [4, 1, 3, 2], sliding), [...image, [2, 4, 2, 3]]]],
  averagePool: [[([x]) => averagePool(x!, 2), image], [([x]) => averagePool(x!, [3, 2], { stride: 1, padding: "same" }), image]],
  poolMeans: [[([x]) => poolMeans(x!, sliding), image]],
  spreadMeans: [[([x]) => spreadMeans(x!, sliding), [[2, 2, 2, 3]]]],
  linearSolve: [
    [([a, b]) => linearSolve(dominant(a!), b!), [[3, 3], [3]]], [([a, b]) => linearSolve(dominant(a!), b!, { transposed: true }), [[2, 3, 3], [2, 3]]],
    [([a, b]) => linearSolve(dominant(a!), b!), [[3, 3], [2, 3, 2]]], [([a, b]) => linearSolve(dominant(a!), b!, { transposed: true }), [[2, 1, 3, 3], [2, 3, 2]]],
    [([a]) => linearSolve(dominant(a!), a!), [[3, 3]]],
  ],
  luSolve: [[([a, b]) => luSolve(dominant(a!), b!), [[2, 3, 3], [2, 3, 2]]], [([a, b]) => luSolve(dominant(a!), b!, true), [[1, 3, 3], [1, 3, 1]]]],
  groupNormalize: [[([x, s, b]) => groupNormalize(x!, 2, { scale: s!, shift: b! }), [[2, 4, 3], [4], [4]]]],
  layerNormalize: [[([x, s]) => layerNormalize(x!, { scale: s!, axis: [-2, -1] }), [[2, 3, 2], [3, 2]]]],
  reshape: [[([x]) => reshape(x!, [3, -1]), one]],
  transpose: [[([x]) => transpose(x!), one], [([x]) => transpose(x!, [-1, 0, 1]), [[2, 3, 2]]]],
  slice: [[([x]) => slice(x!, cut), one]],
  embed: [[([x]) => embed(x!, [3, 4], [[1, 3], [null, 3]]), one]],
  at: [[([x]) => at(x!, -1), one], [([x]) => at(x!, 0), [[2]]]],
  flip: [[([x]) => flip(x!, 1), one]],
  embedAt: [[([x]) => embedAt(x!, [4, 2, 3], -2), one], [([x]) => embedAt(x!, [2], 1), [[]]]],
  concat: [[([a, b]) => concat([a!, b!, a!], -1), [[2, 3], [2, 1]]]],
  stack: [[([a, b]) => stack([a!, b!], 1), two], [([a, b]) => stack([a!, b!, a!]), two], [([a]) => stack([a!, a!], -1), one]],
  split: [[([x]) => split(x!, [1, 0, 2], 1), one]],
  pad: [[([x]) => pad(x!, [[1, 0], [0, 2]]), one]],
  broadcastTo: [[([x]) => broadcastTo(x!, [2, 2, 3]), [[2, 1]]], [([x]) => broadcastTo(x!, [2, 3]), [[]]]],
  sumTo: [[([x]) => sumTo(x!, [2, 1]), [[3, 2, 3]]], [([x]) => sumTo(x!, []), one]],
  copy: [[([x]) => copy(x!), one]],
  identity: [[([x]) => identity(x!), one]],
}; // prettier-ignore

/** Strides 2 and 1, a window of 3 × 2 on images of 4 × 5: 2 × 3 places. */
const sliding: Convolution = { size: [3, 2], stride: [2, 1], dilation: [1, 1], before: [1, 0], input: [4, 5], output: [2, 3], groups: 2 };
/** A matrix that is far from singular. */
const dominant = (a: Tensor): Tensor => a.add(dydt.eye(3, { dtype: a.dtype }).mul(4));

const draw = (shapes: readonly (readonly number[])[], domain: "any" | "positive", seed: number): Inputs =>
  random(seed).split(shapes.length).map((stream, i) => {
    const u = stream.uniform(shapes[i]!);
    if (domain === "positive") return u.mul(1.5).add(0.5);
    return where(dydt.less(u, 0.5), u.mul(1.6).add(-1.2), u.mul(1.6).add(-0.4)).add(0.0137 * i); // within 0.4 to 1.2 of 0
  }); // prettier-ignore

/** A smooth scalar of all elements with different weights, so that no error cancels and second derivatives are not zero. */
const scalar = (y: Tensor | Inputs): Tensor =>
  (isTensor(y) ? [y] : y).map((part, i) => part.mul(random(100 + i).uniform(part.shape).add(0.5)).add(0.3).square().sum()).reduce((total, part) => total.add(part)); // prettier-ignore

describe("every operation has the right first and second derivatives", () => {
  test.each(Object.entries(lines))("%s", (_, variants) => {
    variants.forEach(([f, shapes, domain = "any"], i) => {
      const report = checkGradients((x: Inputs) => scalar(f(x)), draw(shapes, domain, 10 + i), { order: 2, directions: 2, seed: i });
      expect(report.passed, `variant ${i}: ${report.toString()}`).toBe(true);
    });
  });

  test.each(["add", "sub", "mul", "div", "pow", "maximum", "minimum"] as const)("%s, for any shapes that broadcast", (name) => {
    const pair = fc.tuple(
      fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 3 }),
      fc.nat(3),
      fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }),
    );
    fc.assert(
      fc.property(pair, fc.boolean(), fc.nat(1000), ([shape, drop, ones], swap, seed) => {
        const small = shape.map((length, i) => (ones[i] === true ? 1 : length)).slice(drop);
        const drawn = draw(swap ? [small, shape] : [shape, small], "positive", seed);
        // A difference quotient across a tie means nothing: whole numbers on one side, halves on the other.
        const chooses = name === "maximum" || name === "minimum";
        const x = chooses ? drawn.map((leaf, i) => dydt.floor(leaf.mul(4)).add(i === 0 ? 0 : 0.5)) : drawn;
        const report = checkGradients(([a, b]: Inputs) => scalar(dydt[name](a!, b!)), x, { order: 2, directions: 1, seed });
        expect(report.passed, report.toString()).toBe(true);
      }),
      { numRuns: 15 },
    );
  });
});

const listOf = (y: Tensor | Inputs): Inputs => (isTensor(y) ? [y] : y);
const normalLike = (x: Inputs, seed: number): Inputs => x.map((leaf, i) => random(seed + i).normal(leaf.shape, { dtype: leaf.dtype }));
const inner = (a: Inputs, b: Inputs): number => a.reduce((sum, leaf, i) => sum + leaf.mul(b[i]!).sum().item(), 0);

describe("forward mode is the transpose of reverse mode", () => {
  test.each(Object.entries(lines))("%s", (_, variants) => {
    variants.forEach(([f, shapes, domain = "any"], i) => {
      const x = draw(shapes, domain, 30 + i);
      const v = normalLike(x, 40);
      const { value, tangent } = jvp((at: Inputs) => listOf(f(at)), x, v);
      const { value: again, pullback } = vjp((at: Inputs) => listOf(f(at)), x);
      const u = normalLike(value, 50);
      expect(value.map((y) => y.toArray())).toEqual(again.map((y) => y.toArray()));
      const [forward, reverse] = [inner(u, tangent), inner(pullback(u), v)];
      expect(Math.abs(forward - reverse), `variant ${i}: ${forward} and ${reverse}`).toBeLessThan(1e-12 * (1 + Math.abs(forward)));
    });
  });
});

describe("tangents that go along one evaluation have the bits of those that go alone", () => {
  test.each(Object.entries(lines))("%s", (_, variants) => {
    variants.forEach(([f, shapes, domain = "any"], i) => {
      const x = draw(shapes, domain, 30 + i);
      const directions = [normalLike(x, 40), x.map((leaf) => dydt.zerosLike(leaf)), normalLike(x, 50)];
      const g = (at: Inputs): Inputs => listOf(f(at));
      const { value, tangents } = pushforward(g, x, directions);
      expect(tangents.length).toBe(3);
      directions.forEach((v, j) => expect({ value, tangent: tangents[j]! }).toEqual(jvp(g, x, v)));
    });
  });
});

describe("Taylor mode agrees with forward mode nested three deep, without falling back on it", () => {
  afterEach(() => vi.restoreAllMocks());
  test.each(Object.entries(lines))("%s", (_, variants) => {
    const warn = vi.spyOn(console, "warn");
    variants.forEach(([f, shapes, domain = "any"], i) => {
      const x = draw(shapes, domain, 60 + i);
      const path = [70, 80, 90].map((seed) => normalLike(x, seed));
      const g = (at: Inputs): Inputs => listOf(f(at));
      const { value, coefficients } = taylor(g, x, path);
      const along = (t: Tensor): Inputs => g(x.map((leaf, k) => path.reduceRight((sum, c) => sum.add(c[k]!).mul(t), leaf.mul(0)).add(leaf)));
      const derivative = (h: (t: Tensor) => Inputs) => (t: Tensor) => jvp(h, t, dydt.tensor(1)).tangent;
      const nested = [derivative(along), derivative(derivative(along)), derivative(derivative(derivative(along)))];
      expect(value.map((y) => y.toArray())).toEqual(g(x).map((y) => y.toArray()));
      nested.forEach((h, k) => {
        h(dydt.tensor(0)).forEach((wanted, j) => {
          const got = coefficients[k]![j]!.mul([1, 2, 6][k]!);
          expect(got.shape).toEqual(wanted.shape);
          const difference = norm(got.sub(wanted)).item() / (1 + norm(wanted).item());
          expect(difference, `variant ${i}, coefficient ${k + 1}`).toBeLessThan(1e-12);
        });
      });
    });
    expect(warn).not.toHaveBeenCalled();
  });
});

test("forward tangents of float32 are float32, and those of tensors without elements have their shapes", () => {
  for (const [name, variants] of Object.entries(lines))
    for (const [f, shapes, domain = "any"] of variants) {
      if (name === "weightedSum" || name === "innerProducts") continue; // their weights and products are float64
      const x: Inputs = draw(shapes, domain, 3).map((leaf) => leaf.cast("float32"));
      const { value, tangent } = jvp((at: Inputs) => listOf(f(at)), x, normalLike(x, 4));
      expect([name, ...tangent.map((t) => t.dtype)]).toEqual([name, ...value.map((y) => y.dtype)]);
    }
  const empty = dydt.zeros([0, 3]);
  expect(jvp((x: Tensor) => x.exp().matmul(dydt.ones([3, 2])), empty, empty).tangent.shape).toEqual([0, 2]);
});

const withoutDerivative = [
  "argMax",
  "argMin",
  "oneHot",
  "floor",
  "sign",
  "step",
  "stopGradient",
  "equal",
  "notEqual",
  "less",
  "lessEqual",
  "greater",
  "greaterEqual",
  "logicalAnd",
  "logicalOr",
];

test("no differentiable primitive of @dydt/tensor is missing from the lines above", () => {
  const primitives = Object.entries(dydt).flatMap(([name, value]) => (typeof value === "function" && "op" in value ? [name] : []));
  expect(primitives.length).toBeGreaterThan(50);
  expect(primitives.filter((name) => !withoutDerivative.includes(name) && !(name in lines))).toEqual([]);
});

test("derivatives of tensors without elements have their shapes", () => {
  for (const [name, variants] of Object.entries(lines))
    for (const [f, shapes] of variants) {
      if (shapes.some((shape) => shape.length === 0) || shapes.some((shape) => shape[0] !== shapes[0]![0])) continue;
      if (
        [
          "max",
          "min",
          "norm",
          "logsumexp",
          "softmax",
          "logSoftmax",
          "at",
          "slice",
          "embed",
          "embedAt",
          "where",
          "sumTo",
          "broadcastTo",
          "pow",
          "matmul",
          "matrixProduct",
          "reshape",
          "weightedSum",
          "take",
          "embedTaken",
          "gather",
          "scatterAdd",
          "linearSolve",
        ].includes(name)
      )
        continue;
      const empty = shapes.map((shape) => dydt.zeros([0, ...shape.slice(1)]));
      const slope = gradient((x: Inputs) => {
        const y = f(x);
        return (isTensor(y) ? [y] : y).map((part) => part.sum()).reduce((total, part) => total.add(part));
      })(empty);
      expect([name, ...slope.map((g) => g.shape)]).toEqual([name, ...empty.map((x) => x.shape)]);
    }
  const [a, b] = gradient(([x, y]: readonly [Tensor, Tensor]) => matmul(x, y).sum())([dydt.zeros([2, 0]), dydt.zeros([0, 3])]);
  expect([a.shape, b.shape]).toEqual([[2, 0], [0, 3]]); // prettier-ignore
});

test("every derivative of float32 is float32", () => {
  for (const [name, variants] of Object.entries(lines))
    for (const [f, shapes, domain = "any"] of variants) {
      if (name === "weightedSum" || name === "innerProducts") continue; // their weights and products are float64: see below
      const x = draw(shapes, domain, 3).map((one) => one.cast("float32"));
      const slope = gradient((at: Inputs) => {
        const y = f(at);
        return (isTensor(y) ? [y] : y).map((part) => part.cast("float32").square().sum()).reduce((total, part) => total.add(part));
      })(x);
      expect([name, ...slope.map((g) => g.dtype)]).toEqual([name, ...x.map(() => "float32")]);
    }
});

test("a weighted sum of float32 has a float32 derivative in its terms and a float64 one in its weights", () => {
  const [b, x] = [random(1).normal([3], { dtype: "float32" }), random(2).normal([3], { dtype: "float32" })];
  const w = random(3).normal([1]);
  const f = ({ base, weights, term }: { base: Tensor; weights: Tensor; term: Tensor }): Tensor => weightedSum(base, weights, [term]).square().sum();
  const slope = gradient(f)({ base: b, weights: w, term: x });
  expect([slope.base.dtype, slope.weights.dtype, slope.term.dtype]).toEqual(["float32", "float64", "float32"]);
  expect(checkGradients(f, { base: b, weights: w, term: x }, { order: 2 }).passed).toBe(true);
});

test.each(["floor", "sign", "step"] as const)("%s has derivative zero", (name) => {
  expect(gradient((x: Tensor) => dydt[name](x).mul(x).sum())(dydt.tensor([1.5, -2.5])).toArray()).toEqual(
    dydt[name](dydt.tensor([1.5, -2.5])).toArray(),
  );
  expect(stopGradient(dydt.tensor(1)).item()).toBe(1);
});

test("a wrong rule is found, and the report shows where", () => {
  const wrong = (x: Tensor): Tensor => x.square().add(stopGradient(x.sin())).sum();
  const report = checkGradients(wrong, dydt.tensor([0.3, 1.2]));
  expect(report.passed).toBe(false);
  expect(report.worst).toBeGreaterThan(1e-2);
  expect(report.toString()).toMatch(/^gradient check FAILED: worst relative error .*\n {2}order 1, direction 0: reverse/);
  expect(checkGradients((x: Tensor) => x.log().sum(), dydt.tensor([-1])).passed).toBe(false);
});
