/**
 * @file A comparison of adjoints as a page that needs nothing else: a chart of errors against evaluations, and the table.
 */
import { log, tensor } from "@dydt/tensor";
import { columns, type ComparisonRow } from "./comparison-table.js";

const escape = (text: string): string => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;");

/** log₁₀. */
const decades = (x: number): number => log(tensor(x)).item() / Math.LN10;

/** Readable on white and on black. */
const colours = ["#2a9d6f", "#e0603f", "#5b8bd0", "#c9921a", "#a65bc0", "#8a8a8a", "#1aa5a5", "#b9764b"];
const colourOf = (i: number): string => colours[i % colours.length]!;

const frame = { left: 78, right: 700, top: 16, bottom: 300 } as const;

/** Four to ten round numbers from 0 on. */
const roundNumbers = (most: number): readonly number[] => {
  let step = 1;
  for (let i = 0; most / step > 8; i++) step *= i % 3 === 1 ? 2.5 : 2; // 1, 2, 5, 10, 20, 50, ...
  return Array.from({ length: Math.floor(most / step) + 1 }, (_, i) => i * step);
};

/**
 * Errors of the gradient over evaluations in reverse, as an SVG picture. Each adjoint is a ring of its own size, so that those in one place stay visible.
 */
const comparisonChart = (rows: readonly ComparisonRow[]): string => {
  const shown = rows.filter(({ failure, error }) => failure === undefined && Number.isFinite(error));
  const errors = shown.map(({ error }) => decades(Math.max(error, 1e-16)));
  const low = Math.floor(Math.min(0, ...errors));
  const high = Math.ceil(Math.max(low + 1, ...errors));
  const most = Math.max(4, ...shown.map(({ reverse }) => reverse)) * 1.1;
  const x = (evaluations: number): string => (frame.left + (evaluations / most) * (frame.right - frame.left)).toFixed(1);
  const y = (decade: number): string => (frame.bottom - ((decade - low) / (high - low)) * (frame.bottom - frame.top)).toFixed(1);
  const levels = Array.from({ length: high - low + 1 }, (_, i) => low + i).map(
    (decade) =>
      `<line x1="${frame.left}" x2="${frame.right}" y1="${y(decade)}" y2="${y(decade)}" stroke="currentColor" stroke-opacity="0.2"/>` +
      `<text x="${frame.left - 8}" y="${y(decade)}" dy="4" text-anchor="end">1e${decade}</text>`,
  );
  const ticks = roundNumbers(most).map(
    (count) =>
      `<line x1="${x(count)}" x2="${x(count)}" y1="${frame.bottom}" y2="${frame.bottom + 5}" stroke="currentColor"/>` +
      `<text x="${x(count)}" y="${frame.bottom + 19}" text-anchor="middle">${count}</text>`,
  );
  const rings = shown.map(
    ({ reverse }, i) => `<circle cx="${x(reverse)}" cy="${y(errors[i]!)}" r="${4 + 3 * i}" fill="none" stroke="${colourOf(i)}" stroke-width="2.5"/>`,
  );
  const legend = shown.map(({ adjoint }, i) => {
    const [left, line] = [frame.left + (i % 3) * 210, 368 + 22 * Math.floor(i / 3)];
    return (
      `<circle cx="${left}" cy="${line - 4}" r="5" fill="none" stroke="${colourOf(i)}" stroke-width="2.5"/>` +
      `<text x="${left + 12}" y="${line}">${escape(adjoint)}</text>`
    );
  });
  const [middle, height] = [(frame.top + frame.bottom) / 2, 364 + 22 * Math.ceil(shown.length / 3)];
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 ${height}" font-family="sans-serif" font-size="12" fill="currentColor" role="img" aria-label="errors of the gradient over evaluations in reverse">` +
    `${levels.join("")}${ticks.join("")}${rings.join("")}${legend.join("")}` +
    `<text x="14" y="${middle}" text-anchor="middle" transform="rotate(-90 14 ${middle})">relative error of the gradient</text>` +
    `<text x="${(frame.left + frame.right) / 2}" y="${frame.bottom + 38}" text-anchor="middle">evaluations of f in reverse (number)</text></svg>`
  );
};

/** A whole page. */
export const comparisonPage = (name: string, rows: readonly ComparisonRow[]): string => {
  const head = columns.map(([title]) => `<th>${escape(title)}</th>`).join("");
  const body = rows
    .map((row) => {
      if (row.failure !== undefined) return `<tr><td>${escape(row.adjoint)}</td><td colspan="${columns.length - 1}">${escape(row.failure)}</td></tr>`;
      return `<tr>${columns.map(([, of]) => `<td>${escape(of(row))}</td>`).join("")}</tr>`;
    })
    .join("\n");
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${escape(name)}</title>
<style>:root{color-scheme:light dark}body{font-family:sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}div{overflow-x:auto}table{border-collapse:collapse}td,th{padding:.2rem .6rem;text-align:right;white-space:nowrap}td:first-child,th:first-child{text-align:left}tr+tr{border-top:1px solid #8886}</style>
</head><body><h1>${escape(name)}</h1>
<p>Error of the gradient against one at tight tolerances: the largest difference, relative to the largest entry.</p>
${comparisonChart(rows)}
<div><table><thead><tr>${head}</tr></thead><tbody>
${body}
</tbody></table></div></body></html>
`;
};
