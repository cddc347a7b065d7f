/**
 * @file Explicit Runge-Kutta methods: one function from a tableau to a solver.
 *
 *   gᵢ = y₀ + h Σ_{j<i} aᵢⱼ kⱼ,  kᵢ = f(t₀ + cᵢ h, gᵢ),  y₁ = y₀ + h Σ bᵢ kᵢ,  e = h Σ (bᵢ − b̂ᵢ) kᵢ
 *
 * f(t₁, y₁) is carried into the next step, as its first stage, and evaluated only when somebody asks for it: that step, or, where it is the last stage of this
 * one, the error, dense output or the stiffness. Stages that only the dense output needs are evaluated when it is first asked for.
 *
 * Where a tableau has a second, coarser estimate e̲, the error is e² / √(e² + e̲² / 100) by component: of order h^(2(p̂ + 1) − (p̲ + 1)), and never larger than e.
 * E. Hairer, S. P. Nørsett, G. Wanner, Solving Ordinary Differential Equations I, 2nd ed., 1993, II.10, eq. 10.17, which takes the norms of both.
 */
import { takesNothing } from "./arguments.js";
import { lazily, type DenseStep, type EmbeddedStep, type Leaves, type StagePair, type Step, type StiffnessStep } from "./step.js";
import { checkTableau, preparedTableau, type CheckedTableau, type SparseRow, type Tableau } from "./tableau.js";
import type { Ode, Term } from "./term.js";
import type { Solver } from "./solver.js";
import { denseWeights } from "./interpolation.js";
import { timeAlong, timeValue, type Time } from "./time.js";
import { div, equal, mul, sqrt, square, sub, where, type Tensor } from "@dydt/tensor";

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
  checkTableau(tableau);
  return knownRungeKutta(tableau);
};

/** A solver from a tableau of this library, which its tests have checked. @throws OptionError for arguments, which its function has not. */
export const knownRungeKutta = <const T extends Tableau>(tableau: T, none: readonly unknown[] = []): Solver<Ode, RungeKuttaStep<T>> => {
  takesNothing(tableau.name, none);
  const checked = preparedTableau(tableau);
  return Object.freeze({
    name: checked.name,
    order: checked.order,
    errorOrder: orderOfEstimate(checked),
    stabilitySize: checked.stabilitySize,
    interpolates: checked.interpolant !== undefined,
    denseOrder: checked.denseOrder,
    tableau,
    carries: "recoverable",
    start: (term: Term, t0: Time, y0: Leaves): Leaves => term.slope(t0, y0),
    step: (term: Term, t0: Time, t1: Time, y0: Leaves, carry: Leaves) =>
      (term.rungeKutta?.(term, checked, t0, t1, y0, carry) ?? rungeKuttaStep(checked, term, t0, t1, y0, carry)) as RungeKuttaStep<T>,
  });
};

/** e falls as h^(p̂ + 1), e² / e̲ as h^(2(p̂ + 1) − (p̲ + 1)). */
const orderOfEstimate = ({ errorOrder, coarseErrorOrder }: CheckedTableau): number | undefined =>
  errorOrder === undefined || coarseErrorOrder === undefined ? errorOrder : 2 * errorOrder - coarseErrorOrder;

/** e / √(1 + (e̲ / e)² / 100), which is e where e̲ vanishes; 0 where e does. */
const damped = (fine: Tensor, coarse: Tensor): Tensor => {
  const ratio = div(coarse, where(equal(fine, 0), 1, fine));
  return div(fine, sqrt(mul(square(ratio), 0.01).add(1)));
};

const pick = <T>(indices: readonly number[], list: readonly T[]): readonly T[] => {
  if (indices.length === list.length) return list;
  const picked = new Array<T>(indices.length);
  for (let i = 0; i < indices.length; i++) picked[i] = list[indices[i]!]!;
  return picked;
};

/** A record that is being filled; its carry and error are computed when they are asked for. */
interface Late {
  t0: number;
  t1: number;
  h: Time;
  y0: Leaves;
  y1: Leaves;
  carryOf: () => Leaves;
  errorOf?: () => Leaves;
  at?: DenseStep["at"];
  stiffness?: StiffnessStep["stiffness"];
}

// Getters stand in prototypes: an object literal with getters is a shape of its own for the engine, which costs more than a small step.
const lateCarry = {
  get carry(): Leaves {
    return (this as unknown as Late).carryOf();
  },
};
const lateError = {
  get carry(): Leaves {
    return (this as unknown as Late).carryOf();
  },
  get error(): Leaves {
    return (this as unknown as Required<Late>).errorOf();
  },
};

const rungeKuttaStep = (tableau: CheckedTableau, term: Term, t0: Time, t1: Time, y0: Leaves, carry: Leaves): Step => {
  const { rows, c, stages, solution, estimate, coarseEstimate, interpolant, further, stiffness, firstSameAsLast } = tableau;
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
  const record = Object.create(estimate === undefined ? lateCarry : lateError) as Late & Step;
  record.t0 = timeValue(t0);
  record.t1 = timeValue(t1);
  record.h = h;
  record.y0 = y0;
  record.y1 = y1;
  record.carryOf = next;
  if (estimate !== undefined)
    record.errorOf = lazily(() => {
      complete();
      const fine = combine(null, estimate);
      if (coarseEstimate === undefined) return fine;
      const coarse = combine(null, coarseEstimate);
      return fine.map((leaf, i) => damped(leaf, coarse[i]!));
    });
  if (interpolant !== undefined) {
    const all = further.length === 0 ? complete : lazily(withFurther);
    record.at = (t) =>
      timeValue(h) === 0
        ? term.combine(y0, [1], [carry], term.differential(t0, t)) // where the last of several events has no time left for its step
        : term.combine(y0, denseWeights(interpolant.coefficients, t0, h, t), pick(interpolant.indices, all()), h);
  }
  if (stiffness !== undefined)
    record.stiffness = () =>
      pairOf(
        stiffness,
        (i) => (i < stages ? complete()[i]! : next()),
        (i) => (complete(), states[i] ?? y1),
      );
  return record;

  function combine(base: Leaves | null, row: SparseRow, from: readonly Leaves[] = slopes): Leaves {
    return term.combine(base, row.weights, pick(row.indices, from), h);
  }

  /** All stages and those of the dense output. */
  function withFurther(): readonly Leaves[] {
    const all = [...complete()];
    for (const { row, c, isNext } of further) all.push(isNext ? next() : term.slope(c === 1 ? t1 : timeAlong(t0, c, h), combine(y0, row, all)));
    return all;
  }
};

const pairOf = ([i, j]: readonly [number, number], slope: (stage: number) => Leaves, state: (stage: number) => Leaves): StagePair => {
  const difference = (a: Leaves, b: Leaves): Leaves => a.map((leaf, k) => sub(leaf, b[k]!));
  return { slopes: difference(slope(i), slope(j)), states: difference(state(i), state(j)) };
};
