/**
 * @file One training iteration of W1: solve, loss, gradient and RMSprop.
 *
 *   v = 0.99 v + 0.01 g²,  θ ← θ − 10⁻³ g / (√v + 10⁻⁸)
 *
 * Always the first iteration, so that every run does the same.
 */
import { scope, zipTrees } from "@dydt/tensor";
import { valueAndGradient } from "@dydt/autodiff";
import { measure } from "../measure.js";
import { floats, type Suite } from "../suite.js";
import { requireAgreement } from "../workloads.js";
import { describeGradient, type Differentiable } from "../workloads/gradient-run.js";
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
    const solves = new Map((["tight", "loose", "rk4"] satisfies SpiralSolve[]).map((how) => [how, spiral(dtype, how, data)] as const));
    for (const [how, workload] of solves) {
      const outcome = describeGradient(workload);
      requireAgreement(`W1 ${how} ${dtype}`, outcome, spiralCheck);
      const times = await measure(`W1 ${how}`, [{ library: "dydt", run: () => void iterate(workload) }], effort);
      for (const [library, ms] of times) yield { workload: "W1 iteration", shape: how, dtype, library, ms, ...outcome };
    }
  }
};
