/**
 * @file The adjoint equation, solved backward over one stretch between two times at which something happens.
 *
 *   λ′ = −(∂f/∂y)ᵀ λ,  p̄ = ∫ (∂f/∂p)ᵀ λ dt
 *
 * One vector-Jacobian product of f with respect to (y, p) for each evaluation of the right side gives all of it. Where the state comes from is what tells the
 * methods apart: it is looked up, or solved for again beside the costate. R. T. Q. Chen et al., Neural Ordinary Differential Equations, NeurIPS 2018, eq. 4 and 5.
 */
import { tapeOver, type Cotangent } from "@dydt/autodiff";
import { allocatingIn, heap, scope, zerosLike, type Tensor } from "@dydt/tensor";
import type { ReverseStats } from "../problem.js";
import type { Leaves, Step } from "../step.js";
import { timeValue, type Time } from "../time.js";
import { solveStretch, type BackwardCounts } from "./backward.js";
import type { BackwardOptions } from "./backward-options.js";
import type { Forward } from "./forward-run.js";
import { alternating, copies } from "./regions.js";

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

/** What the way back has come to. */
export interface Point {
  readonly t: number;
  /** λ(t). */
  readonly costate: readonly Cotangent[];
  /** y(t), where it is solved for again. */
  readonly y: Leaves;
  /** The integral of each of the parameters, from here to the end. */
  readonly integral: readonly Cotangent[];
}

/** One pullback under way. */
export interface AdjointEquation<R extends Step> extends Omit<ContinuousPullback<R>, "states" | "heldBytes"> {
  readonly states: States;
  /** p: everything besides y that f may depend on. */
  readonly params: readonly Tensor[];
  /** Whether the backward state holds y, and the integrals. */
  readonly solvesAgain: boolean;
  readonly integrates: boolean;
  readonly zeroOf: (x: Tensor) => Tensor;
  readonly counts: BackwardCounts;
  /** Where the ends of stretches lie, and the integrals that are not among them. */
  readonly ends: ReturnType<typeof alternating>;
  readonly sums: ReturnType<typeof alternating>;
}

/** Makes a pullback ready. Its regions are closed by who asked for it. */
export const adjointEquation = <R extends Step>(pullback: ContinuousPullback<R>, params: readonly Tensor[]): AdjointEquation<R> => {
  const states = pullback.states();
  const zeros = new Map<Tensor, Tensor>();
  const zeroOf = (x: Tensor): Tensor => {
    const zero = zeros.get(x) ?? allocatingIn(heap, () => zerosLike(x));
    zeros.set(x, zero);
    return zero;
  };
  return {
    ...pullback,
    states,
    params,
    solvesAgain: states.enter === undefined,
    integrates: pullback.quadrature === undefined && params.length > 0,
    zeroOf,
    counts: { steps: 0, rejected: 0, length: undefined },
    ends: alternating("tape"),
    sums: alternating("tape"),
  };
};

/** The right side of the backward equation: of the costate, the state where it is solved for again, the integrals. */
const rightSide = <R extends Step>(equation: AdjointEquation<R>, stateAt: StateAt | undefined) => {
  const { params, solvesAgain, integrates, zeroOf } = equation;
  const { term, y0 } = equation.forward.problem;
  const n = y0.length;
  return (t: Time, state: Leaves): Leaves =>
    scope(() => {
      const y = stateAt === undefined ? state.slice(n, 2 * n) : stateAt(timeValue(t));
      const watched = integrates ? [...y, ...params] : y;
      const { outputs, reverse } = tapeOver(() => term.slope(t, y), watched);
      const pulled = reverse(state.slice(0, n).map((part) => part.neg()));
      const parts = watched.map((x, i) => pulled[i] ?? zeroOf(i < n ? y0[i]! : x));
      return solvesAgain ? [...parts.slice(0, n), ...outputs, ...parts.slice(n)] : parts;
    });
};

/** The costate at one time becomes that at another. */
export const solveBack = <R extends Step>(equation: AdjointEquation<R>, { t, costate, y, integral }: Point, to: number): Point => {
  const { options, states, params, quadrature, solvesAgain, integrates, zeroOf } = equation;
  const { y0, form } = equation.forward.problem;
  const n = y0.length;
  const behind = solvesAgain ? 2 * n : n;
  const stateAt = states.enter?.(t, to);
  let sums = integral;
  const look = (step: Step): void => {
    sums = equation.sums.keep(() => scope(() => copies(quadrature!.take(step, n, stateAt!, params, sums))));
  };
  const state = [
    ...costate.map((part, i) => part ?? zeroOf(y0[i]!)),
    ...(solvesAgain ? y : []),
    ...(integrates ? params.map((x, i) => integral[i] ?? zeroOf(x)) : []),
  ];
  const solved = solvesAgain ? [form, form] : form;
  const looksAtAll = integrates && options.seminorm === false;
  const backward = {
    ...equation,
    slope: rightSide(equation, stateAt),
    leading: looksAtAll ? state.length : behind,
    form: looksAtAll ? { solved, integrals: params } : solved,
    ...(quadrature !== undefined && { look }),
  };
  const end = solveStretch(backward, t, to, state, (last) => equation.ends.keep(() => copies(last)));
  return { t: to, costate: end.slice(0, n), y: solvesAgain ? end.slice(n, behind) : y, integral: integrates ? end.slice(behind) : sums };
};
