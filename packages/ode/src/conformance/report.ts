/**
 * @file What a conformance kit says: one row for each thing that was checked, with the number that was measured.
 */

/** One thing that was checked. */
export interface ConformanceRow {
  /** What is promised. */
  readonly check: string;
  readonly passed: boolean;
  /** What was found: a number, or what was thrown. */
  readonly measured: number | string;
  /** What it had to be. */
  readonly expected: string;
}

/** What a conformance kit found. */
export interface ConformanceReport {
  /** Whether every row passed. */
  readonly passed: boolean;
  readonly rows: readonly ConformanceRow[];
  /** A table, the failures marked. */
  readonly toString: () => string;
}

/** What a check measured. */
export type Measurement = Omit<ConformanceRow, "check">;

/** Something to check; what it throws is a failure. */
export type Check = readonly [promise: string, measure: () => Measurement];

/** A number that must not be above a bound. */
export const atMost = (measured: number, bound: number): Measurement => ({ passed: measured <= bound, measured, expected: `at most ${bound}` });

/** A number that must not be below a bound. */
export const atLeast = (measured: number, bound: number): Measurement => ({
  passed: measured >= bound,
  measured,
  expected: `at least ${Number(bound.toFixed(6))}`,
});

/** A sentence about what was found wrong; undefined where nothing was. */
export const nothingWrong = (found: string | undefined, expected: string): Measurement => ({
  passed: found === undefined,
  measured: found ?? expected,
  expected,
});

const shown = (measured: number | string): string =>
  typeof measured === "string" ? measured : Number.isInteger(measured) ? String(measured) : measured.toPrecision(3);

const run = ([check, measure]: Check): ConformanceRow => {
  try {
    return Object.freeze({ check, ...measure() });
  } catch (error) {
    return Object.freeze({ check, passed: false, measured: error instanceof Error ? error.message : String(error), expected: "no error" });
  }
};

/** Runs checks and reports; never throws. */
export const reportOf = (name: string, checks: readonly Check[]): ConformanceReport => {
  const rows = checks.map(run);
  const failed = rows.filter((row) => !row.passed).length;
  const lines = rows.map(({ check, passed, measured, expected }) => `${passed ? "  ok   " : "  FAILS"} ${check}: ${shown(measured)} (${expected})`);
  const summary = `${name}: ${rows.length - failed} of ${rows.length} checks passed`;
  return Object.freeze({ passed: failed === 0, rows: Object.freeze(rows), toString: () => [summary, ...lines].join("\n") });
};
