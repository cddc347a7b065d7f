/**
 * @file Reverse rules of the matrix product: C = op(A) op(B), so Ā = C̄ op(B)ᵀ and B̄ = op(A)ᵀ C̄, transposed back where the operand was read transposed;
 * and of x W + b: x̄ = ȳ Wᵀ, W̄ = xᵀ ȳ, b̄ = the rows of ȳ summed.
 */
import { affineProduct, matrixProduct, sumTo } from "@dydt/tensor";
import { vjpEntry, type VjpEntry } from "../rule.js";

/** The rules of linalg.ts in @dydt/tensor. */
export const linalgRules: readonly VjpEntry[] = [
  vjpEntry(
    matrixProduct,
    (g, _y, _a, b, transposeA = false, transposeB = false) =>
      transposeA ? matrixProduct(b, g, transposeB, true) : matrixProduct(g, b, false, !transposeB),
    (g, _y, a, _b, transposeA = false, transposeB = false) =>
      transposeB ? matrixProduct(g, a, true, transposeA) : matrixProduct(a, g, !transposeA, false),
    null,
    null,
  ),
  vjpEntry(
    affineProduct,
    (g, _y, _x, weight) => matrixProduct(g, weight, false, true),
    (g, _y, x) => matrixProduct(x, g, true, false),
    (g, _y, _x, _weight, bias) => sumTo(g, bias.shape),
  ),
];
