import fc from "fast-check";
import { GPU } from "gpu.js";
import { afterEach, describe, expect, test, vi } from "vitest";
import { cast, DydtError, matrixProduct, OptionError, random, setMatmulBackend, tensor, zeros, type MatmulBackend, type Tensor } from "@dydt/tensor";
import { gpuMatmul, GpuWithdrawnError, type GpuChoices, type GpuMatmulOptions } from "@dydt/tensor/gpu";
import { fakeGpu } from "./gpu-fake.js";

afterEach(() => setMatmulBackend(null));

const normals = (shape: readonly number[], seed: number): Tensor => random(seed).normal(shape, { dtype: "float32" });
const square = (size: number, seed = 1): readonly [Tensor, Tensor] => [normals([size, size], seed), normals([size, size], seed + 1)];

/** The product with a backend, and without. */
const both = (backend: MatmulBackend, a: Tensor, b: Tensor, transposeA = false, transposeB = false): readonly [Tensor, Tensor] => {
  setMatmulBackend(backend);
  const got = matrixProduct(a, b, transposeA, transposeB);
  setMatmulBackend(null);
  return [got, matrixProduct(a, b, transposeA, transposeB)];
};

/** Elements agree to float32 rounding; NaN and infinities are the same. */
const expectSameProduct = ([got, wanted]: readonly [Tensor, Tensor]): void => {
  expect(got.shape).toEqual(wanted.shape);
  const [x, y] = [Array.from(got.data), Array.from(wanted.data)];
  y.forEach((value, i) => expect(x[i]).toEqual(Number.isFinite(value) ? expect.closeTo(value, 4) : value));
};

const always = (key: string): GpuChoices => ({ [key]: "gpu" });
const usesOf = (backend: MatmulBackend): number => Number(/ (\d+) products {2}/.exec(backend.explain())?.[1] ?? 0);
const length = fc.integer({ min: 1, max: 12 });

describe.each(["webasm", "cpu"] as const)("gpu.js in mode %s", (mode) => {
  test("multiplies random shapes, transposes and batches as the kernel set does, to rounding", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom([], [1], [3]), length, length, length, fc.boolean(), fc.boolean(), fc.integer(),
        async (batch, m, k, n, transposeA, transposeB, seed) => {
          const a = normals([...batch, ...(transposeA ? [k, m] : [m, k])], seed);
          const b = normals([...batch, ...(transposeB ? [n, k] : [k, n])], seed + 1);
          const backend = await gpuMatmul({ gpu: GPU, mode, choices: always(`${m}x${k}x${n} ${transposeA ? "T" : "N"}${transposeB ? "T" : "N"}`) });
          expectSameProduct(both(backend, a, b, transposeA, transposeB));
          expect(usesOf(backend)).toBe(batch[0] ?? 1);
        },
      ),
      { numRuns: 40 },
    ); // prettier-ignore
  });

  test("lets NaN and infinities through, zeros included", async () => {
    const backend = await gpuMatmul({ gpu: GPU, mode, choices: always("3x2x2 NN") });
    const a = tensor([[0, 1], [NaN, 1], [1, -Infinity]], { dtype: "float32" }); // prettier-ignore
    const b = tensor([[NaN, Infinity], [1, 2]], { dtype: "float32" }); // prettier-ignore
    const [got] = both(backend, a, b);
    expect(got.toArray()).toEqual([[NaN, NaN], [NaN, NaN], [NaN, NaN]]); // prettier-ignore
    const [clean] = both(backend, tensor([[1, 2], [3, 4], [-1, 0]], { dtype: "float32" }), tensor([[Infinity, 1], [1, NaN]], { dtype: "float32" })); // prettier-ignore
    expect(clean.toArray()).toEqual([[Infinity, NaN], [Infinity, NaN], [-Infinity, NaN]]); // prettier-ignore
    expect(usesOf(backend)).toBe(2);
  });

  test("gives results that the next product does not overwrite", async () => {
    const backend = await gpuMatmul({ gpu: GPU, mode, choices: always("4x4x4 NN") });
    setMatmulBackend(backend);
    const [a, b] = square(4);
    const first = matrixProduct(a, b);
    const before = Array.from(first.data);
    const second = matrixProduct(b, a);
    expect(Array.from(first.data)).toEqual(before);
    expect(Array.from(second.data)).not.toEqual(before);
  });
});

describe("a GPU backend", () => {
  /** A clock by which a product costs `gpu` on the GPU and `kernels` on the kernel set. */
  const clockFor = (behaviour: { readonly runs: number }, kernels: number, gpu: number) => {
    const state = { now: 0, runs: 0 };
    return () => {
      state.now += behaviour.runs > state.runs ? gpu : kernels;
      state.runs = behaviour.runs;
      return state.now;
    };
  };

  test.each([
    [1.5, "gpu"],
    [1.49, "kernels"],
  ] as const)("that measures %f times faster chooses %s, once", async (ratio, choice) => {
    const { GPU, behaviour } = fakeGpu();
    const backend = await gpuMatmul({ gpu: GPU, threshold: 0, clock: clockFor(behaviour, 10 * ratio, 10) });
    const [a, b] = square(5);
    expectSameProduct(both(backend, a, b));
    expect(backend.choices()).toEqual({ "5x5x5 NN": choice });
    const { runs } = behaviour;
    expectSameProduct(both(backend, a, b));
    expectSameProduct(both(backend, b, a));
    expect(behaviour).toMatchObject({ made: 1, runs: runs + (choice === "gpu" ? 2 : 0), destroyed: choice === "gpu" ? 0 : 1 });
    expect(backend.explain()).toMatch(choice === "gpu" ? /5x5x5 NN +gpu +3 products/ : /5x5x5 NN +kernels +0 products/);
    expect(backend.explain()).toMatch(/measured \S+ ms on gpu.js, \S+ ms on the kernel set/);
  });

  test("takes a clock that stands still for no gain", async () => {
    const backend = await gpuMatmul({ gpu: fakeGpu().GPU, threshold: 0, clock: () => 7 });
    expectSameProduct(both(backend, ...square(4)));
    expect(backend.choices()).toEqual({ "4x4x4 NN": "kernels" });
  });

  test("takes choices of another run and measures nothing of them", async () => {
    const { GPU, behaviour } = fakeGpu();
    const given = { "2x3x4 NN": "gpu", "3x3x3 NN": "kernels" } as const;
    const refuse = () => expect.unreachable("the clock was read");
    const backend = await gpuMatmul({ gpu: GPU, choices: given, threshold: 0, clock: refuse });
    expectSameProduct(both(backend, normals([2, 3], 1), normals([3, 4], 2)));
    expectSameProduct(both(backend, ...square(3)));
    expect([behaviour.made, usesOf(backend)]).toEqual([1, 1]);
    expect(backend.choices()).toEqual(given);
  });

  test("leaves float64, empty and small products alone, without a kernel", async () => {
    const { GPU, behaviour } = fakeGpu();
    const backend = await gpuMatmul({ gpu: GPU, threshold: 65 });
    const [a, b] = square(4);
    expectSameProduct(both(backend, a, b));
    const eager = await gpuMatmul({ gpu: GPU, threshold: 0 });
    expectSameProduct(both(eager, cast(a, "float64"), cast(b, "float64")));
    expectSameProduct(both(eager, zeros([2, 0], { dtype: "float32" }), zeros([0, 3], { dtype: "float32" })));
    expect(behaviour.made).toBe(0);
    expect(backend.explain()).toContain("no such product yet");
  });

  test.each<[string, (behaviour: ReturnType<typeof fakeGpu>["behaviour"]) => void, string]>([
    ["wrong numbers", (one) => (one.spoil = (rows) => rows.map((row) => row.map((x) => x * 1.001))), "it gave "],
    ["zeros for NaN", (one) => (one.spoil = (rows) => rows.map((row) => row.map((x) => (Number.isNaN(x) ? 0 : x)))), "it mishandles NaN"],
    ["too few rows", (one) => (one.spoil = (rows) => rows.slice(1)), "returned no 4 rows of 4 numbers"],
    ["a lost context", (one) => (one.lost = true), "the WebGL context was lost"],
    ["a fall back of gpu.js", (one) => (one.fallsBack = true), "wanted to fall back"],
  ])("with %s from the start is not chosen, and says why; ordered to use it, it throws", async (_, spoil, why) => {
    const { GPU, behaviour } = fakeGpu();
    spoil(behaviour);
    const backend = await gpuMatmul({ gpu: GPU, threshold: 0 });
    expectSameProduct(both(backend, ...square(4)));
    expect(backend.choices()).toEqual({ "4x4x4 NN": "kernels" });
    expect(backend.explain()).toContain(why);
    const ordered = await gpuMatmul({ gpu: GPU, choices: always("4x4x4 NN") });
    expect(() => both(ordered, ...square(4))).toThrow(GpuWithdrawnError);
  });

  test.each<[string, (behaviour: ReturnType<typeof fakeGpu>["behaviour"]) => void, string]>([
    ["gives wrong numbers", (one) => (one.spoil = (rows) => rows.map((row) => row.map(() => 0))), "it gave 0 instead of"],
    ["gives numbers a little off", (one) => (one.spoil = (rows) => rows.map((row) => row.map((x) => x * 1.0001))), "it gave"],
    ["loses its context", (one) => (one.lost = true), "the WebGL context was lost"],
    ["throws", (one) => (one.spoil = () => { throw new Error("device removed"); }), "device removed"],
  ])("that %s after it was chosen is withdrawn: every further product of that shape throws and none falls back", async (_, spoil, why) => {
    const { GPU, behaviour } = fakeGpu();
    const backend = await gpuMatmul({ gpu: GPU, choices: { "4x4x4 NN": "gpu", "5x5x5 NN": "gpu" } });
    expectSameProduct(both(backend, ...square(4)));
    const sound = behaviour.spoil;
    spoil(behaviour);
    expect(() => both(backend, ...square(4))).toThrow(`kernel for products 4x4x4 NN in mode webgl2 is withdrawn: ${why}`);
    Object.assign(behaviour, { spoil: sound, lost: false });
    expect(() => both(backend, ...square(4))).toThrow(GpuWithdrawnError);
    expect(backend.explain()).toMatch(/4x4x4 NN +withdrawn/);
    expect(backend.choices()).toEqual({ "4x4x4 NN": "kernels", "5x5x5 NN": "gpu" });
    expectSameProduct(both(backend, ...square(5)));
    expect(new GpuWithdrawnError()).toBeInstanceOf(DydtError);
  }); // prettier-ignore

  test("finds a single wrong element within as many products as there are elements", async () => {
    const { GPU, behaviour } = fakeGpu();
    setMatmulBackend(await gpuMatmul({ gpu: GPU, choices: always("4x4x4 NN") }));
    const [a, b] = square(4);
    matrixProduct(a, b);
    behaviour.spoil = (rows) => (rows[2]!.fill(7, 3), rows);
    expect(() => { for (let i = 0; i < 16; i++) matrixProduct(a, b); }).toThrow("instead of"); // prettier-ignore
  });
});

describe("gpuMatmul", () => {
  test("chooses the first synchronous mode that works, and takes an object of the class", async () => {
    expect((await gpuMatmul()).mode).toBe("webasm");
    expect((await gpuMatmul({ gpu: fakeGpu(["webgl2", "webasm"]).GPU })).mode).toBe("webgl2");
    expect((await gpuMatmul({ gpu: fakeGpu(["headlessgl", "webasm"]).GPU })).mode).toBe("headlessgl");
    expect((await gpuMatmul({ gpu: fakeGpu(["cpu"]).GPU })).name).toBe("gpu.js cpu");
    expect((await gpuMatmul({ gpu: new GPU({ mode: "cpu" }) })).mode).toBe("cpu");
  });

  test.each<[object, string]>([
    [{ mode: "webgpu" }, "answers with promises"],
    [{ mode: "webgl" }, "it takes webgl2, headlessgl, webasm, cpu"],
    [{ mode: "webgl2" }, `gpu.js has no mode "webgl2" here: leave mode out for the best there is (webasm)`],
    [{ gpu: { mode: "async", createKernel: () => () => 0 } }, "answers with promises"],
    [{ gpu: new GPU({ mode: "cpu" }), mode: "webasm" }, "give one of them"],
    [{ treshold: 3 }, "unknown option treshold"],
    [{ threshold: NaN }, "threshold of at least 0"],
    [{ choices: { "2x2x2": "gpu" } }, `the choice "2x2x2"`],
    [{ choices: { "2x2x2 NN": "cpu" } }, "choices look like"],
  ])("refuses %o", async (options, message) => {
    await expect(gpuMatmul(options as GpuMatmulOptions)).rejects.toThrow(message);
    await expect(gpuMatmul(options as GpuMatmulOptions)).rejects.toBeInstanceOf(OptionError);
  });

  test("says how to add gpu.js where it is not installed, with the cause", async () => {
    vi.doMock("gpu.js", () => { throw new Error("Cannot find package 'gpu.js'"); }); // prettier-ignore
    try {
      const error: unknown = await gpuMatmul().catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(OptionError);
      expect(error).toMatchObject({ message: expect.stringContaining("`npm install gpu.js@~2.24.1`") as string, cause: expect.any(Error) as Error });
    } finally {
      vi.doUnmock("gpu.js");
    }
  });

  test("is a promise, which setMatmulBackend refuses", () => {
    expect(() => setMatmulBackend(gpuMatmul({ gpu: fakeGpu().GPU }) as unknown as MatmulBackend)).toThrow("await gpuMatmul()");
  });
});
