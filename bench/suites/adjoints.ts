/**
 * @file What each adjoint costs on W1, W2 and W5, in time and in bytes; and the reverse pass of the discrete adjoint beside the forward solve.
 */
import { scope } from "@dydt/tensor";
import { compareAdjoints } from "@dydt/ode";
import { storeAll } from "@dydt/autodiff";
import { measure } from "../measure.js";
import type { Row } from "../report.js";
import type { Suite } from "../suite.js";
import { chain } from "../workloads/chain.js";
import { MismatchError } from "../workloads.js";
import { digits, digitsCases } from "../workloads/digits.js";
import { runGradient, type Differentiable } from "../workloads/gradient-run.js";
import { spiral } from "../workloads/spiral.js";

/** One row for each adjoint that can do it. */
const compared = <P>(workload: string, { loss, parameters }: Differentiable<P>, repetitions: number): readonly Row[] =>
  compareAdjoints({ name: workload, loss, parameters }, { repetitions, reference: 1e-8 })
    .rows.filter(({ failure }) => failure === undefined)
    .map(({ adjoint, milliseconds, peakBytes }) => ({
      workload: `${workload} by adjoint`,
      shape: adjoint,
      dtype: "float64",
      library: "dydt",
      ms: milliseconds,
      peakBytes,
    }));

/** What the reverse pass may cost, in forward solves. */
const reverseBound = 3.4;

/** Adjoints side by side; the long chain is left out of the quick ones. @throws MismatchError where the reverse pass costs more than {@link reverseBound} forward solves. */
export const adjoints: Suite = async function* ({ effort, quick }) {
  yield* compared("W1 tight", spiral("float64", "tight"), 5);
  const small = digitsCases.filter(({ batch }) => batch === 32);
  for (const one of small) yield* compared(`W2 batch 32, gain ${one.gain}`, digits(one, "float64"), 2);
  if (!quick) yield* compared("W5, 1,000 steps", chain("float64", 1000, storeAll()), 1);

  for (const one of small) {
    const workload = digits(one, "float32");
    const contenders = [
      { library: "forward", run: () => scope(() => void workload.loss(workload.parameters)) },
      { library: "both", run: () => runGradient(workload) },
    ];
    const times = await measure(`W2 forward and reverse, gain ${one.gain}`, contenders, effort);
    const [forward, both] = [times.get("forward")!, times.get("both")!];
    const row = { workload: "W2 batch 32", dtype: "float32", library: "dydt" } as const;
    yield { ...row, shape: `gain ${one.gain}, forward solve`, ms: forward };
    yield { ...row, shape: `gain ${one.gain}, reverse of the discrete adjoint`, ms: both - forward };
    const ratio = (both - forward) / forward;
    if (!(ratio <= reverseBound))
      throw new MismatchError(
        `the reverse pass of W2, gain ${one.gain}, costs ${ratio.toFixed(2)} forward solves: at most ${reverseBound} are promised`,
      );
  }
};
