/**
 * @file How large an error is: by component against the tolerances, then as one number.
 *
 *   sᵢ = eᵢ / (atolᵢ + rtolᵢ max(|aᵢ|, |bᵢ|)),  ‖s‖ = √(mean sᵢ²) unless another norm is given; a step is accepted for ‖s‖ ≤ 1
 *
 * **Contract.** A norm gets the scaled error, one float64 tensor for each tensor of the state, in its shape and order, and gives a number of at least 0. It may
 * leave out parts of the state: their error is then not controlled.
 *
 * **Example.** The second of two tensors goes unwatched:
 *
 * @example
 * const ofTheFirst: ErrorNorm = ([position]) => rootMeanSquareNorm([position!]);
 * const f = (t: Tensor, y: { x: Tensor; v: Tensor }) => ({ x: y.v, v: y.x.neg() });
 * const { y1 } = solve(f, { x: tensor([1]), v: tensor([0]) }, { t0: 0, t1: 1, controller: adaptive({ norm: ofTheFirst }) });
 * expectClose(y1.x, [0.5403023], { rtol: 1e-5 });
 */
import { elementsOf, kernels, OptionError, tensor, type Tensor } from "@dydt/tensor";
import type { Tolerances } from "../controller.js";
import type { Leaves } from "../step.js";

/** From the scaled error of a step to one number, accepted up to 1. */
export type ErrorNorm = (scaledError: Leaves) => number;

/** √(mean sᵢ²) over all components of all tensors, the default; 0 for no components. */
export const rootMeanSquareNorm: ErrorNorm = (scaledError) => {
  let squares = 0;
  let count = 0;
  for (const leaf of scaledError) {
    squares += kernels.innerProduct(leaf, leaf);
    count += leaf.size;
  }
  return count === 0 ? 0 : Math.sqrt(squares / count);
};

/** max |sᵢ|: no component may err by more than its tolerance. */
export const maximumNorm: ErrorNorm = (scaledError) => {
  let most = 0;
  for (const leaf of scaledError)
    for (const s of elementsOf(leaf)) {
      const size = Math.abs(s);
      if (!(size <= most)) most = size; // NaN wins
      if (Number.isNaN(most)) return NaN;
    }
  return most;
};

/** How large x is, for a step between the states a and b. */
export type Measure = (x: Leaves, a: Leaves, b: Leaves) => number;

/** The size of an error, and the component with the largest scaled error: see {@link controllingComponent}. Written again by each assessment. */
export interface Assessed {
  size: number;
  component: number;
}

/** The measure of a norm; without one the root mean square, in one pass over each tensor. */
export const measureBy = (tolerances: Tolerances, norm: ErrorNorm | undefined): Measure => {
  if (norm === undefined || norm === rootMeanSquareNorm) return (x, a, b) => scaledRootMeanSquare(x, a, b, tolerances);
  return (x, a, b) => {
    const size = norm(x.map((leaf, i) => scaledLeaf(leaf, a[i]!, b[i]!, tolerances.rtol[i]!, tolerances.atol[i]!)));
    if (typeof size !== "number" || size < 0)
      throw new OptionError(`the norm of adaptive returned ${String(size)}: a number of at least 0 is needed`);
    return size;
  };
};

/** Both at once. */
export const assessBy = (tolerances: Tolerances, norm: ErrorNorm | undefined): ((x: Leaves, a: Leaves, b: Leaves, result: Assessed) => void) => {
  const measure = measureBy(tolerances, norm);
  const standard = norm === undefined || norm === rootMeanSquareNorm;
  return (x, a, b, result) => {
    if (standard && x.length === 1 && x[0]!.size <= fewElements) {
      assessFew(x[0]!, a[0]!, b[0]!, tolerances.rtol[0]!, tolerances.atol[0]!, result);
      return;
    }
    result.size = measure(x, a, b);
    result.component = controllingComponent(x, a, b, tolerances);
  };
};

/** One tensor of few elements in one pass. */
const assessFew = (x: Tensor, a: Tensor, b: Tensor, rtol: Float64Array, atol: Float64Array, result: Assessed): void => {
  const e = elementsOf(x);
  const before = elementsOf(a);
  const after = elementsOf(b);
  let squares = 0;
  let most = 0;
  let which = -1;
  for (let j = 0; j < e.length; j++) {
    const scaled = scaledElement(e[j]!, before[j]!, after[j]!, rtol, atol, j);
    squares += scaled * scaled;
    const size = Math.abs(scaled);
    if (size > most || !Number.isFinite(size)) {
      if (most !== Infinity) which = j; // the first that is not finite stays
      most = Number.isFinite(size) ? size : Infinity;
    }
  }
  result.size = e.length === 0 ? 0 : Math.sqrt(squares / e.length);
  result.component = which;
};

const scaledRootMeanSquare = (x: Leaves, a: Leaves, b: Leaves, { rtol, atol }: Tolerances): number => {
  let squares = 0;
  let count = 0;
  for (let i = 0; i < x.length; i++) {
    squares += (x[i]!.size <= fewElements ? sumOfSquares : kernels.scaledSquares)(x[i]!, a[i]!, b[i]!, rtol[i]!, atol[i]!);
    count += x[i]!.size;
  }
  return count === 0 ? 0 : Math.sqrt(squares / count);
};

/** Up to so many elements a call of a kernel costs more than the loop. */
const fewElements = 16;

const sumOfSquares = (x: Tensor, a: Tensor, b: Tensor, rtol: Float64Array, atol: Float64Array): number => {
  const e = elementsOf(x);
  const before = elementsOf(a);
  const after = elementsOf(b);
  let squares = 0;
  for (let j = 0; j < e.length; j++) {
    const scaled = scaledElement(e[j]!, before[j]!, after[j]!, rtol, atol, j);
    squares += scaled * scaled;
  }
  return squares;
};

const scaledLeaf = (x: Tensor, a: Tensor, b: Tensor, rtol: Float64Array, atol: Float64Array): Tensor => {
  const [e, before, after] = [elementsOf(x), elementsOf(a), elementsOf(b)];
  const scaled = new Float64Array(x.size);
  for (let j = 0; j < scaled.length; j++) scaled[j] = scaledElement(e[j]!, before[j]!, after[j]!, rtol, atol, j);
  return tensor(scaled, { shape: x.shape });
};

/** A component that is exactly zero has no error, whatever its tolerance. */
const scaledElement = (e: number, before: number, after: number, rtol: Float64Array, atol: Float64Array, j: number): number => {
  if (e === 0) return 0;
  const relative = rtol.length === 1 ? rtol[0]! : rtol[j]!;
  const absolute = atol.length === 1 ? atol[0]! : atol[j]!;
  return e / (absolute + relative * Math.max(Math.abs(before), Math.abs(after)));
};

/** Which component has the largest scaled error, counted through all tensors; the first that is not finite, where there is one; -1 where all are exact. */
const controllingComponent = (x: Leaves, a: Leaves, b: Leaves, { rtol, atol }: Tolerances): number => {
  let which = -1;
  let most = 0;
  let counted = 0;
  for (let i = 0; i < x.length; i++) {
    const e = elementsOf(x[i]!);
    const before = elementsOf(a[i]!);
    const after = elementsOf(b[i]!);
    const least = atol[i]!.reduce((smallest, one) => Math.min(smallest, one), Infinity);
    let enough = most * least; // an error up to this, scaled by at least `least`, is no larger than the largest
    for (let j = 0; j < e.length; j++) {
      if (Math.abs(e[j]!) <= enough) continue;
      const size = Math.abs(scaledElement(e[j]!, before[j]!, after[j]!, rtol[i]!, atol[i]!, j));
      if (!Number.isFinite(size)) return counted + j;
      if (size > most) {
        most = size;
        enough = most * least;
        which = counted + j;
      }
    }
    counted += e.length;
  }
  return which;
};
