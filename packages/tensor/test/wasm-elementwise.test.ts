import fc from "fast-check";
import ndarray from "ndarray";
import ops from "ndarray-ops";
import { describe, expect, test } from "vitest";
import type { BinaryOp, UnaryOp } from "../src/backend/kernels.js";
import type { TypedArray } from "../src/dtype.js";
import { both, distance, element, expectBits, floats, length, list, somePlaces, special } from "./kernel-sets.js";
import { broadcastTriple, count } from "./reference.js";

// prettier-ignore
const unaryOps: readonly UnaryOp[] = [
  "neg", "square", "sqrt", "reciprocal", "sign", "floor", "abs", "exp", "expm1", "log", "log1p", "sin", "cos", "tanh", "sigmoid", "softplus", "erf", "gelu", "relu", "step",
];
/** What float32 computes in float32, and how far it may be from the nearest number. */
const shortened: Readonly<Partial<Record<UnaryOp, number>>> = { exp: 1, tanh: 1, sigmoid: 2, softplus: 2 };

describe("functions of one operand", () => {
  test.each(unaryOps)("%s has the bits of the plain-JavaScript set, for float32 within its stated distance, wherever its operand lies", (op) => {
    fc.assert(
      fc.property(
        floats,
        length.chain((n) => list(n)),
        somePlaces,
        (dtype, values, where) => {
          const shape = [values.length];
          const [got, wanted] = both(dtype, shape, [{ values, shape }], where, (kernels, [x], out) => kernels.unary(op, x!, out));
          const most = dtype === "float32" ? (shortened[op] ?? 0) : 0;
          if (most === 0) expectBits(got, wanted, op);
          else values.forEach((x, i) => expect(distance(got[i]!, wanted[i]!), `${op}(${x}): ${got[i]}, ${wanted[i]}`).toBeLessThanOrEqual(most));
        },
      ),
      { numRuns: 150 },
    );
  });

  test.each(["float64", "float32"] as const)("of %s are accurate over their whole range, in long rows too", (dtype) => {
    const n = 20001;
    const values = Array.from({ length: n }, (_, i) => (i - 10000) * (i % 2 === 0 ? 0.0123 : 0.00077));
    for (const op of unaryOps) {
      const [got, wanted] = both(dtype, [n], [{ values, shape: [n] }], ["region"], (kernels, [x], out) => kernels.unary(op, x!, out));
      const most = dtype === "float32" ? (shortened[op] ?? 0) : 0;
      let worst = 0;
      for (let i = 0; i < n; i++)
        if (!Object.is(got[i], wanted[i])) worst = Math.max(worst, dtype === "float64" ? Infinity : distance(got[i]!, wanted[i]!));
      expect(worst, op).toBeLessThanOrEqual(most);
    }
  });

  test.each(["exp", "tanh", "sigmoid", "softplus"] as const)("%s of float32 treats special values as float64 does", (op) => {
    const values = [0, -0, NaN, Infinity, -Infinity, 1e38, -1e38, 88.8, -103.5, -110, 1e-45, -1e-45, 200, -200];
    const [got, wanted] = both("float32", [values.length], [{ values, shape: [values.length] }], ["region"], (kernels, [x], out) =>
      kernels.unary(op, x!, out),
    );
    expectBits(got, wanted, op);
  });

  test.each(["float64", "float32"] as const)("an element of %s has the same bits wherever it stands in a row", (dtype) => {
    fc.assert(
      fc.property(
        fc.constantFrom(...unaryOps),
        fc.integer({ min: 1, max: 9 }).chain((n) => list(n)),
        (op, values) => {
          // prettier-ignore
          const of = (part: readonly number[]): TypedArray =>
          both(dtype, [part.length], [{ values: part, shape: [part.length] }], ["inside"], (kernels, [x], out) => kernels.unary(op, x!, out))[0];
          const together = of(values);
          values.forEach((x, i) => expectBits(of([x]), [together[i]!], op));
        },
      ),
    );
  });
});

describe("functions of two operands", () => {
  const binaryOps: readonly BinaryOp[] = ["add", "sub", "mul", "div", "pow", "maximum", "minimum"];

  test.each(binaryOps)("%s has the bits of the plain-JavaScript set for any shapes that broadcast", (op) => {
    fc.assert(
      fc.property(
        floats,
        broadcastTriple.chain(({ a, b, common }) => fc.tuple(fc.constant({ a, b, common }), list(count(a)), list(count(b)))),
        somePlaces,
        (dtype, [{ a, b, common }, x, y], where) => {
          const operands = [
            { values: x, shape: a },
            { values: y, shape: b },
          ];
          expectBits(...both(dtype, common, operands, where, (kernels, [left, right], out) => kernels.binary(op, left!, right!, out)));
        },
      ),
      { numRuns: 150 },
    );
  });

  test.each([
    [[7, 13], [13]],
    [
      [7, 13],
      [1, 13],
    ],
    [
      [7, 13],
      [7, 1],
    ],
    [
      [3, 7, 13],
      [7, 13],
    ],
    [
      [3, 7, 13],
      [3, 1, 1],
    ],
    [
      [3, 7, 13],
      [3, 7, 1],
    ],
    [[3, 7, 13], [1]],
    [
      [13, 1],
      [1, 7],
    ],
    [
      [7, 1],
      [7, 1],
    ],
    [[7, 1], [1]],
    [
      [5, 1, 1],
      [5, 1, 1],
    ],
  ])("shapes %j and %j, in either order", (a, b) => {
    const shape = a.map((n, i) => Math.max(n, b[b.length - a.length + i] ?? 1));
    const fill = (of: readonly number[]): readonly number[] => Array.from({ length: count(of) }, (_, i) => ((i * 7919) % 101) / 8 - 5);
    for (const dtype of ["float64", "float32"] as const)
      for (const [left, right] of [
        [a, b],
        [b, a],
      ] as const) {
        // prettier-ignore
        const operands = [
          { values: fill(left), shape: left },
          { values: fill(right), shape: right },
        ];
        for (const op of ["sub", "div"] as const)
          expectBits(...both(dtype, shape, operands, ["region", "heap"], (kernels, [x, y], out) => kernels.binary(op, x!, y!, out)), op);
      }
  });

  test.each(binaryOps)("%s with a number computes in float64 and rounds once", (op) => {
    fc.assert(
      fc.property(
        floats,
        length.chain((n) => list(n)),
        fc.oneof(element, fc.constantFrom(0.1, 2)),
        fc.boolean(),
        somePlaces,
        (dtype, values, number, first, where) => {
          const shape = [values.length];
          const [got, wanted] = both(dtype, shape, [{ values, shape }], where, (kernels, [x], out) =>
            first ? kernels.binaryNumber(op, number, x!, out) : kernels.binaryNumber(op, x!, number, out),
          );
          expectBits(got, wanted, `${number}`);
        },
      ),
      { numRuns: 150 },
    );
  });

  test("agree with ndarray-ops", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 1, max: 6 }).chain((n) => fc.tuple(fc.constant(n), list(36), list(36))),
        (m, [n, x, y]) => {
          const [a, b] = [x.slice(0, m * n), y.slice(0, m * n)];
          for (const [op, reference] of [
            ["add", ops.add],
            ["sub", ops.sub],
            ["mul", ops.mul],
            ["div", ops.div],
          ] as const) {
            // prettier-ignore
            const wanted = ndarray(new Float64Array(m * n), [m, n]);
            reference(wanted, ndarray(Float64Array.from(a), [m, n]), ndarray(Float64Array.from(b), [m, n]));
            const operands = [a, b].map((values) => ({ values, shape: [m, n] }));
            expectBits(both("float64", [m, n], operands, ["region"], (kernels, [p, q], out) => kernels.binary(op, p!, q!, out))[0], wanted.data);
          }
        },
      ),
    );
  });
});

describe("powers", () => {
  test("of special numbers to special exponents have the bits of the plain-JavaScript set", () => {
    const bases = [...special, 2, -2, 0.9999999999999999, 1.0000000000000002, 1e-310, 7, -7];
    const exponents = [...special, 2, -2, 3, -3, 4, 1.5, -1.5, 1023, 1024, -1074, -1075, 2 ** 53, 2 ** 53 - 1, -(2 ** 53 - 1), 2 ** 65, 1e300];
    const x = bases.flatMap((base) => exponents.map(() => base));
    const y = bases.flatMap(() => exponents);
    const operands = [x, y].map((values) => ({ values, shape: [values.length] }));
    for (const dtype of ["float64", "float32"] as const)
      expectBits(...both(dtype, [x.length], operands, ["region"], (kernels, [a, b], out) => kernels.binary("pow", a!, b!, out)));
  });
});
