/**
 * @file The adjoint that looks up the state in the dense output of the forward solve.
 *
 *   λ′ = −(∂f/∂y)ᵀ λ at y = the dense output at t
 *
 * All steps are kept with their stages; or states only, some of them, and the steps between two of these are run again when the backward solve comes there.
 * SciML's interpolating adjoint: C. Rackauckas et al., Universal Differential Equations for Scientific Machine Learning, 2020.
 */
import { allocatingIn, OptionError, recycle, type Region } from "@dydt/tensor";
import type { ContinuousAdjoint } from "../adjoint.js";
import { eventful } from "../events.js";
import type { Problem, ReverseStats } from "../problem.js";
import type { DenseStep, EmbeddedStep, Leaves, Step } from "../step.js";
import type { StateAt, States } from "./adjoint-equation.js";
import { checkBackward, requireFirstOrder, type BackwardOptions } from "./backward-options.js";
import { differentiatedBy } from "./continuous.js";
import { solveForward, type Forward } from "./forward-run.js";
import { betweenSteps, requireDense, runAgain, type Rerun } from "./kept-steps.js";
import { copies, keepFor } from "./regions.js";

/** Options of {@link denseAdjoint}. */
export interface DenseAdjointOptions<R extends Step = Step> extends BackwardOptions<R> {
  /** Keeps at most so many states, at equal numbers of steps, and runs the steps between them again. Default: every step is kept with its stages. */
  readonly segments?: number;
}

/** A forward solve whose states can be looked up. */
export interface Lookup<R extends Step> {
  readonly forward: Forward<R>;
  readonly states: () => States;
  readonly heldBytes: () => number;
}

/** Keeps every step. */
const keepSteps = <R extends Step>(problem: Problem<R>): Lookup<R> => {
  const steps: DenseStep[] = [];
  const region = keepFor(steps);
  const forward = solveForward(problem, { place: region, look: (step) => void steps.push(requireDense(step)) });
  return { forward, heldBytes: () => region.used, states: () => ({ enter: (from, to) => betweenSteps(steps, from, to) }) };
};

/** A kept state, and where in the list of step ends it stands. */
interface Kept {
  readonly step: number;
  readonly y: Leaves;
  /** Whether an event changed the state there, so that no other one serves in its place. */
  readonly changed: boolean;
}

/** Keeps at most n states at equal distances, the first included, and those that events made: when there are too many, every other one is given up. */
const keepStates = <R extends Step>(problem: Problem<R>, n: number): Lookup<R> => {
  const owner = {};
  const region = keepFor(owner);
  let kept: Kept[] = [{ step: 0, y: problem.y0, changed: false }];
  /** How many of them count. */
  let counted = 1;
  let stride = 1;
  let count = 0;
  const look = (step: R): void => {
    requireDense(step);
    count++;
    const changed = eventful(step)?.end !== undefined;
    if (count % stride !== 0 && !changed) return;
    kept.push({ step: count, y: allocatingIn(region, () => copies(step.y1)), changed });
    if (!changed) counted++;
    while (counted > n) {
      stride *= 2;
      kept = kept.filter((state) => keepsState(state, stride, region));
      counted = kept.filter(({ changed }) => !changed).length;
    }
  };
  const forward = solveForward(problem, { look });
  return { forward, heldBytes: () => (void owner, region.used), states: () => runningAgain(forward, kept) };
};

const keepsState = ({ step, y, changed }: Kept, stride: number, region: Region): boolean => {
  if (changed || step % stride === 0) return true;
  for (const leaf of y) if (leaf.region === region) recycle(leaf);
  return false;
};

/** Looks up states by running the steps between kept ones again; the last two stretches that were needed are at hand. */
const runningAgain = <R extends Step>({ problem, times }: Forward<R>, kept: readonly Kept[]): States => {
  let advanced = 0;
  let atHand: readonly { readonly from: number; readonly rerun: Rerun }[] = [];
  const segment = (from: number): readonly DenseStep[] => {
    const found = atHand.find((one) => one.from === from);
    if (found !== undefined) return found.rerun.steps;
    const first = kept[from]!.step;
    const last = kept[from + 1]?.step ?? times.length - 1;
    const rerun = runAgain(problem, times.slice(first, last + 1), kept[from]!.y);
    advanced += last - first;
    atHand.slice(1).forEach(({ rerun: { region } }) => region.close());
    atHand = [{ from, rerun }, ...atHand.slice(0, 1)];
    return rerun.steps;
  };
  const forwards = times[times.length - 1]! >= times[0]!;
  const startOf = ({ step }: Kept): number => times[step]!;
  return {
    enter: (from, to): StateAt => {
      const [low, high] = from < to ? [from, to] : [to, from];
      let found: { readonly which: number; readonly at: StateAt } | undefined;
      return (t) => {
        // The last kept state before t in the order of the solve, of those whose stretch reaches into this one.
        let which = kept.length - 1;
        const begins = (time: number): boolean => (forwards ? time <= t && time < high : time >= t && time > low);
        while (which > 0 && (!begins(startOf(kept[which]!)) || startOf(kept[which]!) === times[times.length - 1])) which--;
        if (found?.which !== which) found = { which, at: betweenSteps(segment(which), from, to) };
        return found.at(t);
      };
    },
    report: (): Partial<ReverseStats> => {
      atHand.forEach(({ rerun: { region } }) => region.close());
      atHand = [];
      return { advanced };
    },
  };
};

/** The forward solve of {@link denseAdjoint} and its relatives. */
export const lookUp = <R extends Step>(problem: Problem<R>, segments: number | undefined): Lookup<R> =>
  segments === undefined ? keepSteps(problem) : keepStates(problem, segments);

/** @throws OptionError for a number of segments that is none. */
export const checkSegments = (name: string, segments: number | undefined): void => {
  if (segments !== undefined && !(Number.isInteger(segments) && segments >= 1))
    throw new OptionError(`${name} got segments = ${String(segments)}: a positive whole number is needed`);
};

/**
 * The continuous adjoint with the state from the dense output of the forward solve: nothing is solved for again, so there is no drift.
 *
 * Its gradient is that of the exact solution, to about the tolerances. Memory: every step with its stages; with `segments: n` at most n states and the steps
 * between two of them, which are run once more. Needs a solver with dense output.
 *
 * @throws OptionError for options that are not known; IncompatibleError for steps without dense output.
 * @example
 * const k = tensor(-0.5);
 * const slope = gradient((rate: Tensor) =>
 *   solve((t, y) => y.mul(rate), tensor([1]), { t0: 0, t1: 2, adjoint: denseAdjoint({ segments: 4 }) }).y1.sum(),
 * )(k);
 * expectClose(slope, 2 * 0.36787944117144233, { rtol: 1e-5 });
 */
export const denseAdjoint = <R extends Step = EmbeddedStep>(options: DenseAdjointOptions<R> = {}): ContinuousAdjoint<DenseStep> => {
  checkBackward("denseAdjoint", options, ["segments"]);
  checkSegments("denseAdjoint", options.segments);
  return Object.freeze({
    name: "denseAdjoint",
    differentiates: "flow" as const,
    events: true,
    solve: (problem) => {
      const found = lookUp(problem, options.segments);
      requireFirstOrder("denseAdjoint", options, problem.solver);
      return differentiatedBy({ name: "denseAdjoint", options: options as unknown as BackwardOptions, ...found });
    },
  } satisfies ContinuousAdjoint<DenseStep>);
};
