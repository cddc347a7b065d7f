/**
 * @file Compiles packages/tensor/kernels to WebAssembly and embeds it in packages/tensor/src/backend/wasm-binary.ts.
 *
 * With `--check` nothing is written: the result is compared, byte for byte, with what is committed. Fails above 40 KiB, and when the binary brings data of its
 * own, since the memory belongs to the engine.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { kernelSource } from "../packages/tensor/kernels/generate.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = join(root, "packages/tensor/kernels");
const target = join(root, "packages/tensor/src/backend/wasm-binary.ts");
const largest = 40 * 1024;
const dataSection = 11;

/** What is used of the compiler. Its own types are not imported: they declare global names, and change those of arrays for the whole project. */
interface Compiler {
  readonly main: (
    args: readonly string[],
    io: {
      readonly stderr: NodeJS.WritableStream;
      readonly readFile: (name: string) => string | null;
      readonly writeFile: (name: string, contents: string | Uint8Array) => void;
    },
  ) => Promise<{ readonly error: Error | null }>;
}

const compiler = "assemblyscript/asc";
const options = "-O2 --shrinkLevel 1 --noAssert --runtime stub --importMemory --initialMemory 0 --enable simd --disableWarning 201".split(" ");

const compile = async (): Promise<Uint8Array> => {
  const entry = kernelSource();
  let binary: Uint8Array | undefined;
  const { main } = (await import(compiler)) as Compiler;
  const { error } = await main(["kernels.ts", "--outFile", "kernels.wasm", ...options], {
    stderr: process.stderr,
    readFile: (name) => {
      if (name === "kernels.ts") return entry;
      const path = join(folder, name);
      return existsSync(path) ? readFileSync(path, "utf8") : null;
    },
    writeFile: (_, contents) => {
      if (typeof contents !== "string") binary = contents;
    },
  });
  if (error !== null || binary === undefined) throw new Error("the kernels do not compile", { cause: error });
  return binary;
};

/** The identities of the sections of a WebAssembly module, each followed in the binary by its length in LEB128. */
const sectionsOf = (binary: Uint8Array): readonly number[] => {
  const sections: number[] = [];
  for (let at = 8; at < binary.length;) {
    sections.push(binary[at++]!);
    let length = 0;
    let shift = 0;
    let byte: number;
    do {
      byte = binary[at++]!;
      length |= (byte & 127) << shift;
      shift += 7;
    } while (byte > 127);
    at += length;
  }
  return sections;
};

const binary = await compile();
if (binary.length > largest) throw new Error(`the kernels have ${binary.length} bytes, more than ${largest}`);
if (sectionsOf(binary).includes(dataSection)) throw new Error("the kernels bring data of their own: make them constants");

const source = `/** @file The kernels of packages/tensor/kernels, compiled to WebAssembly, in base64; made by \`npm run kernels\`. */

/** The module's bytes. */
export const kernelBinary =
  "${Buffer.from(binary).toString("base64")}";
`;
if (!process.argv.includes("--check")) writeFileSync(target, source);
else if (readFileSync(target, "utf8") !== source) throw new Error("wasm-binary.ts is not what packages/tensor/kernels compiles to: npm run kernels");
console.log(`the kernels have ${binary.length} of at most ${largest} bytes`);
