/**
 * @file What a set of kernels must do: the arithmetic of contiguous tensors, with the results allocated by the caller.
 *
 * The contract: every element of a result is computed in an order that depends on its own operands only, so that a row has the same bits alone and in any
 * batch; NaN and infinities follow IEEE 754 (no operand is skipped for being zero); nothing is allocated on the JavaScript heap for region operands.
 */
import type { Wanted } from "../rule.js";
import type { Tensor } from "../tensor.js";

/** Elementwise functions of one operand. */
// prettier-ignore
export type UnaryOp =
  | "neg" | "square" | "sqrt" | "reciprocal" | "sign" | "floor" | "abs"
  | "exp" | "expm1" | "log" | "log1p" | "sin" | "cos" | "tanh" | "sigmoid" | "softplus" | "erf" | "gelu"
  | "relu" | "step";

/** Elementwise functions of two operands. */
export type BinaryOp = "add" | "sub" | "mul" | "div" | "pow" | "maximum" | "minimum" | "tanhSlope";

/** What may follow a linear layer in the same operation: functions whose slope is known from their value. */
export type FusedActivation = "identity" | "tanh" | "sigmoid" | "softplus" | "relu";

/** Their names, in the order of the numbers that the kernels know them by. */
export const fusedActivations: readonly FusedActivation[] = ["identity", "tanh", "sigmoid", "softplus", "relu"];

/** Comparisons and logic, with results of type bool. */
export type Comparison = "equal" | "notEqual" | "less" | "lessEqual" | "greater" | "greaterEqual" | "and" | "or";

/** Reductions along one axis. */
export type Reduction = "sum" | "max" | "min" | "prod";

/** The numbers of one step of Adam: β₁, β₂, 1 − β₂ᵗ, ε, and the weight −α / (1 − β₁ᵗ) of the step. */
export interface AdamNumbers {
  readonly beta1: number;
  readonly beta2: number;
  readonly correction: number;
  readonly epsilon: number;
  readonly weight: number;
}

/** How matrices lie: `transposeA` reads a [k, m] operand as [m, k]. */
export interface MatmulLayout {
  readonly batch: number;
  readonly m: number;
  readonly k: number;
  readonly n: number;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  /** Elements from one matrix of the batch to the next; 0 when the operand is shared. */
  readonly strideA: number;
  readonly strideB: number;
  /** Adds the product to what the result holds; default false, it overwrites. */
  readonly accumulate?: boolean;
}

/**
 * The linear layer y = σ(x W + b), for matrices x and W and a list b of one float type, with the bits of the product, the sum and σ one after the other.
 *
 * @internal
 */
export interface LayerKernels {
  readonly forward: (x: Tensor, weight: Tensor, bias: Tensor, activation: FusedActivation, out: Tensor) => void;
  /** x̄, W̄ and b̄, those that are wanted, from z̄; from ȳ where `y` is given, the value of a layer whose σ is tanh. */
  readonly pullback: (
    cotangent: Tensor,
    y: Tensor | undefined,
    x: Tensor,
    weight: Tensor,
    wanted: readonly [Wanted, Wanted, Wanted],
  ) => readonly (Tensor | undefined)[];
}

/**
 * A set of kernels.
 *
 * @internal
 */
export interface Kernels {
  readonly name: string;
  readonly unary: (op: UnaryOp, x: Tensor, out: Tensor) => void;
  /** Operands of any broadcastable shapes. */
  readonly binary: (op: BinaryOp, a: Tensor, b: Tensor, out: Tensor) => void;
  /** One operand is a JavaScript number, in float64 whatever the tensor's type. */
  readonly binaryNumber: (op: BinaryOp, a: Tensor | number, b: Tensor | number, out: Tensor) => void;
  readonly compare: (op: Comparison, a: Tensor, b: Tensor, out: Tensor) => void;
  readonly where: (condition: Tensor, a: Tensor, b: Tensor, out: Tensor) => void;
  /** Reads x as [outer, length, inner], writes [outer, inner]; sums in ascending order along the axis, those of floats in float64. */
  readonly reduce: (op: Reduction, x: Tensor, outer: number, length: number, inner: number, out: Tensor) => void;
  /** C = op(A) op(B), or C + op(A) op(B); each product is summed in ascending k from 0, in the element type or in float64. */
  readonly matmul: (a: Tensor, b: Tensor, layout: MatmulLayout, out: Tensor) => void;
  /** The linear layer in one call, for operands that fit; left out where that is not faster than the calls that it is made of. */
  readonly layer?: LayerKernels;
  /** out = base + Σ wᵢ xᵢ, from left to right in float64; without a base the first product starts the sum. */
  readonly weightedSum: (base: Tensor | null, weights: readonly number[], terms: readonly Tensor[], out: Tensor) => void;
  /** Σ x y in float64, as four sums of the elements with index ≡ 0, 1, 2, 3 (mod 4), each in ascending order, added as (s₀ + s₂) + (s₁ + s₃). */
  readonly innerProduct: (x: Tensor, y: Tensor) => number;
  /** Σ (eᵢ / (atolᵢ + rtolᵢ max(|y0ᵢ|, |y1ᵢ|)))² in the order of innerProduct; eᵢ = 0 gives 0; tolerances of one element serve all. */
  readonly scaledSquares: (error: Tensor, y0: Tensor, y1: Tensor, rtol: Float64Array, atol: Float64Array) => number;
  /** Index of the first element that is not finite, or -1. */
  readonly firstNonFinite: (x: Tensor) => number;
  /** The step of `adamUpdate` for operands of one float type and size, x, g, m and v: the new x, m and v, each operation rounded to the type. */
  readonly adam: (operands: readonly [Tensor, Tensor, Tensor, Tensor], numbers: AdamNumbers, out: readonly [Tensor, Tensor, Tensor]) => void;
}
