/**
 * @file `npm run bench`: checks the workloads, measures them beside the libraries that are installed, prints a table and writes results.json.
 *
 *   npm run bench                          everything
 *   npm run bench -- --quick               fewer rounds, without what takes long
 *   npm run bench -- --only W1,gemm        the suites whose names begin so
 *   npm run bench -- --json elsewhere.json
 */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { quick, thorough } from "./measure.js";
import { loadPeers, type Peers } from "./peers.js";
import { tables, writeJson, type Row } from "./report.js";
import type { Suite } from "./suite.js";
import { adjoints } from "./suites/adjoints.js";
import { chain } from "./suites/chain.js";
import { digits } from "./suites/digits.js";
import { field } from "./suites/field.js";
import { flow } from "./suites/flow.js";
import { gemm } from "./suites/gemm.js";
import { step } from "./suites/step.js";
import { systems } from "./suites/systems.js";
import { training } from "./suites/training.js";
import { MismatchError } from "./workloads.js";

const suites: Readonly<Record<string, Suite>> = {
  "W1-field": field,
  "W1-step": step,
  "W1-iteration": training,
  W2: digits,
  W3: flow,
  W5: chain,
  W7: systems,
  adjoints,
  gemm,
};

const { values: options } = parseArgs({
  options: { only: { type: "string", default: "" }, quick: { type: "boolean", default: false }, json: { type: "string" } },
});

const chosen = Object.entries(suites).filter(([name]) =>
  options.only.split(",").some((part) => name.toLowerCase().startsWith(part.trim().toLowerCase())),
);

const sayWhatIsMissing = (peers: Peers): void => {
  const names = Object.entries(peers).filter(([, peer]) => peer === undefined).map(([name]) => name); // prettier-ignore
  if (names.length > 0) console.log(`Not installed, and so not compared: ${names.join(", ")}. To install them: npm install --prefix bench\n`);
};

const main = async (): Promise<void> => {
  if (chosen.length === 0) throw new RangeError(`--only ${options.only} names no suite: there are ${Object.keys(suites).join(", ")}`);
  const peers = await loadPeers();
  sayWhatIsMissing(peers);
  const setting = { peers, quick: options.quick, effort: options.quick ? quick : thorough };
  const rows: Row[] = [];
  for (const [name, suite] of chosen) {
    const start = performance.now();
    for await (const row of suite(setting)) rows.push(row);
    console.error(`${name}: ${((performance.now() - start) / 1e3).toFixed(1)} s`);
  }
  console.log(`\n${tables(rows)}`);
  writeJson(options.json ?? fileURLToPath(new URL("results.json", import.meta.url)), rows);
};

try {
  await main();
} catch (error) {
  // Printed here, since tfjs-backend-wasm answers uncaught errors with its whole source text.
  console.error(error instanceof MismatchError || error instanceof RangeError ? error.message : error);
  process.exitCode = 1;
}
