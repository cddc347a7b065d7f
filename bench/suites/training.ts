/**
 * @file One training iteration of W1: solve, loss, gradient and RMSprop.
 *
 *   v = 0.99 v + 0.01 g²,  θ ← θ − 10⁻³ g / (√v + 10⁻⁸)
 *
 * Always the first iteration, so that every run does the same.
 */
import { scope, zipTrees } from "@dydt/tensor";
import { valueAndGradient } from "@dydt/autodiff";
import { gradientRows } from "../gradient-rows.js";
import { floats, type Suite } from "../suite.js";
import type { Differentiable } from "../workloads/gradient-run.js";
import { spiral, spiralCheck, spiralData, type SpiralParameters, type SpiralSolve } from "../workloads/spiral.js";

const iterate = ({ parameters, loss }: Differentiable<SpiralParameters>): SpiralParameters =>
  scope(() => {
    const { gradient } = valueAndGradient(loss)(parameters);
    return zipTrees((theta, g) => theta.sub(g.mul(1e-3).div(g.square().mul(0.01).sqrt().add(1e-8))), parameters, gradient);
  });

/** Training iterations of W1. */
export const training: Suite = async function* ({ effort }) {
  for (const dtype of floats) {
    const data = spiralData(dtype);
    for (const how of ["tight", "loose", "rk4"] satisfies SpiralSolve[])
      yield* gradientRows("W1", how, dtype, (adjoint) => spiral(dtype, how, data, adjoint), spiralCheck, effort, iterate, "iteration");
  }
};
