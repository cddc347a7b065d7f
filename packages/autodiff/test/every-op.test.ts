import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as dydt from "@dydt/tensor";
import { checkGradients, gradient, stopGradient } from "@dydt/autodiff";
import { isTensor, random, type Range, type Tensor, affine, affineProduct, embedAt, tanhSlope } from "@dydt/tensor";

const {
  abs, add, at, broadcastTo, cast, clip, concat, copy, cos, div, elu, embed, erf, exp, expm1, flip, gelu, geluExact, identity, innerProducts, leakyRelu, log, log1p, logSoftmax, logsumexp,
  matmul, matrixProduct, max, maximum, mean, min, minimum, mul, neg, norm, pad, pow, reciprocal, relu, reshape, sigmoid, silu, sin, slice, softmax, softplus, split, sqrt, square, stack,
  sub, sum, sumTo, tanh, transpose, variance, weightedSum, where,
} = dydt; // prettier-ignore

type Inputs = readonly Tensor[];
/** An operation, the shapes of its operands, and where they lie: "any" keeps away from kinks at 0, "positive" between 0.5 and 2. */
type Line = readonly [f: (x: Inputs) => Tensor | Inputs, shapes: readonly (readonly number[])[], domain?: "any" | "positive"];

const cut: readonly Range[] = [[1, null], [null, null, -2]]; // prettier-ignore
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

const withoutDerivative = [
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
