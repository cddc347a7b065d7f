/**
 * @file The spiral: a neural ODE learns a vector field from short pieces of one trajectory, and then draws the whole of it.
 *
 * Run it with `npm run spiral`; it writes out/spiral/index.html.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { random } from "@dydt/tensor";
import { adam, train } from "@dydt/models";
import { write } from "../shared/page.js";
import { isProgram } from "../shared/program.js";
import { drawBatch, start, times, truth } from "./data.js";
import { distance, follow, untrained, type Parameters } from "./model.js";
import { report } from "./report.js";

/** How the example is run. */
export interface Settings {
  /** Where the page is written. */
  readonly folder: string;
  /** Iterations; default 1000. */
  readonly steps?: number;
}

/** Trains the field, and writes the page. */
export const spiral = async ({ folder, steps = 1000 }: Settings) => {
  const stream = random(1);
  const { parameters, losses } = await train((p: Parameters) => distance(p, drawBatch(stream)), untrained, {
    optimizer: adam((iteration) => (iteration < 0.5 * steps ? 1e-2 : iteration < 0.8 * steps ? 3e-3 : 5e-4)),
    steps,
    progress: "spiral",
  });

  const error = follow(parameters, start, times, 1e-7).ys.sub(truth).abs().mean().item();
  const path = join(folder, "index.html");
  write(path, report({ parameters, losses, error }));
  return { path, losses, error };
};

if (isProgram(import.meta.url)) {
  const { path, error } = await spiral({ folder: fileURLToPath(new URL("../../out/spiral", import.meta.url)) });
  console.log(`Mean error of a coordinate over the whole spiral: ${error.toFixed(4)}\nThe page: ${path}`);
}
