/**
 * @file Is a gradient right? Random directions, against central differences, and forward mode against reverse mode.
 *
 *   ⟨∇f(x), v⟩  against  (8 (f(x + hv) − f(x − hv)) − (f(x + 2hv) − f(x − 2hv))) / 12h,   error O(h⁴) + O(ε / h)
 *   ⟨∇f(x), v⟩  against  the tangent (∂f/∂x) v, which is the same number up to rounding
 *
 * The step of the differences is chosen (difference-quotient.ts). Where the numbers differ by more than the tolerance, and the quotients no less from each other,
 * shorter and longer steps are tried, for a function that changes faster, or that is rounded to fewer digits inside. Where they differ still, the rounding of f and
 * of the derivatives is measured nearby: what is zero but for rounding is not wrong for differing by what a quotient (about δ / h, with the rounding δ of f) and a
 * derivative do not resolve.
 * For second order f is replaced by x ↦ ⟨∇f(x), u⟩: forward mode over reverse mode, and reverse over reverse where the reverse is recorded.
 */
import {
  activeRecorders, checkOptions, isTensor, leavesOf, OptionError, random, recordingWith, unflatten, type Recorder, type Tensor,
} from "@dydt/tensor"; // prettier-ignore
import { byShorterSteps, differenceQuotient, roundingIn, samples, type Line, type Quotient } from "./difference-quotient.js";
import { MissingRuleError } from "./extend.js";
import { gradient } from "./gradient.js";
import { jvp } from "./jvp.js";
import { SecondDerivativeError } from "./node.js";
import { requireWhole } from "./schedule/schedule.js";

/** Options of {@link checkGradients}. */
export interface GradientCheckOptions {
  /** How many random directions; default 4. */
  readonly directions?: number;
  /** 1 (default), or 2 for second derivatives too. */
  readonly order?: 1 | 2;
  /**
   * Largest accepted difference relative to ‖∇f‖ ‖v‖; default 1e-7 in float64, 1e-5 where f rounds to float32 inside, 1e-2 in float32. Where differences of f do not
   * resolve it, up to 100 times as much is accepted, at most 3e-5, and a note says how much.
   */
  readonly tolerance?: number;
  /** Largest accepted difference between forward and reverse mode, relative to the same; default 1e-10 in float64, 1e-5 and 1e-3 as before. */
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
  /** Of the derivatives and the difference quotient; 0 where they differ by no more than rounding, or the quotient resolves, which the notes say. */
  readonly relativeError: number;
  /** Of reverse and forward mode; 0 where there is only one of them, or they differ by no more than rounding. */
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

/** Whether anything that f makes of x is rounded to float32. */
const roundsToSingle = <X>(f: (x: X) => Tensor, x: X): boolean => {
  const made = new WeakSet(leavesOf(x));
  const depends = (arg: unknown): boolean => (Array.isArray(arg) ? arg.some(depends) : isTensor(arg) && made.has(arg));
  let found = false;
  const recorder: Recorder = {
    epoch: 0,
    retains: false,
    seesThrough: { order: 0, carried: () => [] }, // into nodes
    watches: () => false,
    record: (_, args, output) => {
      if (!isTensor(output) || !args.some(depends)) return;
      made.add(output);
      found ||= output.dtype === "float32";
    },
  };
  recordingWith([...activeRecorders(), recorder], () => f(x));
  return found;
};

/** A directional derivative by both modes, as far as they can be had. */
interface ByModes {
  readonly reverse: number | undefined;
  readonly forward: number | undefined;
  /** ‖∇‖ ‖v‖, which the errors are relative to. */
  readonly size: number;
}

const largest = (values: readonly number[]): number => values.reduce((most, value) => (value > most || Number.isNaN(value) ? value : most), 0);
const rounded = (x: number | undefined): string => (x === undefined ? "none" : x.toPrecision(12));

/**
 * Compares a gradient with central differences in random directions, and forward mode with reverse mode.
 *
 * Where a mode cannot be had (a primitive without a forward rule, a node whose reverse is not recorded), the report says so and compares the others. A derivative
 * that is zero but for rounding, as that of sin² + cos², passes, and a note says how far the comparison reached.
 *
 * @param f - from a tree of tensors to a tensor of one element.
 * @param x - where. Away from kinks: differences across them are meaningless.
 * @throws OptionError for unknown options, an order other than 1 and 2, and no directions.
 * @returns a report with a row for each comparison; `passed` says whether all are within the tolerances. Print it to read it.
 * @example
 * const report = checkGradients((x: Tensor) => x.sin().square().sum(), tensor([0.3, 1.2]), { order: 2 });
 * if (!report.passed) throw new Error(report.toString());
 */
export const checkGradients = <X>(f: (x: X) => Tensor, x: X, options: GradientCheckOptions = {}): GradientCheck => {
  checkOptions("checkGradients", options, ["order", "directions", "tolerance", "modeTolerance", "seed"]);
  const { directions = 4, order = 1, tolerance, modeTolerance, seed = 0 } = options;
  requireWhole(directions, 1, "the number of directions of checkGradients");
  if (order !== 1 && order !== 2) throw new OptionError(`checkGradients got order ${String(order)}: 1 or 2`);
  const leaves = leavesOf(x);
  const single = leaves.some((leaf) => leaf.dtype === "float32");
  let inside: boolean | undefined; // once somebody has looked
  let accepted = tolerance ?? (single ? 1e-2 : 1e-7);
  let acceptedModes = modeTolerance ?? (single ? 1e-3 : 1e-10);
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

  const compare = (which: 1 | 2, direction: number, v: readonly Tensor[], phi: (at: X) => number, modesAt: (at: X) => ByModes): void => {
    const { reverse, forward, size } = modesAt(x);
    const along = (h: number): X => unflatten(x, move(leaves, h, v));
    const at: Line = (h) => phi(along(h));
    const scaleOf = (difference: number): number => Math.max(size, Math.abs(difference), Number.MIN_VALUE);
    const errorOf = (difference: number): number =>
      largest([reverse, forward].map((value) => (value === undefined ? 0 : Math.abs(value - difference))));
    const between = reverse === undefined || forward === undefined ? 0 : Math.abs(reverse - forward);
    const first = (): Quotient & { readonly smallest: number } => {
      const smallest = (single || inside === true ? 1e-2 : 1e-4) * Math.min(scaleOfX, 1);
      return { smallest, ...differenceQuotient(at, smallest, 64 * smallest) };
    };
    const fails = (difference: number): boolean =>
      !(errorOf(difference) <= accepted * scaleOf(difference) && between <= acceptedModes * scaleOf(difference));
    let { quotient: difference, step, spread, range, smallest } = first();
    if (!single && inside === undefined && fails(difference)) {
      inside = roundsToSingle(f, x);
      if (inside) {
        [accepted, acceptedModes] = [tolerance ?? 1e-5, modeTolerance ?? 1e-5];
        notes.add("f computes in float32 inside: the tolerances are those of its rounding");
        ({ quotient: difference, step, spread, range, smallest } = first());
      }
    }
    const epsilon = single || inside === true ? 1.2e-7 : Number.EPSILON;
    // Not where all steps agree with each other better than with the derivatives: then these are wrong.
    const apart = errorOf(difference);
    const inDoubt = !(apart <= accepted * scaleOf(difference)) && !(apart > 10 * spread && range <= 0.1 * Math.abs(difference));
    if (inDoubt)
      for (const other of [byShorterSteps(at, smallest, scaleOfX * Math.sqrt(epsilon)), differenceQuotient(at, 64 * smallest, scaleOfX / 4)])
        if (other !== undefined && other.spread < spread) ({ quotient: difference, step, spread } = other);
    const scale = scaleOf(difference);
    const error = errorOf(difference);
    let [relativeError, disagreement] = [error / scale, between / scale];
    if (inDoubt && relativeError > accepted && error <= Math.min(10 * spread, Math.min(100 * accepted, 3e-5) * scale)) {
      notes.add(
        `order ${which}, direction ${direction}: compared to within ${relativeError.toExponential(1)} only, as far as differences of f resolve`,
      );
      relativeError = 0;
    }
    if (!(relativeError <= accepted && disagreement <= acceptedModes)) {
      const spacing = 64 * epsilon * scaleOfX; // so that no kink is near but those of x itself
      const points = Array.from({ length: samples }, (_, i) => along((i + 0.5 - samples / 2) * spacing));
      const values = points.map(phi);
      const derivatives = points.map(modesAt);
      const ofValue = Math.max(roundingIn(values), epsilon * largest(values.map(Math.abs)));
      const ofModes = 16 * (roundingIn(derivatives.map((one) => one.reverse ?? 0)) + roundingIn(derivatives.map((one) => one.forward ?? 0)));
      const resolved = (8 * ofValue) / step + ofModes;
      if (relativeError > accepted && error <= resolved && (inside !== true || scale <= resolved)) {
        relativeError = 0;
        notes.add(
          `order ${which}, direction ${direction}: no more differs than rounding, ${resolved.toExponential(1)}, which is much beside the derivative`,
        );
      }
      if (between <= ofModes) disagreement = 0;
    }
    rows.push({ order: which, direction, reverse, forward, difference, relativeError, disagreement });
  };

  const slopeAt = (point: X): readonly Tensor[] => leavesOf(gradient(f)(point));
  const slope = slopeAt(x);
  for (let i = 0; i < directions; i++) {
    const v = draw();
    const at = unflatten(x, v);
    compare(
      1,
      i,
      v,
      (point) => f(point).item(),
      (point) => {
        const g = point === x ? slope : slopeAt(point);
        const forward = attempt("forward mode", () => jvp(f, point, at).tangent.item());
        return { reverse: dot(g, v), forward, size: Math.sqrt(dot(g, g) * dot(v, v)) };
      },
    );
    if (order === 1) continue;
    const u = draw();
    const alongU = (point: X): Tensor => slopeAt(point).map((g, j) => g.mul(u[j]!).sum().cast("float64")).reduce((sum, part) => sum.add(part)); // prettier-ignore
    const w = draw();
    compare(
      2,
      i,
      w,
      (point) => alongU(point).item(),
      (point) => {
        const twice = attempt("reverse mode over reverse mode", () => leavesOf(gradient(alongU)(point)));
        const product = attempt("forward mode over reverse mode", () => leavesOf(jvp(gradient(f), point, unflatten(x, w)).tangent));
        if (twice === undefined && product === undefined) throw new SecondDerivativeError([...notes].join("; "));
        const size = twice === undefined ? Math.sqrt(dot(product!, product!) * dot(u, u)) : Math.sqrt(dot(twice, twice) * dot(w, w));
        return { reverse: twice && dot(twice, w), forward: product && dot(product, u), size };
      },
    );
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
