/**
 * @file Every adjoint on one loss: how exact, how many evaluations, how many bytes, how long.
 */
import { gradient as gradientOf } from "@dydt/autodiff";
import { checkOptions, DydtError, elementsOf, formatShape, leavesOf, OptionError, sameShape, ShapeError, type Tensor } from "@dydt/tensor";
import { described, requireObject } from "./arguments.js";
import type { AnyAdjoint } from "./adjoint.js";
import { backsolveAdjoint } from "./adjoints/backsolve.js";
import { denseAdjoint } from "./adjoints/dense.js";
import { directAdjoint } from "./adjoints/direct.js";
import { discreteAdjoint } from "./adjoints/discrete.js";
import { gaussAdjoint } from "./adjoints/gauss.js";
import { interpolatedAdjoint } from "./adjoints/interpolated.js";
import { observing, type Ambient, type Noted } from "./ambient.js";
import { comparisonPage } from "./comparison-page.js";
import { tableOf, type ComparisonRow } from "./comparison-table.js";
import type { Controller } from "./controller.js";
import { adaptive } from "./controllers/adaptive.js";
import { now } from "./supervision.js";

/** What is compared. */
export interface ComparedProblem<P> {
  /** For titles. */
  readonly name?: string;
  /** From the parameters to a number, by any number of solves; the adjoints of these are exchanged. */
  readonly loss: (parameters: P) => Tensor;
  readonly parameters: P;
}

/** Options of {@link compareAdjoints}. */
export interface CompareOptions {
  /** By name; default: the discrete and the direct adjoint, and every continuous one. */
  readonly adjoints?: Readonly<Record<string, AnyAdjoint<never>>>;
  /** How often each is timed, the fastest counts; default 1. */
  readonly repetitions?: number;
  /** Tolerances of the reference, for solves whose solver estimates its error; default 1e-11. */
  readonly reference?: number;
}

/** What {@link compareAdjoints} found. */
export interface Comparison {
  readonly name: string;
  readonly rows: readonly ComparisonRow[];
  /** A table. */
  readonly toString: () => string;
  /** A page of its own with the table and a chart of errors against evaluations. */
  readonly toHtml: () => string;
}

/** The adjoints that serve any problem with dense output. */
export const usualAdjoints = (): Readonly<Record<string, AnyAdjoint<never>>> => ({
  discreteAdjoint: discreteAdjoint(),
  directAdjoint: directAdjoint(),
  backsolveAdjoint: backsolveAdjoint(),
  denseAdjoint: denseAdjoint(),
  interpolatedAdjoint: interpolatedAdjoint(),
  gaussAdjoint: gaussAdjoint(),
});

/** The largest difference of two trees of the same form, relative to the largest entry of the second; infinite where something is NaN. @throws ShapeError for another form. */
export const relativeDifference = (a: unknown, b: unknown): number => {
  const [leaves, others] = [leavesOf(a), leavesOf(b)];
  if (leaves.length !== others.length) throw new ShapeError(`a gradient has ${leaves.length} tensors instead of ${others.length}`);
  let [difference, size] = [0, 0];
  leaves.forEach((leaf, i) => {
    const { shape } = others[i]!;
    if (!sameShape(leaf.shape, shape)) throw new ShapeError(`a gradient has shape ${formatShape(leaf.shape)} instead of ${formatShape(shape)}`);
    const [x, y] = [elementsOf(leaf), elementsOf(others[i]!)];
    for (let k = 0; k < x.length; k++) {
      const gap = Math.abs(x[k]! - y[k]!);
      difference = Number.isNaN(gap) ? Infinity : Math.max(difference, gap);
      size = Math.max(size, Math.abs(y[k]!));
    }
  });
  return difference === 0 || difference === Infinity ? difference : difference / (size === 0 ? 1 : size);
};

/** The gradient of a loss whose solves are done as the observer wants. */
export const observedGradient = <P>(
  loss: (p: P) => Tensor,
  parameters: P,
  ambient: Ambient,
): { readonly gradient: P; readonly solves: readonly Noted[] } => {
  const { result, solves } = observing(ambient, () => gradientOf(loss)(parameters));
  return { gradient: result, solves };
};

const total = (solves: readonly Noted[], of: (stats: Noted["stats"]) => number | undefined): number =>
  solves.reduce((sum, { stats }) => sum + (of(stats) ?? 0), 0);
const worst = (solves: readonly Noted[], of: (stats: Noted["stats"]) => number | undefined): number | undefined => {
  const found = solves.map(({ stats }) => of(stats)).filter((value) => value !== undefined);
  return found.length === 0 ? undefined : Math.max(...found);
};

/**
 * Runs a loss with one adjoint after the other, and compares their gradients with one at tight tolerances and with the discrete adjoint's.
 *
 * @returns rows, a table as a string, and a page.
 * @throws OptionError for options that are not known, and a loss that is no function.
 * @example
 * const comparison = compareAdjoints({
 *   loss: (k: Tensor) => solve((t, y) => y.mul(k), tensor([1]), { t0: 0, t1: 1 }).y1.sum(),
 *   parameters: tensor(0.5),
 * });
 * if (comparison.rows.some(({ error }) => error > 1e-4)) throw new Error(comparison.toString());
 */
export const compareAdjoints = <P>(problem: ComparedProblem<P>, options: CompareOptions = {}): Comparison => {
  requireObject("compareAdjoints", problem, "loss", "{ loss, parameters }, with a function of the parameters as loss");
  const { name = "loss", loss, parameters } = problem;
  checkOptions("compareAdjoints", options, ["adjoints", "repetitions", "reference"]);
  if (typeof loss !== "function") throw new OptionError(`compareAdjoints got ${described(loss)} as its loss: a function of the parameters is needed`);
  const { adjoints = usualAdjoints(), repetitions = 1, reference = 1e-11 } = options;
  if (typeof adjoints !== "object" || adjoints === null)
    throw new OptionError(`compareAdjoints got adjoints = ${described(adjoints)}: give them by name, as in { gauss: gaussAdjoint() }`);
  if (!(Number.isInteger(repetitions) && repetitions >= 1))
    throw new OptionError(`compareAdjoints got repetitions = ${repetitions}: a positive whole number is needed`);
  const discrete = observedGradient(loss, parameters, { adjoint: discreteAdjoint() });
  const estimates = discrete.solves.every(({ solver }) => solver.errorOrder !== undefined);
  const controller = adaptive({ rtol: reference, atol: reference }) as unknown as Controller<never>;
  const exact = estimates ? observedGradient(loss, parameters, { adjoint: discreteAdjoint(), controller }).gradient : discrete.gradient;

  const rows = Object.entries(adjoints).map(([adjoint, chosen]): ComparisonRow => {
    let milliseconds = Infinity;
    try {
      let found = { gradient: discrete.gradient, solves: discrete.solves };
      for (let i = 0; i < repetitions; i++) {
        const begun = now();
        found = observedGradient(loss, parameters, { adjoint: chosen });
        milliseconds = Math.min(milliseconds, now() - begun);
      }
      const { gradient, solves } = found;
      return {
        adjoint,
        error: relativeDifference(gradient, exact),
        fromDiscrete: relativeDifference(gradient, discrete.gradient),
        forward: total(solves, ({ evaluations }) => evaluations),
        reverse: total(solves, ({ reverse }) => reverse?.evaluations),
        again: total(solves, ({ reverse }) => (reverse?.advanced ?? 0) + (reverse?.taped ?? 0)),
        peakBytes: worst(solves, ({ peakBytes }) => peakBytes) ?? 0,
        milliseconds,
        drift: worst(solves, ({ reverse }) => reverse?.drift),
        defect: worst(solves, ({ reverse }) => reverse?.defect),
        fallbacks: worst(solves, ({ reverse }) => reverse?.fallbacks),
        failure: undefined,
      };
    } catch (error) {
      if (!(error instanceof DydtError)) throw error;
      const none = { error: NaN, fromDiscrete: NaN, forward: 0, reverse: 0, again: 0, peakBytes: 0, milliseconds: NaN };
      return { adjoint, ...none, drift: undefined, defect: undefined, fallbacks: undefined, failure: error.message };
    }
  });
  return Object.freeze({ name, rows, toString: () => tableOf(name, rows), toHtml: () => comparisonPage(name, rows) });
};
