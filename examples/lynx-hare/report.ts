/**
 * @file The page: what was fitted, what was learned, how it was trained and solved, and what its gradients cost.
 */
import { elementsOf } from "@dydt/tensor";
import { size, stepErrors, stepLengths } from "../shared/figures.js";
import { colour, figure, page, picture, row, section, type Key } from "../shared/page.js";
import { stepsTaken } from "../shared/steps.js";
import { htmlTable, type Column } from "../shared/table.js";
import { tolerance, type Measured } from "./compare.js";
import { firstYear, observed, years } from "./data.js";
import { fitFigure, lossFigure, phaseFigure } from "./figures.js";
import { lotkaVolterra, neural, rootMeanSquare, type Rates } from "./models.js";
import type { StagedFit } from "./stages.js";

type Weights = typeof neural.start;

/** What the page tells of. */
export interface Findings {
  readonly network: StagedFit<Weights>;
  readonly equations: StagedFit<Rates>;
  readonly comparison: readonly Measured[];
}

const whole = (number: number): string => number.toLocaleString("en");

/** The table of gradients. */
export const columns: readonly Column<Measured>[] = [
  { heading: "gradient by", cell: ({ name }) => name },
  { heading: "difference", cell: ({ difference }) => (difference === 0 ? "same bits" : difference.toExponential(1)) },
  { heading: "states kept", cell: ({ stored }) => whole(stored) },
  { heading: "evaluations forward", cell: ({ forward }) => whole(forward) },
  { heading: "in reverse", cell: ({ reverse }) => whole(reverse) },
  { heading: "steps re-run", cell: ({ advanced }) => whole(advanced) },
  { heading: "re-run with tape", cell: ({ taped }) => whole(taped) },
  { heading: "peak bytes", cell: ({ peakBytes }) => whole(peakBytes) },
  { heading: "ms", cell: ({ milliseconds }) => milliseconds.toFixed(1) },
];

const percent = (rms: number): string => `${(100 * Math.expm1(rms)).toFixed(0)} %`;
const fitKeys: readonly Key[] = [
  { label: "counted", colour: colour.muted, mark: "dots" },
  { label: "model", colour: colour.muted },
];

/** The page as HTML. */
export const report = ({ network, equations, comparison }: Findings): string => {
  const [neuralError, equationsError] = [rootMeanSquare(neural, network.parameters), rootMeanSquare(lotkaVolterra, equations.parameters)];
  const [a, c, b, d] = [equations.parameters.alone, equations.parameters.together]
    .flatMap((logs) => [...elementsOf(logs.exp())])
    .map((rate) => rate.toPrecision(3));
  const steps = stepsTaken((_t, y) => neural.slope(network.parameters, y), observed.at(0), years.at(-1)!, 1e-4);
  const [all, , few, tape] = comparison as readonly [Measured, Measured, Measured, Measured];
  const ratio = (tape.peakBytes / few.peakBytes).toFixed(0);

  return page(
    "Hares and lynxes, 1900 to 1920",
    "Pelts brought to the Hudson Bay Company, learned by a neural ODE, and, beside it, by the equations of Lotka and Volterra. Everything on this page was computed by the program that wrote it.",
    [
      section(
        "The fits",
        [
          `Both models start at the counts of 1900 and see the logarithms of the others. The network misses them by ${neuralError.toFixed(3)} (root mean square, about ${percent(neuralError)}), the four rates of Lotka and Volterra by ${equationsError.toFixed(3)} (${percent(equationsError)}).`,
        ],
        row(
          figure({
            title: "Neural ODE, 162 weights",
            svg: fitFigure(neural, network.parameters),
            keys: fitKeys,
            caption: "dy/dt = a network of one hidden layer of 32, y the logarithms of both counts.",
          }),
          figure({
            title: "Lotka–Volterra, 4 rates",
            svg: fitFigure(lotkaVolterra, equations.parameters),
            keys: fitKeys,
            caption: `a = ${a}, b = ${b}, c = ${c}, d = ${d}, each year and thousand pelts. Its cycles repeat; those of the data do not.`,
          }),
        ),
      ),
      section(
        "What was learned",
        [
          "The field does not depend on time, so solutions cannot cross. The two loops of the data do cross, and no such field goes through every point.",
        ],
        row(
          figure({
            title: "The learned field",
            svg: phaseFigure(neural, network.parameters),
            keys: [
              { label: "counted", colour: colour.ink, mark: "dots" },
              { label: "solution", colour: colour.fresh },
              { label: "direction; stronger is faster", colour: colour.muted },
            ],
            caption:
              "Where hares are many lynxes multiply (right: upward); where lynxes are many they eat the hares (above: to the left), and then starve (left: downward).",
          }),
          figure({
            title: "Training",
            svg: lossFigure(
              [
                { fit: network, colour: colour.fresh },
                { fit: equations, colour: colour.warm, dashes: "5 3" },
              ],
              ["1", "6", "20 years ahead"],
            ),
            keys: [
              { label: "neural ODE", colour: colour.fresh },
              { label: "Lotka–Volterra", colour: colour.warm, mark: "dashes" },
            ],
            caption:
              "Adam: predict one year ahead from every year, then six, then the whole record from 1900 (dotted: the network's stages). Every gradient is exact, with at most 8 states kept.",
          }),
        ),
      ),
      section(
        "How it was solved",
        [
          `Tsitouras's method of order 5 with rtol = atol = 1e-4 takes ${String(steps.length)} steps through the twenty-one years. No step ends at a count: those are read off the interpolant.`,
        ],
        row(
          figure({
            title: "Step lengths",
            svg: stepLengths(steps, { time: "Year", length: "Step (years)", from: firstYear }),
            caption: "The first is short, since the controller knows nothing yet; then short where the populations turn and long where they glide.",
          }),
          figure({
            title: "Error estimates",
            svg: stepErrors(steps, { time: "Year", from: firstYear }),
            caption: "The controller aims below the line; the last step is cut to end in 1920.",
          }),
        ),
      ),
      section(
        "One gradient, four ways",
        [
          `The gradient of the mean predicted log population with respect to all 162 weights, at rtol = atol = ${tolerance.toExponential(0)}: ${whole(all.steps)} steps. Checkpoints change what is kept and what is run again, never the result: the bits are equal. One tape over the whole solve agrees to ${tape.difference.toExponential(1)} and holds ${ratio} times the memory.`,
          "Steps are found by their error, so their number is not known beforehand: storeAll() stores them on the way, while with revolve the reverse begins with a sweep of its own, counted among the steps re-run. A state is two numbers here, so most of the peak is the tape of a single step. Bytes are the high-water mark of the engine's memory, for the whole tape with what it holds on the heap; times are medians on the machine that wrote this page.",
        ],
        htmlTable(columns, comparison),
      ),
    ],
  );
};

/** Data against fit, and the phase plane, as one drawing. */
export const readmePicture = (weights: Weights): string =>
  picture(
    [
      { title: "Pelts 1900–1920 and the neural ODE", svg: fitFigure(neural, weights) },
      { title: "The learned vector field", svg: phaseFigure(neural, weights) },
    ],
    size.width,
    size.height,
  );
