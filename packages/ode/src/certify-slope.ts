/**
 * @file A directional derivative against values of the loss alone: the order of the Taylor remainder, and central differences.
 *
 *   r(h) = |L(h) − L(0) − h s|,  order log₂ r(h) / r(h/2): 2 for the right slope s, 1 for a wrong one
 *   D₀(h) = (L(h) − L(−h)) / 2h,  Dᵢ(h) = Dᵢ₋₁(h) + (Dᵢ₋₁(h) − Dᵢ₋₁(2h)) / (4ⁱ − 1)
 *
 * C. J. F. Ridders, Accurate computation of F′(x) and F′(x) F″(x), Advances in Engineering Software 4(2), 1982, for the choice among the extrapolated ones.
 */
import { log, tensor } from "@dydt/tensor";

/** The loss along a line; NaN where it has no value. */
export type Line = (h: number) => number;

/** How the Taylor remainder falls. */
export interface TaylorOrder {
  /** Undefined where fewer than three remainders in a row were seen; NaN for a slope that is no number. */
  readonly order: number | undefined;
  /** How many remainders stood out of what hides them. */
  readonly seen: number;
}

const log2 = (x: number): number => log(tensor(x)).item() / Math.LN2;

/**
 * The smallest order of the remainder over the last two halvings, as long as it stands out.
 *
 * @param slope - the derivative that is tested.
 * @param first - the largest step.
 * @param allowed - how far a right slope may be off, relative to itself.
 * @param noise - how far values may be off, relative to the loss.
 */
export const taylorOrder = (line: Line, slope: number, first: number, allowed: number, noise: number): TaylorOrder => {
  if (!Number.isFinite(slope)) return { order: NaN, seen: 0 };
  const base = line(0);
  const orders: number[] = [];
  let before: number | undefined;
  let seen = 0;
  for (let i = 0, h = first; i < 12; i++, h /= 2) {
    const remainder = Math.abs(line(h) - base - h * slope);
    if (!Number.isFinite(remainder)) {
      before = undefined;
      continue;
    }
    const floor = 200 * noise * Math.max(Math.abs(base), Number.MIN_VALUE) + 20 * allowed * h * Math.abs(slope);
    if (!(remainder > floor)) break;
    seen++;
    if (before !== undefined) orders.push(log2(before / remainder));
    before = remainder;
  }
  // The first halvings may still see higher derivatives: the last ones tell the order.
  return { order: orders.length < 2 ? undefined : Math.min(...orders.slice(-2)), seen };
};

/** A derivative by differences. */
export interface CentralDifference {
  readonly slope: number;
  /** By how much it may be off. */
  readonly error: number;
  /** How much the slope itself changes over the smallest step: what is far below this says nothing of the slope. */
  readonly bend: number;
}

/** The derivative of a line at 0 by six central differences and their extrapolation: the one whose neighbours differ least from it. */
export const centralDifference = (line: Line, first: number, noise: number): CentralDifference => {
  const base = line(0);
  let best = { slope: NaN, error: Infinity };
  let bend = 0;
  let above: readonly number[] = [];
  for (let k = 0, h = first; k < 6; k++, h /= 2) {
    const [ahead, behind] = [line(h), line(-h)];
    const row = [(ahead - behind) / (2 * h)];
    bend = Math.abs(ahead - 2 * base + behind) / h;
    const rounding = (noise * Math.max(Math.abs(ahead), Math.abs(behind))) / h;
    for (let i = 1, power = 4; i <= k; i++, power *= 4) {
      const [fine, coarse] = [row[i - 1]!, above[i - 1]!];
      const slope = fine + (fine - coarse) / (power - 1);
      row.push(slope);
      const error = Math.max(Math.abs(slope - fine), Math.abs(slope - coarse)) + rounding;
      if (error < best.error) best = { slope, error };
    }
    above = row;
  }
  return { ...best, bend };
};
