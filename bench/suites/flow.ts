/**
 * @file W3: gradient of a continuous normalizing flow with the exact trace.
 */
import { gradientRows } from "../gradient-rows.js";
import { floats, type Suite } from "../suite.js";
import { flow as workloadOf, flowCases } from "../workloads/flow.js";

/** Gradients of W3; the quick ones are those in float32. */
export const flow: Suite = async function* ({ effort, quick }) {
  for (const dtype of quick ? (["float32"] as const) : floats)
    for (const one of flowCases) {
      const shape = `${one.activation}, exact trace`;
      yield* gradientRows("W3", shape, dtype, (adjoint) => workloadOf(one, dtype, adjoint), one.expected, effort);
    }
};
