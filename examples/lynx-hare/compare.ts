/**
 * @file One gradient in four ways: every state stored, 8 of them, 3 of them, and one tape over the whole solve.
 *
 * The first three run the same operations in the same order, so they must agree to the last bit. The tape over the loop of `integrate` knows nothing of adjoints
 * and checkpoints; it associates sums differently, so it must agree to rounding. Otherwise this file throws.
 *
 * What is differentiated is the mean of the predicted log populations, not the misfit: at a good fit the gradient of the misfit is nearly zero, and a comparison
 * would see nothing but rounding.
 */
import { leavesOf, meterBytes, stack, type Tensor } from "@dydt/tensor";
import { gradient, revolve, storeAll, type Schedule } from "@dydt/autodiff";
import { adaptive, integrate, type SolveStats } from "@dydt/ode";
import { observed, years } from "./data.js";
import { bytesOnHeap } from "./heap-bytes.js";
import { follow, type Model } from "./models.js";

/** Finer than in training, so that there are steps enough to tell the schedules apart. */
export const tolerance = 1e-8;

/** What a gradient cost. */
export interface Measured {
  readonly name: string;
  /** All elements, in the order of the parameters. */
  readonly gradient: readonly number[];
  /** ‖g − g₀‖∞ / ‖g₀‖∞ against the first way. */
  readonly difference: number;
  readonly steps: number;
  /** States kept at a time. */
  readonly stored: number;
  /** Evaluations of the field, forward and in reverse. */
  readonly forward: number;
  readonly reverse: number;
  /** Steps run again without a tape, and under one. */
  readonly advanced: number;
  readonly taped: number;
  readonly peakBytes: number;
  /** Median of the repetitions. */
  readonly milliseconds: number;
}

type Counts = Omit<Measured, "name" | "gradient" | "difference" | "peakBytes" | "milliseconds">;

/** The most states that a schedule holds at a time. */
const statesHeld = (schedule: Schedule, steps: number): number => {
  let [held, most] = [0, 0];
  for (const action of schedule(steps)) {
    if (action.do === "store") most = Math.max(most, ++held);
    if (action.do === "release") held--;
  }
  return most;
};

/** By the discrete adjoint, which tapes one step at a time. */
const bySchedule = <P>(model: Model<P>, schedule: Schedule) => {
  let stats: SolveStats | undefined;
  const value = (parameters: P): Tensor => {
    const solution = follow(model, parameters, { tolerance, checkpoints: schedule });
    stats = solution.stats;
    return solution.ys.mean();
  };
  const counts = (): Counts => {
    const { accepted: steps, evaluations: forward, reverse } = stats!;
    return { steps, stored: statesHeld(schedule, steps), forward, reverse: reverse!.evaluations, advanced: reverse!.advanced, taped: reverse!.taped };
  };
  return { value, counts, heldElsewhere: () => 0 };
};

/** By a loop over the steps, recorded operation by operation. */
const byWholeTape = <P>(model: Model<P>) => {
  let [steps, forward, held] = [0, 0, 0];
  const value = (parameters: P): Tensor => {
    [steps, forward] = [0, 0];
    const rows: Tensor[] = [];
    const field = (_t: Tensor, y: Tensor): Tensor => (forward++, model.slope(parameters, y));
    const loop = (): void => {
      for (const step of integrate(field, observed.at(0), { t0: 0, t1: years.at(-1)!, controller: adaptive({ rtol: tolerance, atol: tolerance }) })) {
        steps++;
        while (rows.length < years.length && years[rows.length]! <= step.t1) rows.push(step.at(years[rows.length]!));
      }
    };
    held = bytesOnHeap(loop);
    return stack(rows).mean();
  };
  const counts = (): Counts => ({ steps, stored: steps, forward, reverse: 0, advanced: 0, taped: 0 });
  return { value, counts, heldElsewhere: () => held };
};

const median = (numbers: readonly number[]): number => [...numbers].sort((a, b) => a - b)[numbers.length >> 1]!;

/** @throws Error when the three schedules differ in a bit, or the tape over the whole solve from them by more than 1e-12. */
export const requireAgreement = (rows: readonly Pick<Measured, "name" | "gradient" | "difference">[]): void => {
  const [first, second, third, tape] = rows;
  for (const { name, gradient, difference } of [second!, third!])
    if (!gradient.every((g, k) => Object.is(g, first!.gradient[k])))
      throw new Error(`the gradient by ${name} has other bits than by storeAll(): they differ by ${difference.toExponential(2)}`);
  const { difference } = tape!;
  if (!(difference <= 1e-12))
    throw new Error(`the gradient by one tape over the whole solve differs by ${difference.toExponential(2)}, more than 1e-12`);
};

/**
 * Computes the gradient in all four ways.
 *
 * @throws Error when the schedules differ in a bit, or the whole tape by more than 1e-12.
 */
export const compareGradients = <P>(model: Model<P>, parameters: P, repetitions: number): readonly Measured[] => {
  const ways = [
    { name: "storeAll()", ...bySchedule(model, storeAll()) },
    { name: "revolve(8)", ...bySchedule(model, revolve(8)) },
    { name: "revolve(3)", ...bySchedule(model, revolve(3)) },
    { name: "one tape over the whole solve", ...byWholeTape(model) },
  ];
  const numbersOf = (tree: P): readonly number[] => leavesOf(tree).flatMap((leaf) => [...leaf.data]);
  const runs = ways.map(({ value, counts, heldElsewhere, ...rest }) => {
    const peak = meterBytes();
    const numbers = numbersOf(gradient(value)(parameters));
    return { ...rest, gradient: numbers, ...counts(), peakBytes: peak() + heldElsewhere(), value };
  });
  // Round by round, so that a machine that is busy for a while slows down all of them.
  const times = runs.map((): number[] => []);
  for (let round = 0; round < repetitions; round++)
    runs.forEach(({ value }, i) => {
      const begin = performance.now();
      gradient(value)(parameters);
      times[i]!.push(performance.now() - begin);
    });
  const reference = runs[0]!.gradient;
  const scale = Math.max(...reference.map(Math.abs));
  const rows = runs.map(({ value: _value, ...run }, i) => ({
    ...run,
    difference: Math.max(...run.gradient.map((g, k) => Math.abs(g - reference[k]!))) / scale,
    milliseconds: median(times[i]!),
  }));
  requireAgreement(rows);
  return rows;
};
