/**
 * @file A pullback turned round: from w ↦ Aᵀw + g to s ↦ A s.
 *
 * Put on a tape itself, the pullback gives A s for any number of directions s, one walk back each.
 */
import { SecondDerivativeError, tapeOver, type Cotangent } from "@dydt/autodiff";
import { elementsOf, tensor, zerosLike, type Tensor } from "@dydt/tensor";

/** ⟨a, b⟩. */
export const inner = (a: readonly Cotangent[], b: readonly Cotangent[]): number =>
  a.reduce((total, x, i) => {
    const y = b[i];
    if (x === undefined || y === undefined) return total;
    const [left, right] = [elementsOf(x), elementsOf(y)];
    let sum = 0;
    for (let k = 0; k < left.length; k++) sum += left[k]! * right[k]!;
    return total + sum;
  }, 0);

/** The unit tensors of the form of x. */
export const unitsOf = (x: Tensor): readonly Tensor[] =>
  Array.from({ length: x.size }, (_, k) => {
    const values = new Float64Array(x.size);
    values[k] = 1;
    return tensor(values, { shape: x.shape }).cast(x.dtype);
  });

/** An affine map, ready to be applied the other way round. */
export interface Affine {
  /** g; entries that are undefined are zero. */
  readonly constant: readonly Cotangent[];
  /** s ↦ A s. */
  readonly push: (s: readonly Cotangent[]) => readonly Cotangent[];
}

type Pullback = (w: readonly Tensor[]) => readonly Cotangent[];

/** w ↦ Aᵀw + g on a tape. */
const tapedMap = (pullback: Pullback, ends: readonly Tensor[]): Affine => {
  const w = ends.map((end) => zerosLike(end));
  let pulled: readonly Cotangent[] = [];
  const { reverse } = tapeOver(() => (pulled = pullback(w)).filter((part) => part !== undefined), w);
  return { constant: pulled, push: (s) => reverse(s.filter((_, i) => pulled[i] !== undefined)) };
};

/** The same by its columns, one for each component of w. */
const columnMap = (pullback: Pullback, ends: readonly Tensor[]): Affine => {
  const zero = ends.map((end) => zerosLike(end));
  const constant = pullback(zero);
  const columns = ends.map((end, i) => unitsOf(end).map((unit) => pullback(zero.map((w, k) => (k === i ? unit : w)))));
  const push = (s: readonly Cotangent[]): readonly Cotangent[] => {
    const base = inner(constant, s);
    return ends.map((end, i) => tensor(columns[i]!.map((column) => inner(column, s) - base), { shape: end.shape }).cast(end.dtype)); // prettier-ignore
  };
  return { constant, push };
};

/** Turns a pullback round; by its columns where it cannot be recorded, as that of a solve inside the field. */
export const affineMap = (pullback: Pullback, ends: readonly Tensor[]): Affine => {
  try {
    return tapedMap(pullback, ends);
  } catch (error) {
    if (!(error instanceof SecondDerivativeError)) throw error;
    return columnMap(pullback, ends);
  }
};
