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

/** What a plain term lends to its steps. */
export interface PlainWork {
  readonly size: number;
  /** Evaluates the field; counted. */
  readonly evaluate: (t: number, y: Float64Array, dy: Float64Array) => void;
  /** An array of a region, and a tensor around it. */
  readonly take: (region: Region) => Float64Array;
  readonly around: (array: Float64Array, region: Region) => Tensor;
}

/** Whether steps of a method can be made here. */
export const isPlainTableau = ({ coarseEstimate, further }: CheckedTableau): boolean => coarseEstimate === undefined && further.length === 0;

/** A record with what its late parts are made of. */
interface PlainRecord {
  t0: number;
  t1: number;
  h: number;
  y0: Leaves;
  y1: Leaves;
  slopes: Float64Array[];
  region: Region;
  carried: Leaves | undefined;
  estimated: Leaves | undefined;
}

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

/** The steps of a method on the arrays of a term. */
export const plainStepper = (tableau: CheckedTableau, term: Term, { size, evaluate, take, around }: PlainWork) => {
  const { rows, stages, interpolant, stiffness, firstSameAsLast } = tableau;
  const c = Float64Array.from(tableau.c);
  const plainRows = rows.map(plainRow);
  const solution = plainRow(tableau.solution);
  const estimate = tableau.estimate === undefined ? undefined : plainRow(tableau.estimate);
  const eager = firstSameAsLast ? stages - 1 : stages;
  const state = new Float64Array(size);
  const nothing = new Float64Array(size).fill(-0); // −0 + x = x, with its sign
  const numbers = (leaves: Leaves): Float64Array => elementsOf(leaves[0]!) as Float64Array;

  const carryOf = (record: PlainRecord): Leaves => {
    if (record.carried !== undefined) return record.carried;
    const slope = take(record.region);
    evaluate(record.t1, numbers(record.y1), slope);
    if (firstSameAsLast) record.slopes.push(slope);
    return (record.carried = [around(slope, record.region)]);
  };
  /** All stages. */
  const complete = (record: PlainRecord): readonly Float64Array[] => {
    if (firstSameAsLast) carryOf(record);
    return record.slopes;
  };
  const errorOf = (record: PlainRecord, row: PlainRow): Leaves => {
    if (record.estimated !== undefined) return record.estimated;
    const error = take(record.region);
    weighted(error, nothing, row, complete(record), record.h);
    return (record.estimated = [around(error, record.region)]);
  };
  const at = (record: PlainRecord, t: Time): Leaves => {
    const { coefficients, indices } = interpolant!;
    const all = complete(record);
    return term.combine(record.y0, denseWeights(coefficients, record.t0, record.h, t), indices.map((i) => [around(all[i]!, record.region)]), record.h); // prettier-ignore
  };
  const pairOf = (record: PlainRecord, [i, j]: readonly [number, number]): StagePair => {
    const all = complete(record);
    const stateOf = (stage: number): Leaves => {
      if (stage === stages - 1 && firstSameAsLast) return record.y1;
      const row = rows[stage]!;
      return term.combine(record.y0, row.weights, row.indices.map((k) => [around(all[k]!, record.region)]), record.h); // prettier-ignore
    };
    const slopeOf = (stage: number): Tensor => around(all[stage]!, record.region);
    return { slopes: [sub(slopeOf(i), slopeOf(j))], states: [sub(stateOf(i)[0]!, stateOf(j)[0]!)] };
  };

  const late = {
    get carry(): Leaves {
      return carryOf(this as unknown as PlainRecord);
    },
  };
  if (estimate !== undefined)
    Object.defineProperty(late, "error", {
      get(this: PlainRecord): Leaves {
        return errorOf(this, estimate);
      },
      enumerable: true,
    });

  if (interpolant !== undefined)
    Object.defineProperty(late, "at", {
      get(this: PlainRecord) {
        return (t: Time): Leaves => at(this, t);
      },
      enumerable: true,
    });
  if (stiffness !== undefined)
    Object.defineProperty(late, "stiffness", {
      get(this: PlainRecord) {
        return (): StagePair => pairOf(this, stiffness);
      },
      enumerable: true,
    });

  return (t0: number, t1: number, y0: Leaves, carry: Leaves): Step => {
    const h = t1 - t0;
    const region = currentRegion();
    const from = numbers(y0);
    const slopes: Float64Array[] = [numbers(carry)];
    for (let i = 1; i < eager; i++) {
      weighted(state, from, plainRows[i]!, slopes, h);
      const slope = take(region);
      evaluate(c[i] === 1 ? t1 : c[i] === 0 ? t0 : t0 + c[i]! * h, state, slope);
      slopes.push(slope);
    }
    const y1 = take(region);
    weighted(y1, from, solution, slopes, h);
    const record = Object.create(late) as PlainRecord & Step;
    record.t0 = t0;
    record.t1 = t1;
    record.h = h;
    record.y0 = y0;
    record.y1 = [around(y1, region)];
    record.slopes = slopes;
    record.region = region;
    record.carried = undefined;
    record.estimated = undefined;
    return record;
  };
};
