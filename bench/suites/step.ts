/**
 * @file One step of seven stages (six evaluations of f) on W1's field: what a step costs inside a solve of 100, and with its share of the discrete adjoint, which
 * tapes the step again and pulls back.
 */
import { scope } from "@dydt/tensor";
import { valueAndGradient } from "@dydt/autodiff";
import { dopri5, fixedSteps, solve, tsit5 } from "@dydt/ode";
import { measure } from "../measure.js";
import { floats, type Suite } from "../suite.js";
import { drawState } from "../workloads.js";
import { spiralField, spiralParameters, type SpiralParameters } from "../workloads/spiral.js";

const steps = 100;

/** Steps of dopri5 and tsit5. */
export const step: Suite = async function* ({ effort }) {
  for (const dtype of floats)
    for (const solver of [dopri5(), tsit5()]) {
      const y0 = drawState(20, 2, dtype);
      const end = (parameters: SpiralParameters) => solve(spiralField(parameters), y0, { t0: 0, t1: 1, solver, controller: fixedSteps(steps) }).y1;
      const parameters = spiralParameters(dtype);
      const loss = (at: SpiralParameters) => end(at).sum();
      const times = await measure(
        `step of ${solver.name}`,
        [
          { library: "forward", run: () => scope(() => void end(parameters)) },
          { library: "forward, taped and pulled back", run: () => scope(() => void valueAndGradient(loss)(parameters)) },
        ],
        effort,
      );
      for (const [what, ms] of times)
        yield { workload: "W1 step", shape: `${solver.name}, ${what}`, dtype, library: "dydt", microseconds: (ms * 1e3) / steps };
    }
};
