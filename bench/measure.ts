/**
 * @file Times of several libraries that can be compared on a machine which is never quiet.
 *
 * Each library runs in batches of some milliseconds. A round has one batch of every library, the order turned by one from round to round, so that a slow moment of
 * the machine meets all of them; the median over the rounds is reported.
 */
import { MismatchError } from "./workloads.js";

/** One library with something to do. */
export interface Contender {
  readonly library: string;
  /** Does it once; synchronous. */
  readonly run: () => void;
  /** Called before each batch, when the library must be made ready for it. */
  readonly prepare?: (() => Promise<void>) | undefined;
  /** A number that all libraries must agree on, such as the norm of the result. */
  readonly result?: (() => number) | undefined;
}

/** How long to measure. */
export interface Effort {
  readonly rounds: number;
  /** The length of a batch, in milliseconds; at least one run. */
  readonly batch: number;
  /** Runs before the first batch, so that the machine code is there; less where they take more than so many milliseconds. */
  readonly warmUp: { readonly runs: number; readonly ms: number };
}

/** Enough for a table. */
export const thorough: Effort = { rounds: 15, batch: 10, warmUp: { runs: 20_000, ms: 2000 } };
/** Enough to see a factor of two. */
export const quick: Effort = { rounds: 5, batch: 4, warmUp: { runs: 3000, ms: 800 } };

/** The middle of a list, or the mean of the two in the middle. */
export const medianOf = (list: readonly number[]): number => {
  const sorted = list.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
};

/** Runs until it is warm, and gives the milliseconds of the fastest run. */
const warmUp = async ({ run, prepare }: Contender, { warmUp: { runs, ms } }: Effort): Promise<number> => {
  await prepare?.();
  const start = performance.now();
  let fastest = Infinity;
  let before = start;
  for (let i = 0; i < runs && before - start <= ms; i++) {
    run();
    const now = performance.now();
    fastest = Math.min(fastest, now - before);
    before = now;
  }
  return fastest;
};

/** @throws MismatchError when the libraries did not compute the same. */
const requireSameResults = async (what: string, contenders: readonly Contender[]): Promise<void> => {
  const [first] = contenders;
  const expected = first?.result?.();
  if (expected === undefined) return;
  for (const { library, prepare, result } of contenders) {
    await prepare?.();
    const value = result?.();
    if (value !== undefined && !(Math.abs(value - expected) <= 1e-4 * Math.abs(expected)))
      throw new MismatchError(`${what}: ${library} has the result ${value} where ${first?.library} has ${expected}`);
  }
};

/**
 * Measures libraries against each other.
 *
 * @param what - named in messages.
 * @returns the median milliseconds of one run, by library.
 * @throws MismatchError when they do not agree on the result.
 */
export const measure = async (what: string, contenders: readonly Contender[], effort: Effort): Promise<ReadonlyMap<string, number>> => {
  await requireSameResults(what, contenders);
  const runs: number[] = [];
  for (const contender of contenders) runs.push(Math.max(1, Math.ceil(effort.batch / (await warmUp(contender, effort)))));
  const times = contenders.map((): number[] => []);
  for (let round = 0; round < effort.rounds; round++)
    for (let turn = 0; turn < contenders.length; turn++) {
      const which = (turn + round) % contenders.length;
      const { run, prepare } = contenders[which]!;
      await prepare?.();
      const start = performance.now();
      for (let i = 0; i < runs[which]!; i++) run();
      times[which]!.push((performance.now() - start) / runs[which]!);
    }
  return new Map(contenders.map(({ library }, i) => [library, medianOf(times[i]!)]));
};
