/**
 * @file Tensors on the slow level: states under their numbers in one reversal, lists of arrays under numbers of their own in the storage.
 */
import { copy, elementsOf, allocatingIn, heap, isCarried, wrap, type Tensor } from "@dydt/tensor";
import { memoryStorage, type CheckpointStorage } from "./storage.js";

/** States of one reversal on the slow level. */
export interface SlowLevel {
  readonly has: (state: number) => boolean;
  readonly store: (state: number, leaves: readonly Tensor[]) => void;
  /** The state, on the heap. */
  readonly restore: (state: number) => readonly Tensor[];
  readonly release: (state: number) => void;
  /** Releases all. */
  readonly close: () => void;
}

/** A state in the storage, or, where a forward mode carries something along with it, here. */
type Kept = { readonly key: number; readonly like: readonly Pick<Tensor, "shape" | "dtype">[] } | { readonly leaves: readonly Tensor[] };

let lastKey = 0;
const forgotten = new FinalizationRegistry<() => void>((close) => close());

/**
 * States on the slow level of a schedule.
 *
 * A state with which a forward mode carries something along stays in memory: that would be lost on the way through the storage.
 *
 * @param storage - what holds them; default one in memory. Everything is deleted from it with the last release, by `close`, or when nobody can ask for it.
 */
export const slowLevel = (storage: CheckpointStorage = memoryStorage()): SlowLevel => {
  const states = new Map<number, Kept>();
  const release = (state: number): void => {
    const kept = states.get(state);
    if (kept !== undefined && "key" in kept) storage.delete(kept.key);
    states.delete(state);
  };
  const close = (): void => [...states.keys()].forEach(release);
  const level: SlowLevel = Object.freeze({
    has: (state: number) => states.has(state),
    store: (state: number, leaves: readonly Tensor[]) => {
      if (leaves.some(isCarried)) {
        states.set(state, { leaves: allocatingIn(heap, () => leaves.map((leaf) => copy(leaf))) });
        return;
      }
      const key = ++lastKey;
      storage.put(
        key,
        leaves.map((leaf) => elementsOf(leaf).slice()),
      );
      states.set(state, { key, like: leaves.map(({ shape, dtype }) => ({ shape, dtype })) });
    },
    restore: (state: number) => {
      const kept = states.get(state)!;
      if ("leaves" in kept) return kept.leaves;
      return storage.get(kept.key).map((array, i) => wrap(array, kept.like[i]!.shape, kept.like[i]!.dtype));
    },
    release,
    close,
  });
  forgotten.register(level, close);
  return level;
};
