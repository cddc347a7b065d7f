/**
 * @file One table, twice: as text for a terminal and as HTML for a page. The first column is left-aligned, the others are numbers.
 */
import { escapeHtml } from "./page.js";

/** A heading and what to write below it. */
export interface Column<R> {
  readonly heading: string;
  readonly cell: (row: R) => string;
}

/** The table as lines of text. */
export const textTable = <R>(columns: readonly Column<R>[], rows: readonly R[]): string => {
  const lines = [columns.map(({ heading }) => heading), ...rows.map((row) => columns.map(({ cell }) => cell(row)))];
  const widths = columns.map((_, i) => Math.max(...lines.map((line) => line[i]!.length)));
  const aligned = lines.map((line) => line.map((text, i) => (i === 0 ? text.padEnd(widths[i]!) : text.padStart(widths[i]!))).join("  "));
  return [aligned[0]!, widths.map((width) => "─".repeat(width)).join("  "), ...aligned.slice(1)].join("\n");
};

/** The table as HTML; it scrolls sideways where it is wider than the page. */
export const htmlTable = <R>(columns: readonly Column<R>[], rows: readonly R[]): string => {
  const headings = columns.map(({ heading }) => `<th scope="col">${escapeHtml(heading)}</th>`).join("");
  const lines = rows.map((row) => `<tr>${columns.map(({ cell }) => `<td>${escapeHtml(cell(row))}</td>`).join("")}</tr>`);
  return `<div class="table"><table><thead><tr>${headings}</tr></thead><tbody>${lines.join("\n")}</tbody></table></div>`;
};
