/** @file A stand-in for gpu.js that multiplies as it should, or does not: what no real driver does on demand. */
import type { GpuConstructor, GpuMode } from "@dydt/tensor/gpu";

/** How the stand-in misbehaves from now on. */
export interface Behaviour {
  /** What becomes of a right result. */
  spoil: (rows: Float32Array[]) => unknown;
  /** The WebGL context is gone. */
  lost: boolean;
  /** gpu.js wants to go on in its cpu mode. */
  fallsBack: boolean;
  /** Kernels made, runs made, kernels given back. */
  made: number;
  runs: number;
  destroyed: number;
}

interface Matrix {
  readonly flat: Float32Array;
  readonly columns: number;
}

/** A class with the shape of gpu.js's GPU, and the switch that spoils it. */
export const fakeGpu = (supported: readonly string[] = ["webgl2", "cpu"]): { readonly GPU: GpuConstructor; readonly behaviour: Behaviour } => {
  const behaviour: Behaviour = { spoil: (rows) => rows, lost: false, fallsBack: false, made: 0, runs: 0, destroyed: 0 };
  class FakeGpu {
    static readonly isWebGL2Supported = supported.includes("webgl2");
    static readonly isHeadlessGLSupported = supported.includes("headlessgl");
    static readonly isWebAssemblySupported = supported.includes("webasm");
    static readonly input = (flat: Float32Array, size: readonly [number, number]): Matrix => ({ flat, columns: size[0] });
    readonly mode: string;
    readonly context = { isContextLost: () => behaviour.lost };
    constructor({ mode }: { mode: GpuMode }) {
      if (!supported.includes(mode)) throw new Error(`A requested mode of "${mode}" and is not supported`);
      this.mode = mode;
    }
    createKernel(source: string, settings: object) {
      behaviour.made++;
      const { output, onRequestFallback } = settings as { output: readonly [number, number]; onRequestFallback: () => never };
      const k = Number(/p < (\d+)/.exec(source)![1]);
      const [transposeA, transposeB] = [source.includes("a[p]"), source.includes("b[this.thread.x]")];
      const at = ({ flat, columns }: Matrix, i: number, j: number) => flat[i * columns + j]!;
      const kernel = (a: unknown, b: unknown): unknown => {
        if (behaviour.fallsBack) onRequestFallback();
        behaviour.runs++;
        const element = (y: number, x: number): number => {
          let sum = 0;
          for (let p = 0; p < k; p++)
            sum += at(a as Matrix, transposeA ? p : y, transposeA ? y : p) * at(b as Matrix, transposeB ? x : p, transposeB ? p : x);
          return sum;
        };
        const [n, m] = output;
        return behaviour.spoil(Array.from({ length: m }, (_, y) => Float32Array.from({ length: n }, (_, x) => element(y, x))));
      };
      return Object.assign(kernel, { destroy: () => void behaviour.destroyed++ });
    }
  }
  return { GPU: FakeGpu, behaviour };
};
