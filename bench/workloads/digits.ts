/**
 * @file W2: a wide block, as for images of digits.
 *
 *   y′ = tanh([tanh([y, t] W₁ + b₁), t] W₂ + b₂),  785 - 100 and 101 - 784,  t from 0 to 1 by dopri5 at 1e-5
 *   loss ½ Σ y(1)² / batch, differentiated with respect to the parameters and y(0)
 */
import { broadcastTo, concat, type Dtype, type Tensor } from "@dydt/tensor";
import { dopri5, solve } from "@dydt/ode";
import { affine, controlled, drawLayer, drawState, lcg, type CheckValues, type Layer } from "../workloads.js";
import { stepsAdjoints, type Differentiable } from "./gradient-run.js";

/** What the loss is differentiated with respect to. */
export interface DigitsInputs {
  readonly inner: Layer;
  readonly outer: Layer;
  readonly y0: Tensor;
}

/** Sizes for which there are values to be reproduced. */
export interface DigitsCase {
  readonly batch: 32 | 512;
  /** Factor on the initial parameters: 3 makes a field that needs more steps. */
  readonly gain: 1 | 3;
  readonly expected: CheckValues;
}

/** The cases. */
export const digitsCases: readonly DigitsCase[] = [
  { batch: 32, gain: 1, expected: { loss: "419.0" } },
  { batch: 32, gain: 3, expected: { loss: "582.1" } },
  { batch: 512, gain: 1, expected: { loss: "416.8", gradientNorm: "24.98" } },
  { batch: 512, gain: 3, expected: { loss: "577.0", gradientNorm: "31.41" } },
];

const withTime = (t: Tensor, x: Tensor): Tensor => concat([x, broadcastTo(t, [x.shape[0]!, 1])], 1);

/** Loss, parameters and initial state. */
export const digits = ({ batch, gain }: DigitsCase, dtype: Dtype, adjoint = stepsAdjoints.storeAll): Differentiable<DigitsInputs> => {
  const stream = lcg(1);
  const inner = drawLayer(stream, 785, 100, gain, dtype);
  const outer = drawLayer(stream, 101, 784, gain, dtype);
  return {
    parameters: { inner, outer, y0: drawState(batch, 784, dtype) },
    loss: ({ inner, outer, y0 }) => {
      const field = (t: Tensor, y: Tensor): Tensor => affine(outer, withTime(t, affine(inner, withTime(t, y), "tanh")), "tanh");
      const { y1 } = solve(field, y0, { t0: 0, t1: 1, solver: dopri5(), controller: controlled({ rtol: 1e-5, atol: 1e-5 }), adjoint });
      return y1
        .square()
        .sum()
        .mul(0.5 / batch);
    },
  };
};
