/**
 * @file W1: a small network follows pieces of a spiral.
 *
 *   truth  y′ = y³ A,  A = [[−0.1, 2], [−2, −0.1]],  y(0) = (2, 0),  1000 times on [0, 25]
 *   model  y′ = tanh(y³ W₁ + b₁) W₂ + b₂,  2 - 50 - 2,  20 pieces of 10 points,  loss mean |prediction − truth|
 *
 * The example of R. T. Q. Chen et al., Neural Ordinary Differential Equations, NeurIPS 2018, as its authors published it.
 */
import { scope, stack, tensor, zeros, type Dtype, type Tensor } from "@dydt/tensor";
import { dopri5, grid, rk4, solve } from "@dydt/ode";
import { affine, controlled, lcg, type CheckValues, type Layer } from "../workloads.js";
import { stepsAdjoints, type Differentiable } from "./gradient-run.js";

/** Parameters of the field. */
export interface SpiralParameters {
  readonly hidden: Layer;
  readonly output: Layer;
}

/** How the solve is done: to a tight or a loose tolerance, or with one classical step from point to point. */
export type SpiralSolve = "tight" | "loose" | "rk4";

/** First loss and its gradient, which do not depend on how the solve is done. */
export const spiralCheck: CheckValues = { loss: "0.1013", gradientNorm: "0.04507" };

const points = 1000;
const pieces = 20;
const pieceLength = 10;
const timeOf = (i: number): number => (25 * i) / (points - 1);

/** (2u − 1) 0.1 √3, biases 0: the gain that makes a standard deviation of 0.1. */
const drawCentred = (stream: () => number, inputs: number, outputs: number, dtype: Dtype): Layer => {
  const weight = tensor(
    Array.from({ length: outputs * inputs }, () => (2 * stream() - 1) * 0.1 * Math.sqrt(3)),
    { shape: [outputs, inputs], dtype },
  ).transpose();
  return { weight, bias: zeros([outputs], { dtype }) };
};

/** The field's parameters at the start. */
export const spiralParameters = (dtype: Dtype): SpiralParameters => {
  const stream = lcg(1);
  return { hidden: drawCentred(stream, 2, 50, dtype), output: drawCentred(stream, 50, 2, dtype) };
};

/** tanh(x W₁ + b₁) W₂ + b₂. */
export const spiralNetwork = ({ hidden, output }: SpiralParameters, x: Tensor): Tensor => affine(output, affine(hidden, x, "tanh"));

const cube = (y: Tensor): Tensor => y.mul(y).mul(y);

/** The model's field. */
export const spiralField =
  (parameters: SpiralParameters) =>
  (_t: Tensor, y: Tensor): Tensor =>
    spiralNetwork(parameters, cube(y));

/** States at the start of each piece, and the truth at its points `[10, 20, 2]`. */
export const spiralData = (dtype: Dtype): { readonly starts: Tensor; readonly truth: Tensor } =>
  scope(() => {
    const a = tensor([
      [-0.1, 2],
      [-2, -0.1],
    ]);
    const saveAt = Array.from({ length: points }, (_, i) => timeOf(i));
    const { ys } = solve((_t, y: Tensor) => cube(y).matmul(a), tensor([2, 0]), {
      t0: 0,
      t1: 25,
      saveAt,
      solver: dopri5(),
      controller: controlled({ rtol: 1e-9, atol: 1e-11 }),
    });
    const pointOf = (piece: number, i: number): Tensor => ys.at(7 + 48 * piece + i);
    const row = (i: number): Tensor => stack(Array.from({ length: pieces }, (_, piece) => pointOf(piece, i)));
    const truth = stack(Array.from({ length: pieceLength }, (_, i) => row(i))).cast(dtype);
    return { starts: truth.at(0).clone(), truth };
  });

/** Loss and parameters of the first iteration. */
export const spiral = (
  dtype: Dtype,
  how: SpiralSolve,
  data = spiralData(dtype),
  adjoint = stepsAdjoints.storeAll,
): Differentiable<SpiralParameters> => {
  const times = Array.from({ length: pieceLength }, (_, i) => timeOf(i));
  const span = { t0: 0, t1: times[pieceLength - 1]!, saveAt: times, adjoint } as const;
  const tolerances = how === "tight" ? { rtol: 1e-7, atol: 1e-9 } : { rtol: 1e-3, atol: 1e-4 };
  const statesOf = (field: ReturnType<typeof spiralField>): Tensor =>
    how === "rk4"
      ? solve(field, data.starts, { ...span, solver: rk4(), controller: grid(times) }).ys
      : solve(field, data.starts, { ...span, solver: dopri5(), controller: controlled(tolerances) }).ys;
  return {
    parameters: spiralParameters(dtype),
    loss: (parameters) => statesOf(spiralField(parameters)).sub(data.truth).abs().mean(),
  };
};
