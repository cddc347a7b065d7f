import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import {
  averagePool, conv2d, convolve, convolveTransposed, convolveWeight, DtypeError, groupNormalize, layerNormalize, mean, meterBytes, ones, OptionError, poolMeans, scope,
  setMatmulBackend, ShapeError, tensor, variance, zeros,
  type Conv2dOptions, type Tensor,
} from "@dydt/tensor"; // prettier-ignore
import { expectClose } from "../../../scripts/expect-close.js";
import { windowOf } from "../src/window.js";
import { expectExactly, indicesOf, normals, seeds } from "./reference.js";

interface Settings {
  readonly stride: readonly [number, number];
  readonly dilation: readonly [number, number];
  readonly padding: "valid" | "same" | readonly [number, number];
}

/** Zeros in front of an axis, and the number of places along it. */
const along = (length: number, k: number, i: 0 | 1, { stride, dilation, padding }: Settings): readonly [before: number, places: number] => {
  const reach = (k - 1) * dilation[i] + 1;
  if (padding === "same") {
    const places = Math.ceil(length / stride[i]);
    return [Math.floor(Math.max((places - 1) * stride[i] + reach - length, 0) / 2), places];
  }
  const before = padding === "valid" ? 0 : padding[i];
  return [before, Math.floor((length + 2 * before - reach) / stride[i]) + 1];
};

/** The definition, element by element. */
const naive = (
  x: Tensor,
  weight: Tensor,
  groups: number,
  settings: Settings,
): { readonly shape: readonly number[]; readonly data: readonly number[] } => {
  const [batch, , height, width] = x.shape as readonly [number, number, number, number];
  const [out, share, kh, kw] = weight.shape as readonly [number, number, number, number];
  const [top, rows] = along(height, kh, 0, settings);
  const [left, columns] = along(width, kw, 1, settings);
  const shape = [batch, out, rows, columns];
  const data = indicesOf(shape).map(([b, o, r, c]) => {
    const group = Math.floor(o! / (out / groups));
    return indicesOf([share, kh, kw]).reduce((total, [s, i, j]) => {
      const y = r! * settings.stride[0] + i! * settings.dilation[0] - top;
      const z = c! * settings.stride[1] + j! * settings.dilation[1] - left;
      if (y < 0 || z < 0 || y >= height || z >= width) return total;
      const pixel = x.data[((b! * x.shape[1]! + group * share + s!) * height + y) * width + z]!;
      return total + pixel * weight.data[((o! * share + s!) * kh + i!) * kw + j!]!;
    }, 0);
  });
  return { shape, data };
};

const small = fc.integer({ min: 1, max: 3 });
const settings: fc.Arbitrary<Settings> = fc.record({
  stride: fc.tuple(small, small),
  dilation: fc.tuple(small, small),
  padding: fc.oneof(fc.constantFrom("valid" as const, "same" as const), fc.tuple(fc.integer({ min: 0, max: 2 }), fc.integer({ min: 0, max: 2 }))),
});
const length = fc.integer({ min: 1, max: 7 });

describe("conv2d", () => {
  test("is the definition, for any stride, padding, dilation and groups, on the heap and in a region", () => {
    const shapes = fc.record({
      batch: fc.nat(2),
      groups: fc.integer({ min: 1, max: 2 }),
      share: small,
      filters: small,
      h: length,
      w: length,
      kh: small,
      kw: small,
    });
    fc.assert(
      fc.property(shapes, settings, seeds, ({ batch, groups, share, filters, h, w, kh, kw }, options, seed) => {
        const x = normals([batch, groups * share, h, w], seed);
        const weight = normals([groups * filters, share, kh, kw], seed + 1);
        if (along(h, kh, 0, options)[1] < 1 || along(w, kw, 1, options)[1] < 1) {
          expect(() => conv2d(x, weight, { ...options, groups })).toThrow(ShapeError);
          return;
        }
        const wanted = naive(x, weight, groups, options);
        const got = conv2d(x, weight, { ...options, groups });
        expect(got.shape).toEqual(wanted.shape);
        expectClose(tensor(Float64Array.from(got.data)), wanted.data, { rtol: 1e-12, atol: 1e-12 });
        expectExactly(scope(() => conv2d(x.mul(1), weight.mul(1), { ...options, groups })), wanted.shape, got.data);
      }),
      { numRuns: 150 },
    ); // prettier-ignore
  });

  test("has the same bits for an image alone and in any batch", () => {
    const [x, w] = [normals([3, 2, 5, 4], 1, "float32"), normals([2, 2, 3, 3], 2, "float32")];
    const all = conv2d(x, w, { padding: 1 });
    for (let i = 0; i < 3; i++) expectExactly(conv2d(x.slice([[i, i + 1]]), w, { padding: 1 }).at(0), [2, 5, 4], all.at(i).data);
    expect(all.dtype).toBe("float32");
  });

  afterEach(() => setMatmulBackend(null));
  test("asks the matmul backend for its products, but not for those that are summed over images", () => {
    let asked = 0;
    setMatmulBackend({ name: "counter", multiply: () => (asked++, false), explain: () => "" });
    const [x, w] = [ones([2, 1, 3, 3]), ones([1, 1, 2, 2])];
    const g = conv2d(x, w);
    expect(asked).toBe(2);
    const window = { ...windowOf("conv2d", [3, 3], 2, { stride: 1, padding: "valid", dilation: 1 }), groups: 1 };
    convolveTransposed(g, w, window);
    expect(asked).toBe(4);
    convolveWeight(x, g, w.shape, window);
    expect(asked).toBe(4);
  });

  test("makes no columns where the window is one element that stands everywhere", () => {
    const [x, w] = [normals([2, 8, 16, 16], 1), normals([4, 8, 1, 1], 2)];
    const window = { ...windowOf("conv2d", [16, 16], 1, { stride: 1, padding: "valid", dilation: 1 }), groups: 1 };
    const g = normals([2, 4, 16, 16], 3);
    for (const [run, elements] of [
      [() => convolve(x, w, window), 2 * 4 * 256],
      [() => convolveTransposed(g, w, window), 2 * 8 * 256],
      [() => convolveWeight(x, g, w.shape, window), 4 * 8],
    ] as const) {
      const bytes = meterBytes();
      scope(() => void run());
      expect(bytes()).toBe(8 * elements);
    } // prettier-ignore
  });

  test("refuses what does not fit", () => {
    const [x, w] = [zeros([1, 4, 5, 5]), zeros([2, 4, 3, 3])];
    expect(() => conv2d(x, zeros([2, 3, 3, 3]))).toThrow("conv2d got images [1, 4, 5, 5] and filters [2, 3, 3, 3] in 1 groups");
    expect(() => conv2d(x.at(0), w)).toThrow(ShapeError);
    expect(() => conv2d(x, zeros([3, 2, 3, 3]), { groups: 2 })).toThrow(ShapeError);
    expect(() => conv2d(x, zeros([2, 4, 6, 3]))).toThrow("conv2d has a window of 6 × 3 on images of [5, 5], padding included smaller than that");
    expect(() => conv2d(x, w.cast("float32"))).toThrow(DtypeError);
    expect(() => conv2d(x.cast("int32"), w.cast("int32"))).toThrow(DtypeError);
    for (const wrong of [{ stride: 0 }, { dilation: 1.5 }, { padding: -1 }, { padding: "full" }, { groups: 0 }, { strides: 2 }, { stride: [1] }])
      expect(() => conv2d(x, w, wrong as Conv2dOptions), JSON.stringify(wrong)).toThrow(OptionError);
  });
});

describe("averagePool", () => {
  test("is the convolution of each channel with equal weights", () => {
    fc.assert(
      fc.property(fc.nat(2), small, length, length, small, small, settings, seeds, (batch, channels, h, w, kh, kw, { stride, padding }, seed) => {
        const x = normals([batch, channels, h, w], seed);
        const plain: Settings = { stride, padding, dilation: [1, 1] };
        if (along(h, kh, 0, plain)[1] < 1 || along(w, kw, 1, plain)[1] < 1) return;
        const weight = ones([channels, 1, kh, kw]).div(kh * kw);
        expectClose(averagePool(x, [kh, kw], { stride, padding }), conv2d(x, weight, { stride, padding, groups: channels }), { rtol: 1e-12, atol: 1e-12 });
      }),
      { numRuns: 80 },
    ); // prettier-ignore
  });

  test("poolMeans keeps the distance of the window's elements", () => {
    const x = normals([2, 3, 7, 6], 1);
    const options = { stride: [2, 1], padding: [1, 2], dilation: [2, 3] } as const;
    const means = poolMeans(x, windowOf("poolMeans", [7, 6], [3, 2], options));
    expectClose(means, conv2d(x, ones([3, 1, 3, 2]).div(6), { ...options, groups: 3 }), { rtol: 1e-12, atol: 1e-12 });
  });

  test("moves by its size unless told, and drops what is left over", () => {
    const x = tensor([[1, 2, 3, 4, 5], [5, 6, 7, 8, 9]]); // prettier-ignore
    expectExactly(averagePool(x, 2), [1, 2], [3.5, 5.5]);
    expect(() => averagePool(x, 3)).toThrow(ShapeError);
    expect(() => averagePool(tensor([1, 2]), 1)).toThrow(ShapeError);
    expect(() => averagePool(x.cast("int32"), 2)).toThrow(DtypeError);
    expect(() => averagePool(x, 0)).toThrow(OptionError);
  });
});

describe("normalisation", () => {
  test("gives each layer mean 0 and variance 1, then scales and shifts", () => {
    const x = normals([3, 4, 5], 1).mul(7).add(2);
    const y = layerNormalize(x, { axis: [1, 2], epsilon: 0 });
    expectClose(mean(y, { axis: [1, 2] }), [0, 0, 0], { atol: 1e-14 });
    expectClose(variance(y, { axis: [1, 2] }), [1, 1, 1], { rtol: 1e-13 });
    const [scale, shift] = [normals([5], 2), normals([5], 3)];
    expectClose(layerNormalize(x, { scale, shift }), layerNormalize(x).mul(scale).add(shift));
    expectClose(layerNormalize(tensor([1, 3]), { epsilon: 3 }), [-0.5, 0.5]);
  });

  test("gives each group of channels of each image mean 0 and variance 1", () => {
    const x = normals([2, 6, 3, 2], 4).mul(3).add(1);
    const y = groupNormalize(x, 3, { epsilon: 0 }).reshape([2, 3, 12]);
    expectClose(mean(y, { axis: -1 }), zeros([2, 3]), { atol: 1e-14 });
    expectClose(variance(y, { axis: -1 }), ones([2, 3]), { rtol: 1e-13 });
    const [scale, shift] = [normals([6], 5), normals([6], 6)];
    const wanted = groupNormalize(x, 3).mul(scale.reshape([6, 1, 1])).add(shift.reshape([6, 1, 1])); // prettier-ignore
    expectClose(groupNormalize(x, 3, { scale, shift }), wanted);
    expect(() => groupNormalize(x, 4)).toThrow(ShapeError);
    expect(() => groupNormalize(x, 3, { weight: scale } as object)).toThrow(OptionError);
  });
});
