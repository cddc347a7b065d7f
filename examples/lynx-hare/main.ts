/**
 * @file Hares and lynxes: a neural ODE and the Lotka–Volterra equations learn twenty years of pelt counts, and one gradient is computed in four ways.
 *
 * Run it with `npm start`; it writes out/lynx-hare/index.html.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { isProgram } from "../shared/program.js";
import { write } from "../shared/page.js";
import { textTable } from "../shared/table.js";
import { compareGradients } from "./compare.js";
import { lotkaVolterra, misfit, neural, rootMeanSquare, type Model } from "./models.js";
import { columns, readmePicture, report } from "./report.js";
import { trainInStages, type Stage } from "./stages.js";

const networkStages: readonly Stage[] = [
  { ahead: 1, steps: 200, rate: 0.03 },
  { ahead: 6, steps: 200, rate: 0.02 },
  { ahead: 20, steps: 450, rate: 0.01 },
];
const equationStages: readonly Stage[] = [
  { ahead: 1, steps: 50, rate: 0.05 },
  { ahead: 6, steps: 50, rate: 0.05 },
  { ahead: 20, steps: 150, rate: 0.02 },
];

/** How the example is run. */
export interface Settings {
  /** Where the page is written. */
  readonly folder: string;
  /** What fraction of the training is made; default 1. */
  readonly effort?: number;
}

/** Fits both models, compares the gradients, and writes the page. */
export const lynxHare = async ({ folder, effort = 1 }: Settings) => {
  const shorter = (stages: readonly Stage[]) => stages.map((stage) => ({ ...stage, steps: Math.ceil(stage.steps * effort) }));
  const learn = <P>(model: Model<P>, stages: readonly Stage[]) =>
    trainInStages(model.name, (parameters: P, ahead) => misfit(model, parameters, ahead), model.start, shorter(stages));
  const network = await learn(neural, networkStages);
  const equations = await learn(lotkaVolterra, equationStages);

  const comparison = compareGradients(neural, network.parameters, Math.ceil(7 * effort));
  const path = join(folder, "index.html");
  write(path, report({ network, equations, comparison }));
  write(join(folder, "picture.svg"), readmePicture(network.parameters));
  return { path, comparison, errors: [rootMeanSquare(neural, network.parameters), rootMeanSquare(lotkaVolterra, equations.parameters)] as const };
};

if (isProgram(import.meta.url)) {
  const { path, comparison, errors } = await lynxHare({ folder: fileURLToPath(new URL("../../out/lynx-hare", import.meta.url)) });
  console.log(`Root mean square error of log pelts: neural ODE ${errors[0].toFixed(3)}, Lotka–Volterra ${errors[1].toFixed(3)}\n`);
  console.log(`${textTable(columns, comparison)}\n\nThe page: ${path}`);
}
