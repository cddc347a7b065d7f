import { describe, expect, test } from "vitest";
import { gradient } from "@dydt/autodiff";
import { activeRecorders, currentRegion, heap, meterBytes, OptionError, tensor, type Tensor } from "@dydt/tensor";
import { AbortedError, fixedSteps, MaxStepsError, solve, solveAsync, TimeLimitError, type Solution } from "@dydt/ode";
import { expectSameBits, lotkaVolterra } from "./problems.js";

const p = tensor([1.5, 1, 3, 1]);
const y0 = tensor([1, 1]);
const field = lotkaVolterra(p);
const interval = { t0: 0, t1: 3 };
/** A field that takes a few milliseconds. */
const slow = (t: Tensor, y: Tensor) => {
  const end = performance.now() + 3;
  while (performance.now() < end);
  return field(t, y);
};
const expectNothingOpen = () => expect([currentRegion(), activeRecorders()]).toEqual([heap, []]);

describe("solveAsync", () => {
  test("gives the bits of solve, and all that belongs to a solution", async () => {
    const options = { ...interval, saveAt: [0, 1, 2.5], events: [{ when: (_t: Tensor, y: Tensor) => y.at(0).sub(2) }] };
    const [later, now] = [await solveAsync(field, y0, options), solve(field, y0, options)];
    for (const part of ["y1", "ys", "ts"] as const) expectSameBits(later[part], now[part]);
    expectSameBits(later.events[0]!.times, now.events[0]!.times);
    expectSameBits(later.at(1.3), now.at(1.3));
    expect([later.grid, later.status]).toEqual([now.grid, "success"]);
    expectSameBits(later.resume!.y[0], now.y1);
  });

  test("lets timers, other solves and gradients have their turn, with nothing of its own open", async () => {
    let turns = 0;
    const timer = setInterval(() => {
      turns++;
      expectNothingOpen();
      gradient((k: Tensor) => solve(lotkaVolterra(k), y0, { t0: 0, t1: 0.1, controller: fixedSteps(2) }).y1.sum())(p);
    }, 1);
    const options = { t0: 0, t1: 1, controller: fixedSteps(8) };
    const [a, b] = await Promise.all([solveAsync(slow, y0, options), solveAsync(slow, y0.mul(2), options)]);
    clearInterval(timer);
    expect(turns).toBeGreaterThan(2);
    expectSameBits(a.y1, solve(field, y0, options).y1);
    expectSameBits(b.y1, solve(field, y0.mul(2), options).y1);
    expectNothingOpen();
  });

  test("hears a signal that comes from outside, and a time limit", async () => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(new RangeError("changed my mind")), 20);
    const meter = meterBytes();
    const failed = await solveAsync(slow, y0, { ...interval, controller: fixedSteps(1000), signal: controller.signal }).catch(
      (error: unknown) => error,
    );
    expect(failed).toBeInstanceOf(AbortedError);
    expect((failed as AbortedError).cause).toBeInstanceOf(RangeError);
    expect(((failed as AbortedError).solution as Solution<Tensor>).grid.length).toBeGreaterThan(1);
    await expect(solveAsync(slow, y0, { ...interval, controller: fixedSteps(1000), timeLimit: 30 })).rejects.toBeInstanceOf(TimeLimitError);
    const stopped = await solveAsync(slow, y0, { ...interval, controller: fixedSteps(1000), timeLimit: 30, throw: false });
    expect(stopped.status).toBe("timeLimit");
    expect(meter()).toBeLessThan(1e6);
    expectNothingOpen();
  });

  test("is rejected with what solve throws", async () => {
    await expect(solveAsync(field, y0, { ...interval, maxSteps: 3 })).rejects.toBeInstanceOf(MaxStepsError);
    await expect(solveAsync(field, y0, { t0: 0, t1: NaN })).rejects.toBeInstanceOf(OptionError);
    await expect(solveAsync(field, y0, { ...interval, onStep: () => { throw new RangeError("mine"); } })).rejects.toThrow("mine"); // prettier-ignore
  });

  test("is refused at once while somebody differentiates", () => {
    const loss = (k: Tensor) => {
      void solveAsync(lotkaVolterra(k), y0, interval);
      return k.sum();
    };
    expect(() => gradient(loss)(p)).toThrow(/solveAsync was called while a derivative is being recorded.*use solve/);
  });
});
