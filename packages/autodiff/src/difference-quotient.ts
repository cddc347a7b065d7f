/**
 * @file Difference quotients along a line, with a step that is found rather than guessed, and the rounding of what they are made of.
 *
 *   φ′(0) ≈ (8 (φ(h) − φ(−h)) − (φ(2h) − φ(−2h))) / 12h,   error O(h⁴) + O(δ / h)   for values rounded by δ
 *   δ ≈ |φ(s − 2d) − 4 φ(s − d) + 6 φ(s) − 4 φ(s + d) + φ(s + 2d)| / √70            where φ is straight
 *
 * Quotients of steps that double are compared with their neighbours: where the two errors balance, they change least.
 */

/** A difference quotient. */
export interface Quotient {
  readonly quotient: number;
  readonly step: number;
  /** How far it is from its neighbours. */
  readonly spread: number;
  /** Between the smallest and the largest of those that it was chosen from. */
  readonly range: number;
}

/** f along a line. */
export type Line = (h: number) => number;
const across = (phi: Line, h: number): number => phi(h) - phi(-h);
const fourthOrder = (near: number, far: number, h: number): number => (8 * near - far) / (12 * h);

/** The difference quotient of φ(h) = f(x + hv) at 0, by the step whose result changes least to the next one; what 2h took is there when the step doubles. */
export const differenceQuotient = (phi: Line, smallest: number, longest: number): Quotient => {
  let best = { quotient: Number.NaN, step: smallest, spread: Infinity };
  let change = Infinity;
  let [lowest, highest] = [Infinity, -Infinity];
  let before = Number.NaN;
  let near = across(phi, smallest);
  for (let h = smallest; h <= longest; h *= 2) {
    const far = across(phi, 2 * h);
    const quotient = fourthOrder(near, far, h);
    near = far;
    [lowest, highest] = [Math.min(lowest, quotient), Math.max(highest, quotient)];
    const difference = Math.abs(quotient - before);
    const moved = Number.isNaN(difference) ? Infinity : difference;
    if (best.step === h / 2) best = { ...best, spread: Math.max(change, moved) }; // also to the one after it
    if (moved < change || Number.isNaN(best.quotient)) {
      change = moved;
      best = { quotient, step: h, spread: change };
    }
    before = quotient;
  }
  return { ...best, range: highest - lowest };
};

/** The same by shorter steps, once the change falls as h⁴ does, twice in a row, and as long as it falls; undefined where it never does. */
export const byShorterSteps = (phi: Line, longest: number, smallest: number): Quotient | undefined => {
  let best: Quotient | undefined;
  let steep = 0;
  let change = Number.NaN;
  let before = Number.NaN;
  let far = across(phi, 2 * longest);
  for (let step = longest; step >= smallest; step /= 2) {
    const near = across(phi, step);
    const quotient = fourthOrder(near, far, step);
    far = near;
    const moved = Math.abs(quotient - before);
    steep = moved < change / 4 && moved > change / 64 ? steep + 1 : 0;
    if (steep >= 2) best = { quotient, step, spread: moved, range: moved };
    else if (best !== undefined) break;
    change = moved;
    before = quotient;
  }
  return best;
};

/** How many points are looked at for rounding. */
export const samples = 32;

/**
 * The rounding errors in values at points so close that a function is straight there: its fourth differences over √70, their factor for independent errors. The
 * fifth largest, since the kinks and jumps of x itself are seen by four of them.
 */
export const roundingIn = (values: readonly number[]): number =>
  values
    .slice(4)
    .map((value, i) => Math.abs(value - 4 * values[i + 3]! + 6 * values[i + 2]! - 4 * values[i + 1]! + values[i]!) / Math.sqrt(70))
    .sort((p, q) => q - p)[4]!;
