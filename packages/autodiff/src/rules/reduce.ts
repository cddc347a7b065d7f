/**
 * @file Reverse rules of the reductions and of the weighted sum.
 */
import {
  at, broadcastTo, cast, div, equal, innerProducts, isTensor, kernels, max, min, mul, normalizeAxes, reshape, stopGradient, sum, weightedSum,
  type Primitive, type ReduceOptions, type Shape, type Tensor,
} from "@dydt/tensor"; // prettier-ignore
import { jointEntry, vjpEntry, withoutDerivative, type VjpEntry, type Wanted } from "../rule.js";

/** A reduced tensor, repeated along the axes that were reduced. */
const restore = (reduced: Tensor, shape: Shape, { axis }: ReduceOptions = {}): Tensor => {
  const axes = normalizeAxes("sum", axis, shape.length);
  return broadcastTo(
    reshape(
      reduced,
      shape.map((length, i) => (axes.includes(i) ? 1 : length)),
    ),
    shape,
  );
};

/** Every element that attains the extremum gets an equal share. */
const extremum = (primitive: Primitive<[Tensor, ReduceOptions?]>): VjpEntry =>
  vjpEntry(
    primitive,
    (g, y, x, options) => {
      const attains = stopGradient(cast(equal(x, restore(y, x.shape, options)), x.dtype));
      return mul(restore(div(g, sum(attains, options)), x.shape, options), attains);
    },
    null,
  );

/** The weight of one term. */
const weight = (weights: readonly number[] | Tensor, i: number): number | Tensor => (isTensor(weights) ? at(weights, i) : weights[i]!);

/** w x, where w may be a float64 tensor beside a float32 x. */
const scale = (w: number | Tensor, x: Tensor): Tensor => (isTensor(w) ? weightedSum(null, reshape(w, [1]), [x]) : mul(x, w));

/** The rules of reduce.ts in @dydt/tensor. */
export const reduceRules: readonly VjpEntry[] = [
  vjpEntry(sum, (g, _y, x, options) => restore(g, x.shape, options), null),
  extremum(max),
  extremum(min),
  jointEntry(weightedSum, (g, _y, [ofBase, ofWeights, ofTerms], _base, weights, terms) => [
    ofBase === false ? undefined : g,
    isTensor(weights) && ofWeights !== false ? innerProducts(g, terms) : undefined,
    terms.map((_, i) => {
      const wanted = (ofTerms as readonly Wanted[])[i]!;
      if (wanted === false) return undefined;
      const factor = weight(weights, i);
      if (wanted === true || isTensor(factor)) return scale(factor, g);
      kernels.weightedSum(wanted, [factor], [g], wanted);
      return wanted;
    }),
  ]),
  vjpEntry(
    innerProducts,
    (u, _y, _g, terms) => weightedSum(null, u, terms),
    (u, _y, g, terms) => terms.map((_, i) => scale(at(u, i), g)),
  ),
  withoutDerivative(stopGradient),
];
