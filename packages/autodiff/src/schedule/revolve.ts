/**
 * @file Binomial checkpointing for a known number of steps.
 *
 * With s stored states and no step advanced more than r times, β(s, r) = C(s + r, s) steps can be reversed, and no schedule does better.
 * The fewest advances for n steps are
 *
 *   t(n, s) = r n − C(s + r, r − 1) = Σ_{j<r} (n − β(s, j)),        r the least with β(s, r) ≥ n:
 *
 * all but β(s, j) steps are advanced more than j times. The sum needs no number larger than its result.
 *
 * A. Griewank, A. Walther, Algorithm 799: revolve, ACM TOMS 26(1), 2000; eqs. 2 and 4, and the placement rule of p. 34.
 */
import { requireWhole, type Action, type Schedule } from "./schedule.js";

/**
 * Reverses a chain with at most `slots` stored states, the initial one included, advancing as few steps as possible.
 *
 * Memory: `slots` states. Cost: {@link advances}`(steps, slots)` advances, the first sweep included, each step then taped once.
 * Of all schedules that advance so little it stores least often. The actions are made as they are asked for, and the numbers of the stored
 * states are all that is remembered in between.
 *
 * @param slots - how many states may be kept at a time; at least 1. With `slots >= steps` nothing is advanced twice.
 * @returns a schedule; it throws OptionError for a number of steps that is not a whole number.
 * @throws OptionError when `slots` is not a positive whole number.
 * @example
 * const sweeps = [...revolve(2)(3)].flatMap((action) => (action.do === "advance" ? [`${action.from} to ${action.to}`] : []));
 * if (sweeps.join() !== "0 to 1,1 to 2") throw new Error("advanced more than needed");
 */
export const revolve = (slots: number): Schedule => {
  requireWhole(slots, 1, "the number of slots of revolve");
  const schedule = function* (steps: number): Generator<Action> {
    requireWhole(steps, 0, "the number of steps to be reversed");
    if (steps === 0) return;
    yield { do: "store", state: 0 };
    yield* reverseStretch(0, steps, slots);
  };
  return Object.assign(schedule, { wider: () => revolve(slots + 1) });
};

/**
 * Reverses the steps `low`, …, `high - 1` of a chain with as few advances as possible, and releases state `low`.
 *
 * State `low` is stored, counts as one of the slots, and is the working state.
 */
export function* reverseStretch(low: number, high: number, slots: number): Generator<Action> {
  const stored = [low];
  let working = low;
  for (let step = high - 1; step >= low; step--) {
    // The free slots go between the newest stored state and the step; then nothing is left but to walk up to it.
    while (step > working && stored.length < slots) {
      const state = working + firstStretch(step + 1 - working, slots + 1 - stored.length);
      yield { do: "advance", from: working, to: state };
      if (state < step) {
        yield { do: "store", state };
        stored.push(state);
      }
      working = state;
    }
    if (step > working) yield { do: "advance", from: working, to: step };
    yield { do: "reverse", step };

    // A state before a reversed step has served.
    if (stored.at(-1) === step) {
      yield { do: "release", state: step };
      stored.pop();
    }
    working = stored.at(-1) ?? low;
    if (step > low) yield { do: "restore", state: working };
  }
}

/**
 * The fewest steps that any schedule runs without a tape to reverse a chain, t(n, s), and those that {@link revolve} runs.
 *
 * The first sweep counts, the taped run of each step does not: `advances(steps, slots) - (steps - 1)` is what comes on top of a forward solve
 * that stored as it went. Exact while the result is below 2⁵³. Cost: O(r), or O(1) with one slot.
 *
 * @param steps - the length of the chain, n; at least 0.
 * @param slots - how many states may be kept at a time, s, the initial one included; at least 1.
 * @returns the number of advances.
 * @throws OptionError when either is not a whole number in its range.
 * @example
 * if (advances(100, 5) !== 316) throw new Error("not the binomial optimum");
 */
export const advances = (steps: number, slots: number): number => {
  requireWhole(steps, 0, "the number of steps to be reversed");
  requireWhole(slots, 1, "the number of slots");
  return fewestAdvances(steps, slots);
};

/** The same of numbers that are whole. */
export const fewestAdvances = (steps: number, slots: number): number => {
  if (steps <= slots + 1) return Math.max(0, steps - 1);
  if (slots === 1) return (steps * (steps - 1)) / 2;
  let total = 0;
  // β(s, r + 1) = β(s, r) (s + r + 1) / (r + 1), in whole numbers as long as it matters.
  for (let repeats = 0, reach = 1; reach < steps; repeats++) {
    total += steps - reach;
    const product = reach * (slots + repeats + 1);
    reach = product > Number.MAX_SAFE_INTEGER ? Infinity : product / (repeats + 1);
  }
  return total;
};

/**
 * How far to advance from the newest stored state before the next one is stored: the rule of p. 34 for `steps` steps from there
 * and `slots` states, the newest included. Of all places with the fewest advances it takes one with the fewest stores. Its
 * bounds are written with β(s, t) − β(s−3, t) = β(s, t−1) + β(s−1, t−1) + β(s−2, t−1), so that no number is larger than 3 n.
 */
const firstStretch = (steps: number, slots: number): number => {
  if (slots >= steps - 1) return 1;
  let t = 2;
  while (reversible(slots, t) < steps) t++;

  const whole = reversible(slots, t - 1);
  const right = reversible(slots - 1, t - 1);
  const next = reversible(slots - 2, t - 1);
  if (steps <= whole + next) return reversible(slots, t - 2);
  if (steps >= whole + right + next) return whole;
  return steps - right - next;
};

/** β(s, r) = C(s + r, s), the steps that s states and r advances of each step can reverse; Infinity where the product leaves the exact integers. */
const reversible = (slots: number, repeats: number): number => {
  const [few, many] = slots < repeats ? [slots, repeats] : [repeats, slots];
  let count = 1;
  for (let i = 1; i <= few; i++) {
    const product = count * (many + i);
    if (product > Number.MAX_SAFE_INTEGER) return Infinity;
    count = product / i;
  }
  return count;
};
