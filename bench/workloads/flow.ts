/**
 * @file W3: a continuous normalizing flow in the plane, with the exact trace of its Jacobian.
 *
 *   z′ = v([z, t]),  l′ = −tr ∂v/∂z,  v a network 3 - 64 - 64 - 64 - 2,  batch 512, t from 0 to 1 by dopri5 at 1e-5
 *   loss −mean (log N(z(1); 0, I) − l(1)), differentiated with respect to the parameters
 *
 * The trace is the sum of two directional derivatives, both carried along one evaluation of the network inside the field. W. Grathwohl et al., FFJORD, ICLR 2019, eq. 4.
 */
import { broadcastTo, concat, tensor, zeros, type Dtype, type FusedActivation, type Tensor } from "@dydt/tensor";
import { pushforward } from "@dydt/autodiff";
import { dopri5, solve } from "@dydt/ode";
import { affine, controlled, drawLayer, drawState, lcg, type CheckValues, type Layer } from "../workloads.js";
import { stepsAdjoints, type Differentiable } from "./gradient-run.js";

/** Activations for which there are values to be reproduced. */
export interface FlowCase {
  readonly activation: FusedActivation & ("tanh" | "softplus");
  readonly expected: CheckValues;
}

/** The cases. */
export const flowCases: readonly FlowCase[] = [
  { activation: "tanh", expected: { loss: "3.036", gradientNorm: "3.518" } },
  { activation: "softplus", expected: { loss: "3.352", gradientNorm: "10.27" } },
];

const batch = 512;
const sizes = [3, 64, 64, 64, 2] as const;

/** A point with the logarithm of the volume that it has lost. */
interface FlowState {
  readonly z: Tensor;
  readonly l: Tensor;
}

/** Loss and parameters. */
export const flow = ({ activation }: FlowCase, dtype: Dtype, adjoint = stepsAdjoints.storeAll): Differentiable<readonly Layer[]> => {
  const stream = lcg(1);
  const layers = sizes.slice(1).map((outputs, i) => drawLayer(stream, sizes[i]!, outputs, 2, dtype));
  const y0: FlowState = { z: drawState(batch, 2, dtype), l: zeros([batch], { dtype }) };
  const along = (axis: number): Tensor => broadcastTo(tensor([1 - axis, axis], { dtype }), [batch, 2]);
  const directions = [along(0), along(1)] as const;
  return {
    parameters: layers,
    loss: (parameters) => {
      const velocity = (t: Tensor, z: Tensor): Tensor =>
        parameters.reduce(
          (x, layer, i) => affine(layer, x, i + 1 < parameters.length ? activation : "identity"),
          concat([z, broadcastTo(t, [batch, 1])], 1),
        );
      const field = (t: Tensor, { z }: FlowState): FlowState => {
        const { value, tangents } = pushforward((at: Tensor) => velocity(t, at), z, directions);
        const trace = tangents[0].slice([null, [0, 1]]).add(tangents[1].slice([null, [1, 2]]));
        return { z: value, l: trace.reshape([batch]).neg() };
      };
      const { y1 } = solve(field, y0, { t0: 0, t1: 1, solver: dopri5(), controller: controlled({ rtol: 1e-5, atol: 1e-5 }), adjoint });
      const logNormal = y1.z
        .square()
        .sum({ axis: 1 })
        .mul(-0.5)
        .sub(Math.log(2 * Math.PI));
      return y1.l.sub(logNormal).mean();
    },
  };
};
