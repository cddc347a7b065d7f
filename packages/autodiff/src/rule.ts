/**
 * @file Tables of rules: entries that are checked against the arguments of their primitives, and what rules are made of. What a rule is stands in rule.ts of
 * @dydt/tensor.
 */
import {
  broadcastTo, isTensor, mul, sameShape, sumTo, type Operand, type Primitive, type Tensor, type JointJvpRule, type JointRule, type JvpRule, type VjpRule,
} from "@dydt/tensor"; // prettier-ignore

export type {
  ArgumentRule, ArgumentTangentRule, Cotangent, JointJvpRule, JointRule, JvpRule, Tangent, TangentOf, VjpRule, Wanted,
} from "@dydt/tensor"; // prettier-ignore

/** A primitive with its rule; null in place of the rule when every derivative is zero. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a table holds primitives of any arguments
export type VjpEntry = readonly [Primitive, VjpRule<any> | JointRule<any> | null];

/** An entry of a table, checked against the primitive's arguments. */
export const vjpEntry = <A extends readonly unknown[]>(primitive: Primitive<A>, ...rule: VjpRule<A>): VjpEntry => [primitive, rule];

/** An entry with one rule for all arguments. */
export const jointEntry = <A extends readonly unknown[]>(primitive: Primitive<A>, rule: JointRule<A>): VjpEntry => [primitive, rule];

/** An entry for a primitive whose derivative is zero wherever it exists. */
export const withoutDerivative = (primitive: Primitive): VjpEntry => [primitive, null];

/** A primitive with its forward rule. Those whose derivative is zero say so by {@link withoutDerivative} in the reverse table. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a table holds primitives of any arguments
export type JvpEntry = readonly [Primitive, JvpRule<any> | JointJvpRule<any>];

/** An entry of a forward table, checked against the primitive's arguments. */
export const jvpEntry = /* @__NO_SIDE_EFFECTS__ */ <A extends readonly unknown[]>(primitive: Primitive<A>, ...rule: JvpRule<A>): JvpEntry => [
  primitive,
  rule,
];

/** An entry with one forward rule for all arguments. */
export const jointJvpEntry = /* @__NO_SIDE_EFFECTS__ */ <A extends readonly unknown[]>(primitive: Primitive<A>, rule: JointJvpRule<A>): JvpEntry => [
  primitive,
  rule,
];

/** A rule that multiplies what goes through, element by element, by something made of the point alone, which is made once for all that goes through. */
export interface SlopeRule<A extends readonly unknown[]> {
  (through: Tensor, output: Tensor, ...args: A): Tensor;
  readonly slope: (output: Tensor, ...args: A) => Tensor;
}

/** The rule of an argument with this slope ∂y/∂x. */
export const bySlope = /* @__NO_SIDE_EFFECTS__ */ <A extends readonly unknown[]>(slope: (output: Tensor, ...args: A) => Tensor): SlopeRule<A> =>
  Object.assign((through: Tensor, output: Tensor, ...args: A): Tensor => mul(through, slope(output, ...args)), { slope });

/** Forward rules of operations that act on each element for itself: there a tangent goes forward as a cotangent goes back. */
export const pointwise = /* @__NO_SIDE_EFFECTS__ */ (reverse: readonly VjpEntry[], primitives: readonly Primitive[]): readonly JvpEntry[] =>
  reverse.flatMap(([primitive, rule]) =>
    primitives.includes(primitive) && Array.isArray(rule) ? [[primitive, rule as JvpRule<readonly unknown[]>]] : [],
  );

/** A tangent that is added to all of an output that its operand was repeated along. */
export const spread = (tangent: Tensor, output: Tensor): Tensor =>
  sameShape(tangent.shape, output.shape) ? tangent : broadcastTo(tangent, output.shape);

/** Sums a cotangent over the axes along which its operand was repeated. */
export const unbroadcast = (cotangent: Tensor, operand: Operand): Tensor =>
  isTensor(operand) && !sameShape(cotangent.shape, operand.shape) ? sumTo(cotangent, operand.shape) : cotangent;
