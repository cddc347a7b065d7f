/**
 * @file Rows of results: as JSON for programs, as Markdown tables for people.
 */
import { cpus, totalmem } from "node:os";
import { writeFileSync } from "node:fs";
import { kernels, type Dtype } from "@dydt/tensor";

/** One measured number, with what was measured. */
export interface Row {
  readonly workload: string;
  readonly shape?: string;
  readonly layout?: "NN" | "TN" | "NT";
  readonly dtype: Dtype;
  readonly library: string;
  readonly schedule?: string;
  readonly steps?: number;
  readonly ms?: number;
  readonly microseconds?: number;
  readonly gflops?: number;
  readonly evaluations?: number;
  /** The largest error of the result, where that is what was measured. */
  readonly error?: number;
  readonly peakBytes?: number;
  readonly loss?: number;
  readonly gradientNorm?: number;
}

/** Where it was measured. */
export const machine = () =>
  ({
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    kernels: kernels.name,
  }) as const;

/** Writes everything to a file. */
export const writeJson = (path: string, rows: readonly Row[]): void =>
  writeFileSync(path, `${JSON.stringify({ machine: machine(), rows }, null, 2)}\n`);

const ours = "dydt";

const digits = (x: number): string => (x >= 100 ? x.toFixed(0) : x.toPrecision(3));

const valueOf = ({
  ms,
  microseconds,
  gflops,
  evaluations,
  error,
}: Row): { readonly value: number; readonly unit: string; readonly higherIsBetter: boolean } =>
  evaluations !== undefined || error !== undefined
    ? { value: evaluations ?? error!, unit: evaluations === undefined ? "error" : "evaluations", higherIsBetter: false }
    : gflops !== undefined
      ? { value: gflops, unit: "GFLOP/s", higherIsBetter: true }
      : microseconds !== undefined
        ? { value: microseconds, unit: "µs", higherIsBetter: false }
        : { value: ms ?? NaN, unit: "ms", higherIsBetter: false };

/** How many times faster the first row is than the second. */
const ratio = (mine: Row, other: Row): number => {
  const [a, b] = [valueOf(mine), valueOf(other)];
  return a.higherIsBetter ? a.value / b.value : b.value / a.value;
};

const describeCase = ({ workload, shape, layout, schedule, steps }: Row): string =>
  [workload, shape, layout, schedule, steps === undefined ? undefined : `${steps.toLocaleString("en")} steps`]
    .filter((part) => part !== undefined)
    .join(", ");

const caseOf = (row: Row): string => `${describeCase(row)}|${row.dtype}`;

const bytes = (count: number | undefined): string =>
  count === undefined ? "" : count < 1e6 ? `${digits(count / 1e3)} kB` : `${digits(count / 1e6)} MB`;

const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;

/** A table with one line a case and one column a library; in brackets how many times faster this library is. */
const table = (rows: readonly Row[]): string => {
  const libraries = [...new Set(rows.map(({ library }) => library))].sort((a, b) => Number(b === ours) - Number(a === ours));
  const withBytes = rows.some(({ peakBytes }) => peakBytes !== undefined);
  const lines = [...new Set(rows.map(caseOf))].map((which) => {
    const of = rows.filter((row) => caseOf(row) === which);
    const mine = of.find(({ library }) => library === ours);
    const cells = libraries.map((library) => {
      const row = of.find((one) => one.library === library);
      if (row === undefined) return "";
      const { value, unit } = valueOf(row);
      return `${digits(value)} ${unit}${mine === undefined || row === mine ? "" : ` (${digits(ratio(mine, row))}×)`}`;
    });
    return line([describeCase(of[0]!), of[0]!.dtype, ...cells, ...(withBytes ? [bytes(mine?.peakBytes)] : [])]);
  });
  const head = ["case", "type", ...libraries, ...(withBytes ? ["peak memory"] : [])];
  return [line(head), line(head.map((_, i) => (i < 2 ? "---" : "---:"))), ...lines].join("\n");
};

/** All tables, one for each unit of work, under a line that says where they were measured. */
export const tables = (rows: readonly Row[]): string => {
  const { cpu, cores, node, kernels } = machine();
  const products = rows.filter(({ gflops }) => gflops !== undefined);
  const others = rows.filter(({ gflops }) => gflops === undefined);
  return [
    `${cpu}, ${cores} cores, one thread each, Node ${node.slice(1)}, ${kernels} kernels. Medians; in brackets, how many times faster dydt is.`,
    ...[others, products].filter(({ length }) => length > 0).map(table),
  ].join("\n\n");
};
