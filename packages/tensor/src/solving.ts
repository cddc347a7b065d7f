/**
 * @file Linear systems by LU factors with partial pivoting.
 *
 *   P A = L U;    A x = b:  L z = P b,  U x = z;    Aᵀ x = b:  Uᵀ z = b,  Lᵀ w = z,  x = Pᵀ w
 *
 * Their rules are one solve each:
 *
 *   A x = b:   b̄ = A⁻ᵀ x̄,  Ā = −b̄ xᵀ,  ẋ = A⁻¹ (ḃ − Ȧ x)        Aᵀ x = b:   b̄ = A⁻¹ x̄,  Ā = −x b̄ᵀ,  ẋ = A⁻ᵀ (ḃ − Ȧᵀ x)
 *
 * Factors and substitutions are in float64 whatever the element type. G. H. Golub, C. F. Van Loan, Matrix Computations, 4th ed., 2013, algorithm 3.4.1;
 * M. B. Giles, Collected matrix derivative results for forward and reverse mode algorithmic differentiation, 2008, section 2.3.1.
 */
import { checkOptions } from "./options.js";
import { commonDtype, isFloat, type TypedArray } from "./dtype.js";
import { add, neg } from "./elementwise.js";
import { DtypeError, DydtError, ShapeError } from "./errors.js";
import { matrixProduct } from "./linalg.js";
import { broadcastTo, reshape } from "./movement.js";
import { primitive, type Primitive } from "./primitive.js";
import { withRules } from "./rule.js";
import { broadcastShapes, formatShape, sameShape, sizeOf } from "./shape.js";
import { allocate, arrayOf, requireTensor, type Tensor } from "./tensor.js";

/** A linear system has no unique solution: a pivot is exactly zero. */
export class SingularMatrixError extends DydtError {
  override readonly name = "SingularMatrixError";
}

/** x[to + j] −= factor x[from + j] for j from `start` up to `end`, four at a time. */
const subtractRow = (x: Float64Array, to: number, from: number, factor: number, start: number, end: number): void => {
  let j = start;
  for (; j + 4 <= end; j += 4) {
    const a = to + j;
    const b = from + j;
    x[a] = x[a]! - factor * x[b]!;
    x[a + 1] = x[a + 1]! - factor * x[b + 1]!;
    x[a + 2] = x[a + 2]! - factor * x[b + 2]!;
    x[a + 3] = x[a + 3]! - factor * x[b + 3]!;
  }
  for (; j < end; j++) x[to + j] = x[to + j]! - factor * x[from + j]!;
};

/** Overwrites a row-major n × n matrix with its factors, and notes in `rows` which row of it each became. Index of the pivot that is zero, or -1. */
const factorize = (lu: Float64Array, n: number, rows: Int32Array): number => {
  for (let i = 0; i < n; i++) rows[i] = i;
  for (let k = 0; k < n; k++) {
    let pivot = k;
    for (let i = k + 1; i < n; i++) if (Math.abs(lu[i * n + k]!) > Math.abs(lu[pivot * n + k]!)) pivot = i;
    if (lu[pivot * n + k] === 0) return k;
    if (pivot !== k) {
      const row = rows[k]!;
      rows[k] = rows[pivot]!;
      rows[pivot] = row;
      for (let j = 0; j < n; j++) {
        const entry = lu[k * n + j]!;
        lu[k * n + j] = lu[pivot * n + j]!;
        lu[pivot * n + j] = entry;
      }
    }
    for (let i = k + 1; i < n; i++) {
      const factor = (lu[i * n + k]! /= lu[k * n + k]!);
      if (factor !== 0) subtractRow(lu, i * n, k * n, factor, k + 1, n); // rows of banded matrices are skipped
    }
  }
  return -1;
};

/** Row i of x, less the rows before it (or after it) weighted by the entries of a triangular matrix. */
const eliminate = (lu: Float64Array, first: number, step: number, x: Float64Array, i: number, from: number, to: number, k: number): void => {
  for (let j = from; j < to; j++) subtractRow(x, i * k, j * k, lu[first + j * step]!, 0, k);
};

const divideRow = (x: Float64Array, i: number, k: number, by: number): void => {
  for (let c = 0; c < k; c++) x[i * k + c]! /= by;
};

/** Whether `count` elements from `start` on have the bits of as many in front of them. */
const isRepeated = (elements: TypedArray, start: number, count: number): boolean => {
  for (let i = start; i < start + count; i++) if (!Object.is(elements[i], elements[i - count])) return false;
  return true;
};

/** The systems `[s, n, n]` with right-hand sides `[s, n, k]`, or with the transposed matrices. Equal ones in a row are factorized once. */
export const luSolve: Primitive<[a: Tensor, b: Tensor, transposed?: boolean]> = /* @__PURE__ */ withRules(
  /* @__PURE__ */ primitive("linearSolve", (a: Tensor, b: Tensor, transposed: boolean = false): Tensor => {
    const [systems, n, k] = [b.shape[0]!, b.shape[1]!, b.shape[2]!];
    const out = allocate(b.shape, b.dtype);
    const lu = new Float64Array(n * n);
    const rows = new Int32Array(n);
    const x = new Float64Array(n * k);
    const matrices = arrayOf(a);
    const right = arrayOf(b);
    const to = arrayOf(out);
    for (let s = 0; s < systems; s++) {
      const matrix = a.offset + s * n * n;
      if (s === 0 || !isRepeated(matrices, matrix, n * n)) {
        for (let i = 0; i < n * n; i++) lu[i] = matrices[matrix + i]!;
        const zero = factorize(lu, n, rows);
        if (zero >= 0)
          throw new SingularMatrixError(
            `linearSolve got a singular matrix${systems > 1 ? `, number ${s} of ${systems},` : ""} of shape [${n}, ${n}]: pivot ${zero} is 0`,
          );
      }
      const start = s * n * k;
      if (transposed) {
        for (let i = 0; i < n * k; i++) x[i] = right[b.offset + start + i]!;
        for (let i = 0; i < n; i++) {
          eliminate(lu, i, n, x, i, 0, i, k);
          divideRow(x, i, k, lu[i * n + i]!);
        }
        for (let i = n - 1; i >= 0; i--) eliminate(lu, i, n, x, i, i + 1, n, k);
        for (let i = 0; i < n; i++) for (let c = 0; c < k; c++) to[out.offset + start + rows[i]! * k + c] = x[i * k + c]!;
      } else {
        for (let i = 0; i < n; i++) for (let c = 0; c < k; c++) x[i * k + c] = right[b.offset + start + rows[i]! * k + c]!;
        for (let i = 0; i < n; i++) eliminate(lu, i * n, 1, x, i, 0, i, k);
        for (let i = n - 1; i >= 0; i--) {
          eliminate(lu, i * n, 1, x, i, i + 1, n, k);
          divideRow(x, i, k, lu[i * n + i]!);
        }
        for (let i = 0; i < n * k; i++) to[out.offset + start + i] = x[i]!;
      }
    }
    return out;
  }),
  {
    vjp: (g, x, [ofMatrix, ofRight], a, _b, transposed = false) => {
      const right = luSolve(a, g, !transposed);
      if (ofMatrix === false) return [undefined, right, undefined];
      const matrix = neg(transposed ? matrixProduct(x, right, false, true) : matrixProduct(right, x, false, true));
      return [matrix, ofRight === false ? undefined : right, undefined];
    },
    jvp:
      (x, a, _b, transposed = false) =>
      ([ofMatrix, ofRight]) => {
        const moved = ofMatrix === undefined ? undefined : neg(matrixProduct(ofMatrix, x, transposed, false));
        return luSolve(a, moved === undefined ? (ofRight as Tensor) : ofRight === undefined ? moved : add(ofRight, moved), transposed);
      },
  },
);

/** Options of {@link linearSolve}. */
export interface LinearSolveOptions {
  /** Solves Aᵀ x = b instead; default false. */
  readonly transposed?: boolean;
}

/**
 * Solves A x = b.
 *
 * @param a - `[..., n, n]`; the axes in front are batches and broadcast.
 * @param b - `[n]`, or `[..., n]` with the same axes in front as a: one vector for each matrix; else `[..., n, k]`: k right-hand sides.
 * @returns x, of the shape of b with the axes in front broadcast. Cost: ⅔ n³ operations for each matrix, once for equal ones in a row (so for a single one), and
 * 2 n² for each right-hand side.
 * @throws SingularMatrixError when a pivot is exactly zero; ShapeError and DtypeError when operands do not fit.
 * @example
 * expectClose(linearSolve(tensor([[0, 2], [4, 1]]), tensor([2, 9])), [2, 1]);
 */
export const linearSolve = (a: Tensor, b: Tensor, options: LinearSolveOptions = {}): Tensor => {
  requireTensor("linearSolve", a);
  requireTensor("linearSolve", b);
  checkOptions("linearSolve", options, ["transposed"]);
  commonDtype("linearSolve", a.dtype, b.dtype);
  if (a.dtype !== b.dtype || !isFloat(a.dtype))
    throw new DtypeError(`linearSolve needs two tensors of one float type, got ${a.dtype} and ${b.dtype}: convert with cast`);
  const n = a.shape[a.rank - 1];
  const isVector = b.rank === 1 || (b.rank === a.rank - 1 && sameShape(b.shape, a.shape.slice(0, -1)));
  if (n === undefined || a.rank < 2 || a.shape[a.rank - 2] !== n || b.shape[b.rank - (isVector ? 1 : 2)] !== n)
    throw new ShapeError(
      `linearSolve got shapes ${formatShape(a.shape)} and ${formatShape(b.shape)}: [..., n, n] and [n], [..., n] or [..., n, k] fit`,
    );
  const columns = isVector ? [n, 1] : b.shape.slice(-2);
  const lead = broadcastShapes("linearSolve", a.shape.slice(0, -2), b.shape.slice(0, isVector ? -1 : -2));
  const flat = (x: Tensor, own: readonly number[], matrix: readonly number[]): Tensor => {
    const shaped = sameShape(x.shape, [...own, ...matrix]) ? x : reshape(x, [...own, ...matrix]);
    const repeated = sameShape(own, lead) ? shaped : broadcastTo(shaped, [...lead, ...matrix]);
    return reshape(repeated, [sizeOf(lead), ...matrix]);
  };
  const x = luSolve(flat(a, a.shape.slice(0, -2), [n, n]), flat(b, b.shape.slice(0, isVector ? -1 : -2), columns), options.transposed === true);
  return reshape(x, isVector ? [...lead, n] : [...lead, ...columns]);
};
