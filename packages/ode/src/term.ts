/**
 * @file Terms: what a solver integrates, dy = f dt, with the increment as a thing of its own.
 *
 * A term gives the slope f(t, y), the differential of an interval, and sums of slopes times that differential. Solvers keep slopes, never products; for an
 * ordinary equation the differential is the number h in the weights of one fused weighted sum.
 */
import {
  copy, currentRegion, DtypeError, formatShape, heap, isTensor, leavesLike, mul, sameShape, scope, ShapeError, tensor, unflatten, weightedSum, DydtError,
  synchronous, type Tensor,
} from "@dydt/tensor"; // prettier-ignore
import { FieldError } from "./errors.js";
import type { Leaves, Step } from "./step.js";
import type { CheckedTableau } from "./tableau.js";
import { timeBetween, timeTensor, timeValue, type Time } from "./time.js";

/** Constant weights, or a float64 tensor `[k]` of weights that have derivatives. */
export type Weights = readonly number[] | Tensor;

/** What a solver integrates. */
export interface Term {
  /** Which equation it is; solvers say in their type which they take. */
  readonly kind: "ode";
  /** f(t, y). */
  readonly slope: (t: Time, y: Leaves) => Leaves;
  /** What an interval contributes: h for an ordinary equation. */
  readonly differential: (t0: Time, t1: Time) => Time;
  /** base + Σ wᵢ sᵢ · d, for slopes sᵢ and a differential d; without a base the sum alone. */
  readonly combine: (base: Leaves | null, weights: Weights, slopes: readonly Leaves[], differential: Time) => Leaves;
  /** A step of an explicit Runge-Kutta method by a way of the term's own, with the same bits; undefined where it has none. `caller` is the term that is asked. */
  readonly rungeKutta?: (caller: Term, tableau: CheckedTableau, t0: Time, t1: Time, y0: Leaves, carry: Leaves) => Step | undefined;
}

/** An ordinary differential equation. */
export type Ode = Term;

/** The weights times h, with the same bits whether h is a number or a tensor. */
export const scaled = (weights: Weights, h: Time): Weights => {
  if (typeof h === "number" && !isTensor(weights)) return weights.map((weight) => weight * h);
  return mul(isTensor(weights) ? weights : tensor(weights), h);
};

/** The tensors in one place of several states. */
const leafOf = (states: readonly Leaves[], i: number): Tensor[] => {
  const list = new Array<Tensor>(states.length);
  for (let k = 0; k < states.length; k++) list[k] = states[k]![i]!;
  return list;
};

/** Called at each evaluation of the field. */
export type EvaluationCounter = () => void;

/**
 * The term of a field over trees.
 *
 * @param f - the field; gets the time as a 0-d tensor of the state's type.
 * @param form - a state of the tree's form, for shapes and types.
 * @param count - called at each evaluation.
 */
export const odeTerm = <Y>(f: (t: Tensor, y: Y) => Y, form: Y, leaves: Leaves, count: EvaluationCounter): Ode => {
  const dtype = leaves[0]?.dtype ?? "float64";
  return Object.freeze({
    kind: "ode",
    slope: (t: Time, y: Leaves): Leaves => {
      count();
      return scope(() => likeState("the field", callField(f, t, timeTensor(t, dtype), unflatten(form, y)), form, leaves));
    },
    differential: (t0: Time, t1: Time): Time => timeBetween(t0, t1),
    combine: (base: Leaves | null, weights: Weights, slopes: readonly Leaves[], h: Time): Leaves => {
      const factors = scaled(weights, h);
      if (leaves.length === 1) return [weightedSum(base === null ? null : base[0]!, factors, leafOf(slopes, 0))];
      return leaves.map((_, i) => weightedSum(base === null ? null : base[i]!, factors, leafOf(slopes, i)));
    },
  });
};

const callField = <Y>(f: (t: Tensor, y: Y) => Y, t: Time, time: Tensor, y: Y): Y => {
  try {
    return synchronous(f(time, y));
  } catch (cause) {
    if (cause instanceof DydtError) throw cause;
    throw new FieldError(`the field threw at t = ${timeValue(t)}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
};

const leavesOfForm = (who: string, result: unknown, form: unknown): Leaves => {
  if (isTensor(form) && !isTensor(result)) {
    const what = Array.isArray(result)
      ? "a list"
      : result === undefined
        ? "nothing"
        : typeof result === "object"
          ? "an object"
          : `a ${typeof result}`;
    throw new ShapeError(`${who} returned ${what} for a state that is a tensor: return a tensor, for example stack([y.at(1), y.at(0).neg()])`);
  }
  try {
    return leavesLike(form, result);
  } catch (cause) {
    throw new ShapeError(`${who} returned another tree than the state: ${(cause as Error).message}`);
  }
};

/**
 * The leaves of a tree that must look like the state; what lies outside the region that is open is copied, for its owner may write to it again.
 *
 * @param who - made it, for the message.
 * @throws ShapeError, DtypeError where it does not.
 */
export const likeState = (who: string, result: unknown, form: unknown, leaves: Leaves): Leaves =>
  leavesOfForm(who, result, form).map((found, i) => {
    const state = leaves[i]!;
    if (!sameShape(found.shape, state.shape))
      throw new ShapeError(
        `${who} returned shape ${formatShape(found.shape)} for a state of shape ${formatShape(state.shape)}: they must be equal, nothing is broadcast here`,
      );
    if (found.dtype !== state.dtype)
      throw new DtypeError(
        `${who} returned ${found.dtype} for a state of type ${state.dtype}: convert with cast, or make the constants ${state.dtype}`,
      );
    return found.region === heap && currentRegion() !== heap ? copy(found) : found;
  });
