/**
 * @file Nodes for users: `custom`, with a pullback of one's own, and `checkpoint`, which keeps the inputs and computes again.
 */
import { copyOut, DydtError, formatShape, inTemporaryRegion, leavesLike, leavesOf, synchronous, unflatten, type Tensor } from "@dydt/tensor";
import { node } from "./node.js";
import type { Cotangent } from "./rule.js";
import { tapeOver } from "./vjp.js";

/** A custom node reads a differentiated tensor that is not among its inputs. */
export class UndeclaredInputError extends DydtError {
  override readonly name = "UndeclaredInputError";
}

/**
 * One operation with a pullback of one's own. Nothing inside `forward` is recorded.
 *
 * In reverse it can be differentiated once: a second reverse is an error, since the pullback is not recorded. Forward modes see through it: `jvp` follows the
 * operations of `forward`, not the pullback, and Hessian-vector products follow those of the pullback.
 *
 * @param inputs - a tree of the tensors that `forward` depends on.
 * @param forward - computes the outputs and their pullback, from a cotangent of the form of the outputs to one of the form of the inputs.
 * @returns the outputs.
 * @throws UndeclaredInputError when `forward` reads a differentiated tensor that is not among the inputs: its gradient would be zero.
 * @example
 * const clippedGradient = (x: Tensor) => custom(x, () => ({ outputs: x.mul(1), pullback: (cotangent: Tensor) => cotangent.clip(-1, 1) }));
 * expectClose(gradient((x: Tensor) => clippedGradient(x).mul(5).sum())(tensor([2])), [1]);
 */
export const custom = <X, Y>(inputs: X, forward: () => { readonly outputs: Y; readonly pullback: (cotangent: Y) => NoInfer<X> }): Y => {
  const leaves = leavesOf(inputs);
  let form: Y | undefined;
  const outputs = node("custom", leaves, () => {
    const { outputs, pullback } = forward();
    form = outputs;
    const computed = leavesOf(outputs);
    return {
      outputs: computed,
      pullback: (cotangents, captured) => {
        const [first] = captured;
        if (first !== undefined)
          throw new UndeclaredInputError(
            `a custom node reads a differentiated tensor of shape ${formatShape(first.shape)} made by ${first.op} that is not among its inputs: declare it, or its gradient would be zero`,
          );
        return leavesLike(
          inputs,
          pullback(
            unflatten(
              outputs,
              cotangents.map((cotangent, i) => cotangent ?? computed[i]!.mul(0)),
            ),
          ),
        );
      },
    };
  });
  return unflatten(form as Y, outputs);
};

/**
 * A function that keeps only its arguments for the reverse pass, and computes again there: memory for time.
 *
 * Closures are found, and derivatives of any order are right, since the second computation is recorded.
 *
 * @param f - from trees of tensors to a tree of tensors.
 * @returns a function with the same values and derivatives. Cost: f once forward and once more for each pullback.
 * @example
 * const layer = checkpoint((x: Tensor) => x.tanh().square());
 * const at = tensor([0.5]);
 * const plain = gradient((x: Tensor) => x.tanh().square().sum())(at);
 * expectClose(gradient((x: Tensor) => layer(x).sum())(at).sub(plain), [0]);
 */
export const checkpoint =
  <A extends readonly unknown[], Y>(f: (...args: A) => Y) =>
  (...args: A): Y => {
    const inputs = leavesOf(args);
    let form: Y | undefined;
    const outputs = node(
      "checkpoint",
      inputs,
      () =>
        inTemporaryRegion("tape", (outside) => {
          form = synchronous(f(...args));
          const computed = leavesOf(form).map((y) => copyOut(y, outside));
          const pullback = (cotangents: readonly Cotangent[], captured: readonly Tensor[]): readonly Cotangent[] =>
            inTemporaryRegion("tape", (home) => {
              const { outputs: again, reverse } = tapeOver(() => leavesOf(f(...args)), [...inputs, ...captured]);
              return copyOut(reverse(again.map((_, i) => cotangents[i])), home);
            });
          return { outputs: computed, pullback };
        }),
      { recordsReverse: true, mayRunOpenly: true },
    );
    return unflatten(form as Y, outputs);
  };
