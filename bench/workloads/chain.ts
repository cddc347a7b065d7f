/**
 * @file W5: a long chain of steps, for checkpoint schedules.
 *
 *   y′ = tanh(y W₁ + b₁) W₂ + b₂,  64 - 64 - 64,  batch 128,  n classical Runge–Kutta steps on [0, 1]
 *   loss ½ Σ y(1)² / batch, differentiated with respect to 8,320 parameters and y(0)
 */
import type { Schedule } from "@dydt/autodiff";
import type { Dtype, Tensor } from "@dydt/tensor";
import { discreteAdjoint, fixedSteps, rk4, solve } from "@dydt/ode";
import { affine, drawLayer, drawState, lcg, type CheckValues, type Layer } from "../workloads.js";
import type { Differentiable } from "./gradient-run.js";

/** What the loss is differentiated with respect to. */
export interface ChainInputs {
  readonly first: Layer;
  readonly second: Layer;
  readonly y0: Tensor;
}

/** The values for 1,000 steps; with that order no more steps change a digit that is printed. */
export const chainCheck: CheckValues = { loss: "34.74", gradientNorm: "7.526" };

const batch = 128;
const width = 64;

/** Loss, parameters and initial state for so many steps, reversed by a schedule. */
export const chain = (dtype: Dtype, steps: number, checkpoints: Schedule): Differentiable<ChainInputs> => {
  const stream = lcg(1);
  const first = drawLayer(stream, width, width, 1, dtype);
  const second = drawLayer(stream, width, width, 1, dtype);
  return {
    parameters: { first, second, y0: drawState(batch, width, dtype) },
    loss: ({ first, second, y0 }) => {
      const { y1 } = solve((_t, y: Tensor) => affine(second, affine(first, y, "tanh")), y0, {
        t0: 0,
        t1: 1,
        solver: rk4(),
        controller: fixedSteps(steps),
        adjoint: discreteAdjoint({ checkpoints }),
      });
      return y1
        .square()
        .sum()
        .mul(0.5 / batch);
    },
  };
};
