import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  advances, cams, execute, interpretSchedule, multistage, online, revolve, ScheduleError, storeAll, withStages, type Chain, type Schedule,
} from "@dydt/autodiff"; // prettier-ignore
import { OptionError } from "@dydt/tensor";

/** Executions of steps beyond the forward sweep of n. */
const extra = (schedule: Schedule, n: number): number => {
  const { violations, advanced, taped, fromStages } = interpretSchedule(schedule, n);
  expect(violations).toEqual([]);
  expect(taped + fromStages).toBe(n);
  return advanced + taped - n;
};

/** E(m, s) by its recursion: s slots for stages, the initial state kept besides. */
const executions = (() => {
  const known = new Map<string, number>();
  const fewest = (m: number, s: number): number => {
    if (m === 0) return 0;
    if (s === 0) return (m * (m + 1)) / 2;
    const key = `${m},${s}`;
    let best = known.get(key);
    if (best === undefined) {
      best = m + fewest(m - 1, s);
      for (let k = 1; k <= m; k++) best = Math.min(best, k + fewest(m - k, s - 1) + fewest(k - 1, s));
      known.set(key, best);
    }
    return best;
  };
  return fewest;
})();

describe("schedules that keep stages", () => {
  test.each([
    [10, 2, 8],
    [10, 3, 6],
    [20, 3, 22],
    [20, 5, 14],
    [50, 5, 67],
    [100, 5, 184],
    [100, 10, 112],
  ])(
    // prettier-ignore
    "%i steps with %i slots: %i executions beyond the forward sweep",
    (n, c, expected) => {
      expect(extra(withStages(revolve(c)), n)).toBe(expected);
    },
  );

  test("revolve attains the optimum of dynamic programming, which is t(n + 1, c + 1), with its slots and the initial state", () => {
    for (let n = 1; n <= 60; n++)
      for (let c = 1; c <= 9; c++) {
        const optimum = executions(n, c);
        expect(advances(n + 1, c + 1)).toBe(optimum);
        expect(extra(withStages(revolve(c)), n)).toBe(optimum - n);
        expect(extra(withStages(multistage({ ram: 1, slow: c - 1 })), n)).toBe(optimum - n);
        expect(interpretSchedule(withStages(revolve(c)), n, c + 1).violations).toEqual([]);
      }
  });

  test("every schedule is sound, storeAll executes nothing again, online at most half as much again as the optimum", () => {
    for (let n = 0; n <= 70; n++) {
      expect(extra(withStages(storeAll()), n)).toBe(0);
      for (const c of [1, 2, 5, 20]) {
        expect(extra(withStages(online(c)), n) + n).toBeLessThanOrEqual(1.5 * executions(n, c));
        expect(interpretSchedule(withStages(online(c)), n, c + 1).violations).toEqual([]);
      }
    }
  });

  test("a schedule of somebody else's has a form with stages too", () => {
    const fromTheStart: Schedule = function* (steps) {
      if (steps > 0) yield { do: "store", state: 0 };
      for (let step = steps - 1; step >= 0; step--) {
        if (step < steps - 1) yield { do: "restore", state: 0 };
        if (step > 0) yield { do: "advance", from: 0, to: step };
        yield { do: "reverse", step };
      }
      if (steps > 0) yield { do: "release", state: 0 };
    };
    expect(extra(withStages(fromTheStart), 10)).toBe(45); // 10 + 9 + … + 1 executions
    expect(withStages(withStages(fromTheStart)).keepsStages).toBe(true);
  });

  test("a chain without stages refuses them", () => {
    const ignore = () => undefined;
    const chain: Chain = { store: ignore, restore: ignore, release: ignore, advance: ignore, reverse: ignore };
    expect(() => execute(withStages(revolve(2)), 5, chain)).toThrow(OptionError);
  });

  test("a chain with stages is led to each step's beginning or end", () => {
    for (const schedule of [
      withStages(revolve(3)),
      withStages(storeAll()),
      withStages(multistage({ ram: 1, slow: 2 })),
      cams({ units: 9, stages: 3 }),
    ]) {
      const stored = new Map<number, readonly [number, number | undefined]>();
      let working: readonly [number, number | undefined] = [0, undefined]; // a state, and the step that ended there
      const seen: number[] = [];
      const chain: Chain = {
        store: (state, what) => void stored.set(state, what === "stages" ? working : [working[0], undefined]),
        restore: (state) => void (working = stored.get(state)!),
        release: (state) => void stored.delete(state),
        advance: (_, to) => void (working = [to, to - 1]),
        reverse: (step) => (expect(working[0]).toBe(step), void seen.push(step)),
        reverseFromStages: (step) => (expect(working[1]).toBe(step), void seen.push(step)),
      };
      execute(schedule, 40, chain).finish();
      expect(seen).toEqual(Array.from({ length: 40 }, (_, i) => 39 - i));
    }
  });
});

describe("what is no schedule is refused, with what to write", () => {
  const nothing = [undefined, null, 3, "revolve", { slots: 3 }] as never[];
  test.each(nothing)("%j", (schedule) => {
    expect(() => withStages(schedule)).toThrow(OptionError);
    expect(() => withStages(schedule)).toThrow("withStages needs a checkpoint schedule, as storeAll() or revolve(8)");
    expect(() => interpretSchedule(schedule, 3)).toThrow("interpretSchedule needs a checkpoint schedule");
  });

  test("a schedule that was not called, and numbers of steps that are none", () => {
    for (const uncalled of [revolve, online, storeAll] as never[])
      for (const run of [() => interpretSchedule(uncalled, 3), () => [...withStages(uncalled)(3)]]) {
        expect(run).toThrow(OptionError);
        expect(run).toThrow("call it, as in revolve(8) or storeAll()");
      }
    expect(() => interpretSchedule(revolve(2), 1.5)).toThrow(OptionError);
    expect(() => cams(undefined as never)).toThrow("cams needs { units, stages }");
    expect(() => cams(undefined as never)).toThrow(OptionError);
  });
});

describe("the executor and the interpreter", () => {
  test("agree on what is sound, however a schedule that keeps stages is spoilt", () => {
    const place = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    const how = fc.constantFrom("drop", "repeat", "swap", "states", "keep");
    const ignore = () => undefined;
    const chain: Chain = { store: ignore, restore: ignore, release: ignore, advance: ignore, reverse: ignore, reverseFromStages: ignore };
    const outcomes = { sound: 0, refused: 0 };
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 25 }), fc.integer({ min: 1, max: 6 }), place, place, how, (steps, slots, here, there, spoil) => {
        const actions = [...(slots < 4 ? withStages(revolve(slots)) : cams({ units: slots, stages: 2 }))(steps)];
        const [i, j] = [Math.floor(here * actions.length), Math.floor(there * actions.length)];
        if (spoil === "drop") actions.splice(i, 1);
        if (spoil === "repeat") actions.splice(j, 0, actions[i]!);
        if (spoil === "swap") [actions[i], actions[j]] = [actions[j]!, actions[i]!];
        const action = actions[i];
        if (spoil === "states" && action?.do === "store") actions[i] = { do: "store", state: action.state };
        const schedule: Schedule = Object.assign(() => actions, { keepsStages: true });
        const run = () => execute(schedule, steps, chain).finish();
        if (interpretSchedule(schedule, steps).violations.length > 0) {
          outcomes.refused++;
          expect(run).toThrow(ScheduleError);
        } else {
          outcomes.sound++;
          run();
        }
      }),
      { numRuns: 600, seed: 2 },
    );
    expect(outcomes.sound).toBeGreaterThan(100);
    expect(outcomes.refused).toBeGreaterThan(200);
  });
});

describe("cams", () => {
  test.each([
    [10, 10, 2, 4],
    [10, 10, 4, 7],
    [10, 10, 6, 8],
    [50, 30, 2, 34],
    [50, 30, 4, 42],
    [50, 30, 6, 46],
    [100, 50, 2, 74],
    [100, 50, 4, 87],
    [100, 50, 7, 94],
  ])("%i steps, %i units, stages of %i units: %i executions beyond the forward sweep", (n, units, stages, expected) => {
    // prettier-ignore
    expect(extra(cams({ units, stages }), n)).toBe(expected);
  });

  test("stays within its budget, and is never worse than states alone or stages alone", () => {
    for (const [units, stages] of [
      [1, 1],
      [1, 3],
      [2, 2],
      [3, 2],
      [5, 3],
      [8, 7],
      [20, 4],
      [7, 7],
    ] as const) {
      // prettier-ignore
      const schedule = cams({ units, stages });
      for (const n of [0, 1, 2, 3, 10, 60]) {
        let used = 0;
        const held = new Map<number, number>();
        for (const action of schedule(n)) {
          if (action.do === "store") held.set(action.state, action.what === "stages" ? stages : 1);
          if (action.do === "release") held.delete(action.state);
          used = Math.max(used, [...held.values()].reduce((a, b) => a + b, 0)); // prettier-ignore
        }
        expect(used).toBeLessThanOrEqual(units);
        expect(extra(schedule, n)).toBeLessThanOrEqual(advances(n, units));
        const slots = Math.floor((units - 1) / stages);
        if (slots >= 1) expect(extra(schedule, n)).toBeLessThanOrEqual(extra(withStages(revolve(slots)), n));
      }
    }
  });

  test.each([{ units: 0, stages: 2 }, { units: 3, stages: 0.5 }, { units: 3 }, { units: 3, stages: 2, steps: 4 }])("refuses %j", (options) => {
    expect(() => cams(options as never)).toThrow(OptionError);
  });
});
