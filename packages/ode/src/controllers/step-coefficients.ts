/**
 * @file From the errors of the last three steps to the length of the next: a digital filter.
 *
 *   h ← h · 0.9 q₁^{−(P + I + D)/k} q₂^{(P + 2D)/k} q₃^{−D/k}
 *
 * q₁ is the scaled error of this step, q₂ and q₃ those of the accepted steps before it, k one more than the embedded order. With I alone the step follows each
 * error at once; P damps what it makes of it, so that steps change smoothly; D looks at the change of the change. After the first step, and after one that begins
 * anew, there is no q₂ and the rule is the elementary one, h · 0.9 q₁^{−1/k}: a damped one would still be looking for its step where a short solve ends. To the
 * filter that takes over, the error of that step counts as 0.9ᵏ, which is what the rule aimed at; as what it was where an attempt had been rejected just before,
 * whose length then came from that rule already. At the step after it there is no q₃ yet, and q₂ stands for it. As q₂ and q₃ errors count as 10⁻⁴ at least.
 *
 * G. Söderlind, Digital filters in adaptive time-stepping, ACM TOMS 29(1), 2003, 1–26; K. Gustafsson, ACM TOMS 17(4), 1991, 533–554;
 * E. Hairer, G. Wanner, Solving Ordinary Differential Equations II, 2nd ed., 1996, IV.2, eq. 2.43c.
 */
import { checkOptions, OptionError, scalarExp, scalarLog } from "@dydt/tensor";

/** How strongly the next length answers to the error, its change, and the change of that; what is left out is 0. */
export interface StepCoefficients {
  readonly proportional?: number | undefined;
  readonly integral: number;
  readonly derivative?: number | undefined;
}

/**
 * Coefficients that are in use.
 *
 * - `integral`: (0, 1, 0), the elementary rule.
 * - `proportionalIntegral`: (0.4, 0.3, 0), the default; for steps that stability limits as well.
 * - `proportionalIntegralDerivative`: (−2/9, 2/9, 1/18), Söderlind's H312PID: the smoothest steps, slow to lengthen.
 *
 * @example
 * const controller = adaptive({ rtol: 1e-4, coefficients: stepCoefficients.integral });
 * const { y1 } = solve((t, y) => y.neg(), tensor([1]), { t0: 0, t1: 1, controller });
 * expectClose(y1, [0.36787944], { rtol: 1e-3 });
 */
export const stepCoefficients = {
  integral: { proportional: 0, integral: 1, derivative: 0 },
  proportionalIntegral: { proportional: 0.4, integral: 0.3, derivative: 0 },
  proportionalIntegralDerivative: { proportional: -2 / 9, integral: 2 / 9, derivative: 1 / 18 },
} as const satisfies Readonly<Record<string, StepCoefficients>>;

/** @throws OptionError for coefficients that do not shorten steps when errors grow. */
export const checkCoefficients = (coefficients: StepCoefficients): void => {
  if (typeof coefficients !== "object" || coefficients === null)
    throw new OptionError(`adaptive got coefficients of type ${typeof coefficients}: pass { proportional, integral, derivative }`);
  checkOptions("coefficients", coefficients, ["proportional", "integral", "derivative"]);
  const { proportional = 0, integral, derivative = 0 } = coefficients;
  for (const [name, value] of Object.entries({ proportional, integral, derivative }))
    if (!Number.isFinite(value)) throw new OptionError(`coefficients got ${name} = ${String(value)}: a finite number is needed`);
  if (!(integral > 0 && proportional + integral + derivative > 0))
    throw new OptionError(
      `coefficients got integral = ${integral}, and a sum of ${proportional + integral + derivative}: both must be positive, or steps would not answer to errors`,
    );
};

const safety = 0.9;
const [shrinksAtMost, growsAtMost] = [5, 10];
/** Errors below this are no reason for longer steps still. */
const leastError = 1e-4;
/** In place of the logarithm of an error where there was none. */
const none = Infinity;

/** How many times longer the next step is to be. */
export interface StepFilter {
  readonly accepted: (error: number) => number;
  /** Shorter in any case; a fifth where the error is not finite. */
  readonly rejected: (error: number) => number;
  /** Forgets the errors so far. */
  readonly reset: () => void;
  /** What it remembers, from which another one can go on. */
  readonly memory: () => readonly number[];
}

/**
 * A filter with its memory.
 *
 * @param k - the error falls as this power of h.
 * @param memory - of the filter that this one goes on with.
 */
export const stepFilter = ({ proportional = 0, integral, derivative = 0 }: StepCoefficients, k: number, memory?: readonly number[]): StepFilter => {
  const ofThis = (proportional + integral + derivative) / k;
  const ofLast = (proportional + 2 * derivative) / k;
  const ofSecondLast = derivative / k;
  const leastLogarithm = scalarLog(leastError);
  const aimedAt = k * scalarLog(safety);
  // Logarithms of errors. Fields of an object are written in place, numbers in variables of closures are allocated anew.
  const before = { last: memory?.[0] ?? none, secondLast: memory?.[1] ?? none, rejected: memory?.[2] === 1 };
  return {
    accepted: (error) => {
      const { last, secondLast } = before;
      const isFirst = last === none;
      const logarithm = scalarLog(error);
      let growth = growsAtMost;
      if (error > 0) {
        const filtered = isFirst ? -logarithm / k : ofLast * last - ofThis * logarithm - ofSecondLast * (secondLast === none ? last : secondLast);
        growth = Math.min(growsAtMost, Math.max(1 / shrinksAtMost, safety * scalarExp(filtered)));
      }
      if (before.rejected) growth = Math.min(1, growth);
      before.secondLast = last;
      before.last = isFirst && !before.rejected ? aimedAt : Math.max(logarithm, leastLogarithm);
      before.rejected = false;
      return growth;
    },
    rejected: (error) => {
      before.rejected = true;
      return Number.isFinite(error) ? Math.max(1 / shrinksAtMost, safety * scalarExp(-scalarLog(Math.max(error, 1)) / k)) : 1 / shrinksAtMost;
    },
    reset: () => {
      Object.assign(before, { last: none, secondLast: none, rejected: false });
    },
    memory: () => [before.last, before.secondLast, before.rejected ? 1 : 0],
  };
};
