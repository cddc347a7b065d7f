import { describe, expect, test } from "vitest";
import { advances, gradient, revolve, storeAll, vjp, type Schedule } from "@dydt/autodiff";
import { ones, tensor, type Tensor } from "@dydt/tensor";
import {
  adaptive, bosh3, discreteAdjoint, dopri5, euler, fixed, fixedSteps, grid, rk4, solve, tsit5, type Controller, type Granularity, type SolveStats, type Step,
} from "@dydt/ode"; // prettier-ignore
import revolveCases from "./cases/revolve.json" with { type: "json" };
import { expectSameBits } from "./problems.js";

const decay = (k: Tensor) => (_t: Tensor, y: Tensor) => y.mul(k);

/** The counts of one gradient with given steps. */
const countsOf = (controller: Controller<Step>, checkpoints: Schedule, tape: Granularity = "step", y0 = tensor([1])): SolveStats => {
  let stats: SolveStats | undefined;
  gradient((k: Tensor) => {
    const solution = solve(decay(k), y0, { t0: 0, t1: 1, solver: euler(), controller, adjoint: discreteAdjoint({ checkpoints, tape }) });
    ({ stats } = solution);
    return solution.y1.sum();
  })(tensor(-0.5));
  return stats!;
};

/** The same with l adaptive steps. */
const adaptiveCounts = (l: number, checkpoints: Schedule, y0 = tensor([1])): SolveStats => {
  let stats: SolveStats | undefined;
  gradient((k: Tensor) => {
    const solution = solve(decay(k), y0, {
      t0: 0,
      t1: 1,
      solver: bosh3(),
      controller: adaptive({ rtol: 1e-2, first: 1 / l, max: 1 / l }),
      adjoint: discreteAdjoint({ checkpoints }),
    });
    ({ stats } = solution);
    return solution.y1.sum();
  })(tensor(-0.5));
  return stats!;
};

describe("steps run again", () => {
  const rows = revolveCases.table.filter(({ l, c }) => l <= 50 || c > 1);

  test.each(rows)("$l fixed steps with $c slots: the optimum beyond the forward solve, which is the first sweep", ({ l, c, extra_advances }) => {
    expect(countsOf(fixedSteps(l), revolve(c))).toMatchObject({ accepted: l, reverse: { advanced: extra_advances, taped: l } });
  });

  test("a step length and a grid are as good as a number of steps", () => {
    const times = Array.from({ length: 21 }, (_, j) => (j / 20) ** 2);
    for (const controller of [fixed(0.05), grid(times)])
      expect(countsOf(controller, revolve(3))).toMatchObject({ accepted: 20, reverse: { advanced: 26, taped: 20 } });
  });

  test.each(rows.filter(({ l, c }) => l <= 20 || c === 5))(
    "$l adaptive steps with $c slots: the optimum with a first sweep of its own",
    ({ l, c, advances: expected }) => {
      expect(adaptiveCounts(l, revolve(c))).toMatchObject({ accepted: l, reverse: { advanced: expected, taped: l } });
      expect(advances(l, c)).toBe(expected);
    },
  );

  test("one slot for 200 steps: 19,900 - 199 advances and no stack overflow", () => {
    expect(countsOf(fixedSteps(200), revolve(1)).reverse).toMatchObject({ advanced: 19900 - 199, taped: 200 });
  });

  test("with every state stored none, be the number of steps known or not", () => {
    expect(countsOf(fixedSteps(30), storeAll()).reverse).toEqual({ advanced: 0, taped: 30, evaluations: 30 });
    expect(adaptiveCounts(30, storeAll()).reverse).toMatchObject({ advanced: 0, taped: 30 });
  });
});

describe("evaluations", () => {
  const y0 = tensor([1, 2]);
  const counted = (run: (f: (t: Tensor, y: Tensor) => Tensor) => { readonly stats: SolveStats }) => {
    let calls = 0;
    const { stats } = run((_t, y) => (calls++, y.neg()));
    return { calls, stats };
  };

  test("are six an accepted or rejected step of tsit5 and dopri5, one for the first slope, one for the length of the first step", () => {
    for (const solver of [tsit5(), dopri5()]) {
      const { calls, stats } = counted((f) => solve(f, y0, { t0: 0, t1: 5, solver, controller: adaptive({ rtol: 1e-6, atol: 1e-6 }) }));
      expect(stats.evaluations).toBe(calls);
      expect(calls).toBe(6 * (stats.accepted + stats.rejected) + 2);
    }
  });

  test("are none for the last slope of a fixed step, save where the next step or a save time wants it", () => {
    const calls = (saveAt: readonly number[]) =>
      counted((f) => solve(f, y0, { t0: 0, t1: 1, solver: tsit5(), controller: fixedSteps(10), saveAt })).calls;
    expect(calls([1])).toBe(60);
    expect(calls([0.05, 0.55, 1])).toBe(60);
    expect(calls([0.05, 0.55, 0.99])).toBe(61);
    expect(counted((f) => solve(f, y0, { t0: 0, t1: 1, solver: rk4(), controller: fixedSteps(10) })).calls).toBe(40);
  });

  test('of the reverse are those of the taped steps, twice with tape: "evaluation", and those of the advanced ones', () => {
    const evaluations = (tape: Granularity, schedule: Schedule) => countsOf(fixedSteps(10), schedule, tape).reverse!.evaluations;
    expect(evaluations("step", storeAll())).toBe(10);
    expect(evaluations("evaluation", storeAll())).toBe(20);
    expect(evaluations("step", revolve(2))).toBe(10 + 11);
  });
});

describe("memory", () => {
  const elements = 1000;
  const bytes = 8 * elements;
  const y0 = ones([elements]);
  const peak = (steps: number, slots: number) => countsOf(fixedSteps(steps), revolve(slots), "step", y0).peakBytes;

  test("grows by one state a slot", () => {
    for (const slots of [5, 10, 20]) {
      expect(peak(100, slots) - peak(100, 4)).toBe((slots - 4) * bytes);
      expect(adaptiveCounts(100, revolve(slots), y0).peakBytes - adaptiveCounts(100, revolve(4), y0).peakBytes).toBe((slots - 4) * bytes);
    }
  });

  test("does not grow with the number of steps, save 8 bytes for the time of each", () => {
    for (const slots of [3, 10]) expect(peak(1000, slots) - peak(100, slots)).toBeLessThanOrEqual(8 * 900);
    expect(peak(10_000, 10) - peak(100, 10)).toBeLessThanOrEqual(8 * 9900);
    expect(adaptiveCounts(1000, revolve(10), y0).peakBytes - adaptiveCounts(100, revolve(10), y0).peakBytes).toBeLessThanOrEqual(8 * 900);
  });

  test("of storeAll grows by one state a step", () => {
    const all = (steps: number) => countsOf(fixedSteps(steps), storeAll(), "step", y0).peakBytes;
    expect(Math.abs(all(100) - all(40) - 60 * bytes)).toBeLessThanOrEqual(8 * 60);
  });

  test("of one step under a tape is more than that of one evaluation", () => {
    const slow = (k: Tensor) => (_t: Tensor, y: Tensor) => y.mul(k).sin().cos().tanh().square();
    const bytesOf = (tape: Granularity) => {
      let stats: SolveStats | undefined;
      gradient((k: Tensor) => {
        const solution = solve(slow(k), y0, { t0: 0, t1: 1, solver: rk4(), controller: fixedSteps(3), adjoint: discreteAdjoint({ tape }) });
        ({ stats } = solution);
        return solution.y1.sum();
      })(tensor(-0.5));
      return stats!.peakBytes;
    };
    expect(bytesOf("step") - bytesOf("evaluation")).toBeGreaterThan(10 * bytes);
  });

  test("of a plain solve is that of two steps, whatever their number", () => {
    const plain = (steps: number) => solve(decay(tensor(-0.5)), y0, { t0: 0, t1: 1, solver: rk4(), controller: fixedSteps(steps) }).stats.peakBytes;
    expect(plain(1000) - plain(10)).toBeLessThanOrEqual(8 * 990);
    expect(plain(10)).toBeLessThan(20 * bytes);
  });
});

describe("a pullback", () => {
  test.each([
    ["fixed", fixedSteps(20)],
    ["adaptive", undefined],
  ])("called again gives the same bits, %s steps", (_, controller) => {
    for (const checkpoints of [storeAll(), revolve(1), revolve(4)]) {
      const settings = { t0: 0, t1: 1, saveAt: [0.3, 1], adjoint: discreteAdjoint({ checkpoints }) };
      const { pullback } = vjp(
        ({ k, y0 }: { readonly k: Tensor; readonly y0: Tensor }) =>
          solve(decay(k), y0, controller === undefined ? settings : { ...settings, controller }).ys,
        { k: tensor(-0.5), y0: tensor([1, 2]) },
      );
      const cotangent = tensor([[1, 2], [3, -4]]); // prettier-ignore
      const first = pullback(cotangent);
      expectSameBits(pullback(cotangent), first);
      expectSameBits(pullback(cotangent.mul(2)), [first.k.mul(2), first.y0.mul(2)]);
      expectSameBits(pullback(cotangent), first);
    }
  });
});
