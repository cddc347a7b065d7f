/**
 * @file What a tableau claims, checked: parts and their lengths, row sums, order conditions, stages at one time.
 *
 *   Σⱼ aᵢⱼ = cᵢ,  Σ wᵢ Φᵢ(τ) = 1 / γ(τ) for w = b, b̂,  bᵢ(1) = bᵢ,  Σ bᵢ(θ) Φᵢ(τ) = θ^|τ| / γ(τ) as an identity of polynomials
 *
 * E. Hairer, S. P. Nørsett, G. Wanner, Solving Ordinary Differential Equations I, 2nd ed., 1993, II.2, Theorem 2.13, and II.6.
 */
import { DydtError } from "@dydt/tensor";
import { requireObject } from "./arguments.js";
import { orderConditions, type RootedTree } from "./order-conditions.js";
import type { Tableau } from "./tableau.js";

/** A tableau that is not the method it says it is. */
export class TableauError extends DydtError {
  override readonly name = "TableauError";
}

/** Bound on residuals, relative to the sizes of the terms that cancel: rounding errors of the coefficients. */
const tolerance = 1e-13;
/** Conditions of higher orders are many (286 for order 9), and no solver here needs them. */
const highestOrder = 8;

/** All stages of a tableau in one list. */
interface Extended {
  readonly a: readonly (readonly number[])[];
  readonly c: readonly number[];
}

/**
 * Checks a tableau against its own claims.
 *
 * @throws TableauError that names the claim which fails.
 */
export const checkClaims = (tableau: Tableau): void => {
  requireObject("a method", tableau, "b", "a tableau such as { name, order, a, b, c }");
  const { b, error, errorOrder, coarseError, coarseErrorOrder, dense, denseOrder } = tableau;
  checkKeys(tableau);
  checkLists(tableau);
  checkNumbers(tableau);
  checkRowSums(tableau);
  checkOrder(tableau, "b", b, tableau.order);
  if (error !== undefined && errorOrder !== undefined) checkOrder(tableau, "b − error", difference(b, error), errorOrder);
  if (coarseError !== undefined && coarseErrorOrder !== undefined)
    checkOrder(tableau, "b − coarseError", difference(b, coarseError), coarseErrorOrder);
  if (dense !== undefined && denseOrder !== undefined) checkDense(tableau, dense, denseOrder);
  checkStiffness(tableau);
};

/** Whether a further stage is f(t₁, y₁), which the next step begins with. */
export const isNextStage = (b: readonly number[], row: readonly number[], c: number): boolean =>
  c === 1 && row.every((weight, j) => weight === (b[j] ?? 0));

const refusal = (tableau: Tableau, what: string, advice: string): TableauError => new TableauError(`tableau "${tableau.name}" ${what}: ${advice}`);

const knownKeys = [
  "name", "order", "a", "b", "c", "error", "errorOrder", "coarseError", "coarseErrorOrder", "dense", "denseOrder", "denseStages", "stiffness", "stabilitySize",
]; // prettier-ignore

/** No unknown part, and no part without the order that it claims. */
const checkKeys = (tableau: Tableau): void => {
  for (const key of Object.keys(tableau))
    if (!knownKeys.includes(key)) throw refusal(tableau, `has an unknown part "${key}"`, `the parts are ${knownKeys.join(", ")}`);
  const expectBoth = (part: "error" | "coarseError" | "dense", claim: "errorOrder" | "coarseErrorOrder" | "denseOrder") => {
    if ((tableau[part] === undefined) !== (tableau[claim] === undefined))
      throw refusal(tableau, `has only one of ${part} and ${claim}`, "give both or neither");
  };
  expectBoth("error", "errorOrder");
  expectBoth("coarseError", "coarseErrorOrder");
  expectBoth("dense", "denseOrder");
  const expectFirst = (part: "coarseError" | "denseStages", first: "error" | "dense") => {
    if (tableau[part] !== undefined && tableau[first] === undefined) throw refusal(tableau, `has ${part} without ${first}`, `give ${first} too`);
  };
  expectFirst("coarseError", "error");
  expectFirst("denseStages", "dense");
};

/** One entry for each stage, i of them in row i of a, the same number in each row of dense. */
const checkLists = (tableau: Tableau): void => {
  const { a, b, c, error, coarseError, dense, denseStages } = tableau;
  const expectLength = (what: string, list: readonly unknown[] | undefined, length: number) => {
    if (list?.length !== length) throw refusal(tableau, `needs ${length} entries in ${what}, got ${list?.length}`, `b has ${b.length} stages`);
  };
  if (!Array.isArray(b) || b.length === 0) throw refusal(tableau, "has no weights b", "give one for each stage");
  expectLength("a", a, b.length);
  expectLength("c", c, b.length);
  a.forEach((row, i) => expectLength(`row ${i} of a`, row, i));
  if (error !== undefined) expectLength("error", error, b.length);
  if (coarseError !== undefined) expectLength("coarseError", coarseError, b.length);
  if (dense === undefined) return;
  if (denseStages !== undefined) {
    expectLength("a of denseStages", denseStages.a, denseStages.c.length);
    denseStages.a.forEach((row, i) => expectLength(`row ${i} of a of denseStages`, row, b.length + i));
  }
  expectLength("dense", dense, b.length + (denseStages?.c.length ?? 0));
  dense.forEach((row, i) => expectLength(`row ${i} of dense`, row, dense[0]!.length));
};

/** Finite coefficients, orders that can be checked, a positive stability size. */
const checkNumbers = (tableau: Tableau): void => {
  const { b, error = [], coarseError = [], dense = [], order, errorOrder = 1, coarseErrorOrder = 1, denseOrder = 1, stabilitySize = 1 } = tableau;
  const { a, c } = extended(tableau);
  for (const [part, list] of Object.entries({ a: a.flat(), b, c, error, coarseError, dense: dense.flat() })) {
    const wrong = list.findIndex((entry) => !Number.isFinite(entry));
    if (wrong >= 0) throw refusal(tableau, `has the entry ${list[wrong]} in ${part}`, "coefficients are finite numbers");
  }
  for (const [claim, value] of Object.entries({ order, errorOrder, coarseErrorOrder, denseOrder }))
    if (!Number.isInteger(value) || value < 1 || value > highestOrder)
      throw refusal(tableau, `has ${claim} ${value}`, `conditions are known from 1 to ${highestOrder}`);
  if (!(stabilitySize > 0 && stabilitySize < Infinity)) throw refusal(tableau, `has stabilitySize ${stabilitySize}`, "it is a positive number");
};

/** The stages of the method, and those of its dense output. */
const extended = ({ a, c, denseStages }: Tableau): Extended => ({ a: [...a, ...(denseStages?.a ?? [])], c: [...c, ...(denseStages?.c ?? [])] });

/** Σⱼ aᵢⱼ = cᵢ. */
const checkRowSums = (tableau: Tableau): void => {
  const { a, c } = extended(tableau);
  a.forEach((row, i) => checkEqual(tableau, `Σⱼ a${subscript(i)}ⱼ = c${subscript(i)}`, sum(row), c[i]!, sum(row.map(Math.abs))));
};

/** Σ wᵢ Φᵢ(τ) = 1 / γ(τ) for every tree τ of at most `order` vertices. */
const checkOrder = (tableau: Tableau, weights: string, w: readonly number[], order: number): void => {
  for (const { tree, value, target, scale } of orderConditions(tableau.a, w, order))
    checkEqual(tableau, `the condition of ${weights} for the tree ${tree.name} of order ${tree.order}`, value, target, scale);
};

/** bᵢ(1) = bᵢ, and Σ bᵢ(θ) Φᵢ(τ) = θ^|τ| / γ(τ) power by power. */
const checkDense = (tableau: Tableau, dense: readonly (readonly number[])[], order: number): void => {
  const expectEqual = (condition: string, value: number, target: number, scale: number) =>
    checkEqual(tableau, `${condition} of dense`, value, target, scale);
  dense.forEach((row, i) => expectEqual(`b${subscript(i)}(1) = b${subscript(i)}`, sum(row), tableau.b[i] ?? 0, sum(row.map(Math.abs))));
  const { a } = extended(tableau);
  for (let power = 1; power <= Math.max(order, dense[0]!.length); power++) {
    const coefficients = dense.map((row) => row[power - 1] ?? 0);
    const exact = (tree: RootedTree) => (tree.order === power ? 1 / tree.density : 0);
    for (const { tree, value, target, scale } of orderConditions(a, coefficients, order, exact))
      expectEqual(`the θ^${power} part of the condition for the tree ${tree.name} of order ${tree.order}`, value, target, scale);
  }
};

/** Two different stages at the same time: otherwise the difference of their slopes would not be the work of y alone. */
const checkStiffness = (tableau: Tableau): void => {
  const { stiffness, b } = tableau;
  if (stiffness === undefined) return;
  const { c } = extended(tableau);
  // Of the further stages only f(t₁, y₁) comes without a price.
  const first = tableau.denseStages?.a[0];
  const count = first !== undefined && isNextStage(b, first, c[b.length]!) ? b.length + 1 : b.length;
  const [i, j] = stiffness;
  if (c[i] === undefined || c[j] === undefined || i === j || i >= count || j >= count)
    throw refusal(tableau, `has stiffness [${stiffness.join(", ")}]`, `name two different stages from 0 to ${count - 1}`);
  checkEqual(tableau, `c${subscript(i)} = c${subscript(j)} of the stiffness pair`, c[i], c[j], 1);
};

/** |value − target| within the tolerance, relative to `scale` or to the target where that is larger. */
const checkEqual = (tableau: Tableau, condition: string, value: number, target: number, scale: number): void => {
  const residual = value - target;
  if (Math.abs(residual) <= tolerance * Math.max(scale, Math.abs(target))) return;
  throw refusal(
    tableau,
    `fails ${condition}: it gives ${value} instead of ${target}, a residual of ${residual.toExponential(2)}`,
    "compare its coefficients with the source",
  );
};

const difference = (x: readonly number[], y: readonly number[]): number[] => x.map((entry, i) => entry - y[i]!);

const sum = (list: readonly number[]): number => list.reduce((total, entry) => total + entry, 0);

/** Stages are counted from 1 in print, as in the formulas. */
const subscript = (stage: number): string => [...String(stage + 1)].map((digit) => "₀₁₂₃₄₅₆₇₈₉"[Number(digit)]).join("");
