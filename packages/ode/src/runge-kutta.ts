/**
 * @file Explicit Runge-Kutta methods: one function from a tableau to a solver.
 *
 *   gᵢ = y₀ + h Σ_{j<i} aᵢⱼ kⱼ,  kᵢ = f(t₀ + cᵢ h, gᵢ),  y₁ = y₀ + h Σ bᵢ kᵢ,  e = h Σ (bᵢ − b̂ᵢ) kᵢ
 *
 * f(t₁, y₁) is carried into the next step, as its first stage, and evaluated only when somebody asks for it: that step, or, where it is the last stage of this
 * one, the error, dense output or the stiffness.
 */
import { lazily, type DenseStep, type EmbeddedStep, type Leaves, type Step, type StiffnessStep } from "./step.js";
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

const pick = <T>({ indices }: { readonly indices: readonly number[] }, list: readonly T[]): readonly T[] => indices.map((i) => list[i]!);

const rungeKuttaStep = (tableau: CheckedTableau, term: Term, t0: Time, t1: Time, y0: Leaves, carry: Leaves): Step => {
  const { rows, c, stages, solution, estimate, interpolant, stiffness, firstSameAsLast } = tableau;
  const h = term.differential(t0, t1);
  const combine = (base: Leaves | null, row: SparseRow): Leaves => term.combine(base, row.weights, pick(row, slopes), h);
  const timeOf = (i: number): Time => (c[i] === 1 ? t1 : timeAlong(t0, c[i]!, h));
  const slopes: Leaves[] = [];
  const states: Leaves[] = [];
  const eager = firstSameAsLast ? stages - 1 : stages;
  for (let i = 0; i < eager; i++) {
    const state = i === 0 ? y0 : combine(y0, rows[i]!);
    states.push(state);
    slopes.push(i === 0 ? carry : term.slope(timeOf(i), state));
  }
  const y1 = combine(y0, solution);
  const complete = lazily((): readonly Leaves[] => {
    if (firstSameAsLast) {
      states.push(y1);
      slopes.push(term.slope(t1, y1));
    }
    return slopes;
  });
  const next = lazily(() => (firstSameAsLast ? complete()[stages - 1]! : term.slope(t1, y1)));
  const error = estimate === undefined ? undefined : lazily(() => (complete(), combine(null, estimate)));
  const record: Step = {
    t0: timeValue(t0),
    t1: timeValue(t1),
    h,
    y0,
    y1,
    get carry(): Leaves {
      return next();
    },
  };
  if (error !== undefined) Object.defineProperty(record, "error", { get: error, enumerable: true });
  return Object.assign(record, dense(), pair());

  function dense(): Partial<DenseStep> {
    if (interpolant === undefined) return {};
    const { coefficients } = interpolant;
    return { at: (t: Time): Leaves => term.combine(y0, denseWeights(coefficients, t0, h, t), pick(interpolant, complete()), h) };
  }

  function pair(): Partial<StiffnessStep> {
    if (stiffness === undefined) return {};
    const [i, j] = stiffness;
    return {
      stiffness: () => {
        complete();
        return {
          slopes: y0.map((_, leaf) => sub(slopes[i]![leaf]!, slopes[j]![leaf]!)),
          states: y0.map((_, leaf) => sub(states[i]![leaf]!, states[j]![leaf]!)),
        };
      },
    };
  }
};
