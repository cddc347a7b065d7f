/**
 * @file What the continuous adjoints share: the adjoint equation, solved backward from output to output.
 *
 *   λ′ = −(∂f/∂y)ᵀ λ,  λ(t₁) = ȳ₁,  λ(tᵢ⁻) = λ(tᵢ⁺) + ȳᵢ at each save time,  p̄ = ∫ (∂f/∂p)ᵀ λ dt over [t₀, t₁]
 *   t̄₁ = ȳ₁ᵀ f(t₁, y₁),  t̄ᵢ = ȳᵢᵀ f(tᵢ, yᵢ),  t̄₀ = −λ(t₀⁺)ᵀ f(t₀, y₀)
 *
 * One vector-Jacobian product of f with respect to (y, p) for each evaluation of the right side gives all of it; where the state comes from is what tells the
 * methods apart. It differentiates the flow, not the solver's steps: its error is that of the tolerances.
 * R. T. Q. Chen et al., Neural Ordinary Differential Equations, NeurIPS 2018, eq. 4 and 5.
 */
import { SecondDerivativeError, tapeOver, type Cotangent } from "@dydt/autodiff";
import { abs, allocatingIn, closeWithOwner, copy, createRegion, currentRegion, heap, isCarried, max, meterBytes, scope, zerosLike, type Region, type Tensor } from "@dydt/tensor"; // prettier-ignore
import { differentiableTimes, type Differentiated, type InputCotangents, type OutputCotangents } from "../adjoint.js";
import type { Tolerances } from "../controller.js";
import { begin, type Run } from "../integrate.js";
import { collect, type Collector, type Outputs } from "../outcome.js";
import type { Problem, ReverseStats } from "../problem.js";
import type { Leaves, Step } from "../step.js";
import { timeValue, type Time } from "../time.js";
import { eventful } from "../events.js";
import { solveStretch, type BackwardCounts, type BackwardOptions } from "./backward.js";
import { jumpBack, type Mark } from "./event-jump.js";

/** A forward solve that has been run. */
export interface Forward<R extends Step> {
  readonly problem: Problem<R>;
  readonly outputs: Outputs;
  readonly grid: readonly number[];
  readonly tolerances: Tolerances | undefined;
  /** The events, in the order of the solve. */
  readonly marks: readonly Mark[];
}

/** The events of a step. */
const marksOf = (step: Step, rows: number[]): readonly Mark[] => {
  const found = eventful(step);
  if (found === undefined) return [];
  return found.occurrences.map(({ event, t }, i): Mark => {
    const ends = found.end !== undefined && i === found.occurrences.length - 1;
    return { event, t: timeValue(t), row: rows[event]!++, changes: ends && !found.terminal, terminal: ends && found.terminal };
  });
};

/** Runs the forward solve; `look` sees each accepted step, in the region that `place` says. */
export const solveForward = <R extends Step>(
  problem: Problem<R>,
  place: "regions" | Region = "regions",
  look?: (step: R, tolerances: Tolerances | undefined) => void,
): Forward<R> => {
  const run: Run<R> = begin(problem, place, () => ({ outputs: collector.outputs(), grid: [...collector.times] }));
  const collector: Collector<R> = collect(problem, run.control);
  const marks: Mark[] = [];
  const rows = problem.events.map(() => 0);
  try {
    for (const step of run.steps) {
      collector.take(step);
      marks.push(...marksOf(step, rows));
      look?.(step, run.control.tolerances);
    }
    return { problem, outputs: collector.outputs(), grid: collector.times, tolerances: run.control.tolerances, marks };
  } finally {
    run.close();
  }
};

/** A region for what the reverse will need: closed with the region that is open now, which holds the recording it serves, or when `owner` is collected. */
export const keepFor = (owner: object): Region => {
  const region = createRegion("store");
  const home = currentRegion();
  if (home === heap) closeWithOwner(owner, region);
  else home.adopt(region);
  return region;
};

/** The state at a time of a stretch. */
export type StateAt = (t: number) => Leaves;

/** Where the backward solve finds the state. */
export interface States {
  /** Called before each stretch; undefined where the state is solved for again, beside the costate. */
  readonly enter: ((from: number, to: number) => StateAt) | undefined;
  /** Whether a state that is solved for again begins each stretch where the forward solve was. */
  readonly restart?: boolean;
  /** The state at a save time is known, and this is what solving for it again gave. */
  readonly compare?: (known: Leaves, again: Leaves) => void;
  /** What it has to say for the statistics, when all is done. */
  readonly report?: () => Partial<ReverseStats>;
}

/** Integrals of parameters outside the backward state: told of each step of the costate, while it is valid. */
export interface Quadrature {
  readonly take: (step: Step, count: number, at: StateAt, params: readonly Tensor[], sum: readonly Cotangent[]) => readonly Cotangent[];
}

/** A pullback of a forward solve by the adjoint equation. */
export interface ContinuousPullback<R extends Step> {
  readonly name: string;
  readonly forward: Forward<R>;
  readonly options: BackwardOptions;
  readonly states: () => States;
  readonly quadrature?: Quadrature;
  /** Bytes that the forward solve left for the reverse. */
  readonly heldBytes?: () => number;
}

/** The largest power of two that is at most |x| for all given numbers: a scale that changes no bits. */
const scaleOf = (cotangents: readonly Cotangent[]): number => {
  const largest = scope(() => cotangents.reduce((most, x) => (x === undefined || x.size === 0 ? most : Math.max(most, max(abs(x)).item())), 0));
  if (!(largest > 0) || largest === Infinity) return largest === 0 ? 0 : 1;
  let power = 1;
  while (power > largest) power /= 2;
  while (power * 2 <= largest) power *= 2;
  return power;
};

/** Tensors that outlive the region they were made in: two regions in turn. */
const keeping = () => {
  const pair: readonly [Region, Region] = [createRegion("tape"), createRegion("tape")];
  let which: 0 | 1 = 0;
  return {
    /** Copies to the other region, and forgets what was kept before. */
    keep: <T extends Cotangent>(leaves: readonly T[]): readonly T[] => {
      which = which === 0 ? 1 : 0;
      const kept = allocatingIn(pair[which], () => leaves.map((leaf) => (leaf === undefined ? leaf : copy(leaf)) as T));
      pair[which === 0 ? 1 : 0].reset();
      return kept;
    },
    close: () => pair.forEach((region) => region.close()),
  };
};

/** One evaluation of f with its pullback, for a cotangent of f. */
const pullSlope = <R extends Step>(
  { term }: Problem<R>,
  t: Time,
  y: Leaves,
  watched: readonly Tensor[],
  cotangent: (slope: Leaves) => readonly Cotangent[],
): { readonly slope: Leaves; readonly pulled: readonly Cotangent[] } => {
  const { outputs, reverse } = tapeOver(() => term.slope(t, y), watched);
  return { slope: outputs, pulled: reverse(cotangent(outputs)) };
};

/** ⟨λ, f(t, y)⟩ as a scalar in the type of times. */
const rateOf = <R extends Step>({ term }: Problem<R>, t: Time, y: Leaves, costate: readonly Cotangent[]): Cotangent => {
  if (costate.every((part) => part === undefined)) return undefined;
  const slope = term.slope(timeValue(t), y);
  const parts = costate.flatMap((part, i) => (part === undefined ? [] : [part.mul(slope[i]!).sum().cast("float64")]));
  return parts.reduce((a, b) => a.add(b));
};

const sum = (a: Cotangent, b: Cotangent): Cotangent => (a === undefined ? b : b === undefined ? a : a.add(b));

/** Pulls cotangents of the outputs back to the inputs by solving the adjoint equation. */
export const pullContinuously = <R extends Step>(
  { name, forward, options, states: statesOf, quadrature, heldBytes }: ContinuousPullback<R>,
  cotangents: OutputCotangents,
  captured: readonly Tensor[],
): InputCotangents => {
  const { problem, outputs, grid, tolerances, marks } = forward;
  const { stats, y0, saves } = problem;
  const n = y0.length;
  const [start, finish] = [timeValue(problem.t0), timeValue(problem.t1)];
  const times = differentiableTimes(problem);
  const params = [...new Set([...captured, ...times])];
  const before = stats.evaluations;
  const held = heldBytes?.() ?? 0;
  const peak = meterBytes();
  const outside = currentRegion();
  const costates = keeping();
  const integrals = keeping();
  const counts: BackwardCounts = { steps: 0, rejected: 0, length: undefined };
  const scale = scaleOf([...cotangents.y1, ...cotangents.ys, ...cotangents.events.flatMap(({ times, states }) => [times, ...states])]);
  const states = statesOf();
  const solvesAgain = states.enter === undefined;
  const integrates = quadrature === undefined && params.length > 0;
  const zeros = new Map<Tensor, Tensor>();
  const zeroOf = (x: Tensor): Tensor =>
    zeros.get(x) ??
    zeros
      .set(
        x,
        allocatingIn(heap, () => zerosLike(x)),
      )
      .get(x)!;
  let stateAt: StateAt | undefined;
  let integral: readonly Cotangent[] = params.map(() => undefined);

  /** The right side of the backward equation: costate, the state where it is solved for again, integrals. */
  const slope = (t: Time, state: Leaves): Leaves =>
    scope(() => {
      const y = stateAt === undefined ? state.slice(n, 2 * n) : stateAt(timeValue(t));
      const watched = integrates ? [...y, ...params] : y;
      const { slope, pulled } = pullSlope(problem, t, y, watched, () => state.slice(0, n).map((part) => part.neg()));
      const parts = watched.map((x, i) => pulled[i] ?? zeroOf(i < n ? y0[i]! : x));
      return [...parts.slice(0, n), ...(solvesAgain ? slope : []), ...parts.slice(n)];
    });

  const look =
    quadrature === undefined
      ? undefined
      : (step: Step): void => {
          integral = integrals.keep(scope(() => quadrature.take(step, n, stateAt!, params, integral)));
        };

  /** The costate at `from` becomes that at `to`. */
  const back = (
    from: number,
    to: number,
    costate: readonly Cotangent[],
    y: Leaves,
  ): { readonly costate: readonly Cotangent[]; readonly y: Leaves } => {
    stateAt = states.enter?.(from, to);
    const leading = options.seminorm === false ? Infinity : solvesAgain ? 2 * n : n;
    const state = [
      ...costate.map((part, i) => part ?? zeroOf(y0[i]!)),
      ...(solvesAgain ? y : []),
      ...(integrates ? params.map((x, i) => integral[i] ?? zeroOf(x)) : []),
    ];
    const backward = {
      name,
      problem,
      grid,
      tolerances,
      options,
      slope,
      leading: Math.min(leading, state.length),
      ...(look !== undefined && { look }),
    };
    const end = solveStretch(backward, counts, from, to, state, (last) => costates.keep(last));
    if (integrates) integral = end.slice(solvesAgain ? 2 * n : n);
    return { costate: end.slice(0, n), y: solvesAgain ? end.slice(n, 2 * n) : y };
  };

  const scaled = (parts: readonly Cotangent[]): readonly Cotangent[] => parts.map((part) => part?.div(scale));
  const rowOf = (i: number): readonly Cotangent[] => scaled(cotangents.ys.map((all) => all?.at(i)));
  const ofTime = new Map<Time, Cotangent>();
  const toTime = (t: Time, rate: Cotangent): void => {
    if (typeof t !== "number") ofTime.set(t, sum(ofTime.get(t), rate));
  };

  const walk = (): readonly Cotangent[] => {
    const end = grid[grid.length - 1]!;
    const terminated = marks[marks.length - 1]?.terminal === true;
    const reached = outputs.ys[0]?.shape[0] ?? saves.length;
    let t = end;
    let costate = scaled(cotangents.y1);
    let y = outputs.y1;
    /** Goes back to a time, where the state may be known. */
    const meet = (to: number, known: Leaves | undefined, restart: boolean): void => {
      const moves = t !== to && costate.some((part) => part !== undefined);
      if (moves) ({ costate, y } = back(t, to, costate, y));
      t = to;
      if (!solvesAgain || known === undefined) return;
      if (moves) states.compare?.(known, y);
      if (restart || !moves) y = known;
    };
    const add = (row: readonly Cotangent[]): void => {
      costate = costate.map((part, k) => sum(part, row[k]));
    };
    const jump = (mark: Mark): void => {
      const known = outputs.events[mark.event]!.states.map((all) => all.at(mark.row));
      const given = cotangents.events[mark.event];
      if (!mark.changes) meet(mark.t, known, mark.terminal || states.restart === true);
      else y = known;
      const time = given?.times?.at(mark.row).div(scale);
      const jumped = jumpBack(problem, mark, known, params, costate, time, scaled((given?.states ?? []).map((all) => all?.at(mark.row))));
      costate = jumped.costate;
      integral = integral.map((part, i) => sum(part, jumped.params[i]));
    };

    if (typeof problem.t1 !== "number" && !terminated) toTime(problem.t1, rateOf(problem, problem.t1, outputs.y1, costate));
    const atStart = (i: number): boolean => typeof saves[i] === "number" && saves[i] === start && start !== end;
    let first = 0; // saves at t0 that are numbers: y0 itself, whatever t0 is
    while (first < reached && atStart(first)) first++;
    let mark = marks.length - 1;
    const forwards = finish >= start;
    /** The events after a time, and at it where they come before what was saved there. */
    const jumpsAfter = (limit: number): void => {
      while (mark >= 0 && (forwards ? marks[mark]!.t > limit : marks[mark]!.t < limit)) {
        const next = marks[mark--]!;
        if (next.changes) meet(next.t, undefined, false);
        jump(next);
      }
    };
    for (let i = reached - 1; i >= first; i--) {
      const save = saves[i]!;
      const at = timeValue(save);
      // A state saved at the end of the solve, where an event ended it, is the end state.
      const atEnd = terminated && at === end;
      jumpsAfter(at);
      const known = outputs.ys.map((all) => all.at(i));
      if (!atEnd) meet(at, known, states.restart === true);
      const row = rowOf(i);
      const owner = typeof save === "number" && at === finish ? problem.t1 : save;
      if (typeof owner !== "number" && !atEnd) toTime(owner, rateOf(problem, owner, known, row));
      add(row);
    }
    jumpsAfter(forwards ? -Infinity : Infinity);
    meet(start, y0, false);
    if (typeof problem.t0 !== "number") toTime(problem.t0, rateOf(problem, problem.t0, y0, costate.map((part) => part?.neg()))); // prettier-ignore
    for (let i = 0; i < first; i++) add(rowOf(i));
    return costate;
  };

  try {
    if (scale === 0) return { y0: y0.map(() => undefined), times: times.map(() => undefined), captured: captured.map(() => undefined) };
    return allocatingIn(outside, () => {
      const costate = walk();
      const gradientOf = (x: Tensor): Cotangent => integral[params.indexOf(x)];
      const result = (parts: readonly Cotangent[]): readonly Cotangent[] => parts.map((part) => part?.mul(scale));
      return {
        y0: result(costate),
        captured: result(captured.map(gradientOf)),
        // One tensor may be several of the times; its derivative is told once.
        times: result(
          times.map((x, i) => (times.indexOf(x) === i ? sum(ofTime.get(x), captured.includes(x) ? undefined : gradientOf(x)) : undefined)),
        ),
      };
    });
  } finally {
    costates.close();
    integrals.close();
    stats.reverse = {
      evaluations: stats.evaluations - before,
      advanced: 0,
      taped: 0,
      steps: counts.steps,
      rejected: counts.rejected,
      ...states.report?.(),
    };
    stats.evaluations = before;
    stats.peakBytes = Math.max(stats.peakBytes, held + peak());
  }
};

/** @throws SecondDerivativeError where a forward mode moves the times: the backward solve takes them as numbers. */
export const refuseMovedTimes = <R extends Step>(name: string, problem: Problem<R>): void => {
  if (differentiableTimes(problem).some(isCarried))
    throw new SecondDerivativeError(
      `${name} has no second derivatives with respect to t0, t1 and save times, which its reverse takes as numbers: take discreteAdjoint(), or give times as numbers`,
    );
};

/** @throws SecondDerivativeError where a forward mode moves events: their times are numbers here too. */
const refuseMovedEvents = <R extends Step>(name: string, { marks, outputs }: Forward<R>): void => {
  if (marks.length > 0 && [...outputs.y1, ...outputs.ys, ...outputs.events.flatMap(({ times, states }) => [times, ...states])].some(isCarried))
    throw new SecondDerivativeError(
      `${name} has no second derivatives of solves with events, whose times its reverse takes as numbers: take discreteAdjoint()`,
    );
};

/** What an adjoint returns of a forward solve and its pullback. */
export const differentiatedBy = <R extends Step>(pullback: ContinuousPullback<R>): Differentiated => ({
  outputs: pullback.forward.outputs,
  grid: pullback.forward.grid,
  pullback: (cotangents, captured) => {
    refuseMovedTimes(pullback.name, pullback.forward.problem);
    refuseMovedEvents(pullback.name, pullback.forward);
    return pullContinuously(pullback, cotangents, captured);
  },
});
