/**
 * @file The gradient of a workload by each adjoint of the steps: checked against its loss and gradient norm first, then measured in turn.
 */
import type { Dtype } from "@dydt/tensor";
import { measure, type Effort } from "./measure.js";
import type { Row } from "./report.js";
import { requireAgreement, type CheckValues } from "./workloads.js";
import { describeGradient, runGradient, stepsAdjoints, type Differentiable, type StepsAdjoint } from "./workloads/gradient-run.js";

/**
 * One row for each adjoint.
 *
 * @param workloadOf - the workload, differentiated by this adjoint.
 * @param expected - its loss and gradient norm.
 * @param run - what is timed; default the gradient.
 * @throws MismatchError where they differ.
 */
export async function* gradientRows<P>(
  name: string,
  shape: string,
  dtype: Dtype,
  workloadOf: (adjoint: StepsAdjoint) => Differentiable<P>,
  expected: CheckValues,
  effort: Effort,
  run: (workload: Differentiable<P>) => unknown = runGradient,
  unit = "gradient",
): AsyncGenerator<Row, void> {
  const workloads = Object.entries(stepsAdjoints).map(([schedule, adjoint]) => ({ schedule, workload: workloadOf(adjoint) }));
  const outcomes = new Map(workloads.map(({ schedule, workload }) => [schedule, describeGradient(workload)] as const));
  for (const [schedule, outcome] of outcomes) requireAgreement(`${name} ${shape} ${dtype} ${schedule}`, outcome, expected);
  const contenders = workloads.map(({ schedule, workload }) => ({ library: schedule, run: () => void run(workload) }));
  for (const [schedule, ms] of await measure(`${name} ${shape}`, contenders, effort))
    yield { workload: `${name} ${unit}`, shape, dtype, library: "dydt", schedule, ms, ...outcomes.get(schedule)! };
}
