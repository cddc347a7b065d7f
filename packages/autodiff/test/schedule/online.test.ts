import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { advances, executeOnline, interpretSchedule, online, storeAll, withStages, type Action, type Chain, type Schedule } from "@dydt/autodiff";
import { OptionError } from "@dydt/tensor";

/** The least r with C(slots + r, slots) ≥ steps. */
const repeats = (steps: number, slots: number): number => {
  let reach = 1;
  let r = 0;
  while (reach < steps) reach = (reach * (slots + ++r)) / r;
  return r;
};

/** The actions of a schedule that goes along with a sweep that somebody else runs. */
const driven = (schedule: Schedule, steps: number): Action[] => {
  const { reached, finish, keepsStages = false } = schedule.online!();
  const actions: Action[] = [];
  const last = keepsStages ? steps : steps - 1;
  for (let state = 0; state <= last; state++) {
    if (state > 0) actions.push({ do: "advance", from: state - 1, to: state });
    actions.push(...reached(state));
  }
  return [...actions, ...finish(steps)];
};

const fail = (): never => {
  throw new Error("there is nothing to do");
};

describe("online", () => {
  const slots = [1, 2, 3, 4, 5, 6, 7, 8, 10, 13, 16, 20, 31, 50];

  test("never stores more than its slots, keeps the contract, and stays close to a schedule that knew the number of steps", () => {
    let pairs = 0;
    for (const c of slots)
      for (let n = 1; n <= 150; n++) {
        const { violations, advanced, taped } = interpretSchedule(online(c), n, c);
        expect({ violations, taped }).toEqual({ violations: [], taped: n });
        expect(advanced - (n - 1)).toBeLessThanOrEqual(repeats(n, c) * n);
        expect(advanced).toBeLessThanOrEqual((c === 2 ? 1.375 : 1.2) * advances(n, c));
        pairs++;
      }
    expect(pairs).toBeGreaterThanOrEqual(2000);
  });

  test("advances nothing twice with a slot for every step, or for every step but the last", () => {
    for (let n = 1; n <= 60; n++)
      for (const spare of [-1, 0, 1, 40]) if (n + spare > 0) expect(interpretSchedule(online(n + spare), n).advanced).toBe(n - 1);
  });

  test("is as good for long chains", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4000 }), fc.integer({ min: 1, max: 60 }), (n, c) => {
        const { violations, advanced } = interpretSchedule(online(c), n, c);
        expect(violations).toEqual([]);
        expect(advanced - (n - 1)).toBeLessThanOrEqual(repeats(n, c) * n);
        expect(advanced).toBeLessThanOrEqual(1.375 * advances(n, c));
      }),
      { numRuns: 60 },
    );
  });

  test("does the same whether it is told the number of steps or not, with states and with stages", () => {
    for (const schedule of [online(1), online(3), online(7), storeAll(), withStages(online(3)), withStages(storeAll())])
      for (const n of [1, 2, 5, 30]) {
        const keepsStages = schedule.keepsStages === true;
        const told = interpretSchedule(schedule, n);
        const untold = interpretSchedule(
          Object.assign(() => driven(schedule, n), { keepsStages }),
          n,
        );
        expect(untold).toEqual(told);
        expect(untold.violations).toEqual([]);
      }
  });

  test("chooses anew for each reversal", () => {
    const schedule = online(3);
    expect([...schedule(40)]).toEqual([...schedule(40)]);
    const [first, second] = [schedule.online!(), schedule.online!()];
    for (let state = 0; state < 20; state++) expect([...first.reached(state)]).toEqual([...second.reached(state)]);
  });

  test("has nothing to do for a chain of no steps", () => {
    expect([...online(3)(0)]).toEqual([]);
  });

  test.each([online(1), online(3), storeAll(), withStages(online(1)), withStages(online(3)), withStages(storeAll())])(
    "leaves nothing stored where a chain ends as it begins (%#)",
    (schedule) => {
      for (const steps of [0, 1, 4]) {
        const stored = new Set<number>();
        const reversed: number[] = [];
        const chain: Chain = {
          store: (state) => void stored.add(state),
          restore: () => undefined,
          release: (state) => void stored.delete(state),
          advance: () => undefined,
          reverse: (step) => void reversed.push(step),
          reverseFromStages: (step) => void reversed.push(step),
        };
        const execution = executeOnline(schedule.online!(), chain);
        const last = schedule.keepsStages === true ? steps : steps - 1;
        for (let state = 0; state <= last; state++) execution.reached(state);
        execution.finish(steps);
        expect([...stored]).toEqual([]);
        expect(reversed).toEqual(Array.from({ length: steps }, (_, i) => steps - 1 - i));
      }
      executeOnline(schedule.online!(), { store: fail, restore: fail, release: fail, advance: fail, reverse: fail, reverseFromStages: fail }).finish(
        0,
      );
    },
  );

  test.each([0, -3, 1.5, NaN, Infinity])("refuses %s slots", (c) => {
    expect(() => online(c)).toThrow(OptionError);
  });
});
