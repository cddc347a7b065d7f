/**
 * @file What all workloads are made of: numbers that any language can make again, and values that a run must reproduce before its time means anything.
 *
 *   xᵢ₊₁ = (1664525 xᵢ + 1013904223) mod 2³²,  uᵢ = xᵢ / 2³²
 *
 * W. H. Press et al., Numerical Recipes in C, 2nd ed., 1992, section 7.1: "quick and dirty", and so in every language the same.
 */
import { affine as affineMap, leavesOf, tensor, type Dtype, type FusedActivation, type Tensor } from "@dydt/tensor";
import { adaptive, stepCoefficients } from "@dydt/ode";

/** A stream of numbers from 0 to 1. */
export type Stream = () => number;

/** The linear congruential generator from this seed. */
export const lcg = (seed: number): Stream => {
  let x = seed >>> 0;
  return () => (x = (Math.imul(1664525, x) + 1013904223) >>> 0) / 4294967296;
};

/** Steps as in the programs that the values come from: the length answers to the last error alone, so that all take the same number. */
export const controlled = (tolerances: { readonly rtol: number; readonly atol: number }) =>
  adaptive({ ...tolerances, coefficients: stepCoefficients.integral });

/** An affine map y = x W + b. */
export interface Layer {
  /** `[inputs, outputs]`. */
  readonly weight: Tensor;
  /** `[outputs]`. */
  readonly bias: Tensor;
}

/** The next layer of a stream: weights in the order [outputs][inputs], then the bias, each (2u − 1) gain / √inputs. */
export const drawLayer = (stream: Stream, inputs: number, outputs: number, gain: number, dtype: Dtype): Layer => {
  const draw = (length: number) => Array.from({ length }, () => ((2 * stream() - 1) * gain) / Math.sqrt(inputs));
  const weight = tensor(draw(outputs * inputs), { shape: [outputs, inputs], dtype }).transpose();
  return { weight, bias: tensor(draw(outputs), { dtype }) };
};

/** y = σ(x W + b). */
export const affine = ({ weight, bias }: Layer, x: Tensor, activation: FusedActivation = "identity"): Tensor =>
  affineMap(x, weight, bias, activation);

/** Initial states of variance 1: (2u − 1) √3, row by row, from seed 7. */
export const drawState = (rows: number, columns: number, dtype: Dtype): Tensor => {
  const stream = lcg(7);
  return tensor(
    Array.from({ length: rows * columns }, () => (2 * stream() - 1) * Math.sqrt(3)),
    { shape: [rows, columns], dtype },
  );
};

/** The Euclidean norm over all numbers of a tree. */
export const normOf = (tree: unknown): number => {
  let squares = 0;
  for (const leaf of leavesOf(tree)) for (const x of leaf.data) squares += x * x;
  return Math.sqrt(squares);
};

/** What a run of a workload gives besides its time. */
export interface Outcome {
  readonly loss: number;
  readonly gradientNorm: number;
  /** High-water mark of the engine's memory. */
  readonly peakBytes: number;
}

/** Values to be reproduced, as printed: as many digits as are sure. */
export interface CheckValues {
  readonly loss: string;
  readonly gradientNorm?: string;
}

/** Whether a value rounds to the printed one, or to its neighbour in the last digit. */
export const agrees = (value: number, printed: string): boolean => {
  const [mantissa = "", exponent = "0"] = printed.toLowerCase().split("e");
  const lastDigit = Number(`1e${Number(exponent) - (mantissa.split(".")[1] ?? "").length}`);
  return Math.abs(value - Number(printed)) <= 1.001 * lastDigit;
};

/** A workload was run and did something else than it should. */
export class MismatchError extends Error {
  override readonly name = "MismatchError";
}

/** @throws MismatchError when a value is not the one to be reproduced. */
export const requireAgreement = (workload: string, { loss, gradientNorm }: Outcome, expected: CheckValues): void => {
  const check = (what: string, value: number, printed: string | undefined) => {
    if (printed !== undefined && !agrees(value, printed))
      throw new MismatchError(`${workload} has ${what} ${value.toPrecision(6)} instead of ${printed}: its times mean nothing`);
  };
  check("loss", loss, expected.loss);
  check("gradient norm", gradientNorm, expected.gradientNorm);
};
