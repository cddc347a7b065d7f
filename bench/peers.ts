/**
 * @file The other libraries, loaded where they are installed, with the few types that are used here: nothing else of this repository knows them.
 */
import { createRequire } from "node:module";

/** A tensor of TensorFlow.js. */
export interface TfTensor {
  readonly dataSync: () => Float32Array;
}

/** What is used of @tensorflow/tfjs-core. */
export interface Tf {
  readonly setBackend: (name: string) => Promise<boolean>;
  readonly ready: () => Promise<void>;
  readonly enableProdMode: () => void;
  readonly tensor: (values: Float32Array, shape: readonly number[]) => TfTensor;
  readonly matMul: (a: TfTensor, b: TfTensor, transposeA?: boolean, transposeB?: boolean) => TfTensor;
  readonly add: (a: TfTensor, b: TfTensor) => TfTensor;
  readonly tanh: (x: TfTensor) => TfTensor;
  readonly grads: (f: (...x: TfTensor[]) => TfTensor) => (x: readonly TfTensor[], cotangent: TfTensor) => readonly TfTensor[];
  readonly tidy: <T>(body: () => T) => T;
}

/** An array of jax-js; an operation takes it away from its owner, unless it is given as `ref`. */
export interface JaxArray {
  readonly ref: JaxArray;
  readonly add: (other: JaxArray) => JaxArray;
  readonly dataSync: () => Float32Array | Float64Array;
  readonly dispose: () => void;
}

/** What is used of @jax-js/jax. */
export interface Jax {
  readonly init: (...devices: readonly string[]) => Promise<readonly string[]>;
  readonly defaultDevice: (device: string) => string;
  readonly jit: <A extends readonly JaxArray[], R>(f: (...x: A) => R) => (...x: A) => R;
  readonly vjp: (
    f: (...x: JaxArray[]) => JaxArray,
    x: readonly JaxArray[],
  ) => readonly [value: JaxArray, pullback: (g: JaxArray) => readonly JaxArray[]];
  readonly numpy: {
    readonly array: (values: Float32Array | Float64Array, options: { readonly shape: readonly number[]; readonly dtype: string }) => JaxArray;
    readonly matmul: (a: JaxArray, b: JaxArray) => JaxArray;
    readonly transpose: (x: JaxArray) => JaxArray;
    readonly tanh: (x: JaxArray) => JaxArray;
  };
}

/** What is used of odex. */
export interface Odex {
  readonly Solver: new (dimension: number) => {
    relativeTolerance: number;
    absoluteTolerance: number;
    maxSteps: number;
    readonly solve: (
      f: (t: number, y: readonly number[]) => number[],
      t0: number,
      y0: readonly number[],
      t1: number,
    ) => { readonly y: readonly number[]; readonly nEval: number; readonly nAccept: number };
  };
}

/** What is used of mathjs. */
export interface MathJs {
  readonly solveODE: (
    f: (t: number, y: readonly number[]) => number[],
    span: readonly [number, number],
    y0: readonly number[],
    options: { readonly method: string; readonly tol: number; readonly firstStep: number; readonly maxIter: number },
  ) => { readonly t: readonly number[]; readonly y: readonly (readonly number[])[] };
}

/** The peers that are installed. */
export interface Peers {
  readonly tf: Tf | undefined;
  readonly jax: Jax | undefined;
  readonly odex: Odex | undefined;
  readonly mathjs: MathJs | undefined;
}

const load = createRequire(import.meta.url);

/** The module of this name, or undefined where it is not installed. */
const optional = <T>(name: string): T | undefined => {
  try {
    load.resolve(name);
  } catch {
    return undefined;
  }
  return load(name) as T;
};

const loadTf = async (): Promise<Tf | undefined> => {
  const tf = optional<Tf>("@tensorflow/tfjs-core");
  if (tf === undefined) return undefined;
  for (const backend of ["wasm", "cpu"]) optional(`@tensorflow/tfjs-backend-${backend}`);
  load("@tensorflow/tfjs-core/dist/register_all_gradients.js"); // the core alone knows no derivatives
  tf.enableProdMode();
  for (const backend of ["cpu", "wasm"]) await tf.setBackend(backend);
  await tf.ready();
  return tf;
};

const loadJax = async (): Promise<Jax | undefined> => {
  // It reads two names of browsers at the start, of which older versions of Node lack one or both. No number of that type is made here.
  for (const [name, value] of Object.entries({ navigator: {}, Float16Array: class extends Uint16Array {} }))
    if (!(name in globalThis)) Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  const jax = optional<Jax>("@jax-js/jax");
  if (jax === undefined) return undefined;
  await jax.init("wasm");
  jax.defaultDevice("wasm");
  return jax;
};

/** Loads what is installed. */
export const loadPeers = async (): Promise<Peers> => ({
  tf: await loadTf(),
  jax: await loadJax(),
  odex: optional<Odex>("odex"),
  mathjs: optional<MathJs>("mathjs"),
});
