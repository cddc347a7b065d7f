/**
 * @file Rules of the operations that move elements: each is linear, and the transpose of another one.
 */
import { at, broadcastTo, concat, copy, embed, embedAt, identity, normalizeAxis, reshape, slice, stack, sumTo, transpose, type Range, type Tensor } from "@dydt/tensor"; // prettier-ignore
import { jvpEntry, vjpEntry, type JvpEntry, type VjpEntry } from "../rule.js";

/** The parts of a cotangent that belong to the tensors of a concatenation. */
const parts = (g: Tensor, list: readonly Tensor[], axis: number): readonly Tensor[] => {
  const which = normalizeAxis("concat", axis, g.rank);
  let start = 0;
  return list.map((x) => {
    const from = start;
    start += x.shape[which]!;
    const to = start;
    return slice(
      g,
      g.shape.map((_, i): Range => (i === which ? [from, to] : null)),
    );
  });
};

/** The layers of a cotangent that belong to the tensors of a stack. */
const layers = (g: Tensor, list: readonly Tensor[], axis: number): readonly Tensor[] => {
  const which = normalizeAxis("stack", axis, g.rank);
  return list.map((x, k) =>
    which === 0
      ? at(g, k)
      : reshape(
          slice(
            g,
            g.shape.map((_, i): Range => (i === which ? [k, k + 1] : null)),
          ),
          x.shape,
        ),
  );
};

/** The rules of movement.ts, slicing.ts and joining.ts in @dydt/tensor. */
export const movementRules: readonly VjpEntry[] = [
  vjpEntry(copy, (g) => g),
  vjpEntry(identity, (g) => g),
  vjpEntry(reshape, (g, _y, x) => reshape(g, x.shape), null),
  vjpEntry(
    transpose,
    (g, _y, x, axes) => {
      if (axes === undefined) return transpose(g);
      const inverse = new Array<number>(axes.length);
      axes.forEach((axis, i) => (inverse[axis < 0 ? axis + x.rank : axis] = i));
      return transpose(g, inverse);
    },
    null,
  ),
  vjpEntry(slice, (g, _y, x, ranges) => embed(g, x.shape, ranges), null),
  vjpEntry(embed, (g, _y, _x, _shape, ranges) => slice(g, ranges), null, null),
  vjpEntry(at, (g, _y, x, i) => embedAt(g, x.shape, i), null),
  vjpEntry(embedAt, (g, _y, _x, _shape, i) => at(g, i), null, null),
  vjpEntry(stack, (g, _y, list, axis = 0) => layers(g, list, axis), null),
  vjpEntry(concat, (g, _y, list, axis = 0) => parts(g, list, axis), null),
  vjpEntry(broadcastTo, (g, _y, x) => sumTo(g, x.shape), null),
  vjpEntry(sumTo, (g, _y, x) => broadcastTo(g, x.shape), null),
];

/** The forward rules of movement.ts, slicing.ts and joining.ts in @dydt/tensor. */
export const movementTangents = (): readonly JvpEntry[] => [
  jvpEntry(copy, "linear"),
  jvpEntry(identity, "linear"),
  jvpEntry(reshape, "linear", null),
  jvpEntry(transpose, "linear", null),
  jvpEntry(slice, "linear", null),
  jvpEntry(embed, "linear", null, null),
  jvpEntry(at, "linear", null),
  jvpEntry(embedAt, "linear", null, null),
  jvpEntry(stack, "linear", null),
  jvpEntry(concat, "linear", null),
  jvpEntry(broadcastTo, "linear", null),
  jvpEntry(sumTo, "linear", null),
];
