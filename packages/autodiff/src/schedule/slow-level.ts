/**
 * @file Tensors on the slow level: states under their numbers in one reversal, lists of arrays under numbers of their own in the storage.
 */
import { copy, elementsOf, allocatingIn, formatShape, heap, isCarried, OptionError, wrap, type Tensor, type TypedArray } from "@dydt/tensor";
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
type Kept = { readonly key: number; readonly like: readonly Like[] } | { readonly leaves: readonly Tensor[] };

/** What an array was put in for. */
interface Like extends Pick<Tensor, "shape" | "dtype" | "size"> {
  /** The kind of the array, whichever realm it is from. */
  readonly kind: string;
}

const kindOf = (value: unknown): string => Object.prototype.toString.call(value).slice(8, -1);

/** @throws OptionError unless these are the arrays that were put. */
const requireArrays = (found: unknown, like: readonly Like[]): readonly TypedArray[] => {
  const mustBe = "get must return, at once and not as a promise, the arrays that put was given";
  if (!Array.isArray(found)) throw new OptionError(`the storage of the slow level gave ${kindOf(found)} where a list of arrays was put: ${mustBe}`);
  like.forEach(({ shape, size, kind }, i) => {
    const one = (found as readonly (TypedArray | undefined)[])[i];
    if (kindOf(one) !== kind || one?.length !== size)
      throw new OptionError(
        `the storage of the slow level gave ${kindOf(one)}${one === undefined ? "" : ` of length ${String(one.length)}`} for a state ${formatShape(shape)} ` +
          `that was put as ${kind} of length ${size}: ${mustBe}`,
      );
  });
  return found as readonly TypedArray[];
};

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
      const arrays = leaves.map((leaf) => elementsOf(leaf).slice());
      const like = leaves.map(({ shape, dtype, size }, i) => ({ shape, dtype, size, kind: kindOf(arrays[i]) }));
      const done: unknown = storage.put(key, arrays);
      if (kindOf(done) === "Promise") throw new OptionError("the storage of the slow level gave a promise from put: it must keep the arrays at once");
      states.set(state, { key, like });
    },
    restore: (state: number) => {
      const kept = states.get(state)!;
      if ("leaves" in kept) return kept.leaves;
      const arrays = requireArrays(storage.get(kept.key), kept.like);
      return kept.like.map(({ shape, dtype }, i) => wrap(arrays[i]!, shape, dtype));
    },
    release,
    close,
  });
  forgotten.register(level, close);
  return level;
};
