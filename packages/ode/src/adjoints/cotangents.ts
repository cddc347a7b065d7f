/**
 * @file Lists of cotangents, of which an undefined one is zero.
 */
import type { Cotangent } from "@dydt/autodiff";
import { abs, copy, max } from "@dydt/tensor";

/** a + b. */
export const plus = (a: Cotangent, b: Cotangent): Cotangent => (a === undefined ? b : b === undefined ? a : a.add(b));

/** a + b, one by one. */
export const added = (a: readonly Cotangent[], b: readonly Cotangent[]): readonly Cotangent[] => a.map((part, k) => plus(part, b[k]));

/** Row i of each; zero where all of it is. */
export const rowOf = (stacked: readonly Cotangent[], i: number): readonly Cotangent[] => stacked.map((all) => all?.at(i));

/** With the first rows of the outputs added: the states saved at t0, which are y0 itself. */
export const withRows = (parts: readonly Cotangent[], stacked: readonly Cotangent[], count: number): readonly Cotangent[] => {
  let total = parts;
  for (let i = 0; i < count; i++) total = added(total, rowOf(stacked, i));
  return total;
};

/** Copies those that lie in tape regions into the region that is open. */
export const bring = (parts: readonly Cotangent[]): readonly Cotangent[] => parts.map((part) => (part?.region.kind === "tape" ? copy(part) : part));

/** The largest |x| of all entries; NaN where one is. Made in the region that is open. */
export const largestOf = (parts: readonly Cotangent[]): number =>
  parts.reduce((most, x) => (x === undefined || x.size === 0 ? most : Math.max(most, max(abs(x)).item())), 0);
