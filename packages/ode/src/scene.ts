/**
 * @file The place where a solve failed: the last state, and f around it as plain numbers.
 */
import { allocatingIn, elementsOf, heap, tensor, unrecorded } from "@dydt/tensor";
import type { Tolerances } from "./controller.js";
import type { Attempt, Status } from "./errors.js";
import type { Problem } from "./problem.js";
import type { Leaves, Step } from "./step.js";
import { timeValue } from "./time.js";

/** What is known at the moment of a failure. */
export interface Circumstances<R extends Step> {
  readonly problem: Problem<R>;
  readonly t: number;
  /** The state there. */
  readonly y: Leaves;
  readonly recent: readonly Attempt[];
  /** The last accepted step. */
  readonly last: R | undefined;
  /** The last time before the steps became a hundred thousand times shorter than the longest: how far a solution that blows up can be trusted. */
  readonly resolved: number;
  /** The longest accepted step. */
  readonly longest: number;
  readonly tolerances: Tolerances | undefined;
  readonly solution: unknown;
}

/** A state or a slope, all its tensors in one list. */
export type Flat = Float64Array;

/** The last state and its surroundings. */
export interface Scene {
  readonly t: number;
  readonly y: Flat;
  /** Length of the last attempt, with the sign of the direction of the solve. */
  readonly h: number;
  readonly direction: 1 | -1;
  /** atol + rtol |y|, by component. */
  readonly scale: Flat;
  /** The rounding of the state's type. */
  readonly epsilon: number;
  readonly slope: (t: number, y: Flat) => Flat;
  /** f(t, y). */
  readonly f: Flat;
}

export const flatten = (leaves: Leaves): Flat => {
  const all = new Float64Array(leaves.reduce((count, leaf) => count + leaf.size, 0));
  let at = 0;
  for (const leaf of leaves) {
    all.set(elementsOf(leaf), at);
    at += leaf.size;
  }
  return all;
};

/** max |xᵢ|. */
export const largestOf = (x: Flat): number => x.reduce((most, one) => Math.max(most, Math.abs(one)), 0);

/** Looks around. What is evaluated here is not counted. A state that is about to overflow is made smaller, so that f can be evaluated there. */
export const sceneOf = <R extends Step>({ problem, t, y: state, recent, tolerances }: Circumstances<R>, status: Status): Scene => {
  const { term, y0, stats } = problem;
  const slope = (at: number, values: Flat): Flat => {
    const counted = stats.evaluations;
    try {
      return unrecorded(() =>
        allocatingIn(heap, () => {
          let from = 0;
          const state = y0.map(({ shape, size, dtype }) => tensor(values.subarray(from, (from += size)), { shape, dtype }));
          return flatten(term.slope(at, state));
        }),
      );
    } catch {
      return new Float64Array(values.length).fill(NaN); // a field that throws here must not hide the failure that is looked into
    } finally {
      stats.evaluations = counted;
    }
  };
  const given = flatten(state);
  const y = status === "nonFinite" && largestOf(given) > 1e100 ? given.map((one) => one * (1e60 / largestOf(given))) : given;
  const direction = timeValue(problem.t1) < timeValue(problem.t0) ? -1 : 1;
  const latest = recent[recent.length - 1];
  return {
    t,
    y,
    h: latest?.h ?? timeValue(problem.t1) - t,
    direction,
    scale: scaleOf(y0, y, tolerances),
    epsilon: y0[0]?.dtype === "float32" ? 1 / 8388608 : Number.EPSILON,
    slope,
    f: slope(t, y),
  };
};

/** By the controller's tolerances; where it has none, by those that would be the default. */
const scaleOf = (leaves: Leaves, y: Flat, tolerances: Tolerances | undefined): Flat => {
  const scale = new Float64Array(y.length);
  let at = 0;
  leaves.forEach(({ size }, i) => {
    const [rtol, atol] = [tolerances?.rtol[i] ?? [1e-6], tolerances?.atol[i] ?? [1e-9]];
    for (let j = 0; j < size; j++, at++) scale[at] = (atol[j] ?? atol[0]!) + (rtol[j] ?? rtol[0]!) * Math.abs(y[at]!);
  });
  return scale;
};
