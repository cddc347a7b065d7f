/**
 * @file W1's field and its pullback by hand, as one writes it with ndarray and ndarray-ops: elementwise operations from there, products as strided loops.
 *
 *   h = tanh(x W₁ + b₁),  y = h W₂ + b₂;  x̄ = a W₁ᵀ, W̄₁ = xᵀ a, b̄₁ = Σ a, W̄₂ = hᵀ ȳ, b̄₂ = Σ ȳ  with a = (ȳ W₂ᵀ) (1 − h²)
 */
import ndarray, { type NdArray } from "ndarray";
import ops from "ndarray-ops";

type Values = Float32Array | Float64Array;
type View = NdArray<Values>;

/** An operand as bare numbers. */
export interface Operand {
  readonly values: Values;
  readonly shape: readonly number[];
}

const product = (a: View, b: View): View => {
  const [m, k, n] = [a.shape[0]!, a.shape[1]!, b.shape[1]!];
  const c: View = ndarray(emptyLike(a, m * n), [m, n]);
  const [ar, ac, br, bc] = [a.stride[0]!, a.stride[1]!, b.stride[0]!, b.stride[1]!];
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let p = 0; p < k; p++) sum += a.data[a.offset + i * ar + p * ac]! * b.data[b.offset + p * br + j * bc]!;
      c.data[i * n + j] = sum;
    }
  return c;
};

const emptyLike = (x: View, length: number): Values => (x.data instanceof Float64Array ? new Float64Array(length) : new Float32Array(length));

const transposed = (x: View): View => x.transpose(1, 0);

const addRow = (x: View, row: View): View => {
  for (let i = 0; i < x.shape[0]!; i++) ops.addeq(x.pick(i, null), row);
  return x;
};

const sumOfRows = (x: View): View => {
  const sum: View = ndarray(emptyLike(x, x.shape[1]!), [x.shape[1]!]);
  for (let i = 0; i < x.shape[0]!; i++) ops.addeq(sum, x.pick(i, null));
  return sum;
};

/** tanh x = 1 − 2 / (e²ˣ + 1), in place: ndarray-ops has no hyperbolic functions. */
const tanhInPlace = (x: View): View => {
  ops.mulseq(x, 2);
  ops.expeq(x);
  ops.addseq(x, 1);
  ops.recipeq(x);
  ops.mulseq(x, -2);
  ops.addseq(x, 1);
  return x;
};

/** A run, and the norm of its cotangents. */
export const fieldInNdarrays = (operands: readonly Operand[], norm: (list: readonly Values[]) => number) => {
  const [x, w1, b1, w2, b2, cotangent] = operands.map(({ values, shape }): View => ndarray(values, [...shape])) as [
    View,
    View,
    View,
    View,
    View,
    View,
  ];
  const both = (): readonly Values[] => {
    const h = tanhInPlace(addRow(product(x, w1), b1));
    addRow(product(h, w2), b2);
    const a = product(cotangent, transposed(w2));
    const slope: View = ndarray(emptyLike(h, h.size), [...h.shape]);
    ops.mul(slope, h, h);
    ops.mulseq(slope, -1);
    ops.addseq(slope, 1);
    ops.muleq(a, slope);
    const all = [product(a, transposed(w1)), product(transposed(x), a), sumOfRows(a), product(transposed(h), cotangent), sumOfRows(cotangent)];
    return all.map(({ data }) => data);
  };
  return { run: () => void both(), result: () => norm(both()) };
};
