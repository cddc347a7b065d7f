/** @file The whole AssemblyScript program: generated loops around the functions of float64.ts and float32.ts. */
import { affineSource } from "./generate-affine.js";
import { elementwiseSource, mixedSource, partial } from "./generate-elementwise.js";
import { gemmConstants, gemmSource } from "./generate-gemm.js";
import { maskSource } from "./generate-masks.js";
import { reduceHelpers, reduceSource } from "./generate-reduce.js";
import { updateSource } from "./generate-updates.js";
import { float32, float64, lines } from "./types.js";

/** Source of the entry file, which imports ./float64 and ./float32. */
export const kernelSource = (): string =>
  lines(
    `import * as functions64 from "./float64";`,
    `import * as functions32 from "./float32";`,
    partial,
    gemmConstants,
    reduceHelpers,
    mixedSource,
    [float64, float32].flatMap((type) => [
      elementwiseSource(type),
      maskSource(type),
      reduceSource(type),
      updateSource(type),
      gemmSource(type),
      affineSource(type),
    ]),
    "",
  );
