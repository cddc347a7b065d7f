/**
 * @file A certificate: rows of checks, each with its number, its threshold and its verdict, for people and for programs.
 */
import { DydtError } from "@dydt/tensor";

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

/** The checks so far. */
export interface CheckSheet {
  readonly rows: readonly CertificateRow[];
  /** Notes what was measured. @param advice - whether a miss fails nothing. */
  readonly add: (check: string, value: number, bound: CertificateRow["bound"], threshold: number, note: string, advice?: boolean) => void;
  readonly skip: (check: string, bound: CertificateRow["bound"], note: string) => void;
  /** A check that may be impossible for these solves: their own words say why. */
  readonly attempt: (check: string, body: () => void) => void;
}

/** An empty sheet. */
export const checkSheet = (): CheckSheet => {
  const rows: CertificateRow[] = [];
  const skip: CheckSheet["skip"] = (check, bound, note) =>
    void rows.push({ check, value: undefined, threshold: undefined, bound, verdict: "skipped", note });
  return {
    rows,
    add: (check, value, bound, threshold, note, advice = false) => {
      const holds = bound === "at least" ? value >= threshold : value <= threshold;
      rows.push({ check, value, threshold, bound, verdict: holds ? "pass" : advice ? "advice" : "fail", note });
    },
    skip,
    attempt: (check, body) => {
      try {
        body();
      } catch (error) {
        if (!(error instanceof DydtError)) throw error;
        skip(check, "at most", error.message);
      }
    },
  };
};

/** What the checks came to. @param confirmed - whether values of the loss have confirmed the gradient. */
export const certificateOf = (rows: readonly CertificateRow[], confirmed: boolean): GradientCertificate => {
  const passed = confirmed && rows.every(({ verdict }) => verdict !== "fail");
  return Object.freeze({ passed, rows, toString: () => print(passed, rows), toJSON: () => ({ passed, rows }) });
};

/** A number in few digits. */
export const number = (x: number | undefined): string =>
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
