/**
 * @file Matrix products: squares, and the shapes of the workloads, each as A B, Aᵀ B and A Bᵀ.
 *
 * 2 m k n operations; operands of variance 1/3 from a seed. Strided loops over ndarray views are what one writes without a kernel.
 */
import ndarray from "ndarray";
import { matmul, matrixProduct, scope, tensor, type Tensor } from "@dydt/tensor";
import { measure, type Contender } from "../measure.js";
import type { Jax, Tf } from "../peers.js";
import { floatArray, floats, present, type Suite } from "../suite.js";
import { lcg } from "../workloads.js";

type Values = Float32Array | Float64Array;
type Layout = "NN" | "TN" | "NT";

interface Product {
  readonly m: number;
  readonly k: number;
  readonly n: number;
  readonly layout: Layout;
  readonly a: Values;
  readonly b: Values;
}

const squares = [16, 32, 64, 128, 256, 512].map((n) => [n, n, n] as const);
const shapes = [...squares, [512, 785, 100], [512, 101, 784], [512, 64, 64], [20, 2, 50], [200, 50, 2]] as const;
const fewShapes = [[64, 64, 64], [256, 256, 256], [512, 785, 100], [20, 2, 50]] as const; // prettier-ignore
const layouts = ["NN", "TN", "NT"] as const;

const shapeOfA = ({ m, k, layout }: Product): number[] => (layout === "TN" ? [k, m] : [m, k]);
const shapeOfB = ({ k, n, layout }: Product): number[] => (layout === "NT" ? [n, k] : [k, n]);

const norm = (values: ArrayLike<number>): number => {
  let squares = 0;
  for (let i = 0; i < values.length; i++) squares += values[i]! * values[i]!;
  return Math.sqrt(squares);
};

const inDydt = (product: Product): Contender => {
  const a = tensor(product.a, { shape: shapeOfA(product) });
  const b = tensor(product.b, { shape: shapeOfB(product) });
  const { layout } = product;
  const multiply = (): Tensor => (layout === "NN" ? matmul(a, b) : matrixProduct(a, b, layout === "TN", layout === "NT"));
  return { library: "dydt", run: () => scope(() => void multiply()), result: () => norm(multiply().data) };
};

const inTf = (tf: Tf, backend: "wasm" | "cpu", product: Product): Contender | undefined => {
  if (product.a instanceof Float64Array || product.b instanceof Float64Array) return undefined;
  const a = tf.tensor(product.a, shapeOfA(product));
  const b = tf.tensor(product.b, shapeOfB(product));
  const { layout } = product;
  const multiply = () => tf.matMul(a, b, layout === "TN", layout === "NT");
  return {
    library: `tfjs-${backend}`,
    prepare: async () => void (await tf.setBackend(backend)),
    run: () => void tf.tidy(() => void multiply()),
    result: () => norm(tf.tidy(() => multiply().dataSync())),
  };
};

const inJax = ({ numpy, jit }: Jax, product: Product): Contender => {
  const { layout } = product;
  const dtype = product.a instanceof Float64Array ? "float64" : "float32";
  const a = numpy.array(product.a, { shape: shapeOfA(product), dtype });
  const b = numpy.array(product.b, { shape: shapeOfB(product), dtype });
  const multiply = jit((x: typeof a, y: typeof b) =>
    numpy.matmul(layout === "TN" ? numpy.transpose(x) : x, layout === "NT" ? numpy.transpose(y) : y),
  );
  const values = () => multiply(a.ref, b.ref).dataSync(); // it computes when it is read
  return { library: "jax-js jit", run: () => void values(), result: () => norm(values()) };
};

const inStridedLoops = (product: Product): Contender => {
  const { m, k, n, layout } = product;
  const a = layout === "TN" ? ndarray(product.a, [k, m]).transpose(1, 0) : ndarray(product.a, [m, k]);
  const b = layout === "NT" ? ndarray(product.b, [n, k]).transpose(1, 0) : ndarray(product.b, [k, n]);
  const c = product.a instanceof Float64Array ? new Float64Array(m * n) : new Float32Array(m * n);
  const run = (): void => {
    const { data: x, offset: xo, stride: xs } = a;
    const { data: y, offset: yo, stride: ys } = b;
    const [xr, xc, yr, yc] = [xs[0]!, xs[1]!, ys[0]!, ys[1]!];
    for (let i = 0; i < m; i++)
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let p = 0; p < k; p++) sum += x[xo + i * xr + p * xc]! * y[yo + p * yr + j * yc]!;
        c[i * n + j] = sum;
      }
  };
  return {
    library: "ndarray loops",
    run,
    result: () => {
      run();
      return norm(c);
    },
  };
};

/** The table of matrix products. The kernels are the same for all shapes, and so warm after the first ones. */
export const gemm: Suite = async function* ({ peers: { tf, jax }, effort: { warmUp, ...effort }, quick }) {
  for (const dtype of floats)
    for (const [m, k, n] of quick ? fewShapes : shapes)
      for (const layout of layouts) {
        const stream = lcg(7);
        const draw = (length: number): Values =>
          floatArray(
            dtype,
            Array.from({ length }, () => 2 * stream() - 1),
          );
        const product: Product = { m, k, n, layout, a: draw(m * k), b: draw(k * n) };
        const shape = `${m}×${k}×${n}`;
        const times = await measure(
          `gemm ${shape} ${layout} ${dtype}`,
          present([
            inDydt(product),
            tf && inTf(tf, "wasm", product),
            tf && inTf(tf, "cpu", product),
            jax && inJax(jax, product),
            inStridedLoops(product),
          ]),
          { ...effort, warmUp: { runs: warmUp.runs / 10, ms: warmUp.ms / 20 } },
        );
        for (const [library, ms] of times) yield { workload: "gemm", shape, layout, dtype, library, gflops: (2 * m * k * n) / ms / 1e6 };
      }
};
