/**
 * @file W2: gradient of a solve with a wide field.
 */
import { measure } from "../measure.js";
import { floats, type Suite } from "../suite.js";
import { requireAgreement } from "../workloads.js";
import { digits as workloadOf, digitsCases } from "../workloads/digits.js";
import { describeGradient, runGradient } from "../workloads/gradient-run.js";

/** Gradients of W2; the quick ones are those of the small batch in float32. */
export const digits: Suite = async function* ({ effort, quick }) {
  for (const dtype of quick ? (["float32"] as const) : floats)
    for (const one of quick ? digitsCases.filter(({ batch }) => batch === 32) : digitsCases) {
      const shape = `batch ${one.batch}, gain ${one.gain}`;
      const workload = workloadOf(one, dtype);
      const outcome = describeGradient(workload);
      requireAgreement(`W2 ${shape} ${dtype}`, outcome, one.expected);
      const rounds = one.batch === 512 ? Math.min(5, effort.rounds) : effort.rounds;
      const times = await measure(`W2 ${shape}`, [{ library: "dydt", run: () => runGradient(workload) }], { ...effort, rounds });
      for (const [library, ms] of times) yield { workload: "W2 gradient", shape, dtype, library, ms, ...outcome };
    }
};
