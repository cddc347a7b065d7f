/**
 * @file Forward mode: tangents go along with every tensor, one for each direction, and all of them along one evaluation of the function.
 *
 *   y = f(x),  ẏⱼ = (∂f/∂x) ẋⱼ
 *
 * A. Griewank, A. Walther, Evaluating Derivatives, 2nd ed., SIAM 2008, table 3.2.
 */
import { isTensor, type Tensor } from "@dydt/tensor";
import { requireTrees, runAlong, type Along, type Mode } from "./forward.js";
import { linearize } from "./linearize.js";
import type { Tangent } from "./rule.js";

/** What goes along with a tensor: its tangents by direction, undefined where zero. */
type Tangents = readonly Tangent[];

/** What goes along with the arguments in one direction; undefined when nothing does. */
const inDirection = (j: number, args: readonly unknown[], along: readonly Along<Tangents>[]): readonly Along<Tensor>[] | undefined => {
  let moves = false;
  const tangents = args.map((arg, i): Along<Tensor> => {
    const one = along[i];
    if (one === undefined) return undefined;
    const tangent = isTensor(arg) ? (one as Tangents)[j] : (one as readonly (Tangents | undefined)[]).map((part) => part?.[j]);
    if (tangent === undefined || (!isTensor(tangent) && tangent.every((part) => part === undefined))) return undefined;
    moves = true;
    return tangent;
  });
  return moves ? tangents : undefined;
};

const tangentMode = (directions: number): Mode<Tangents> => ({
  order: 1,
  tensors: (tangents) => tangents.filter((one) => one !== undefined),
  map: (tangents, f) => tangents.map((one) => one && f(one)),
  through: (operation, args, along, output) => {
    const map = linearize(operation, args, output);
    if (map === null) return undefined;
    const tangents = Array.from({ length: directions }, (_, j): Tangent => {
      const moving = inDirection(j, args, along);
      return moving && map(moving);
    });
    return tangents.some((one) => one !== undefined) ? tangents : undefined;
  },
});

/**
 * Value and directional derivatives of a function in several directions, all in one run.
 *
 * Each operation computes its value once, and what the directions share of its derivative once: the tangents have the bits of as many calls of {@link jvp}.
 *
 * Cost: one evaluation of f, and about one more for each direction; memory: that of the evaluation and as much for each direction.
 *
 * @param f - from a tree of tensors to a tree of tensors. It may close over any others; those are constants here.
 * @param x - where; float64 or float32 leaves.
 * @param directions - any number of trees like x; with none, f is just evaluated.
 * @returns `value` = f(x), and `tangents`: for each direction v, in order, (∂f/∂x) v of the form of the value.
 * @throws what {@link jvp} throws.
 * @example
 * // The divergence of a field in the plane.
 * const { value, tangents } = pushforward((x: Tensor) => x.square(), tensor([1, 2]), [tensor([1, 0]), tensor([0, 1])]);
 * expectClose(value, [1, 4]);
 * expectClose(tangents[0].at(0).add(tangents[1].at(1)), 6);
 */
export const pushforward = <X, Y, const V extends readonly NoInfer<X>[]>(
  f: (x: X) => Y,
  x: X,
  directions: V,
): { readonly value: Y; readonly tangents: { readonly [J in keyof V]: Y } } => push("pushforward", f, x, directions);

const push = <X, Y, V extends readonly X[]>(
  who: string,
  f: (x: X) => Y,
  x: X,
  directions: V,
): { readonly value: Y; readonly tangents: { readonly [J in keyof V]: Y } } => {
  requireTrees(who, directions);
  const { value, along } = runAlong(who, tangentMode(directions.length), f, x, directions, false);
  return { value, tangents: along as { readonly [J in keyof V]: Y } };
};

/**
 * Value and directional derivative of a function in one run: {@link pushforward} in one direction.
 *
 * Cost: about two evaluations of f, and twice its memory, however long the computation; a solve is followed step by step, and stores nothing.
 *
 * @param f - from a tree of tensors to a tree of tensors. It may close over any others; those are constants here.
 * @param x - where; float64 or float32 leaves.
 * @param v - the direction: a tree like x.
 * @returns `value` = f(x) and `tangent` = (∂f/∂x) v, of the form of the value.
 * @throws MissingRuleError for a primitive without a forward rule, saying how to add it; ShapeError, DtypeError when v does not fit x.
 * @example
 * const { value, tangent } = jvp((x: Tensor) => x.square(), tensor([1, 2, 3]), tensor([1, 0, 1]));
 * expectClose(value, [1, 4, 9]);
 * expectClose(tangent, [2, 0, 6]);
 */
export const jvp = <X, Y>(f: (x: X) => Y, x: X, v: NoInfer<X>): { readonly value: Y; readonly tangent: Y } => {
  const { value, tangents } = push("jvp", f, x, [v] as const);
  return { value, tangent: tangents[0] };
};
