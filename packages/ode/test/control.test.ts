import { describe, expect, test, vi } from "vitest";
import { gradient } from "@dydt/autodiff";
import { concat, heap, OptionError, scope, stack, tensor, type Tensor } from "@dydt/tensor";
import type { SolveError } from "@dydt/ode";
import {
  AbortedError, adaptive, bosh3, discreteAdjoint, dopri5, fixedSteps, integrate, kineticEnergy, MaxStepsError, NonFiniteError, rk4, solve, StepTooSmallError,
  stepCoefficients, TimeLimitError, tsit5, type Solution, type SolveOptions, type Step,
} from "@dydt/ode"; // prettier-ignore
import { errorOf, expectNear, expectSameBits, lotkaVolterra } from "./problems.js";

const p = tensor([1.5, 1, 3, 1]);
const y0 = tensor([1, 1]);
const field = lotkaVolterra(p);
const interval = { t0: 0, t1: 5 };

/** Runs something by a clock that stands still but for `slow`, which takes 2 ms. */
const byTheClock = <T>(body: (slow: (t: Tensor, y: Tensor) => Tensor) => T): T => {
  let clock = 0;
  const reading = vi.spyOn(performance, "now").mockImplementation(() => clock);
  try {
    return body((_t, y) => {
      clock += 2;
      return y.neg();
    });
  } finally {
    reading.mockRestore();
  }
};

describe("onStep", () => {
  test("sees every accepted step once, in order, with all that a step has", () => {
    const seen: number[] = [];
    const { grid, stats, status } = solve(field, y0, {
      ...interval,
      onStep: (step) => {
        expect([step.y0.region, step.y1.region]).toEqual([heap, heap]);
        expect(step.error.shape).toEqual([2]);
        expectNear(step.at(step.t0), step.y0, 1e-15);
        seen.push(step.t1);
      },
    });
    expect([0, ...seen]).toEqual(grid);
    expect([seen.length, status]).toEqual([stats.accepted, "success"]);
  });

  test("is shown states that stay as they are, the next one beginning where the last one ended", () => {
    const states: Tensor[] = [];
    const reached = solve(field, y0, { ...interval, onStep: ({ y1 }) => states.push(y1) }).y1;
    const kept = [...integrate(field, y0, interval)].map(({ y1 }) => y1);
    expectSameBits(stack(states), stack(kept));
    expectSameBits(states.at(-1), reached);
  });

  test.each(["stop" as const, false as const])("ends the solve with the status terminated when it returns %o", (answer) => {
    const solution = solve(field, y0, { ...interval, saveAt: [0, 1, 2, 5], onStep: ({ t1 }) => (t1 > 1.5 ? answer : undefined) });
    const end = solution.grid.at(-1)!;
    expect([solution.status, end > 1.5, end < 2, solution.error]).toEqual(["terminated", true, true, undefined]);
    expect(solution.ts.toArray()).toEqual([0, 1]);
    expect(solution.ys.shape).toEqual([2, 2]);
    expectNear(solution.y1, solve(field, y0, { t0: 0, t1: end }).y1, 1e-5);
  });

  test("going on for any other answer", () => {
    for (const answer of [undefined, true, 0, null, "go on"]) expect(solve(field, y0, { ...interval, onStep: () => answer }).status).toBe("success");
  });

  test("reads bare numbers in a gradient too, once a step of the forward solve, and changes nothing", () => {
    const counted: number[] = [];
    const slope = (onStep?: (step: { readonly y1: Tensor }) => unknown) =>
      gradient((k: Tensor) => solve(lotkaVolterra(k), y0, { t0: 0, t1: 1, controller: fixedSteps(8), ...(onStep && { onStep }) }).y1.sum())(p);
    expectSameBits(
      slope(({ y1 }) => counted.push(y1.data[0]!)),
      slope(),
    );
    expect(counted).toHaveLength(8);
  });

  test("that stops a solve leaves the gradient of what was computed, be the steps known or not", () => {
    const options = [{ controller: fixedSteps(10) }, { controller: adaptive({ rtol: 1e-5 }) }] as const;
    for (const option of options) {
      let end = 0;
      const stopped = gradient((k: Tensor) => {
        const solution = solve(lotkaVolterra(k), y0, { t0: 0, t1: 1, ...option, onStep: ({ t1 }) => t1 < 0.4 });
        end = solution.grid.at(-1)!;
        return solution.y1.sum();
      })(p);
      expectNear(stopped, gradient((k: Tensor) => solve(lotkaVolterra(k), y0, { t0: 0, t1: end }).y1.sum())(p), 1e-3);
      expect(end).toBeLessThan(0.9);
    }
  });

  test("may throw: the error is the caller's, and nothing stays open", () => {
    const enough = new RangeError("enough");
    expect(errorOf(() => solve(field, y0, { ...interval, onStep: () => { throw enough; } }))).toBe(enough); // prettier-ignore
    expectSameBits(
      scope(() => solve(field, y0, interval).y1),
      solve(field, y0, interval).y1,
    );
  });
});

describe("from outside", () => {
  test("an aborted signal ends the solve before its next step, with its reason as the cause", () => {
    const controller = new AbortController();
    const error = errorOf(() =>
      solve(field, y0, { ...interval, saveAt: [0.5, 5], signal: controller.signal, onStep: ({ t1 }) => void (t1 > 1 && controller.abort("enough")) }),
    ) as unknown as AbortedError;
    expect(error).toBeInstanceOf(AbortedError);
    expect([error.status, error.cause]).toEqual(["aborted", "enough"]);
    const partial = error.solution as Solution<Tensor>;
    expect([partial.status, partial.ts.toArray(), partial.grid.at(-1)]).toEqual(["aborted", [0.5], error.t]);
    expect(error.message).toMatch(/aborted at t = 1\.\d+ of 5 \(\d+ steps accepted\)/);
  });

  test("one that was aborted before lets no step begin", () => {
    const { stats, status } = solve(field, y0, { ...interval, signal: AbortSignal.abort(), throw: false });
    expect([stats.accepted, status]).toEqual([0, "aborted"]);
  });

  test("a time limit ends the solve before the next step, and says how far it came", () => {
    const limited = { ...interval, controller: fixedSteps(1000), solver: rk4(), timeLimit: 30 } as const;
    const error = byTheClock((slow) => errorOf(() => solve(slow, y0, limited))) as unknown as TimeLimitError;
    expect(error).toBeInstanceOf(TimeLimitError);
    expect(error.status).toBe("timeLimit");
    // Four evaluations a step are 8 ms: three steps take 24, and the fourth begins in time.
    expect(error.message).toMatch(/timeLimit = 30 ms was over at t = 0\.02 of 5/);
    expect((error.solution as Solution<Tensor>).stats.accepted).toBe(4);
    expect(() => byTheClock((slow) => [...integrate(slow, y0, limited)])).toThrow(TimeLimitError);
  });

  test("limits that are none are refused", () => {
    for (const timeLimit of [0, -1, NaN]) expect(() => solve(field, y0, { ...interval, timeLimit })).toThrow(/timeLimit got/);
    expect(() => solve(field, y0, { ...interval, signal: {} as AbortSignal })).toThrow(OptionError);
    expect(() => solve(field, y0, { ...interval, onStep: "log" as never })).toThrow(/onStep got string/);
    expect(() => solve(field, y0, { ...interval, throw: 0 as never })).toThrow(/throw got 0/);
  });
});

describe("with throw: false a failure is a solution", () => {
  const failures: readonly (readonly [string, new (...args: never) => SolveError, () => Solution<Tensor>])[] = [
    ["maxSteps", MaxStepsError, () => solve(field, y0, { t0: 0, t1: 5, saveAt: [0, 0.1, 5], maxSteps: 8, throw: false })],
    ["stepTooSmall", StepTooSmallError, () => solve((_t, y) => y.square(), tensor([1]), { t0: 0, t1: 2, saveAt: [0, 0.1, 2], throw: false })],
    [
      "nonFinite",
      NonFiniteError,
      () => solve((t, y) => (t.item() < 0.5 ? y.neg() : y.mul(NaN)), tensor([1]), { t0: 0, t1: 1, saveAt: [0, 0.1, 1], throw: false }),
    ],
    [
      "timeLimit",
      TimeLimitError,
      () =>
        byTheClock((slow) =>
          solve(slow, y0, { t0: 0, t1: 1, saveAt: [0, 0.1, 1], controller: fixedSteps(60), solver: rk4(), timeLimit: 60, throw: false }),
        ),
    ],
  ];
  test.each(failures)("with the status %s, the error, and what was reached", (status, kind, run) => {
    const solution = run();
    expect(solution.status).toBe(status);
    expect(solution.error).toBeInstanceOf(kind);
    expect(solution.error!.solution).toBe(solution);
    const reached = solution.ts.size;
    expect(reached).toBeLessThan(3);
    expect(solution.ys.shape[0]).toBe(reached);
    expect(solution.grid.length).toBe(solution.stats.accepted + 1);
    expect(solution.y1.toArray()).not.toContain(NaN);
  });

  test("of which the part that was computed has a gradient", () => {
    const solved = (k: Tensor, options: Partial<SolveOptions<Step>>) =>
      solve(lotkaVolterra(k), y0, { t0: 0, t1: 1, controller: fixedSteps(10), ...options }).y1.sum();
    const partial = gradient((k: Tensor) => solved(k, { maxSteps: 4, throw: false }))(p);
    expectNear(partial, gradient((k: Tensor) => solved(k, { t1: 0.4, controller: fixedSteps(4) }))(p), 1e-12);
  });

  test("while wrong options are thrown, and so is what the field throws", () => {
    expect(() => solve(field, y0, { t0: 0, t1: NaN, throw: false })).toThrow(OptionError);
    expect(() => solve(() => { throw new RangeError("no"); }, y0, { t0: 0, t1: 1, throw: false })).toThrow(/the field threw at t = 0: no/); // prettier-ignore
  });

  test("in a loop over integrate it ends the loop", () => {
    expect([...integrate(field, y0, { ...interval, maxSteps: 8, throw: false })].length).toBeLessThan(9);
  });
});

describe("a solve that goes on where another one stood", () => {
  const settings = { ...interval, saveAt: [0, 0.7, 2.2, 3, 5], controller: adaptive({ rtol: 1e-7, atol: 1e-9 }) };
  const whole = solve(field, y0, settings);

  test("has the same bits as the solve that was not interrupted", () => {
    for (const until of [0.01, 1, 2.2, 4.9]) {
      const part = solve(field, y0, { ...settings, onStep: ({ t1 }) => t1 < until });
      const rest = solve(field, y0, { ...settings, resume: part.resume! });
      expect(rest.status).toBe("success");
      expectSameBits(rest.y1, whole.y1);
      expectSameBits(concat([part.ys, rest.ys]), whole.ys);
      expectSameBits(concat([part.ts, rest.ts]), whole.ts);
      expect([...part.grid, ...rest.grid.slice(1)]).toEqual(whole.grid);
    }
  });

  test("after any number of interruptions, with every solver and controller", () => {
    const cases = [
      { solver: tsit5(), controller: adaptive({ rtol: 1e-5, coefficients: stepCoefficients.proportionalIntegralDerivative }) },
      { solver: dopri5(), controller: adaptive() },
      { solver: bosh3(), controller: adaptive({ rtol: 1e-3, coefficients: stepCoefficients.integral }) },
      { solver: tsit5(), controller: adaptive({ rtol: 1e-4, times: [1, 3] }) },
      { solver: tsit5(), controller: fixedSteps(40) },
    ];
    for (const choice of cases) {
      const options = { ...interval, ...choice } as unknown as SolveOptions<Step>;
      const grid = [0];
      let part = solve(field, y0, { ...options, maxSteps: 3, throw: false });
      for (grid.push(...part.grid.slice(1)); part.status === "maxSteps"; grid.push(...part.grid.slice(1)))
        part = solve(field, y0, { ...options, maxSteps: 3, throw: false, resume: part.resume! });
      expectSameBits(part.y1, solve(field, y0, options).y1);
      expect(grid).toEqual(solve(field, y0, options).grid);
    }
  });

  test("with costs along the solution, which go on as well", () => {
    const options = { ...settings, regularize: kineticEnergy(), throw: false };
    const all = solve(field, y0, options);
    let part = solve(field, y0, { ...options, maxSteps: 7 });
    while (part.status === "maxSteps") part = solve(field, y0, { ...options, maxSteps: 7, resume: part.resume });
    expectSameBits([part.y1, ...part.penalties], [all.y1, ...all.penalties]);
  });

  test("from a step of a loop, and from the partial solution of an error", () => {
    for (const step of integrate(field, y0, settings)) {
      if (step.t1 < 1.9) continue;
      expectSameBits([...integrate(field, y0, { ...settings, resume: step.resume })].at(-1)!.y1, whole.y1);
      break;
    }
    const error = errorOf(() => solve(field, y0, { ...settings, maxSteps: 20 })) as unknown as SolveError;
    expectSameBits(solve(field, y0, { ...settings, resume: (error.solution as Solution<Tensor>).resume! }).y1, whole.y1);
  });

  test("is refused where it is another problem, and where somebody differentiates", () => {
    const resume = whole.resume!;
    expect(() => solve(field, y0, { t0: 0, t1: 1, resume })).toThrow(/resume stands at t = 5, which is outside the solve from 0 to 1/);
    expect(() => solve((_t, y) => y, tensor([1, 2, 3]), { ...interval, resume })).toThrow(/resume holds a state of float64 \[2\]/);
    expect(() => solve(field, y0, { ...interval, resume: {} as never })).toThrow(OptionError);
    const loss = (start: Tensor) => solve(field, start, { ...interval, resume, adjoint: discreteAdjoint() }).y1.sum();
    expect(() => gradient(loss)(y0)).toThrow(/cannot be differentiated/);
  });
});
