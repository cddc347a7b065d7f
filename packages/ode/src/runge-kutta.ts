/**
 * @file Explicit Runge-Kutta methods: one function from a tableau to a solver.
 *
 *   gᵢ = y₀ + h Σ_{j<i} aᵢⱼ kⱼ,  kᵢ = f(t₀ + cᵢ h, gᵢ),  y₁ = y₀ + h Σ bᵢ kᵢ,  e = h Σ (bᵢ − b̂ᵢ) kᵢ
 *
 * f(t₁, y₁) is carried into the next step, as its first stage, and evaluated only when somebody asks for it: that step, or, where it is the last stage of this
 * one, the error, dense output or the stiffness.
 */
import { lazily, type DenseStep, type EmbeddedStep, type Leaves, type StagePair, type Step, type StiffnessStep } from "./step.js";
import { checkTableau, type CheckedTableau, type SparseRow, type Tableau } from "./tableau.js";
import type { Ode, Term } from "./term.js";
import type { Solver } from "./solver.js";
import { denseWeights } from "./interpolation.js";
import { timeAlong, timeValue, type Time } from "./time.js";
import { sub } from "@dydt/tensor";

/** The record that a method with this tableau makes. */
export type RungeKuttaStep<T extends Tableau> = Step &
  (T extends { readonly error: readonly number[] } ? EmbeddedStep : unknown) &
  (T extends { readonly dense: readonly (readonly number[])[] } ? DenseStep : unknown) &
  (T extends { readonly stiffness: readonly [number, number] } ? StiffnessStep : unknown);

/**
 * A solver from a tableau, which is checked first: row sums, order conditions, embedded order, dense output, stages at one time.
 *
 * @param tableau - the coefficients. What it has (`error`, `dense`, `stiffness`) decides what the steps have, in the type too.
 * @returns a solver. Cost: one evaluation of f a stage, one less where the last stage is the next first.
 * @throws TableauError naming the condition that fails, and by how much.
 * @example
 * const midpointRule = explicitRungeKutta({ name: "midpoint", order: 2, a: [[], [1 / 2]], b: [0, 1], c: [0, 1 / 2] });
 * const { y1 } = solve((t, y) => y.neg(), tensor([1]), { t0: 0, t1: 1, solver: midpointRule, controller: fixedSteps(100) });
 * expectClose(y1, [0.36787944117144233], { rtol: 1e-4 });
 */
export const explicitRungeKutta = <const T extends Tableau>(tableau: T): Solver<Ode, RungeKuttaStep<T>> => {
  const checked = checkTableau(tableau);
  return Object.freeze({
    name: checked.name,
    order: checked.order,
    errorOrder: checked.errorOrder,
    stabilitySize: checked.stabilitySize,
    interpolates: checked.interpolant !== undefined,
    carries: "recoverable",
    start: (term: Term, t0: Time, y0: Leaves): Leaves => term.slope(t0, y0),
    step: (term: Term, t0: Time, t1: Time, y0: Leaves, carry: Leaves) => rungeKuttaStep(checked, term, t0, t1, y0, carry) as RungeKuttaStep<T>,
  });
};

const pick = <T>(indices: readonly number[], list: readonly T[]): readonly T[] => {
  const picked = new Array<T>(indices.length);
  for (let i = 0; i < indices.length; i++) picked[i] = list[indices[i]!]!;
  return picked;
};

const rungeKuttaStep = (tableau: CheckedTableau, term: Term, t0: Time, t1: Time, y0: Leaves, carry: Leaves): Step => {
  const { rows, c, stages, solution, estimate, interpolant, stiffness, firstSameAsLast } = tableau;
  const h = term.differential(t0, t1);
  const slopes: Leaves[] = [carry];
  const states: Leaves[] = [y0];
  const eager = firstSameAsLast ? stages - 1 : stages;
  for (let i = 1; i < eager; i++) {
    const state = combine(y0, rows[i]!);
    states.push(state);
    slopes.push(term.slope(c[i] === 1 ? t1 : timeAlong(t0, c[i]!, h), state));
  }
  const y1 = combine(y0, solution);
  /** All stages. */
  const complete = lazily((): readonly Leaves[] => {
    if (firstSameAsLast) {
      states.push(y1);
      slopes.push(term.slope(t1, y1));
    }
    return slopes;
  });
  const next = lazily(() => (firstSameAsLast ? complete()[stages - 1]! : term.slope(t1, y1)));
  const [from, to] = [timeValue(t0), timeValue(t1)];
  if (estimate === undefined) return withEvaluation({ t0: from, t1: to, h, y0, y1, get carry() { return next(); } }); // prettier-ignore
  const error = lazily(() => (complete(), combine(null, estimate)));
  return withEvaluation({ t0: from, t1: to, h, y0, y1, get carry() { return next(); }, get error() { return error(); } }); // prettier-ignore

  function combine(base: Leaves | null, row: SparseRow): Leaves {
    return term.combine(base, row.weights, pick(row.indices, slopes), h);
  }

  /** Adds what the tableau has besides: evaluation in between, and two stages at one time. */
  function withEvaluation(record: Step & { readonly error?: Leaves; at?: DenseStep["at"]; stiffness?: StiffnessStep["stiffness"] }): Step {
    if (interpolant !== undefined)
      record.at = (t) => term.combine(y0, denseWeights(interpolant.coefficients, t0, h, t), pick(interpolant.indices, complete()), h);
    if (stiffness !== undefined) record.stiffness = () => pairOf(complete(), states, stiffness);
    return record;
  }
};

const pairOf = (slopes: readonly Leaves[], states: readonly Leaves[], [i, j]: readonly [number, number]): StagePair => {
  const difference = (list: readonly Leaves[]): Leaves => list[i]!.map((leaf, k) => sub(leaf, list[j]![k]!));
  return { slopes: difference(slopes), states: difference(states) };
};
