/**
 * @file Rules of the matrix product: C = op(A) op(B), so Ā = C̄ op(B)ᵀ and B̄ = op(A)ᵀ C̄, transposed back where the operand was read transposed;
 * and of y = σ(z), z = x W + b: z̄ = ȳ σ′(z), x̄ = z̄ Wᵀ, W̄ = xᵀ z̄, b̄ = the rows of z̄ summed.
 */
import {
  activeRecorders, add, affineCotangents, affineProduct, expm1, matrixProduct, mul, neg, step, sub, sumTo, tanhSlope, type FusedActivation, type Tensor,
} from "@dydt/tensor"; // prettier-ignore
import { jointEntry, jointJvpEntry, jvpEntry, spread, vjpEntry, type JvpEntry, type VjpEntry, type Wanted } from "../rule.js";

/** ȳ σ′(z), from the value y = σ(z). */
export const activationSlope = (g: Tensor, y: Tensor, activation: FusedActivation): Tensor => {
  if (activation === "identity") return g;
  if (activation === "tanh") return tanhSlope(g, y);
  if (activation === "relu") return mul(g, step(y));
  return mul(g, activation === "sigmoid" ? mul(y, sub(1, y)) : neg(expm1(neg(y))));
};

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
  jointEntry(affineProduct, (g, y, wanted, x, weight, bias, activation = "identity") => {
    const z = activationSlope(g, y, activation);
    if (activeRecorders().length === 0) return affineCotangents(z, x, weight, bias, wanted as readonly Wanted[]);
    return [
      wanted[0] === false ? undefined : matrixProduct(z, weight, false, true),
      wanted[1] === false ? undefined : matrixProduct(x, z, true, false),
      wanted[2] === false ? undefined : sumTo(z, bias.shape),
    ];
  }),
];

/** x Ẇ + ẋ W + ḃ, those that are given. */
export const affineMoved = (y: Tensor, parts: readonly (readonly [x: Tensor, weight: Tensor])[], bias: Tensor | undefined): Tensor => {
  const [first, ...others] = parts;
  if (first === undefined) return spread(bias as Tensor, y);
  const start = bias === undefined ? matrixProduct(...first) : affineProduct(...first, bias);
  return others.reduce((sum, [x, weight]) => add(sum, matrixProduct(x, weight)), start);
};

/** The forward rules of linalg.ts in @dydt/tensor. */
export const linalgTangents: readonly JvpEntry[] = [
  jvpEntry(matrixProduct, "linear", "linear", null, null),
  jointJvpEntry(affineProduct, ([ofX, ofWeight, ofBias], y, x, weight, _bias, activation = "identity") => {
    const parts: (readonly [Tensor, Tensor])[] = [];
    if (ofX !== undefined) parts.push([ofX, weight]);
    if (ofWeight !== undefined) parts.push([x, ofWeight]);
    return activationSlope(affineMoved(y, parts, ofBias), y, activation);
  }),
];
