/**
 * @file Fields over plain typed arrays, for simulation at full speed.
 *
 * Nobody watches numbers, so such a field has a derivative only where it brings one. A solve that is not differentiated never leaves the typed arrays: slopes and
 * stages are kept in arrays that are used again when the region they belong to is cleared, and sums run in the order of the kernels, with the same bits.
 */
import { custom, MissingRuleError } from "@dydt/autodiff";
import {
  checkOptions, currentRegion, DtypeError, DydtError, elementsOf, heap, isWatched, OptionError, owned, Tensor, tensor, weightedSum, type Region,
} from "@dydt/tensor"; // prettier-ignore
import { FieldError } from "./errors.js";
import { ownTerm, type OwnTerm } from "./own-term.js";
import { isPlainTableau, plainStepper, type PlainStepper, type PlainWork, type Shelf } from "./plain-step.js";
import type { Leaves, Step } from "./step.js";
import type { CheckedTableau } from "./tableau.js";
import { scaled, type EvaluationCounter, type Ode, type Weights } from "./term.js";
import { timeBetween, timeValue, type Time } from "./time.js";

/** Writes the slope at (t, y) to `dy`, every component of it; `y` is to be read only, and neither to be kept. What it returns is not looked at. */
export type PlainField = (t: number, y: Float64Array, dy: Float64Array) => unknown;

/** The derivative of a {@link PlainField}. */
export interface PlainDerivative {
  /**
   * Writes Jᵀ c to `result`, every component of it, for a cotangent c of the slope and J = ∂f/∂y. Returns c · ∂f/∂t, where t0, t1 or an event time is
   * differentiated.
   */
  readonly vjp?: ((t: number, y: Float64Array, cotangent: Float64Array, result: Float64Array) => unknown) | undefined;
}

/** A field over one tensor that can also do with plain arrays: a solve that nobody differentiates takes the term that it brings. */
export type InPlaceField = ((t: Tensor, y: Tensor) => Tensor) & { readonly [ownTerm]: OwnTerm };

/**
 * A field that writes its slope to a typed array instead of returning a tensor: a small system is simulated ten times faster.
 *
 * The state is one float64 tensor of any shape; the field gets its elements row by row. The steps and their bits are those of the same field in tensors.
 *
 * @param f - writes dy/dt to `dy`; components that it leaves out are NaN.
 * @param derivative - with `vjp` the field can be differentiated with respect to the state (and to times, where `vjp` returns that), not to what f closes over.
 * @returns a field for `solve` and `integrate`.
 * @throws MissingRuleError when it is differentiated and brings no `vjp`; DtypeError for a state that is not float64.
 * @example
 * const lorenz = inPlace((t, y, dy) => {
 *   dy[0] = 10 * (y[1]! - y[0]!);
 *   dy[1] = y[0]! * (28 - y[2]!) - y[1]!;
 *   dy[2] = y[0]! * y[1]! - (8 / 3) * y[2]!;
 * });
 * const { y1 } = solve(lorenz, tensor([1, 1, 1]), { t0: 0, t1: 1 });
 * expectClose(y1, [-9.3786, -8.357, 29.3623], { rtol: 1e-3 });
 */
export const inPlace = (f: PlainField, derivative: PlainDerivative = {}): InPlaceField => {
  checkOptions("inPlace", derivative, ["vjp"]);
  const { vjp } = derivative;
  if (typeof f !== "function") throw new OptionError(`inPlace got ${typeof f}: a function (t, y, dy) that writes to dy is needed`);
  if (vjp !== undefined && typeof vjp !== "function")
    throw new OptionError(`inPlace got vjp of type ${typeof vjp}: a function (t, y, cotangent, result) is needed`);
  const field = (t: Tensor, y: Tensor): Tensor => {
    const timed = isWatched(t);
    if (!timed && !isWatched(y)) return evaluated(f, t, y);
    if (vjp === undefined)
      throw new MissingRuleError(
        "a field made by inPlace is being differentiated, and works on bare numbers: give it its derivative, inPlace(f, { vjp: (t, y, cotangent, result) => ... }), " +
          "or write it with tensor operations",
      );
    return custom([t, y] as const, () => ({ outputs: evaluated(f, t, y), pullback: (cotangent: Tensor) => pulledBack(vjp, t, y, cotangent, timed) }));
  };
  return Object.assign(field, { [ownTerm]: (leaves: Leaves, count: EvaluationCounter) => plainTerm(f, leaves, count) });
};

const call = (f: PlainField, t: number, y: Float64Array, dy: Float64Array): void => {
  for (let i = 0; i < dy.length; i++) dy[i] = NaN; // what the field leaves out is not taken for a number
  try {
    f(t, y, dy);
  } catch (cause) {
    if (cause instanceof DydtError) throw cause;
    throw new FieldError(`the field threw at t = ${t}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
};

const numbersOf = (y: Tensor): Float64Array => {
  if (y.dtype !== "float64") throw new DtypeError(`inPlace got a state of type ${y.dtype}: float64 is needed; convert it with cast("float64")`);
  return elementsOf(y) as Float64Array;
};

const evaluated = (f: PlainField, t: Tensor, y: Tensor): Tensor => {
  const dy = new Float64Array(y.size);
  call(f, t.item(), numbersOf(y), dy);
  return tensor(dy, { shape: y.shape });
};

const pulledBack = (vjp: NonNullable<PlainDerivative["vjp"]>, t: Tensor, y: Tensor, cotangent: Tensor, timed: boolean): readonly [Tensor, Tensor] => {
  const result = new Float64Array(y.size).fill(NaN);
  const ofTime = vjp(t.item(), numbersOf(y), elementsOf(cotangent) as Float64Array, result);
  if (typeof ofTime !== "number" && timed)
    throw new MissingRuleError(
      "a field made by inPlace is being differentiated with respect to time, and its vjp returns nothing for it: return cotangent · ∂f/∂t",
    );
  return [tensor(typeof ofTime === "number" ? ofTime : 0), tensor(result, { shape: y.shape })];
};

/** The shelves of the regions of a solve, with arrays of one length. */
const createShelves = (size: number) => {
  const shelves = new Map<Region, Shelf>();
  let last: Shelf = { region: heap, generation: heap.generation, used: 0, arrays: [] };
  const found = (region: Region): Shelf => {
    let shelf = shelves.get(region);
    if (shelf === undefined) shelves.set(region, (shelf = { region, generation: region.generation, used: 0, arrays: [] }));
    return shelf;
  };
  return {
    shelfOf: (region: Region): Shelf => {
      if (last.region !== region) last = found(region);
      if (last.generation !== region.generation) {
        last.generation = region.generation;
        last.used = 0;
      }
      return last;
    },
    /** Nothing is used again on the heap. */
    take: (shelf: Shelf): Float64Array => {
      if (shelf.used === shelf.arrays.length || shelf.region === heap) {
        const array = new Float64Array(size);
        if (shelf.region === heap) return array;
        shelf.arrays.push(array);
      }
      return shelf.arrays[shelf.used++]!;
    },
  };
};

/**
 * The term of a plain field, for a solve that nobody differentiates.
 *
 * @param leaves - the initial state: one float64 tensor.
 */
const plainTerm = (f: PlainField, leaves: Leaves, count: EvaluationCounter): Ode => {
  const first = leaves[0]!;
  numbersOf(first);
  const { shape, size } = first;
  const { shelfOf, take } = createShelves(size);
  const around = (array: Float64Array, shelf: Shelf): Tensor => new Tensor(shape, "float64", size, owned(array), 0, shelf.region);
  const evaluate = (t: number, y: Float64Array, dy: Float64Array): void => {
    count();
    call(f, t, y, dy);
  };
  const term: Ode = Object.freeze({
    kind: "ode",
    slope: (t: Time, y: Leaves): Leaves => {
      const shelf = shelfOf(currentRegion());
      const dy = take(shelf);
      evaluate(timeValue(t), elementsOf(y[0]!) as Float64Array, dy);
      return [around(dy, shelf)];
    },
    differential: (t0: Time, t1: Time): Time => timeBetween(t0, t1),
    combine: (base: Leaves | null, weights: Weights, slopes: readonly Leaves[], h: Time): Leaves =>
      [weightedSum(base === null ? null : base[0]!, scaled(weights, h), slopes.map((slope) => slope[0]!))], // prettier-ignore
    rungeKutta: (caller: Ode, tableau: CheckedTableau, t0: Time, t1: Time, y0: Leaves, carry: Leaves): Step | undefined => {
      // A term that is made of this one watches or changes its slopes: it takes the general way.
      if (caller !== term || typeof t0 !== "number" || typeof t1 !== "number" || !isPlainTableau(tableau)) return undefined;
      if (stepper === undefined || tableau !== method) [stepper, method] = [plainStepper(tableau), tableau];
      return stepper(work, t0, t1, y0, carry);
    },
  });
  const work: PlainWork = {
    size,
    term,
    evaluate,
    shelfOf,
    take,
    around,
    state: new Float64Array(size),
    nothing: new Float64Array(size).fill(-0),
  };
  let stepper: PlainStepper | undefined;
  let method: CheckedTableau | undefined;
  return term;
};
