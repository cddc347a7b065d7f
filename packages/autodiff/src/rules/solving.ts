/**
 * @file Rules of linear systems, one solve each.
 *
 *   A x = b:   b̄ = A⁻ᵀ x̄,  Ā = −b̄ xᵀ,  ẋ = A⁻¹ (ḃ − Ȧ x)        Aᵀ x = b:   b̄ = A⁻¹ x̄,  Ā = −x b̄ᵀ,  ẋ = A⁻ᵀ (ḃ − Ȧᵀ x)
 *
 * M. B. Giles, Collected matrix derivative results for forward and reverse mode algorithmic differentiation, 2008, section 2.3.1.
 */
import { add, luSolve, matrixProduct, neg, type Tensor } from "@dydt/tensor";
import { jointEntry, jointJvpEntry, type JvpEntry, type VjpEntry } from "../rule.js";

/** The rules of solving.ts in @dydt/tensor. */
export const solvingRules: readonly VjpEntry[] = [
  jointEntry(luSolve, (g, x, [ofMatrix, ofRight], a, _b, transposed = false) => {
    const right = luSolve(a, g, !transposed);
    if (ofMatrix === false) return [undefined, right, undefined];
    const matrix = neg(transposed ? matrixProduct(x, right, false, true) : matrixProduct(right, x, false, true));
    return [matrix, ofRight === false ? undefined : right, undefined];
  }),
];

/** The forward rules of solving.ts in @dydt/tensor. */
export const solvingTangents: readonly JvpEntry[] = [
  jointJvpEntry(luSolve, ([ofMatrix, ofRight], x, a, _b, transposed = false) => {
    const moved = ofMatrix === undefined ? undefined : neg(matrixProduct(ofMatrix, x, transposed, false));
    return luSolve(a, moved === undefined ? (ofRight as Tensor) : ofRight === undefined ? moved : add(ofRight, moved), transposed);
  }),
];
