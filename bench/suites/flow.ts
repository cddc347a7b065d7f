/**
 * @file W3: gradient of a continuous normalizing flow with the exact trace.
 */
import { measure } from "../measure.js";
import { floats, type Suite } from "../suite.js";
import { requireAgreement } from "../workloads.js";
import { flow as workloadOf, flowCases } from "../workloads/flow.js";
import { describeGradient, runGradient } from "../workloads/gradient-run.js";

/** Gradients of W3; the quick ones are those in float32. */
export const flow: Suite = async function* ({ effort, quick }) {
  for (const dtype of quick ? (["float32"] as const) : floats)
    for (const one of flowCases) {
      const shape = `${one.activation}, exact trace`;
      const workload = workloadOf(one, dtype);
      const outcome = describeGradient(workload);
      requireAgreement(`W3 ${shape} ${dtype}`, outcome, one.expected);
      const times = await measure(`W3 ${shape}`, [{ library: "dydt", run: () => runGradient(workload) }], effort);
      for (const [library, ms] of times) yield { workload: "W3 gradient", shape, dtype, library, ms, ...outcome };
    }
};
