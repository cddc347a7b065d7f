/** @file What the browser test runs inside the page: it is bundled with the sources and put into an empty document. */
import { GPU } from "gpu.js";
import { kernels, matrixProduct, random, setMatmulBackend, tensor, type Tensor } from "@dydt/tensor";
import { gpuMatmul } from "@dydt/tensor/gpu";
import { goldenRun } from "../golden-run.js";

const shapes = [[1, 1, 1], [3, 5, 2], [20, 2, 50], [50, 20, 2], [17, 33, 9], [64, 64, 64], [65, 129, 31]] as const; // prettier-ignore
const layouts = ["NN", "TN", "NT", "TT"] as const;

const normals = (shape: readonly number[], seed: number): Tensor => random(seed).normal(shape, { dtype: "float32" });

/** All shapes in all layouts by webgl2, with the largest difference from the kernel set over the length of the sums. */
const products = async () => {
  const choices = Object.fromEntries(shapes.flatMap((shape) => layouts.map((layout) => [`${shape.join("x")} ${layout}`, "gpu"] as const)));
  const backend = await gpuMatmul({ mode: "webgl2", choices });
  let worst = 0;
  for (const [m, k, n] of shapes) {
    for (const layout of layouts) {
      const [transposeA, transposeB] = [layout.startsWith("T"), layout.endsWith("T")];
      const a = normals([2, ...(transposeA ? [k, m] : [m, k])], k);
      const b = normals([2, ...(transposeB ? [n, k] : [k, n])], n);
      const wanted = matrixProduct(a, b, transposeA, transposeB).data;
      setMatmulBackend(backend);
      const got = matrixProduct(a, b, transposeA, transposeB).data;
      setMatmulBackend(null);
      got.forEach((x, i) => (worst = Math.max(worst, Math.abs(x - wanted[i]!) / k)));
    }
  }
  return { explained: backend.explain(), worst };
};

/** The choice between webgl2 and the kernel set as this machine makes it, and the products after it. */
const measured = async () => {
  const backend = await gpuMatmul({ mode: "webgl2", threshold: 0 });
  setMatmulBackend(backend);
  for (const size of [16, 24, 16]) matrixProduct(normals([size, size], 1), normals([size, size], 2));
  setMatmulBackend(null);
  return { explained: backend.explain(), choices: backend.choices() };
};

/** NaN and infinities through webgl2, as text. */
const specials = async () => {
  setMatmulBackend(await gpuMatmul({ mode: "webgl2", choices: { "3x2x2 NN": "gpu" } }));
  const a = tensor([[0, 1], [NaN, 1], [1, 0]], { dtype: "float32" }); // prettier-ignore
  const b = tensor([[Infinity, 1], [1, 2]], { dtype: "float32" }); // prettier-ignore
  const result = Array.from(matrixProduct(a, b).data, String);
  setMatmulBackend(null);
  return result;
};

/** What a product throws after the context is lost. */
const lostContext = async () => {
  const gpu = new GPU({ mode: "webgl2" });
  setMatmulBackend(await gpuMatmul({ gpu, choices: { "8x8x8 NN": "gpu" } }));
  const [a, b] = [normals([8, 8], 1), normals([8, 8], 2)];
  matrixProduct(a, b);
  (gpu.context as WebGL2RenderingContext).getExtension("WEBGL_lose_context")?.loseContext();
  try {
    matrixProduct(a, b);
    return "nothing";
  } catch (error) {
    return String(error);
  } finally {
    setMatmulBackend(null);
  }
};

const checks = { kernels: () => kernels.name, goldenRun, products, measured, specials, lostContext };

/** The functions that the test calls by name. */
export type Checks = typeof checks;

Object.assign(globalThis, { checks });
