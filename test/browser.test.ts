/** @file The library in a real browser: the bits of Node, and gpu.js on WebGL. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { chromium, type Browser, type Page } from "playwright-core";
import { build, defaultClientConditions } from "vite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { kernels } from "@dydt/tensor";
import type { Checks } from "./browser/page.js";
import { goldenRun } from "./golden-run.js";

/** Of the kernels in use; a change of theirs that changes bits changes it, and nothing else may. */
const golden = "b013cffd65dc2b42";

/** Software rendering (SwiftShader), and no traffic of the browser's own. */
const flags = [
  "--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
]; // prettier-ignore

const executable = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) => existsSync(path));
if (executable === undefined)
  console.warn("the browser tests are skipped: there is no Chromium in /usr/bin (Debian and Ubuntu: apt-get install chromium)");

/** The page's script with all it imports, as one text. */
const bundle = async (): Promise<string> => {
  const result = await build({
    configFile: false,
    logLevel: "error",
    resolve: { conditions: ["source", ...defaultClientConditions] },
    build: {
      write: false,
      minify: true,
      lib: { entry: fileURLToPath(new URL("browser/page.ts", import.meta.url)), name: "page", formats: ["iife"] },
    },
  });
  const [output] = Array.isArray(result) ? result : [result];
  if (output === undefined || !("output" in output)) throw new Error("vite built nothing");
  return output.output.map((chunk) => (chunk.type === "chunk" ? chunk.code : "")).join("\n");
};

test("a seeded training has its golden bits", async () => {
  expect(await goldenRun()).toBe(golden);
});

describe.skipIf(executable === undefined)("in headless Chromium", () => {
  let browser: Browser;
  let page: Page;
  const run = async <K extends keyof Checks>(name: K): Promise<Awaited<ReturnType<Checks[K]>>> =>
    (await page.evaluate((key) => (globalThis as unknown as { checks: Record<string, () => unknown> }).checks[key]!(), name)) as Awaited<
      ReturnType<Checks[K]>
    >;

  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: executable!, headless: true, args: flags });
    page = await browser.newPage();
    await page.addScriptTag({ content: await bundle() });
  });
  afterAll(() => browser.close());

  test("the same kernels run, and a seeded training has the bits of Node", async () => {
    expect(await run("kernels")).toBe(kernels.name);
    expect(await run("goldenRun")).toBe(golden);
  });

  test("gpu.js multiplies in webgl2 as the kernel set does, to float32 rounding", async () => {
    const { explained, worst } = await run("products");
    expect(explained).toContain("gpu.js in mode webgl2");
    expect(explained.match(/ gpu +2 products/g)).toHaveLength(28);
    expect(worst).toBeLessThan(1e-6);
  });

  test("gpu.js lets NaN and infinities through in webgl2", async () => {
    expect(await run("specials")).toEqual(["NaN", "2", "NaN", "NaN", "Infinity", "1"]);
  });

  test("shapes are measured once, and kernels not chosen leave the others alone", async () => {
    const { explained, choices } = await run("measured");
    expect(Object.keys(choices)).toEqual(["16x16x16 NN", "24x24x24 NN"]);
    expect(explained).toMatch(/16x16x16 NN +(gpu|kernels) .* measured /);
  });

  test("a lost context ends the computation with an error that says so", async () => {
    expect(await run("lostContext")).toMatch(/^GpuWithdrawnError: .*8x8x8 NN in mode webgl2 is withdrawn: the WebGL context was lost/);
  });
});
