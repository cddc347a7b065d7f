/**
 * @file What an adjoint is: from a problem to its outputs and their pullback.
 *
 * **Contract.** `solve` runs the forward solve and returns the outputs with a pullback that may be called any number of times, with the same bits. Captured
 * tensors are those the field reads and somebody watches; they are known when the pullback is called. An adjoint says in its type which record it needs,
 * and whether it differentiates the solver's steps or the flow. With `solve: "openly"` whoever watches records the solve, operation by operation.
 */
import type { Cotangent } from "@dydt/autodiff";
import type { Tensor } from "@dydt/tensor";
import type { Outputs } from "./outcome.js";
import type { Problem } from "./problem.js";
import type { Step } from "./step.js";

/** Cotangents of the outputs; undefined where zero. */
export interface OutputCotangents {
  readonly ys: readonly Cotangent[];
  readonly y1: readonly Cotangent[];
  readonly penalties: readonly Cotangent[];
  /** By event: of its times `[n]`, and of the states there. */
  readonly events: readonly { readonly times: Cotangent; readonly states: readonly Cotangent[] }[];
}

/** Cotangents of the inputs; undefined where zero. */
export interface InputCotangents {
  readonly y0: readonly Cotangent[];
  /** Of the times that are tensors: t0, t1, then save times. */
  readonly times: readonly Cotangent[];
  readonly captured: readonly Cotangent[];
}

/** A forward solve with its reverse. */
export interface Differentiated {
  readonly outputs: Outputs;
  /** Every step end, t0 and t1 included. */
  readonly grid: readonly number[];
  readonly pullback: (cotangents: OutputCotangents, captured: readonly Tensor[]) => InputCotangents;
}

/** A way to differentiate a solve, for steps that are at least records R. It differentiates the steps themselves, and so their costs. */
export interface Adjoint<in R extends Step> {
  readonly name: string;
  readonly differentiates?: "steps";
  /** Whether it differentiates events; without it, a solve with events is refused. */
  readonly events?: true;
  /** Which records it needs: only the type is looked at, where adjoints of both kinds are allowed. */
  readonly takes?: (step: R) => void;
  readonly solve: <S extends R>(problem: Problem<S>) => Differentiated;
}

/** An adjoint that solves a differential equation of its own: it differentiates the flow, whatever the solver's steps were, and knows nothing of their costs. */
export interface ContinuousAdjoint<in R extends Step> {
  readonly name: string;
  readonly differentiates: "flow";
  readonly events?: true;
  readonly takes?: (step: R) => void;
  readonly solve: <S extends R>(problem: Problem<S>) => Differentiated;
}

/** No way back of its own: the solve is not hidden from whoever watches, and is differentiated as any other computation is. */
export interface OpenAdjoint<in R extends Step> {
  readonly name: string;
  readonly differentiates?: "steps";
  readonly events: true;
  readonly takes?: (step: R) => void;
  readonly solve: "openly";
}

/** An adjoint of any kind. */
export type AnyAdjoint<R extends Step> = Adjoint<R> | OpenAdjoint<R> | ContinuousAdjoint<R>;

/** The times of a problem that are tensors: t0, t1, then save times. */
export const differentiableTimes = <R extends Step>({ t0, t1, saves }: Problem<R>): readonly Tensor[] =>
  [t0, t1, ...saves].filter((t): t is Tensor => typeof t !== "number");
