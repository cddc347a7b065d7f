/**
 * @file Rules of the reductions and of the weighted sum.
 */
import {
  at, broadcastTo, cast, concat, div, equal, full, innerProducts, isTensor, kernels, max, min, mul, normalizeAxes, prod, reshape, slice, stack, stopGradient, sum, transpose,
  weightedSum, zerosLike,
  type Primitive, type ReduceOptions, type Shape, type Tensor,
} from "@dydt/tensor"; // prettier-ignore
import { jointEntry, jointJvpEntry, jvpEntry, vjpEntry, withoutDerivative, type JvpEntry, type VjpEntry, type Wanted } from "../rule.js";

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

/** For each row of x `[n, m]` the product of all others, times `factor` `[1, m]`: by pairs and pairs of pairs, so that no zero is divided by. */
const productsOfOthers = (x: Tensor, factor: Tensor): Tensor => {
  const n = x.shape[0]!;
  if (n < 2) return n === 0 ? x : factor;
  const half = n >> 1;
  const [left, right] = [slice(x, [[0, half]]), slice(x, [[half, 2 * half]])];
  const odd = 2 * half < n;
  const pairs = mul(left, right);
  const others = productsOfOthers(odd ? concat([pairs, slice(x, [[n - 1, n]])]) : pairs, factor);
  const shared = odd ? slice(others, [[0, half]]) : others;
  const parts = [mul(shared, right), mul(shared, left)];
  return concat(odd ? [...parts, slice(others, [[half, half + 1]])] : parts);
};

/** The derivative of a product in each element, times what is given for the product. */
const productSlopes = (factor: Tensor, x: Tensor, { axis }: ReduceOptions = {}): Tensor => {
  const axes = normalizeAxes("prod", axis, x.rank);
  const order = [...axes, ...x.shape.map((_, i) => i).filter((i) => !axes.includes(i))];
  const front = transpose(x, order);
  const count = axes.reduce((product, i) => product * x.shape[i]!, 1);
  const m = factor.size;
  const slopes = productsOfOthers(reshape(front, [count, m]), reshape(factor, [1, m]));
  return transpose(
    reshape(slopes, front.shape),
    x.shape.map((_, i) => order.indexOf(i)),
  );
};

/** The weight of one term. */
const weight = (weights: readonly number[] | Tensor, i: number): number | Tensor => (isTensor(weights) ? at(weights, i) : weights[i]!);

/** w x, where w may be a float64 tensor beside a float32 x. */
const scale = (w: number | Tensor, x: Tensor): Tensor => (isTensor(w) ? weightedSum(null, reshape(w, [1]), [x]) : mul(x, w));

/** The rules of reduce.ts in @dydt/tensor. */
export const reduceRules: readonly VjpEntry[] = [
  vjpEntry(sum, (g, _y, x, options) => restore(g, x.shape, options), null),
  extremum(max),
  extremum(min),
  vjpEntry(prod, (g, _y, x, options) => productSlopes(g, x, options), null),
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
    (u, _y, g, terms) => (terms.length === 0 ? zerosLike(g) : weightedSum(null, u, terms)),
    (u, _y, g, terms) => terms.map((_, i) => scale(at(u, i), g)),
  ),
  withoutDerivative(stopGradient),
];

/** The mean of the tangents of the elements that attain the extremum. */
const extremumTangent = (primitive: Primitive<[Tensor, ReduceOptions?]>): JvpEntry =>
  jvpEntry(
    primitive,
    (t, y, x, options) => {
      const attains = stopGradient(cast(equal(x, restore(y, x.shape, options)), x.dtype));
      return div(sum(mul(t, attains), options), sum(attains, options));
    },
    null,
  );

/** The forward rules of reduce.ts in @dydt/tensor. */
export const reduceTangents = (): readonly JvpEntry[] => [
  jvpEntry(sum, "linear", null),
  extremumTangent(max),
  extremumTangent(min),
  jvpEntry(prod, (t, y, x, options) => sum(mul(t, productSlopes(full(y.shape, 1, { dtype: y.dtype }), x, options)), options), null),
  jointJvpEntry(weightedSum, (_y, _base, weights, terms) => ([ofBase, ofWeights, ofTerms]) => {
    const moving = (ofTerms as readonly (Tensor | undefined)[] | undefined)?.flatMap((t, i) => (t === undefined ? [] : [{ t, i }])) ?? [];
    const moved =
      moving.length === 0
        ? ofBase
        : weightedSum(
            ofBase ?? null,
            isTensor(weights)
              ? moving.length === terms.length
                ? weights
                : stack(moving.map(({ i }) => at(weights, i)))
              : moving.map(({ i }) => weights[i]!),
            moving.map(({ t }) => t),
          );
    return ofWeights === undefined ? moved : weightedSum(moved ?? null, ofWeights, terms);
  }),
  jvpEntry(innerProducts, "linear", "linear"),
];
