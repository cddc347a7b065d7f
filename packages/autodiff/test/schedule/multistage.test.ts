import { describe, expect, test } from "vitest";
import { advances, interpretSchedule, memoryStorage, multistage, revolve, type Action } from "@dydt/autodiff";
import { OptionError } from "@dydt/tensor";

const withoutLevels = (actions: Iterable<Action>) =>
  [...actions].map((action) => (action.do === "store" ? { do: action.do, state: action.state } : action));

/** Writes to and reads from the slow level. */
const slowTraffic = (actions: Iterable<Action>): number => {
  const slow = new Set<number>();
  let traffic = 0;
  for (const action of actions) {
    if (action.do === "store" && action.level === "slow") {
      traffic++;
      slow.add(action.state);
    }
    if (action.do === "restore" && slow.has(action.state)) traffic++;
    if (action.do === "release") slow.delete(action.state);
  }
  return traffic;
};

describe("multistage", () => {
  test("keeps the contract, stays within both levels, and advances as little as all its slots in memory would", () => {
    let pairs = 0;
    for (let n = 1; n <= 140; n++)
      for (const [ram, slow] of [
        [0, 1],
        [1, 0],
        [1, 1],
        [2, 1],
        [1, 2],
        [3, 2],
        [2, 5],
        [0, 4],
        [4, 4],
        [5, 0],
        [10, 20],
        [3, 30],
        [2, 9],
        [20, 200],
        [7, 3],
      ] as const) {
        // prettier-ignore
        const { violations, advanced, taped, peak, peakSlow } = interpretSchedule(multistage({ ram, slow }), n, ram + slow);
        expect({ violations, advanced, taped }).toEqual({ violations: [], advanced: advances(n, ram + slow), taped: n });
        expect(peakSlow).toBeLessThanOrEqual(slow);
        expect(peak).toBeLessThanOrEqual(ram + slow);
        pairs++;
      }
    expect(pairs).toBeGreaterThanOrEqual(2000);
  });

  test("is revolve with levels, and never more than ram states are in memory", () => {
    for (const [ram, slow, n] of [
      [3, 4, 100],
      [1, 6, 57],
      [0, 2, 30],
    ] as const) {
      // prettier-ignore
      const actions = [...multistage({ ram, slow })(n)];
      expect(withoutLevels(actions)).toEqual([...revolve(ram + slow)(n)]);
      const fast = new Set<number>();
      for (const action of actions) {
        if (action.do === "store" && action.level === "ram") fast.add(action.state);
        if (action.do === "release") fast.delete(action.state);
        expect(fast.size).toBeLessThanOrEqual(ram);
      }
    }
  });

  test("uses the slow level as seldom as any choice of places of the stack does", () => {
    const [ram, slow, n] = [2, 3, 80];
    const places = [0, 1, 2, 3, 4];
    const traffic = (fast: readonly number[]) => {
      let depth = 0;
      const actions = [...revolve(ram + slow)(n)].map((action): Action => {
        if (action.do === "release") depth--;
        return action.do === "store" ? { ...action, level: fast.includes(depth++) ? "ram" : "slow" } : action;
      });
      return slowTraffic(actions);
    };
    const all = places.flatMap((a) => places.filter((b) => b > a).map((b) => traffic([a, b])));
    expect(slowTraffic(multistage({ ram, slow })(n))).toBe(Math.min(...all));
    expect(Math.min(...all)).toBeLessThan(Math.max(...all));
  });

  test("carries its storage, one in memory unless told otherwise", () => {
    const storage = memoryStorage();
    expect(multistage({ ram: 1, slow: { slots: 2, storage } }).storage).toBe(storage);
    const { put, get, delete: remove } = multistage({ ram: 1, slow: 2 }).storage!;
    put(1, [new Float32Array([3])]);
    expect(get(1)).toEqual([new Float32Array([3])]);
    remove(1);
    remove(1);
    expect(() => get(1)).toThrow(OptionError);
  });

  test.each([
    [{ ram: 0, slow: 0 }, "one slot at least"],
    [{ ram: -1, slow: 3 }, "slots in memory"],
    [{ ram: 1, slow: 1.5 }, "slow slots"],
    [{ ram: 1, slow: { slots: NaN } }, "slow slots"],
    [{ ram: 1, slow: { slots: 2, storage: {} } }, "put, get and delete"],
    [{ ram: 1, slow: 2, disk: 3 }, "unknown option disk"],
    [{ ram: 1, slow: { slots: 2, store: memoryStorage() } }, "did you mean storage"],
    [{ ram: 1 }, "slow slots"],
    [undefined, "multistage needs { ram, slow }"],
  ])("refuses %j", (options, message) => {
    expect(() => multistage(options as never)).toThrow(OptionError);
    expect(() => multistage(options as never)).toThrow(message);
  });
});
