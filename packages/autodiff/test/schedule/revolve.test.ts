import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { OptionError } from "@dydt/tensor";
import { advances, revolve } from "../../src/schedule/revolve.js";
import cases from "../cases/revolve.json" with { type: "json" };
import { interpret } from "./interpreter.js";

interface Fewest {
  readonly advanced: number;
  /** Of all schedules that advance so little, the fewest stores beside that of the initial state. */
  readonly stores: number;
}

/** t(n, s) by its recursion, min over the place k of the next stored state; no closed form. A state that is reversed from at once is not stored. */
const optimum = (() => {
  const known = new Map<string, Fewest>();
  const fewest = (n: number, s: number): Fewest => {
    if (n <= 1) return { advanced: 0, stores: 0 };
    if (s === 1) return { advanced: (n * (n - 1)) / 2, stores: 0 };
    const key = `${n},${s}`;
    let best = known.get(key);
    if (best === undefined) {
      best = { advanced: Infinity, stores: Infinity };
      for (let k = 1; k < n; k++) {
        const [right, left] = [fewest(n - k, s - 1), fewest(k, s)];
        const advanced = k + right.advanced + left.advanced;
        const stores = (n - k > 1 ? 1 : 0) + right.stores + left.stores;
        if (advanced < best.advanced || (advanced === best.advanced && stores < best.stores)) best = { advanced, stores };
      }
      known.set(key, best);
    }
    return best;
  };
  return fewest;
})();

/** How often the most advanced step is advanced. */
const mostAdvanced = (steps: number, slots: number): number => {
  const change = new Int32Array(steps + 1);
  for (const action of revolve(slots)(steps)) {
    if (action.do !== "advance") continue;
    change[action.from]! += 1;
    change[action.to]! -= 1;
  }
  let times = 0;
  return change.reduce((most, by) => Math.max(most, (times += by)), 0);
};

describe("revolve", () => {
  test("keeps the contract of a schedule, stores no more than its slots, and advances as little as the closed form says", () => {
    let pairs = 0;
    for (let steps = 0; steps <= 120; steps++) {
      for (const slots of [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 16, 20, 31, 50, 99, 119, 120, 121, 1000]) {
        const { violations, peak, advanced, taped } = interpret(revolve(slots)(steps), steps);
        expect({ violations, advanced, taped }).toEqual({ violations: [], advanced: advances(steps, slots), taped: steps });
        expect(peak).toBeLessThanOrEqual(slots);
        pairs++;
      }
    }
    expect(pairs).toBeGreaterThanOrEqual(2000);
  });

  test("runs as few steps as dynamic programming finds possible, and stores no oftener than that takes", () => {
    for (let steps = 1; steps <= 60; steps++) {
      for (let slots = 1; slots <= 12; slots++) {
        const { advanced, stores } = optimum(steps, slots);
        const actions = [...revolve(slots)(steps)];
        expect(interpret(actions, steps).advanced).toBe(advanced);
        expect(advances(steps, slots)).toBe(advanced);
        expect(actions.filter((action) => action.do === "store")).toHaveLength(1 + stores);
      }
    }
  });

  test.each(cases.table)("reverses $l steps with $c slots by $advances advances, $extra_advances of them beyond the forward sweep", (row) => {
    const { advanced, taped } = interpret(revolve(row.c)(row.l), row.l);
    expect(advanced).toBe(row.advances);
    expect(advanced - (row.l - 1)).toBe(row.extra_advances);
    expect(advanced + taped).toBe(row.advances_plus_taped);
    expect(advances(row.l, row.c)).toBe(row.advances);
    expect(mostAdvanced(row.l, row.c)).toBe(row.r);
  });

  test("ends the forward sweep with the state before the last step at hand, and only what is advanced after it is advanced again", () => {
    for (const { l: steps, c: slots, extra_advances } of cases.table) {
      const actions = [...revolve(slots)(steps)];
      const forward = actions.slice(
        0,
        actions.findIndex((action) => action.do === "reverse"),
      );
      expect(forward.every((action) => action.do === "store" || action.do === "advance")).toBe(true);
      const sweep = forward.reduce((sum, action) => sum + (action.do === "advance" ? action.to - action.from : 0), 0);
      expect(sweep).toBe(steps - 1);
      expect(interpret(actions, steps).advanced - sweep).toBe(extra_advances);
    }
  });

  test("advances no step of a chain of β(s, r) steps more than r times, and some step r + 1 times when it is one longer", () => {
    const chains = cases.capacity.flatMap(({ c, max_l_by_r }) => max_l_by_r.map((steps, i) => ({ slots: c, steps, repeats: i + 1 })));
    const short = chains.filter(({ steps }) => steps <= 5000);
    expect(short.length).toBeGreaterThan(60);
    for (const { slots, steps, repeats } of short) {
      expect(mostAdvanced(steps, slots)).toBe(repeats);
      expect(mostAdvanced(steps + 1, slots)).toBe(repeats + 1);
    }
  });

  test("is sound and optimal for any chain and any number of slots", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3000 }), fc.integer({ min: 1, max: 3001 }), (steps, slots) => {
        const { violations, peak, advanced } = interpret(revolve(slots)(steps), steps);
        expect({ violations, advanced }).toEqual({ violations: [], advanced: advances(steps, slots) });
        expect(peak).toBeLessThanOrEqual(slots);
      }),
    );
  });

  test("advances nothing twice with a slot for every step, and leaves the state before the last step unstored", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 500 }), fc.nat(500), (steps, spare) => {
        const { advanced, peak } = interpret(revolve(steps + spare)(steps), steps);
        expect({ advanced, peak }).toEqual({ advanced: steps - 1, peak: Math.max(1, steps - 1) });
      }),
    );
  });

  test.each([
    [100_000, 20],
    [100_000, 2],
    [100_000, 100_000],
    [1_000_000, 1],
    [1_000_000, 3],
  ])("streams a schedule of %i steps with %i slots without deep recursion, no more than five actions a step", (steps, slots) => {
    let actions = 0;
    const counted = function* () {
      for (const action of revolve(slots)(steps)) {
        actions++;
        yield action;
      }
    };
    const { violations, advanced, peak } = interpret(counted(), steps);
    expect({ violations, advanced }).toEqual({ violations: [], advanced: advances(steps, slots) });
    expect(peak).toBeLessThanOrEqual(slots);
    expect(actions).toBeLessThanOrEqual(5 * steps);
  });

  test("has nothing to do for a chain of no steps", () => {
    expect([...revolve(3)(0)]).toEqual([]);
    expect(advances(0, 1)).toBe(0);
    expect(advances(0, 3)).toBe(0);
  });

  test("begins the schedule of an absurdly long chain at once, in whole numbers", () => {
    for (const slots of [1, 2, 3, 50, 1e9, 1e15, Number.MAX_VALUE]) {
      const [, advance] = (function* () {
        let some = 0;
        for (const action of revolve(slots)(1e12)) {
          if (some++ === 2) return;
          yield action;
        }
      })();
      expect(advance?.do).toBe("advance");
      if (advance?.do !== "advance") continue;
      expect(Number.isSafeInteger(advance.to)).toBe(true);
      expect(advance.to).toBeGreaterThan(0);
      expect(advance.to).toBeLessThan(1e12);
    }
  });

  test("counts the advances of long chains exactly", () => {
    expect(advances(1e6, 1)).toBe(499_999_500_000);
    expect(advances(1e12, 1e12)).toBe(1e12 - 1);
    // C(s + 2, 2) ≥ n, so r = 2: n − 1 steps are advanced, and n − (s + 1) of them twice
    expect(advances(1e12, 1e9 + 1)).toBe(2e12 - 1 - (1e9 + 2));
    // r n − C(s + r, r − 1) with r the least for which C(s + r, s) ≥ n, in big integers
    const choose = (n: bigint, k: bigint) => {
      let c = 1n;
      for (let i = 1n; i <= k; i++) c = (c * (n - k + i)) / i;
      return c;
    };
    for (const [n, s] of [
      [1e9, 2],
      [1e9, 30],
      [1e12, 5],
      [1e12, 40],
    ] as const) {
      let r = 0n;
      while (choose(BigInt(s) + r, BigInt(s)) < BigInt(n)) r++;
      expect(BigInt(advances(n, s))).toBe(r * BigInt(n) - choose(BigInt(s) + r, BigInt(s) + 1n));
    }
  });

  test.each([0, -3, 1.5, NaN, Infinity, "4", undefined])("refuses %s slots", (slots) => {
    expect(() => revolve(slots as number)).toThrow(OptionError);
    expect(() => revolve(slots as number)).toThrow(`the number of slots of revolve must be a whole number, at least 1; got ${slots}`);
    expect(() => advances(10, slots as number)).toThrow(OptionError);
  });

  test.each([-1, 2.5, NaN, Infinity])("refuses %d steps", (steps) => {
    expect(() => [...revolve(2)(steps)]).toThrow(OptionError);
    expect(() => advances(steps, 2)).toThrow(OptionError);
  });
});
