/**
 * @file Extending: an operation of one's own, and how it is differentiated. This is the page to read; everything named here is public.
 *
 * **Three ways.** What is composed of the operations of @dydt/tensor has all derivatives already. A `primitive` computes numbers as it likes and states its rules:
 * `defineVjp` for reverse mode, `defineJvp` for forward mode (and so for Hessian-vector products and Taylor coefficients). A `custom` node has a pullback of
 * its own for one place: for reverse mode alone, once.
 *
 * **Contract.** A rule computes with tensor operations only, never from bare numbers, so that it can be differentiated again; it changes no tensor. A reverse rule
 * returns, for each argument, a cotangent of the shape and type of the argument (`undefined` for zero); a forward rule, for each argument, what its tangent
 * adds to the output's, of the shape and type of the output. The primitive itself may read `data`; nobody sees what it is made of. A rule that is missing,
 * also that of one argument, is a {@link MissingRuleError} at the first derivative that needs it. `checkGradients` compares both rules with differences and with each other.
 *
 * **Example.** The logarithm of the hyperbolic cosine, y = ln cosh x, without overflow; its slope is tanh x:
 *
 * @example
 * const logCosh = primitive("logCosh", (x: Tensor) => x.abs().add(x.abs().mul(-2).exp().add(1).log()).sub(Math.LN2));
 * defineVjp(logCosh, [(cotangent, _y, x) => cotangent.mul(x.tanh())]); // x̄ = ȳ tanh x
 * defineJvp(logCosh, [(tangent, _y, x) => tangent.mul(x.tanh())]); // ẏ = tanh x ẋ
 *
 * expectClose(gradient((x: Tensor) => logCosh(x).sum())(tensor([0, 800])), [0, 1]);
 * expectClose(hessianVectorProduct((x: Tensor) => logCosh(x).sum(), tensor([0, 1]), tensor([1, 0])), [1, 0]);
 * const report = checkGradients((x: Tensor) => logCosh(x).sum(), tensor([0.3, -2]), { order: 2 });
 * if (!report.passed) throw new Error(report.toString());
 *
 * // A product says that it is linear in each factor: then Taylor mode knows it as well.
 * const weigh = primitive("weigh", (x: Tensor, w: Tensor) => x.mul(w));
 * defineVjp(weigh, [(cotangent, _y, _x, w) => cotangent.mul(w), (cotangent, _y, x) => cotangent.mul(x)]);
 * defineJvp(weigh, ["linear", "linear"]);
 * expectClose(taylor((x: Tensor) => weigh(x, x), tensor(3), [tensor(1), tensor(0)]).coefficients[1]!, 1);
 */
import { carriedRules, DydtError, OptionError, type Operation, type Primitive } from "@dydt/tensor";
import type { JointRule, JvpRule, VjpRule } from "./rule.js";
import { elementwiseRules } from "./rules/elementwise.js";
import { indexingRules } from "./rules/indexing.js";
import { linalgRules } from "./rules/linalg.js";
import { movementRules } from "./rules/movement.js";
import { reduceRules } from "./rules/reduce.js";
import { scanRules } from "./rules/scan.js";

/** A primitive is differentiated that has no rule. */
export class MissingRuleError extends DydtError {
  override readonly name = "MissingRuleError";
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a table holds primitives of any arguments
type AnyRule = VjpRule<any> | JointRule<any>;

const rules = new Map<Operation, AnyRule | null>([
  ...elementwiseRules,
  ...reduceRules,
  ...movementRules,
  ...linalgRules,
  ...indexingRules,
  ...scanRules,
]);

/** The rule of an operation, null where every derivative is zero, undefined where there is none. */
export const knownRule = (operation: Operation): AnyRule | null | undefined => {
  const rule = rules.get(operation);
  return rule === undefined ? carriedRules(operation)?.vjp : rule;
};

/** What to say where there is none, or none of one argument. */
export const missingRule = (operation: Operation, argument?: number): MissingRuleError => missing("reverse", "defineVjp", operation, argument);

const missing = (mode: string, define: string, { op }: Operation, argument: number | undefined): MissingRuleError =>
  new MissingRuleError(
    argument === undefined
      ? `no ${mode} rule for ${op}: call ${define}(${op}, ...) where the primitive is made`
      : `no ${mode} rule for argument ${argument} of ${op}, counted from 0: give one in ${define}(${op}, [...]), or null where its derivative is zero`,
  );

/** @throws OptionError for what is neither null nor a list of functions, or of the names that stand for some. */
const requireRules = (define: string, primitive: Primitive | undefined, rule: unknown, named: readonly string[]): void => {
  if (primitive?.op === undefined)
    throw new OptionError(`${define} got ${typeof primitive} in the place of a primitive: make one with primitive(name, forward)`);
  if (rule !== null && !Array.isArray(rule))
    throw new OptionError(
      `${define} got ${typeof rule} for ${primitive.op}: give a list with a rule for each argument, or null where every derivative is zero`,
    );
  for (const [i, one] of ((rule as readonly unknown[] | null) ?? []).entries())
    if (typeof one !== "function" && one !== null && one !== undefined && !named.includes(one as string))
      throw new OptionError(
        `${define} got ${typeof one === "string" ? `"${one}"` : typeof one} as the rule of argument ${i} of ${primitive.op}, counted from 0: give a function${named.map((name) => `, "${name}"`).join("")} or null`,
      );
};

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a table holds primitives of any arguments
const forwardRules = new WeakMap<Operation, JvpRule<any> | null>();

/** The forward rule that {@link defineJvp} gave an operation; null for derivative zero, undefined where it gave none. The tables of the others are in linearize.ts. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- as above
export const definedJvp = (operation: Operation): JvpRule<any> | null | undefined => forwardRules.get(operation);

/** What to say where there is no forward rule, or none of one argument. */
export const missingJvp = (operation: Operation, argument?: number): MissingRuleError => missing("forward", "defineJvp", operation, argument);

/** Whether an operation is known to have derivative zero everywhere. */
export const hasZeroDerivative = (operation: Operation): boolean => knownRule(operation) === null;

/**
 * Gives a primitive its reverse rule.
 *
 * @param primitive - made by `primitive(name, forward)` of @dydt/tensor.
 * @param rule - per argument, the function (cotangent, output, ...args) that gives the argument's cotangent; null for constants; null in all for derivative zero.
 * One that is left out is a MissingRuleError where its argument is differentiated.
 * @returns the primitive.
 * @throws OptionError for a rule that is no list of functions.
 * @example
 * const cube = defineVjp(
 *   primitive("cube", (x: Tensor) => x.mul(x).mul(x)),
 *   [(cotangent, _output, x) => cotangent.mul(x.square().mul(3))],
 * );
 * expectClose(gradient((x: Tensor) => cube(x).sum())(tensor([1, 2])), [3, 12]);
 */
export const defineVjp = <A extends readonly unknown[]>(primitive: Primitive<A>, rule: VjpRule<A> | null): Primitive<A> => {
  requireRules("defineVjp", primitive, rule, []);
  rules.set(primitive, rule);
  return primitive;
};

/**
 * Gives a primitive its forward rule.
 *
 * @param primitive - made by `primitive(name, forward)` of @dydt/tensor.
 * @param rule - per argument "linear" where the primitive is linear in it while the others are held, or the function (tangent, output, ...args) that gives what
 * the argument's tangent adds to the output's; null for constants; null in all for derivative zero. One that is left out is a MissingRuleError where its argument
 * is differentiated.
 * @returns the primitive.
 * @throws OptionError for a rule that is no list of functions, or "linear".
 * @example
 * const cube = defineJvp(
 *   primitive("cube", (x: Tensor) => x.mul(x).mul(x)),
 *   [(tangent, _output, x) => tangent.mul(x.square().mul(3))],
 * );
 * expectClose(jvp((x: Tensor) => cube(x), tensor([1, 2]), tensor([1, 1])).tangent, [3, 12]);
 */
export const defineJvp = <A extends readonly unknown[]>(primitive: Primitive<A>, rule: JvpRule<A> | null): Primitive<A> => {
  requireRules("defineJvp", primitive, rule, ["linear"]);
  forwardRules.set(primitive, rule);
  return primitive;
};
