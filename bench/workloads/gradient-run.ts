/**
 * @file One run of a workload: loss and gradient, with the memory they took.
 */
import { meterBytes, scope, type Tensor } from "@dydt/tensor";
import { valueAndGradient } from "@dydt/autodiff";
import { directAdjoint, discreteAdjoint, type AnyAdjoint, type Step } from "@dydt/ode";
import { normOf, type Outcome } from "../workloads.js";

/** A loss of a tree of tensors, with the values at which it is differentiated. */
export interface Differentiable<P> {
  readonly parameters: P;
  readonly loss: (parameters: P) => Tensor;
}

/** How a workload is differentiated: with every step on one tape, or with one step after the other. */
export type StepsAdjoint = Exclude<AnyAdjoint<Step>, { readonly differentiates: "flow" }>;

/** Both, by the name of what they keep. */
export const stepsAdjoints: Readonly<Record<"direct" | "storeAll", StepsAdjoint>> = { direct: directAdjoint(), storeAll: discreteAdjoint() };

/** Computes loss and gradient, and forgets them: what is timed. */
export const runGradient = <P>({ parameters, loss }: Differentiable<P>): void => {
  scope(() => {
    valueAndGradient(loss)(parameters);
  });
};

/** Computes loss and gradient, and describes them: what is checked. */
export const describeGradient = <P>({ parameters, loss }: Differentiable<P>): Outcome => {
  const peak = meterBytes();
  const { value, gradient } = valueAndGradient(loss)(parameters);
  return { peakBytes: peak(), loss: value.item(), gradientNorm: normOf(gradient) };
};
