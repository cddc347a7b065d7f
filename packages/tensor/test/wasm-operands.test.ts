import { describe, expect, test } from "vitest";
import { jsKernels } from "../src/backend/js.js";
import type { Kernels } from "../src/backend/kernels.js";
import type { TypedArray } from "../src/dtype.js";
import { allocatingIn, createRegion, type Region } from "../src/region.js";
import { alias, allocate, arrayOf, elementsOf, wrap } from "../src/tensor.js";
import { expectBits, inRegion, product, put, wasm, region } from "./kernel-sets.js";

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
