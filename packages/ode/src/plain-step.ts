/**
 * @file The step of an explicit Runge-Kutta method on plain arrays: runge-kutta.ts without tensors between the stages, for fields made by `inPlace`.
 *
 * The same sums in the same order, so the same bits; the same evaluations at the same times, the last stage only when somebody asks for it. For methods with one
 * error estimate and no stages for the dense output alone; others take the general way.
 */
import { currentRegion, elementsOf, sub, type Region, type Tensor } from "@dydt/tensor";
import { denseWeights } from "./interpolation.js";
import type { Leaves, StagePair, Step } from "./step.js";
import type { CheckedTableau, SparseRow } from "./tableau.js";
import type { Term } from "./term.js";
import type { Time } from "./time.js";

/** Arrays of one length, and where what they hold is valid. They are used again when their region has been cleared. */
export interface Shelf {
  readonly region: Region;
  /** Of the region, when the first of the arrays in use was taken. */
  generation: number;
  used: number;
  readonly arrays: Float64Array[];
}

/** What a plain term lends to its steps. */
export interface PlainWork {
  readonly size: number;
  readonly term: Term;
  /** Evaluates the field; counted. */
  readonly evaluate: (t: number, y: Float64Array, dy: Float64Array) => void;
  /** The shelf of a region, as it is now. */
  readonly shelfOf: (region: Region) => Shelf;
  /** An array of a shelf, and a tensor around it. */
  readonly take: (shelf: Shelf) => Float64Array;
  readonly around: (array: Float64Array, shelf: Shelf) => Tensor;
  /** For the states between. */
  readonly state: Float64Array;
  /** −0 throughout: −0 + x = x, with its sign. */
  readonly nothing: Float64Array;
}

/** Whether steps of a method can be made here. */
export const isPlainTableau = ({ coarseEstimate, further }: CheckedTableau): boolean => coarseEstimate === undefined && further.length === 0;

/** A row of a tableau in typed arrays. */
interface PlainRow {
  readonly weights: Float64Array;
  readonly indices: Int32Array;
}

const plainRow = ({ weights, indices }: SparseRow): PlainRow => ({ weights: Float64Array.from(weights), indices: Int32Array.from(indices) });

/**
 * out = base + Σ wⱼ h kⱼ, summed in the order of j. Six terms at a time: for a small system the time goes into what is around the arithmetic.
 */
const weighted = (out: Float64Array, base: Float64Array, { weights, indices }: PlainRow, slopes: readonly Float64Array[], h: number): void => {
  const n = out.length;
  const count = weights.length;
  let from = base;
  for (let j = 0; j < count; j += 6) {
    const a = slopes[indices[j]!]!;
    const u = weights[j]! * h;
    if (count - j === 1) {
      for (let i = 0; i < n; i++) out[i] = from[i]! + u * a[i]!;
      return;
    }
    const b = slopes[indices[j + 1]!]!;
    const v = weights[j + 1]! * h;
    if (count - j === 2) {
      for (let i = 0; i < n; i++) out[i] = from[i]! + u * a[i]! + v * b[i]!;
      return;
    }
    const c = slopes[indices[j + 2]!]!;
    const w = weights[j + 2]! * h;
    if (count - j === 3) {
      for (let i = 0; i < n; i++) out[i] = from[i]! + u * a[i]! + v * b[i]! + w * c[i]!;
      return;
    }
    const d = slopes[indices[j + 3]!]!;
    const x = weights[j + 3]! * h;
    if (count - j === 4) {
      for (let i = 0; i < n; i++) out[i] = from[i]! + u * a[i]! + v * b[i]! + w * c[i]! + x * d[i]!;
      return;
    }
    const e = slopes[indices[j + 4]!]!;
    const y = weights[j + 4]! * h;
    if (count - j === 5) {
      for (let i = 0; i < n; i++) out[i] = from[i]! + u * a[i]! + v * b[i]! + w * c[i]! + x * d[i]! + y * e[i]!;
      return;
    }
    const g = slopes[indices[j + 5]!]!;
    const z = weights[j + 5]! * h;
    for (let i = 0; i < n; i++) out[i] = from[i]! + u * a[i]! + v * b[i]! + w * c[i]! + x * d[i]! + y * e[i]! + z * g[i]!;
    from = out;
  }
};

const numbers = (leaves: Leaves): Float64Array => elementsOf(leaves[0]!) as Float64Array;

/** The steps of a method, of which `tableau` is one: what it reads in typed arrays, and the records that it makes. */
const makeStepper = (tableau: CheckedTableau) => {
  const { rows, stages, interpolant, stiffness, firstSameAsLast } = tableau;
  const c = Float64Array.from(tableau.c);
  const plainRows = rows.map(plainRow);
  const solution = plainRow(tableau.solution);
  const estimate = tableau.estimate === undefined ? undefined : plainRow(tableau.estimate);
  const eager = firstSameAsLast ? stages - 1 : stages;

  /**
   * A record, whose late parts are computed when they are asked for. A class, unlike other records: all have one shape for the engine, with getters in the
   * prototype, which at any other price costs more than a small step.
   */
  class PlainStep implements Step {
    readonly t0: number;
    readonly t1: number;
    readonly y0: Leaves;
    readonly y1: Leaves;
    /** @internal */
    readonly work: PlainWork;
    /** @internal */
    readonly shelf: Shelf;
    /** @internal The stages that there are. */
    readonly slopes: Float64Array[];
    /** @internal This record, also for those that are made of it with another end. */
    readonly self: PlainStep;
    /** @internal */
    carried: Leaves | undefined = undefined;
    /** @internal */
    estimated: Leaves | undefined = undefined;

    constructor(work: PlainWork, shelf: Shelf, t0: number, t1: number, y0: Leaves, y1: Leaves, slopes: Float64Array[]) {
      this.work = work;
      this.shelf = shelf;
      this.t0 = t0;
      this.t1 = t1;
      this.y0 = y0;
      this.y1 = y1;
      this.slopes = slopes;
      this.self = this;
    }

    get h(): number {
      return this.self.t1 - this.t0;
    }
    get carry(): Leaves {
      return carryOf(this.self);
    }
  }

  const carryOf = (step: PlainStep): Leaves => {
    if (step.carried !== undefined) return step.carried;
    const { work, shelf } = step;
    const slope = work.take(shelf);
    work.evaluate(step.t1, numbers(step.y1), slope);
    if (firstSameAsLast) step.slopes[stages - 1] = slope;
    return (step.carried = [work.around(slope, shelf)]);
  };
  /** All stages. */
  const complete = (step: PlainStep): readonly Float64Array[] => {
    if (firstSameAsLast) carryOf(step);
    return step.slopes;
  };
  const errorOf = (step: PlainStep, row: PlainRow): Leaves => {
    if (step.estimated !== undefined) return step.estimated;
    const { work, shelf } = step;
    numbers(step.y1); // throws where the step is gone, whose arrays hold other slopes by now
    const error = work.take(shelf);
    weighted(error, work.nothing, row, complete(step), step.h);
    return (step.estimated = [work.around(error, shelf)]);
  };
  /** Stages of a step as slopes of the term. */
  const some = (step: PlainStep, indices: readonly number[]): readonly Leaves[] => {
    const all = complete(step);
    return indices.map((i) => [step.work.around(all[i]!, step.shelf)]);
  };
  const at = (step: PlainStep, t: Time): Leaves => {
    const { work, t0, h, y0, slopes, shelf } = step;
    if (h === 0) return work.term.combine(y0, [1], [[work.around(slopes[0]!, shelf)]], work.term.differential(t0, t));
    return work.term.combine(y0, denseWeights(interpolant!.coefficients, t0, h, t), some(step, interpolant!.indices), h);
  };
  const pairOf = (step: PlainStep, pair: readonly [number, number]): StagePair => {
    const stateOf = (stage: number): Leaves => {
      if (stage === stages - 1 && firstSameAsLast) return step.y1;
      const row = rows[stage]!;
      return step.work.term.combine(step.y0, row.weights, some(step, row.indices), step.h);
    };
    const [a, b] = some(step, pair);
    const [i, j] = pair;
    return { slopes: [sub(a![0]!, b![0]!)], states: [sub(stateOf(i)[0]!, stateOf(j)[0]!)] };
  };

  // A record has what its method has, so that one can ask it.
  const late = (name: string, get: (step: PlainStep) => unknown): void =>
    void Object.defineProperty(PlainStep.prototype, name, {
      get(this: PlainStep) {
        return get(this.self);
      },
    });
  if (estimate !== undefined) late("error", (step) => errorOf(step, estimate));
  if (interpolant !== undefined) late("at", (step) => (t: Time) => at(step, t));
  if (stiffness !== undefined) late("stiffness", (step) => () => pairOf(step, stiffness));

  return (work: PlainWork, t0: number, t1: number, y0: Leaves, carry: Leaves): Step => {
    const h = t1 - t0;
    const shelf = work.shelfOf(currentRegion());
    const { state } = work;
    const from = numbers(y0);
    const slopes = new Array<Float64Array>(stages);
    slopes[0] = numbers(carry);
    for (let i = 1; i < eager; i++) {
      weighted(state, from, plainRows[i]!, slopes, h);
      const slope = work.take(shelf);
      work.evaluate(c[i] === 1 ? t1 : c[i] === 0 ? t0 : t0 + c[i]! * h, state, slope);
      slopes[i] = slope;
    }
    const y1 = work.take(shelf);
    weighted(y1, from, solution, slopes, h);
    return new PlainStep(work, shelf, t0, t1, y0, [work.around(y1, shelf)], slopes);
  };
};

/** Makes a step of a method with the arrays of a term. */
export type PlainStepper = ReturnType<typeof makeStepper>;

const steppers = new WeakMap<CheckedTableau, PlainStepper>();

/** The steps of a method: made once for each, since the engine learns them. */
export const plainStepper = (tableau: CheckedTableau): PlainStepper => {
  let stepper = steppers.get(tableau);
  if (stepper === undefined) steppers.set(tableau, (stepper = makeStepper(tableau)));
  return stepper;
};
