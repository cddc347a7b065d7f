/**
 * @file Explicit Runge–Kutta methods as data that checks itself.
 *
 *   kᵢ = f(t₀ + cᵢ h, y₀ + h Σ_{j<i} aᵢⱼ kⱼ)
 *   y₁ = y₀ + h Σ bᵢ kᵢ                          of order p
 *   e  = h Σ (bᵢ − b̂ᵢ) kᵢ                        b̂ of order p̂
 *   y(t₀ + θh) = y₀ + h Σ bᵢ(θ) kᵢ,  bᵢ(θ) = dᵢ₁ θ + dᵢ₂ θ² + ⋯,  0 ≤ θ ≤ 1     over the stages, and further ones where these are too few
 *
 * A tableau is refused unless Σⱼ aᵢⱼ = cᵢ, b and b̂ meet their order conditions, bᵢ(1) = bᵢ, and Σ bᵢ(θ) Φᵢ(τ) = θ^|τ| / γ(τ) holds as an
 * identity of polynomials. A mistyped digit is then an error where the tableau is made, not a solver that converges a little slowly. The tableaus of this library
 * are checked by its tests.
 * E. Hairer, S. P. Nørsett, G. Wanner, Solving Ordinary Differential Equations I, 2nd ed., 1993, II.2 (order), II.4 (b̂), II.6 (dense output, eq. 6.2).
 */
import { checkClaims, isNextStage } from "./tableau-checks.js";

export { TableauError } from "./tableau-checks.js";

/** An explicit Runge–Kutta method: what a solver of that family is made of. */
export interface Tableau {
  readonly name: string;
  /** The order p of the solution; at most 8. */
  readonly order: number;
  /** Stage coefficients; row i has i entries. */
  readonly a: readonly (readonly number[])[];
  /** Weights of the solution, one for each stage. */
  readonly b: readonly number[];
  /** Stage times as fractions of the step. */
  readonly c: readonly number[];
  /** Weights b − b̂ of the error estimate. Needs `errorOrder`. */
  readonly error?: readonly number[];
  /** The order p̂ of b̂. */
  readonly errorOrder?: number;
  /** Weights of a second estimate e̲, of lower order: e is then damped to e² / √(e² + e̲² / 100), component by component. Needs `coarseErrorOrder`. */
  readonly coarseError?: readonly number[];
  /** The order of the method that `coarseError` is the difference to. */
  readonly coarseErrorOrder?: number;
  /** Dense output: row i has the coefficients of θ, θ², θ³, … of bᵢ(θ), as many in each row. Needs `denseOrder`. */
  readonly dense?: readonly (readonly number[])[];
  /** The order to which the dense output meets the order conditions for every θ. */
  readonly denseOrder?: number;
  /** Stages that the dense output needs besides, evaluated when it is first asked for: rows of `a` and entries of `c` after those of the method. */
  readonly denseStages?: DenseStages;
  /** Two stages i, j with cᵢ = cⱼ, counted from zero, for Shampine's estimate ‖kᵢ − kⱼ‖ / ‖gᵢ − gⱼ‖ of the stiffness, g being the stage arguments. */
  readonly stiffness?: readonly [number, number];
  /** How far the region of absolute stability reaches to the left: h ρ beyond it is unstable. */
  readonly stabilitySize?: number;
}

/** Stages of the dense output alone: the tableau goes on with them. */
export interface DenseStages {
  readonly a: readonly (readonly number[])[];
  readonly c: readonly number[];
}

/** The non-zero entries of a row of weights. */
export interface SparseRow {
  readonly indices: readonly number[];
  readonly weights: readonly number[];
}

/** A tableau that passed its checks, here or in the tests of this library, with what a step reads from it. Frozen throughout. */
export interface CheckedTableau extends Tableau {
  /** The number of stages. */
  readonly stages: number;
  /** The last stage is f(t₁, y₁): the first stage of the next step. */
  readonly firstSameAsLast: boolean;
  /** `a` without its zeros, one row for each stage. */
  readonly rows: readonly SparseRow[];
  /** `b` without its zeros. */
  readonly solution: SparseRow;
  /** `error` without its zeros. */
  readonly estimate: SparseRow | undefined;
  /** `coarseError` without its zeros. */
  readonly coarseEstimate: SparseRow | undefined;
  /** The stages of the dense output alone, rows without their zeros. */
  readonly further: readonly FurtherStage[];
  /** `dense` without its zero rows. */
  readonly interpolant: { readonly indices: readonly number[]; readonly coefficients: readonly (readonly number[])[] } | undefined;
}

/** A stage of the dense output alone. */
export interface FurtherStage {
  readonly row: SparseRow;
  readonly c: number;
  /** It is f(t₁, y₁), which the next step begins with. */
  readonly isNext: boolean;
}

const preparedTableaus = new WeakMap<Tableau, CheckedTableau>();
const checkedTableaus = new WeakSet<Tableau>();

/**
 * Makes a constant of a tableau: frozen throughout, and of a type that remembers which optional parts it has.
 *
 * @param tableau - the coefficients; checked when a solver is made of them.
 * @returns the same object.
 * @example
 * const eulerTableau = defineTableau({ name: "euler", order: 1, a: [[]], b: [1], c: [0] });
 */
export const defineTableau = <const T extends Tableau>(tableau: T): T => freezeDeeply(tableau);

/**
 * Checks a tableau against its own claims and prepares it for stepping.
 *
 * Cost: up to tens of milliseconds for a high order with dense output, once for each object: the result is remembered by identity, so a tableau must not change
 * afterwards ({@link defineTableau}).
 *
 * @param tableau - the method. Its order may be higher than it says, never lower.
 * @returns a frozen copy, with the non-zero weights listed.
 * @throws TableauError that names the condition which fails and by how much.
 * @example
 * const { stages, firstSameAsLast } = checkTableau({ name: "midpoint", order: 2, a: [[], [1 / 2]], b: [0, 1], c: [0, 1 / 2] }); // 2, false
 */
export const checkTableau = (tableau: Tableau): CheckedTableau => {
  if (!checkedTableaus.has(tableau)) checkClaims(tableau);
  const result = preparedTableau(tableau);
  checkedTableaus.add(tableau).add(result);
  return result;
};

/** As {@link checkTableau}, for a tableau of this library, which its tests have checked: programs do not carry the order conditions. */
export const preparedTableau = (tableau: Tableau): CheckedTableau => {
  const remembered = preparedTableaus.get(tableau);
  if (remembered !== undefined) return remembered;
  const result = prepare(tableau);
  preparedTableaus.set(tableau, result).set(result, result);
  return result;
};

/** What a step reads from the tableau, worked out once. */
const prepare = (tableau: Tableau): CheckedTableau => {
  const { a, b, c, error, coarseError, dense } = tableau;
  const last = b.length - 1;
  return freezeDeeply(
    structuredClone({
      ...tableau,
      stages: b.length,
      firstSameAsLast: c[last] === 1 && b[last] === 0 && a[last]!.every((weight, i) => weight === b[i]),
      rows: a.map(sparse),
      solution: sparse(b),
      estimate: error && sparse(error),
      coarseEstimate: coarseError && sparse(coarseError),
      further: furtherStages(tableau),
      interpolant: dense && sparseRows(dense),
    }),
  );
};

const furtherStages = ({ b, denseStages }: Tableau): readonly FurtherStage[] =>
  (denseStages?.a ?? []).map((row, i) => ({ row: sparse(row), c: denseStages!.c[i]!, isNext: isNextStage(b, row, denseStages!.c[i]!) }));

const sparse = (row: readonly number[]): SparseRow => {
  const indices = [...row.keys()].filter((i) => row[i] !== 0);
  return { indices, weights: indices.map((i) => row[i]!) };
};

const sparseRows = (rows: readonly (readonly number[])[]): CheckedTableau["interpolant"] => {
  const indices = [...rows.keys()].filter((i) => rows[i]!.some((coefficient) => coefficient !== 0));
  return { indices, coefficients: indices.map((i) => rows[i]!) };
};

const freezeDeeply = <T>(value: T): T => {
  if (typeof value !== "object" || value === null) return value;
  Object.values(value).forEach(freezeDeeply);
  return Object.freeze(value);
};
