import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { layeringViolations } from "../scripts/layering.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const packages = readdirSync(join(root, "packages"));

const sourcesUnder = (folder: string) =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .map((name) => `${folder}/${name.replaceAll("\\", "/")}`)
    .filter((path) => path.endsWith(".ts") && !path.includes("/node_modules/"))
    .map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));

/** Specifiers such as `@dydt/tensor/gpu` that a package's `exports` offers besides its own name. */
const published = new Set(
  packages.flatMap((name) => {
    const manifest = JSON.parse(readFileSync(join(root, "packages", name, "package.json"), "utf8")) as { readonly exports: object };
    return Object.keys(manifest.exports).map((key) => `@dydt/${name}${key.slice(1)}`);
  }),
);

test("no import goes against the arrow, reaches into a package, leaves one, or closes a cycle", () => {
  const files = [...packages.map((name) => `packages/${name}/src`), "examples"].flatMap(sourcesUnder);
  expect(files.length).toBeGreaterThan(0);
  expect(layeringViolations(files, published)).toEqual([]);
});

describe("the layering check", () => {
  const check = (files: Readonly<Record<string, string>>) => layeringViolations(Object.entries(files).map(([path, text]) => ({ path, text })));

  test("accepts imports along the arrow and inside a package", () => {
    const files = {
      "packages/ode/src/solve.ts": `import { tensor } from "@dydt/tensor";\nimport { step } from "./solvers/step.js";`,
      "packages/ode/src/solvers/step.ts": `import type { Term } from "../term.js";`,
      "packages/ode/src/term.ts": `import { readFile } from "node:fs/promises";`,
      "examples/spiral/main.ts": `import { plot } from "../plot.js";\nimport { train } from "@dydt/models";`,
    };
    expect(check(files)).toEqual([]);
  });

  test.each([
    [`import { solve } from "@dydt/ode";`, "value import"],
    [`import type { Solution } from "@dydt/ode";`, "type import"],
    [`export * from "@dydt/ode";`, "re-export"],
    [`const { solve } = await import("@dydt/ode");`, "dynamic import"],
    [`let solution: import("@dydt/ode").Solution;`, "import type node"],
  ])("finds %s against the arrow (%s)", (text) => {
    expect(check({ "packages/autodiff/src/a.ts": `\n${text}` })).toEqual([
      `packages/autodiff/src/a.ts:2: "@dydt/ode" goes against the arrow tensor <- autodiff <- ode <- models <- examples`,
    ]);
  });

  test("finds a package that imports itself by name, and one that does not exist", () => {
    expect(check({ "packages/ode/src/a.ts": `import "@dydt/ode"; import "@dydt/nowhere";` })).toHaveLength(2);
  });

  test("finds a deep import, unless it is a published entry point", () => {
    const file = { path: "packages/ode/src/a.ts", text: `import { gpu } from "@dydt/tensor/gpu";` };
    expect(layeringViolations([file])).toEqual([expect.stringContaining("reaches into a package")]);
    expect(layeringViolations([file], new Set(["@dydt/tensor/gpu"]))).toEqual([]);
  });

  test.each([
    ["packages/ode/src/a.ts", "../../tensor/src/shape.js"],
    ["packages/ode/src/solvers/a.ts", "../../test/problems.js"],
    ["examples/spiral/main.ts", "../../packages/ode/src/index.js"],
  ])("finds the relative import of %s that leaves its package", (path, specifier) => {
    expect(check({ [path]: `import "${specifier}";` })).toEqual([expect.stringContaining("leaves its package")]);
  });

  test("finds a cycle of files and names its members", () => {
    const files = {
      "packages/ode/src/a.ts": `import { b } from "./b.js";`,
      "packages/ode/src/b.ts": `export { c } from "./deep/c.js";`,
      "packages/ode/src/deep/c.ts": `import { a } from "../a.js";`,
    };
    expect(check(files)).toEqual([
      "import cycle: packages/ode/src/a.ts -> packages/ode/src/b.ts -> packages/ode/src/deep/c.ts -> packages/ode/src/a.ts",
    ]);
  });

  test("lets types refer to each other, since type-only imports are erased", () => {
    const files = { "packages/ode/src/a.ts": `import { b } from "./b.js";`, "packages/ode/src/b.ts": `import type { A } from "./a.js";` };
    expect(check(files)).toEqual([]);
  });
});
