/**
 * @file Is a gradient right? Random directions, against central differences.
 *
 *   ⟨∇f(x), v⟩  against  (8 (f(x + hv) − f(x − hv)) − (f(x + 2hv) − f(x − 2hv))) / 12h,   error O(h⁴) + O(ε / h)
 *
 * The step is not guessed: several are tried, and the one whose neighbours agree best is taken. For second order f is replaced by x ↦ ⟨∇f(x), u⟩.
 */
import { leavesOf, random, unflatten, type Tensor } from "@dydt/tensor";
import { gradient } from "./gradient.js";

/** Options of {@link checkGradients}. */
export interface GradientCheckOptions {
  /** How many random directions; default 4. */
  readonly directions?: number;
  /** 1 (default), or 2 for second derivatives too. */
  readonly order?: 1 | 2;
  /** Largest accepted difference relative to ‖∇f‖ ‖v‖; default 1e-7 in float64, 1e-2 in float32. */
  readonly tolerance?: number;
  /** Seed of the directions; default 0. */
  readonly seed?: number;
}

/** One comparison. */
export interface GradientCheckRow {
  readonly order: 1 | 2;
  readonly direction: number;
  readonly reverse: number;
  readonly difference: number;
  readonly relativeError: number;
}

/** What {@link checkGradients} found. */
export interface GradientCheck {
  readonly passed: boolean;
  readonly worst: number;
  readonly tolerance: number;
  readonly rows: readonly GradientCheckRow[];
  readonly toString: () => string;
}

const dot = (a: readonly Tensor[], b: readonly Tensor[]): number => a.reduce((sum, x, i) => sum + x.mul(b[i]!).sum().item(), 0);
const move = (x: readonly Tensor[], h: number, v: readonly Tensor[]): readonly Tensor[] => x.map((leaf, i) => leaf.add(v[i]!.mul(h)));

/** The difference quotient of φ(h) = f(x + hv) at 0, by the step whose result changes least to the next one. */
const differenceQuotient = (phi: (h: number) => number, precision: number): number => {
  let best = Number.NaN;
  let change = Infinity;
  let before = Number.NaN;
  for (let h = precision; h <= 64 * precision; h *= 2) {
    const quotient = (8 * (phi(h) - phi(-h)) - (phi(2 * h) - phi(-2 * h))) / (12 * h);
    const moved = Math.abs(quotient - before);
    if (moved < change || Number.isNaN(best)) [best, change] = [quotient, Number.isNaN(moved) ? Infinity : moved];
    before = quotient;
  }
  return best;
};

/**
 * Compares a gradient with central differences in random directions.
 *
 * @param f - from a tree of tensors to a tensor of one element.
 * @param x - where. Away from kinks: differences across them are meaningless.
 * @returns a report with a row for each comparison; `passed` says whether all are within the tolerance. Print it to read it.
 * @example
 * const report = checkGradients((x: Tensor) => x.sin().square().sum(), tensor([0.3, 1.2]), { order: 2 });
 * if (!report.passed) throw new Error(report.toString());
 */
export const checkGradients = <X>(
  f: (x: X) => Tensor,
  x: X,
  { directions = 4, order = 1, tolerance, seed = 0 }: GradientCheckOptions = {},
): GradientCheck => {
  const leaves = leavesOf(x);
  const single = leaves.some((leaf) => leaf.dtype === "float32");
  const accepted = tolerance ?? (single ? 1e-2 : 1e-7);
  const stream = random(seed);
  const draw = (): readonly Tensor[] => leaves.map((leaf) => stream.normal(leaf.shape, { dtype: leaf.dtype }));
  const rows: GradientCheckRow[] = [];
  const compare = (which: 1 | 2, g: (x: X) => Tensor, direction: number): void => {
    const v = draw();
    const slope = leavesOf(gradient(g)(x));
    const reverse = dot(slope, v);
    const difference = differenceQuotient((h) => g(unflatten(x, move(leaves, h, v))).item(), single ? 1e-2 : 1e-4);
    const scale = Math.max(Math.sqrt(dot(slope, slope) * dot(v, v)), Math.abs(difference), single ? 1e-6 : 1e-12);
    rows.push({ order: which, direction, reverse, difference, relativeError: Math.abs(reverse - difference) / scale });
  };
  for (let i = 0; i < directions; i++) {
    compare(1, f, i);
    if (order === 1) continue;
    const u = draw();
    const alongU = (at: X): Tensor => leavesOf(gradient(f)(at)).map((g, j) => g.mul(u[j]!).sum().cast("float64")).reduce((sum, part) => sum.add(part)); // prettier-ignore
    compare(2, alongU, i);
  }
  const worst = rows.reduce((most, row) => (row.relativeError > most || Number.isNaN(row.relativeError) ? row.relativeError : most), 0);
  const passed = worst <= accepted;
  return Object.freeze({
    passed,
    worst,
    tolerance: accepted,
    rows,
    toString: () =>
      [
        `gradient check ${passed ? "passed" : "FAILED"}: worst relative error ${worst.toExponential(1)}, accepted ${accepted.toExponential(1)}`,
        ...rows.map(
          (row) =>
            `  order ${row.order}, direction ${row.direction}: reverse ${row.reverse}, difference ${row.difference}, relative error ${row.relativeError.toExponential(1)}`,
        ),
      ].join("\n"),
  });
};
