/**
 * @file Steps as long as the error estimate allows.
 *
 *   sᵢ = eᵢ / (atolᵢ + rtolᵢ max(|y₀ᵢ|, |y₁ᵢ|)),  q = √(mean sᵢ²) or another norm,  accepted for q ≤ 1
 *   accepted:  h ← h clip(0.9 q^{−β₁} qₙ₋₁^{β₂} qₙ₋₂^{−β₃}, 1/5, 10),  no longer after a rejection
 *   rejected:  h ← h max(1/5, 0.9 q^{−1/k}),  a fifth where q is not finite, a half outside the domain
 *
 * The exponents are those of step-coefficients.ts. No step is shorter than `min` unless it must end at a given time, and none is accepted over tolerance, but for those
 * between a declared time and its neighbours.
 */
import { checkOptions, OptionError, unflatten, unrecorded, type Tensor } from "@dydt/tensor";
import { described, requirePositive } from "../arguments.js";
import type { Controller, ControlSetup, Tolerances, Verdict } from "../controller.js";
import * as sentences from "../sentences.js";
import type { EmbeddedStep, Leaves } from "../step.js";
import { checkTimes, declaredTimes } from "./declared-times.js";
import { initialStep } from "./initial-step.js";
import { assessBy, measureBy, type Assessed, type ErrorNorm } from "./norm.js";
import { checkCoefficients, stepCoefficients, stepFilter, type StepCoefficients } from "./step-coefficients.js";
import { checkTolerances, toleranceArrays, type Tolerance } from "./tolerance.js";

/** Options of {@link adaptive}, for states Y. */
export interface AdaptiveOptions<Y = Tensor> {
  /** Relative tolerance: a number, a list or tensor of the state's shape, or a tree of these like the state; default 1e-6 in float64, 1e-4 in float32. */
  readonly rtol?: Tolerance | undefined;
  /** Absolute tolerance, in the same forms; default 1e-9 in float64, 1e-6 in float32. */
  readonly atol?: Tolerance | undefined;
  /** How the scaled error becomes one number; default {@link rootMeanSquareNorm}. */
  readonly norm?: ErrorNorm | undefined;
  /** How the next length answers to the errors; default `stepCoefficients.proportionalIntegral`. */
  readonly coefficients?: StepCoefficients | undefined;
  /** No step is shorter, but for one that ends at a given time; a failure where shorter ones would be needed. A few rounding errors of the time at least, the default. */
  readonly min?: number | undefined;
  /** No step is longer; default the whole interval. */
  readonly max?: number | undefined;
  /** Length of the first step; found by Hairer's rule unless given. */
  readonly first?: number | undefined;
  /**
   * Times at which a step must end, and at which f may jump: what lies before is solved with f before it, what comes after begins anew. In any order; those
   * outside the interval have no effect. Each costs two short steps besides.
   */
  readonly times?: readonly number[] | Tensor | undefined;
  /** Where f makes sense. A step that leaves it is rejected and tried again with half its length. */
  readonly domain?: ((t: number, y: Y) => boolean) | undefined;
}

const known = ["rtol", "atol", "norm", "coefficients", "min", "max", "first", "times", "domain"];

const requireOrder = (low: string, a: number | undefined, high: string, b: number | undefined): void => {
  if (a !== undefined && b !== undefined && a > b) throw new OptionError(`adaptive got ${low} = ${a} above ${high} = ${b}`);
};

const requireFunction = (name: string, value: unknown, example: string): void => {
  if (value !== undefined && typeof value !== "function")
    throw new OptionError(`adaptive got ${name} ${typeof value === "string" ? `"${value}"` : typeof value}: pass a function such as ${example}`);
};

const check = <Y>({ rtol, atol, norm, coefficients, min, max, first, domain }: AdaptiveOptions<Y>): void => {
  checkTolerances(rtol, atol);
  if (coefficients !== undefined) checkCoefficients(coefficients);
  for (const [name, value] of Object.entries({ first, min, max })) requirePositive(`adaptive got ${name} =`, value, "length");
  requireOrder("min", min, "max", max);
  requireOrder("min", min, "first", first);
  requireFunction("norm", norm, "maximumNorm");
  requireFunction("domain", domain, "(t, y) => y.at(0).item() > 0");
};

/**
 * Steps as long as the tolerances allow, for solvers that estimate their error. The default.
 *
 * Cost: one or two evaluations of f for the first length, and again after each of `times`.
 *
 * @throws OptionError for tolerances that are negative, NaN or below rounding, for both zero, or for min above max.
 * @example
 * const { stats } = solve((t, y) => y.neg(), tensor([1]), { t0: 0, t1: 1, controller: adaptive({ rtol: 1e-8, atol: 1e-10 }) });
 * if (stats.accepted < 5) throw new Error("too few steps for that tolerance");
 * @example
 * // A square wave, whose jump is known: no step is rejected for it.
 * const wave = (t: Tensor, y: Tensor) => y.mul(0).add(t.item() < 0.3 ? 1 : -1);
 * const solution = solve(wave, tensor([0]), { t0: 0, t1: 1, controller: adaptive({ times: [0.3] }) });
 * expectClose(solution.y1, [-0.4], { rtol: 1e-12 });
 * @example
 * // A root that must stay real.
 * const controller = adaptive({ domain: (t, y) => y.at(0).item() >= 0 });
 * const { y1 } = solve((t, y) => y.sqrt().neg(), tensor([1]), { t0: 0, t1: 1.9, controller });
 * expectClose(y1, [0.0025], { rtol: 1e-3 });
 */
export const adaptive = <Y = Tensor>(options: AdaptiveOptions<Y> = {}): Controller<EmbeddedStep> => {
  checkOptions("adaptive", options, known);
  check(options);
  const times = checkTimes(options.times);
  return Object.freeze({
    name: "adaptive",
    needs: { property: "error", otherwise: sentences.adaptive },
    stops: ({ t0, t1, dtype }) => declaredTimes(times, t0, t1, dtype).stops,
    begin: (setup) => ({ kind: "adaptive", ...control(options, times, setup) }),
  } satisfies Controller<EmbeddedStep>);
};

const control = <Y>(options: AdaptiveOptions<Y>, times: readonly number[], setup: ControlSetup) => {
  const { t0, t1, y0, form, dtype, errorPower } = setup;
  const { rtol, atol, norm, coefficients = stepCoefficients.proportionalIntegral, min, max, first, domain } = options;
  const single = dtype === "float32";
  const tolerances: Tolerances = {
    rtol: toleranceArrays("rtol", rtol ?? (single ? 1e-4 : 1e-6), y0, form),
    atol: toleranceArrays("atol", atol ?? (single ? 1e-6 : 1e-9), y0, form),
  };
  const measure = measureBy(tolerances, norm);
  const span = Math.abs(t1 - t0);
  const longest = Math.min(max ?? Infinity, span);
  const smallest = (t: number) => Math.max(16 * Number.EPSILON * Math.abs(t), min ?? 5e-32 * span);
  const within = (h: number, t: number) => Math.min(Math.max(h, smallest(t)), longest);
  const declared = declaredTimes(times, t0, t1, dtype);
  const filter = stepFilter(coefficients, errorPower, setup.memory);
  const isInside = (t: number, y: Leaves): boolean => {
    const answer: unknown = domain === undefined || unrecorded(() => domain(t, unflatten(form, y) as Y));
    if (typeof answer === "boolean" || typeof answer === "number") return Boolean(answer);
    throw new OptionError(`the domain of adaptive returned ${described(answer)}: true or false is needed, as of y.at(0).item() > 0`);
  };
  if (!isInside(t0, y0)) throw new OptionError(`the initial state lies outside the domain that adaptive was given, at t = ${t0}`);

  const assess = assessBy(tolerances, norm);
  const assessed: Assessed = { size: 0, component: -1 };

  const judge = (step: EmbeddedStep): Verdict => {
    const length = Math.abs(step.t1 - step.t0);
    assess(step.error, step.y0, step.y1, assessed);
    const { size: error, component } = assessed;
    // Between a declared time and its neighbour no step can be shorter, and what the field does there is below the resolution of time.
    const accept = error <= 1 || (Number.isFinite(error) && declared.isGap(step.t0, step.t1));
    const outside = accept && !isInside(step.t1, step.y1);
    if (!accept || outside) {
      const shorter = length * (outside ? 0.5 : filter.rejected(error));
      const least = smallest(step.t0); // tried once before giving up; the length of a step is rounded with its ends
      return { accept: false, h: length > 1.1 * least ? Math.max(shorter, least) : shorter, error, component, outside, anew: false };
    }
    if (declared.beginnings.size === 0 || !declared.beginnings.has(step.t1))
      return { accept, h: within(length * filter.accepted(error), step.t1), error, component, outside: false, anew: false };
    filter.reset();
    const firstSlope = setup.firstSlope === undefined ? undefined : step.carry;
    const h = initialStep({ ...setup, t0: step.t1, y0: step.y1, firstSlope }, measure);
    return { accept, h: within(h, step.t1), error, component, outside, anew: true };
  };

  const goesOn = span === 0 || setup.memory !== undefined;
  return { first: goesOn ? 0 : within(first ?? initialStep(setup, measure), t0), smallest, judge, memory: filter.memory, tolerances };
};
