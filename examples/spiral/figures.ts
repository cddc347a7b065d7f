/**
 * @file The drawings of this page.
 */
import { tensor, type Tensor } from "@dydt/tensor";
import { chart, dots, label, line, logAxis, vectorField } from "../shared/figures.js";
import { colour } from "../shared/page.js";
import { times, truth } from "./data.js";

/** A point of the plane. */
export type Point = readonly [number, number];

/** The points of a solution `[n, 2]`. */
export const pointsOf = (states: Tensor): readonly Point[] => states.toArray() as unknown as readonly Point[];
const spiral = pointsOf(truth);
const square = { x: [-2.3, 2.3], y: [-2.3, 2.3] } as const;

/** A field with the true spiral, and the solution from its start where there is one. */
export const phaseFigure = (field: (y: Tensor) => Tensor, solution?: readonly Point[]): string =>
  chart({
    x: { label: "First coordinate, x", domain: square.x },
    y: { label: "Second coordinate, y", domain: square.y },
    marks: [
      vectorField((x, y) => field(tensor([x, y])).toArray() as unknown as Point, square),
      line(spiral, colour.warm, { strokeWidth: solution === undefined ? 2 : 5, strokeOpacity: solution === undefined ? 1 : 0.45 }),
      ...(solution === undefined ? [] : [line(solution, colour.fresh, { strokeWidth: 1.75, clip: true })]),
      dots([spiral[0]!], colour.ink, { r: 4 }),
      label("start", spiral[0]!, colour.ink, { dy: 14 }),
    ],
  });

/** One coordinate over time. */
export const timeFigure = (solution: readonly Point[], column: 0 | 1, name: string): string =>
  chart({
    x: { label: "Time, t" },
    y: { label: name, domain: [-2.3, 2.3], grid: true },
    marks: [
      line(
        spiral.map((point, i) => [times[i]!, point[column]]),
        colour.warm,
        { strokeWidth: 5, strokeOpacity: 0.45 },
      ),
      line(
        solution.map((point, i) => [times[i]!, point[column]]),
        colour.fresh,
        { strokeWidth: 1.75, clip: true },
      ),
    ],
  });

/** The loss of each iteration, and its mean over 51 of them. */
export const lossFigure = (losses: readonly number[]): string => {
  const width = 25;
  const smooth = losses.map((_, i) => {
    const near = losses.slice(Math.max(0, i - width), i + width + 1);
    return near.reduce((sum, loss) => sum + loss, 0) / near.length;
  });
  return chart({
    x: { label: "Iteration" },
    y: logAxis("Mean error of a coordinate", losses),
    marks: [
      line(
        losses.map((loss, i) => [i, loss]),
        colour.fresh,
        { strokeWidth: 1, strokeOpacity: 0.4 },
      ),
      line(
        smooth.map((loss, i) => [i, loss]),
        colour.fresh,
      ),
    ],
  });
};

/** The distance |model − truth| over time. */
export const distanceFigure = (solution: readonly Point[]): string => {
  const distances = solution.map(([x, y], i) => Math.hypot(x - spiral[i]![0], y - spiral[i]![1]));
  const later = distances.slice(1); // at t = 0 it is zero
  return chart({
    x: { label: "Time, t" },
    y: logAxis("Distance from the true spiral", later),
    marks: [
      line(
        later.map((distance, i) => [times[i + 1]!, distance]),
        colour.fresh,
        { strokeWidth: 1.5 },
      ),
    ],
  });
};
