/**
 * @file Checkpointing for a number of steps that is not known beforehand.
 *
 * The states s₀ = 0 < s₁ < … < s_{m−1} are stored. Were the chain to end now, after n steps, the stretches between them would be reversed from the last to the
 * first, each by the binomial schedule with the slots that are free by then,
 *
 *   cost = Σ_k t(s_{k+1} − s_k, c − k),        t as in revolve.ts,  s_m = n.
 *
 * So each new state, once all c slots are taken, takes the place of the stored state whose loss makes that cost least; of equally good ones the first. That is
 * the question of Q. Wang, P. Moin, G. Iaccarino, SIAM J. Sci. Comput. 31(4), 2009, 2549–2567, who answer it by levels; counting the cost itself
 * needs O(c) sums of a few terms a step and comes closer to the optimum: at most 1.375 times the advances of a schedule that knew n (two slots, six steps),
 * 1.2 from three slots on and 1.05 from twenty on, where levels need up to 1.5 (n to 20,000).
 */
import { fewestAdvances, reverseStretch } from "./revolve.js";
import { requireWhole, type Action, type OnlineSchedule, type Schedule } from "./schedule.js";

/**
 * Reverses a chain whose number of steps turns out on the way, such as an adaptive solve, with at most `slots` stored states, the initial one included.
 *
 * It stores during the first sweep, so that no second one is needed. Memory: `slots` states. Cost beyond the first sweep: at most r n advances, r the least with
 * C(slots + r, slots) ≥ n; with `slots >= n` none. Choosing costs O(slots) numbers a step.
 *
 * Not recommended where the number of steps is known: {@link revolve} needs fewer advances.
 *
 * @param slots - how many states may be kept at a time; at least 1.
 * @returns a schedule; with a known number of steps it does the same.
 * @throws OptionError when `slots` is not a positive whole number.
 * @example
 * const adjoint = discreteAdjoint({ checkpoints: online(4) });
 * const slope = gradient((rate: Tensor) => solve((t, y) => y.mul(rate), tensor([1]), { t0: 0, t1: 2, adjoint }).y1.sum())(tensor(-0.5));
 * expectClose(slope, 2 * 0.36787944117144233, { rtol: 1e-5 });
 */
export const online = (slots: number): Schedule => {
  requireWhole(slots, 1, "the number of slots of online");
  const schedule = function* (steps: number): Generator<Action> {
    requireWhole(steps, 0, "the number of steps to be reversed");
    if (steps === 0) return;
    const { reached, finish } = begin(slots);
    for (let state = 0; state < steps; state++) {
      if (state > 0) yield { do: "advance", from: state - 1, to: state };
      yield* reached(state);
    }
    yield* finish(steps);
  };
  return Object.assign(schedule, { online: () => begin(slots), wider: () => online(slots + 1) });
};

const begin = (slots: number): OnlineSchedule => {
  const stored: number[] = [];
  return {
    reached: function* (state) {
      const place = stored.length < slots ? stored.length : leastMissed(stored, state, slots);
      if (place === undefined) return;
      if (place < stored.length) yield { do: "release", state: stored[place]! };
      stored.splice(place, 1);
      yield { do: "store", state };
      stored.push(state);
    },
    finish: function* (steps) {
      if (steps === 0) return;
      yield { do: "reverse", step: steps - 1 };
      let high = steps - 1;
      for (let k = stored.length - 1; k >= 0; k--) {
        const low = stored[k]!;
        if (low === high) yield { do: "release", state: low };
        else {
          yield { do: "restore", state: low };
          yield* reverseStretch(low, high, slots - k);
        }
        high = low;
      }
    },
  };
};

/** The place of the stored state to be given up for state `end`, the newest; undefined to keep them all. The initial state is never given up. */
const leastMissed = (stored: readonly number[], end: number, slots: number): number | undefined => {
  const last = stored.length - 1;
  const length = (k: number): number => (stored[k + 1] ?? end) - stored[k]!;
  // Costs of the stretches before k as they are, and of those from k on with one slot more, since one state before them is given up.
  const before = [0];
  for (let k = 0; k < last; k++) before.push(before[k]! + fewestAdvances(length(k), slots - k));
  // If the newest is not stored: it is at hand still, and the last stretch up to it has one slot.
  let least = before[last]! + fewestAdvances(length(last), slots - last);
  let place: number | undefined;
  let after = 0;
  for (let k = last; k >= 1; k--) {
    const merged = (stored[k + 1] ?? end) - stored[k - 1]!;
    const cost = before[k - 1]! + fewestAdvances(merged, slots - k + 1) + after;
    if (cost <= least) [least, place] = [cost, k];
    after += fewestAdvances(length(k), slots - k + 1);
  }
  return place;
};
