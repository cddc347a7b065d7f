/**
 * @file A certificate that a gradient is right: independent checks, each with its number, its threshold and its verdict.
 *
 *   Taylor:  |L(x + hv) − L(x) − h⟨∇L, v⟩| = O(h²) along frozen steps; with a wrong gradient O(h)
 *   dot products:  (∂L/∂x) v by forward mode = ⟨∇L, v⟩ by reverse mode
 *
 * P. E. Farrell, D. A. Ham, S. W. Funke, M. E. Rognes, Automated Derivation of the Adjoint of High-Level Transient Finite Element Programs, SIAM J. Sci. Comput.
 * 35(4), 2013, section 6, for the Taylor test.
 */
import { jvp, revolve, storeAll } from "@dydt/autodiff";
import { checkOptions, DydtError, elementsOf, leavesOf, log, random, tensor, unflatten, type Tensor } from "@dydt/tensor";
import { backsolveAdjoint } from "./adjoints/backsolve.js";
import { strictest } from "./adjoints/backward.js";
import { denseAdjoint } from "./adjoints/dense.js";
import { discreteAdjoint } from "./adjoints/discrete.js";
import { interpolatedAdjoint } from "./adjoints/interpolated.js";
import { observing, type Noted } from "./ambient.js";
import { observedGradient, relativeDifference } from "./compare.js";

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

const log2 = (x: number): number => log(tensor(x)).item() / Math.LN2;

const differentBits = (a: unknown, b: unknown): number => {
  const others = leavesOf(b);
  let different = 0;
  leavesOf(a).forEach((leaf, i) => {
    const [x, y] = [elementsOf(leaf), elementsOf(others[i]!)];
    for (let k = 0; k < x.length; k++) if (!Object.is(x[k], y[k])) different++;
  });
  return different;
};

/** The smallest slope of the remainder over two halvings in a row, as long as it stands out of rounding and of the gradient's own tolerance. */
const taylorSlope = (value: (h: number) => number, slope: number, first: number, allowed: number, precision: number): number | undefined => {
  if (!Number.isFinite(slope)) return NaN;
  const base = value(0);
  const slopes: number[] = [];
  let before: number | undefined;
  for (let i = 0, h = first; i < 12; i++, h /= 2) {
    const remainder = Math.abs(value(h) - base - h * slope);
    const floor = 200 * precision * Math.max(Math.abs(base), Number.MIN_VALUE) + 20 * allowed * h * Math.abs(slope);
    if (!(remainder > floor)) break;
    if (before !== undefined) slopes.push(log2(before / remainder));
    before = remainder;
  }
  // The first halvings may still see higher derivatives: the last ones tell the order.
  return slopes.length < 2 ? undefined : Math.min(...slopes.slice(-2));
};

/**
 * Certifies the gradient of a loss that solves differential equations: that it is the derivative of the loss along the steps that were taken, that forward and
 * reverse mode agree, that checkpointing changes no bit, and how far the continuous adjoints are from the discrete one.
 *
 * Cost: some thirty solves, and seven gradients.
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
  const tolerance = Math.max(0, ...solves.map(({ tolerances }) => Math.max(...Object.values({ rtol: 0, atol: 0, ...strictest(tolerances) }))));
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

  const value = (h: number): number => observing({ grids: events ? undefined : grids }, () => loss(move(parameters, h, direction)).item()).result;
  const allowed = flows || events ? 1000 * Math.max(tolerance, 1e-9) : 0;
  const slope = taylorSlope(value, along, step, allowed, precision);
  if (slope === undefined)
    skip("Taylor remainder", "at least", "the remainder is below rounding: the loss is linear along this direction, or too flat for it");
  else
    add(
      "Taylor remainder",
      slope,
      "at least",
      1.8,
      `order in h along ${events ? "the steps" : "the frozen steps"}; 2 for a right gradient, 1 for a wrong one`,
    );

  attempt("forward against reverse", () => {
    const { result } = observing({ grids: events ? undefined : grids }, () => jvp((p: P) => loss(p), parameters, direction));
    const size = Math.sqrt(dot(own.gradient, own.gradient) * dot(direction, direction));
    const gap = Math.abs(result.tangent.item() - along) / (size === 0 ? 1 : size);
    add(
      "forward against reverse",
      gap,
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

  const passed = rows.every(({ verdict }) => verdict !== "fail");
  return Object.freeze({ passed, rows, toString: () => print(passed, rows), toJSON: () => ({ passed, rows }) });
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
