/**
 * @file An implicit equation as one operation: x with r(x, p) = 0, and its derivative without the iteration that found it.
 *
 *   Newton:   (∂r/∂x) Δ = r(x, p),  x ← x − λ Δ,  λ halved until ‖r‖ falls;   done when ‖Δ‖ ≤ ε ‖x‖, or ‖Δ‖ ≤ ε where no λ makes ‖r‖ fall
 *   reverse:  (∂r/∂x)ᵀ w = x̄,  p̄ = −(∂r/∂p)ᵀ w
 *
 * Newton is never taped. The reverse (implicit.ts) is one transposed linear solve: by LU with the Jacobian's rows from n pullbacks, or by GMRES with one pullback
 * a product. With LU the reverse is made of recorded operations, on x itself, so that it can be differentiated again.
 * A. Griewank, A. Walther, Evaluating Derivatives, 2nd ed., SIAM 2008, section 15.
 */
import {
  checkOptions, concat, DtypeError, DydtError, elementsOf, identity, inTemporaryRegion, isFloat, kernels, leavesOf, linearSolve, OptionError, primitive, reshape,
  ShapeError, SingularMatrixError, split, sub, synchronous, unflatten, unrecorded, wrap, type Tensor, type TreeOf,
} from "@dydt/tensor"; // prettier-ignore
import { jvp } from "./jvp.js";
import { defineJvp } from "./extend.js";
import { implicit, wantedOrder } from "./implicit.js";
import { jacobianByRows } from "./jacobian.js";
import { checkGmresOptions, gmres, KrylovError, norm, type GmresOptions } from "./krylov.js";
import { vjp } from "./vjp.js";

/** Options of {@link root}. */
export interface RootOptions {
  /** How linear systems are solved: "dense" (default), n pullbacks and LU; "gmres", products with the Jacobian alone, for many unknowns. */
  readonly solver?: "dense" | "gmres";
  /** The size of the last update relative to the solution, or to 1 where no part of it lowers the residual; default 1e-12 in float64, 1e-5 in float32. */
  readonly tolerance?: number;
  /** Newton iterations before it is given up; default 50. */
  readonly iterations?: number;
  /** Of the inner iterations, with "gmres": in Newton, and in reverse, where its tolerance is that of the gradient. */
  readonly linear?: Pick<GmresOptions, "tolerance" | "restart" | "iterations">;
}

/** Newton's iteration found no root, or one without a derivative. */
export class NewtonError extends DydtError {
  override readonly name = "NewtonError";

  /** @param norms - the Euclidean norm of the residual at the guess, and after each iteration. */
  constructor(
    message: string,
    readonly norms: readonly number[],
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

interface Settings {
  readonly solver: "dense" | "gmres";
  readonly tolerance: number;
  readonly iterations: number;
  readonly linear: GmresOptions;
}

/** The residual as a function of one flat vector. */
type System = (x: Tensor) => Tensor;

/**
 * Solves `residual(x) = 0` for a tree x by Newton's iteration. For whoever differentiates it is one operation, with the derivative of the implicit function
 * theorem: with respect to every watched tensor that `residual` closes over, found without being told. The guess has no derivative, since the root has none.
 *
 * @param residual - from a tree like the guess to a tensor or tree with as many elements, of the same type. Its Jacobian at the root must be regular.
 * @param guess - where to begin: a tensor, or a tree of tensors, of one float type.
 * @returns the root. Cost of the reverse with "dense": n pullbacks of the residual and one LU; with "gmres" one pullback for each of its iterations. Derivatives
 * of any order are right with "dense"; with "gmres" those by one reverse and any forward modes, and a second reverse is a SecondDerivativeError.
 * @throws NewtonError with the norms of the residuals when no root is found, and from its derivative where the Jacobian at the root is not finite; OptionError,
 * ShapeError, DtypeError for what does not fit.
 * @example
 * // x³ + x = p, and dx/dp = 1 / (3 x² + 1)
 * const solution = (p: Tensor) => root((x: Tensor) => x.square().mul(x).add(x).sub(p), tensor(1));
 * expectClose(solution(tensor(10)), 2, { rtol: 1e-12 });
 * expectClose(gradient(solution)(tensor(10)), 1 / 13, { rtol: 1e-12 });
 */
export const root = <X>(residual: (x: X) => unknown, guess: X & TreeOf<X>, options: RootOptions = {}): X => {
  const form: X = guess;
  const like = leavesOf(guess);
  const dtype = like[0]?.dtype ?? "float64";
  const settings = settingsOf(options, dtype === "float64");
  if (typeof residual !== "function") throw new OptionError(`root needs a residual, a function of x, got ${typeof residual}`);
  for (const leaf of like)
    if (!isFloat(leaf.dtype) || leaf.dtype !== dtype) throw new DtypeError(`root needs unknowns of one float type, got ${dtype} and ${leaf.dtype}`);
  const n = like.reduce((sum, { size }) => sum + size, 0);

  const separate = (x: Tensor): readonly Tensor[] =>
    like.length === 1
      ? [reshape(x, like[0]!.shape)]
      : split(
          x,
          like.map(({ size }) => size),
        ).map((part, i) => reshape(part, like[i]!.shape));
  const system: System = (x) => {
    const parts = leavesOf(synchronous(residual(unflatten(form, separate(x)))));
    const count = parts.reduce((sum, { size }) => sum + size, 0);
    if (count !== n) throw new ShapeError(`root got ${count} equations for ${n} unknowns: the residual must have as many elements as the guess`);
    for (const part of parts)
      if (part.dtype !== dtype) throw new DtypeError(`root got a residual of type ${part.dtype} for unknowns of type ${dtype}: convert with cast`);
    return flatten(parts);
  };
  if (n === 0) return unflatten(form, like.map((leaf) => identity(leaf))); // prettier-ignore

  const start = Float64Array.from(like.flatMap((leaf) => [...elementsOf(leaf)]));
  const asTensor = (x: Float64Array): Tensor => wrap(dtype === "float64" ? x : Float32Array.from(x), [n], dtype);
  const { solver } = settings;
  const dense = solver === "dense";
  const solution = implicit("root", {
    residual: system,
    find: () => asTensor(newton(system, start, asTensor, settings)),
    inverse: (x) => {
      if (!dense) return (r) => mapped(r, (right) => matrixFreeSolve(system, x, right, settings));
      const matrix = unrecorded(() => jacobianAt(system, x, noDerivative));
      return (r) => linearSolve(matrix, r);
    },
    transposed: (x, g) =>
      dense ? linearSolve(jacobianAt(system, x, noDerivative), g, { transposed: true }) : transposedSolve(system, x, g, settings),
    recordsReverse: dense,
    secondDerivatives:
      'For second derivatives use jvp of gradient, as hessianVectorProduct does, or let root take solver: "dense", whose reverse is recorded',
  });
  return unflatten(form, separate(solution));
};

const settingsOf = (options: RootOptions, isDouble: boolean): Settings => {
  checkOptions("root", options, ["solver", "tolerance", "iterations", "linear"]);
  const { solver = "dense", tolerance = isDouble ? 1e-12 : 1e-5, iterations = 50, linear = {} } = options;
  if (solver !== "dense" && solver !== "gmres") throw new OptionError(`root got solver "${String(solver)}": "dense" or "gmres"`);
  if (!(tolerance > 0 && tolerance < Infinity)) throw new OptionError(`root got tolerance ${tolerance}: a positive, finite number is needed`);
  if (!Number.isInteger(iterations) || iterations < 1) throw new OptionError(`root got iterations ${iterations}: a positive whole number is needed`);
  checkGmresOptions("root: linear", linear, ["tolerance", "restart", "iterations"]);
  return { solver, tolerance, iterations, linear };
};

const flatten = (parts: readonly Tensor[]): Tensor => {
  const flat = parts.map((part) => reshape(part, [part.size]));
  return flat.length === 1 ? flat[0]! : concat(flat);
};

/** ∂r/∂x at x. @throws what `refuse` makes of it where an element is not finite. */
const jacobianAt = (system: System, x: Tensor, refuse: (what: string) => NewtonError): Tensor => {
  const jacobian = jacobianByRows(system, x);
  const bad = kernels.firstNonFinite(jacobian);
  if (bad < 0) return jacobian;
  const [row, column] = [Math.trunc(bad / x.size), bad % x.size];
  const derivative = `the derivative of equation ${row} by unknown ${column} is ${elementsOf(jacobian)[bad]}`;
  throw refuse(`its Jacobian is not finite: ${derivative}, where that unknown is ${elementsOf(x)[column]}`);
};

const noDerivative = (what: string): NewtonError => new NewtonError(`root has found one where it has no derivative: ${what}`, []);

/** A linear map that is known by an iteration; forward modes pass through it. */
const mapped = /* @__PURE__ */ defineJvp(
  /* @__PURE__ */ primitive("mapped", (x: Tensor, map: (x: Tensor) => Tensor): Tensor => map(x)),
  ["linear", null],
);

/** (∂r/∂x)ᵀ w = g by pullbacks; for forward modes it is refined in the same way. */
const transposedSolve = (system: System, x: Tensor, g: Tensor, { linear }: Settings): Tensor => {
  const order = wantedOrder();
  const inverse = (right: Tensor): Tensor => unrecorded(() => gmres(vjp(system, x).pullback, right, linear).x);
  let w = inverse(g);
  for (let k = 0; k < order; k++) w = sub(w, mapped(sub(vjp(system, x).pullback(w), g), inverse));
  return w;
};

/** (∂r/∂x) Δ = r by tangents. */
const matrixFreeSolve = (system: System, x: Tensor, r: Tensor, { linear }: Settings): Tensor => gmres((v) => jvp(system, x, v).tangent, r, linear).x;

const newton = (system: System, start: Float64Array, asTensor: (x: Float64Array) => Tensor, settings: Settings): Float64Array => {
  const { tolerance, iterations, solver } = settings;
  const evaluate = (x: Float64Array): Float64Array => inTemporaryRegion("step", () => Float64Array.from(elementsOf(system(asTensor(x)))));
  const update = (x: Float64Array, r: Float64Array): Float64Array =>
    inTemporaryRegion("tape", () => {
      const at = asTensor(x);
      if (solver === "gmres") return Float64Array.from(elementsOf(matrixFreeSolve(system, at, asTensor(r), settings)));
      return Float64Array.from(elementsOf(linearSolve(jacobianAt(system, at, noUpdate), asTensor(r))));
    });
  let x = start;
  let r = evaluate(x);
  const norms = [norm(r)];
  const size = (v: Float64Array): string => norm(v).toExponential(1);
  const noUpdate = (what: string): NewtonError =>
    fail(what, undefined, "Begin with another guess, or keep the unknowns away from where this happens");
  const fail = (what: string, cause?: unknown, advice = "Begin nearer to the root"): NewtonError => {
    const trail = norms.slice(-4).map((value) => value.toExponential(1));
    return new NewtonError(
      `root found none in ${norms.length - 1} iterations: ${what}; the residuals were ${norms.length > 4 ? "…, " : ""}${trail.join(", ")}. ${advice}`,
      [...norms],
      cause === undefined ? undefined : { cause },
    );
  };
  if (!Number.isFinite(norms[0]!) || r.some(Number.isNaN)) throw fail("the residual at the guess is not finite");

  while (norms.length <= iterations) {
    const before = norms.at(-1)!;
    if (before <= 1e-3 * tolerance * norms[0]!) return x;
    let delta: Float64Array;
    try {
      delta = update(x, r);
    } catch (error) {
      if (!(error instanceof SingularMatrixError || error instanceof KrylovError)) throw error;
      throw fail(`its Jacobian could not be inverted (${error.message})`, error);
    }
    if (!delta.every(Number.isFinite)) throw fail("its update is not finite");
    if (norm(delta) <= tolerance * Math.min(norm(x), Number.MAX_VALUE)) return x.map((e, i) => e - delta[i]!);
    let damping = 1;
    for (;;) {
      const next = x.map((e, i) => e - damping * delta[i]!);
      const residual = evaluate(next);
      const after = norm(residual);
      if (!residual.some(Number.isNaN) && after <= (1 - 1e-4 * damping) * before) {
        [x, r] = [next, residual];
        norms.push(after);
        break;
      }
      damping /= 2;
      if (damping >= 1e-6) continue;
      // Near zero all digits of x may be rounding of the residual: no update is small beside x, and none lowers what is left.
      if (norm(delta) <= tolerance) return x;
      throw fail(`no part of an update of size ${size(delta)} lowers it, where x has size ${size(x)} (tolerance ${tolerance})`);
    }
  }
  throw fail(`allow more than ${iterations}`);
};
