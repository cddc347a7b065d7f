import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { jsKernels } from "../src/backend/js.js";
import type { Kernels, Reduction } from "../src/backend/kernels.js";
import type { TypedArray } from "../src/dtype.js";
import type { Tensor } from "../src/tensor.js";
import { both, expectBits, floats, inRegion, length, list, ordinary, type Place, put, somePlaces, wasm } from "./kernel-sets.js";

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
