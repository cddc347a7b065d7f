/**
 * @file A solve as a chain of states that a checkpoint schedule can reverse.
 *
 * The working state is y, with the carry of solvers whose carry is a part of the state. How the chain goes forward and back differs between the forward solve
 * and the reverse: that is its mode.
 */
import type { Chain } from "@dydt/autodiff";
import { allocatingIn, copy, heap } from "@dydt/tensor";
import type { Problem } from "../problem.js";
import type { Leaves, Step } from "../step.js";
import type { CheckpointStore } from "./checkpoint-store.js";
import type { WorkingState } from "./taped-step.js";

/** What a step forward, and a step back, mean just now. */
export interface ChainMode {
  /** Runs step j on the working state and sets the new one. */
  readonly advance: (step: number) => void;
  readonly reverse: (step: number) => void;
}

/** A chain with its working state. */
export interface SolveChain extends Chain {
  readonly working: () => WorkingState;
  readonly setWorking: (state: WorkingState) => void;
  readonly setMode: (mode: ChainMode) => void;
  /** The state that stored leaves hold. */
  readonly stateOf: (leaves: Leaves) => WorkingState;
}

/** Copies on the heap. */
export const keepOnHeap = (leaves: Leaves): Leaves => allocatingIn(heap, () => leaves.map((leaf) => copy(leaf)));

/** The chain of a problem, at its first state. */
export const createChain = <R extends Step>({ solver, y0 }: Problem<R>, store: CheckpointStore, first: WorkingState): SolveChain => {
  let working = first;
  let mode: ChainMode = { advance: () => undefined, reverse: () => undefined };
  const stateOf = (leaves: Leaves): WorkingState => ({
    y: leaves.slice(0, y0.length),
    carry: solver.carries === "state" ? leaves.slice(y0.length) : undefined,
  });
  return {
    working: () => working,
    setWorking: (state) => {
      working = state;
    },
    setMode: (next) => {
      mode = next;
    },
    stateOf,
    store: (state) => store.store(state, [...working.y, ...(working.carry ?? [])]),
    restore: (state) => {
      working = stateOf(store.restore(state));
    },
    release: (state) => store.release(state),
    advance: (from, to) => {
      for (let step = from; step < to; step++) mode.advance(step);
    },
    reverse: (step) => mode.reverse(step),
  };
};
