/**
 * @file A comparison of adjoints as a page that needs nothing else: a chart of errors against evaluations, and the table.
 */
import { log, tensor } from "@dydt/tensor";
import { columns, type ComparisonRow } from "./comparison-table.js";

const escape = (text: string): string => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;");

/** log₁₀. */
const decades = (x: number): number => log(tensor(x)).item() / Math.LN10;

const colours = ["#0b6e4f", "#c84630", "#3d5a80", "#b8860b", "#7b2d8b", "#444444", "#008b8b", "#a0522d"];

const frame = { left: 60, right: 700, top: 20, bottom: 300 } as const;

/** Errors of the gradient over evaluations in reverse, as an SVG picture. */
export const comparisonChart = (rows: readonly ComparisonRow[]): string => {
  const shown = rows.filter(({ failure, error }) => failure === undefined && Number.isFinite(error));
  const errors = shown.map(({ error }) => decades(Math.max(error, 1e-16)));
  const low = Math.floor(Math.min(0, ...errors));
  const high = Math.ceil(Math.max(low + 1, ...errors));
  const most = Math.max(1, ...shown.map(({ reverse }) => reverse)) * 1.1;
  const x = (evaluations: number): number => frame.left + (evaluations / most) * (frame.right - frame.left);
  const y = (decade: number): number => frame.bottom - ((decade - low) / (high - low)) * (frame.bottom - frame.top);
  const grid = Array.from({ length: high - low + 1 }, (_, i) => low + i).map(
    (decade) =>
      `<line x1="${frame.left}" x2="${frame.right}" y1="${y(decade)}" y2="${y(decade)}" stroke="#ddd"/>` +
      `<text x="${frame.left - 8}" y="${y(decade) + 4}" text-anchor="end">1e${decade}</text>`,
  );
  const points = shown.map(({ adjoint, reverse, error }, i) => {
    const [cx, cy] = [x(reverse), y(decades(Math.max(error, 1e-16)))];
    const before = cx > (frame.left + frame.right) / 2;
    const colour = colours[i % colours.length];
    return (
      `<circle cx="${cx.toFixed(1)}" cy="${cy.toFixed(1)}" r="5" fill="${colour}"/>` +
      `<text x="${(cx + (before ? -9 : 9)).toFixed(1)}" y="${(cy + 4).toFixed(1)}" text-anchor="${before ? "end" : "start"}" fill="${colour}">${escape(adjoint)}</text>`
    );
  });
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 340" font-family="sans-serif" font-size="12" role="img" aria-label="errors of the gradient over evaluations in reverse">` +
    `${grid.join("")}${points.join("")}` +
    `<text x="${(frame.left + frame.right) / 2}" y="330" text-anchor="middle">evaluations of f in reverse, up to ${Math.round(most)}</text></svg>`
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
<style>body{font-family:sans-serif;max-width:60rem;margin:2rem auto}table{border-collapse:collapse}td,th{padding:.2rem .6rem;text-align:right}td:first-child,th:first-child{text-align:left}tr+tr{border-top:1px solid #ddd}</style>
</head><body><h1>${escape(name)}</h1>
<p>Error of the gradient against one at tight tolerances: the largest difference, relative to the largest entry.</p>
${comparisonChart(rows)}
<table><thead><tr>${head}</tr></thead><tbody>
${body}
</tbody></table></body></html>
`;
};
