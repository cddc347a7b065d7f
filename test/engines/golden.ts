/** @file Prints the hash of the golden run: bundled, and run in other JavaScript engines. */
import { goldenRun } from "../golden-run.js";

console.log(await goldenRun());
