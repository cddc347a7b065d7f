/**
 * @file What the continuous adjoints share: the pullback of a forward solve by the adjoint equation, which differs among them in where the state comes from.
 *
 * It differentiates the flow, not the solver's steps: its error is that of the tolerances. Cotangents are scaled by a power of two, so that these have a meaning.
 */
import { SecondDerivativeError, type Cotangent } from "@dydt/autodiff";
import { isCarried, scope, type Tensor } from "@dydt/tensor";
import { differentiableTimes, type Differentiated, type InputCotangents, type OutputCotangents } from "../adjoint.js";
import type { Problem } from "../problem.js";
import type { Step } from "../step.js";
import { accounted } from "./account.js";
import { adjointEquation, type ContinuousPullback } from "./adjoint-equation.js";
import { largestOf, plus } from "./cotangents.js";
import type { Forward } from "./forward-run.js";
import { walkBack } from "./walk-back.js";

/** What an adjoint returns of a forward solve and its pullback. */
export const differentiatedBy = <R extends Step>(pullback: ContinuousPullback<R>): Differentiated => ({
  outputs: pullback.forward.outputs,
  grid: pullback.forward.times,
  pullback: (cotangents, captured) => {
    refuseMovedTimes(pullback.name, pullback.forward.problem);
    refuseMovedEvents(pullback.name, pullback.forward);
    return pullContinuously(pullback, cotangents, captured);
  },
});

/** Pulls cotangents of the outputs back to the inputs by solving the adjoint equation. */
const pullContinuously = <R extends Step>(
  pullback: ContinuousPullback<R>,
  cotangents: OutputCotangents,
  captured: readonly Tensor[],
): InputCotangents => {
  const { problem } = pullback.forward;
  const times = differentiableTimes(problem);
  const params = [...new Set([...captured, ...times])];
  const equation = adjointEquation(pullback, params);
  const { counts, states, ends, sums } = equation;
  const account = {
    stats: problem.stats,
    held: pullback.heldBytes?.() ?? 0,
    report: () => ({ advanced: 0, taped: 0, steps: counts.steps, rejected: counts.rejected, ...states.report?.() }),
    close: () => [ends, sums].forEach((regions) => regions.close()),
  };
  return accounted(account, () => {
    const scale = scaleOf(cotangents);
    if (scale === 0) return { y0: problem.y0.map(() => undefined), times: times.map(() => undefined), captured: captured.map(() => undefined) };
    const { costate, integral, ofTime } = walkBack(equation, dividedBy(cotangents, scale));
    const gradientOf = (x: Tensor): Cotangent => integral[params.indexOf(x)];
    const result = (parts: readonly Cotangent[]): readonly Cotangent[] => parts.map((part) => part?.mul(scale));
    return {
      y0: result(costate),
      captured: result(captured.map(gradientOf)),
      // One tensor may be several of the times; its derivative is told once.
      times: result(
        times.map((x, i) => (times.indexOf(x) === i ? plus(ofTime.get(x), captured.includes(x) ? undefined : gradientOf(x)) : undefined)),
      ),
    };
  });
};

/** The largest power of two that is at most |x| for the largest entry x of all cotangents: a scale that changes no bits. */
const scaleOf = ({ y1, ys, events }: OutputCotangents): number => {
  const largest = scope(() => largestOf([...y1, ...ys, ...events.flatMap(({ times, states }) => [times, ...states])]));
  if (!(largest > 0) || largest === Infinity) return largest === 0 ? 0 : 1;
  let power = 1;
  while (power > largest) power /= 2;
  while (power * 2 <= largest) power *= 2;
  return power;
};

const dividedBy = ({ y1, ys, penalties, events }: OutputCotangents, scale: number): OutputCotangents => {
  const divided = (parts: readonly Cotangent[]): readonly Cotangent[] => parts.map((part) => part?.div(scale));
  return {
    y1: divided(y1),
    ys: divided(ys),
    penalties,
    events: events.map(({ times, states }) => ({ times: times?.div(scale), states: divided(states) })),
  };
};

/** @throws SecondDerivativeError where a forward mode moves the times: the backward solve takes them as numbers. */
export const refuseMovedTimes = <R extends Step>(name: string, problem: Problem<R>): void => {
  if (differentiableTimes(problem).some(isCarried))
    throw new SecondDerivativeError(
      `${name} has no second derivatives with respect to t0, t1 and save times, which its reverse takes as numbers: take discreteAdjoint(), or give times as numbers`,
    );
};

/** @throws SecondDerivativeError where a forward mode moves events: their times are numbers here too. */
const refuseMovedEvents = <R extends Step>(name: string, { happenings, outputs }: Forward<R>): void => {
  if (happenings.size > 0 && [...outputs.y1, ...outputs.ys, ...outputs.events.flatMap(({ times, states }) => [times, ...states])].some(isCarried))
    throw new SecondDerivativeError(
      `${name} has no second derivatives of solves with events, whose times its reverse takes as numbers: take discreteAdjoint()`,
    );
};
