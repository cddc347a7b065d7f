/**
 * @file What a derivative rule is: for each argument of a primitive, how its cotangent follows from the output's, and how the output's tangent follows from its.
 *
 * For y = f(x₁, x₂, ...) and the cotangent ȳ of y, entry i of a reverse rule computes x̄ᵢ = (∂f/∂xᵢ)ᵀ ȳ; for tangents ẋ of x, entry i of a forward rule computes
 * (∂f/∂xᵢ) ẋᵢ, and ẏ is their sum. Rules are made of primitives, so they can be differentiated again.
 *
 * Nothing here differentiates. Operations that every tensor has as methods have their rules in tables beside the tape; one that a program must import by its name
 * carries its own, so that programs without it have neither.
 */
import type { Primitive } from "./primitive.js";
import type { Operation } from "./recorder.js";
import type { Tensor } from "./tensor.js";

/** A cotangent, or undefined where it is zero. */
export type Cotangent = Tensor | undefined;

/** x̄ᵢ from ȳ, y and the arguments: a tensor for a tensor, a list for a list of tensors. Called only where xᵢ, or one of its list, is watched. */
export type ArgumentRule<A extends readonly unknown[]> = (cotangent: Tensor, output: Tensor, ...args: A) => Cotangent | readonly Cotangent[];

/** A reverse rule, argument by argument; null for constants. */
export type VjpRule<A extends readonly unknown[]> = { readonly [I in keyof A]: ArgumentRule<A> | null };

/** What a joint rule is asked for one tensor: nothing (false), its cotangent (true), or that to be added, in place, to this tensor, which nobody else holds. */
export type Wanted = boolean | Tensor;

/**
 * A reverse rule for all arguments at once, where they share work.
 *
 * `wanted` has an entry for each argument, a list for a list of tensors, and so has the result: the cotangent, which is that of the output itself or a tensor that
 * nobody else holds; the tensor it was added to, where the rule did that; undefined where nothing is wanted or the cotangent is zero.
 */
export type JointRule<A extends readonly unknown[]> = (
  cotangent: Tensor,
  output: Tensor,
  wanted: readonly (Wanted | readonly Wanted[])[],
  ...args: A
) => readonly (Cotangent | readonly Cotangent[])[];

/** A tangent, or undefined where it is zero. */
export type Tangent = Tensor | undefined;

/** What an argument's tangent is: a tensor for a tensor, a list for a list of tensors. */
export type TangentOf<T> = T extends readonly Tensor[] ? readonly Tangent[] : Tensor;

/** How the tangent of one argument moves the output. Called only where there is one. */
export type ArgumentTangentRule<A extends readonly unknown[], T> = (tangent: TangentOf<NonNullable<T>>, output: Tensor, ...args: A) => Tangent;

/**
 * A forward rule, argument by argument; their results are added. "linear" where the primitive is linear in that argument while the others are held: its tangent
 * takes its place (in a list, zeros where there is none). null for constants.
 */
export type JvpRule<A extends readonly unknown[]> = { readonly [I in keyof A]: "linear" | ArgumentTangentRule<A, A[I]> | null };

/**
 * A forward rule for all arguments at once, where they share work: at a point the linear map from their tangents (lists of them for lists of tensors) to that of
 * the output. What it makes of the point alone is made once for all tangents that go through.
 */
export type JointJvpRule<A extends readonly unknown[]> = (
  output: Tensor,
  ...args: A
) => (tangents: { readonly [I in keyof A]: Tangent | (NonNullable<A[I]> extends readonly Tensor[] ? readonly Tangent[] : never) }) => Tangent;

/**
 * The rules that a primitive of this package carries; null in place of a rule when every derivative is zero.
 *
 * @internal
 */
export interface CarriedRules<A extends readonly unknown[]> {
  readonly vjp: VjpRule<A> | JointRule<A> | null;
  readonly jvp: JvpRule<A> | JointJvpRule<A> | null;
}

/**
 * A primitive of this package with its rules; others are given theirs by `defineVjp` and `defineJvp` of @dydt/autodiff.
 *
 * @internal
 */
export const withRules = /* @__NO_SIDE_EFFECTS__ */ <A extends readonly unknown[]>(primitive: Primitive<A>, rules: CarriedRules<A>): Primitive<A> =>
  Object.defineProperty(primitive, "rules", { value: rules });

/**
 * The rules that an operation carries; undefined where it carries none.
 *
 * @internal
 */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- rules of any arguments
export const carriedRules = (operation: Operation): CarriedRules<any> | undefined => (operation as { readonly rules?: CarriedRules<any> }).rules;
