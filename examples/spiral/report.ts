/**
 * @file The page: the spiral against the model, the learned field, the training, and the steps of the solver.
 */
import { stepErrors, stepLengths } from "../shared/figures.js";
import { colour, figure, page, row, section } from "../shared/page.js";
import { stepsTaken } from "../shared/steps.js";
import { end, start, times, trueSlope, truth } from "./data.js";
import { distanceFigure, lossFigure, phaseFigure, pointsOf, timeFigure } from "./figures.js";
import { follow, slope, tolerance, untrained, type Parameters } from "./model.js";

/** What the page tells of. */
export interface Findings {
  readonly parameters: Parameters;
  readonly losses: readonly number[];
  /** Mean |model − truth| of a coordinate over the whole spiral. */
  readonly error: number;
}

/** The page as HTML. */
export const report = ({ parameters, losses, error }: Findings): string => {
  const solution = pointsOf(follow(parameters, start, times, 1e-7).ys);
  const steps = stepsTaken((_t, y) => slope(parameters, y), start, end, tolerance);
  const initial = follow(untrained, start, times, 1e-7).ys.sub(truth).abs().mean().item();
  const keys = [
    { label: "true spiral", colour: colour.warm },
    { label: "neural ODE", colour: colour.fresh },
  ];
  const arrows = { label: "direction; stronger is faster", colour: colour.muted };
  return page(
    "A spiral, learned from pieces",
    "A neural ODE sees pieces of ten points from a trajectory, never the equation that made it. Then it starts where the trajectory starts, and draws the whole.",
    [
      section(
        "The field",
        [
          `Along the whole spiral the model misses a coordinate by ${error.toFixed(3)} on average; before the training it missed it by ${initial.toFixed(2)}.`,
        ],
        row(
          figure({
            title: "The true field",
            svg: phaseFigure(trueSlope),
            keys: [keys[0]!, arrows],
            caption: "dy/dt = y³ A, from (2, 0), for 25 units of time.",
          }),
          figure({
            title: "The learned field",
            svg: phaseFigure((y) => slope(parameters, y), solution),
            keys: [...keys, arrows],
            caption: "It is right where the spiral went by. In the corners, where there was nothing to learn from, it is a guess.",
          }),
        ),
      ),
      section(
        "Over time",
        ["Every piece spans 0.23 units of time. The solution shown here spans 25, so that small errors of the field have time to add up."],
        row(
          figure({
            title: "First coordinate",
            svg: timeFigure(solution, 0, "x"),
            keys,
            caption: "From the same start, without any correction on the way.",
          }),
          figure({
            title: "Second coordinate",
            svg: timeFigure(solution, 1, "y"),
            keys,
            caption: "The spiral slows down as it shrinks, for the field is of third degree.",
          }),
        ),
      ),
      section(
        "Training",
        [
          "Each iteration follows 20 pieces at once, from random places (more of them from the fast beginning), as one solve. Its gradient is the exact one of the numbers that were computed.",
        ],
        row(
          figure({
            title: "Loss",
            svg: lossFigure(losses),
            caption: `Adam, ${String(losses.length)} iterations. Every iteration has other pieces; the strong line is the mean of 51 of them.`,
          }),
          figure({
            title: "Error over time",
            svg: distanceFigure(solution),
            caption: "Small errors of the speed add up: the model runs ahead of the spiral, or falls behind, on nearly the same path.",
          }),
        ),
      ),
      section(
        "How it was solved",
        [`The whole spiral takes ${String(steps.length)} steps of the method of Dormand and Prince at rtol = atol = 1e-4.`],
        row(
          figure({
            title: "Step lengths",
            svg: stepLengths(steps, { time: "Time, t", length: "Step (units of time)" }),
            caption: "As the spiral slows down the steps grow.",
          }),
          figure({ title: "Error estimates", svg: stepErrors(steps, { time: "Time, t" }), caption: "The controller aims below the line." }),
        ),
      ),
    ],
  );
};
