/**
 * @file Checkpoints with stages: what else is kept of a state, so that the step that ended there is reversed without being run again.
 *
 * The beginning of that step is kept in any case: from there the tape of the step is made, with one evaluation of f a stage, as many as from the stages themselves.
 * Where the tape sees single evaluations of an explicit Runge–Kutta method, the slopes kᵢ are kept besides: the tape of the step is then made of weighted sums
 * alone, and f is evaluated once a stage, when it is reversed, and not twice.
 */
import { node, tapeOver, type Cotangent } from "@dydt/autodiff";
import { copyOut, identity, inTemporaryRegion, isTensor, type Tensor } from "@dydt/tensor";
import type { Problem } from "../problem.js";
import type { Leaves, Step } from "../step.js";
import type { Ode } from "../term.js";
import { timeValue, type Time } from "../time.js";
import { requireSame, type Granularity, type WorkingState } from "./replay.js";

/** The step that ended at a state. */
export interface Ended {
  readonly before: WorkingState;
  /** Its slopes, the first included; none where they are not kept. */
  readonly slopes: readonly Leaves[];
}

/** A problem whose steps are watched. */
export interface Watched<R extends Step> {
  readonly problem: Problem<R>;
  /** The slopes of the step that was made last. */
  readonly slopes: () => readonly Leaves[];
}

/** Watches the slopes of a problem's steps, where they are worth keeping. Those that a step evaluates later, when it is asked, are not its stages. */
export const watchSlopes = <R extends Step>(problem: Problem<R>, granularity: Granularity): Watched<R> => {
  const { solver, events } = problem;
  if (granularity === "step" || solver.tableau === undefined || events.length > 0) return { problem, slopes: () => [] };
  let last: readonly Leaves[] = [];
  const step = (term: Ode, t0: Time, t1: Time, y0: Leaves, carry: Leaves): R => {
    const slopes = [carry];
    let open = true;
    const slope = (t: Time, y: Leaves): Leaves => {
      const k = term.slope(t, y);
      if (open) slopes.push(k);
      return k;
    };
    const record = solver.step({ ...term, slope }, t0, t1, y0, carry);
    open = false;
    last = slopes;
    return record;
  };
  return { problem: { ...problem, solver: { ...solver, step } }, slopes: () => last };
};

/**
 * The term whose first evaluations are known: for the tape each is one operation, which evaluates f when it is reversed.
 *
 * @param term - evaluates f, plainly.
 * @param unknown - evaluates what is not known, for the tape.
 * @param slopes - in the order of the evaluations of a step, the first slope included.
 * @param captured - what f reads and somebody watches.
 */
export const withKnownSlopes = (term: Ode, unknown: Ode, slopes: readonly Leaves[], captured: readonly Tensor[]): Ode => {
  let next = 0;
  return {
    ...unknown,
    slope: (t, y) => {
      const known = slopes[next++];
      return known === undefined ? unknown.slope(t, y) : knownSlope(term, t, y, known, captured);
    },
  };
};

const knownSlope = (term: Ode, t: Time, y: Leaves, known: Leaves, captured: readonly Tensor[]): Leaves => {
  const inputs = [...(isTensor(t) ? [t] : []), ...y, ...captured];
  const pullback = (cotangents: readonly Cotangent[]): readonly Cotangent[] =>
    inTemporaryRegion("tape", (outside) => {
      const { outputs, reverse } = tapeOver(() => term.slope(t, y), inputs);
      requireSame(outputs, known, () => `the field at t = ${timeValue(t)} gave other numbers when it was evaluated again`);
      return copyOut(reverse(cotangents), outside);
    });
  return node("evaluation", inputs, () => ({ outputs: known.map((leaf) => identity(leaf)), pullback }));
};
