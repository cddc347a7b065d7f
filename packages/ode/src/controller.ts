/**
 * @file What a controller is: who decides where steps end.
 *
 * **Contract.** A controller is frozen; what it remembers during a solve lives in the control that `begin` returns. It reads numbers, never tapes: step sizes
 * are constants of the derivative. It says in its type which step record it needs.
 *
 * **Example.** Steps of equal length up to a time, longer ones after it:
 *
 * @example
 * const twoLengths: Controller<Step> = { name: "twoLengths", begin: ({ t0, t1 }) => ({ kind: "grid", times: [t0, t0 + 0.1, t0 + 0.2, t1] }) };
 * const { stats } = solve((t, y) => y.neg(), tensor([1]), { t0: 0, t1: 1, solver: rk4(), controller: twoLengths });
 * expectClose(tensor(stats.accepted), 3);
 */
import type { Dtype } from "@dydt/tensor";
import type { Leaves, Step } from "./step.js";

/** Tolerances by leaf of the state: one number, or one for each element. */
export interface Tolerances {
  readonly rtol: readonly Float64Array[];
  readonly atol: readonly Float64Array[];
}

/** What a controller knows when a solve begins. */
export interface ControlSetup {
  readonly t0: number;
  readonly t1: number;
  readonly y0: Leaves;
  /** The initial state as the user has it: a tree with the leaves y0. */
  readonly form: unknown;
  readonly dtype: Dtype;
  /** One more than the order of the embedded solution: the error falls as this power of h. */
  readonly errorPower: number;
  /** f, watched by nobody; each call is counted. */
  readonly slope: (t: number, y: Leaves) => Leaves;
  /** f(t0, y0), where the solver has it already. */
  readonly firstSlope: Leaves | undefined;
  /** What `memory` gave of the solve that this one goes on with. */
  readonly memory?: readonly number[] | undefined;
  /** Where the solve begins or goes on, and how many steps it may take from there: ends further than that need not be known. All, unless given. */
  readonly reach?: { readonly from: number; readonly steps: number };
}

/** What becomes of an attempted step. */
export interface Verdict {
  readonly accept: boolean;
  /** Length of the next attempt. */
  readonly h: number;
  /** The scaled error estimate, accepted up to 1. */
  readonly error: number;
  /** Which component has the largest scaled error, counted through all tensors of the state; for reports. */
  readonly component?: number;
  /** The state after the step lies outside the domain of the problem: rejected, however small its error. */
  readonly outside?: boolean;
  /** A new stretch begins: h comes from its start, not from the steps before. */
  readonly anew?: boolean;
}

/** A controller at work: step ends known beforehand, or step lengths found on the way. */
export type Control<R extends Step> =
  | {
      readonly kind: "grid";
      /** Every step end, t0 and t1 included. */
      readonly times: readonly number[];
      /** Those by which the ends were found, where they were; for costs of the steps. */
      readonly tolerances?: Tolerances;
    }
  | {
      readonly kind: "adaptive";
      /** Length of the first attempt, at least 0. */
      readonly first: number;
      /** Lengths below this are a failure. */
      readonly smallest: (t: number) => number;
      readonly judge: (step: R) => Verdict;
      /** What `judge` remembers, for a solve that goes on with the same bits; nothing unless given. */
      readonly memory?: () => readonly number[];
      readonly tolerances: Tolerances;
    };

/** Decides where steps end, for steps that are at least records R. */
export interface Controller<in R extends Step> {
  readonly name: string;
  /** A property that every step must have, and the sentence to say when it has not. */
  readonly needs?: { readonly property: string; readonly otherwise: string };
  readonly begin: (setup: ControlSetup) => Control<R>;
  /** Times inside the interval that steps must end at, in the direction of the solve; step lengths are constant fractions of the stretches between. */
  readonly stops?: (interval: { readonly t0: number; readonly t1: number; readonly dtype: Dtype }) => readonly number[];
}
