import { describe, expect, test } from "vitest";
import { gradient } from "@dydt/autodiff";
import { heap, OptionError, ShapeError, tensor, zeros, type Tensor } from "@dydt/tensor";
import { adaptive, asynchronousLeapfrog, euler, fixedSteps, integrate, raggedTimes, rk4, solve, tsit5 } from "@dydt/ode";
import { errorOf, expectNear, expectSameBits, lotkaVolterra } from "./problems.js";

const p = tensor([1.5, 1, 3, 1]);
const y0 = tensor([1, 1]);
const field = lotkaVolterra(p);
const interval = { t0: 0, t1: 3 };

describe("saving every step", () => {
  test("gives t0 and the ends of the steps, as a loop does", () => {
    const { ts, ys, grid } = solve(field, y0, { ...interval, saveAt: { every: "step" } });
    expect(ts.toArray()).toEqual(grid);
    [...integrate(field, y0, interval)].forEach(({ y1 }, i) => expectSameBits(ys.at(i + 1), y1));
    expectSameBits(ys.at(0), y0);
  });

  test("with times besides gives both, in order, none twice", () => {
    const { ts, ys } = solve(field, y0, { ...interval, controller: fixedSteps(4), saveAt: { every: "step", times: [0.5, 0.75, 3] } });
    expect(ts.toArray()).toEqual([0, 0.5, 0.75, 1.5, 2.25, 3]);
    expectSameBits(ys.at(1), solve(field, y0, { ...interval, controller: fixedSteps(4), saveAt: [0.5] }).ys.at(0));
    const backward = solve(field, y0, { t0: 3, t1: 0, controller: fixedSteps(2), saveAt: { every: "step", times: [2, 1] } });
    expect(backward.ts.toArray()).toEqual([3, 2, 1.5, 1, 0]);
    const stepping = solve(field, y0, { ...interval, solver: euler(), controller: fixedSteps(2), saveAt: { every: "step", times: [1] } });
    expect(stepping.ts.toArray()).toEqual([0, 1, 1.5, 3]);
  });

  test("of no length gives the initial state", () => {
    expectSameBits(solve(field, y0, { t0: 1, t1: 1, saveAt: { every: "step" } }).ys, y0.reshape([1, 2]));
  });

  test("has the gradient of the sum over the steps of a loop", () => {
    for (const controller of [fixedSteps(7), adaptive({ rtol: 1e-4 })]) {
      const saved = gradient((k: Tensor) =>
        solve(lotkaVolterra(k), y0, { ...interval, controller, saveAt: { every: "step" } })
          .ys.square()
          .sum(),
      )(p);
      const looped = gradient((k: Tensor) => {
        let sum = tensor(0);
        for (const { y1 } of integrate(lotkaVolterra(k), y0, { ...interval, controller })) sum = sum.add(y1.square().sum());
        return sum;
      })(p);
      expectNear(saved, looped, 1e-12);
    }
  });
});

describe("saving a function of the state", () => {
  const times = [0, 0.5, 1.7, 3];
  const value = (t: Tensor, y: Tensor) => y.sum().mul(t);

  test("is that function of what would have been saved", () => {
    const { ys } = solve(field, y0, { ...interval, saveAt: { times, value } });
    expect([ys.shape, ys.region]).toEqual([[4], heap]);
    expectSameBits(
      ys,
      solve(field, y0, { ...interval, saveAt: times })
        .ys.sum({ axis: 1 })
        .mul(tensor(times)),
    );
  });

  test("may be a tree, or anything it closes over", () => {
    const { ys } = solve(field, y0, { ...interval, saveAt: { times, value: (_t, y) => ({ first: y.at(0), both: [y, p] }) } });
    expect([ys.first.shape, ys.both.map(({ shape }) => shape)]).toEqual([[4], [[4, 2], [4, 4]]]); // prettier-ignore
    expectSameBits(ys.both[1]!.at(3), p);
  });

  test("of no times has the form of one, with no rows", () => {
    const plain = solve(field, y0, { ...interval, saveAt: { times: [], value: (_t, y: Tensor) => y.reshape([2, 1]) } });
    expect(plain.ys.shape).toEqual([0, 2, 1]);
    gradient((k: Tensor) => {
      const { ys, y1 } = solve(lotkaVolterra(k), y0, { ...interval, saveAt: { times: [], value: (_t, y: Tensor) => y.reshape([2, 1]) } });
      expect(ys.shape).toEqual([0, 2, 1]);
      return y1.sum();
    })(p);
  });

  test("has a gradient with respect to what it closes over, the save times, and the field", () => {
    const loss = (write: (k: Tensor, w: Tensor, at: Tensor) => Tensor) =>
      gradient(([k, w, at]: readonly Tensor[]) => write(k!, w!, at!))([p, tensor([2, 3]), tensor([0.5, 2])]);
    const closed = loss((k, w, at) =>
      solve(lotkaVolterra(k), y0, { ...interval, saveAt: { times: at, value: (t, y) => y.mul(w).sum().mul(t) } }).ys.sum(),
    );
    const outside = loss((k, w, at) =>
      solve(lotkaVolterra(k), y0, { ...interval, saveAt: at })
        .ys.mul(w)
        .sum({ axis: 1 })
        .mul(at)
        .sum(),
    );
    expectNear(closed, outside, 1e-13);
  });

  test("is refused where it is no function, or no tensor", () => {
    expect(() => solve(field, y0, { ...interval, saveAt: { value: "y" as never } })).toThrow(/saveAt got value of type string/);
    expect(() => solve(field, y0, { ...interval, saveAt: { every: "steps" as never } })).toThrow(/every = steps/);
    expect(() => solve(field, y0, { ...interval, saveAt: { time: [1] } as never })).toThrow(/unknown option time/);
    expect(() => solve(field, y0, { ...interval, saveAt: { value: (() => 1) as never } })).toThrow(/a number/);
  });
});

describe("the solution at a time", () => {
  test("is the dense output, at any time between, in any order, with the bits of a save time", () => {
    const solution = solve(field, y0, interval);
    for (const t of [0, 2.9, 0.1, 1.234, 3, solution.grid[3]!])
      expectSameBits(solution.at(t), solve(field, y0, { ...interval, saveAt: [t] }).ys.at(0));
    expectSameBits(solution.at(tensor(0.5)), solution.at(0.5));
    expect(solution.at(1).region).toBe(heap);
  });

  test("costs no memory and no evaluation before it is asked for, and is not counted", () => {
    let calls = 0;
    const counted = (t: Tensor, y: Tensor) => (calls++, field(t, y));
    const { stats, at } = solve(counted, y0, interval);
    const { evaluations } = stats;
    expect(calls).toBe(evaluations);
    at(1);
    const first = calls;
    at(1.01);
    expect(calls - first).toBeLessThanOrEqual(8);
    expect(stats.evaluations).toBe(evaluations);
  });

  test("backward in time, of a tree, of a solver without dense output, of one whose carry is a state", () => {
    const backward = solve(field, y0, { t0: 3, t1: 0 });
    expectSameBits(backward.at(1.1), solve(field, y0, { t0: 3, t1: 0, saveAt: [1.1] }).ys.at(0));
    const tree = solve((_t, { x, v }) => ({ x: v, v: x.neg() }), { x: tensor(1), v: tensor(0) }, { t0: 0, t1: 1 });
    expectNear(tree.at(0.5).x, Math.cos(0.5), 1e-6);
    const stepped = solve((_t, y) => y.neg(), tensor([1]), { t0: 0, t1: 1, solver: euler(), controller: fixedSteps(4) });
    expectNear(stepped.at(0.3), 0.75 * 0.95, 1e-15);
    const carrying = solve((_t, y) => y.neg(), tensor([1]), { t0: 0, t1: 1, solver: asynchronousLeapfrog(), controller: fixedSteps(100) });
    expectNear(carrying.at(0.505), Math.exp(-0.505), 1e-4);
  });

  test("while somebody differentiates it has a derivative, also with respect to the time", () => {
    const at = (k: Tensor, t: Tensor) => {
      const solution = solve(lotkaVolterra(k), y0, { ...interval, controller: adaptive({ rtol: 1e-5 }) });
      return solution.at(t).sum().add(solution.y1.sum());
    };
    const asked = gradient(([k, t]: readonly Tensor[]) => at(k!, t!))([p, tensor(1.3)]);
    const saved = gradient(([k, t]: readonly Tensor[]) => {
      const saveAt = t!.reshape([1]);
      const solution = solve(lotkaVolterra(k!), y0, { ...interval, controller: adaptive({ rtol: 1e-5 }), saveAt });
      return solution.ys.sum().add(solution.y1.sum());
    })([p, tensor(1.3)]);
    expectNear(asked, saved, 1e-13);
  });

  test("is refused outside of what was solved", () => {
    const { at } = solve(field, y0, { ...interval, maxSteps: 5, throw: false });
    for (const t of [-0.1, 3, NaN]) expect(() => at(t)).toThrow(/at got the time .*, which is outside what was solved/);
    expect(errorOf(() => at(4))).toBeInstanceOf(OptionError);
  });

  test("goes on over an interruption", () => {
    const part = solve(field, y0, { ...interval, onStep: ({ t1 }) => t1 < 1 });
    const { at } = solve(field, y0, { ...interval, resume: part.resume! });
    expectSameBits(at(2.5), solve(field, y0, { ...interval, saveAt: [2.5] }).ys.at(0));
    expect(() => at(0.5)).toThrow(OptionError);
  });
});

describe("series of different times", () => {
  const { times, mask, place } = raggedTimes([[0.5, 1, 2], [1], [0.25, 2, 3]]);

  test("have all their times in order, and a mask for each", () => {
    expect(times).toEqual([0.25, 0.5, 1, 2, 3]);
    expect(mask.toArray()).toEqual([
      [false, true, true, true, false],
      [false, false, true, false, false],
      [true, false, false, true, true],
    ]);
    expect(place([[1, 2, 3], [4], [5, 6, 7]]).toArray()).toEqual([
      [0, 1, 2, 3, 0],
      [0, 0, 4, 0, 0],
      [5, 0, 0, 6, 7],
    ]);
  });

  test("have values of any shape, the same for all", () => {
    const placed = place([[[1, 10], [2, 20], [3, 30]], [[4, 40]], [[5, 50], [6, 60], [7, 70]]]); // prettier-ignore
    expect(placed.shape).toEqual([3, 5, 2]);
    expectSameBits(placed.take(0, 2), place([[1, 2, 3], [4], [5, 6, 7]]));
    expectSameBits(placed.take(1, 2), place([[10, 20, 30], [40], [50, 60, 70]]));
    expect(() => place([[[1], [2], [3]], [4], [[5], [6], [7]]])).toThrow(ShapeError);
    expect(raggedTimes([[]]).place([[]]).shape).toEqual([1, 0]);
  });

  test("are fitted as one batch: the gradient is the sum of those of the single series", () => {
    const starts = tensor([[1, 1], [2, 1], [1, 2]]); // prettier-ignore
    const lists = [[0.5, 1, 2], [1], [0.25, 2, 3]];
    const linear = (k: Tensor) => (_t: Tensor, y: Tensor) => y.matmul(k.reshape([2, 2]));
    const options = { ...interval, controller: fixedSteps(20) };
    const k = tensor([-0.5, 1, -1, -0.2]);
    const batched = gradient((k: Tensor) => {
      const first = solve(linear(k), starts, { ...options, saveAt: times })
        .ys.slice([null, null, [0, 1]])
        .reshape([5, 3]);
      return first.transpose().square().mul(mask.cast("float64")).sum();
    })(k);
    const single = lists.map((saveAt, i) =>
      gradient((k: Tensor) =>
        solve(linear(k), starts.slice([[i, i + 1]]), { ...options, saveAt })
          .ys.slice([null, null, [0, 1]])
          .square()
          .sum(),
      )(k),
    );
    expectNear(
      batched,
      single.reduce((a, b) => a.add(b), zeros([4])),
      1e-13,
    );
  });

  test("are refused where they are none", () => {
    expect(() => raggedTimes([[1, NaN]])).toThrow(OptionError);
    expect(() => raggedTimes([[2, 1]])).toThrow(/in order/);
    expect(() => place([[1, 2]])).toThrow(/3 series/);
    expect(() => place([[1, 2], [4], [5, 6, 7]])).toThrow(/series 0 has 3 times, and got 2 values/);
  });
});

test("a solver that is not asked for more takes the same steps as ever", () => {
  const plain = solve(field, y0, { ...interval, solver: rk4(), controller: fixedSteps(5) });
  const more = solve(field, y0, {
    ...interval,
    solver: rk4(),
    controller: fixedSteps(5),
    saveAt: { every: "step" },
    onStep: () => undefined,
    timeLimit: 1e6,
  });
  expectSameBits(more.y1, plain.y1);
  expect(more.stats.evaluations).toBeLessThanOrEqual(plain.stats.evaluations);
  expectSameBits(solve(field, y0, { ...interval, solver: tsit5() }).y1, solve(field, y0, interval).y1);
});

describe("the derivative of a state looked up in a solution", () => {
  const decay = (options: object) => solve((_t, y) => y.neg(), tensor([1]), { t0: 0, t1: 1, ...options });

  test("with respect to the time is the slope, also where steps end at save times", () => {
    for (const saveAt of [undefined, [0.2, 0.6, 1]]) {
      const solution = decay({ solver: asynchronousLeapfrog(), controller: fixedSteps(50), ...(saveAt && { saveAt }) });
      const slope = gradient((t: Tensor) => solution.at(t).sum())(tensor(0.413));
      expectNear(slope, -Math.exp(-0.413), 1e-3);
    }
  });

  test("is refused in a solve that was resumed", () => {
    const part = decay({ onStep: ({ t1 }: { readonly t1: number }) => t1 < 0.5 });
    const rest = decay({ resume: part.resume });
    expect(errorOf(() => gradient((t: Tensor) => rest.at(t).sum())(tensor(0.9))).message).toMatch(/no derivative in a solve that was resumed/);
  });
});
