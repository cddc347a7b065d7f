/**
 * @file The slow level of checkpointing: a place for arrays that are wanted seldom, such as a disk, and one in memory.
 */
import { OptionError, type TypedArray } from "@dydt/tensor";

/**
 * Keeps lists of arrays under numbers.
 *
 * **Contract.** A number names one list at a time, and is never used again after it was deleted, by any solve: one storage may serve many. The arrays given to
 * `put` are the storage's own from then on. `get` gives what was put, bit for bit, any number of times. All are synchronous. Deleting what is not there does
 * nothing.
 *
 * **Example.** One that keeps float64 states in files would write `arrays` in `put` and read them in `get`; this one counts:
 *
 * @example
 * const inner = memoryStorage();
 * let written = 0;
 * const counting: CheckpointStorage = { ...inner, put: (key, arrays) => (written++, inner.put(key, arrays)) };
 * const field = (rate: Tensor) => (_t: Tensor, y: Tensor) => y.mul(rate);
 * const checkpoints = multistage({ ram: 2, slow: { slots: 2, storage: counting } });
 * const settings = { t0: 0, t1: 1, controller: fixedSteps(20), adjoint: discreteAdjoint({ checkpoints }) };
 * gradient((rate: Tensor) => solve(field(rate), tensor([1]), settings).y1.sum())(tensor(-1));
 * if (written === 0) throw new Error("nothing was put on the slow level");
 */
export interface CheckpointStorage {
  /** Keeps a list of arrays under a number that is not in use. */
  readonly put: (key: number, arrays: readonly TypedArray[]) => void;
  /** The arrays under a number. */
  readonly get: (key: number) => readonly TypedArray[];
  /** Forgets them. */
  readonly delete: (key: number) => void;
}

/**
 * A {@link CheckpointStorage} in the memory that JavaScript collects: for tests, and as a pattern for others.
 *
 * @returns an empty storage. `get` throws OptionError for a number that is not in use.
 * @example
 * const storage = memoryStorage();
 * storage.put(7, [new Float64Array([1, 2])]);
 * expectClose(storage.get(7)[0]!, [1, 2]);
 * storage.delete(7);
 */
export const memoryStorage = (): CheckpointStorage => {
  const kept = new Map<number, readonly TypedArray[]>();
  return Object.freeze({
    put: (key: number, arrays: readonly TypedArray[]) => void kept.set(key, arrays),
    get: (key: number) => {
      const arrays = kept.get(key);
      if (arrays === undefined) throw new OptionError(`the storage has nothing under ${key}`);
      return arrays;
    },
    delete: (key: number) => void kept.delete(key),
  });
};
