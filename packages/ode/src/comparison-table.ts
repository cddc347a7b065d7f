/** @file What a comparison of adjoints knows of each, and the table of it. */

/** One adjoint on one problem. */
export interface ComparisonRow {
  readonly adjoint: string;
  /** Against the gradient at tight tolerances: the largest difference, relative to the largest entry. */
  readonly error: number;
  /** Against the discrete adjoint of the same steps. */
  readonly fromDiscrete: number;
  /** Evaluations of f, forward and in reverse. */
  readonly forward: number;
  readonly reverse: number;
  /** Steps run again, without a tape and under one. */
  readonly again: number;
  readonly peakBytes: number;
  readonly milliseconds: number;
  readonly drift: number | undefined;
  readonly defect: number | undefined;
  readonly fallbacks: number | undefined;
  /** Why there are no numbers. */
  readonly failure: string | undefined;
}

const power = (value: number | undefined): string => (value === undefined ? "" : value === 0 ? "0" : value.toExponential(1));

/** The columns of a table of the rows. */
export const columns: readonly (readonly [title: string, of: (row: ComparisonRow) => string])[] = [
  ["adjoint", (row) => row.adjoint],
  ["error", (row) => power(row.error)],
  ["from discrete", (row) => power(row.fromDiscrete)],
  ["forward", (row) => `${row.forward}`],
  ["reverse", (row) => `${row.reverse}`],
  ["run again", (row) => `${row.again}`],
  ["peak bytes", (row) => `${row.peakBytes}`],
  ["ms", (row) => row.milliseconds.toFixed(1)],
  ["drift", (row) => power(row.drift)],
  ["defect", (row) => power(row.defect)],
  ["fallbacks", (row) => (row.fallbacks === undefined ? "" : `${row.fallbacks}`)],
];

/** The rows as a table for a console. */
export const tableOf = (name: string, rows: readonly ComparisonRow[]): string => {
  const cells = [
    columns.map(([title]) => title),
    ...rows.map((row) => columns.map(([, of], i) => (row.failure !== undefined && i > 0 ? "" : of(row)))),
  ];
  const widths = columns.map((_, i) => Math.max(...cells.map((line) => line[i]!.length)));
  const lines = cells.map((line, r) => line.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join("  ") + (r > 0 && rows[r - 1]!.failure !== undefined ? `  ${rows[r - 1]!.failure}` : "")); // prettier-ignore
  return [name, ...lines].join("\n");
};
