/**
 * @file The drawings of this page.
 */
import { tensor } from "@dydt/tensor";
import * as Plot from "@observablehq/plot";
import { chart, dots, label, line, logAxis, vectorField } from "../shared/figures.js";
import { colour } from "../shared/page.js";
import { firstYear, pelts, years } from "./data.js";
import { follow, type Model } from "./models.js";
import type { StagedFit } from "./stages.js";

type Point = readonly [number, number];

const counts = pelts.toArray() as readonly Point[];
const species = [
  { name: "hares", colour: colour.warm, column: 0 },
  { name: "lynxes", colour: colour.cool, column: 1 },
] as const;

/** Thousands of pelts along a fitted model, forty times a year. */
const curve = <P>(model: Model<P>, parameters: P): readonly (readonly [year: number, hares: number, lynxes: number])[] => {
  const times = Array.from({ length: 801 }, (_, i) => i / 40);
  const rows = follow(model, parameters, { saveAt: times, tolerance: 1e-8 }).ys.exp().toArray() as readonly Point[];
  return rows.map(([hares, lynxes], i) => [firstYear + times[i]!, hares, lynxes]);
};

/** Counts as dots, the model as lines. */
export const fitFigure = <P>(model: Model<P>, parameters: P): string => {
  const fitted = curve(model, parameters);
  return chart({
    x: { label: "Year", tickFormat: "d" },
    y: { label: "Pelts (thousands)", domain: [0, 90], grid: true },
    marks: [
      Plot.ruleY([0], { stroke: colour.muted }),
      ...species.map(({ colour, column }) =>
        line(
          fitted.map((row) => [row[0], row[column + 1]!]),
          colour,
        ),
      ),
      ...species.map(({ colour, column }) =>
        dots(
          years.map((year) => [firstYear + year, counts[year]![column]]),
          colour,
        ),
      ),
      label("hares", [firstYear + 2.5, 82], colour.warm, { textAnchor: "end", dx: -6 }),
      label("lynxes", [firstYear + 4.2, 63], colour.cool, { textAnchor: "start", dx: 2, dy: -2 }),
    ],
  });
};

/** The learned field with the solution and the counts, hares to the right and lynxes upward, both logarithmic. */
export const phaseFigure = <P>(model: Model<P>, parameters: P): string => {
  const plane = { x: [5.5, 105].map(Math.log) as unknown as Point, y: [3, 80].map(Math.log) as unknown as Point };
  const slope = (u: number, v: number): Point => model.slope(parameters, tensor([u, v])).toArray() as unknown as Point;
  return chart({
    x: { label: "Hares (thousands of pelts)", type: "log", domain: plane.x.map(Math.exp), ticks: [10, 20, 50, 100], tickFormat: "d" },
    y: { label: "Lynxes (thousands of pelts)", type: "log", domain: plane.y.map(Math.exp), ticks: [5, 10, 20, 50], tickFormat: "d" },
    marks: [
      vectorField(slope, { ...plane, toAxis: Math.exp }),
      line(
        curve(model, parameters).map(([, hares, lynxes]) => [hares, lynxes]),
        colour.fresh,
        { strokeWidth: 2.5 },
      ),
      dots(counts, colour.ink),
      label("1900", counts[0]!, colour.ink, { dy: 13 }),
      label("1920", counts[20]!, colour.ink, { dy: -12 }),
    ],
  });
};

/** Losses by iteration, with the beginning of each stage. */
export const lossFigure = (
  fits: readonly { readonly fit: StagedFit<unknown>; readonly colour: string; readonly dashes?: string }[],
  stages: readonly string[],
): string => {
  const { begins } = fits[0]!.fit;
  const all = fits.flatMap(({ fit }) => fit.losses);
  const top = 2 * Math.max(...all);
  return chart({
    x: { label: "Iteration" },
    y: logAxis("Mean square error of log pelts", all, { above: 2 }),
    marks: [
      Plot.ruleX(begins.slice(1), { stroke: colour.muted, strokeDasharray: "2 3" }),
      ...fits.map(({ fit, colour, dashes }) =>
        line(
          fit.losses.map((loss, i) => [i, loss]),
          colour,
          { strokeWidth: 1.5, ...(dashes === undefined ? {} : { strokeDasharray: dashes }) },
        ),
      ),
      ...begins.map((begin, i) => label(stages[i]!, [begin, top], colour.muted, { textAnchor: "start", dx: 4, dy: 8, fontWeight: 400 })),
    ],
  });
};
