/**
 * @file Writes the linear layer y = σ(x W + b) and its pullback as calls of the other kernels, one after the other: their bits, for one call from JavaScript.
 *
 *   z̄ = ȳ σ′(y),  x̄ = z̄ Wᵀ,  W̄ = xᵀ z̄,  b̄ = the rows of z̄ summed; those whose address is not −1, each added to what is there if asked
 */
import { lines, type Lanes } from "./types.js";

/** AssemblyScript source of affine and affinePullback for one type; activations by number: 0 identity, 1 tanh, 2 sigmoid, 3 softplus, 4 relu. */
export const affineSource = ({ bits }: Lanes): string =>
  lines(
    `export function affine${bits}(m: i32, k: i32, n: i32, x: usize, w: usize, b: usize, out: usize, activation: i32, scratch: usize): void {`,
    `  gemm${bits}(m, k, n, x, k, 1, w, n, 1, out, b, scratch);`,
    `  const size = m * n;`,
    `  switch (activation) {`,
    `    case 1: tanh${bits}(size, out, out); break;`,
    `    case 4: relu${bits}(size, out, out);`,
    `    case 0: break;`,
    `    default: exponential${bits}(size, out, out, activation - 1);`,
    `  }`,
    `}`,
    `export function affinePullback${bits}(m: i32, k: i32, n: i32, g: usize, y: usize, x: usize, w: usize, toX: usize, addX: bool, toW: usize, addW: bool, toB: usize, addB: bool, z: usize, scratch: usize): void {`,
    `  if (y + 1) { tanhSlope${bits}(1, m * n, g, 0, true, y, 0, true, z); g = z; }`,
    `  if (toX + 1) gemm${bits}(m, n, k, g, n, 1, w, 1, n, toX, addX ? toX : -1, scratch);`,
    `  if (toW + 1) gemm${bits}(k, m, n, x, 1, k, g, n, 1, toW, addW ? toW : -1, scratch);`,
    `  if (toB + 1) {`,
    `    const to = addB ? scratch : toB;`,
    `    sum${bits}(1, m, n, g, to);`,
    `    if (addB) add${bits}(1, n, toB, 0, true, to, 0, true, toB);`,
    `  }`,
    `}`,
  );
