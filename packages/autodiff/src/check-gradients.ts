/**
 * @file Is a gradient right? Random directions, against central differences, and forward mode against reverse mode.
 *
 *   ⟨∇f(x), v⟩  against  (8 (f(x + hv) − f(x − hv)) − (f(x + 2hv) − f(x − 2hv))) / 12h,   error O(h⁴) + O(ε / h)
 *   ⟨∇f(x), v⟩  against  the tangent (∂f/∂x) v, which is the same number up to rounding
 *
 * The step is not guessed: several are tried, from 1e-4 of the size of x on, and the one whose neighbours agree best is taken, where the two errors balance.
 * For second order f is replaced by x ↦ ⟨∇f(x), u⟩: forward mode over reverse mode, and reverse over reverse where the reverse is recorded.
 */
import { leavesOf, random, unflatten, type Tensor } from "@dydt/tensor";
import { MissingRuleError } from "./extend.js";
import { gradient } from "./gradient.js";
import { jvp } from "./jvp.js";
import { SecondDerivativeError } from "./node.js";

/** Options of {@link checkGradients}. */
export interface GradientCheckOptions {
  /** How many random directions; default 4. */
  readonly directions?: number;
  /** 1 (default), or 2 for second derivatives too. */
  readonly order?: 1 | 2;
  /** Largest accepted difference relative to ‖∇f‖ ‖v‖; default 1e-7 in float64, 1e-2 in float32. */
  readonly tolerance?: number;
  /** Largest accepted difference between forward and reverse mode, relative to the same; default 1e-10 in float64, 1e-3 in float32. */
  readonly modeTolerance?: number;
  /** Seed of the directions; default 0. */
  readonly seed?: number;
}

/** One comparison. */
export interface GradientCheckRow {
  readonly order: 1 | 2;
  readonly direction: number;
  /** By reverse mode; for second order over reverse mode, undefined where the reverse is not recorded. */
  readonly reverse: number | undefined;
  /** By forward mode; for second order over reverse mode. Undefined where a primitive has no forward rule. */
  readonly forward: number | undefined;
  readonly difference: number;
  /** Of the derivatives and the difference quotient. */
  readonly relativeError: number;
  /** Of reverse and forward mode; 0 where there is only one of them. */
  readonly disagreement: number;
}

/** What {@link checkGradients} found. */
export interface GradientCheck {
  readonly passed: boolean;
  readonly worst: number;
  readonly tolerance: number;
  readonly rows: readonly GradientCheckRow[];
  /** What could not be compared, and why. */
  readonly notes: readonly string[];
  readonly toString: () => string;
}

const dot = (a: readonly Tensor[], b: readonly Tensor[]): number => a.reduce((sum, x, i) => sum + x.mul(b[i]!).sum().item(), 0);
const move = (x: readonly Tensor[], h: number, v: readonly Tensor[]): readonly Tensor[] => x.map((leaf, i) => leaf.add(v[i]!.mul(h)));

/** The difference quotient of φ(h) = f(x + hv) at 0, by the step whose result changes least to the next one; what 2h took is there when the step doubles. */
const differenceQuotient = (phi: (h: number) => number, smallest: number): number => {
  let best = Number.NaN;
  let change = Infinity;
  let before = Number.NaN;
  const across = (h: number): number => phi(h) - phi(-h);
  let near = across(smallest);
  for (let h = smallest; h <= 64 * smallest; h *= 2) {
    const far = across(2 * h);
    const quotient = (8 * near - far) / (12 * h);
    near = far;
    const moved = Math.abs(quotient - before);
    if (moved < change || Number.isNaN(best)) [best, change] = [quotient, Number.isNaN(moved) ? Infinity : moved];
    before = quotient;
  }
  return best;
};

const largest = (values: readonly number[]): number => values.reduce((most, value) => (value > most || Number.isNaN(value) ? value : most), 0);
const rounded = (x: number | undefined): string => (x === undefined ? "none" : x.toPrecision(12));

/**
 * Compares a gradient with central differences in random directions, and forward mode with reverse mode.
 *
 * Where a mode cannot be had (a primitive without a forward rule, a node whose reverse is not recorded), the report says so and compares the others.
 *
 * @param f - from a tree of tensors to a tensor of one element.
 * @param x - where. Away from kinks: differences across them are meaningless.
 * @returns a report with a row for each comparison; `passed` says whether all are within the tolerances. Print it to read it.
 * @example
 * const report = checkGradients((x: Tensor) => x.sin().square().sum(), tensor([0.3, 1.2]), { order: 2 });
 * if (!report.passed) throw new Error(report.toString());
 */
export const checkGradients = <X>(
  f: (x: X) => Tensor,
  x: X,
  { directions = 4, order = 1, tolerance, modeTolerance, seed = 0 }: GradientCheckOptions = {},
): GradientCheck => {
  const leaves = leavesOf(x);
  const single = leaves.some((leaf) => leaf.dtype === "float32");
  const accepted = tolerance ?? (single ? 1e-2 : 1e-7);
  const acceptedModes = modeTolerance ?? (single ? 1e-3 : 1e-10);
  const stream = random(seed);
  const draw = (): readonly Tensor[] => leaves.map((leaf) => stream.normal(leaf.shape, { dtype: leaf.dtype }));
  const rows: GradientCheckRow[] = [];
  const notes = new Set<string>();
  /** Of a typical element. */
  const scaleOfX = Math.max(Math.sqrt(dot(leaves, leaves) / Math.max(1, leaves.reduce((n, { size }) => n + size, 0))), 0.1); // prettier-ignore

  /** What a mode gives, or why it cannot. */
  const attempt = <T>(mode: string, compute: () => T): T | undefined => {
    try {
      return compute();
    } catch (error) {
      if (!(error instanceof MissingRuleError || error instanceof SecondDerivativeError)) throw error;
      notes.add(`${mode} was not compared: ${error.message}`);
      return undefined;
    }
  };

  const compare = (
    which: 1 | 2,
    direction: number,
    v: readonly Tensor[],
    phi: (at: X) => number,
    reverse: number | undefined,
    forward: number | undefined,
    size: number,
  ): void => {
    const difference = differenceQuotient((h) => phi(unflatten(x, move(leaves, h, v))), (single ? 1e-2 : 1e-4) * Math.min(scaleOfX, 1));
    const scale = Math.max(size, Math.abs(difference), single ? 1e-6 : 1e-12);
    const relativeError = largest([reverse, forward].map((value) => (value === undefined ? 0 : Math.abs(value - difference) / scale)));
    const disagreement = reverse === undefined || forward === undefined ? 0 : Math.abs(reverse - forward) / scale;
    rows.push({ order: which, direction, reverse, forward, difference, relativeError, disagreement });
  };

  const slope = leavesOf(gradient(f)(x));
  for (let i = 0; i < directions; i++) {
    const v = draw();
    const at = unflatten(x, v);
    const forward = attempt("forward mode", () => jvp(f, x, at).tangent.item());
    compare(1, i, v, (point) => f(point).item(), dot(slope, v), forward, Math.sqrt(dot(slope, slope) * dot(v, v)));
    if (order === 1) continue;
    const u = draw();
    const alongU = (point: X): Tensor => leavesOf(gradient(f)(point)).map((g, j) => g.mul(u[j]!).sum().cast("float64")).reduce((sum, part) => sum.add(part)); // prettier-ignore
    const w = draw();
    const twice = attempt("reverse mode over reverse mode", () => leavesOf(gradient(alongU)(x)));
    const product = attempt("forward mode over reverse mode", () => leavesOf(jvp(gradient(f), x, unflatten(x, w)).tangent));
    if (twice === undefined && product === undefined) throw new SecondDerivativeError([...notes].join("; "));
    const size = twice === undefined ? Math.sqrt(dot(product!, product!) * dot(u, u)) : Math.sqrt(dot(twice, twice) * dot(w, w));
    compare(2, i, w, (point) => alongU(point).item(), twice === undefined ? undefined : dot(twice, w), product === undefined ? undefined : dot(product, u), size); // prettier-ignore
  }
  const worst = largest(rows.map(({ relativeError }) => relativeError));
  const disagreement = largest(rows.map((row) => row.disagreement));
  const passed = worst <= accepted && disagreement <= acceptedModes;
  return Object.freeze({
    passed,
    worst,
    tolerance: accepted,
    rows,
    notes: [...notes],
    toString: () =>
      [
        `gradient check ${passed ? "passed" : "FAILED"}: worst relative error ${worst.toExponential(1)}, accepted ${accepted.toExponential(1)}; ` +
          `forward and reverse mode differ by ${disagreement.toExponential(1)}, accepted ${acceptedModes.toExponential(1)}`,
        ...rows.map(
          (row) =>
            `  order ${row.order}, direction ${row.direction}: reverse ${rounded(row.reverse)}, forward ${rounded(row.forward)}, ` +
            `difference ${rounded(row.difference)}, relative error ${row.relativeError.toExponential(1)}`,
        ),
        ...[...notes].map((note) => `  ${note}`),
      ].join("\n"),
  });
};
