/**
 * @file `integrate`: the accepted steps of a solve, one at a time, as trees.
 */
import type { Tensor, TreeOf } from "@dydt/tensor";
import { begin } from "./integrate.js";
import { problemFrom, type DefaultStep, type SolveOptions } from "./settings.js";
import type { Step } from "./step.js";
import { treeStep, type TreeStep } from "./tree-step.js";

/**
 * Yields the accepted steps of a solve, for saving, progress, streaming sums or manual stepping.
 *
 * Each record owns its memory. A loop over `integrate` is recorded operation by operation by whoever watches: the reference that every adjoint must agree with.
 *
 * @param f - the field, as for `solve`.
 * @param y0 - the initial state.
 * @param options - those of `solve`; save times, adjoint and regularizers have no meaning here. With `throw: false` a failure ends the loop.
 * @returns a generator; leave the loop when you have enough. Each step has `resume`, with which another loop goes on from there.
 * @throws what `solve` throws, from the step that fails.
 * @example
 * let steps = 0;
 * for (const step of integrate((t, y) => y.neg(), tensor([1]), { t0: 0, t1: 10 })) if (step.y1.item() > 0.01) steps++;
 * if (steps < 3) throw new Error("too few steps");
 */
export function* integrate<Y, R extends Step = DefaultStep>(
  f: (t: Tensor, y: Y) => NoInfer<Y>,
  y0: Y & TreeOf<Y>,
  options: SolveOptions<R, NoInfer<Y>>,
): Generator<TreeStep<Y, R>, void> {
  const form: Y = y0;
  const { steps, stand } = begin(problemFrom<Y, R>(f, form, options), "heap");
  for (const step of steps) yield treeStep(form, step, stand(), (leaves) => leaves);
}
