/**
 * @file Step records: what one step of a solver is, and what it knows besides.
 *
 * Controllers, regularizers and adjoints say in their type which record they need, solvers which they make: whether a combination is legal is a matter
 * of structure, decided by the compiler.
 */
import { allocatingIn, copy, currentRegion, heap, type Tensor } from "@dydt/tensor";
import type { Time } from "./time.js";

/** A state as a list of its tensors, in the order of its tree. */
export type Leaves = readonly Tensor[];

/** Copies on the heap, which no solve writes to again and nobody releases. */
export const heapCopies = (leaves: Leaves): Leaves => allocatingIn(heap, () => leaves.map((leaf) => copy(leaf)));

/** One step of a solver, from (t0, y0) to (t1, y1). */
export interface Step {
  readonly t0: number;
  readonly t1: number;
  /** t1 - t0, as a tensor where times are differentiated. */
  readonly h: Time;
  readonly y0: Leaves;
  readonly y1: Leaves;
  /** What the solver remembers for the next step; empty when nothing. */
  readonly carry: Leaves;
}

/** A step with an estimate of its error. */
export interface EmbeddedStep extends Step {
  /** The estimated error of y1, by component. */
  readonly error: Leaves;
}

/** A step that can be evaluated in between. */
export interface DenseStep extends Step {
  /** The state at a time from t0 to t1. */
  readonly at: (t: Time) => Leaves;
}

/** A step that its solver can undo. */
export interface ReversibleStep extends Step {
  readonly reversible: true;
}

/** Two evaluations of f at one time: the difference of the slopes and of the states they were taken at. */
export interface StagePair {
  readonly slopes: Leaves;
  readonly states: Leaves;
}

/** A step that can tell how stiff the problem is there. */
export interface StiffnessStep extends Step {
  /** Shampine's pair: ‖Δk‖ / ‖Δg‖ estimates the largest rate of f. */
  readonly stiffness: () => StagePair;
}

/** A value computed when it is first asked for, in the region that was open when the step was made. */
export const lazily = <T>(compute: () => T): (() => T) => {
  const region = currentRegion();
  let value: { readonly of: T } | undefined;
  return () => (value ??= { of: allocatingIn(region, compute) }).of;
};
