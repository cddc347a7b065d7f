/**
 * @file Rules of picking by index: each is the transpose of another one, or linear in what is added.
 */
import { argMax, argMin, embedTaken, gather, scatterAdd, take, zerosLike } from "@dydt/tensor";
import { jvpEntry, vjpEntry, withoutDerivative, type JvpEntry, type VjpEntry } from "../rule.js";

/** The rules of indexing.ts and extremes.ts in @dydt/tensor. */
export const indexingRules: readonly VjpEntry[] = [
  vjpEntry(take, (g, _y, x, indices, axis) => embedTaken(g, x.shape, indices, axis), null, null),
  vjpEntry(embedTaken, (g, _y, _x, _shape, indices, axis) => take(g, indices, axis), null, null, null),
  vjpEntry(gather, (g, _y, x, index, axis) => scatterAdd(zerosLike(x), index, g, axis), null, null),
  vjpEntry(
    scatterAdd,
    (g) => g,
    null,
    (g, _y, _x, index, _updates, axis) => gather(g, index, axis),
    null,
  ),
  ...[argMax, argMin].map((one) => withoutDerivative(one)),
];

/** The forward rules of indexing.ts in @dydt/tensor. */
export const indexingTangents = (): readonly JvpEntry[] => [
  jvpEntry(take, "linear", null, null),
  jvpEntry(embedTaken, "linear", null, null, null),
  jvpEntry(gather, "linear", null, null),
  jvpEntry(
    scatterAdd,
    (tangent) => tangent,
    null,
    (tangent, _y, x, index, _updates, axis) => scatterAdd(zerosLike(x), index, tangent, axis),
    null,
  ),
];
