/**
 * @file A solve as a chain of states that a checkpoint schedule can reverse.
 *
 * The working state is y, with the carry of solvers whose carry is a part of the state; where stages are kept, also the step that ended there. How the chain goes
 * forward and back differs between the forward solve and the reverse: that is its mode.
 */
import type { Chain, Kept } from "@dydt/autodiff";
import type { Problem } from "../problem.js";
import { heapCopies, type Leaves, type Step } from "../step.js";
import type { CheckpointStore } from "./checkpoint-store.js";
import type { Ended } from "./stages.js";
import type { WorkingState } from "./replay.js";

/** A state that was reached, with the step that ended there where that is kept. */
export interface Reached extends WorkingState {
  readonly ended?: Ended | undefined;
}

/** What a step forward, and a step back, mean just now. */
export interface ChainMode {
  /** Runs step j on the working state and sets the new one. */
  readonly advance: (step: number) => void;
  /** Reverses step j from its beginning; `ended` where it is the step that ended at the working state. */
  readonly reverse: (step: number, before: WorkingState, ended: Ended | undefined) => void;
}

/** A chain with its working state. */
export interface SolveChain extends Chain {
  /** Whether states are reached with the step that ended there. */
  readonly keepsStages: boolean;
  readonly working: () => Reached;
  readonly setWorking: (state: Reached) => void;
  readonly setMode: (mode: ChainMode) => void;
}

/** The chain of a problem, at its first state. */
export const createChain = <R extends Step>({ y0 }: Problem<R>, store: CheckpointStore, first: WorkingState, keepsStages = false): SolveChain => {
  let working: Reached = first;
  /** The stored state whose leaves the working state is made of. */
  let origin: number | undefined;
  let mode: ChainMode = { advance: () => undefined, reverse: () => undefined };
  const stored = new Map<number, Kept>();
  const width = y0.length + (first.carry?.length ?? 0);

  const leavesOf = ({ y, carry }: WorkingState): Leaves => [...y, ...(carry ?? [])];
  const stateOf = (leaves: Leaves): WorkingState => ({
    y: leaves.slice(0, y0.length),
    carry: first.carry === undefined ? undefined : leaves.slice(y0.length),
  });
  const withStages = ({ ended, ...state }: Reached): Leaves => [
    ...leavesOf(state),
    ...(ended === undefined ? [] : [...leavesOf(ended.before), ...ended.slopes.flat()]),
  ];
  const reachedOf = (leaves: Leaves): Reached => {
    const slopes: Leaves[] = [];
    for (let i = 2 * width; i < leaves.length; i += y0.length) slopes.push(leaves.slice(i, i + y0.length));
    return { ...stateOf(leaves.slice(0, width)), ended: { before: stateOf(leaves.slice(width, 2 * width)), slopes } };
  };
  const setWorking = (state: Reached): void => {
    working = state;
    origin = undefined;
  };

  return {
    keepsStages,
    working: () => working,
    setWorking,
    setMode: (next) => {
      mode = next;
    },
    store: (state, what, level) => {
      stored.set(state, what);
      // Where stages are kept, the initial state is free: it is the caller's, and lives as long as the recording.
      if (!(keepsStages && state === 0)) store.store(state, what === "stages" ? withStages(working) : leavesOf(working), level);
    },
    restore: (state) => {
      if (keepsStages && state === 0) return setWorking(first);
      const leaves = store.restore(state);
      setWorking(stored.get(state) === "stages" ? reachedOf(leaves) : stateOf(leaves));
      origin = state;
    },
    release: (state) => {
      if (origin === state) {
        const kept = heapCopies(withStages(working));
        setWorking(working.ended === undefined ? stateOf(kept) : reachedOf(kept));
      }
      stored.delete(state);
      store.release(state);
    },
    advance: (from, to) => {
      for (let step = from; step < to; step++) mode.advance(step);
    },
    reverse: (step) => {
      mode.reverse(step, working, undefined);
      setWorking(first);
    },
    ...(keepsStages
      ? {
          reverseFromStages: (step: number) => {
            mode.reverse(step, working.ended!.before, working.ended);
            setWorking(first);
          },
        }
      : {}),
  };
};
