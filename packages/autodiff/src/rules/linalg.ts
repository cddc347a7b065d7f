/**
 * @file Rules of the matrix product: C = op(A) op(B), so Ā = C̄ op(B)ᵀ and B̄ = op(A)ᵀ C̄, transposed back where the operand was read transposed.
 */
import { matrixProduct } from "@dydt/tensor";
import { jvpEntry, vjpEntry, type JvpEntry, type VjpEntry } from "../rule.js";

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
];

/** The forward rules of linalg.ts in @dydt/tensor. */
export const linalgTangents = (): readonly JvpEntry[] => [jvpEntry(matrixProduct, "linear", "linear", null, null)];
