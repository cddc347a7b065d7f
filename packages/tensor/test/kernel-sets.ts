/**
 * @file Both kernel sets at work on the same operands: the WebAssembly one wherever they lie, aligned or not, and the plain-JavaScript one, which is the
 * reference. What lies beside an operand must stay as it is.
 */
import fc from "fast-check";
import { expect } from "vitest";
import { jsKernels } from "../src/backend/js.js";
import type { Kernels, MatmulLayout } from "../src/backend/kernels.js";
import { loadWasmKernels } from "../src/backend/wasm.js";
import type { TypedArray } from "../src/dtype.js";
import { allocatingIn, createRegion, type Region } from "../src/region.js";
import { alias, allocate, arrayOf, elementsOf, wrap, type Tensor } from "../src/tensor.js";
import { count } from "./reference.js";

const loaded = loadWasmKernels();
if (typeof loaded === "string") throw new Error(loaded);
export const wasm: Kernels = loaded;

export type Float = "float64" | "float32";
export const floats = fc.constantFrom<Float>("float64", "float32");
export const length = fc.integer({ min: 0, max: 40 });
/** Where a tensor lies: on the heap, aligned in a region, or where no vector is aligned. */
export type Place = "heap" | "region" | "inside";
export const places = fc.constantFrom<Place>("heap", "region", "inside");
export const special = [
  0,
  -0,
  NaN,
  Infinity,
  -Infinity,
  1,
  -1,
  5e-324,
  -5e-324,
  1e-40,
  -1e-40,
  0.5,
  -0.5,
  1e308,
  -1e308,
  3e38,
  2.2250738585072014e-308,
];
/** Ordinary numbers, numbers of every size, and special ones. */
export const element = fc.oneof(
  { weight: 6, arbitrary: fc.double({ min: -4, max: 4, noNaN: true }) },
  { weight: 2, arbitrary: fc.double({ min: -800, max: 800, noNaN: true }) },
  { weight: 2, arbitrary: fc.double() },
  { weight: 1, arbitrary: fc.constantFrom(...special) },
);
export const ordinary = fc.double({ min: -4, max: 4, noNaN: true });
export const list = (n: number, of: fc.Arbitrary<number> = element): fc.Arbitrary<readonly number[]> => fc.array(of, { minLength: n, maxLength: n });

export const region = createRegion("tape");
const typed = (dtype: Float, values: readonly number[]): TypedArray => (dtype === "float64" ? Float64Array.from(values) : Float32Array.from(values));

/** A tensor with these elements in a place; the elements around it must not change. */
export const put = (values: readonly number[], shape: readonly number[], dtype: Float, place: Place, into: Region = region): Tensor => {
  if (place === "heap") return wrap(typed(dtype, values), shape, dtype);
  const lead = place === "inside" ? 3 : 4;
  const block = allocatingIn(into, () => allocate([lead + values.length + 5], dtype));
  const array = arrayOf(block);
  array.fill(7, block.offset, block.offset + block.size);
  array.set(values, block.offset + lead);
  return alias(block, shape, lead);
};
/** Whether the neighbours of a tensor made by `put` are what they were. */
export const neighboursKept = (x: Tensor): boolean => {
  const array = arrayOf(x);
  const at = (i: number): number => array[x.offset + i]!;
  return x.own !== null || [-3, -2, -1, 0, 1, 2, 3, 4].every((i) => at(i < 0 ? i : x.size + i) === 7);
};
export const inRegion = <T>(body: () => T): T => {
  try {
    return allocatingIn(region, body);
  } finally {
    region.reset();
  }
};

/** The distance of two float32 numbers in units of the last place. */
export const distance = (a: number, b: number): number => {
  const rank = (x: number): number => {
    const bits = new Int32Array(Float32Array.of(x).buffer)[0]!;
    return bits < 0 ? -2147483648 - bits : bits;
  };
  return Object.is(a, b) || a === b ? 0 : Number.isNaN(a) !== Number.isNaN(b) ? Infinity : Math.abs(rank(a) - rank(b));
};

export const expectBits = (got: TypedArray, wanted: ArrayLike<number>, what = ""): void => {
  for (let i = 0; i < wanted.length; i++)
    if (!Object.is(got[i], wanted[i]))
      throw new Error(`${what} element ${i}: got ${got[i]}, wanted ${wanted[i]}: [${Array.from(got).join()}] and [${Array.from(wanted).join()}]`);
  expect(got.length).toBe(wanted.length);
};

/** What both sets make of the same operation, the WebAssembly one wherever its operands and its result lie. */
export const both = (
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
export const somePlaces = fc.array(places, { minLength: 1, maxLength: 9 });

/** A product of an `[m, k]` and a `[k, n]` matrix, where nothing else is said. */
export const product = (m: number, k: number, n: number, rest: Partial<MatmulLayout> = {}): MatmulLayout => ({
  batch: 1, m, k, n, transposeA: false, transposeB: false, strideA: m * k, strideB: k * n, ...rest,
}); // prettier-ignore
