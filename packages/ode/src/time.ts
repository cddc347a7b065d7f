/**
 * @file Times: JavaScript numbers, or 0-d float64 tensors where somebody differentiates with respect to them. Both give the same bits.
 *
 * In a discrete adjoint the steps are constant fractions of the interval: t = (1 − σ) T₀ + σ T₁ with σ off the tape, so that
 * T̄₀ = (1 − σ) t̄ and T̄₁ = σ t̄, while the value stays exactly the one that the forward solve used.
 */
import {
  add,
  cast,
  isCarried,
  isTensor,
  isWatched,
  mul,
  primitive,
  scalar,
  sub,
  tensor,
  type Dtype,
  type Primitive,
  type Tensor,
} from "@dydt/tensor";
import { defineJvp, defineVjp } from "@dydt/autodiff";

/** A time: a number, or a 0-d float64 tensor. */
export type Time = number | Tensor;

/** The number behind a time. */
export const timeValue = (t: Time): number => (typeof t === "number" ? t : t.item());

/** a − b. */
export const timeBetween = (b: Time, a: Time): Time => (isTensor(a) ? sub(a, b) : isTensor(b) ? sub(a, b) : a - b);

/** t + c h; t itself for c = 0. */
export const timeAlong = (t: Time, c: number, h: Time): Time => {
  if (c === 0) return t;
  if (typeof t === "number" && typeof h === "number") return t + c * h;
  return add(t, typeof h === "number" ? c * h : mul(h, c));
};

/** The time as the field gets it: a 0-d tensor of the state's type. */
export const timeTensor = (t: Time, dtype: Dtype): Tensor => {
  if (isTensor(t)) return t.dtype === dtype ? t : cast(t, dtype);
  return scalar(t, dtype);
};

const pinned: Primitive<[value: number, start: Tensor, end: Tensor, fraction: number]> = defineJvp(
  defineVjp(
    primitive("time", (value: number, _start: Tensor, _end: Tensor, _fraction: number): Tensor => tensor(value)),
    [null, (g, _y, _value, _start, _end, fraction) => mul(g, 1 - fraction), (g, _y, _value, _start, _end, fraction) => mul(g, fraction), null],
  ),
  [null, (t, _y, _value, _start, _end, fraction) => mul(t, 1 - fraction), (t, _y, _value, _start, _end, fraction) => mul(t, fraction), null],
);

/** Two times that steps lie between, in constant fractions. */
export interface Segment {
  readonly start: Time;
  readonly end: Time;
}

/** A time of a segment: `value` as a number, with derivatives by the fraction at which it lies. */
export const timeInSegment = (value: number, { start, end }: Segment): Time => {
  if (!isTensor(start) && !isTensor(end)) return value;
  const from = timeValue(start);
  const to = timeValue(end);
  return pinned(value, isTensor(start) ? start : tensor(from), isTensor(end) ? end : tensor(to), to === from ? 0 : (value - from) / (to - from));
};

/** Whether a forward mode that is active moves a time. */
export const isMoved = (t: Time): boolean => typeof t !== "number" && isCarried(t);

/** Whether anybody who is active moves a time. */
export const isFollowed = (t: Time): boolean => typeof t !== "number" && isWatched(t);

/** The ends of a step that moves, and what it is a fraction of. */
export interface MovingEnds {
  readonly from: Time;
  readonly to: Time;
  readonly segment: Segment;
}

/** A time of a segment: a number, unless a forward mode moves an end of the segment. */
export const timeIfMoved = (value: number, segment: Segment | undefined): Time =>
  segment !== undefined && (isMoved(segment.start) || isMoved(segment.end)) ? timeInSegment(value, segment) : value;

/** Times in the direction of a solve; of equal ones the first stays first. */
export const inOrder = (times: readonly Time[], { t0, t1 }: { readonly t0: Time; readonly t1: Time }): readonly Time[] => {
  const direction = timeValue(t1) < timeValue(t0) ? -1 : 1;
  return [...times].sort((a, b) => (timeValue(a) - timeValue(b)) * direction);
};
