/**
 * @file With the checks of autodiff on: where in a solve an operation, or its reverse rule, made the first number that is not finite.
 */
import { node, NonFiniteOperationError, type Cotangent } from "@dydt/autodiff";
import { identity } from "@dydt/tensor";
import type { Leaves } from "./step.js";
import type { Ode } from "./term.js";
import { timeValue, type Time } from "./time.js";

/**
 * The error with its place; any other as it is.
 *
 * @param step - such as "step 3"; "the reverse of step 3".
 * @param stage - which evaluation of f it was in; undefined outside of them.
 */
export const located = (error: unknown, step: string, stage: number | undefined, t: Time, to: Time): unknown => {
  if (!(error instanceof NonFiniteOperationError)) return error;
  const place = `in ${step} of a solve, from t = ${timeValue(t)} to ${timeValue(to)}${stage === undefined ? "" : `, stage ${stage}`}`;
  return new NonFiniteOperationError(`${error.message}, ${place}`, error.op, error.where);
};

/** The term with a note, in reverse, of which evaluation is about to be reversed. */
const noting = (term: Ode, note: (stage: number) => void): Ode => {
  let count = 0;
  return {
    ...term,
    slope: (t: Time, y: Leaves) => {
      const stage = ++count;
      const slope = term.slope(t, y);
      const pullback = (cotangents: readonly Cotangent[]): readonly Cotangent[] => {
        note(stage);
        return cotangents;
      };
      return node("evaluation", slope, () => ({ outputs: slope.map((leaf) => identity(leaf)), pullback }));
    },
  };
};

/**
 * Reverses a step. Where that fails by a number that is not finite it is done again, to find the stage.
 *
 * @param reverse - is given what is to be done with the term whose evaluations are the stages.
 */
export const reversedAt = <T>(reverse: (watch: (term: Ode) => Ode) => T, step: number, t: Time, to: Time): T => {
  try {
    return reverse((term) => term);
  } catch (error) {
    if (!(error instanceof NonFiniteOperationError)) throw error;
    let stage: number | undefined;
    try {
      reverse((term) => noting(term, (found) => void (stage = found)));
    } catch {
      // The same error again: the stage is known now.
    }
    throw located(error, `the reverse of step ${step}`, stage, t, to);
  }
};
