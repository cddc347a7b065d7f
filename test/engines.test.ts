/** @file The same bits in another JavaScript engine, where one is installed: Bun runs JavaScriptCore. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";
import { expect, test } from "vitest";
import { goldenRun } from "./golden-run.js";

const versionOf = (command: string): string | undefined => {
  try {
    return execFileSync(command, ["--version"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return undefined;
  }
};

const version = versionOf("bun");
if (version === undefined) console.warn("the test in a second JavaScript engine is skipped: there is no bun on the path");

/** The golden run with all it imports, as one module that prints its hash. */
const bundle = async (): Promise<string> => {
  const result = await build({
    configFile: false,
    logLevel: "error",
    resolve: { conditions: ["source", "module", "import", "default"] },
    build: {
      write: false,
      target: "esnext",
      lib: { entry: fileURLToPath(new URL("engines/golden.ts", import.meta.url)), formats: ["es"], fileName: "golden" },
    },
  });
  const [output] = Array.isArray(result) ? result : [result];
  if (output === undefined || !("output" in output)) throw new Error("vite built nothing");
  return output.output.map((chunk) => (chunk.type === "chunk" ? chunk.code : "")).join("\n");
};

test.skipIf(version === undefined)("a seeded training has the bits of Node in another JavaScript engine", { timeout: 60_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "dydt-engine-"));
  try {
    const file = join(folder, "golden.mjs");
    writeFileSync(file, await bundle());
    expect(execFileSync("bun", [file], { encoding: "utf8" }).trim()).toBe(await goldenRun());
  } finally {
    rmSync(folder, { recursive: true });
  }
});
