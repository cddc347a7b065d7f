/**
 * @file The linear layer with what follows it, y = σ(z), z = x W + b, as one operation that carries its rules:
 *
 *   z̄ = ȳ σ′(z),  x̄ = z̄ Wᵀ,  W̄ = xᵀ z̄,  b̄ = the rows of z̄ summed        ẏ = σ′(z) (ẋ W + x Ẇ + ḃ)
 */
import { kernels } from "./backend/active.js";
import { fusedActivations, type FusedActivation, type LayerKernels } from "./backend/kernels.js";
import { matmulBackend } from "./backend/matmul.js";
import { add, expm1, mul, neg, step, sub, tanhSlope } from "./elementwise.js";
import { isFloat } from "./dtype.js";
import { OptionError, ShapeError } from "./errors.js";
import { matrixProduct, multiply } from "./linalg.js";
import { broadcastTo, reshape, sumTo } from "./movement.js";
import { primitive, type Primitive } from "./primitive.js";
import { activeRecorders } from "./recorder.js";
import { withRules, type Cotangent, type Wanted } from "./rule.js";
import { formatShape, sameShape, sizeOf } from "./shape.js";
import { allocate, requireTensor, type Tensor } from "./tensor.js";

/**
 * σ(x W + b) as one operation, for x `[batch, in]`, W `[in, out]` and b `[out]`: the same bits as `matmul(x, W).add(b)` and the activation.
 *
 * @param activation - σ; default the identity.
 * @throws ShapeError when the lengths do not fit.
 */
export const affineProduct: Primitive<[x: Tensor, weight: Tensor, bias: Tensor, activation?: FusedActivation]> = /* @__PURE__ */ withRules(
  /* @__PURE__ */ primitive("affine", (x: Tensor, weight: Tensor, bias: Tensor, activation: FusedActivation = "identity"): Tensor => {
    const layer = inOneCall();
    if (layer !== undefined && fit(x, weight, bias)) {
      const out = allocate([x.shape[0]!, bias.size], x.dtype);
      layer.forward(x, weight, bias, activation, out);
      return out;
    }
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
      if (activeRecorders().length === 0) return affineCotangents(g, y, x, weight, bias, activation, wanted as readonly [Wanted, Wanted, Wanted]);
      const z = timesSlope(y, activation)(g);
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

/** The kernels that compute a layer in one call; none where somebody else multiplies. */
const inOneCall = (): LayerKernels | undefined => (matmulBackend === null ? kernels.layer : undefined);

/** Whether they take the operands; what does not fit is left to the operations, which say why. */
const fit = (x: Tensor, weight: Tensor, bias: Tensor): boolean =>
  x.rank === 2 &&
  weight.rank === 2 &&
  bias.rank === 1 &&
  isFloat(x.dtype) &&
  weight.dtype === x.dtype &&
  bias.dtype === x.dtype &&
  x.shape[1] === weight.shape[0] &&
  bias.size === weight.shape[1];

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

/** The cotangents of σ(x W + b), those of x, W and b that are wanted, watched by nobody: z̄ = ȳ σ′(z), x̄ = z̄ Wᵀ, W̄ = xᵀ z̄, b̄ = Σ z̄ over the rows. */
const affineCotangents = (
  g: Tensor,
  y: Tensor,
  x: Tensor,
  weight: Tensor,
  bias: Tensor,
  activation: FusedActivation,
  wanted: readonly [Wanted, Wanted, Wanted],
): readonly Cotangent[] => {
  const layer = inOneCall();
  if (layer !== undefined && activation === "tanh") return layer.pullback(g, y, x, weight, wanted);
  const cotangent = timesSlope(y, activation)(g);
  if (layer !== undefined) return layer.pullback(cotangent, undefined, x, weight, wanted);
  const [ofX, ofWeight, ofBias] = wanted;
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
 * @throws ShapeError when the lengths do not fit; OptionError for an unknown activation, and for what is no tensor.
 * @example
 * expectClose(affine(tensor([1, 2]), tensor([[1, 0], [0, 1]]), tensor([10, 20])), [11, 22]);
 */
export const affine = (x: Tensor, weight: Tensor, bias: Tensor, activation: FusedActivation = "identity"): Tensor => {
  requireTensor("affine", x);
  requireTensor("affine", weight);
  requireTensor("affine", bias);
  if (!fusedActivations.includes(activation))
    throw new OptionError(`affine got the activation ${String(activation)}: ${fusedActivations.join(", ")} are known`);
  if (x.rank === 2) return affineProduct(x, weight, bias, activation);
  if (x.rank === 0) throw new ShapeError("affine got a single number: its first operand needs at least one axis");
  const lead = x.shape.slice(0, -1);
  return reshape(affineProduct(reshape(x, [sizeOf(lead), x.shape[x.rank - 1]!]), weight, bias, activation), [...lead, weight.shape[1] ?? 0]);
};
