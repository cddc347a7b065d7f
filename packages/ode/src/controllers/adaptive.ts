/**
 * @file Steps as long as the error estimate allows: a proportional-integral controller.
 *
 *   q = √(mean (eᵢ / (atolᵢ + rtolᵢ max(|y₀ᵢ|, |y₁ᵢ|)))²),  accepted for q ≤ 1
 *   accepted:  h ← h / clip(q^β₁ / (0.9 qₙ₋₁^β₂), 1/10, 5),  β₁ = 7/(10k), β₂ = 2/(5k), no longer after a rejection
 *   rejected:  h ← h max(1/5, 0.9 q^{−1/k}),  a fifth where q is not finite
 *
 * k is one more than the embedded order. K. Gustafsson, ACM TOMS 17(4), 1991, 533–554; E. Hairer, G. Wanner, Solving Ordinary Differential Equations II,
 * 2nd ed., 1996, IV.2, eq. 2.43c.
 */
import { checkOptions, OptionError, power } from "@dydt/tensor";
import type { Controller, ControlSetup, Tolerances, Verdict } from "../controller.js";
import { sentences } from "../errors.js";
import type { EmbeddedStep } from "../step.js";
import { initialStep, scaledNorm } from "./initial-step.js";
import { checkTolerances, toleranceArrays, type Tolerance } from "./tolerance.js";

/** Options of {@link adaptive}. */
export interface AdaptiveOptions {
  /** Relative tolerance; default 1e-6 in float64, 1e-4 in float32. */
  readonly rtol?: Tolerance;
  /** Absolute tolerance; default 1e-9 in float64, 1e-6 in float32. */
  readonly atol?: Tolerance;
  /** Length of the first step; found by Hairer's rule unless given. */
  readonly first?: number;
  /** No step is shorter; a failure where that would be needed. Default: a few rounding errors of the time. */
  readonly min?: number;
  /** No step is longer; default the whole interval. */
  readonly max?: number;
}

const safety = 0.9;

const requirePositive = (name: string, value: number | undefined): void => {
  if (value !== undefined && !(value > 0)) throw new OptionError(`adaptive got ${name} = ${value}: a positive length is needed`);
};

/**
 * Steps as long as the tolerances allow, for solvers that estimate their error. The default.
 *
 * @throws OptionError for tolerances that are negative, NaN or below rounding, for both zero, or for min above max.
 * @example
 * const { stats } = solve((t, y) => y.neg(), tensor([1]), { t0: 0, t1: 1, controller: adaptive({ rtol: 1e-8, atol: 1e-10 }) });
 * if (stats.accepted < 5) throw new Error("too few steps for that tolerance");
 */
export const adaptive = (options: AdaptiveOptions = {}): Controller<EmbeddedStep> => {
  checkOptions("adaptive", options, ["rtol", "atol", "first", "min", "max"]);
  const { rtol, atol, first, min, max } = options;
  checkTolerances(rtol, atol);
  requirePositive("first", first);
  requirePositive("min", min);
  requirePositive("max", max);
  if (min !== undefined && max !== undefined && min > max) throw new OptionError(`adaptive got min = ${min} above max = ${max}`);
  return Object.freeze({
    name: "adaptive",
    needs: { property: "error", otherwise: sentences.adaptive },
    begin: (setup: ControlSetup) => {
      const single = setup.dtype === "float32";
      const tolerances: Tolerances = {
        rtol: toleranceArrays("rtol", rtol ?? (single ? 1e-4 : 1e-6), setup.y0),
        atol: toleranceArrays("atol", atol ?? (single ? 1e-6 : 1e-9), setup.y0),
      };
      const span = Math.abs(setup.t1 - setup.t0);
      const longest = Math.min(max ?? Infinity, span);
      return {
        kind: "adaptive" as const,
        first: span === 0 ? 0 : Math.min(first ?? initialStep(setup, tolerances), longest),
        smallest: (t: number) => min ?? Math.max(16 * Number.EPSILON * Math.abs(t), 5e-32 * span),
        judge: proportionalIntegral(setup.errorPower, tolerances, longest),
        tolerances,
      };
    },
  });
};

const proportionalIntegral = (k: number, tolerances: Tolerances, longest: number): ((step: EmbeddedStep) => Verdict) => {
  let before = 1e-4; // the scaled error of the last accepted step
  let rejected = false;
  return (step) => {
    const length = Math.abs(step.t1 - step.t0);
    const error = scaledNorm(step.error, step.y0, step.y1, tolerances);
    if (!(error <= 1)) {
      rejected = true;
      return { accept: false, h: length * (Number.isFinite(error) ? Math.max(0.2, safety * power(error, -1 / k)) : 0.2), error };
    }
    const factor = error === 0 ? 0.1 : Math.min(5, Math.max(0.1, power(error, 0.7 / k) / (safety * power(before, 0.4 / k))));
    const h = length / (rejected ? Math.max(1, factor) : factor);
    before = Math.max(error, 1e-4);
    rejected = false;
    return { accept: true, h: Math.min(h, longest), error };
  };
};
