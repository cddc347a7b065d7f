/**
 * @file Where checkpoints lie: one region, whose blocks are used again, every byte counted; and the slow level of schedules that have one.
 */
import { slowLevel, type CheckpointStorage, type Level, type SlowLevel } from "@dydt/autodiff";
import { allocatingIn, carriedAlong, recycle } from "@dydt/tensor";
import type { Leaves } from "../step.js";
import { copies, keepFor } from "./regions.js";

/** The place of the state before the last step, which stays at hand between the forward solve and the reverse. */
export const atHand = -1;

/** Keeps states under their numbers. */
export interface CheckpointStore {
  readonly store: (state: number, leaves: Leaves, level?: Level) => void;
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
 *
 * @param storage - what holds the slow level; default memory.
 */
export const createCheckpointStore = (storage?: CheckpointStorage): CheckpointStore => {
  const states = new Map<number, Leaves>();
  const region = keepFor(states); // known to the store alone, and so collected with it
  let slow: SlowLevel | undefined; // made when it is wanted: most schedules have one level
  return Object.freeze({
    store: (state: number, leaves: Leaves, level: Level = "ram") => {
      if (level === "slow") (slow ??= slowLevel(storage)).store(state, leaves);
      else
        states.set(
          state,
          allocatingIn(region, () => copies(leaves)),
        );
    },
    restore: (state: number) => {
      const leaves = slow?.has(state) === true ? slow.restore(state) : states.get(state);
      if (leaves === undefined) throw new RangeError(`state ${state} is not stored`);
      return leaves;
    },
    release: (state: number) => {
      slow?.release(state);
      // With each copy what forward modes carry along with it was copied to here as well.
      for (const leaf of states.get(state) ?? []) for (const one of new Set([leaf, ...carriedAlong(leaf)])) if (one.region === region) recycle(one);
      states.delete(state);
    },
    used: () => region.used,
    close: () => {
      slow?.close();
      states.clear();
      region.close();
    },
  });
};
