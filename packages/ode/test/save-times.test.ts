import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkGradients, gradient, revolve, storeAll } from "@dydt/autodiff";
import { stack, tensor, type Tensor } from "@dydt/tensor";
import { adaptive, discreteAdjoint, explicitRungeKutta, fixedSteps, grid, integrate, rk4, solve, tsit5 } from "@dydt/ode";
import { expectNear, expectSameBits, granularities, lotkaVolterra } from "./problems.js";

const p = tensor([1.5, 1, 3, 1]);
const y0 = tensor([1, 1]);
const field = (k: Tensor) => (t: Tensor, y: Tensor) => lotkaVolterra(k)(t, y).mul(t.mul(0.3).cos());

/** The classical method without its dense output: steps are forced onto save times. */
const withoutDense = explicitRungeKutta({
  name: "rk4 without dense output",
  order: 4,
  a: [[], [1 / 2], [0, 1 / 2], [0, 0, 1]],
  b: [1 / 6, 1 / 3, 1 / 3, 1 / 6],
  c: [0, 1 / 2, 1 / 2, 1],
});

const tolerances = adaptive({ rtol: 1e-9, atol: 1e-11 });

describe("save times", () => {
  test("leave the steps alone where the solver interpolates, and are right to its tolerance", () => {
    const plain = solve(field(p), y0, { t0: 0, t1: 3, controller: tolerances });
    const saved = solve(field(p), y0, { t0: 0, t1: 3, controller: tolerances, saveAt: [0, 0.1, 0.1, 1.234, 2, 3] });
    expect(saved.grid).toEqual(plain.grid);
    expectSameBits(saved.y1, plain.y1);
    expectSameBits(saved.ts, [0, 0.1, 0.1, 1.234, 2, 3]);
    for (const [i, t] of [0, 0.1, 0.1, 1.234, 2, 3].entries())
      expectNear(saved.ys.at(i), t === 0 ? y0 : solve(field(p), y0, { t0: 0, t1: t, controller: adaptive({ rtol: 1e-12, atol: 1e-13 }) }).y1, 1e-7);
  });

  test("at t0 give y0, at t1 give y1, twice where asked twice, with the same bits", () => {
    const { ys, y1 } = solve(field(p), y0, { t0: 0, t1: 1, saveAt: [0, 0, 1, 1] });
    expect(ys.shape).toEqual([4, 2]);
    expectSameBits(ys, [y0, y0, y1, y1]);
  });

  test("are t1 alone unless given, and may be none", () => {
    const { ts, ys, y1 } = solve(field(p), y0, { t0: 0, t1: 1 });
    expectSameBits(ts, [1]);
    expectSameBits(ys, y1);
    const none = solve(field(p), y0, { t0: 0, t1: 1, saveAt: [] });
    expect([none.ts.shape, none.ys.shape, none.status]).toEqual([[0], [0, 2], "success"]);
    expectSameBits(none.y1, y1);
    const slope = gradient((k: Tensor) => solve(field(k), y0, { t0: 0, t1: 1, saveAt: [] }).y1.sum())(p);
    expectSameBits(slope, gradient((k: Tensor) => solve(field(k), y0, { t0: 0, t1: 1 }).y1.sum())(p));
  });

  test("run backward in a solve backward in time, and the dense output is the same curve", () => {
    const times = [3, 2.2, 1.1, 0];
    const forward = solve(field(p), y0, { t0: 0, t1: 3, controller: tolerances, saveAt: [...times].reverse() });
    const back = solve(field(p), forward.y1, { t0: 3, t1: 0, controller: tolerances, saveAt: times });
    expectSameBits(back.ts, times);
    expectNear(back.ys, forward.ys.flip(0), 1e-6);
    expect(() => solve(field(p), y0, { t0: 3, t1: 0, saveAt: [0, 3] })).toThrow("saveAt got 3 after 0: times must be in the order of the solve");
  });

  test("are what `at` of the steps gives", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 2, noNaN: true }), { maxLength: 6 }), (list) => {
        const saveAt = [...list].sort((a, b) => a - b);
        const { ys } = solve(field(p), y0, { t0: 0, t1: 2, solver: rk4(), controller: fixedSteps(7), saveAt });
        const steps = [...integrate(field(p), y0, { t0: 0, t1: 2, solver: rk4(), controller: fixedSteps(7) })];
        saveAt.forEach((t, i) => {
          const step = steps.find(({ t1 }) => t <= t1)!;
          expectSameBits(ys.at(i), t === step.t1 ? step.y1 : t === 0 ? y0 : step.at(t));
        });
      }),
      { numRuns: 30 },
    );
  });
});

interface All {
  readonly y0: Tensor;
  readonly p: Tensor;
  readonly t0: Tensor;
  readonly t1: Tensor;
  readonly saveAt: Tensor;
}

/** Σ wᵢ · yᵢ, every row with other weights, and y₁. */
const weighted = (ys: Tensor, y1: Tensor): Tensor => {
  const weights = Array.from({ length: ys.size }, (_, i) => ((i * 7) % 5) - 1.7);
  return ys
    .mul(tensor(weights, { shape: ys.shape }))
    .sum()
    .add(y1.square().sum());
};

const fractionalGrid = (t0: Tensor, t1: Tensor, fractions: readonly number[]) => {
  const [from, to] = [t0.item(), t1.item()];
  return grid(fractions.map((s) => (s === 1 ? to : from + s * (to - from))));
};
const fractions = [0, 0.1, 0.3, 0.45, 0.7, 1];

describe("gradients through save times", () => {
  const check = (f: (x: All) => Tensor, x: All, tolerance = 1e-7) => {
    const report = checkGradients(f, x, { tolerance, directions: 6 });
    expect(report.passed, report.toString()).toBe(true);
  };

  test.each([
    ["forward", tensor(0.1), tensor(1.3), tensor([0.27, 0.37, 0.55, 0.8, 1.15])],
    ["backward", tensor(1.3), tensor(0.1), tensor([1.15, 0.8, 0.55, 0.37, 0.27])],
  ])("are right with respect to the times themselves, the state, what is captured, t0 and t1: %s", (_, t0, t1, saveAt) => {
    for (const tape of granularities)
      for (const checkpoints of [storeAll(), revolve(2)])
        check(
          (x) => {
            const settings = { t0: x.t0, t1: x.t1, saveAt: x.saveAt, solver: tsit5(), controller: fractionalGrid(x.t0, x.t1, fractions) };
            const { ys, y1 } = solve(field(x.p), x.y0, { ...settings, adjoint: discreteAdjoint({ checkpoints, tape }) });
            return weighted(ys, y1);
          },
          { y0, p, t0, t1, saveAt },
        );
  });

  test("are the slope of the dense output at an interior time, and the slopes of the ends at t0 and t1", () => {
    const times = tensor([0, 0.5, 1]);
    const slopes = gradient((saveAt: Tensor) =>
      solve(field(p), y0, { t0: 0, t1: 1, saveAt, controller: tolerances })
        .ys.mul(tensor([1, 10]))
        .sum(),
    )(times);
    const { ys } = solve(field(p), y0, { t0: 0, t1: 1, saveAt: times, controller: tolerances });
    const expected = [0, 0.5, 1].map((t, i) =>
      field(p)(tensor(t), ys.at(i))
        .mul(tensor([1, 10]))
        .sum()
        .item(),
    );
    expectNear(slopes, expected, 1e-6);
  });

  test("count a time that is asked for twice twice", () => {
    const run = (saveAt: readonly number[]) =>
      gradient((k: Tensor) => solve(field(k), y0, { t0: 0, t1: 1, saveAt, solver: rk4(), controller: fixedSteps(5) }).ys.sum())(p);
    expectNear(run([0.33, 0.33]), run([0.33]).mul(2), 1e-14);
    expectNear(run([1, 1]), run([1]).mul(2), 1e-14);
    expectSameBits(run([0, 0]), [0, 0, 0, 0]);
    const both = gradient((at: Tensor) =>
      solve(field(p), at, { t0: 0, t1: 1, saveAt: [0, 0, 1], solver: rk4(), controller: fixedSteps(5) }).ys.sum(),
    )(y0);
    const end = gradient((at: Tensor) => solve(field(p), at, { t0: 0, t1: 1, solver: rk4(), controller: fixedSteps(5) }).y1.sum())(y0);
    expectNear(both, end.add(2), 1e-14);
  });

  test("agree with one tape over a loop that reads the steps", () => {
    const saveAt = [0, 0.3, 0.31, 1.1, 2];
    const settings = { t0: 0, t1: 2, controller: adaptive({ rtol: 1e-4, atol: 1e-6 }) };
    const whole = gradient((k: Tensor) => {
      const rows: Tensor[] = [y0];
      let y1 = y0;
      for (const step of integrate(field(k), y0, settings)) {
        for (const t of saveAt) if (t > step.t0 && t <= step.t1) rows.push(t === step.t1 ? step.y1 : step.at(t));
        ({ y1 } = step);
      }
      return weighted(stack(rows), y1);
    })(p);
    const byStep = gradient((k: Tensor) => {
      const { ys, y1 } = solve(field(k), y0, { ...settings, saveAt });
      return weighted(ys, y1);
    })(p);
    expectNear(byStep, whole, 1e-12);
  });
});

describe("a solver without dense output", () => {
  test("steps onto the save times, in fixed and in given steps", () => {
    const { grid: ends, ys } = solve(field(p), y0, { t0: 0, t1: 1, solver: withoutDense, controller: fixedSteps(4), saveAt: [0.1, 0.25, 0.6, 1] });
    expect(ends).toEqual([0, 0.1, 0.25, 0.5, 0.6, 0.75, 1]);
    expectSameBits(ys, solve(field(p), y0, { t0: 0, t1: 1, solver: rk4(), controller: grid(ends), saveAt: [0.1, 0.25, 0.6, 1] }).ys);
    expect(solve(field(p), y0, { t0: 0, t1: 1, solver: withoutDense, controller: fixedSteps(4) }).grid).toEqual([0, 0.25, 0.5, 0.75, 1]);
  });

  test.each([
    ["forward", tensor(0.1), tensor(1.3), tensor([0.2, 0.55, 0.9])],
    ["backward", tensor(1.3), tensor(0.1), tensor([1.2, 0.9, 0.55])],
  ])("has right gradients with respect to save times, the steps between being constant fractions of each segment: %s", (_, t0, t1, saveAt) => {
    for (const tape of granularities)
      for (const checkpoints of [storeAll(), revolve(2)]) {
        const f = (x: All): Tensor => {
          const anchors = [x.t0.item(), ...Array.from({ length: x.saveAt.size }, (_, i) => x.saveAt.at(i).item()), x.t1.item()];
          // Two steps from each time to the next, the first of them a third.
          const times = anchors.slice(1).flatMap((end, i) => [anchors[i]! + (end - anchors[i]!) / 3, end]);
          const settings = { t0: x.t0, t1: x.t1, saveAt: x.saveAt, solver: withoutDense, controller: grid([anchors[0]!, ...times]) };
          const { ys, y1 } = solve(field(x.p), x.y0, { ...settings, adjoint: discreteAdjoint({ checkpoints, tape }) });
          return weighted(ys, y1);
        };
        const report = checkGradients(f, { y0, p, t0, t1, saveAt }, { directions: 6 });
        expect(report.passed, report.toString()).toBe(true);
      }
  });

  test("takes save times at t0, t1, and twice, with their gradients", () => {
    const saveAt = tensor([0, 0, 0.4, 0.4, 1]);
    const slopes = gradient((times: Tensor) =>
      solve(field(p), y0, { t0: 0, t1: 1, saveAt: times, solver: withoutDense, controller: fixedSteps(50) })
        .ys.mul(tensor([1, 10]))
        .sum(),
    )(saveAt);
    const { ys } = solve(field(p), y0, { t0: 0, t1: 1, saveAt, solver: withoutDense, controller: fixedSteps(50) });
    expect(slopes.shape).toEqual([5]);
    const slopeAt = (i: number) =>
      field(p)(saveAt.at(i), ys.at(i))
        .mul(tensor([1, 10]))
        .sum()
        .item();
    expectNear(slopes, [0, 1, 2, 3, 4].map(slopeAt), 1e-5);
  });
});

test("a solver without dense output steps adaptively onto save times, which may come twice", () => {
  const heunWithoutDense = explicitRungeKutta({
    name: "heun without dense output",
    order: 2,
    errorOrder: 1,
    a: [[], [1]],
    b: [1 / 2, 1 / 2],
    c: [0, 1],
    error: [-1 / 2, 1 / 2],
  });
  const saveAt = [0, 0.1, 0.1, 0.55, 0.55, 1, 1];
  const settings = { t0: 0, t1: 1, solver: heunWithoutDense, controller: adaptive({ rtol: 1e-4, atol: 1e-6 }), saveAt };
  const { ys, grid: ends, stats } = solve(field(p), y0, settings);
  for (const t of [0.1, 0.55, 1]) expect(ends.filter((end) => end === t)).toHaveLength(1);
  expect(new Set(ends).size).toBe(stats.accepted + 1);
  for (const [i, j] of [[1, 2], [3, 4], [5, 6]] as const) expectSameBits(ys.at(j), ys.at(i)); // prettier-ignore
  expectNear(ys, solve(field(p), y0, { t0: 0, t1: 1, saveAt, controller: tolerances }).ys, 1e-3);
  const run = (controller: typeof settings.controller | ReturnType<typeof grid>) =>
    gradient((k: Tensor) =>
      solve(field(k), y0, { ...settings, controller })
        .ys.square()
        .sum(),
    )(p);
  expectNear(run(settings.controller), run(grid(ends)), 1e-14);
});

describe("an empty interval", () => {
  const f = field(p);
  const inputs = { y0, p, t0: tensor(0.7), t1: tensor(0.7) };

  test("gives y0 itself, in no steps, without asking the field for anything but the gradient", () => {
    const { y1, ys, stats, grid: ends, status } = solve(f, y0, { t0: 0.7, t1: 0.7, saveAt: [0.7, 0.7] });
    expectSameBits([y1, ys], [y0, y0, y0]);
    expect([stats.accepted, stats.evaluations, ends, status]).toEqual([0, 0, [0.7], "success"]);
  });

  test.each([
    ["tsit5", tsit5(), undefined],
    ["rk4", rk4(), fixedSteps(3)],
    ["a solver without dense output", withoutDense, fixedSteps(3)],
  ] as const)("has exact gradients: dL/dt1 = dL/dy · f, dL/dt0 its negative, dL/dy0 = dL/dy, dL/dp = 0: %s", (_, solver, controller) => {
    const end = (x: typeof inputs) => {
      const settings = { t0: x.t0, t1: x.t1, solver: solver as ReturnType<typeof tsit5> };
      return solve(field(x.p), x.y0, controller === undefined ? settings : { ...settings, controller })
        .y1.mul(tensor([1, 10]))
        .sum();
    };
    const slopes = gradient(end)(inputs);
    const along = f(tensor(0.7), y0)
      .mul(tensor([1, 10]))
      .sum()
      .item();
    expectSameBits(slopes.y0, [1, 10]);
    expectSameBits(slopes.p, [0, 0, 0, 0]);
    expectNear(slopes.t1, along, 1e-15);
    expectNear(slopes.t0, -along, 1e-15);
  });

  test("with save times: each row moves with its own time, and back with t0", () => {
    const slopes = gradient((x: All) => weighted(solve(field(x.p), x.y0, { t0: x.t0, t1: x.t1, saveAt: x.saveAt }).ys, tensor([0])))({
      ...inputs,
      saveAt: tensor([0.7, 0.7]),
    });
    const slope = f(tensor(0.7), y0).toArray() as number[];
    const weights = [-1.7, 0.3, 2.3, -0.7]; // as `weighted` has them
    const each = [weights[0]! * slope[0]! + weights[1]! * slope[1]!, weights[2]! * slope[0]! + weights[3]! * slope[1]!];
    expectNear(slopes.saveAt, each, 1e-14);
    expectNear(slopes.t0, -(each[0]! + each[1]!), 1e-14);
    expectSameBits(slopes.t1, 0);
    expectNear(slopes.y0, [weights[0]! + weights[2]!, weights[1]! + weights[3]!], 1e-14);
    expectSameBits(slopes.p, [0, 0, 0, 0]);
  });
});

test("a save time that is a number stays where it is when t1 moves, also where a step happens to end there", () => {
  const loss = (t1: Tensor): Tensor =>
    solve((_t, y) => y.neg(), tensor([1]), { t0: 0, t1, saveAt: [0.5, 1, 1.5], solver: tsit5(), controller: fixedSteps(20) }).ys.sum();
  expect(Math.abs(gradient(loss)(tensor(2)).item())).toBeLessThan(1e-8);
  const start = (t0: Tensor): Tensor =>
    solve((t, y) => y.mul(t), tensor([1]), { t0, t1: 2, saveAt: [0.5, 1, 1.5], solver: tsit5(), controller: fixedSteps(20) }).ys.at(1).sum(); // prettier-ignore
  // y(1) = exp((1 - t0²) / 2), so its derivative at t0 = 0 is 0, and at 0.5 it is -0.5 exp(0.375)
  expect(Math.abs(gradient(start)(tensor(0)).item())).toBeLessThan(1e-7);
  expect(gradient(start)(tensor(0.5)).item()).toBeCloseTo(-0.5 * Math.exp(0.375), 6);
});
