/**
 * @file The schedule that keeps every state: N stored, no step run twice without a tape.
 */
import { requireWhole, type Action, type Schedule } from "./schedule.js";

/**
 * Reverses a chain with the state before every step stored on the way: the fastest schedule, and the default.
 *
 * Memory: one state a step. Cost: each step taped once, and none advanced beyond the first sweep.
 * Not recommended when the states of a long solve do not fit in memory: `revolve(slots)` keeps as many as one wants.
 *
 * Where the number of steps is not known beforehand it stores during the first sweep all the same.
 *
 * @returns a schedule; it throws OptionError for a number of steps that is not a whole number.
 * @example
 * const stored = [...storeAll()(3)].filter((action) => action.do === "store").length;
 * if (stored !== 3) throw new Error("a state was not kept");
 */
export const storeAll = (): Schedule =>
  Object.assign(
    function* (steps: number): Generator<Action> {
      requireWhole(steps, 0, "the number of steps to be reversed");
      for (let state = 0; state < steps; state++) {
        if (state > 0) yield { do: "advance", from: state - 1, to: state };
        yield { do: "store", state };
      }
      yield* backward(steps);
    },
    { online: () => ({ reached: (state: number): Iterable<Action> => [{ do: "store", state }], finish: backward }), wider: storeAll },
  );

/** Every step from the last to the first, each from its own stored state; the last one is at hand. */
function* backward(steps: number): Generator<Action> {
  for (let step = steps - 1; step >= 0; step--) {
    if (step < steps - 1) yield { do: "restore", state: step };
    yield { do: "reverse", step };
    yield { do: "release", state: step };
  }
}
