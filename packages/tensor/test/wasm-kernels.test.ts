import fc from "fast-check";
import ndarray from "ndarray";
import ops from "ndarray-ops";
import { describe, expect, test, vi } from "vitest";
import { jsKernels } from "../src/backend/js.js";
import type { BinaryOp, Comparison, Kernels, MatmulLayout, Reduction, UnaryOp } from "../src/backend/kernels.js";
import { loadWasmKernels } from "../src/backend/wasm.js";
import type { TypedArray } from "../src/dtype.js";
import { DtypeError, ShapeError } from "../src/errors.js";
import { beginEpoch, endEpoch, recordingWith, type Recorder } from "../src/recorder.js";
import { allocatingIn, createRegion, type Region } from "../src/region.js";
import { alias, allocate, arrayOf, elementsOf, wrap, type Tensor } from "../src/tensor.js";
import { adamUpdate } from "../src/updates.js";
import { broadcastTriple, count } from "./reference.js";

const loaded = loadWasmKernels();
if (typeof loaded === "string") throw new Error(loaded);
const wasm: Kernels = loaded;

type Float = "float64" | "float32";
const floats = fc.constantFrom<Float>("float64", "float32");
const length = fc.integer({ min: 0, max: 40 });
/** Where a tensor lies: on the heap, aligned in a region, or where no vector is aligned. */
type Place = "heap" | "region" | "inside";
const places = fc.constantFrom<Place>("heap", "region", "inside");
const special = [0, -0, NaN, Infinity, -Infinity, 1, -1, 5e-324, -5e-324, 1e-40, -1e-40, 0.5, -0.5, 1e308, -1e308, 3e38, 2.2250738585072014e-308];
/** Ordinary numbers, numbers of every size, and special ones. */
const element = fc.oneof(
  { weight: 6, arbitrary: fc.double({ min: -4, max: 4, noNaN: true }) },
  { weight: 2, arbitrary: fc.double({ min: -800, max: 800, noNaN: true }) },
  { weight: 2, arbitrary: fc.double() },
  { weight: 1, arbitrary: fc.constantFrom(...special) },
);
const ordinary = fc.double({ min: -4, max: 4, noNaN: true });
const list = (n: number, of: fc.Arbitrary<number> = element): fc.Arbitrary<readonly number[]> => fc.array(of, { minLength: n, maxLength: n });

const region = createRegion("tape");
const typed = (dtype: Float, values: readonly number[]): TypedArray => (dtype === "float64" ? Float64Array.from(values) : Float32Array.from(values));

/** A tensor with these elements in a place; the elements around it must not change. */
const put = (values: readonly number[], shape: readonly number[], dtype: Float, place: Place, into: Region = region): Tensor => {
  if (place === "heap") return wrap(typed(dtype, values), shape, dtype);
  const lead = place === "inside" ? 3 : 4;
  const block = allocatingIn(into, () => allocate([lead + values.length + 5], dtype));
  const array = arrayOf(block);
  array.fill(7, block.offset, block.offset + block.size);
  array.set(values, block.offset + lead);
  return alias(block, shape, lead);
};
/** Whether the neighbours of a tensor made by `put` are what they were. */
const neighboursKept = (x: Tensor): boolean => {
  const array = arrayOf(x);
  const at = (i: number): number => array[x.offset + i]!;
  return x.own !== null || [-3, -2, -1, 0, 1, 2, 3, 4].every((i) => at(i < 0 ? i : x.size + i) === 7);
};
const inRegion = <T>(body: () => T): T => {
  try {
    return allocatingIn(region, body);
  } finally {
    region.reset();
  }
};

/** The distance of two float32 numbers in units of the last place. */
const distance = (a: number, b: number): number => {
  const rank = (x: number): number => {
    const bits = new Int32Array(Float32Array.of(x).buffer)[0]!;
    return bits < 0 ? -2147483648 - bits : bits;
  };
  return Object.is(a, b) || a === b ? 0 : Number.isNaN(a) !== Number.isNaN(b) ? Infinity : Math.abs(rank(a) - rank(b));
};

const expectBits = (got: TypedArray, wanted: ArrayLike<number>, what = ""): void => {
  for (let i = 0; i < wanted.length; i++)
    if (!Object.is(got[i], wanted[i]))
      throw new Error(`${what} element ${i}: got ${got[i]}, wanted ${wanted[i]}: [${Array.from(got).join()}] and [${Array.from(wanted).join()}]`);
  expect(got.length).toBe(wanted.length);
};

/** What both sets make of the same operation, the WebAssembly one wherever its operands and its result lie. */
const both = (
  dtype: Float,
  shape: readonly number[],
  operands: readonly { readonly values: readonly number[]; readonly shape: readonly number[] }[],
  where: readonly Place[],
  run: (kernels: Kernels, operands: readonly Tensor[], out: Tensor) => void,
): readonly [TypedArray, TypedArray] =>
  inRegion(() => {
    const heap = operands.map(({ values, shape: own }) => put(values, own, dtype, "heap"));
    const placed = operands.map(({ values, shape: own }, i) => put(values, own, dtype, where[i % where.length]!));
    const wanted = put(new Array<number>(count(shape)).fill(0), shape, dtype, "heap");
    const got = put(new Array<number>(count(shape)).fill(0), shape, dtype, where[operands.length % where.length]!);
    run(jsKernels, heap, wanted);
    run(wasm, placed, got);
    for (const x of [...placed, got]) expect(neighboursKept(x)).toBe(true);
    return [elementsOf(got).slice(), elementsOf(wanted)];
  });
const somePlaces = fc.array(places, { minLength: 1, maxLength: 9 });

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

describe("reductions", () => {
  test.each(["sum", "max", "min", "prod"] satisfies readonly Reduction[])("%s has the bits of the plain-JavaScript set over any axis", (op) => {
    const small = fc.integer({ min: 0, max: 11 });
    fc.assert(
      fc.property(
        floats,
        fc.tuple(small, small, small).chain((lengths) => fc.tuple(fc.constant(lengths), list(lengths[0] * lengths[1] * lengths[2]))),
        somePlaces,
        (dtype, [[outer, along, inner], values], where) => {
          const operands = [{ values, shape: [outer, along, inner] }];
          expectBits(...both(dtype, [outer, inner], operands, where, (kernels, [x], out) => kernels.reduce(op, x!, outer, along, inner, out)));
        },
      ),
      { numRuns: 200 },
    );
  });

  test("a sum has the same bits alone and in any batch, beside it or behind it", () => {
    fc.assert(
      fc.property(
        floats,
        fc.integer({ min: 1, max: 12 }).chain((n) => fc.tuple(fc.constant(n), list(n, ordinary))),
        fc.integer({ min: 1, max: 11 }),
        (dtype, [n, row], copies) => {
          const sum = (values: readonly number[], outer: number, inner: number): TypedArray =>
            both(dtype, [outer, inner], [{ values, shape: [outer, n, inner] }], ["region"], (kernels, [x], out) =>
              kernels.reduce("sum", x!, outer, n, inner, out),
            )[0];
          const alone = sum(row, 1, 1)[0]!;
          expectBits(sum(Array.from({ length: copies }, () => row).flat(), copies, 1), new Array<number>(copies).fill(alone));
          expectBits(sum(row.flatMap((x) => new Array<number>(copies).fill(x)), 1, copies), new Array<number>(copies).fill(alone)); // prettier-ignore
        },
      ),
    );
  });

  test("inner products, scaled squares and the search for the first number that is not finite agree to the bit", () => {
    fc.assert(
      fc.property(
        floats,
        length.chain((n) => fc.tuple(list(n), list(n), list(n))),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.boolean(),
        somePlaces,
        (dtype, values, rtol, atol, listed, where) => {
          const shape = [values[0].length];
          const tolerance = (x: number): Float64Array => (listed ? Float64Array.from(values[0], (_, i) => x * (i + 1)) : Float64Array.of(x));
          const results = (kernels: Kernels, place: (i: number) => Place): readonly number[] => {
            const [x, y, z] = values.map((v, i) => put(v, shape, dtype, place(i)));
            return [kernels.innerProduct(x!, y!), kernels.scaledSquares(x!, y!, z!, tolerance(rtol), tolerance(atol)), kernels.firstNonFinite(x!)];
          };
          const got = inRegion(() => results(wasm, (i) => where[i % where.length]!));
          expect(got).toEqual(inRegion(() => results(jsKernels, () => "heap")));
        },
      ),
      { numRuns: 200 },
    );
  });

  test("an error of exactly zero counts as zero whatever its tolerance, and NaN is never lost", () => {
    const x = (...values: readonly number[]): Tensor => put(values, [values.length], "float64", "heap");
    const none = Float64Array.of(0);
    for (const kernels of [wasm, jsKernels]) {
      expect(kernels.scaledSquares(x(0, 0, 0, 0, 0), x(0, 0, 0, 0, 0), x(0, 0, 0, 0, 0), none, none)).toBe(0);
      for (let i = 0; i < 5; i++) {
        const zeros = [1, 1, 1, 1, 1];
        const bad = zeros.map((value, j) => (i === j ? NaN : value));
        expect(kernels.scaledSquares(x(...bad), x(...zeros), x(...zeros), none, Float64Array.of(1))).toBeNaN();
        expect(kernels.scaledSquares(x(...zeros), x(...bad), x(...zeros), Float64Array.of(1), none)).toBeNaN();
        expect(kernels.scaledSquares(x(...zeros), x(...zeros), x(...bad), Float64Array.of(1), none)).toBeNaN();
        expect(kernels.innerProduct(x(...zeros), x(...bad))).toBeNaN();
        expect(kernels.firstNonFinite(x(...bad))).toBe(i);
      }
    }
  });
});

describe("weighted sums", () => {
  test("of any number of stages have the bits of the plain-JavaScript set", () => {
    fc.assert(
      fc.property(
        floats,
        fc
          .tuple(length, fc.integer({ min: 0, max: 10 }))
          .chain(([n, k]) => fc.tuple(list(k), fc.array(list(n), { minLength: k + 1, maxLength: k + 1 }))),
        fc.boolean(),
        somePlaces,
        (dtype, [weights, values], hasBase, where) => {
          const shape = [values[0]!.length];
          const operands = values.map((v) => ({ values: v, shape }));
          expectBits(
            ...both(dtype, shape, operands, where, (kernels, [base, ...terms], out) =>
              kernels.weightedSum(hasBase ? base! : null, weights, terms, out),
            ),
          );
        },
      ),
      { numRuns: 200 },
    );
  });
});

const product = (m: number, k: number, n: number, rest: Partial<MatmulLayout> = {}): MatmulLayout => ({
  batch: 1, m, k, n, transposeA: false, transposeB: false, strideA: m * k, strideB: k * n, ...rest,
}); // prettier-ignore

describe("matrix products", () => {
  const size = fc.oneof(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 13, max: 70 }));
  const ramp = (n: number, seed: number): readonly number[] => Array.from({ length: n }, (_, i) => (((i + seed) * 7919) % 1009) / 504 - 1);
  /** Small whole numbers, whose products and sums float32 holds exactly. */
  const whole = (n: number, seed: number): readonly number[] => Array.from({ length: n }, (_, i) => (((i + seed) * 7919) % 1009) % 17 - 8); // prettier-ignore

  test("of float64 have the bits of the plain-JavaScript set, those of float32 where nothing is rounded", () => {
    fc.assert(
      fc.property(
        floats,
        fc.integer({ min: 1, max: 3 }),
        size,
        size,
        size,
        fc.record({ transposeA: fc.boolean(), transposeB: fc.boolean(), accumulate: fc.boolean() }),
        somePlaces,
        (dtype, batch, m, k, n, options, where) => {
          const layout = product(m, k, n, { batch, ...options });
          const values = dtype === "float64" ? ramp : whole;
          const operands = [
            { values: values(batch * m * k, 1), shape: [batch, m, k] },
            { values: values(batch * k * n, 2), shape: [batch, k, n] },
          ];
          const [got, wanted] = both(dtype, [batch, m, n], operands, where, (kernels, [a, b], out) => {
            arrayOf(out).fill(options.accumulate ? 0.25 : NaN, out.offset, out.offset + out.size);
            kernels.matmul(a!, b!, layout, out);
          });
          expectBits(got, wanted);
        },
      ),
      { numRuns: 300 },
    );
  });

  test.each([
    [130, 150, 40, false],
    [5, 1030, 3, false],
    [9, 2500, 17, false],
    [9, 2500, 17, true],
    [140, 1100, 33, true],
    [140, 1100, 33, false],
    [2060, 12, 13, true],
    [1100, 40, 5, false],
  ])("of large size %i x %i x %i, adding %s, in every layout", (m, k, n, accumulate) => {
    for (const [transposeA, transposeB] of [
      [false, false],
      [true, false],
      [false, true],
      [true, true],
    ] as const) {
      // prettier-ignore
      const layout = product(m, k, n, { transposeA, transposeB, accumulate });
      const operands = (values: typeof ramp) => [
        { values: values(m * k, 1), shape: [m, k] },
        { values: values(k * n, 2), shape: [k, n] },
      ];
      const run = (kernels: Kernels, [a, b]: readonly Tensor[], out: Tensor): void => {
        arrayOf(out).fill(0.25, out.offset, out.offset + out.size);
        kernels.matmul(a!, b!, layout, out);
      };
      expectBits(...both("float64", [m, n], operands(ramp), ["region"], run));
      expectBits(...both("float32", [m, n], operands(whole), ["region"], run));
    }
  });

  test("of float32 are rounded to float32 at every step, in ascending order", () => {
    const [m, k, n] = [6, 300, 11];
    const [a, b] = [ramp(m * k, 5).map(Math.fround), ramp(k * n, 6).map(Math.fround)];
    const [got] = both("float32", [m, n], [{ values: a, shape: [m, k] }, { values: b, shape: [k, n] }], ["region"], (kernels, [x, y], out) => kernels.matmul(x!, y!, product(m, k, n), out)); // prettier-ignore
    const wanted = Array.from({ length: m * n }, (_, at) => {
      let sum = 0;
      for (let p = 0; p < k; p++) sum = Math.fround(sum + Math.fround(a[Math.floor(at / n) * k + p]! * b[p * n + (at % n)]!));
      return sum;
    });
    expectBits(got, wanted);
  });

  test("a row has the same bits alone and in any batch, a column too", () => {
    fc.assert(
      fc.property(floats, fc.integer({ min: 1, max: 20 }), fc.integer({ min: 0, max: 90 }), fc.integer({ min: 1, max: 20 }), fc.boolean(), fc.boolean(), (dtype, m, k, n, transposeA, transposeB) => {
        const of = (a: readonly number[], b: readonly number[], rows: number, columns: number, ta: boolean, tb: boolean): TypedArray => {
          const operands = [{ values: a, shape: [rows, k] }, { values: b, shape: [k, columns] }];
          return both(dtype, [rows, columns], operands, ["region"], (kernels, [x, y], out) => kernels.matmul(x!, y!, product(rows, k, columns, { transposeA: ta, transposeB: tb }), out))[0];
        };
        const [a, b] = [ramp(m * k, 3), ramp(k * n, 4)];
        const together = of(a, b, m, n, transposeA, transposeB);
        for (let i = 0; i < m; i++) {
          const row = Array.from({ length: k }, (_, p) => a[transposeA ? p * m + i : i * k + p]!);
          expectBits(of(row, b, 1, n, false, transposeB), together.slice(i * n, (i + 1) * n));
        }
        for (let j = 0; j < n; j++) {
          const column = Array.from({ length: k }, (_, p) => b[transposeB ? j * k + p : p * n + j]!);
          expectBits(of(a, column, m, 1, transposeA, false), Array.from({ length: m }, (_, i) => together[i * n + j]!));
        }
      }),
      { numRuns: 60 },
    ); // prettier-ignore
  });

  test("let NaN and infinities through zeros, and overwrite what the result held", () => {
    for (const dtype of ["float64", "float32"] as const) {
      const operands = [{ values: [0, 1, 0, 0], shape: [2, 2] }, { values: [NaN, Infinity, 1, 2], shape: [2, 2] }]; // prettier-ignore
      const [got] = both(dtype, [2, 2], operands, ["region"], (kernels, [a, b], out) => {
        arrayOf(out).fill(NaN, out.offset, out.offset + out.size);
        kernels.matmul(a!, b!, product(2, 2, 2), out);
      });
      expectBits(got, [NaN, NaN, NaN, NaN]);
      const finite = [{ values: [0, 1, 0, 0], shape: [2, 2] }, { values: [3, 4, 1, 2], shape: [2, 2] }]; // prettier-ignore
      expectBits(both(dtype, [2, 2], finite, ["heap"], (kernels, [a, b], out) => { arrayOf(out).fill(NaN, out.offset, out.offset + out.size); kernels.matmul(a!, b!, product(2, 2, 2), out); })[0], [1, 2, 0, 0]); // prettier-ignore
    }
  });
});

describe("comparisons and selections", () => {
  // prettier-ignore
  const comparisons = ["equal", "notEqual", "less", "lessEqual", "greater", "greaterEqual", "and", "or"] as const satisfies readonly Comparison[];
  const bytes = (n: number, place: Place): Tensor =>
    place === "heap" ? wrap(new Uint8Array(n), [n], "bool") : alias(allocate([n + 3], "bool"), [n], place === "inside" ? 3 : 0);
  /** Numbers of which some are equal, and special ones. */
  const few = fc.oneof(element, fc.constantFrom(...special), fc.integer({ min: -2, max: 2 }));

  test.each(comparisons)("%s is that of the plain-JavaScript set, of any length, with one number on either side, wherever the operands lie", (op) => {
    fc.assert(
      fc.property(
        floats,
        length.chain((n) => fc.tuple(list(n, few), list(n, few))),
        fc.constantFrom("none", "left", "right", "both"),
        somePlaces,
        (dtype, [x, y], single, where) => {
          const n = x.length;
          const side = (values: readonly number[], alone: boolean, place: Place): Tensor =>
            alone && n > 0 ? put(values.slice(0, 1), [], dtype, place) : put(values, [n], dtype, place);
          const of = (kernels: Kernels, places: readonly Place[]): TypedArray =>
            inRegion(() => {
              const a = side(x, single === "left" || single === "both", places[0]!);
              const b = side(y, single === "right" || single === "both", places[1 % places.length]!);
              const out = bytes(n, places[2 % places.length]!);
              kernels.compare(op, a, b, out);
              expect(neighboursKept(a) && neighboursKept(b)).toBe(true);
              return elementsOf(out).slice();
            });
          expectBits(of(wasm, where), of(jsKernels, ["heap"]), op);
        },
      ),
      { numRuns: 200 },
    );
  });

  test("where takes the elements of one or the other, with the bits they have, rounded where a number is given", () => {
    fc.assert(
      fc.property(
        floats,
        length.chain((n) => fc.tuple(list(n, few), list(n, few), fc.array(fc.constantFrom(0, 1, 2, 128, 255), { minLength: n, maxLength: n }))),
        fc.constantFrom("none", "left", "right", "both"),
        somePlaces,
        (dtype, [x, y, mask], single, where) => {
          const shape = [x.length];
          const run = (kernels: Kernels, [left, right]: readonly Tensor[], out: Tensor): void => {
            const condition = bytes(mask.length, kernels === wasm ? where[0]! : "heap");
            arrayOf(condition).set(mask, condition.offset);
            const number = (values: readonly number[]): Tensor => wrap(Float64Array.of(values[0] ?? 0.1), [], "float64");
            const a = single === "left" || single === "both" ? number(x) : left!;
            const b = single === "right" || single === "both" ? number(y) : right!;
            kernels.where(condition, a, b, out);
          };
          // prettier-ignore
          expectBits(...both(dtype, shape, [{ values: x, shape }, { values: y, shape }], where, run));
        },
      ),
      { numRuns: 300 },
    );
  });

  test("of operands that broadcast, of other types and of masks that are no bool go the general way", () => {
    const x = wrap(Float64Array.from({ length: 24 }, (_, i) => i % 7), [3, 8], "float64"); // prettier-ignore
    const row = wrap(Float64Array.from({ length: 8 }, (_, i) => i), [8], "float64"); // prettier-ignore
    const whole = wrap(Int32Array.from({ length: 24 }, (_, i) => i % 5), [3, 8], "int32"); // prettier-ignore
    const of = (kernels: Kernels): readonly (readonly number[])[] => {
      const masks = [row, whole].map((other) => {
        const out = wrap(new Uint8Array(24), [3, 8], "bool");
        kernels.compare("less", x, other, out);
        return out;
      });
      const chosen = [masks[0]!, whole, wrap(Uint8Array.of(1, 0, 1), [3, 1], "bool")].map((mask) => {
        const out = wrap(new Float64Array(24), [3, 8], "float64");
        kernels.where(mask, x, row, out);
        return out;
      });
      return [...masks, ...chosen].map((out) => Array.from(elementsOf(out)));
    };
    expect(of(wasm)).toEqual(of(jsKernels));
  });
});

describe("steps of Adam", () => {
  const lists = length.chain((n) => fc.tuple(list(n), list(n), list(n), list(n)));
  /** The results of one step, wherever operands and results lie. */
  const stepped = (kernels: Kernels, dtype: Float, values: readonly (readonly number[])[], where: readonly Place[], run: (operands: readonly Tensor[], out: readonly Tensor[]) => void): readonly TypedArray[] =>
    inRegion(() => {
      const operands = values.map((v, i) => put(v, [v.length], dtype, where[i % where.length]!));
      const out = values.slice(1).map((v, i) => put(v.map(() => 0), [v.length], dtype, where[(values.length + i) % where.length]!)); // prettier-ignore
      run(operands, out);
      expect([...operands, ...out].every(neighboursKept), kernels.name).toBe(true);
      return out.map((x) => elementsOf(x).slice());
    }); // prettier-ignore

  test("have the bits of the plain-JavaScript set, NaN and infinities included", () => {
    const part = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(floats, lists, fc.tuple(part, part, part, part, part), somePlaces, (dtype, values, [beta1, beta2, correction, epsilon, weight], where) => {
        const numbers = { beta1, beta2, correction, epsilon, weight: -weight };
        const step = (kernels: Kernels, places: readonly Place[]) =>
          stepped(kernels, dtype, values, places, (x, out) => kernels.adam(x as [Tensor, Tensor, Tensor, Tensor], numbers, out as unknown as [Tensor, Tensor, Tensor]));
        const wanted = step(jsKernels, ["heap"]);
        step(wasm, where).forEach((got, i) => expectBits(got, wanted[i]!, `result ${i}`));
      }),
      { numRuns: 300 },
    ); // prettier-ignore
  });

  test("in one pass have the bits of the operations that a recorder sees", () => {
    const watcher: Recorder = { epoch: beginEpoch(), retains: false, watches: () => false, record: vi.fn() };
    fc.assert(
      fc.property(floats, lists, (dtype, values) => {
        const [x, g, m, v] = values.map((each) => put(each, [each.length], dtype, "heap")) as [Tensor, Tensor, Tensor, Tensor];
        const numbers = { beta1: 0.9, beta2: 0.999, correction: 1 - 0.999 ** 3, epsilon: 1e-8, weight: -1e-3 / (1 - 0.9 ** 3) };
        const step = (): readonly Tensor[] => adamUpdate(x, g, m, v, numbers);
        const operations = recordingWith([watcher], step);
        step().forEach((result, i) => expectBits(elementsOf(result), elementsOf(operations[i]!)));
      }),
    );
    endEpoch(watcher.epoch);
    expect(watcher.record).toHaveBeenCalled();
  });

  test("say what does not fit", () => {
    const numbers = { beta1: 0.9, beta2: 0.999, correction: 1, epsilon: 0, weight: -1 };
    const [two, three] = [put([1, 2], [2], "float64", "heap"), put([1, 2, 3], [3], "float64", "heap")];
    expect(() => adamUpdate(two, two, three, two, numbers)).toThrow(ShapeError);
    expect(() => adamUpdate(two, put([1, 2], [2], "float32", "heap"), two, two, numbers)).toThrow(DtypeError);
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

describe("operands", () => {
  test("of other types, and types that differ, are computed as the plain-JavaScript set does", () => {
    const whole = wrap(Int32Array.of(1, -2, 3), [3], "int32");
    const mask = wrap(Uint8Array.of(1, 0, 1), [3], "bool");
    const x = wrap(Float64Array.of(0.5, 1.5, 2.5), [3], "float64");
    const run = (kernels: Kernels): readonly TypedArray[] => {
      const [a, b, c, d] = [new Float64Array(3), new Int32Array(3), new Int32Array(1), new Uint8Array(3)];
      kernels.binary("mul", whole, x, wrap(a, [3], "float64"));
      kernels.unary("square", whole, wrap(b, [3], "int32"));
      kernels.reduce("sum", mask, 1, 3, 1, wrap(c, [], "int32"));
      kernels.compare("less", whole, x, wrap(d, [3], "bool"));
      return [a, b, c, d];
    };
    expect(run(wasm)).toEqual(run(jsKernels));
  });

  test("of the heap are read anew in every generation of the innermost region, and outside regions in every call", () => {
    const own = Float64Array.from({ length: 64 }, (_, i) => i);
    const x = wrap(own, [64], "float64");
    const double = (): number => {
      const out = allocate([64], "float64");
      wasm.binary("add", x, x, out);
      return arrayOf(out)[out.offset + 5]!;
    };
    const other = createRegion("step");
    for (let n = 1; n < 5; n++) {
      own[5] = n;
      expect(double()).toBe(2 * n);
      own[5] = 10 * n;
      expect(allocatingIn(region, double)).toBe(20 * n);
      expect(allocatingIn(region, double)).toBe(20 * n);
      own[5] = 100 * n;
      expect(allocatingIn(other, double)).toBe(200 * n);
      other.reset();
      own[5] = 1000 * n;
      expect(allocatingIn(other, double)).toBe(2000 * n);
      region.reset();
      other.reset();
    }
    other.close();
  });

  test("of the heap that a kernel has added to are read anew at once", () => {
    inRegion(() => {
      const sum = wrap(Float64Array.of(0), [1, 1], "float64");
      const one = wrap(Float64Array.of(1), [1, 1], "float64");
      const out = wrap(Float64Array.of(0), [1, 1], "float64");
      for (let n = 1; n < 4; n++) {
        wasm.matmul(one, one, product(1, 1, 1, { accumulate: true }), sum);
        wasm.binaryNumber("mul", sum, 2, out);
        expect(out.own!.array[0]).toBe(2 * n);
      }
    });
  });

  test("keep their place when the memory grows between calls and inside one", () => {
    const regions: Region[] = [];
    inRegion(() => {
      const x = put([1, 2, 3], [3], "float64", "region");
      const out = put([0, 0, 0], [3], "float64", "region");
      for (let size = 1 << 20; size <= 1 << 24; size *= 4) {
        const large = createRegion("store");
        regions.push(large);
        const before = arrayOf(x).buffer.byteLength;
        allocatingIn(large, () => allocate([size], "float64"));
        wasm.binary("add", x, out, out);
        // A heap operand larger than all scratch memory grows it within the call.
        const heap = wrap(new Float64Array(size).fill(1), [size], "float64");
        const sum = put([0], [1], "float64", "heap");
        wasm.reduce("sum", heap, 1, size, 1, sum);
        expect(arrayOf(sum)[0]).toBe(size);
        expect(arrayOf(x).buffer.byteLength).toBeGreaterThanOrEqual(before);
      }
      expectBits(elementsOf(out), [3, 6, 9]);
    });
    for (const each of regions) each.close();
  });

  test("may end where the memory ends, though whole vectors are read", () => {
    for (const dtype of ["float32", "float64"] as const) {
      const region = createRegion("store");
      const x = allocatingIn(region, () => {
        const present = arrayOf(allocate([1], dtype)).buffer.byteLength;
        const large = 2 ** Math.ceil(Math.log2(present));
        return allocate([large / arrayOf(allocate([1], dtype)).BYTES_PER_ELEMENT], dtype); // a chunk of its own, filled to its end
      });
      for (const n of [1, 2, 3, 5, 7]) {
        const column = alias(x, [2, n], x.size - 2 * n);
        elementsOf(column).set(Array.from({ length: 2 * n }, (_, i) => i + 1));
        const out = put(new Array<number>(n).fill(0), [1, n], dtype, "heap");
        wasm.matmul(put([1, 10], [1, 2], dtype, "heap"), column, product(1, 2, n), out);
        expect(Array.from(elementsOf(out))).toEqual(Array.from({ length: n }, (_, j) => j + 1 + 10 * (n + j + 1)));
      }
      region.close();
    }
  });

  test("large products of heap operands leave the regions' tensors alone", () => {
    inRegion(() => {
      const kept = put(Array.from({ length: 1000 }, (_, i) => i), [1000], "float64", "region"); // prettier-ignore
      const a = wrap(new Float64Array(300 * 300).fill(1), [300, 300], "float64");
      const out = wrap(new Float64Array(300 * 300), [300, 300], "float64");
      wasm.matmul(a, a, product(300, 300, 300, { transposeA: true }), out);
      expect(arrayOf(out).every((x) => x === 300)).toBe(true);
      expectBits(elementsOf(kept), Array.from({ length: 1000 }, (_, i) => i)); // prettier-ignore
    });
  });

  test("of a released region are refused", () => {
    const x = allocatingIn(region, () => allocate([2], "float64"));
    region.reset();
    const out = wrap(new Float64Array(2), [2], "float64");
    expect(() => wasm.unary("tanh", x, out)).toThrow("was used after its tape region was released");
    expect(() => wasm.binary("add", out, x, out)).toThrow("was used after its tape region was released");
    expect(() => wasm.innerProduct(out, x)).toThrow("was used after its tape region was released");
    expect(() => wasm.unary("tanh", out, x)).toThrow("was used after its tape region was released");
  });
});
