/**
 * @file Where checkpoints lie: one region, whose blocks are used again, every byte counted.
 */
import { allocatingIn, closeWithOwner, copy, createRegion, currentRegion, heap, recycle } from "@dydt/tensor";
import type { Leaves } from "../step.js";

/** The place of the state before the last step, which stays at hand between the forward solve and the reverse. */
export const atHand = -1;

/** Keeps states under their numbers. */
export interface CheckpointStore {
  readonly store: (state: number, leaves: Leaves) => void;
  /** The stored leaves themselves, valid until they are released. @throws RangeError when there are none. */
  readonly restore: (state: number) => Leaves;
  readonly release: (state: number) => void;
  /** Bytes in use. */
  readonly used: () => number;
  /** Gives all memory back. */
  readonly close: () => void;
}

/**
 * An empty store. It is closed with the region that is open now, which holds the recording it serves, or when it is collected.
 */
export const createCheckpointStore = (): CheckpointStore => {
  const region = createRegion("store");
  const states = new Map<number, Leaves>();
  const store: CheckpointStore = Object.freeze({
    store: (state: number, leaves: Leaves) => {
      states.set(
        state,
        allocatingIn(region, () => leaves.map((leaf) => copy(leaf))),
      );
    },
    restore: (state: number) => {
      const leaves = states.get(state);
      if (leaves === undefined) throw new RangeError(`state ${state} is not stored`);
      return leaves;
    },
    release: (state: number) => {
      states.get(state)?.forEach((leaf) => recycle(leaf));
      states.delete(state);
    },
    used: () => region.used,
    close: () => {
      states.clear();
      region.close();
    },
  });
  const owner = currentRegion();
  if (owner === heap) closeWithOwner(store, region);
  else owner.adopt(region);
  return store;
};
