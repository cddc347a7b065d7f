/**
 * @file W5: gradient through a long chain of steps, all states stored or few of them.
 */
import { revolve, storeAll } from "@dydt/autodiff";
import { measure } from "../measure.js";
import { floats, type Suite } from "../suite.js";
import { requireAgreement } from "../workloads.js";
import { chain as workloadOf, chainCheck } from "../workloads/chain.js";
import { describeGradient, runGradient } from "../workloads/gradient-run.js";

const schedules = { "storeAll()": storeAll(), "revolve(32)": revolve(32) } as const;

/** Gradients of W5; the chain of 10,000 steps is left out of the quick ones. */
export const chain: Suite = async function* ({ effort, quick }) {
  const cases = [
    { steps: 1000, schedule: "storeAll()" },
    { steps: 1000, schedule: "revolve(32)" },
    ...(quick ? [] : [{ steps: 10_000, schedule: "revolve(32)" } as const]),
  ] as const;
  for (const dtype of quick ? (["float32"] as const) : floats)
    for (const { steps, schedule } of cases) {
      const workload = workloadOf(dtype, steps, schedules[schedule]);
      const outcome = describeGradient(workload);
      requireAgreement(`W5 ${steps} steps ${schedule} ${dtype}`, outcome, chainCheck);
      const rounds = steps > 1000 || quick ? 1 : 3; // the run that is checked has warmed it up
      const times = await measure("W5", [{ library: "dydt", run: () => runGradient(workload) }], { ...effort, rounds, warmUp: { runs: 0, ms: 0 } });
      for (const [library, ms] of times) yield { workload: "W5 gradient", dtype, library, schedule, steps, ms, ...outcome };
    }
};
