/**
 * @file What a derivative rule is: for each argument of a primitive, how its cotangent follows from the output's.
 *
 * For y = f(x₁, x₂, ...) and the cotangent ȳ of y, entry i computes x̄ᵢ = (∂f/∂xᵢ)ᵀ ȳ. Rules are made of primitives, so they can be differentiated again.
 */
import { isTensor, sameShape, sumTo, type Operand, type Primitive, type Tensor } from "@dydt/tensor";

/** A cotangent, or undefined where it is zero. */
export type Cotangent = Tensor | undefined;

/** The cotangent of one argument: a tensor for a tensor, a list for a list of tensors. Called only for arguments that are watched. */
export type ArgumentRule<A extends readonly unknown[]> = (cotangent: Tensor, output: Tensor, ...args: A) => Cotangent | readonly Cotangent[];

/** One rule for each argument, null for constants. */
export type VjpRule<A extends readonly unknown[]> = { readonly [I in keyof A]: ArgumentRule<A> | null };

/** Whether the cotangent of an argument is asked for; a tensor where it may be added to that one in place, which is then returned. */
export type Wanted = boolean | Tensor;

/**
 * One rule for all arguments, for those that share work. For each argument that is wanted it gives the output's cotangent itself, or a tensor that nobody else
 * holds, or the tensor that it added to; for a list of tensors, lists of these.
 */
export type JointRule<A extends readonly unknown[]> = (
  cotangent: Tensor,
  output: Tensor,
  wanted: readonly (Wanted | readonly Wanted[])[],
  ...args: A
) => readonly (Cotangent | readonly Cotangent[])[];

/** A primitive with its rule; null in place of the rule when every derivative is zero. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a table holds primitives of any arguments
export type VjpEntry = readonly [Primitive, VjpRule<any> | JointRule<any> | null];

/** An entry of a table, checked against the primitive's arguments. */
export const vjpEntry = <A extends readonly unknown[]>(primitive: Primitive<A>, ...rule: VjpRule<A>): VjpEntry => [primitive, rule];

/** An entry with one rule for all arguments. */
export const jointEntry = <A extends readonly unknown[]>(primitive: Primitive<A>, rule: JointRule<A>): VjpEntry => [primitive, rule];

/** An entry for a primitive whose derivative is zero wherever it exists. */
export const withoutDerivative = (primitive: Primitive): VjpEntry => [primitive, null];

/** Sums a cotangent over the axes along which its operand was repeated. */
export const unbroadcast = (cotangent: Tensor, operand: Operand): Tensor =>
  isTensor(operand) && !sameShape(cotangent.shape, operand.shape) ? sumTo(cotangent, operand.shape) : cotangent;
