/**
 * @file `integrate`: the accepted steps of a solve, one at a time, as trees.
 */
import { unflatten, type Tensor, type TreeOf } from "@dydt/tensor";
import { begin } from "./integrate.js";
import { problemFrom, type DefaultStep, type SolveOptions } from "./solve.js";
import type { DenseStep, EmbeddedStep, Leaves, Step } from "./step.js";
import type { Time } from "./time.js";

/** A step with its states as trees. */
export type TreeStep<Y, R extends Step> = {
  readonly t0: number;
  readonly t1: number;
  readonly y0: Y;
  readonly y1: Y;
} & (R extends EmbeddedStep ? { /** The estimated error of y1. */ readonly error: Y } : unknown) &
  (R extends DenseStep ? { /** The state at a time of the step. */ readonly at: (t: Time) => Y } : unknown);

/**
 * Yields the accepted steps of a solve, for saving, progress, streaming sums or manual stepping.
 *
 * Each record owns its memory. A loop over `integrate` is recorded operation by operation by whoever watches: the reference that every adjoint must agree with.
 *
 * @param f - the field, as for `solve`.
 * @param y0 - the initial state.
 * @param options - those of `solve`; save times, adjoint and regularizers have no meaning here.
 * @returns a generator; leave the loop when you have enough.
 * @throws what `solve` throws, from the step that fails.
 * @example
 * let steps = 0;
 * for (const step of integrate((t, y) => y.neg(), tensor([1]), { t0: 0, t1: 10 })) if (step.y1.item() > 0.01) steps++;
 * if (steps < 3) throw new Error("too few steps");
 */
export function* integrate<Y, R extends Step = DefaultStep>(
  f: (t: Tensor, y: Y) => NoInfer<Y>,
  y0: Y & TreeOf<Y>,
  options: SolveOptions<R>,
): Generator<TreeStep<Y, R>, void> {
  const form: Y = y0;
  const tree = (leaves: Leaves): Y => unflatten(form, leaves);
  const { steps } = begin(problemFrom(f, form, options), "heap");
  for (const step of steps) {
    const record: TreeStep<Y, Step> = { t0: step.t0, t1: step.t1, y0: tree(step.y0), y1: tree(step.y1) };
    if ("error" in step) Object.defineProperty(record, "error", { get: () => tree((step as unknown as EmbeddedStep).error), enumerable: true });
    if ("at" in step) Object.assign(record, { at: (t: Time) => tree((step as unknown as DenseStep).at(t)) });
    yield record as TreeStep<Y, R>;
  }
}
