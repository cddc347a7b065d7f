/**
 * @file How large a typical program is in a browser: bundled, minified and compressed, without the kernels, which are WebAssembly and hardly compress.
 *
 * Fails above the limits: 30 KiB for the program, 40 KiB for the kernels.
 */
import { readFileSync } from "node:fs";
import { bundle, typicalProgram } from "./bundle.js";

const [largestProgram, largestKernels] = [30 * 1024, 40 * 1024];

const kibibytes = (bytes: number): string => `${(bytes / 1024).toFixed(1)} KiB`;

const { modules, minified, compressed } = await bundle(typicalProgram, { kernels: false });
const source = readFileSync(new URL("../packages/tensor/src/backend/wasm-binary.ts", import.meta.url), "utf8");
const kernels = Buffer.from(/"([A-Za-z0-9+/=]{100,})"/.exec(source)![1]!, "base64").byteLength;

for (const [path, bytes] of modules.slice(0, 20)) console.log(`${kibibytes(bytes).padStart(10)}  ${path}`);
console.log(`program: ${kibibytes(compressed)} compressed, ${kibibytes(minified)} minified; at most ${kibibytes(largestProgram)} compressed`);
console.log(`kernels: ${kibibytes(kernels)}; at most ${kibibytes(largestKernels)}`);

if (compressed > largestProgram || kernels > largestKernels) {
  console.error("larger than it may be");
  process.exitCode = 1;
}
