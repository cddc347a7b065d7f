import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DydtError, OptionError } from "@dydt/tensor";
import { execute, type Chain } from "../../src/schedule/execute.js";
import { advances, revolve } from "../../src/schedule/revolve.js";
import { ScheduleError, type Action, type Schedule } from "../../src/schedule/schedule.js";
import { storeAll } from "../../src/schedule/store-all.js";
import { interpret } from "./interpreter.js";

const step = (i: number, x: number) => (x * 31 + i) % 1_000_003;

/** A chain of integers; `reversed` lists the steps with the working state that each one found. */
const toyChain = () => {
  const stored = new Map<number, number>();
  const seen = { x: 7 as number | undefined, ran: 0, peak: 0, reversed: [] as [step: number, x: number | undefined][] };
  const chain: Chain = {
    store: (state) => {
      stored.set(state, seen.x!);
      seen.peak = Math.max(seen.peak, stored.size);
    },
    restore: (state) => void (seen.x = stored.get(state)),
    release: (state) => void stored.delete(state),
    advance: (from, to) => {
      for (let i = from; i < to; i++) seen.x = step(i, seen.x!);
      seen.ran += to - from;
    },
    reverse: (i) => {
      seen.reversed.push([i, seen.x]);
      seen.x = undefined;
    },
  };
  return { chain, seen, stored };
};

/** The states of the toy chain from the last step to the first. */
const plainStates = (steps: number) => {
  const pairs: [number, number][] = [];
  for (let i = 0, x = 7; i < steps; x = step(i, x), i++) pairs.unshift([i, x]);
  return pairs;
};

const chainOfNothing: Chain = { store: () => {}, restore: () => {}, release: () => {}, advance: () => {}, reverse: () => {} };
const finishing = (schedule: Schedule, steps: number) => () => execute(schedule, steps, chainOfNothing).finish();

const store = (state: number): Action => ({ do: "store", state });
const restore = (state: number): Action => ({ do: "restore", state });
const release = (state: number): Action => ({ do: "release", state });
const advance = (from: number, to: number): Action => ({ do: "advance", from, to });
const reverse = (index: number): Action => ({ do: "reverse", step: index });

describe("the executor", () => {
  test("reverses every step from the state before it, under any schedule", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 200 }), fc.integer({ min: 0, max: 20 }), (steps, slots) => {
        const { chain, seen, stored } = toyChain();
        execute(slots === 0 ? storeAll() : revolve(slots), steps, chain).finish();
        expect(seen.reversed).toEqual(plainStates(steps));
        expect(seen.ran).toBe(slots === 0 ? Math.max(0, steps - 1) : advances(steps, slots));
        expect(seen.peak).toBeLessThanOrEqual(slots === 0 ? steps : slots);
        expect(stored.size).toBe(0);
      }),
    );
  });

  test("runs the first sweep in its forward phase, and leaves the state before the last step at hand", () => {
    const { chain, seen } = toyChain();
    const execution = execute(revolve(3), 50, chain);
    expect(seen.ran).toBe(0);

    execution.forward();
    expect(seen).toMatchObject({ x: plainStates(50)[0]![1], ran: 49, reversed: [] });
    execution.forward();
    expect(seen).toMatchObject({ ran: 49, reversed: [] });

    execution.finish();
    expect(seen.ran).toBe(advances(50, 3));
    expect(seen.reversed).toEqual(plainStates(50));
  });

  test("keeps the two phases of two executions of one schedule apart", () => {
    const [first, second] = [toyChain(), toyChain()];
    const schedule = revolve(2);
    const executions = [execute(schedule, 9, first.chain), execute(schedule, 14, second.chain)];
    for (const { forward } of executions) forward();
    for (const { finish } of executions) finish();
    expect(first.seen.reversed).toEqual(plainStates(9));
    expect(second.seen.reversed).toEqual(plainStates(14));
  });

  test("has nothing to do for a chain of no steps", () => {
    const { chain, seen } = toyChain();
    const execution = execute(revolve(2), 0, chain);
    execution.forward();
    execution.finish();
    expect(seen).toEqual({ x: 7, ran: 0, peak: 0, reversed: [] });
  });

  test("does not pretend to reverse twice", () => {
    const execution = execute(storeAll(), 4, chainOfNothing);
    execution.finish();
    expect(execution.finish).toThrow(DydtError);
    expect(execution.forward).toThrow("is over");
  });

  test("passes on what the chain throws, lets the schedule clean up, and is over then", () => {
    let cleaned = false;
    const schedule: Schedule = function* (steps) {
      try {
        yield* revolve(2)(steps);
      } finally {
        cleaned = true;
      }
    };
    const failure = new Error("the state is not finite");
    const execution = execute(schedule, 5, {
      ...chainOfNothing,
      advance: () => {
        throw failure;
      },
    });
    expect(execution.forward).toThrow(failure);
    expect(cleaned).toBe(true);
    expect(execution.finish).toThrow("is over");
  });

  test.each([-1, 0.5, NaN])("refuses a chain of %d steps", (steps) => {
    expect(() => execute(storeAll(), steps, chainOfNothing)).toThrow(OptionError);
  });
});

describe("a schedule that breaks its contract is refused where it does", () => {
  const unsound: [what: string, steps: number, actions: Action[], index: number, expected: string][] = [
    ["stores what is not the working state", 3, [store(1)], 0, "the working state to be stored, which is 0"],
    ["stores a state twice", 3, [store(0), store(0)], 1, "a state that is not stored yet"],
    ["stores after a reverse", 1, [reverse(0), store(0)], 1, "the working state to be stored, which is none after a reverse"],
    ["restores what is not stored", 2, [store(0), advance(0, 1), restore(1)], 2, "a stored state, of which there are [0]"],
    ["restores what is released", 2, [store(0), release(0), restore(0)], 2, "a stored state, of which there are []"],
    ["releases what is not stored", 2, [release(0)], 0, "a stored state, of which there are []"],
    ["advances from elsewhere", 4, [advance(0, 2), advance(1, 3)], 1, "an advance from the working state, which is 2"],
    [
      "advances after a reverse",
      2,
      [advance(0, 1), reverse(1), advance(0, 1)],
      2,
      "an advance from the working state, which is none after a reverse",
    ],
    ["advances by nothing", 2, [advance(0, 0)], 0, "an advance to a later state"],
    ["advances backwards", 3, [advance(0, 2), advance(2, 1)], 1, "an advance to a later state"],
    ["advances by half a step", 2, [advance(0, 0.5)], 0, "an advance to a later state"],
    ["advances over the step to be reversed", 2, [advance(0, 2)], 0, "an advance no further than state 1, from which step 1 is reversed next"],
    ["skips the last step", 3, [advance(0, 1), reverse(1)], 1, "step 2 to be reversed next"],
    ["reverses a step twice", 1, [reverse(0), reverse(0)], 1, "no reverse, since every step is reversed"],
    ["reverses from another state", 3, [advance(0, 1), reverse(2)], 1, "state 2 to be the working state, which is 1"],
    [
      "reverses with no state at hand",
      2,
      [advance(0, 1), reverse(1), reverse(0)],
      2,
      "state 0 to be the working state, which is none after a reverse",
    ],
    ["does something unheard of", 1, [{ do: "rewind" } as unknown as Action], 0, "one of store, restore, release, advance, reverse"],
  ];

  test.each(unsound)("one that %s", (_, steps, actions, index, expected) => {
    const run = finishing(() => actions, steps);
    expect(run).toThrow(ScheduleError);
    expect(run).toThrow(`the schedule broke its contract at actions[${index}], ${JSON.stringify(actions[index])}: expected ${expected}`);
    expect(run).toThrow(expect.objectContaining({ name: "ScheduleError", index, action: actions[index], expected }));
  });

  test("one that ends before every step is reversed", () => {
    const run = finishing(() => [store(0), advance(0, 2), reverse(2), restore(0), release(0)], 3);
    expect(run).toThrow("the schedule ended after 5 actions: expected step 1 to be reversed next, down to step 0");
    expect(run).toThrow(expect.objectContaining({ index: 5, action: undefined }));
    expect(finishing(() => [], 1)).toThrow(ScheduleError);
  });

  test("one that leaves states stored", () => {
    expect(finishing(() => [store(0), advance(0, 1), store(1), reverse(1), restore(0), reverse(0)], 2)).toThrow(
      "the schedule ended after 6 actions: expected every stored state to be released, also 0, 1",
    );
  });

  test("before the chain has seen the action", () => {
    const { chain, seen } = toyChain();
    const execution = execute(() => [store(0), advance(0, 1), restore(1)], 2, chain);
    expect(execution.forward).toThrow(ScheduleError);
    expect(seen).toMatchObject({ ran: 1, peak: 1, x: step(0, 7) });
  });

  test("exactly when the interpreter finds a violation, however a sound schedule is spoilt", () => {
    const place = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    const outcomes = { sound: 0, refused: 0 };
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 25 }),
        fc.integer({ min: 1, max: 6 }),
        place,
        place,
        fc.constantFrom("drop", "repeat", "swap", "keep"),
        (steps, slots, here, there, how) => {
          const actions = [...revolve(slots)(steps)];
          const [i, j] = [Math.floor(here * actions.length), Math.floor(there * actions.length)];
          if (how === "drop") actions.splice(i, 1);
          if (how === "repeat") actions.splice(j, 0, actions[i]!);
          if (how === "swap") [actions[i], actions[j]] = [actions[j]!, actions[i]!];

          const run = finishing(() => actions, steps);
          if (interpret(actions, steps).violations.length > 0) {
            outcomes.refused++;
            expect(run).toThrow(ScheduleError);
          } else {
            outcomes.sound++;
            run();
          }
        },
      ),
      { numRuns: 1000, seed: 1 },
    );
    expect(outcomes.sound).toBeGreaterThan(200);
    expect(outcomes.refused).toBeGreaterThan(400);
  });
});

test.each([revolve, storeAll, () => undefined])("a function that is no schedule is refused, and the message says to call it", (maker) => {
  const run = () => execute(maker as unknown as Schedule, 3, toyChain().chain);
  expect(run).toThrow(OptionError);
  expect(run).toThrow("where a checkpoint schedule belongs: call it, as in revolve(8) or storeAll()");
});
