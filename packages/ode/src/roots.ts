/**
 * @file The zero of a function between two points of different sign, by inverse quadratic interpolation where that is safe and bisection where it is not.
 *
 * With the bracket [x₂, x₁] and the point x₃ before it: ξ = (x₁ − x₂)/(x₃ − x₂), φ = (f₁ − f₂)/(f₃ − f₂); interpolate where φ² < ξ and (1 − φ)² < 1 − ξ.
 * T. R. Chandrupatla, A new hybrid quadratic/bisection algorithm for finding the zero of a nonlinear function, Adv. Eng. Softw. 28(3), 1997, 145–149.
 */

/** A point and the value there. */
export interface Sample {
  readonly x: number;
  readonly value: number;
}

/**
 * The end, nearer to zero in value, of a bracket not longer than twice the tolerance; but never `from`: what was there is over.
 *
 * @param f - has a sign everywhere between.
 * @param from - one end of the bracket.
 * @param to - the other end, whose value has the other sign, or is 0.
 * @param tolerance - of x.
 */
export const zeroBetween = (f: (x: number) => number, from: Sample, to: Sample, tolerance: number): number => {
  let [newest, other] = [to, from];
  let fraction = 0.5;
  for (;;) {
    const isNewest = other.x === from.x || (newest.x !== from.x && Math.abs(newest.value) < Math.abs(other.value));
    const best = isNewest ? newest : other;
    const width = other.x - newest.x;
    const least = tolerance / Math.abs(width);
    const x = newest.x + fraction * width;
    if (best.value === 0 || least >= 0.5 || x === newest.x || x === other.x) return best.x;
    const next: Sample = { x, value: f(x) };
    let outside = newest;
    if (Math.sign(next.value) !== Math.sign(newest.value)) [outside, other] = [other, newest];
    newest = next;
    fraction = Math.min(1 - least, Math.max(least, interpolated(newest, other, outside)));
  }
};

/** How far the zero lies from `a` towards `b`. */
const interpolated = (a: Sample, b: Sample, c: Sample): number => {
  const xi = (a.x - b.x) / (c.x - b.x);
  const phi = (a.value - b.value) / (c.value - b.value);
  if (!(phi * phi < xi && (1 - phi) * (1 - phi) < 1 - xi)) return 0.5;
  const towards = (a.value / (b.value - a.value)) * (c.value / (b.value - c.value));
  return towards + ((c.x - a.x) / (b.x - a.x)) * (a.value / (c.value - a.value)) * (b.value / (c.value - b.value));
};
