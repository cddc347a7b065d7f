/**
 * @file Rules: the tables of the operations that exist, and `defineVjp` for one's own.
 *
 * Contract: a rule computes each cotangent with tensor operations only, never from bare numbers, so that it can be differentiated again; it changes no tensor;
 * it returns a cotangent of the shape and element type of the argument.
 */
import { DydtError, type Operation, type Primitive } from "@dydt/tensor";
import type { JointRule, VjpRule } from "./rule.js";
import { elementwiseRules } from "./rules/elementwise.js";
import { linalgRules } from "./rules/linalg.js";
import { movementRules } from "./rules/movement.js";
import { reduceRules } from "./rules/reduce.js";

/** A primitive is differentiated that has no rule. */
export class MissingRuleError extends DydtError {
  override readonly name = "MissingRuleError";
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a table holds primitives of any arguments
type AnyRule = VjpRule<any> | JointRule<any>;

const rules = new Map<Operation, AnyRule | null>([...elementwiseRules, ...reduceRules, ...movementRules, ...linalgRules]);

/** The rule of an operation, null where every derivative is zero, undefined where there is none. */
export const knownRule = (operation: Operation): AnyRule | null | undefined => rules.get(operation);

/** What to say where there is none. */
export const missingRule = (operation: Operation): MissingRuleError =>
  new MissingRuleError(`no reverse rule for ${operation.op}: call defineVjp(${operation.op}, ...) where the primitive is made`);

/** Whether an operation is known to have derivative zero everywhere. */
export const hasZeroDerivative = (operation: Operation): boolean => rules.get(operation) === null;

/**
 * Gives a primitive its reverse rule.
 *
 * @param primitive - made by `primitive(name, forward)` of @dydt/tensor.
 * @param rule - per argument, the function (cotangent, output, ...args) that gives the argument's cotangent; null for constants; null in all for derivative zero.
 * @returns the primitive.
 * @example
 * const cube = defineVjp(
 *   primitive("cube", (x: Tensor) => x.mul(x).mul(x)),
 *   [(cotangent, _output, x) => cotangent.mul(x.square().mul(3))],
 * );
 * expectClose(gradient((x: Tensor) => cube(x).sum())(tensor([1, 2])), [3, 12]);
 */
export const defineVjp = <A extends readonly unknown[]>(primitive: Primitive<A>, rule: VjpRule<A> | null): Primitive<A> => {
  rules.set(primitive, rule);
  return primitive;
};
