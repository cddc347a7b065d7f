/**
 * @file Fields that bring a term of their own, for solves that nobody differentiates: the way in for whoever integrates something faster than in tensors, so that
 * programs without such a field do not carry it.
 */
import type { Leaves } from "./step.js";
import type { Ode } from "./term.js";

/** Under this name a field has the maker of its term. */
export const ownTerm = /* @__PURE__ */ Symbol("the term of a field");

/** Makes the term of a field for an initial state, which is one tensor; `count` is to be called at each evaluation. */
export type OwnTerm = (leaves: Leaves, count: () => void) => Ode;

/** The maker of a field's own term; undefined where it has none. */
export const ownTermOf = (f: unknown): OwnTerm | undefined =>
  typeof f === "function" && ownTerm in f ? (f as { readonly [ownTerm]: OwnTerm })[ownTerm] : undefined;
