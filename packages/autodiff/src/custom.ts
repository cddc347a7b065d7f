/**
 * @file Nodes for users: `custom`, with a pullback of one's own, and `checkpoint`, which keeps the inputs and computes again.
 */
import {
  copyOut, DydtError, formatShape, identity, inTemporaryRegion, isFloat, leavesLike, leavesOf, OptionError, ShapeError, synchronous, unflatten, zerosLike, type Tensor,
} from "@dydt/tensor"; // prettier-ignore
import { requireFunctionAlone } from "./curried.js";
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
 * @param inputs - a tree of the tensors that `forward` depends on. Integers and masks need no derivative: what the pullback returns in their place is not looked at.
 * @param forward - computes the outputs and their pullback, from a cotangent of the form of the outputs (zeros for one that is not used) to one of the form of the
 * inputs, of their shapes and types.
 * @returns the outputs.
 * @throws UndeclaredInputError when `forward` reads a differentiated tensor that is not among the inputs: its gradient would be zero; OptionError when it returns
 * no outputs with a pullback; and from the reverse ShapeError or DtypeError when the pullback returns what does not fit the inputs.
 * @example
 * const clippedGradient = (x: Tensor) => custom(x, () => ({ outputs: x.mul(1), pullback: (cotangent: Tensor) => cotangent.clip(-1, 1) }));
 * expectClose(gradient((x: Tensor) => clippedGradient(x).mul(5).sum())(tensor([2])), [1]);
 */
export const custom = <X, Y>(inputs: X, forward: () => { readonly outputs: Y; readonly pullback: (cotangent: Y) => NoInfer<X> }): Y => {
  const leaves = leavesOf(inputs);
  let form: Y | undefined;
  const outputs = node(
    "custom",
    leaves,
    () => {
      const { outputs, pullback } = requireResult(forward);
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
          const given = cotangents.map((cotangent, i) => cotangent ?? zerosLike(computed[i]!));
          return leavesOfPulled(inputs, synchronous(pullback(unflatten(outputs, given))));
        },
      };
    },
    { secondDerivatives },
  );
  return unflatten(form as Y, outputs);
};

const secondDerivatives =
  "For second derivatives use jvp of gradient, as hessianVectorProduct does, or give a primitive its rules with defineVjp and defineJvp: they are made of operations, which are recorded";

/** What `forward` gives. @throws OptionError where that is no outputs with a pullback; AsynchronousBodyError for a promise. */
const requireResult = <R extends { readonly outputs: unknown; readonly pullback: unknown }>(forward: () => R): R => {
  if (typeof forward !== "function") throw new OptionError(`custom(inputs, forward) needs a function as forward, got ${typeof forward}`);
  const result: Partial<R> | null | undefined = synchronous(forward());
  if (typeof result?.pullback === "function" && result.outputs !== undefined) return result as R;
  throw new OptionError(
    `custom needs a forward that returns { outputs, pullback }, a tree of tensors and a function, but ${
      typeof result !== "object" || result === null
        ? `it returned ${String(result)}`
        : `its pullback is ${typeof result.pullback} and its outputs ${typeof result.outputs}`
    }`,
  );
};

/** @throws ShapeError, saying whose pullback it was, where the tree is not one of the form of the inputs. */
const leavesOfPulled = (inputs: unknown, pulled: unknown): readonly Tensor[] => {
  try {
    return leavesLike(inputs, pulled);
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error;
    throw new ShapeError(
      `the pullback of custom must return cotangents of the form of its inputs, zerosLike(x) where there is none, but ${error.message}`,
      { cause: error },
    );
  }
};

/**
 * A function that keeps only its arguments for the reverse pass, and computes again there: memory for time.
 *
 * Closures are found, and derivatives of any order are right, since the second computation is recorded.
 *
 * @param f - from trees of tensors to a tree of tensors. Integers and masks are handed in and out without derivatives.
 * @returns a function with the same values and derivatives. Cost: f once forward and once more for each pullback.
 * @throws OptionError for anything but the function alone.
 * @example
 * const layer = checkpoint((x: Tensor) => x.tanh().square());
 * const at = tensor([0.5]);
 * const plain = gradient((x: Tensor) => x.tanh().square().sum())(at);
 * expectClose(gradient((x: Tensor) => layer(x).sum())(at).sub(plain), [0]);
 */
export function checkpoint<A extends readonly unknown[], Y>(f: (...args: A) => Y): (...args: A) => Y;
export function checkpoint<A extends readonly unknown[], Y>(f: (...args: A) => Y, ...more: readonly unknown[]): (...args: A) => Y {
  requireFunctionAlone("checkpoint", f, more);
  return (...args) => {
    const inputs = leavesOf(args);
    const floats = inputs.filter(({ dtype }) => isFloat(dtype));
    let form: Y | undefined;
    const outputs = node(
      "checkpoint",
      inputs,
      () =>
        inTemporaryRegion("tape", (outside) => {
          form = synchronous(f(...args));
          // Under headers of their own: the node marks them, and a constant that f returns stays one for its owner.
          const computed = leavesOf(form).map((y) => identity(copyOut(y, outside)));
          const pullback = (cotangents: readonly Cotangent[], captured: readonly Tensor[]): readonly Cotangent[] =>
            inTemporaryRegion("tape", (home) => {
              const { outputs: again, reverse } = tapeOver(() => leavesOf(f(...args)), [...floats, ...captured]);
              const pulled = reverse(again.map((_, i) => cotangents[i]));
              let next = 0;
              return copyOut([...inputs.map((x) => (isFloat(x.dtype) ? pulled[next++] : undefined)), ...pulled.slice(floats.length)], home);
            });
          return { outputs: computed, pullback };
        }),
      { recordsReverse: true, mayRunOpenly: true },
    );
    return unflatten(form as Y, outputs);
  };
}
