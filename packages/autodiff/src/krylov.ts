/**
 * @file GMRES: A x = b with nothing known of A but its products with vectors.
 *
 *   r₀ = b − A x₀,  A V_j = V_{j+1} H_j  (Arnoldi, columns of V orthonormal),  x_j = x₀ + V_j y,  y the least-squares solution of ‖ ‖r₀‖ e₁ − H_j y ‖
 *
 * The basis is made orthogonal twice, by modified Gram–Schmidt; Givens rotations keep the least-squares problem triangular, so that the norm of the residual is
 * known at every step. After `restart` vectors it begins anew from what it has. Sums are in float64, in ascending order, whatever the element type.
 * It works on b divided by a power of two near its largest element, which changes no digit, so that neither ‖b‖ nor A x leaves the range.
 * Y. Saad, M. H. Schultz, SIAM J. Sci. Stat. Comput. 7(3), 1986, 856–869, algorithms 3 and 4.
 */
import { checkOptions, DydtError, formatShape, inTemporaryRegion, isFloat, isTensor, OptionError, ShapeError, wrap, type Tensor } from "@dydt/tensor";

/** Options of {@link gmres}. */
export interface GmresOptions {
  /** When to stop: ‖b − A x‖ ≤ tolerance · ‖b‖. Default 1e-10 in float64, 1e-5 in float32. */
  readonly tolerance?: number;
  /** Vectors kept until it begins anew; default 50. */
  readonly restart?: number;
  /** Products with A before it is given up; default 10 n, at least 100. */
  readonly iterations?: number;
  /** Where to begin, `[n]`; default zeros. */
  readonly guess?: Tensor;
}

/** What {@link gmres} found. */
export interface GmresResult {
  /** The solution, `[n]`, on the heap. */
  readonly x: Tensor;
  /** Vectors of the basis that were made, over all restarts. */
  readonly iterations: number;
  /** ‖b − A x‖ / ‖b‖, computed from x itself. */
  readonly residual: number;
}

/** An iteration for a linear system did not reach its tolerance. */
export class KrylovError extends DydtError {
  override readonly name = "KrylovError";

  /**
   * @param iterations - vectors that were tried.
   * @param residual - ‖b − A x‖ / ‖b‖ of what was reached.
   */
  constructor(
    message: string,
    readonly iterations: number,
    readonly residual: number,
  ) {
    super(message);
  }
}

/**
 * Solves A x = b by products with A alone.
 *
 * It reads bare numbers and has no derivative; {@link root} differentiates what it solves.
 *
 * @param apply - v ↦ A v, from `[n]` to `[n]`, linear.
 * @param b - `[n]`, float64 or float32.
 * @returns the solution, the number of iterations and the residual. Memory: `restart` + 2 vectors in float64. Cost: one product for each iteration, and one for
 * each restart.
 * @throws KrylovError when the tolerance is not reached, with the residual, and for a right-hand side or a solution that is not finite; ShapeError and OptionError for
 * what does not fit or is no tensor; WatchedTensorError while somebody differentiates through b.
 * @example
 * const a = tensor([[4, 1], [2, 3]]);
 * const { x, residual } = gmres((v) => a.matmul(v), tensor([1, 2]));
 * expectClose(x, [0.1, 0.6], { rtol: 1e-12 });
 * if (residual > 1e-10) throw new Error("not solved");
 */
export const gmres = (apply: (v: Tensor) => Tensor, b: Tensor, options: GmresOptions = {}): GmresResult => {
  checkGmresOptions("gmres", options, ["tolerance", "restart", "iterations", "guess"]);
  if (typeof apply !== "function") throw new OptionError(`gmres needs the operator as a function v => A v, got ${typeof apply}`);
  requireTensor("a right-hand side", b);
  if (b.rank !== 1 || !isFloat(b.dtype)) throw new ShapeError(`gmres needs a right-hand side [n] of floats, got ${b.dtype} ${formatShape(b.shape)}`);
  const n = b.size;
  const { tolerance = b.dtype === "float64" ? 1e-10 : 1e-5, restart = 50, iterations: most = Math.max(100, 10 * n), guess } = options;
  if (guess !== undefined) requireTensor("a guess", guess);
  if (guess !== undefined && (guess.rank !== 1 || guess.size !== n))
    throw new ShapeError(`gmres got a guess of shape ${formatShape(guess.shape)} for a right-hand side of shape ${formatShape(b.shape)}`);

  const given = Float64Array.from(b.data);
  const bad = given.findIndex((e) => !Number.isFinite(e));
  if (bad >= 0)
    throw new KrylovError(
      `gmres got ${given[bad]} as element ${bad} of the right-hand side (in the gradient of root, what arrives at the root): all must be finite for there to be a solution`,
      0,
      Number.NaN,
    );
  const asTensor = (v: Float64Array): Tensor => wrap(b.dtype === "float64" ? v : Float32Array.from(v), [n], b.dtype);
  const product = (v: Float64Array): Float64Array =>
    inTemporaryRegion("step", () => {
      const y = apply(asTensor(v));
      requireTensor("an operator that gives a product", y);
      if (y.rank !== 1 || y.size !== n) throw new ShapeError(`gmres needs a product of shape [${n}], got ${formatShape(y.shape)}`);
      return Float64Array.from(y.data);
    });
  const begin = guess === undefined ? new Float64Array(n) : Float64Array.from(guess.data);
  if (given.every((e) => e === 0)) return { x: asTensor(new Float64Array(n)), iterations: 0, residual: 0 };
  const unit = powerBelow(Math.max(largestOf(given), largestOf(begin)));
  const [right, x] = [given.map((e) => e / unit), begin.map((e) => e / unit)];
  const scale = norm(right);

  let r = guess === undefined ? right : less(right, product(x));
  let before = Infinity;
  let iterations = 0;
  for (;;) {
    const size = norm(r);
    const residual = size / scale;
    if (size <= tolerance * scale) {
      const solution = asTensor(x.map((e) => e * unit));
      const kept = Float64Array.from(solution.data, (e) => e / unit); // of the digits, where numbers are rounded to few or none
      if (largestOf(less(kept, x)) <= Math.max(tolerance, 1e-6) * largestOf(x)) return { x: solution, iterations, residual };
      throw new KrylovError(`gmres found a solution beyond the range of ${b.dtype}: scale the right-hand side`, iterations, residual);
    }
    const where = `after ${iterations} iterations of gmres the residual is ${residual.toExponential(1)} of the right-hand side, not ${tolerance}`;
    if (!Number.isFinite(size)) throw new KrylovError(`${where}: the operator gave a number that is not finite`, iterations, residual);
    if (size > 0.999 * before)
      throw new KrylovError(
        `${where}, and it falls no further: the operator may be singular, not linear, or the tolerance below its rounding; keep more vectors with restart (now ${restart}), or loosen the tolerance`,
        iterations,
        residual,
      );
    if (iterations >= most) throw new KrylovError(`${where}: allow more iterations, or keep more vectors with restart`, iterations, residual);
    iterations += improve(product, x, r, size, Math.min(restart, n, most - iterations), tolerance * scale);
    before = size;
    r = less(right, product(x));
  }
};

/** Refuses options of {@link gmres} that are none, or have no sense. */
export const checkGmresOptions = (op: string, options: GmresOptions, known: readonly string[]): void => {
  checkOptions(op, options, known);
  const { tolerance = 0, restart = 1, iterations = 1 } = options;
  if (!(tolerance >= 0 && tolerance < Infinity)) throw new OptionError(`${op} got tolerance ${tolerance}: a finite number, at least 0, is needed`);
  for (const [name, value] of Object.entries({ restart, iterations }))
    if (!Number.isInteger(value) || value < 1) throw new OptionError(`${op} got ${name} ${value}: a positive whole number is needed`);
};

const requireTensor = (what: string, value: unknown): void => {
  if (!isTensor(value)) throw new OptionError(`gmres needs ${what} that is a tensor [n], got ${Array.isArray(value) ? "a list" : typeof value}`);
};

/** One cycle: adds the best combination of at most `most` vectors to x, and says how many there were. */
const improve = (product: (v: Float64Array) => Float64Array, x: Float64Array, r: Float64Array, size: number, most: number, goal: number): number => {
  const basis: Float64Array[] = [r.map((e) => e / size)];
  const columns: number[][] = []; // of the triangle that the rotations make of H
  const cosines: number[] = [];
  const sines: number[] = [];
  const g = [size];
  let made = 0;
  while (made < most && Math.abs(g[made]!) > goal) {
    const j = made++;
    const w = product(basis[j]!);
    const whole = norm(w);
    const column = new Array<number>(j + 1).fill(0);
    for (let pass = 0; pass < 2; pass++)
      for (let i = 0; i <= j; i++) {
        const d = dot(basis[i]!, w);
        column[i]! += d;
        addScaled(w, -d, basis[i]!);
      }
    const length = norm(w);
    // The space is invariant: what is left of w is rounding, and the solution lies in what there is.
    const breakdown = !(length > 1e-14 * whole);
    for (let i = 0; i < j; i++) {
      const [a, b] = [column[i]!, column[i + 1]!];
      column[i] = cosines[i]! * a + sines[i]! * b;
      column[i + 1] = cosines[i]! * b - sines[i]! * a;
    }
    const below = breakdown ? 0 : length;
    const diagonal = norm(Float64Array.of(column[j]!, below));
    if (!(diagonal > 1e-14 * whole)) break; // nothing new: the operator is singular on this space, or not finite
    cosines.push(column[j]! / diagonal);
    sines.push(below / diagonal);
    column[j] = diagonal;
    columns.push(column);
    g.push(-sines[j]! * g[j]!);
    g[j]! *= cosines[j]!;
    if (breakdown) break;
    basis.push(w.map((e) => e / length));
  }
  const y = g.slice(0, columns.length);
  for (let j = columns.length - 1; j >= 0; j--) {
    y[j]! /= columns[j]![j]!;
    for (let i = 0; i < j; i++) y[i]! -= columns[j]![i]! * y[j]!;
  }
  y.forEach((weight, j) => addScaled(x, weight, basis[j]!));
  return made;
};

const dot = (a: Float64Array, b: Float64Array): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
};

/** NaN where there is one. */
const largestOf = (a: Float64Array): number => {
  let largest = 0;
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(a[i]!));
  return largest;
};

/** The largest power of two that is not above a positive number; 1 for what is not finite. */
const powerBelow = (a: number): number => {
  if (!Number.isFinite(a)) return 1;
  let power = 1;
  while (a / power >= 2) power *= 2;
  while (a / power < 1) power /= 2;
  return power;
};

/** The Euclidean norm, by a scale that keeps squares from leaving the range. */
export const norm = (a: Float64Array): number => {
  const largest = largestOf(a);
  if (largest === 0 || !Number.isFinite(largest)) return largest;
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i]! / largest) * (a[i]! / largest);
  return largest * Math.sqrt(sum);
};

const addScaled = (to: Float64Array, factor: number, a: Float64Array): void => {
  for (let i = 0; i < a.length; i++) to[i]! += factor * a[i]!;
};

const less = (a: Float64Array, b: Float64Array): Float64Array => a.map((e, i) => e - b[i]!);
