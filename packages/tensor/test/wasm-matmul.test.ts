import fc from "fast-check";
import { describe, test } from "vitest";
import type { Kernels } from "../src/backend/kernels.js";
import type { TypedArray } from "../src/dtype.js";
import { arrayOf, type Tensor } from "../src/tensor.js";
import { both, expectBits, floats, product, somePlaces } from "./kernel-sets.js";

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
