/**
 * @file What a derivative rule is: for each argument of a primitive, how its cotangent follows from the output's, and how the output's tangent follows from its.
 *
 * For y = f(x₁, x₂, ...) and the cotangent ȳ of y, entry i of a reverse rule computes x̄ᵢ = (∂f/∂xᵢ)ᵀ ȳ; for tangents ẋ of x, entry i of a forward rule computes
 * (∂f/∂xᵢ) ẋᵢ, and ẏ is their sum. Rules are made of primitives, so they can be differentiated again.
 */
import { broadcastTo, isTensor, sameShape, sumTo, type Operand, type Primitive, type Tensor } from "@dydt/tensor";

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

/** A tangent, or undefined where it is zero. */
export type Tangent = Tensor | undefined;

/** What an argument's tangent is: a tensor for a tensor, a list for a list of tensors. */
export type TangentOf<T> = T extends readonly Tensor[] ? readonly Tangent[] : Tensor;

/** How the tangent of one argument moves the output. Called only where there is one. */
export type ArgumentTangentRule<A extends readonly unknown[], T> = (tangent: TangentOf<NonNullable<T>>, output: Tensor, ...args: A) => Tangent;

/**
 * One rule for each argument; their results are added. "linear" where the primitive is linear in that argument while the others are held: its tangent takes its
 * place (in a list, zeros where there is none). null for constants.
 */
export type JvpRule<A extends readonly unknown[]> = { readonly [I in keyof A]: "linear" | ArgumentTangentRule<A, A[I]> | null };

/** One rule for all arguments, for those that share work: from their tangents (lists of them for lists of tensors) to that of the output. */
export type JointJvpRule<A extends readonly unknown[]> = (
  tangents: { readonly [I in keyof A]: Tangent | (NonNullable<A[I]> extends readonly Tensor[] ? readonly Tangent[] : never) },
  output: Tensor,
  ...args: A
) => Tangent;

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
