import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { FusedActivation, Kernels, LayerKernels } from "../src/backend/kernels.js";
import { loadWasmKernels } from "../src/backend/wasm.js";
import { setMatmulBackend } from "../src/backend/matmul.js";
import { affineProduct } from "../src/affine.js";
import type { Wanted } from "../src/rule.js";
import { allocatingIn, createRegion } from "../src/region.js";
import { allocate, arrayOf, elementsOf, wrap, type Tensor } from "../src/tensor.js";

const loaded = loadWasmKernels();
if (typeof loaded === "string") throw new Error(loaded);
const wasm: Kernels = loaded;
const layer: LayerKernels = loaded.layer!;

type Float = "float64" | "float32";
const region = createRegion("tape");
const activations: readonly FusedActivation[] = ["identity", "tanh", "sigmoid", "softplus", "relu"];

/** A tensor with these elements, on the heap or in a region. */
const put = (values: readonly number[], shape: readonly number[], dtype: Float, onHeap: boolean): Tensor => {
  if (onHeap) return wrap(dtype === "float64" ? Float64Array.from(values) : Float32Array.from(values), shape, dtype);
  const x = allocate(shape, dtype);
  arrayOf(x).set(values, x.offset);
  return x;
};
const copyOf = (x: Tensor): Tensor => put(Array.from(elementsOf(x)), x.shape, x.dtype as Float, x.own !== null);

/** x W + b and its pullback as the calls that they are made of. */
const forward = (x: Tensor, weight: Tensor, bias: Tensor, activation: FusedActivation): Tensor => {
  const out = product(x, weight, false, false);
  wasm.binary("add", out, bias, out);
  if (activation !== "identity") wasm.unary(activation, out, out);
  return out;
};
const product = (a: Tensor, b: Tensor, transposeA: boolean, transposeB: boolean, into?: Tensor): Tensor => {
  const [m, k] = transposeA ? [a.shape[1]!, a.shape[0]!] : [a.shape[0]!, a.shape[1]!];
  const n = b.shape[transposeB ? 0 : 1]!;
  const out = into ?? allocate([m, n], a.dtype);
  wasm.matmul(a, b, { batch: 1, m, k, n, transposeA, transposeB, strideA: m * k, strideB: k * n, accumulate: into !== undefined }, out);
  return out;
};
const pullback = (g: Tensor, y: Tensor | undefined, x: Tensor, weight: Tensor, into: readonly (Tensor | undefined)[]): readonly Tensor[] => {
  let z = g;
  if (y !== undefined) wasm.binary("tanhSlope", g, y, (z = allocate(g.shape, g.dtype)));
  const sums = allocate([weight.shape[1]!], g.dtype);
  wasm.reduce("sum", z, 1, z.shape[0]!, weight.shape[1]!, sums);
  if (into[2] !== undefined) wasm.binary("add", into[2], sums, sums);
  return [product(z, weight, false, true, into[0]), product(x, z, true, false, into[1]), sums];
};

const special = [0, -0, NaN, Infinity, -Infinity, 1e30, -1e-30];
const element = fc.oneof(
  { weight: 9, arbitrary: fc.double({ min: -4, max: 4, noNaN: true }) },
  { weight: 1, arbitrary: fc.constantFrom(...special) },
);
const length = fc.integer({ min: 0, max: 21 });
const layers = fc.tuple(length, length, length).chain(([m, k, n]) => {
  const matrix = (rows: number, columns: number) => fc.array(element, { minLength: rows * columns, maxLength: rows * columns });
  return fc.record({
    sizes: fc.constant([m, k, n] as const),
    x: matrix(m, k),
    weight: matrix(k, n),
    bias: matrix(1, n),
    cotangent: matrix(m, n),
    dtype: fc.constantFrom<Float>("float64", "float32"),
    onHeap: fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
  });
});

describe("the linear layer in one call", () => {
  test("has the bits of the calls that it is made of, wherever its operands lie, NaN and infinities included", () => {
    fc.assert(
      fc.property(layers, fc.constantFrom(...activations), ({ sizes: [m, k, n], x, weight, bias, dtype, onHeap }, activation) =>
        allocatingIn(region, () => {
          const [a, w, b] = [put(x, [m, k], dtype, onHeap[0]!), put(weight, [k, n], dtype, onHeap[1]!), put(bias, [n], dtype, onHeap[2]!)];
          const out = put(new Array<number>(m * n).fill(7), [m, n], dtype, onHeap[3]!);
          layer.forward(a, w, b, activation, out);
          expect(elementsOf(out)).toEqual(elementsOf(forward(a, w, b, activation)));
          region.reset();
        }),
      ),
      { numRuns: 300 },
    );
  });

  test.each([
    [3, 2100, 13],
    [1100, 9, 5],
    [130, 1030, 24],
  ])("has those bits where its sums or its rows are cut into blocks: %i x %i x %i", (m, k, n) => {
    const numbers = (length: number, seed: number): readonly number[] => Array.from({ length }, (_, i) => Math.sin(seed + i * 1.7));
    for (const dtype of ["float64", "float32"] as const)
      allocatingIn(region, () => {
        const [x, w, b] = [
          put(numbers(m * k, 1), [m, k], dtype, false),
          put(numbers(k * n, 2), [k, n], dtype, false),
          put(numbers(n, 3), [n], dtype, false),
        ];
        const out = allocate([m, n], dtype);
        layer.forward(x, w, b, "identity", out);
        expect(elementsOf(out)).toEqual(elementsOf(forward(x, w, b, "identity")));
        region.reset();
      });
  });

  const wishes = fc.array(fc.constantFrom<"no" | "new" | "sum">("no", "new", "sum"), { minLength: 3, maxLength: 3 });
  test("is pulled back through with the bits of the calls that this is made of, those that are wanted, alone or added to a sum", () => {
    fc.assert(
      fc.property(layers, wishes, fc.boolean(), ({ sizes: [m, k, n], x, weight, bias, cotangent, dtype, onHeap }, wished, byValue) =>
        allocatingIn(region, () => {
          const [a, w] = [put(x, [m, k], dtype, onHeap[0]!), put(weight, [k, n], dtype, onHeap[1]!)];
          const g = put(cotangent, [m, n], dtype, onHeap[2]!);
          const y = byValue ? forward(a, w, put(bias, [n], dtype, true), "tanh") : undefined;
          const sums = ([[m, k], [k, n], [n]] as const).map((shape, i) => put(new Array<number>(shape.reduce((p, q) => p * q, 1)).fill(0.3), shape, dtype, onHeap[i]!)); // prettier-ignore
          const before = sums.map((sum, i) => (wished[i] === "sum" ? copyOf(sum) : undefined));
          const wanted = wished.map((wish, i): Wanted => (wish === "no" ? false : wish === "new" ? true : sums[i]!));
          const found = layer.pullback(g, y, a, w, wanted as unknown as readonly [Wanted, Wanted, Wanted]);
          const expected = pullback(g, y, a, w, before);
          wished.forEach((wish, i) => {
            if (wish === "no") expect(found[i]).toBeUndefined();
            else expect(elementsOf(found[i]!)).toEqual(elementsOf(expected[i]!));
            if (wish === "sum") expect(found[i]).toBe(sums[i]);
          });
          region.reset();
        }),
      ),
      { numRuns: 300 },
    );
  });

  test("is left to a backend where one multiplies, which has the same bits when it leaves every product alone", () => {
    const [x, w, b] = [put([1, 2, 3, 4], [2, 2], "float64", true), put([1, -1, 0.5, 2], [2, 2], "float64", true), put([3, 4], [2], "float64", true)];
    const alone = Array.from(elementsOf(affineProduct(x, w, b, "tanh")));
    let asked = 0;
    setMatmulBackend({ name: "counter", multiply: () => (asked++, false), explain: () => "" });
    try {
      expect(Array.from(elementsOf(affineProduct(x, w, b, "tanh")))).toEqual(alone);
    } finally {
      setMatmulBackend(null);
    }
    expect(asked).toBe(1);
  });
});
