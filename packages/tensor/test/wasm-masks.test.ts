import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { jsKernels } from "../src/backend/js.js";
import type { Comparison, Kernels } from "../src/backend/kernels.js";
import type { TypedArray } from "../src/dtype.js";
import { alias, allocate, arrayOf, elementsOf, type Tensor, wrap } from "../src/tensor.js";
import {
  element,
  expectBits,
  floats,
  inRegion,
  length,
  list,
  neighboursKept,
  type Place,
  put,
  somePlaces,
  wasm,
  special,
  both,
} from "./kernel-sets.js";

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
