/**
 * @file Forward mode: a tangent goes along with every tensor.
 *
 *   y = f(x),  ẏ = (∂f/∂x) ẋ
 *
 * A. Griewank, A. Walther, Evaluating Derivatives, 2nd ed., SIAM 2008, table 3.2.
 */
import {
  activeRecorders, add, copyOut, identity, inTemporaryRegion, isTensor, leavesLike, leavesOf, recordingWith, synchronous, unflatten, zerosLike,
  type Operation, type Primitive, type Tensor,
} from "@dydt/tensor"; // prettier-ignore
import { definedJvp, hasZeroDerivative, missingJvp } from "./extend.js";
import { forward, requireTangents, type Along, type Mode } from "./forward.js";
import type { JointJvpRule, JvpRule, Tangent } from "./rule.js";
import { convolutionTangents } from "./rules/convolution.js";
import { elementwiseTangents } from "./rules/elementwise.js";
import { indexingTangents } from "./rules/indexing.js";
import { linalgTangents } from "./rules/linalg.js";
import { movementTangents } from "./rules/movement.js";
import { reduceTangents } from "./rules/reduce.js";
import { scanTangents } from "./rules/scan.js";
import { solvingTangents } from "./rules/solving.js";

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a table holds primitives of any arguments
type AnyJvpRule = JvpRule<any> | JointJvpRule<any>;

const table = /* @__PURE__ */ new Map<Operation, AnyJvpRule>(
  /* @__PURE__ */ [
    ...elementwiseTangents, reduceTangents, movementTangents, linalgTangents, convolutionTangents, indexingTangents, scanTangents, solvingTangents,
  ].flat(),
); // prettier-ignore

/** The forward rule of an operation; null where every derivative is zero. @throws MissingRuleError where there is none. */
export const jvpRuleOf = (operation: Operation): AnyJvpRule | null => {
  const own = definedJvp(operation);
  if (own !== undefined) return own;
  const rule = table.get(operation);
  if (rule !== undefined) return rule;
  if (hasZeroDerivative(operation)) return null;
  throw missingJvp(operation);
};

/** The arguments with a tangent in the place of one of them: zeros in a list where there is none. */
export const replaced = (args: readonly unknown[], i: number, tangent: Along<Tensor>): readonly unknown[] => {
  const others = args.slice();
  others[i] = isTensor(tangent) ? tangent : (args[i] as readonly Tensor[]).map((x, k) => (tangent as readonly Tangent[])[k] ?? zerosLike(x));
  return others;
};

/** The tangent of an output, from those of the arguments. */
export const pushForward = (operation: Operation, args: readonly unknown[], tangents: readonly Along<Tensor>[], output: Tensor): Tangent => {
  const rule = jvpRuleOf(operation);
  if (rule === null) return undefined;
  if (typeof rule === "function") return (rule as JointJvpRule<readonly unknown[]>)(tangents as readonly Tangent[], output, ...args);
  const rules = rule as JvpRule<readonly unknown[]>;
  let sum: Tangent;
  for (let i = 0; i < args.length; i++) {
    const tangent = tangents[i];
    const one = rules[i];
    if (tangent === undefined || one === null || one === undefined) continue;
    const part =
      one === "linear" ? (operation as Primitive<readonly unknown[]>)(...replaced(args, i, tangent)) : one(tangent as Tensor, output, ...args);
    if (part !== undefined) sum = sum === undefined ? part : add(sum, part);
  }
  return sum;
};

const tangentMode: Mode<Tensor> = { order: 1, tensors: (tangent) => [tangent], map: (tangent, f) => f(tangent), through: pushForward };

/**
 * Value and directional derivative of a function in one run.
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
export const jvp = <X, Y>(f: (x: X) => Y, x: X, v: NoInfer<X>): { readonly value: Y; readonly tangent: Y } =>
  inTemporaryRegion("tape", (outside) => {
    // Watched under new headers: a tensor that f also closes over stays a constant there.
    const leaves = leavesOf(x).map((leaf) => identity(leaf));
    const directions = leavesLike(x, v);
    requireTangents("jvp", leaves, directions);
    const { recorder, along, begin, end } = forward(tangentMode);
    try {
      leaves.forEach((leaf, i) => begin(leaf, directions[i]!));
      const value = recordingWith([...activeRecorders(), recorder], () => synchronous(f(unflatten(x, leaves))));
      const tangent = unflatten(
        value,
        leavesOf(value).map((y) => along(y) ?? zerosLike(y)),
      );
      return copyOut({ value, tangent }, outside);
    } finally {
      end();
    }
  });
