import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { keyFromSeed, normals, permutation, philox, splitKey, uniforms, type Block, type Key } from "../src/counter-random.js";
import { OptionError } from "../src/errors.js";
import { erf } from "../src/backend/transcendental.js";

const word = fc.integer({ min: 0, max: 0xffffffff });
const seed = fc.maxSafeInteger();
const float64 = (fill: typeof normals, key: Key, position: number, n: number): Float64Array => {
  const out = new Float64Array(n);
  fill(key, position, out);
  return out;
};
/** Kolmogorov and Smirnov's distance between a sample and a distribution function, times √n; above 1.95 in one of a thousand samples. */
const kolmogorovSmirnov = (sample: ArrayLike<number>, distribution: (x: number) => number): number => {
  const sorted = Array.from(sample).sort((a, b) => a - b);
  const n = sorted.length;
  return Math.sqrt(n) * Math.max(...sorted.map((x, i) => Math.max(distribution(x) - i / n, (i + 1) / n - distribution(x))));
};
const moments = (sample: ArrayLike<number>): { mean: number; variance: number } => {
  const values = Array.from(sample);
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return { mean, variance: values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length };
};
const normalDistribution = (x: number): number => 0.5 * (1 + erf(x / Math.SQRT2));

describe("Philox 4x32-10", () => {
  test.each<[Key, Block, Block]>([
    [
      [0, 0],
      [0, 0, 0, 0],
      [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
    ],
    [
      [0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
    ],
    [
      [0xa4093822, 0x299f31d0],
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ])("gives the known answer of Random123 for key %j", (key, counter, answer) => {
    expect(philox(key, counter)).toEqual(answer);
  });

  test("agrees with the definition in exact integers", () => {
    const reference = (key: Key, counter: Block): number[] => {
      let [k0, k1] = key.map(BigInt) as [bigint, bigint];
      let [x0, x1, x2, x3] = counter.map(BigInt) as [bigint, bigint, bigint, bigint];
      for (let round = 0; round < 10; round++) {
        const p0 = 0xd2511f53n * x0;
        const p1 = 0xcd9e8d57n * x2;
        [x0, x1, x2, x3] = [(p1 >> 32n) ^ x1 ^ k0, p1 & 0xffffffffn, (p0 >> 32n) ^ x3 ^ k1, p0 & 0xffffffffn];
        k0 = (k0 + 0x9e3779b9n) & 0xffffffffn;
        k1 = (k1 + 0xbb67ae85n) & 0xffffffffn;
      }
      return [x0, x1, x2, x3].map(Number);
    };
    fc.assert(
      fc.property(fc.tuple(word, word), fc.tuple(word, word, word, word), (key, counter) => {
        expect(philox(key, counter)).toEqual(reference(key, counter));
      }),
    );
  });
});

describe("seeds", () => {
  test("that differ have different keys", () => {
    fc.assert(fc.property(seed, seed, (a, b) => a === b || String(keyFromSeed(a)) !== String(keyFromSeed(b))));
    expect(keyFromSeed(-1)).toEqual([0xffffffff, 0xffffffff]);
    expect(keyFromSeed(2 ** 32 + 5)).toEqual([5, 1]);
    expect(keyFromSeed(-0)).toEqual(keyFromSeed(0));
  });

  test.each([0.5, NaN, Infinity, 2 ** 53, "1" as unknown as number])("that are no safe integers are refused: %s", (bad) => {
    expect(() => keyFromSeed(bad)).toThrow(OptionError);
  });

  test("split into keys that all differ, at every position", () => {
    const keys = [0, 1, 2 ** 32].flatMap((position) => splitKey(keyFromSeed(3), position, 100));
    expect(new Set(keys.map(String)).size).toBe(300);
    expect(splitKey(keyFromSeed(3), 1, 4)).toEqual(splitKey(keyFromSeed(3), 1, 9).slice(0, 4));
    const [a, b] = splitKey(keyFromSeed(3), 0, 2).map((key) => float64(normals, key, 0, 20000)) as [Float64Array, Float64Array];
    const correlation = a.reduce((total, x, i) => total + x * b[i]!, 0) / Math.sqrt(20000);
    expect(Math.abs(correlation)).toBeLessThan(3);
  });
});

describe.each([
  ["uniforms", uniforms, 1 / 2, 1 / 12, (x: number) => x],
  ["normals", normals, 0, 1, normalDistribution],
] as const)("%s", (_name, fill, mean, variance, distribution) => {
  test.each([Float64Array, Float32Array])("have the right mean, variance and distribution in a %o", (array) => {
    const out = new array(40000);
    fill(keyFromSeed(11), 0, out);
    const found = moments(out);
    expect(Math.abs(found.mean - mean)).toBeLessThan(3 * Math.sqrt(variance / 40000));
    expect(Math.abs(found.variance / variance - 1)).toBeLessThan(3 * Math.sqrt(2 / 40000));
    expect(kolmogorovSmirnov(out, distribution)).toBeLessThan(1.95);
    expect(
      kolmogorovSmirnov(
        out.filter((_, i) => i % 2 === 0),
        distribution,
      ),
    ).toBeLessThan(1.95);
  });

  test("of neighbours do not correlate", () => {
    const x = float64(fill, keyFromSeed(12), 0, 40001);
    const correlation = moments(Float64Array.from({ length: 40000 }, (_, i) => (x[i]! - mean) * (x[i + 1]! - mean))).mean / variance;
    expect(Math.abs(correlation)).toBeLessThan(3 / Math.sqrt(40000));
  });

  test("are a function of key and position: a stream may be cut at any block", () => {
    fc.assert(
      fc.property(seed, fc.nat(1e9), fc.nat(20), fc.nat(20), (s, position, m, n) => {
        for (const [array, perBlock] of [
          [Float64Array, 2],
          [Float32Array, 4],
        ] as const) {
          const whole = new array(perBlock * m + n);
          const end = fill(keyFromSeed(s), position, whole);
          const first = new array(perBlock * m);
          const second = new array(n);
          const middle = fill(keyFromSeed(s), position, first);
          expect(middle).toBe(position + m);
          expect(fill(keyFromSeed(s), middle, second)).toBe(end);
          expect([...first, ...second]).toEqual([...whole]);
        }
      }),
    );
  });
});

describe("the range of random numbers", () => {
  test("uniform numbers are in [0, 1) and multiples of 2^-53, or 2^-24 in float32", () => {
    const wide = float64(uniforms, keyFromSeed(5), 2 ** 40, 20000);
    const narrow = new Float32Array(20000);
    uniforms(keyFromSeed(5), 2 ** 40, narrow);
    expect(wide.every((x) => x >= 0 && x < 1 && Number.isInteger(x * 2 ** 53))).toBe(true);
    expect(narrow.every((x) => x >= 0 && x < 1 && Number.isInteger(x * 2 ** 24))).toBe(true);
    expect(wide.some((x) => !Number.isInteger(x * 2 ** 52))).toBe(true);
  });

  test("positions beyond 2^32 do not repeat the first ones", () => {
    expect(float64(uniforms, keyFromSeed(5), 2 ** 32, 4)).not.toEqual(float64(uniforms, keyFromSeed(5), 0, 4));
  });
});

describe("a permutation", () => {
  test("holds every number once and says where it ended", () => {
    fc.assert(
      fc.property(seed, fc.nat(1e6), fc.nat(300), (s, position, n) => {
        const { order, next } = permutation(keyFromSeed(s), position, n);
        expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, i) => i));
        expect(next - position).toBeGreaterThanOrEqual(Math.ceil(Math.max(0, n - 1) / 4));
      }),
    );
  });

  test("of three has its six orders equally often", () => {
    const counts = new Map<string, number>();
    for (let i = 0; i < 12000; i++) {
      const order = String(permutation(keyFromSeed(8), i, 3).order);
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    const chiSquare = [...counts.values()].reduce((total, count) => total + (count - 2000) ** 2 / 2000, 0);
    expect(counts.size).toBe(6);
    // 20.5 is exceeded in one of a thousand samples.
    expect(chiSquare).toBeLessThan(20.5);
  });
});

test("the same seed gives the same bits on every machine", () => {
  const key = keyFromSeed(42);
  expect([...float64(uniforms, key, 0, 4)]).toEqual([0.6129598801477738, 0.07323173687503892, 0.9877186516453577, 0.513906146990624]);
  expect([...float64(normals, key, 0, 4)]).toEqual([1.2345418209781556, 0.6118499302684758, -2.9550533674680803, -0.25885655924451106]);
  const single = new Float32Array(4);
  normals(key, 0, single);
  expect([...single]).toEqual([-0.9701898097991943, 0.19401895999908447, -1.2356207370758057, 1.9239267110824585]);
  expect([...permutation(key, 0, 10).order]).toEqual([4, 8, 1, 6, 0, 9, 2, 5, 7, 3]);
  expect(splitKey(key, 0, 2)).toEqual([
    [541301508, 2550652962],
    [1296372391, 3275714926],
  ]);
});
