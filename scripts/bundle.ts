/**
 * @file Programs as a browser gets them: bundled from source, minified, without what they do not use.
 */
import { build } from "esbuild";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const root = fileURLToPath(new URL("..", import.meta.url));

/** The program that the limit is about: all that is needed to fit an equation to data. */
export const typicalProgram = `
  import { gradient } from "@dydt/autodiff";
  import { adaptive, discreteAdjoint, solve, tsit5 } from "@dydt/ode";
  console.log(gradient, solve, tsit5, adaptive, discreteAdjoint);
`;

/** A bundled program. */
export interface Bundle {
  readonly code: string;
  /** Bytes of the code, minified and compressed. */
  readonly minified: number;
  readonly compressed: number;
  /** What is left of each module, the largest first: its path and its minified bytes. */
  readonly modules: readonly (readonly [path: string, bytes: number])[];
}

/**
 * Bundles a program.
 *
 * @param program - a module, which uses what it imports: what it does not use is dropped.
 * @param kernels - whether the kernels come with it; they are WebAssembly, and count for themselves.
 */
export const bundle = async (program: string, { kernels }: { readonly kernels: boolean }): Promise<Bundle> => {
  const { outputFiles, metafile } = await build({
    stdin: { contents: program, resolveDir: root },
    absWorkingDir: root,
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    conditions: ["source"],
    charset: "utf8",
    metafile: true,
    write: false,
    outfile: "program.js",
    plugins: [
      {
        name: "kernels",
        setup: (builder) => {
          if (!kernels) builder.onLoad({ filter: /wasm-binary\.ts$/ }, () => ({ contents: 'export const kernelBinary = "";' }));
        },
      },
    ],
  });
  const { contents, text } = outputFiles[0]!;
  const modules = Object.values(metafile.outputs)
    .flatMap(({ inputs }) => Object.entries(inputs).map(([path, { bytesInOutput }]) => [path, bytesInOutput] as const))
    .filter(([, bytes]) => bytes > 0)
    .sort(([, a], [, b]) => b - a);
  return { code: text, minified: contents.byteLength, compressed: gzipSync(contents, { level: 9 }).byteLength, modules };
};
