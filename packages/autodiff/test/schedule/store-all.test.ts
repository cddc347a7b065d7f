import { describe, expect, test } from "vitest";
import { OptionError } from "@dydt/tensor";
import { storeAll } from "../../src/schedule/store-all.js";
import { interpret } from "./interpreter.js";

describe("storeAll", () => {
  test("stores every state once and advances nothing beyond the first sweep", () => {
    for (let steps = 1; steps <= 300; steps++) {
      expect(interpret(storeAll()(steps), steps)).toEqual({
        advanced: steps - 1,
        taped: steps,
        fromStages: 0,
        peak: steps,
        peakSlow: 0,
        restores: steps - 1,
        violations: [],
      });
    }
  });

  test("has nothing to do for a chain of no steps", () => {
    expect([...storeAll()(0)]).toEqual([]);
  });

  test("streams: the first actions of a chain of 1e15 steps are there at once", () => {
    const actions = storeAll()(1e15)[Symbol.iterator]();
    expect([actions.next().value, actions.next().value]).toEqual([
      { do: "store", state: 0 },
      { do: "advance", from: 0, to: 1 },
    ]);
  });

  test.each([-1, 2.5, NaN, Infinity])("refuses %d steps", (steps) => {
    expect(() => [...storeAll()(steps)]).toThrow(OptionError);
  });
});
