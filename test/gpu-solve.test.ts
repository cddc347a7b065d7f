import { GPU } from "gpu.js";
import { afterEach, expect, test } from "vitest";
import { gradient } from "@dydt/autodiff";
import { discreteAdjoint, fixedSteps, rk4, solve } from "@dydt/ode";
import { random, setMatmulBackend, type Tensor } from "@dydt/tensor";
import { gpuMatmul, type GpuInstance } from "@dydt/tensor/gpu";

afterEach(() => setMatmulBackend(null));

const y0 = random(1).normal([6, 4], { dtype: "float32" });
const weight = random(2).normal([4, 4], { dtype: "float32" });
const loss = (w: Tensor): Tensor =>
  solve((_t, y) => y.matmul(w).tanh(), y0, { t0: 0, t1: 1, solver: rk4(), controller: fixedSteps(5), adjoint: discreteAdjoint() })
    .y1.square()
    .sum();
const choices = { "6x4x4 NN": "gpu", "6x4x4 NT": "gpu", "4x6x4 TN": "gpu" } as const;

test("a gradient through a solve is that of the kernel set, to rounding, with all its products on gpu.js", async () => {
  const wanted = gradient(loss)(weight).data;
  const backend = await gpuMatmul({ mode: "webasm", choices });
  setMatmulBackend(backend);
  const got = gradient(loss)(weight).data;
  wanted.forEach((x, i) => expect(got[i]).toBeCloseTo(x, 3));
  expect(backend.explain().match(/ gpu +[1-9]\d* products/g)).toHaveLength(3);
});

test("a solve whose GPU fails on the way ends with an error that says so", async () => {
  const sound = new GPU({ mode: "webasm" });
  let runs = 0;
  const failing: GpuInstance = {
    mode: "webasm",
    createKernel: (source, settings) => {
      const kernel = sound.createKernel(source, settings) as unknown as (a: unknown, b: unknown) => Float32Array[];
      return (a, b) => kernel(a, b).map((row) => (++runs > 60 ? row.fill(0) : row));
    },
  };
  setMatmulBackend(await gpuMatmul({ gpu: failing, choices }));
  expect(() => loss(weight)).toThrow(/6x4x4 NN in mode webasm is withdrawn: it gave 0 instead of .*setMatmulBackend\(null\)/);
});
