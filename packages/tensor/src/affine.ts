/**
 * @file The linear layer with what follows it, y = σ(z), z = x W + b, as one operation that carries its rules:
 *
 *   z̄ = ȳ σ′(z),  x̄ = z̄ Wᵀ,  W̄ = xᵀ z̄,  b̄ = the rows of z̄ summed        ẏ = σ′(z) (ẋ W + x Ẇ + ḃ)
 */
import { kernels } from "./backend/active.js";
import { add, expm1, mul, neg, step, sub, tanhSlope } from "./elementwise.js";
import { ShapeError } from "./errors.js";
import { matrixProduct, multiply } from "./linalg.js";
import { broadcastTo, reshape, sumTo } from "./movement.js";
import { primitive, type Primitive } from "./primitive.js";
import { activeRecorders } from "./recorder.js";
import { withRules, type Cotangent, type Wanted } from "./rule.js";
import { formatShape, sameShape, sizeOf } from "./shape.js";
import { allocate, type Tensor } from "./tensor.js";

/** What may follow a linear layer in the same operation: functions whose slope is known from their value. */
export type FusedActivation = "identity" | "tanh" | "sigmoid" | "softplus" | "relu";

/**
 * σ(x W + b) as one operation, for x `[batch, in]`, W `[in, out]` and b `[out]`: the same bits as `matmul(x, W).add(b)` and the activation.
 *
 * @param activation - σ; default the identity.
 * @throws ShapeError when the lengths do not fit.
 */
export const affineProduct: Primitive<[x: Tensor, weight: Tensor, bias: Tensor, activation?: FusedActivation]> = /* @__PURE__ */ withRules(
  /* @__PURE__ */ primitive("affine", (x: Tensor, weight: Tensor, bias: Tensor, activation: FusedActivation = "identity"): Tensor => {
    const out = multiply(x, weight, false, false);
    if (bias.rank !== 1 || bias.size !== out.shape[1] || bias.dtype !== out.dtype)
      throw new ShapeError(
        `affine got a bias of shape ${formatShape(bias.shape)} and type ${bias.dtype} for products of shape ${formatShape(out.shape)} and type ${out.dtype}`,
      );
    kernels.binary("add", out, bias, out);
    if (activation !== "identity") kernels.unary(activation, out, out);
    return out;
  }),
  {
    vjp: (g, y, wanted, x, weight, bias, activation = "identity") => {
      const z = timesSlope(y, activation)(g);
      if (activeRecorders().length === 0) return affineCotangents(z, x, weight, bias, wanted as readonly [Wanted, Wanted, Wanted]);
      return [
        wanted[0] === false ? undefined : matrixProduct(z, weight, false, true),
        wanted[1] === false ? undefined : matrixProduct(x, z, true, false),
        wanted[2] === false ? undefined : sumTo(z, bias.shape),
      ];
    },
    jvp: (y, x, weight, _bias, activation = "identity") => {
      const along = timesSlope(y, activation);
      return ([ofX, ofWeight, ofBias]) => {
        const parts: (readonly [Tensor, Tensor])[] = [];
        if (ofX !== undefined) parts.push([ofX, weight]);
        if (ofWeight !== undefined) parts.push([x, ofWeight]);
        return along(affineMoved(y, parts, ofBias));
      };
    },
  },
);

/** g ↦ g σ′(z), from the value y = σ(z). */
const timesSlope = (y: Tensor, activation: FusedActivation): ((g: Tensor) => Tensor) => {
  if (activation === "identity") return (g) => g;
  if (activation === "tanh") return (g) => tanhSlope(g, y);
  const slope = activation === "relu" ? step(y) : activation === "sigmoid" ? mul(y, sub(1, y)) : neg(expm1(neg(y)));
  return (g) => mul(g, slope);
};

/** x Ẇ + ẋ W + ḃ, those that are given. */
export const affineMoved = (y: Tensor, parts: readonly (readonly [x: Tensor, weight: Tensor])[], bias: Tensor | undefined): Tensor => {
  const [first, ...others] = parts;
  if (first === undefined) return sameShape(bias!.shape, y.shape) ? bias! : broadcastTo(bias!, y.shape);
  const start = bias === undefined ? matrixProduct(...first) : affineProduct(...first, bias);
  return others.reduce((sum, [x, weight]) => add(sum, matrixProduct(x, weight)), start);
};

/** The cotangents of x W + b, those of x, W and b that are wanted, watched by nobody: x̄ = z̄ Wᵀ, W̄ = xᵀ z̄, b̄ = Σ z̄ over the rows. */
const affineCotangents = (
  cotangent: Tensor,
  x: Tensor,
  weight: Tensor,
  bias: Tensor,
  [ofX, ofWeight, ofBias]: readonly [Wanted, Wanted, Wanted],
): readonly Cotangent[] => {
  const product = (wanted: Wanted, a: Tensor, b: Tensor, transposeA: boolean): Cotangent =>
    wanted === false ? undefined : multiply(a, b, transposeA, !transposeA, wanted === true ? undefined : wanted);
  const pulledX = product(ofX, cotangent, weight, false);
  const pulledWeight = product(ofWeight, x, cotangent, true);
  if (ofBias === false) return [pulledX, pulledWeight];
  const sums = allocate(bias.shape, bias.dtype);
  kernels.reduce("sum", cotangent, 1, cotangent.shape[0]!, bias.size, sums);
  if (ofBias === true) return [pulledX, pulledWeight, sums];
  kernels.binary("add", ofBias, sums, ofBias);
  return [pulledX, pulledWeight, ofBias];
};

/**
 * σ(x W + b), the linear layer with what follows it.
 *
 * @param x - `[..., in]`; a vector `[in]` is one row.
 * @param weight - `[in, out]`.
 * @param bias - `[out]`.
 * @param activation - σ, computed in the same pass; default none. The bits are those of the operations one after the other.
 * @returns `[..., out]`.
 * @throws ShapeError when the lengths do not fit.
 * @example
 * expectClose(affine(tensor([1, 2]), tensor([[1, 0], [0, 1]]), tensor([10, 20])), [11, 22]);
 */
export const affine = (x: Tensor, weight: Tensor, bias: Tensor, activation: FusedActivation = "identity"): Tensor => {
  if (x.rank === 2) return affineProduct(x, weight, bias, activation);
  if (x.rank === 0) throw new ShapeError("affine got a single number: its first operand needs at least one axis");
  const lead = x.shape.slice(0, -1);
  return reshape(affineProduct(reshape(x, [sizeOf(lead), x.shape[x.rank - 1]!]), weight, bias, activation), [...lead, weight.shape[1] ?? 0]);
};
