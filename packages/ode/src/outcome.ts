/**
 * @file What a solve leaves behind: states at save times, the end state, penalties, the grid. Fed one accepted step after the other.
 */
import { add, allocatingIn, copy, countBytes, heap, maximum, scope, stack, tensor, zeros, type Tensor } from "@dydt/tensor";
import type { Control, Tolerances } from "./controller.js";
import type { Problem } from "./problem.js";
import type { DenseStep, Leaves, Step } from "./step.js";
import { timeValue } from "./time.js";

/** The outputs of a solve, as lists of leaves. */
export interface Outputs {
  /** States at the save times, stacked on a new first axis. */
  readonly ys: Leaves;
  readonly y1: Leaves;
  /** One scalar for each regularizer. */
  readonly penalties: readonly Tensor[];
}

/** Collects the outputs of a solve. */
export interface Collector<R extends Step> {
  /** Takes an accepted step, while it is valid. */
  readonly take: (step: R) => void;
  /** All outputs, on the heap. */
  readonly outputs: () => Outputs;
  /** Every step end so far, t0 included. */
  readonly times: readonly number[];
  /** For each regularizer that takes the largest cost, which step had it. */
  readonly largest: readonly number[];
}

/** Which save times lie in the step from t0 to t1, after t0. */
export const savesInStep = <R extends Step>({ saves }: Problem<R>, first: number, t1: number, forward: boolean): number => {
  let next = first;
  while (next < saves.length && (forward ? timeValue(saves[next]!) <= t1 : timeValue(saves[next]!) >= t1)) next++;
  return next;
};

/** The tolerances of a controller, where it has any. */
export const tolerancesOf = <R extends Step>(control: Control<R>): Tolerances | undefined =>
  control.kind === "adaptive" ? control.tolerances : undefined;

const toHeap = (leaves: Leaves): Leaves => allocatingIn(heap, () => leaves.map((leaf) => copy(leaf)));

/** Begins collecting. */
export const collect = <R extends Step>(problem: Problem<R>, control: Control<R>): Collector<R> => {
  const { y0, saves, regularizers } = problem;
  const forward = timeValue(problem.t1) >= timeValue(problem.t0);
  const times: number[] = [timeValue(problem.t0)];
  const rows: Leaves[] = [];
  const largest: number[] = regularizers.map(() => 0);
  let penalties: readonly (Tensor | undefined)[] = regularizers.map(() => undefined);
  let last: Leaves = y0;
  let next = savesInStep(problem, 0, times[0]!, forward);
  for (let i = 0; i < next; i++) rows.push(toHeap(y0));

  const cost = (step: R, i: number): Tensor => {
    const { reduce, cost: costOf } = regularizers[i]!;
    const value = costOf(step, tolerancesOf(control));
    const before = penalties[i];
    if (before === undefined) return value;
    if (reduce !== "max") return add(before, value);
    if (value.item() > before.item()) largest[i] = times.length - 1;
    return maximum(before, value);
  };

  return {
    times,
    largest,
    take: (step) => {
      penalties = allocatingIn(heap, () => regularizers.map((_, i) => scope(() => cost(step, i))));
      const end = savesInStep(problem, next, step.t1, forward);
      for (; next < end; next++) {
        const t = timeValue(saves[next]!);
        rows.push(toHeap(t === step.t1 ? step.y1 : (step as unknown as DenseStep).at(t)));
      }
      times.push(step.t1);
      countBytes(8);
      last = step.y1;
    },
    outputs: () =>
      allocatingIn(heap, () => {
        const steps = times.length - 1;
        countBytes(-8 * steps);
        return {
          y1: last.map((leaf) => copy(leaf)),
          ys: y0.map((leaf, i) => (rows.length === 0 ? zeros([0, ...leaf.shape], { dtype: leaf.dtype }) : stack(rows.map((row) => row[i]!)))),
          penalties: penalties.map((penalty, i) => {
            if (penalty === undefined) return tensor(0, { dtype: y0[0]?.dtype ?? "float64" });
            return regularizers[i]!.reduce === "mean" ? penalty.div(steps) : copy(penalty);
          }),
        };
      }),
  };
};
