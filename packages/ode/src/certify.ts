/**
 * @file A certificate that a gradient is right: independent checks, each with its number, its threshold and its verdict.
 *
 *   Taylor:  |L(x + hv) − L(x) − h⟨∇L, v⟩| = O(h²) along frozen steps; with a wrong gradient O(h)
 *   central differences, where that tells nothing, or where the steps cannot be frozen
 *   dot products:  (∂L/∂x) v by forward mode = ⟨∇L, v⟩ by reverse mode
 *
 * P. E. Farrell, D. A. Ham, S. W. Funke, M. E. Rognes, Automated Derivation of the Adjoint of High-Level Transient Finite Element Programs, SIAM J. Sci. Comput.
 * 35(4), 2013, section 6, for the Taylor test.
 */
import { jvp, revolve, storeAll } from "@dydt/autodiff";
import { checkOptions, DydtError, elementsOf, leavesOf, random, unflatten, type Tensor } from "@dydt/tensor";
import { backsolveAdjoint } from "./adjoints/backsolve.js";
import { strictest } from "./adjoints/backward.js";
import { denseAdjoint } from "./adjoints/dense.js";
import { discreteAdjoint } from "./adjoints/discrete.js";
import { interpolatedAdjoint } from "./adjoints/interpolated.js";
import { observing, type Ambient, type Noted } from "./ambient.js";
import { centralDifference, taylorOrder } from "./certify-slope.js";
import { observedGradient, relativeDifference } from "./compare.js";
import { SolveError } from "./errors.js";
import { sharpened } from "./sharpen.js";

/** What a check came to. "skipped" says why; "advice" is about a method that is not in use, and fails nothing. */
export type CertificateVerdict = "pass" | "fail" | "skipped" | "advice";

/** One check. */
export interface CertificateRow {
  readonly check: string;
  /** What was measured; undefined where it was skipped. */
  readonly value: number | undefined;
  readonly threshold: number | undefined;
  /** Whether the value must be at least, or at most, the threshold. */
  readonly bound: "at least" | "at most";
  readonly verdict: CertificateVerdict;
  readonly note: string;
}

/** What {@link certifyGradient} found. */
export interface GradientCertificate {
  readonly passed: boolean;
  readonly rows: readonly CertificateRow[];
  readonly toString: () => string;
  readonly toJSON: () => { readonly passed: boolean; readonly rows: readonly CertificateRow[] };
}

/** Options of {@link certifyGradient}. */
export interface CertifyOptions {
  /** Seed of the random direction; default 0. */
  readonly seed?: number;
  /** The largest step of the Taylor test, relative to the parameters; default 1e-2. */
  readonly step?: number;
}

const dot = (a: unknown, b: unknown): number => {
  const others = leavesOf(b);
  return leavesOf(a).reduce((total, leaf, i) => total + leaf.mul(others[i]!).sum().item(), 0);
};

const move = <P>(x: P, h: number, v: P): P => {
  const directions = leavesOf(v);
  return unflatten(
    x,
    leavesOf(x).map((leaf, i) => leaf.add(directions[i]!.mul(h))),
  );
};

/** A random direction as long as the parameters, leaf by leaf. */
const directionOf = <P>(x: P, seed: number): P => {
  const stream = random(seed);
  const size = (leaf: Tensor): number => {
    const root = leaf.size === 0 ? 0 : Math.sqrt(leaf.square().mean().item());
    return root === 0 ? 1 : root;
  };
  return unflatten(
    x,
    leavesOf(x).map((leaf) => stream.normal(leaf.shape, { dtype: leaf.dtype }).mul(size(leaf))),
  );
};

const differentBits = (a: unknown, b: unknown): number => {
  const others = leavesOf(b);
  let different = 0;
  leavesOf(a).forEach((leaf, i) => {
    const [x, y] = [elementsOf(leaf), elementsOf(others[i]!)];
    for (let k = 0; k < x.length; k++) if (!Object.is(x[k], y[k])) different++;
  });
  return different;
};

/**
 * Certifies the gradient of a loss that solves differential equations: that it is the derivative of the loss along the steps that were taken, that forward and
 * reverse mode agree, that checkpointing changes no bit, and how far the continuous adjoints are from the discrete one.
 *
 * Nothing passes that values of the loss have not confirmed: by the order of the Taylor remainder, or by central differences. Adjoints of the flow, and solves whose
 * events move the steps, are looked at with shorter steps.
 *
 * Cost: some fifty solves, and eight gradients.
 *
 * @param loss - from a tree of tensors to a tensor of one element, by any number of solves.
 * @param parameters - where.
 * @returns a certificate: `passed`, rows, `toString()` for people and `toJSON()` for programs. In a test: `expect.extend(certificateMatchers)`.
 * @example
 * const data = tensor([0.2, 0.1]);
 * const certificate = certifyGradient(
 *   (k: Tensor) => solve((t, y) => y.mul(k).sin(), tensor([1, 2]), { t0: 0, t1: 2 }).y1.sub(data).square().sum(),
 *   tensor([-0.5, -0.7]),
 * );
 * if (!certificate.passed) throw new Error(certificate.toString());
 */
export const certifyGradient = <P>(loss: (parameters: P) => Tensor, parameters: P, options: CertifyOptions = {}): GradientCertificate => {
  checkOptions("certifyGradient", options, ["seed", "step"]);
  const { seed = 0, step = 1e-2 } = options;
  const own = observedGradient(loss, parameters, {});
  const { solves } = own;
  const grids = solves.map(({ grid }) => grid);
  const single = leavesOf(parameters).some(({ dtype }) => dtype === "float32");
  const precision = single ? 1 / 16_777_216 : Number.EPSILON;
  const tolerance = largestTolerance(solves);
  const flows = solves.some(({ adjoint }) => adjoint.differentiates === "flow");
  const events = solves.some(({ events }) => events);
  const fixedGrid = tolerance === 0;
  const direction = directionOf(parameters, seed);
  const along = dot(own.gradient, direction);
  const rows: CertificateRow[] = [];

  const add = (check: string, value: number, bound: "at least" | "at most", threshold: number, note: string, advice = false): void => {
    const holds = bound === "at least" ? value >= threshold : value <= threshold;
    rows.push({ check, value, threshold, bound, verdict: holds ? "pass" : advice ? "advice" : "fail", note });
  };
  const skip = (check: string, bound: "at least" | "at most", note: string): void =>
    void rows.push({ check, value: undefined, threshold: undefined, bound, verdict: "skipped", note });
  /** A check that may be impossible for these solves: their own words say why. */
  const attempt = (check: string, body: () => void): void => {
    try {
      body();
    } catch (error) {
      if (!(error instanceof DydtError)) throw error;
      skip(check, "at most", error.message);
    }
  };
  const discreteOn = (adjoint = discreteAdjoint({ checkpoints: storeAll() })) =>
    observedGradient(loss, parameters, { adjoint, grids: events ? undefined : grids }).gradient;

  const approximate = flows || events;
  const reference = approximate ? sharperGradient(loss, parameters) : undefined;
  const frozen = reference?.solves.map(({ grid }) => grid) ?? grids;
  const sharper = reference === undefined ? {} : { remake: sharpened };
  const value = (h: number): number => valueOf(loss, move(parameters, h, direction), events ? sharper : { grids: frozen });
  const slope = reference === undefined ? along : dot(reference.gradient, direction);
  const gap = reference === undefined ? 0 : relativeDifference(own.gradient, reference.gradient);
  // What the derivative along these values may be off: nothing but rounding where they are those of the very steps that it belongs to.
  const allowed = approximate ? (reference === undefined && fixedGrid ? 1e-2 : allowedMisfit(tolerance, fixedGrid ? gap : 0, single)) : 0;
  const noise = events ? Math.max(precision, reference === undefined ? tolerance : largestTolerance(reference.solves)) : precision;
  const first = approximate || single ? 8 * step : step;
  const costs = events && solves.some(({ costs }) => costs);
  const noSteps = "events move the steps, and the costs of other steps are other functions: values of the loss are no check of this gradient";

  const { order, seen } = costs ? { order: undefined, seen: 0 } : taylorOrder(value, slope, first, allowed, noise);
  if (costs) skip("Taylor remainder", "at least", noSteps);
  else if (order === undefined) skip("Taylor remainder", "at least", whyNoOrder(seen, allowed));
  else
    add(
      "Taylor remainder",
      order,
      "at least",
      1.8,
      `order in h along ${events ? "the" : "the frozen"} steps; 2 for a right gradient, 1 for a wrong one`,
    );

  if (costs) skip("central differences", "at most", noSteps);
  else if (approximate || order === undefined) {
    const { slope: found, error, bend } = centralDifference(value, 8 * step, precision);
    const size = Math.max(Math.abs(slope), Math.abs(found), partsOf(reference?.gradient ?? own.gradient, direction), bend);
    const [misfit, doubt] = size === 0 ? [0, 0] : [Math.abs(found - slope) / size, error / size];
    const threshold = approximate ? allowed : single ? 1e-3 : 1e-6;
    if (doubt > threshold && !(misfit > 10 * doubt) && Number.isFinite(slope))
      skip("central differences", "at most", `the values of the loss tell this derivative to ${number(doubt)} only, and ${number(threshold)} is asked for`);
    else add("central differences", misfit, "at most", threshold, `directional derivative by values of the loss, and by the gradient${reference === undefined ? "" : ", both with shorter steps"}`); // prettier-ignore
  }
  // One of the two must have seen what the loss does: all other checks compare gradients with each other.
  const confirmed = rows.some(({ verdict }) => verdict === "pass");
  if (reference !== undefined)
    add("own against shorter steps", gap, "at most", fixedGrid ? 1e-2 : 1000 * tolerance, "how much of the gradient is due to the steps", fixedGrid);

  attempt("forward against reverse", () => {
    const { result } = observing({ grids: events ? undefined : grids }, () => jvp((p: P) => loss(p), parameters, direction));
    const size = Math.sqrt(dot(own.gradient, own.gradient) * dot(direction, direction));
    const difference = Math.abs(result.tangent.item() - along) / (size === 0 ? 1 : size);
    add(
      "forward against reverse",
      difference,
      "at most",
      flows ? 1000 * Math.max(tolerance, 1e-9) : single ? 1e-4 : 1e-10,
      "directional derivative by jvp and by the gradient",
    );
  });

  const stored = discreteOn();
  attempt("checkpointed against stored", () =>
    add(
      "checkpointed against stored",
      differentBits(discreteOn(discreteAdjoint({ checkpoints: revolve(3) })), stored),
      "at most",
      0,
      "numbers of other bits with revolve(3)",
    ),
  );

  const limit = 1000 * tolerance;
  attempt("continuous against discrete", () => {
    const { gradient } = observedGradient(loss, parameters, { adjoint: solves.every(canLookUp) ? denseAdjoint() : backsolveAdjoint() });
    const gap = relativeDifference(gradient, stored);
    if (fixedGrid)
      add("continuous against discrete", gap, "at most", 1e-2, "with given steps they differ by the discretization error: this is its size", true);
    else add("continuous against discrete", gap, "at most", limit, "a thousand tolerances");
  });
  attempt("drift of backsolving", () => {
    const found = observedGradient(loss, parameters, { adjoint: backsolveAdjoint() }).solves;
    const used = solves.some(({ adjoint }) => adjoint.name === "backsolveAdjoint");
    add(
      "drift of backsolving",
      largest(found, ({ reverse }) => reverse?.drift),
      "at most",
      fixedGrid ? 1e-3 : limit,
      "how far the state that is solved for again misses",
      !used,
    );
  });
  attempt("defect of interpolation", () => {
    const found = observedGradient(loss, parameters, { adjoint: interpolatedAdjoint({ nodes: 12, largestDefect: Infinity }) }).solves;
    if (found.every(({ stats }) => stats.reverse?.defect === undefined))
      skip("defect of interpolation", "at most", "no polynomial was made: events ended every stretch");
    else
      add(
        "defect of interpolation",
        largest(found, ({ reverse }) => reverse?.defect),
        "at most",
        0.01,
        "of polynomials with 12 nodes, relative to |f|",
        true,
      );
  });

  const passed = confirmed && rows.every(({ verdict }) => verdict !== "fail");
  return Object.freeze({ passed, rows, toString: () => print(passed, rows), toJSON: () => ({ passed, rows }) });
};

const largestTolerance = (solves: readonly Noted[]): number =>
  Math.max(0, ...solves.map(({ tolerances }) => Math.max(...Object.values({ rtol: 0, atol: 0, ...strictest(tolerances) }))));

/** The gradient with shorter steps, where these can be taken. */
const sharperGradient = <P>(loss: (parameters: P) => Tensor, parameters: P): ReturnType<typeof observedGradient<P>> | undefined => {
  try {
    return observedGradient(loss, parameters, { remake: sharpened });
  } catch (error) {
    if (!(error instanceof DydtError)) throw error;
    return undefined;
  }
};

/** The loss; NaN where it cannot be solved for. */
const valueOf = <P>(loss: (parameters: P) => Tensor, at: P, ambient: Ambient): number => {
  try {
    return observing(ambient, () => loss(at).item()).result;
  } catch (error) {
    if (!(error instanceof SolveError)) throw error;
    return NaN;
  }
};

/** How far a gradient of the flow may be off, relative to itself, with steps that are shorter than those of the tolerance, or than those that change it by the gap. */
const allowedMisfit = (tolerance: number, gap: number, single: boolean): number =>
  Math.max(Math.min(Math.max(1000 * tolerance, single ? 1e-3 : 1e-6), single ? 1e-3 : 3e-4), Math.min(gap / 2, 0.02));

/** The length of (gᵢ vᵢ): the size of ⟨g, v⟩ before anything cancels. */
const partsOf = (gradient: unknown, direction: unknown): number => {
  const others = leavesOf(direction);
  return Math.sqrt(leavesOf(gradient).reduce((total, leaf, i) => total + leaf.mul(others[i]!).square().sum().item(), 0));
};

const whyNoOrder = (seen: number, allowed: number): string => {
  const hides = allowed === 0 ? "rounding" : `rounding, and of what a gradient may be off at these tolerances (${number(allowed)})`;
  if (seen === 0 && allowed === 0) return "the remainder is below rounding: the loss is linear along this direction, or too flat for it";
  return `the remainder stands out of ${hides} at ${seen === 0 ? "no step" : `${seen} steps in a row at most`}: three are needed to tell its order`;
};

const canLookUp = ({ solver }: Noted): boolean => solver.interpolates === true;
const largest = (solves: readonly Noted[], of: (stats: Noted["stats"]) => number | undefined): number =>
  solves.reduce((most, { stats }) => Math.max(most, of(stats) ?? 0), 0);

const number = (x: number | undefined): string =>
  x === undefined ? "-" : x !== 0 && (Math.abs(x) < 1e-2 || Math.abs(x) >= 1e4) ? x.toExponential(1) : `${Number(x.toPrecision(3))}`;

const print = (passed: boolean, rows: readonly CertificateRow[]): string => {
  const lines = rows.map(({ check, value, threshold, bound, verdict, note }) => [
    verdict,
    check,
    number(value),
    threshold === undefined ? "" : `${bound} ${number(threshold)}`,
    note,
  ]);
  const widths = [0, 1, 2, 3].map((i) => Math.max(...lines.map((line) => line[i]!.length)));
  const body = lines.map((line) => `  ${line.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join("  ")}`);
  return [`the gradient is ${passed ? "certified" : "NOT certified"}`, ...body].join("\n");
};

/**
 * For test runners with `expect.extend`: `expect(loss).toHaveCertifiedGradient(parameters)`.
 *
 * @example
 * const { pass, message } = certificateMatchers.toHaveCertifiedGradient(
 *   (k: Tensor) => solve((t, y) => y.mul(k).sin(), tensor([1]), { t0: 0, t1: 1 }).y1.square().sum(), tensor([0.5]),
 * );
 * if (!pass) throw new Error(message());
 */
export const certificateMatchers = {
  toHaveCertifiedGradient: <P>(
    loss: (parameters: P) => Tensor,
    parameters: P,
    options: CertifyOptions = {},
  ): { readonly pass: boolean; readonly message: () => string } => {
    const certificate = certifyGradient(loss, parameters, options);
    return { pass: certificate.passed, message: () => certificate.toString() };
  },
} as const;
