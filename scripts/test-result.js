/** @file Prints "N passed, N failed" from the JSON report of the tests. A test file that could not be loaded counts as one failure. */
import { readFileSync } from "node:fs";

/** @type {{ numPassedTests: number, numFailedTests: number, testResults: { status: string, assertionResults: { status: string }[] }[] }} */
const report = JSON.parse(readFileSync(String(process.argv[2]), "utf8"));

const unloadable = report.testResults.filter(
  ({ status, assertionResults }) => status === "failed" && assertionResults.every((assertion) => assertion.status !== "failed"),
);
console.log(`${report.numPassedTests} passed, ${report.numFailedTests + unloadable.length} failed`);
