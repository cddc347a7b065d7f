/**
 * @file Shampine's stiffness estimate as a cost: a small one keeps the equation solvable by explicit methods with long steps.
 *
 *   R_S = Σⱼ Sⱼ |hⱼ|,  Sⱼ = ‖kᵢ − kₗ‖ / ‖gᵢ − gₗ‖ for two stages with cᵢ = cₗ   (Pal et al. 2021, eq. 12; L. F. Shampine, ACM TOMS 3(1), 1977)
 */
import { checkOptions, abs, lessEqual, OptionError, where, type Tensor } from "@dydt/tensor";
import * as sentences from "../sentences.js";
import { checkReduce, timesLength, type Reduce, type Regularizer } from "../regularizer.js";
import type { Leaves, StagePair, StiffnessStep } from "../step.js";
import { largest, rootOrZero, sumOfSquares } from "./norms.js";

/** Options of {@link stiffnessEstimate}. */
export interface StiffnessEstimateOptions {
  /** "l2" (default) and "rms" are the ratio of norms, which is the same number; "inf" is the largest ratio of components. */
  readonly norm?: "l2" | "rms" | "inf";
  /** Whether each cost is multiplied by the length of its step; default true. */
  readonly timesStep?: boolean;
  /** Default "sum". */
  readonly reduce?: Reduce;
}

/** Differences below this part of the state are rounding, as all are in the shortest steps, and their ratio says nothing. */
const roundingOf = ({ dtype }: Tensor): number => 8 * (dtype === "float32" ? 1 / 8_388_608 : Number.EPSILON);

/** ‖Δk‖ / ‖Δg‖, zero where Δg vanishes. */
const ratioOfNorms = ({ slopes, states }: StagePair, y: Leaves): Tensor => {
  const below = sumOfSquares(states);
  const vanishes = lessEqual(below, sumOfSquares(y).mul(roundingOf(below) * roundingOf(below)));
  return where(vanishes, 0, rootOrZero(sumOfSquares(slopes)).div(rootOrZero(where(vanishes, 1, below))));
};

/** max |Δkᵢ / Δgᵢ|, components with Δgᵢ = 0 left out. */
const largestRatio = ({ slopes, states }: StagePair, y: Leaves): Tensor => {
  const ratios: Leaves = slopes.map((dk, i) => {
    const dg = states[i]!;
    const vanishes = lessEqual(abs(dg), abs(y[i]!).mul(roundingOf(dg)));
    return where(vanishes, 0, abs(dk.div(where(vanishes, 1, dg))));
  });
  return largest(ratios);
};

/**
 * A cost that makes the estimated stiffness small.
 *
 * Needs steps with two stages at one time (tsit5, dopri5), and an adjoint that differentiates steps. Cost: none in evaluations of f.
 *
 * @example
 * const { penalties } = solve((t, y) => y.mul(-3), tensor([1]), { t0: 0, t1: 1, regularize: stiffnessEstimate({ reduce: "mean", timesStep: false }) });
 * expectClose(penalties[0]!, 3, { rtol: 1e-3 });
 */
export const stiffnessEstimate = (options: StiffnessEstimateOptions = {}): Regularizer<StiffnessStep> => {
  checkOptions("stiffnessEstimate", options, ["norm", "timesStep", "reduce"]);
  const { norm = "l2", timesStep = true, reduce = "sum" } = options;
  if (!["l2", "rms", "inf"].includes(norm)) throw new OptionError(`stiffnessEstimate got norm "${String(norm)}": l2, rms or inf`);
  checkReduce("stiffnessEstimate", reduce, timesStep);
  return Object.freeze({
    name: "stiffnessEstimate",
    needs: { property: "stiffness", otherwise: sentences.stiffnessEstimate },
    reduce,
    cost: (step: StiffnessStep): Tensor => {
      const estimate = (norm === "inf" ? largestRatio : ratioOfNorms)(step.stiffness(), step.y1);
      return timesStep ? timesLength(estimate, step) : estimate;
    },
  });
};
