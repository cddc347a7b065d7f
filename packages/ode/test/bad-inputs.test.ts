import { describe, expect, test } from "vitest";
import { advances, gradient, revolve, storeAll, vjp, type Schedule } from "@dydt/autodiff";
import { activeRecorders, currentRegion, heap, OptionError, ShapeError, tensor, zeros, type Tensor } from "@dydt/tensor";
import { adaptive, discreteAdjoint, euler, FieldError, fixed, fixedSteps, interpolatedAdjoint, NonFiniteError, ReplayError, rk4, solve, SolveError, type Solution, type SolveStats } from "@dydt/ode"; // prettier-ignore
import bad from "./cases/bad_inputs.json" with { type: "json" };
import { run, y0, lv, anyOptions, failureOf } from "./bad-cases.js";
import { errorOf, expectNear, expectSameBits, solverNamed } from "./problems.js";

/** How long a bad input may take, in milliseconds of the processor: what else runs there has no say. */
const soon = 1000;

const processorTime = (body: () => void): number => {
  const before = process.cpuUsage();
  body();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
};

/** A failure that is a status says the same as the error. */
const statusOf = (id: string, options: object = {}): Solution<Tensor> => {
  const thrown = failureOf(() => run(id, options));
  const solution = run(id, { ...options, throw: false });
  expect(solution.status).toBe(thrown.status);
  expect(solution.error?.message).toBe(thrown.message);
  return solution;
};
const expectWithin = (t: number, [from, to]: readonly [number, number]) => {
  expect(t).toBeGreaterThanOrEqual(from);
  expect(t).toBeLessThanOrEqual(to);
};
const unit = { t0: 0, t1: 1 };
const turn = { t0: 0, t1: 2 * Math.PI };
/** What each case of cases/bad_inputs.json must do, under its id. */
const mustDo: Readonly<Record<string, () => void>> = {
  nan_after_time: () => {
    const { grid: ends, y1, status } = statusOf("nan_after_time", { controller: adaptive({ rtol: 1e-6, atol: 1e-9 }) });
    expect(status).toBe("nonFinite");
    expectWithin(ends.at(-1)!, [0.4, 0.5]);
    expectNear(y1, Math.exp(-ends.at(-1)!), 1e-5);
  },
  inf_field: () => expectWithin(statusOf("inf_field").grid.at(-1)!, [0.2, 0.25]),
  blow_up: () => {
    const { error, y1 } = statusOf("blow_up");
    expectWithin(error!.t, [0.99, 1]);
    expect(y1.at(0).item()).toBeGreaterThan(1e3);
    expectWithin(statusOf("blow_up", { controller: adaptive({ rtol: 1e-10, atol: 1e-12 }) }).error!.t, [0.999, 1]);
  },
  t1_equals_t0: () => {
    expectSameBits(run("t1_equals_t0").y1, [1, 1]);
    const loss = ({ start, rate, t1 }: { start: Tensor; rate: Tensor; t1: Tensor }) =>
      solve((_t, y) => y.mul(rate), start, { t0: 1, t1 }).y1.mul(tensor([1, 3])).sum(); // prettier-ignore
    const slopes = gradient(loss)({ start: tensor([1, 2]), rate: tensor([5, 7]), t1: tensor(1) });
    expectSameBits([slopes.start, slopes.rate], [1, 3, 0, 0]);
    expectNear(slopes.t1, 1 * 5 + 3 * 2 * 7, 1e-15);
  },
  backward: () => {
    const { y1, ts, ys } = run("backward", { saveAt: [1, 0.5, 0.25, 0] });
    expectNear(y1, Math.E, 1e-5);
    expectSameBits(ts, [1, 0.5, 0.25, 0]);
    expectNear(ys, [0, 0.5, 0.75, 1].map(Math.exp), 1e-5);
  },
  saveat_outside: () => expect(() => run("saveat_outside", { saveAt: [-0.5, 0.5, 1.5] })).toThrow(OptionError),
  saveat_empty: () => {
    const { ys, y1 } = run("saveat_empty", { saveAt: [] });
    expect(ys.shape).toEqual([0, 1]);
    expectNear(y1, Math.exp(-1), 1e-5);
  },
  negative_rtol: () => expect(() => run("negative_rtol", { controller: adaptive({ rtol: -1e-6, atol: 1e-9 }) })).toThrow("rtol got -0.000001"),
  zero_tolerances: () => expect(() => adaptive({ rtol: 0, atol: 0 })).toThrow(OptionError),
  tolerance_below_eps: () => expect(() => adaptive({ rtol: 1e-20, atol: 0 })).toThrow("rtol got 1e-20, which is below rounding"),
  atol_vector_wrong_length: () =>
    expect(() => run("atol_vector_wrong_length", { controller: adaptive({ atol: [1e-9, 1e-9, 1e-9] }) })).toThrow(
      "atol got 3 numbers for a state of 2",
    ),
  field_scalar_broadcast: () => {
    for (const shape of [[1], [2, 1], [1, 2], []]) expect(() => solve(() => zeros(shape), y0, unit)).toThrow(ShapeError);
  },
  field_returns_same_buffer: () => {
    const buffer = new Float64Array(2);
    const f = (_t: Tensor, y: Tensor) => {
      [buffer[0], buffer[1]] = [y.data[1]!, -y.data[0]!];
      return tensor(buffer);
    };
    const one = tensor([0, 0]);
    const sameTensor = (_t: Tensor, y: Tensor) => {
      const values = one.data as Float64Array;
      [values[0], values[1]] = [y.data[1]!, -y.data[0]!];
      return one;
    };
    for (const field of [f, sameTensor]) {
      const { y1 } = solve(field, tensor([1, 0]), turn);
      expect(Math.hypot(y1.at(0).item() - 1, y1.at(1).item())).toBeLessThan(1e-5);
    }
  },
  field_throws_midway: () => {
    const error = errorOf(() => run("field_throws_midway"));
    expect(error).toBeInstanceOf(FieldError);
    expect((error.cause as Error).message).toBe("boom");
  },
  max_steps: () => {
    const { status, error } = statusOf("max_steps", { maxSteps: 1000 });
    expect(status).toBe("maxSteps");
    expect(error!.message).toMatch(/t = 0\.\d+ of 2.*stiff/);
    expect(error!.cause).toMatchObject({ kind: "stiff" });
  },
  discontinuity: () => {
    for (const name of ["tsit5", "dopri5", "bosh3", "bs5", "vern7", "dop853"] as const) {
      const { y1 } = run("discontinuity", { solver: solverNamed(name), controller: adaptive({ rtol: 1e-9, atol: 1e-12 }) });
      expect(Math.abs(y1.at(0).item() + 0.3333333334)).toBeLessThan(1e-6);
    }
  },
  empty_state: () => expect(solve((_t, y) => y.neg(), zeros([0]), unit).y1.shape).toEqual([0]),
  zero_params: () => {
    const loss = (p: Readonly<Record<string, Tensor>>) =>
      solve((_t, y) => y.neg(), tensor([1]), unit)
        .y1.sum()
        .add(Object.keys(p).length);
    expect(gradient(loss)({})).toEqual({});
    expect(gradient((q: Tensor) => solve((_t, y) => y.neg().add(q.sum()), tensor([1]), unit).y1.sum())(zeros([0])).shape).toEqual([0]);
  },
  param_unused: () => {
    const loss = ({ used }: { used: Tensor; unused: Tensor }) => solve((_t, y) => y.mul(used), tensor([1]), unit).y1.sum();
    const { unused } = gradient(loss)({ used: tensor(-1), unused: tensor([[1, 2, 3]]) });
    expect(unused.shape).toEqual([1, 3]);
    expectSameBits(unused, [0, 0, 0]);
  },
  scale_small: () => expectNear(run("scale_small", { controller: adaptive({ rtol: 1e-8, atol: 0 }) }).y1, 3.678794411714423e-301, 1e-7),
  time_scale_tiny: () => expectNear(run("time_scale_tiny").y1, 0.36787944117144233, 1e-5),
  nan_y0: () => expect(() => run("nan_y0")).toThrow(NonFiniteError),
  infinite_t1: () => expect(() => run("infinite_t1")).toThrow(OptionError),
  hmin_gt_hmax: () => expect(() => adaptive({ min: 0.1, max: 0.01 })).toThrow(OptionError),
  unknown_option: () => {
    expect(() => run("backward", { rtoll: 1e-6 })).toThrow("solve got the unknown option rtoll");
    expect(() => adaptive(anyOptions({ rtoll: 1e-6 }))).toThrow("adaptive got the unknown option rtoll (did you mean rtol?)");
  },
  fixed_step_not_dividing: () => expectNear(run("fixed_step_not_dividing", { solver: rk4(), controller: fixed(0.3) }).y1, 0.36787944, 1e-3),
  discrete_adjoint_after_failure: () => {
    const loss = (start: Tensor) => solve((_t, y) => y.square(), start, { t0: 0, t1: 2 }).y1.sum();
    expect(() => gradient(loss)(tensor([1]))).toThrow(SolveError);
  },
  stochastic_field: () => {
    const noisy = (k: Tensor) =>
      solve((_t, y) => y.mul(k).mul(1 + 1e-6 * Math.random()), tensor([1]), { ...unit, solver: rk4(), controller: fixedSteps(8) }).y1.sum();
    expect(() => gradient(noisy)(tensor(-1))).toThrow(ReplayError);
  },
  checkpoints_one_many_steps: () => {
    const stats: SolveStats[] = [];
    const slopeWith = (checkpoints: Schedule) =>
      gradient((k: Tensor) => {
        const solution = solve((_t, y) => y.mul(k), tensor([1]), {
          ...unit,
          solver: euler(),
          controller: fixedSteps(200),
          adjoint: discreteAdjoint({ checkpoints }),
        });
        stats.push(solution.stats);
        return solution.y1.sum();
      })(tensor(-1));
    expectSameBits(slopeWith(revolve(1)), slopeWith(storeAll()));
    // 200 · 199 / 2 advances in all, the 199 of the forward solve among them.
    expect([advances(200, 1), stats[0]!.reverse?.advanced, stats[0]!.reverse?.taped]).toEqual([19_900, 19_900 - 199, 200]);
  },
  repeated_backward: () => {
    const { pullback } = vjp((start: Tensor) => solve(lv, start, unit).y1, y0);
    expectSameBits(pullback(tensor([1, 0])), pullback(tensor([1, 0])));
  },
  nested_solve: () => {
    // The rate is itself the end of a solve, and so is its derivative.
    const options = { ...unit, solver: rk4(), controller: fixedSteps(6) };
    const rate = (k: Tensor) => solve((_t, z) => z.mul(k), tensor(1), options).y1;
    const slope = gradient((k: Tensor) => solve((_t, y) => y.mul(rate(k)), tensor([1]), options).y1.sum())(tensor(-1));
    expectNear(slope, Math.exp(-1) * Math.exp(Math.exp(-1)), 1e-3);
  },
  float32_state_float64_time: () => {
    const start = tensor(new Float32Array([1]));
    const { y1, grid: ends } = solve((_t, y) => y.mul(-1000), start, { t0: 1e4, t1: 1e4 + 1e-2, controller: adaptive({ max: 1e-4 }) });
    expect(ends.length).toBeGreaterThan(100);
    expectNear(y1, Math.exp(-10), 1e-2);
  },
  chebyshev_nodes_bad: () => {
    for (const nodes of [0, 1, -3, 2.5, NaN, Infinity])
      expect(() => interpolatedAdjoint({ nodes })).toThrow(`interpolatedAdjoint got nodes = ${nodes}: a whole number of at least 2 is needed`);
    // Steps of the backward solve end at points, so the interpolant is asked for at its nodes.
    const slope = (nodes: number) =>
      gradient((k: Tensor) => solve((_t, y) => y.mul(k), tensor([1]), { t0: 0, t1: 2, adjoint: interpolatedAdjoint({ nodes }) }).y1.sum())(
        tensor(-0.5),
      );
    for (const nodes of [12, 1000, 5000]) expectNear(slope(nodes), 2 * Math.exp(-1), 1e-5);
  },
};

describe("every case of bad_inputs.json that concerns these solvers", () => {
  // Of implicit solvers, and of noise.
  const elsewhere = ["singular_jacobian", "sde_seed"];

  test.each(bad.cases.filter(({ id }) => !elsewhere.includes(id)).map(({ id, kind }) => [id, kind]))(
    "%s (%s) ends soon, as it must, and leaves nothing open",
    (id) => {
      expect(processorTime(mustDo[id]!)).toBeLessThan(soon);
      expect([activeRecorders(), currentRegion()]).toEqual([[], heap]);
    },
  );
});
