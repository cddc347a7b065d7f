/**
 * @file The embedded error estimate as a cost: steps with small error can be long, so fewer are needed.
 *
 *   R_E = Σⱼ Eⱼ |hⱼ|,  Eⱼ = √(mean (eᵢ / (atol + rtol max(|y₀ᵢ|, |y₁ᵢ|)))²)   (Pal et al. 2021, eq. 11; their code takes the mean over the steps)
 *
 * The derivative goes through the error and through the scale; step lengths are constants.
 */
import { checkOptions, abs, add, div, maximum, mul, OptionError, reshape, tensor, type Tensor } from "@dydt/tensor";
import type { Tolerances } from "../controller.js";
import { checkTolerances, toleranceArrays, type Tolerance } from "../controllers/tolerance.js";
import * as sentences from "../sentences.js";
import { checkReduce, timesLength, type Reduce, type Regularizer } from "../regularizer.js";
import type { EmbeddedStep, Leaves } from "../step.js";
import { euclidean, rootMeanSquare } from "./norms.js";

/** Options of {@link errorEstimate}. */
export interface ErrorEstimateOptions {
  /** "scaled" (default): the root mean square of the error by the tolerances. "l2", "rms": of the error itself. */
  readonly norm?: "l2" | "rms" | "scaled";
  /** 1 (default), or 2 for the square of the norm. */
  readonly power?: 1 | 2;
  /** Whether each cost is multiplied by the length of its step; default true. */
  readonly timesStep?: boolean;
  /** Default "sum". */
  readonly reduce?: Reduce;
  /** Tolerances of the scaled norm; default those of the controller. */
  readonly rtol?: Tolerance;
  readonly atol?: Tolerance;
}

/**
 * A cost that makes the solver's own error estimate small, so that the trained equation needs fewer steps.
 *
 * Needs steps with an error estimate, and an adjoint that differentiates steps. Cost: none in evaluations of f.
 *
 * @example
 * const slope = gradient((k: Tensor) => {
 *   const { penalties } = solve((t, y) => y.mul(k), tensor([1]), { t0: 0, t1: 1, regularize: errorEstimate() });
 *   return penalties[0]!;
 * })(tensor(-2));
 * if (!Number.isFinite(slope.item())) throw new Error("no gradient");
 */
export const errorEstimate = (options: ErrorEstimateOptions = {}): Regularizer<EmbeddedStep> => {
  checkOptions("errorEstimate", options, ["norm", "power", "timesStep", "reduce", "rtol", "atol"]);
  const { norm = "scaled", power = 1, timesStep = true, reduce = "sum", rtol, atol } = options;
  checkTolerances(rtol, atol);
  if (!["l2", "rms", "scaled"].includes(norm)) throw new OptionError(`errorEstimate got norm "${String(norm)}": l2, rms or scaled`);
  if (![1, 2].includes(power)) throw new OptionError(`errorEstimate got power ${String(power)}: 1 or 2`);
  checkReduce("errorEstimate", reduce, timesStep);
  return Object.freeze({
    name: "errorEstimate",
    needs: { property: "error", otherwise: sentences.errorEstimate },
    reduce,
    cost: (step: EmbeddedStep, controller: Tolerances | undefined): Tensor => {
      const size = norm === "l2" ? euclidean(step.error) : rootMeanSquare(norm === "rms" ? step.error : scaledError(step, own(step.y0, controller)));
      const cost = power === 2 ? size.square() : size;
      return timesStep ? timesLength(cost, step) : cost;
    },
  });

  function own(y0: Leaves, controller: Tolerances | undefined): Tolerances {
    if (controller === undefined && (rtol === undefined || atol === undefined))
      throw new OptionError('errorEstimate with the norm "scaled" needs tolerances: the controller has none, so give rtol and atol, or norm: "rms"');
    return {
      rtol: rtol === undefined ? controller!.rtol : toleranceArrays("rtol", rtol, y0),
      atol: atol === undefined ? controller!.atol : toleranceArrays("atol", atol, y0),
    };
  }
};

/** A tolerance as something to compute with: a number, or a tensor of the leaf's shape and type. */
const asOperand = (values: Float64Array, like: Tensor): number | Tensor =>
  values.length === 1 ? values[0]! : reshape(tensor(values), like.shape).cast(like.dtype);

const scaledError = ({ error, y0, y1 }: EmbeddedStep, { rtol, atol }: Tolerances): Leaves =>
  error.map((e, i) => div(e, add(mul(maximum(abs(y0[i]!), abs(y1[i]!)), asOperand(rtol[i]!, e)), asOperand(atol[i]!, e))));
