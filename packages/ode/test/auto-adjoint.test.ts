import { describe, expect, test } from "vitest";
import { gradient } from "@dydt/autodiff";
import { OptionError, random, tensor, type Tensor } from "@dydt/tensor";
import {
  adaptive, autoAdjoint, discreteAdjoint, dopri5, errorEstimate, fixedSteps, midpoint, reversibleHeun, rk4, solve, stiffnessEstimate,
  type Adjoint, type EmbeddedStep, type SolveOptions, type SolveStats, type Step,
} from "@dydt/ode"; // prettier-ignore
import { errorOf, expectNear } from "./problems.js";

const stream = random(1);
const inputs = { w: stream.normal([16, 16]).mul(0.4), y0: stream.normal([32, 16]) };
let stats: SolveStats | undefined;
const lossWith =
  (adjoint: Adjoint<Step>, given: boolean) =>
  ({ w, y0 }: typeof inputs): Tensor => {
    const settings = given ? { solver: rk4(), controller: fixedSteps(60) } : { solver: dopri5() };
    const solution = solve((t, y) => y.matmul(w).tanh().add(t), y0, { t0: 0, t1: 4, adjoint, ...settings } as never) as {
      y1: Tensor;
      stats: SolveStats;
    };
    stats = solution.stats;
    return solution.y1.square().sum();
  };
const run = (adjoint: Adjoint<Step>, given = true) => ({ found: gradient(lossWith(adjoint, given))(inputs), stats: stats! });

describe.each([true, false])("autoAdjoint (steps given: %s)", (given) => {
  const stored = run(discreteAdjoint(), given);
  test.each([400_000, 250_000, 200_000])("fits into %i bytes, and predicts bytes and steps before", (bytes) => {
    const adjoint = autoAdjoint({ bytes });
    const [plan] = adjoint.plan(lossWith(discreteAdjoint(), given), inputs);
    const { found, stats } = run(adjoint, given);
    expectNear(found, stored.found, 1e-13);
    expect(stats.peakBytes).toBeLessThanOrEqual(bytes);
    expect(stats.reverse!.predicted).toEqual(plan!.predict(stats.accepted));
    expect(plan!.steps).toBe(stats.accepted);
    expect(Math.abs(stats.reverse!.predicted!.bytes / stats.peakBytes - 1)).toBeLessThan(0.1);
    expect(stats.reverse!.advanced).toBe(stats.reverse!.predicted!.advanced);
    expect(plan!.explain(plan!.steps)).toMatch(/discreteAdjoint, tape: "(step|evaluation)", at most \d+ stored states of 4096 bytes/);
  });

  test("says how much is needed where it is not enough", () => {
    expect(() => run(autoAdjoint({ bytes: 10_000 }), given)).toThrow(OptionError);
    expect(() => run(autoAdjoint({ bytes: 10_000 }), given)).toThrow(/the smallest reverse of this problem takes \d+/);
  });
});

test("of a small state with many steps, whose times count, no budget is exceeded: it fits, or is refused", () => {
  const options = { t0: 0, t1: 1, solver: rk4(), controller: fixedSteps(300) };
  const taken = [1000, 1500, 1728, 2500, 3500, 4500, 6000, 9000].map((bytes) => {
    let peak = 0;
    const loss = (k: Tensor): Tensor => {
      const solution = solve((_t, y) => y.mul(k), tensor([1, 2]), { ...options, adjoint: autoAdjoint({ bytes }) });
      stats = solution.stats;
      return solution.y1.sum();
    };
    try {
      gradient(loss)(tensor(-1));
      peak = stats!.peakBytes;
    } catch (error) {
      expect(error).toBeInstanceOf(OptionError);
    }
    expect(peak).toBeLessThanOrEqual(bytes);
    return peak;
  });
  expect(taken[0]).toBe(0);
  expect(taken.at(-1)).toBeGreaterThan(300 * 8);
});

describe("what is in a solve besides its steps is in the plan, too", () => {
  const saved = (count: number, from: number): readonly number[] => Array.from({ length: count }, (_, i) => from + ((4 - from) * (i + 0.5)) / count);
  const bounce = { when: (_t: Tensor, y: Tensor) => y.at(0).at(0).sub(0.5), then: (_t: Tensor, y: Tensor) => y.mul(0.9) };
  const costs = [errorEstimate({ norm: "l2" }), stiffnessEstimate()];
  const besides: readonly (readonly [string, object, boolean, number])[] = [
    ["many save times", { saveAt: saved(400, 0) }, false, 290_000],
    ["save times that come late", { saveAt: saved(100, 3) }, false, 290_000],
    ["the end of every step", { saveAt: { every: "step" } }, false, 200_000],
    ["costs of the steps", { regularize: costs }, false, 350_000],
    ["an event that changes the state", { events: [bounce] }, false, 320_000],
    ["times that are differentiated", {}, true, 260_000],
    ["all of it", { saveAt: saved(400, 0), regularize: costs, events: [bounce] }, true, 1_300_000],
  ];
  const cases = besides.flatMap(([name, options, timed, bytes]) => [true, false].map((given) => [name, given, options, timed, bytes] as const));

  test.each(cases)("%s (steps given: %s)", (_, given, options, timed, least) => {
    for (const bytes of [least, 2 * least]) {
      let stats: SolveStats | undefined;
      const loss =
        (adjoint: Adjoint<Step>) =>
        ({ w, y0, t1 }: typeof inputs & { readonly t1: Tensor }) => {
          const settings = { solver: dopri5(), ...(given && { controller: fixedSteps(60) }), ...options };
          const solution = solve((t: Tensor, y: Tensor) => y.matmul(w).tanh().add(t), y0, { t0: 0, t1: timed ? t1 : 4, adjoint, ...settings }); // prettier-ignore
          ({ stats } = solution);
          return solution.penalties.reduce((sum, penalty) => sum.add(penalty), solution.ys.square().sum());
        };
      const at = { ...inputs, t1: tensor(4) };
      const found = gradient(loss(autoAdjoint({ bytes })))(at);
      const { peakBytes, reverse } = stats!;
      expect(peakBytes).toBeLessThanOrEqual(bytes);
      expect(reverse!.predicted!.bytes / peakBytes).toBeLessThan(1.4);
      expectNear(found, gradient(loss(discreteAdjoint()))(at), 1e-12);
    }
  });

  test("but for an event that cannot be tried where the solve begins", () => {
    const late = { when: (t: Tensor) => t.sub(1), then: (_t: Tensor, y: Tensor) => y.sub(2).sqrt() };
    const slope = (adjoint: Adjoint<Step>) =>
      gradient((start: Tensor) => solve((_t, y) => y, start, { t0: 0, t1: 2, events: [late], adjoint }).y1.sum())(tensor([1, 1.5]));
    expectNear(slope(autoAdjoint({ bytes: 100_000 })), slope(discreteAdjoint()), 1e-12);
  });
});

describe("whatever is allowed is kept to", () => {
  const times = { t0: tensor(0), t1: tensor(2) };
  test.each([
    ["where a step should fit", { solver: midpoint(), controller: fixedSteps(9) }, [1]],
    ["with save times that are tensors, at both ends", { solver: rk4(), controller: fixedSteps(6) }, [0, 0, 0.7, 2]],
    ["with save times that coincide, which steps end at", { solver: reversibleHeun(), controller: fixedSteps(6) }, [0, 0, 0.7, 2]],
    ["with a state that is stored with its slope", { solver: reversibleHeun(), controller: adaptive({ rtol: 1e-3, atol: 1e-3 }) }, [1]],
  ] as const)("%s", (_, settings, saves) => {
    const used = (bytes: number): number => {
      let stats: SolveStats | undefined;
      gradient(({ w, y0, t0, t1, at }: typeof inputs & typeof times & { readonly at: Tensor }) => {
        const options = { t0, t1, saveAt: at, adjoint: autoAdjoint({ bytes }), ...settings } as unknown as SolveOptions<EmbeddedStep>;
        const solution = solve((t: Tensor, y: Tensor) => y.matmul(w).tanh().add(t).mul(0.5), y0, options);
        ({ stats } = solution);
        return solution.ys.square().sum();
      })({ ...inputs, ...times, at: tensor(saves) });
      return stats!.peakBytes;
    };
    const least = Number(/takes (\d+)/.exec(errorOf(() => used(1000)).message)![1]);
    for (const part of [1, 1.05, 1.15, 1.3, 1.5, 1.8, 2.2, 3, 5]) expect(used(Math.ceil(part * least))).toBeLessThanOrEqual(Math.ceil(part * least));
  });
});

test("autoAdjoint plans solves whose controller has tolerances by component", () => {
  const found = gradient((k: Tensor) => {
    const controller = adaptive({ rtol: [1e-6, 1e-8] });
    return solve((_t, y) => y.mul(k), tensor([1, 2]), { t0: 0, t1: 1, controller, adjoint: autoAdjoint({ bytes: 100_000 }) }).y1.sum();
  })(tensor(0.5));
  expectNear(found, 3 * Math.exp(0.5), 1e-6);
});

test("autoAdjoint refuses no bytes", () => {
  expect(() => autoAdjoint({ bytes: 0 })).toThrow(OptionError);
  expect(() => autoAdjoint({ bytes: tensor(1) as unknown as number })).toThrow(OptionError);
});
