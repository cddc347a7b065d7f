import fc from "fast-check";
import ndarray from "ndarray";
import ops from "ndarray-ops";
import { describe, expect, test } from "vitest";
import * as dydt from "@dydt/tensor";
import {
  add,
  clip,
  div,
  elu,
  gelu,
  isFinite,
  leakyRelu,
  logicalNot,
  mul,
  ShapeError,
  sub,
  tensor,
  where,
  zeros,
  type Operand,
  type Tensor,
} from "@dydt/tensor";
import { expectClose } from "../../../scripts/expect-close.js";
import { broadcastTriple, elementAt, expectExactly, indicesOf, normals, seeds } from "./reference.js";

const binaries = {
  add: (x: number, y: number) => x + y,
  sub: (x: number, y: number) => x - y,
  mul: (x: number, y: number) => x * y,
  div: (x: number, y: number) => x / y,
  maximum: Math.max,
  minimum: Math.min,
  equal: (x: number, y: number) => Number(x === y),
  notEqual: (x: number, y: number) => Number(x !== y),
  less: (x: number, y: number) => Number(x < y),
  lessEqual: (x: number, y: number) => Number(x <= y),
  greater: (x: number, y: number) => Number(x > y),
  greaterEqual: (x: number, y: number) => Number(x >= y),
  logicalAnd: (x: number, y: number) => Number(x !== 0 && y !== 0),
  logicalOr: (x: number, y: number) => Number(x !== 0 || y !== 0),
} as const;
const names = Object.keys(binaries) as (keyof typeof binaries)[];
/** Normal numbers, some replaced by whole ones, zeros and special values, so that ties and NaN occur. */
const mixed = (shape: readonly number[], seed: number): Tensor => {
  const data = Array.from(normals(shape, seed).data, (x, i) => [x, Math.round(x), 0, x, NaN, -0, Infinity, x][(seed + i) % 8]!);
  return tensor(Float64Array.from(data), { shape });
};

describe("broadcasting", () => {
  test.each(names)("%s is what the index-by-index definition gives, for any shapes that broadcast", (name) => {
    fc.assert(
      fc.property(broadcastTriple, seeds, ({ a, b, common }, seed) => {
        const [x, y] = [mixed(a, seed), mixed(b, seed + 3)];
        const wanted = indicesOf(common).map((index) => binaries[name](elementAt(a, x.data, index), elementAt(b, y.data, index)));
        expectExactly(dydt[name](x, y), common, wanted);
      }),
    );
  });

  test("where broadcasts all three of its arguments", () => {
    fc.assert(
      fc.property(broadcastTriple, fc.constantFrom(0, 1, 2), seeds, ({ a, b, common }, turn, seed) => {
        const shapes = [a, b, common];
        const [c, p, q] = [shapes[turn]!, shapes[(turn + 1) % 3]!, shapes[(turn + 2) % 3]!];
        const [condition, x, y] = [normals(c, seed), mixed(p, seed + 1), mixed(q, seed + 2)];
        const positive = dydt.greater(condition, 0);
        const wanted = indicesOf(common).map((index) =>
          elementAt(c, condition.data, index) > 0 ? elementAt(p, x.data, index) : elementAt(q, y.data, index),
        );
        expectExactly(where(positive, x, y), common, wanted);
      }),
    );
  });

  test("same shapes agree with ndarray-ops, which reads the tensors in place", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 3 }), seeds, (shape, seed) => {
        const [x, y] = [normals(shape, seed), normals(shape, seed + 1)];
        for (const [ours, theirs] of [[add, ops.add], [sub, ops.sub], [mul, ops.mul], [div, ops.div]] as const) {
          const out = ndarray(new Float64Array(x.size), shape);
          theirs(out, x.ndarray, y.ndarray);
          expectExactly(ours(x, y), shape, out.data);
        } // prettier-ignore
      }),
    );
  });

  test("numbers behave as tensors without axes, on either side", () => {
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.constantFrom(2, -0.5, 0, NaN, Infinity), seeds, (name, value, seed) => {
        const x = mixed([2, 3], seed);
        const operation = dydt[name] as (a: Operand, b: Operand) => Tensor;
        expectExactly(operation(x, value), [2, 3], operation(x, tensor(value)).data);
        expectExactly(operation(value, x), [2, 3], operation(tensor(value), x).data);
      }),
    );
  });

  test("shapes that do not broadcast are an error that names operation, shapes and axis", () => {
    expect(() => add(zeros([2, 3]), zeros([2]))).toThrow(ShapeError);
    expect(() => add(zeros([2, 3]), zeros([2]))).toThrow("add got shapes [2, 3] and [2], which do not broadcast: 3 and 2 differ at axis -1");
    expect(() => mul(zeros([0]), zeros([2]))).toThrow("mul got shapes [0] and [2]");
    expect(() => where(zeros([2]), zeros([3]), 0)).toThrow("where got shapes [2] and [3]");
  });
});

const unaries: Readonly<Record<string, readonly [operation: (x: Tensor) => Tensor, reference: (x: number) => number, tolerance: number]>> = {
  neg: [dydt.neg, (x) => -x, 0],
  square: [dydt.square, (x) => x * x, 0],
  abs: [dydt.abs, Math.abs, 0],
  sign: [dydt.sign, Math.sign, 0],
  floor: [dydt.floor, Math.floor, 0],
  relu: [dydt.relu, (x) => Math.max(x, 0), 0],
  step: [dydt.step, (x) => (Number.isNaN(x) ? NaN : Number(x > 0)), 0],
  sqrt: [dydt.sqrt, Math.sqrt, 0],
  reciprocal: [dydt.reciprocal, (x) => 1 / x, 0],
  exp: [dydt.exp, Math.exp, 1e-15],
  expm1: [dydt.expm1, Math.expm1, 1e-15],
  log: [dydt.log, Math.log, 1e-15],
  log1p: [dydt.log1p, Math.log1p, 1e-15],
  sin: [dydt.sin, Math.sin, 1e-15],
  cos: [dydt.cos, Math.cos, 1e-15],
  tanh: [dydt.tanh, Math.tanh, 1e-15],
  sigmoid: [dydt.sigmoid, (x) => 1 / (1 + Math.exp(-x)), 1e-15],
  softplus: [dydt.softplus, (x) => (x > 30 ? x : Math.log1p(Math.exp(x))), 1e-15],
  silu: [dydt.silu, (x) => x / (1 + Math.exp(-x)), 1e-15],
  leakyRelu: [(x) => leakyRelu(x, 0.2), (x) => (x > 0 ? x : 0.2 * x), 0],
  elu: [(x) => elu(x, 1.5), (x) => (x > 0 ? x : 1.5 * Math.expm1(x)), 1e-15],
  geluTanh: [(x) => gelu(x, { approximate: "tanh" }), (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))), 1e-13],
  clip: [(x) => clip(x, -1, 0.5), (x) => Math.min(Math.max(x, -1), 0.5), 0],
  logicalNot: [logicalNot, (x) => Number(x === 0), 0],
  isFinite: [isFinite, (x) => Number(Number.isFinite(x)), 0],
};
const points = [...Array.from(normals([40], 5).data), 0, 1, -1, 1e-8, -1e-8, 20, -20, 700, 0.5, 2 ** 20];

describe("elementwise functions", () => {
  test.each(Object.entries(unaries))("%s agrees with Math, in both float types", (_, [operation, reference, tolerance]) => {
    const wanted = points.map(reference);
    expectClose(operation(tensor(points)), wanted, { rtol: tolerance, atol: 1e-300 });
    const rounded = points.map(Math.fround);
    const single = operation(tensor(new Float32Array(rounded)));
    expectClose(single, rounded.map((x) => Math.fround(reference(x))), { rtol: 2 ** -21, atol: 1e-40 }); // prettier-ignore
    expect(["float32", "bool"]).toContain(single.dtype);
  });

  test.each([
    ["exp", [0, Infinity, NaN]], ["expm1", [-1, Infinity, NaN]], ["log", [NaN, Infinity, NaN]], ["log1p", [NaN, Infinity, NaN]], ["sin", [NaN, NaN, NaN]], ["cos", [NaN, NaN, NaN]],
    ["tanh", [-1, 1, NaN]], ["sigmoid", [0, 1, NaN]], ["softplus", [0, Infinity, NaN]], ["erf", [-1, 1, NaN]], ["relu", [0, Infinity, NaN]], ["abs", [Infinity, Infinity, NaN]],
    ["sign", [-1, 1, NaN]], ["sqrt", [NaN, Infinity, NaN]], ["reciprocal", [-0, 0, NaN]], ["floor", [-Infinity, Infinity, NaN]], ["neg", [Infinity, -Infinity, NaN]],
  ] as const)("%s keeps the rules of IEEE 754 at minus infinity, infinity and NaN", (name, wanted) => {
    expectExactly(dydt[name](tensor([-Infinity, Infinity, NaN])), [3], wanted);
  }); // prettier-ignore

  test("pow is that of IEEE 754", () => {
    for (const [x, p] of [[2, 10], [2, 0.5], [0, 0], [NaN, 0], [-2, 3], [-2, 0.5], [0, -1], [9, -0.5], [Infinity, 2]] as const) {
      expectClose(dydt.pow(tensor([x]), p), [x ** p], { rtol: 1e-15 });
      expectClose(dydt.pow(x, tensor([p])), [x ** p], { rtol: 1e-15 });
      expectClose(dydt.pow(tensor([x]), tensor([p])), [x ** p], { rtol: 1e-15 });
    } // prettier-ignore
  });

  test("erf and gelu have their known values", () => {
    expectClose(dydt.erf(tensor([0.5, 1, 2])), [0.5204998778130465, 0.8427007929497149, 0.9953222650189527], { rtol: 1e-15 });
    expectClose(gelu(tensor([1])), [0.8413447460685429], { rtol: 1e-15 });
  });

  test("maximum and minimum give NaN when either operand is", () => {
    expectExactly(dydt.maximum(tensor([NaN, 1]), tensor([1, NaN])), [2], [NaN, NaN]);
    expectExactly(dydt.minimum(tensor([NaN, 1]), tensor([1, NaN])), [2], [NaN, NaN]);
  });

  test("clip refuses bounds in the wrong order", () => {
    expect(() => clip(tensor([1]), 2, 1)).toThrow("clip needs lower <= upper, got 2 and 1");
  });

  test("methods are the functions", () => {
    const [x, y] = [normals([2, 2], 1).abs(), normals([2, 2], 2)];
    for (const name of ["add", "sub", "mul", "div", "pow", "maximum", "minimum", "matmul"] as const) expectExactly(x[name](y), [2, 2], dydt[name](x, y).data);
    for (const name of ["neg", "square", "sqrt", "reciprocal", "abs", "sign", "exp", "log", "sin", "cos", "tanh", "sigmoid", "relu", "softplus", "sum", "mean", "max", "min", "norm"] as const)
      expectExactly(x[name](), dydt[name](x).shape, dydt[name](x).data);
  }); // prettier-ignore
});
