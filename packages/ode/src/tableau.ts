/**
 * @file Explicit Runge–Kutta methods as data that checks itself.
 *
 *   kᵢ = f(t₀ + cᵢ h, y₀ + h Σ_{j<i} aᵢⱼ kⱼ)
 *   y₁ = y₀ + h Σ bᵢ kᵢ                          of order p
 *   e  = h Σ (bᵢ − b̂ᵢ) kᵢ                        b̂ of order p̂
 *   y(t₀ + θh) = y₀ + h Σ bᵢ(θ) kᵢ,  bᵢ(θ) = dᵢ₁ θ + dᵢ₂ θ² + ⋯,  0 ≤ θ ≤ 1
 *
 * A tableau is refused unless Σⱼ aᵢⱼ = cᵢ, b and b̂ meet their order conditions, bᵢ(1) = bᵢ, and Σ bᵢ(θ) Φᵢ(τ) = θ^|τ| / γ(τ) holds as an
 * identity of polynomials. A mistyped digit is then an error where the tableau is made, not a solver that converges a little slowly.
 * E. Hairer, S. P. Nørsett, G. Wanner, Solving Ordinary Differential Equations I, 2nd ed., 1993, II.2 (order), II.4 (b̂), II.6 (dense output, eq. 6.2).
 */
import { DydtError } from "@dydt/tensor";
import { orderConditions, type RootedTree } from "./order-conditions.js";

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
  /** Dense output: row i has the coefficients of θ, θ², θ³, … of bᵢ(θ), as many in each row. Needs `denseOrder`. */
  readonly dense?: readonly (readonly number[])[];
  /** The order to which the dense output meets the order conditions for every θ. */
  readonly denseOrder?: number;
  /** Two stages i, j with cᵢ = cⱼ, counted from zero, for Shampine's estimate ‖kᵢ − kⱼ‖ / ‖gᵢ − gⱼ‖ of the stiffness, g being the stage arguments. */
  readonly stiffness?: readonly [number, number];
  /** How far the region of absolute stability reaches to the left: h ρ beyond it is unstable. */
  readonly stabilitySize?: number;
}

/** The non-zero entries of a row of weights. */
export interface SparseRow {
  readonly indices: readonly number[];
  readonly weights: readonly number[];
}

/** A tableau that passed its checks, with what a step reads from it. Frozen throughout. */
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
  /** `dense` without its zero rows. */
  readonly interpolant: { readonly indices: readonly number[]; readonly coefficients: readonly (readonly number[])[] } | undefined;
}

/** A tableau that is not the method it says it is. */
export class TableauError extends DydtError {
  override readonly name = "TableauError";
}

/** Bounds on residuals, relative to the sizes of the terms that cancel: a few rounding errors of coefficients, more where polynomials cancel. */
const coefficientTolerance = 1e-13;
const polynomialTolerance = 1e-12;
/** Conditions of higher orders are many (286 for order 9) and no solver here needs them. */
const highestOrder = 8;

const checkedTableaus = new WeakMap<Tableau, CheckedTableau>();

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
 * Cost: up to milliseconds, once for each object: the result is remembered by identity, so a tableau must not change afterwards ({@link defineTableau}).
 *
 * @param tableau - the method. Its order may be higher than it says, never lower.
 * @returns a frozen copy, with the non-zero weights listed.
 * @throws TableauError that names the condition which fails and by how much.
 * @example
 * const { stages, firstSameAsLast } = checkTableau({ name: "midpoint", order: 2, a: [[], [1 / 2]], b: [0, 1], c: [0, 1 / 2] }); // 2, false
 */
export const checkTableau = (tableau: Tableau): CheckedTableau => {
  const remembered = checkedTableaus.get(tableau);
  if (remembered !== undefined) return remembered;
  const { b, error, errorOrder, dense, denseOrder } = tableau;
  checkKeys(tableau);
  checkLists(tableau);
  checkNumbers(tableau);
  checkRowSums(tableau);
  checkOrder(tableau, "b", b, tableau.order);
  if (error !== undefined && errorOrder !== undefined) checkOrder(tableau, "b − error", difference(b, error), errorOrder);
  if (dense !== undefined && denseOrder !== undefined) checkDense(tableau, dense, denseOrder);
  checkStiffness(tableau);
  const result = prepare(tableau);
  checkedTableaus.set(tableau, result).set(result, result);
  return result;
};

const refusal = (tableau: Tableau, what: string, advice: string): TableauError => new TableauError(`tableau "${tableau.name}" ${what}: ${advice}`);

const knownKeys = ["name", "order", "a", "b", "c", "error", "errorOrder", "dense", "denseOrder", "stiffness", "stabilitySize"];

/** No unknown part, and no part without the order that it claims. */
const checkKeys = (tableau: Tableau): void => {
  for (const key of Object.keys(tableau))
    if (!knownKeys.includes(key)) throw refusal(tableau, `has an unknown part "${key}"`, `the parts are ${knownKeys.join(", ")}`);
  const expectBoth = (part: "error" | "dense", claim: "errorOrder" | "denseOrder") => {
    if ((tableau[part] === undefined) !== (tableau[claim] === undefined))
      throw refusal(tableau, `has only one of ${part} and ${claim}`, "give both or neither");
  };
  expectBoth("error", "errorOrder");
  expectBoth("dense", "denseOrder");
};

/** One entry for each stage, i of them in row i of a, the same number in each row of dense. */
const checkLists = (tableau: Tableau): void => {
  const { a, b, c, error, dense } = tableau;
  const expectLength = (what: string, list: readonly unknown[] | undefined, length: number) => {
    if (list?.length !== length) throw refusal(tableau, `needs ${length} entries in ${what}, got ${list?.length}`, `b has ${b.length} stages`);
  };
  if (!Array.isArray(b) || b.length === 0) throw refusal(tableau, "has no weights b", "give one for each stage");
  expectLength("a", a, b.length);
  expectLength("c", c, b.length);
  a.forEach((row, i) => expectLength(`row ${i} of a`, row, i));
  if (error !== undefined) expectLength("error", error, b.length);
  if (dense === undefined) return;
  expectLength("dense", dense, b.length);
  dense.forEach((row, i) => expectLength(`row ${i} of dense`, row, dense[0]!.length));
};

/** Finite coefficients, orders that can be checked, a positive stability size. */
const checkNumbers = (tableau: Tableau): void => {
  const { a, b, c, error = [], dense = [], order, errorOrder = 1, denseOrder = 1, stabilitySize = 1 } = tableau;
  for (const [part, list] of Object.entries({ a: a.flat(), b, c, error, dense: dense.flat() })) {
    const wrong = list.findIndex((entry) => !Number.isFinite(entry));
    if (wrong >= 0) throw refusal(tableau, `has the entry ${list[wrong]} in ${part}`, "coefficients are finite numbers");
  }
  for (const [claim, value] of Object.entries({ order, errorOrder, denseOrder }))
    if (!Number.isInteger(value) || value < 1 || value > highestOrder)
      throw refusal(tableau, `has ${claim} ${value}`, `conditions are known from 1 to ${highestOrder}`);
  if (!(stabilitySize > 0 && stabilitySize < Infinity)) throw refusal(tableau, `has stabilitySize ${stabilitySize}`, "it is a positive number");
};

/** Σⱼ aᵢⱼ = cᵢ. */
const checkRowSums = (tableau: Tableau): void =>
  tableau.a.forEach((row, i) =>
    checkEqual(tableau, `Σⱼ a${subscript(i)}ⱼ = c${subscript(i)}`, sum(row), tableau.c[i]!, sum(row.map(Math.abs)), coefficientTolerance),
  );

/** Σ wᵢ Φᵢ(τ) = 1 / γ(τ) for every tree τ of at most `order` vertices. */
const checkOrder = (tableau: Tableau, weights: string, w: readonly number[], order: number): void => {
  for (const { tree, value, target, scale } of orderConditions(tableau.a, w, order))
    checkEqual(tableau, `the condition of ${weights} for the tree ${tree.name} of order ${tree.order}`, value, target, scale, coefficientTolerance);
};

/** bᵢ(1) = bᵢ, and Σ bᵢ(θ) Φᵢ(τ) = θ^|τ| / γ(τ) power by power. */
const checkDense = (tableau: Tableau, dense: readonly (readonly number[])[], order: number): void => {
  const expectEqual = (condition: string, value: number, target: number, scale: number) =>
    checkEqual(tableau, `${condition} of dense`, value, target, scale, polynomialTolerance);
  dense.forEach((row, i) => expectEqual(`b${subscript(i)}(1) = b${subscript(i)}`, sum(row), tableau.b[i]!, sum(row.map(Math.abs))));
  for (let power = 1; power <= Math.max(order, dense[0]!.length); power++) {
    const coefficients = dense.map((row) => row[power - 1] ?? 0);
    const exact = (tree: RootedTree) => (tree.order === power ? 1 / tree.density : 0);
    for (const { tree, value, target, scale } of orderConditions(tableau.a, coefficients, order, exact))
      expectEqual(`the θ^${power} part of the condition for the tree ${tree.name} of order ${tree.order}`, value, target, scale);
  }
};

/** Two different stages at the same time: otherwise the difference of their slopes would not be the work of y alone. */
const checkStiffness = (tableau: Tableau): void => {
  const { c, stiffness } = tableau;
  if (stiffness === undefined) return;
  const [i, j] = stiffness;
  if (c[i] === undefined || c[j] === undefined || i === j)
    throw refusal(tableau, `has stiffness [${stiffness.join(", ")}]`, `name two different stages from 0 to ${c.length - 1}`);
  checkEqual(tableau, `c${subscript(i)} = c${subscript(j)} of the stiffness pair`, c[i], c[j], 1, coefficientTolerance);
};

/** |value − target| within the tolerance, relative to `scale` or to the target where that is larger. */
const checkEqual = (tableau: Tableau, condition: string, value: number, target: number, scale: number, tolerance: number): void => {
  const residual = value - target;
  if (Math.abs(residual) <= tolerance * Math.max(scale, Math.abs(target))) return;
  throw refusal(
    tableau,
    `fails ${condition}: it gives ${value} instead of ${target}, a residual of ${residual.toExponential(2)}`,
    "compare its coefficients with the source",
  );
};

/** What a step reads from the tableau, worked out once. */
const prepare = (tableau: Tableau): CheckedTableau => {
  const { a, b, c, error, dense } = tableau;
  const last = b.length - 1;
  return freezeDeeply(
    structuredClone({
      ...tableau,
      stages: b.length,
      firstSameAsLast: c[last] === 1 && b[last] === 0 && a[last]!.every((weight, i) => weight === b[i]),
      rows: a.map(sparse),
      solution: sparse(b),
      estimate: error && sparse(error),
      interpolant: dense && sparseRows(dense),
    }),
  );
};

const sparse = (row: readonly number[]): SparseRow => {
  const indices = [...row.keys()].filter((i) => row[i] !== 0);
  return { indices, weights: indices.map((i) => row[i]!) };
};

const sparseRows = (rows: readonly (readonly number[])[]): CheckedTableau["interpolant"] => {
  const indices = [...rows.keys()].filter((i) => rows[i]!.some((coefficient) => coefficient !== 0));
  return { indices, coefficients: indices.map((i) => rows[i]!) };
};

const difference = (x: readonly number[], y: readonly number[]): number[] => x.map((entry, i) => entry - y[i]!);

const sum = (list: readonly number[]): number => list.reduce((total, entry) => total + entry, 0);

/** Stages are counted from 1 in print, as in the formulas. */
const subscript = (stage: number): string => [...String(stage + 1)].map((digit) => "₀₁₂₃₄₅₆₇₈₉"[Number(digit)]).join("");

const freezeDeeply = <T>(value: T): T => {
  if (typeof value !== "object" || value === null) return value;
  Object.values(value).forEach(freezeDeeply);
  return Object.freeze(value);
};
