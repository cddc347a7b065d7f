/**
 * @file Drawings with Observable Plot, as SVG text and without a browser.
 */
import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { colour } from "./page.js";

/** Size of every drawing, in CSS pixels; narrow, so that its text stays readable on a telephone. */
export const size = { width: 460, height: 330 } as const;

const { document } = parseHTML("<!doctype html><html><body></body></html>");

/** A drawing as SVG text. */
export const chart = (options: Plot.PlotOptions): string =>
  Plot.plot({ document, ...size, marginTop: 28, marginLeft: 48, marginRight: 20, marginBottom: 40, style: { fontSize: "12px" }, ...options })
    .outerHTML;

/** A logarithmic axis over positive numbers, with a tick at each power of ten. */
export const logAxis = (label: string, numbers: readonly number[], { above = 1.5, below = 1.5 } = {}): Plot.ScaleOptions => {
  const [least, most] = [Math.min(...numbers) / below, Math.max(...numbers) * above];
  const exponents = Array.from({ length: 40 }, (_, i) => i - 20).filter((exponent) => exponent >= Math.log10(least) && exponent <= Math.log10(most));
  const tickFormat = (power: number): string =>
    power >= 0.01 ? String(power) : `10⁻${"⁰¹²³⁴⁵⁶⁷⁸⁹"[Math.round(-Math.log10(power))] ?? String(power)}`;
  return { label, type: "log", domain: [least, most], ticks: exponents.map((exponent) => Number(`1e${String(exponent)}`)), tickFormat, grid: true };
};

/** A line through points `[x, y]`. */
export const line = (points: readonly (readonly [number, number])[], stroke: string, options: Plot.LineOptions = {}): Plot.Markish =>
  Plot.line(
    points.map(([x, y]) => [x, y] as [number, number]),
    { stroke, strokeWidth: 2, ...options },
  );

/** Dots at points `[x, y]`. */
export const dots = (points: readonly (readonly [number, number])[], fill: string, options: Plot.DotOptions = {}): Plot.Markish =>
  Plot.dot(
    points.map(([x, y]) => [x, y] as [number, number]),
    { fill, r: 3.5, stroke: "var(--paper)", ...options },
  );

/** A word beside a point. */
export const label = (text: string, [x, y]: readonly [number, number], fill: string, options: Plot.TextOptions = {}): Plot.Markish =>
  Plot.text([[x, y]], { text: [text], fill, fontWeight: 600, stroke: "var(--paper)", strokeWidth: 4, ...options });

/** Where a vector field is drawn: coordinates in which the axes are straight, and the corners there. */
export interface Plane {
  readonly x: readonly [number, number];
  readonly y: readonly [number, number];
  /** From these coordinates to those of the axes, as exp for logarithmic ones; default the same. */
  readonly toAxis?: (coordinate: number) => number;
}

/** Arrows of a vector field on a lattice of `count` × `count` points, in the field's own coordinates: all of one length, the stronger the faster. */
export const vectorField = (
  slope: (x: number, y: number) => readonly [number, number],
  { x, y, toAxis = (c) => c }: Plane,
  count = 15,
): Plot.Markish => {
  const ticks = ([from, to]: readonly [number, number]) => Array.from({ length: count }, (_, i) => from + ((i + 0.5) / count) * (to - from));
  const [perX, perY] = [size.width / (x[1] - x[0]), size.height / (y[1] - y[0])]; // pixels to a unit, so that arrows are tangent to what is seen
  const arrows = ticks(x).flatMap((at) =>
    ticks(y).map((above) => {
      const [dx, dy] = slope(at, above);
      const [right, up] = [dx * perX, dy * perY];
      return { x: toAxis(at), y: toAxis(above), rotate: (Math.atan2(right, up) * 180) / Math.PI, speed: Math.hypot(right, up) };
    }),
  );
  const fastest = Math.max(...arrows.map(({ speed }) => speed));
  return Plot.vector(arrows, {
    x: "x",
    y: "y",
    rotate: "rotate",
    length: 14,
    anchor: "middle",
    stroke: colour.muted,
    strokeOpacity: ({ speed }: { readonly speed: number }) => 0.25 + 0.65 * Math.sqrt(speed / fastest),
  });
};

/** Lengths of steps, each drawn over the time that it covers. */
export const stepLengths = (
  steps: readonly { readonly t0: number; readonly t1: number }[],
  options: { readonly time: string; readonly length: string; readonly from?: number },
): string => {
  const { time, length, from = 0 } = options;
  const bars = steps.map(({ t0, t1 }) => ({ x1: from + t0, x2: from + t1, h: t1 - t0 }));
  return chart({
    x: { label: time, tickFormat: "d" },
    y: { label: length, zero: true, grid: true },
    marks: [
      Plot.ruleY([0], { stroke: colour.muted }),
      Plot.rectY(bars, { x1: "x1", x2: "x2", y: "h", fill: colour.fresh, fillOpacity: 0.25, stroke: colour.fresh, insetLeft: 0.5, insetRight: 0.5 }),
    ],
  });
};

/** Error estimates of steps as fractions of what the tolerances allow; the limit is the line at 1. */
export const stepErrors = (
  steps: readonly { readonly t1: number; readonly error: number }[],
  options: { readonly time: string; readonly from?: number },
): string => {
  const { time, from = 0 } = options;
  const points = steps.map(({ t1, error }) => [from + t1, error] as const);
  return chart({
    x: { label: time, tickFormat: "d" },
    y: logAxis("Estimated error / allowed error", [1, ...points.map(([, error]) => error)], { above: 4 }),
    marks: [
      Plot.ruleY([1], { stroke: colour.warm, strokeDasharray: "4 3" }),
      label("allowed", [points.at(-1)![0], 1], colour.warm, { dy: -10, textAnchor: "end" }),
      line(points, colour.fresh, { strokeOpacity: 0.4, strokeWidth: 1.5 }),
      dots(points, colour.fresh),
    ],
  });
};
