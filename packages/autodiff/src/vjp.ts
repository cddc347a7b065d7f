/**
 * @file Vector-Jacobian products: run once, walk back as often as wanted.
 *
 *   y = f(x),  x̄ = (∂f/∂x)ᵀ ȳ
 */
import {
  DtypeError,
  identity,
  leavesLike,
  leavesOf,
  recordingWith,
  activeRecorders,
  sameShape,
  ShapeError,
  formatShape,
  synchronous,
  unflatten,
  zerosLike,
  type Tensor,
} from "@dydt/tensor";
import { requireFunction } from "./curried.js";
import type { Cotangent } from "./rule.js";
import { Tape } from "./tape.js";

/** What a body computed, and how to pull cotangents back through it. */
export interface Taped {
  readonly outputs: readonly Tensor[];
  /** Cotangents of the watched tensors, undefined where zero; `initial` is what they start from. */
  readonly reverse: (cotangents: readonly Cotangent[], initial?: readonly Cotangent[]) => readonly Cotangent[];
}

/**
 * Runs `body` while a tape watches exactly these tensors, as they are.
 *
 * What is computed lies in the innermost open region, and must live as long as `reverse` is called.
 */
export const tapeOver = (body: () => readonly Tensor[], watched: readonly Tensor[]): Taped => {
  const tape = new Tape();
  try {
    watched.forEach((x) => tape.watch(x));
    const inputs = watched.map((x) => tape.slot(x));
    const outputs = recordingWith([...activeRecorders(), tape], body);
    const slots = outputs.map((y) => tape.slot(y));
    return { outputs, reverse: (cotangents, initial) => tape.reverse(slots, cotangents, inputs, initial) };
  } finally {
    tape.end();
  }
};

/** A value with its pullback. */
export interface Pulled<X, Y> {
  readonly value: Y;
  /** Cotangents of x, of the form of x; zeros where y does not depend on it. May be called any number of times, with the same bits. */
  readonly pullback: (cotangent: Y) => X;
}

/**
 * Runs f and keeps how to pull cotangents back through it.
 *
 * Called outside any scope, it records on the heap, because its pullback outlives the call.
 *
 * @param f - from a tree of tensors to a tree of tensors. It may close over any others; those are constants here.
 * @param x - where; float64 or float32 leaves.
 * @returns `value` = f(x) and `pullback`, from a cotangent of the form of the value to one of the form of x.
 * @throws DtypeError when a leaf of x is an integer or a mask.
 * @example
 * const { value, pullback } = vjp((x: Tensor) => x.square(), tensor([1, 2, 3]));
 * expectClose(value, [1, 4, 9]);
 * expectClose(pullback(tensor([1, 0, 1])), [2, 0, 6]);
 */
export const vjp = <X, Y>(f: (x: X) => Y, x: X): Pulled<X, Y> => {
  requireFunction("vjp", f, "f, x");
  // Watched under new headers: a tensor that f also closes over stays a constant there.
  const leaves = leavesOf(x).map((leaf) => identity(leaf));
  let value: Y | undefined;
  const { outputs, reverse } = tapeOver(() => {
    value = synchronous(f(unflatten(x, leaves)));
    return leavesOf(value);
  }, leaves);
  const pullback = (cotangent: Y): X => {
    const given = leavesLike(value, cotangent);
    given.forEach((g, i) => {
      const y = outputs[i]!;
      if (!sameShape(g.shape, y.shape))
        throw new ShapeError(`a pullback got a cotangent of shape ${formatShape(g.shape)} for an output of shape ${formatShape(y.shape)}`);
      if (g.dtype !== y.dtype) throw new DtypeError(`a pullback got a cotangent of type ${g.dtype} for an output of type ${y.dtype}`);
    });
    return unflatten(
      x,
      reverse(given).map((g, i) => g ?? zerosLike(leaves[i]!)),
    );
  };
  return { value: value as Y, pullback };
};
