import { existsSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import markdownItKatex from "@vscode/markdown-it-katex";
import katex from "katex";

/**
 * Draws a formula as MathML, which browsers show without fonts, styles or scripts. A formula that does not parse throws and so fails the build.
 *
 * @param {boolean} displayMode
 */
const formula = (displayMode) => (/** @type {readonly { content: string }[]} */ tokens, /** @type {number} */ index) =>
  katex.renderToString(String(tokens[index]?.content), { displayMode, output: "mathml", strict: "error" });

/** Without project references, so that packages see each other's sources and nothing need be built first. */
const tsconfig = fileURLToPath(new URL("tsconfig.docs.json", import.meta.url));

const guides = existsSync("docs") && readdirSync("docs").some((name) => name.endsWith(".md"));

/**
 * The API documentation: packages and guides in one site, formulas between dollar signs.
 *
 * @type {Partial<import("typedoc").TypeDocOptions>}
 */
export default {
  name: "dydt",
  entryPointStrategy: "packages",
  entryPoints: ["packages/tensor", "packages/autodiff", "packages/ode", "packages/models"],
  packageOptions: { entryPoints: ["src/index.ts"], tsconfig, excludePrivate: true, excludeInternal: true, disableSources: true },
  projectDocuments: guides ? ["docs/*.md"] : [],
  out: "docs/api",
  includeVersion: true,
  treatWarningsAsErrors: true,
  treatValidationWarningsAsErrors: true,
  validation: { notExported: true, invalidLink: true, invalidPath: true, rewrittenLink: true, notDocumented: false },
  markdownItLoader(parser) {
    parser.use(markdownItKatex.default);
    Object.assign(parser.renderer.rules, { math_inline: formula(false), math_inline_block: formula(true), math_block: formula(true) });
  },
};
