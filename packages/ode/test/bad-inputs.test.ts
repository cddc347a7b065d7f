import { describe, expect, test } from "vitest";
import { advances, gradient, revolve, storeAll, vjp, type Schedule } from "@dydt/autodiff";
import { activeRecorders, currentRegion, DtypeError, DydtError, heap, OptionError, ShapeError, tensor, zeros, type Tensor } from "@dydt/tensor";
import {
  adaptive, bosh3, discreteAdjoint, dopri5, errorEstimate, euler, FieldError, fixed, fixedSteps, grid, heun, IncompatibleError, integrate,
  interpolatedAdjoint, MaxStepsError,
  NonFiniteError, ReplayError, rk4, solve, SolveError, stiffnessEstimate, StepTooSmallError, tsit5, type Solution, type SolveOptions,
  type SolveStats, type Step,
} from "@dydt/ode"; // prettier-ignore
import * as sentences from "../src/sentences.js";
import bad from "./cases/bad_inputs.json" with { type: "json" };
import { errorOf, expectNear, expectSameBits, lotkaVolterra, plainField, solverNamed, solverNames } from "./problems.js";

const caseOf = (id: string) => {
  const { problem } = bad.cases.find((one) => one.id === id)!;
  const { js_body, y0, t0, t1 } = problem as {
    readonly js_body: string;
    readonly y0: readonly (number | string)[];
    readonly t0: number;
    readonly t1: number | string;
  };
  return { field: plainField(js_body), y0: tensor(y0.map(Number)), t0, t1: Number(t1) };
};
/** A case, solved; what plain JavaScript may pass is allowed. */
const run = (id: string, options: object = {}): Solution<Tensor> => {
  const { field, y0, t0, t1 } = caseOf(id);
  return solve(field, y0, { t0, t1, ...options } as SolveOptions<Step> as never);
};
const p = tensor([1.5, 1, 3, 1]);
const y0 = tensor([1, 1]);
const lv = lotkaVolterra(p);
const anyOptions = (options: object) => options as never;

/** How long a bad input may take, in milliseconds of the processor: what else runs there has no say. */
const soon = 1000;

const processorTime = (body: () => void): number => {
  const before = process.cpuUsage();
  body();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
};

/** After a failure nothing is open, and gradients are what they were. */
const expectUsable = () => {
  expect([activeRecorders(), currentRegion()]).toEqual([[], heap]);
  const slope = gradient((k: Tensor) =>
    solve((_t, y) => y.mul(k), tensor([1]), { t0: 0, t1: 1, solver: rk4(), controller: fixedSteps(20) }).y1.sum(),
  )(tensor(-1));
  expectNear(slope, Math.exp(-1), 1e-6);
};

/** A failure within a bounded number of evaluations. */
const failureOf = (body: () => unknown): SolveError => {
  const error = errorOf(body) as unknown as SolveError;
  expect(error).toBeInstanceOf(SolveError);
  expect((error.solution as Solution<Tensor>).stats.evaluations).toBeLessThan(20_000);
  return error;
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
    expectSameBits([slopes.start, slopes.rate, slopes.t1], [1, 3, 0, 0, 1 * 5 + 3 * 2 * 7]);
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

describe("a field that is not finite", () => {
  test.each(solverNames)("after a time ends the solve with the last good time, where, and the part that is right: %s", (name) => {
    const solver = solverNamed(name);
    const options =
      solver.errorOrder === undefined ? { solver, controller: fixedSteps(100) } : { solver, controller: adaptive({ rtol: 1e-6, atol: 1e-9 }) };
    for (const id of ["nan_after_time", "inf_field"]) {
      const error = failureOf(() => run(id, options));
      expect(error).toBeInstanceOf(NonFiniteError);
      const [from, to] = id === "inf_field" ? [0.2, 0.25] : [0.4, 0.5];
      expect(error.status).toBe("nonFinite");
      expect(error.t).toBeGreaterThanOrEqual(from);
      expect(error.t).toBeLessThanOrEqual(to);
      expect(error.message).toMatch(id === "inf_field" ? /the field returned Infinity at t = 0\.[23]\d*/ : /the field returned NaN at t = 0\.[56]/);
      expect(error.message).toMatch(
        /in step \d+, stage \d+, component 0\. The last good time is 0\.\d+ \(\d+ accepted, \d+ rejected.*look there for/,
      );
      const partial = error.solution as Solution<Tensor>;
      expect(partial.status).toBe("nonFinite");
      expect(partial.grid.at(-1)).toBe(error.t);
      expectNear(partial.y1, id === "inf_field" ? error.t : Math.exp(-error.t), name === "euler" ? 5e-3 : 1e-4);
    }
    expectUsable();
  });

  test("in the initial state is refused at once", () => {
    const error = errorOf(() => run("nan_y0"));
    expect(error).toBeInstanceOf(NonFiniteError);
    expect(error.message).toMatch(/the initial state is not finite: element 0/);
    expect(() => run("nan_y0", { controller: fixedSteps(10), solver: rk4() })).toThrow(NonFiniteError);
  });

  test("names the component and the tensor of a tree", () => {
    const tree = { a: tensor([1, 2]), b: zeros([2, 2]) };
    const f = (t: Tensor, { a, b }: typeof tree) => ({ a, b: t.item() > 0.3 ? b.add(tensor([[0, 0], [NaN, 0]])) : b }); // prettier-ignore
    expect(() => solve(f, tree, { t0: 0, t1: 1 })).toThrow(
      /the field returned NaN at t = 0\.3\d*, in step \d+, stage \d+, component 2 of shape \[2, 2\] in tensor 1/,
    );
  });

  test("in the gradient of an adaptive solve, too, and never gives numbers", () => {
    const loss = (k: Tensor) => solve((t, y) => (t.item() < 0.5 ? y.mul(k) : y.mul(NaN)), tensor([1]), { t0: 0, t1: 1 }).y1.sum();
    expect(() => gradient(loss)(tensor(-1))).toThrow(NonFiniteError);
    expectUsable();
  });
});

describe("a solution that blows up", () => {
  test.each(["tsit5", "dopri5", "bosh3", "heun"] as const)("ends just before the singularity, with what it looks like: %s", (name) => {
    const error = failureOf(() => run("blow_up", { solver: solverNamed(name), controller: adaptive({ rtol: name === "heun" ? 1e-4 : 1e-6 }) }));
    expect(error).toBeInstanceOf(SolveError);
    expect(error.t).toBeGreaterThan(0.99);
    expect(error.t).toBeLessThanOrEqual(1.0001);
    expect(error.message).toMatch(/blow|grows beyond/);
    expect((error.solution as Solution<Tensor>).y1.data[0]).toBeGreaterThan(1e3);
    expect(error.recent.length).toBeGreaterThan(3);
    expectUsable();
  });

  test("with fixed steps is not finite, no success", () => {
    const error = errorOf(() => run("blow_up", { solver: rk4(), controller: fixedSteps(50) })) as unknown as SolveError;
    expect(error).toBeInstanceOf(NonFiniteError);
    expect(error.t).toBeGreaterThan(0.99);
  });

  test("has no gradient: asking for it throws", () => {
    const loss = (k: Tensor) => solve((_t, y) => y.square().mul(k), tensor([1]), { t0: 0, t1: 2 }).y1.sum();
    expect(() => gradient(loss)(tensor(1))).toThrow(SolveError);
    expectUsable();
  });
});

describe("intervals", () => {
  test("an empty one gives y0", () => {
    const { y1, stats, status } = run("t1_equals_t0");
    expectSameBits(y1, [1, 1]);
    expect([stats.accepted, status]).toEqual([0, "success"]);
  });

  test("t1 before t0 is solved backward", () => expectNear(run("backward").y1, Math.E, 1e-5));

  test("an infinite or missing end is refused", () => {
    expect(() => run("infinite_t1")).toThrow(OptionError);
    expect(() => run("infinite_t1")).toThrow("t1 got Infinity: a finite time is needed");
    expect(() => solve(lv, y0, anyOptions({ t0: 0 }))).toThrow("t1 got undefined: a number or a 0-d tensor is needed");
    expect(() => solve(lv, y0, anyOptions({ t0: tensor([0]), t1: 1 }))).toThrow("t0 got a tensor of shape [1]: a number or a 0-d tensor is needed");
    expect(() => solve(lv, y0, anyOptions({ t0: "0", t1: 1 }))).toThrow(OptionError);
    expect(() => solve(lv, y0, undefined as never)).toThrow("solve needs options");
  });

  test("save times outside it, out of order or not finite are refused, none are allowed", () => {
    expect(() => run("saveat_outside", { saveAt: [-0.5, 0.5, 1.5] })).toThrow("saveAt got the time -0.5, which is outside the solve from 0 to 1");
    expect(() => run("saveat_outside", { saveAt: [0.5, 1.5] })).toThrow("saveAt got the time 1.5");
    expect(() => run("saveat_outside", { saveAt: [0.5, 0.4] })).toThrow("saveAt got 0.4 after 0.5: times must be in the order of the solve");
    expect(() => run("saveat_outside", { saveAt: [0.5, NaN] })).toThrow(OptionError);
    expect(() => run("saveat_outside", { saveAt: 0.5 })).toThrow("saveAt got number: a list of times, or a 1-D tensor, is needed");
    expect(() => run("saveat_outside", { saveAt: tensor([[0.5]]) })).toThrow("saveAt got a tensor of shape [1, 1]");
    expect(run("saveat_empty", { saveAt: [] }).ys.shape).toEqual([0, 1]);
  });

  test("extreme scales of the state and of time are solved", () => {
    expectNear(run("scale_small", { controller: adaptive({ rtol: 1e-8, atol: 0 }) }).y1, 3.678794411714423e-301, 1e-7);
    expectNear(run("time_scale_tiny").y1, 0.36787944117144233, 1e-5);
    expectNear(solve((_t, y) => y.mul(-1e-15), tensor([1]), { t0: 0, t1: 1e15 }).y1, Math.exp(-1), 1e-5);
  });

  test("a step length that does not divide it has a shorter last step", () => {
    const { y1, grid: ends } = run("fixed_step_not_dividing", { solver: rk4(), controller: fixed(0.3) });
    expect(ends.at(-1)).toBe(1);
    expect(ends).toHaveLength(5);
    expectNear(y1, 0.36787944, 1e-3);
  });
});

describe("tolerances", () => {
  test.each([
    [{ rtol: -1e-6 }, "rtol got -0.000001: a finite number of at least 0 is needed"],
    [{ atol: -1 }, "atol got -1"],
    [{ rtol: NaN }, "rtol got NaN"],
    [{ atol: Infinity }, "atol got Infinity"],
    [{ rtol: 0, atol: 0 }, "rtol and atol are both 0: no step can be that exact"],
    [{ rtol: 1e-20, atol: 0 }, "rtol got 1e-20, which is below rounding"],
    [{ min: 0.1, max: 0.01 }, "adaptive got min = 0.1 above max = 0.01"],
    [{ first: 0 }, "adaptive got first = 0: a positive length is needed"],
    [{ max: NaN }, "adaptive got max = NaN"],
  ])("%o are refused at once", (options, message) => {
    expect(() => adaptive(options)).toThrow(OptionError);
    expect(() => adaptive(options)).toThrow(message);
  });

  test("of another length than the state are refused, with both lengths", () => {
    const solveWith = (options: object) => run("atol_vector_wrong_length", { controller: adaptive(options) });
    expect(() => solveWith({ atol: [1e-9, 1e-9, 1e-9] })).toThrow(ShapeError);
    expect(() => solveWith({ atol: [1e-9, 1e-9, 1e-9] })).toThrow("atol got 3 numbers for a state of 2, of shape [2]");
    expect(solveWith({ atol: [1e-9, 1e-3], rtol: tensor([1e-6, 0]) }).status).toBe("success");
    const tree = { a: y0, b: y0 };
    expect(() => solve((_t, y: typeof tree) => y, tree, { t0: 0, t1: 1, controller: adaptive({ atol: [1, 1] }) })).toThrow(
      /atol has the branches 0, 1 for a state of a, b: give one number, or a tree like the state/,
    );
  });
});

describe("options that are not known are errors, not defaults", () => {
  test.each([
    ["solve", () => solve(lv, y0, anyOptions({ t0: 0, t1: 1, rtoll: 1e-6 })), /solve got the unknown option rtoll: it knows t0, t1/],
    [
      "solve, nearly right",
      () => solve(lv, y0, anyOptions({ t0: 0, t1: 1, saveat: [1] })),
      /solve got the unknown option saveat \(did you mean saveAt\?\)/,
    ],
    ["integrate", () => [...integrate(lv, y0, anyOptions({ t0: 0, t1: 1, rtol: 1e-6 }))], /got the unknown option rtol: it knows/],
    ["adaptive", () => adaptive(anyOptions({ rtoll: 1e-6 })), /adaptive got the unknown option rtoll \(did you mean rtol\?\)/],
    [
      "discreteAdjoint",
      () => discreteAdjoint(anyOptions({ checkpoint: storeAll() })),
      /discreteAdjoint got the unknown option checkpoint \(did you mean checkpoints\?\)/,
    ],
    ["errorEstimate", () => errorEstimate(anyOptions({ Norm: "l2" })), /errorEstimate got the unknown option Norm \(did you mean norm\?\)/],
    [
      "stiffnessEstimate",
      () => stiffnessEstimate(anyOptions({ reduction: "max" })),
      /stiffnessEstimate got the unknown option reduction \(did you mean reduce\?\)/,
    ],
  ])("of %s", (_, body, message) => {
    expect(body).toThrow(OptionError);
    expect(body).toThrow(message);
  });

  test("and so are names of methods, and values of the wrong kind", () => {
    const withOption = (options: object) => () => solve(lv, y0, anyOptions({ t0: 0, t1: 1, ...options }));
    expect(withOption({ solver: "tsit5" })).toThrow('solver got "tsit5": pass a solver such as tsit5()');
    expect(withOption({ solver: tsit5 })).toThrow("solver got function: pass a solver such as tsit5()");
    expect(withOption({ controller: "adaptive" })).toThrow('controller got "adaptive"');
    expect(withOption({ adjoint: "discrete" })).toThrow('adjoint got "discrete": pass an adjoint such as discreteAdjoint()');
    expect(withOption({ regularize: ["errorEstimate"] })).toThrow('regularize got "errorEstimate"');
    expect(withOption({ maxSteps: 0 })).toThrow("maxSteps got 0: a positive whole number is needed");
    expect(withOption({ maxSteps: 1.5 })).toThrow(OptionError);
    expect(() => discreteAdjoint(anyOptions({ tape: "stage" }))).toThrow('discreteAdjoint got tape "stage"');
    expect(() => discreteAdjoint(anyOptions({ checkpoints: 3 }))).toThrow(/storeAll\(\) or revolve\(n\)/);
    expect(() => errorEstimate(anyOptions({ norm: "max" }))).toThrow('errorEstimate got norm "max"');
    expect(() => stiffnessEstimate(anyOptions({ norm: "max" }))).toThrow('stiffnessEstimate got norm "max"');
    for (const wrong of [0, -1, 1.5, NaN, Infinity]) expect(() => fixedSteps(wrong)).toThrow(OptionError);
    for (const wrong of [0, -0.1, NaN, Infinity]) expect(() => fixed(wrong)).toThrow(OptionError);
    expect(() => revolve(0)).toThrow(DydtError);
  });

  test("such as values of reduce and power that mean nothing", () => {
    expect(() => errorEstimate(anyOptions({ reduce: "average" }))).toThrow(OptionError);
    expect(() => stiffnessEstimate(anyOptions({ reduce: "average" }))).toThrow(OptionError);
    expect(() => errorEstimate(anyOptions({ power: 3 }))).toThrow(OptionError);
  });

  test("a grid must be in order, finite, and have both ends", () => {
    const withGrid = (times: readonly number[]) => () => solve(lv, y0, { t0: 0, t1: 1, solver: rk4(), controller: grid(times) });
    expect(withGrid([0, 0.5, 0.4, 1])).toThrow("grid got times that are not in the order of the solve: 0.5 before 0.4");
    expect(withGrid([0, 0.5, 0.5, 1])).toThrow(OptionError);
    expect(withGrid([0, NaN, 1])).toThrow("grid got the time NaN at place 1");
    expect(withGrid([0.1, 1])).toThrow(/grid got times from 0.1 to 1 for a solve from 0 to 1/);
    expect(withGrid([])).toThrow(OptionError);
  });
});

describe("states and slopes", () => {
  const t = { t0: 0, t1: 1 };
  test("a slope of another shape or type is refused, nothing is broadcast", () => {
    for (const shape of [[1], [2, 1], [], [1, 2]])
      for (const options of [t, { ...t, solver: rk4(), controller: fixedSteps(3) }])
        expect(() => solve(() => zeros(shape), y0, anyOptions(options))).toThrow(
          `the field returned shape [${shape.join(", ")}] for a state of shape [2]`,
        );
    expect(() => solve(() => zeros([2], { dtype: "float32" }), y0, t)).toThrow(/the field returned float32 for a state of type float64.*cast/);
    expect(() => solve(() => zeros([2], { dtype: "float32" }), y0, t)).toThrow(DtypeError);
  });

  test("a slope that is no tensor, or a tree of another form, is refused", () => {
    expect(() => solve(() => 1 as never, y0, t)).toThrow(ShapeError);
    expect(() => solve(() => undefined as never, y0, t)).toThrow(DydtError);
    expect(() => solve((_t, y: { a: Tensor }) => ({ b: y.a }) as never, { a: y0 }, t)).toThrow(/a is missing/);
    expect(() => solve((async () => Promise.resolve(y0)) as never, y0, t)).toThrow(/promise/);
    expect(() => solve(3 as never, y0, t)).toThrow("a field is a function (t, y) => dy/dt, got number");
    expectUsable();
  });

  test("a state that is a number, an integer tensor or of mixed types is refused", () => {
    expect(() => solve(lv, 1 as never, t)).toThrow("the initial state is a number: a tensor, or a tree of tensors, is needed");
    expect(() => solve(lv, null as never, t)).toThrow(OptionError);
    expect(() => solve(lv, [1, 1] as never, t)).toThrow(ShapeError);
    expect(() => solve(lv, tensor(new Int32Array([1, 1])), t)).toThrow(/the state has a tensor of type int32: make it float64 or float32/);
    expect(() => solve((_t, y) => y, { a: y0, b: tensor(new Float32Array([1])) }, t)).toThrow(/mixes float64 and float32/);
  });

  test("an empty state has an empty solution", () => {
    for (const options of [t, { ...t, solver: rk4(), controller: fixedSteps(3) }]) {
      const { y1, status } = solve((_t, y) => y.neg(), zeros([0]), anyOptions(options));
      expect([y1.shape, status]).toEqual([[0], "success"]);
    }
    expect(solve((_t, y: Record<string, Tensor>) => y, {}, t).status).toBe("success");
  });

  test("Math.sin of the time is refused, with what to write instead", () => {
    const error = errorOf(() => solve((time, y) => y.mul(Math.sin(time as never)), y0, t));
    expect(error.message).toMatch(/use sin\(t\).*t\.item\(\)/);
  });
});

describe("limits", () => {
  test("maxSteps ends a stiff problem, says where, hints at stiffness and hands over what was reached", () => {
    const error = failureOf(() => run("max_steps", { maxSteps: 1000, saveAt: [0, 1e-6, 2] }));
    expect(error).toBeInstanceOf(MaxStepsError);
    expect(error.message).toMatch(
      /maxSteps = 1000 was reached at t = 0\.\d+ of 2 \(\d+ accepted, \d+ rejected\): the problem looks stiff there \(h·ρ ≈ \d\.\d, the limit of tsit5 is 3\.5\)/,
    );
    const partial = error.solution as Solution<Tensor>;
    expect([error.status, partial.status]).toEqual(["maxSteps", "maxSteps"]);
    expect(partial.stats.accepted + partial.stats.rejected).toBe(1000);
    expect(partial.grid).toHaveLength(partial.stats.accepted + 1);
    expect(partial.grid.at(-1)).toBe(error.t);
    expectSameBits(partial.ts, [0, 1e-6]);
    expect(partial.ys.shape).toEqual([2, 2]);
    expectNear(partial.y1.at(0), 2, 1e-2);
    const { t, h, error: estimate } = error.recent.at(-1)!;
    expect([t, h, estimate].every(Number.isFinite)).toBe(true);
    expect(error.recent).toHaveLength(16);
    expectUsable();
  });

  test("maxSteps counts fixed steps, too, and is no limit when it is enough", () => {
    const options = { t0: 0, t1: 1, solver: rk4(), controller: fixedSteps(10) };
    expect(() => solve(lv, y0, { ...options, maxSteps: 9 })).toThrow(MaxStepsError);
    expect(solve(lv, y0, { ...options, maxSteps: 10 }).status).toBe("success");
  });

  test("a jump of the field is passed with small steps", () => {
    const { y1, stats } = run("discontinuity", { controller: adaptive({ rtol: 1e-9, atol: 1e-12 }) });
    expect(stats.evaluations).toBeLessThan(1000);
    expect(Math.abs(y1.at(0).item() + 0.3333333334)).toBeLessThan(1e-6);
  });

  test("or the step falls below the smallest, which says that it looks discontinuous", () => {
    const error = errorOf(() =>
      run("discontinuity", { controller: adaptive({ rtol: 1e-9, atol: 1e-12, min: 1e-6 }) }),
    ) as unknown as StepTooSmallError;
    expect(error).toBeInstanceOf(StepTooSmallError);
    expect(error.status).toBe("stepTooSmall");
    expect(error.message).toMatch(
      /the step fell to \d\.\de-7 at t = 0\.333\d+ \(\d+ accepted, \d+ rejected\): the field looks discontinuous there \(component 0 jumps by 2\.0e\+0 at t = 0\.333333; \d+ of the last 16 attempts rejected\)/,
    );
    expectNear((error.solution as Solution<Tensor>).y1, error.t, 1e-8);
    expectUsable();
  });
});

describe("a field that throws", () => {
  test("is the cause of the error, and solver and tape are usable afterwards", () => {
    const { field } = caseOf("field_throws_midway");
    const boom = errorOf(() => run("field_throws_midway"));
    expect(boom).toBeInstanceOf(FieldError);
    expect(boom.message).toMatch(/the field threw at t = 0\.\d+: boom/);
    expect((boom.cause as Error).message).toBe("boom");
    expect(() => solve(field, tensor([1]), { t0: 0, t1: 1, solver: euler(), controller: fixedSteps(10) })).toThrow("the field threw at t = 0.6");
    expectUsable();
  });

  test("also under a gradient, in its forward and in its reverse", () => {
    let calls = 0;
    const loss = (until: number) => (k: Tensor) =>
      solve((_t, y) => {
        if (++calls > until) throw new RangeError("boom");
        return y.mul(k);
      }, tensor([1]), { t0: 0, t1: 1, solver: rk4(), controller: fixedSteps(5), adjoint: discreteAdjoint({ checkpoints: revolve(2) }) }).y1.sum(); // prettier-ignore
    for (const until of [7, 23, 30]) {
      calls = 0;
      const error = errorOf(() => gradient(loss(until))(tensor(-1)));
      expect(error).toBeInstanceOf(FieldError);
      expect(error.cause).toBeInstanceOf(RangeError);
      expectUsable();
    }
  });

  test("an error of ours keeps its class: a shape that does not fit is a ShapeError", () => {
    expect(() => solve((_t, y) => y.add(zeros([3])), y0, { t0: 0, t1: 1 })).toThrow(ShapeError);
  });
});

describe("a field that is no function of (t, y)", () => {
  test("is found out when a step that is run again gives other numbers", () => {
    let seed = 1;
    const noisy = (_t: Tensor, y: Tensor) => y.mul((seed = (seed * 16807) % 2147483647) / 2147483647);
    const { value, pullback } = vjp(
      (start: Tensor) => solve(noisy, start, { t0: 0, t1: 1, solver: rk4(), controller: fixedSteps(5) }).y1,
      tensor([1]),
    );
    expect(Number.isFinite(value.at(0).item())).toBe(true);
    expect(() => pullback(tensor([1]))).toThrow(ReplayError);
    expect(() => pullback(tensor([1]))).toThrow(
      /step \d+ from t = 0\.\d+ gave other numbers when it was run again.*draw random numbers before the solve/,
    );
    for (const checkpoints of [storeAll(), revolve(2)])
      expect(() =>
        gradient((start: Tensor) =>
          solve(noisy, start, { t0: 0, t1: 1, controller: adaptive({ rtol: 1, atol: 1 }), adjoint: discreteAdjoint({ checkpoints }) }).y1.sum(),
        )(tensor([1])),
      ).toThrow(ReplayError);
    expectUsable();
  });
});

describe("combinations that do not go together throw the sentence that the types show", () => {
  const t = { t0: 0, t1: 1 };
  test.each([
    ["euler with adaptive steps by default", () => solve(lv, y0, anyOptions({ ...t, solver: euler() })), sentences.adaptive],
    ["rk4 with adaptive()", () => solve(lv, y0, anyOptions({ ...t, solver: rk4(), controller: adaptive() })), sentences.adaptive],
    ["euler in integrate", () => [...integrate(lv, y0, anyOptions({ ...t, solver: euler() }))], sentences.adaptive],
    [
      "rk4 with errorEstimate()",
      () => solve(lv, y0, anyOptions({ ...t, solver: rk4(), controller: fixedSteps(3), regularize: errorEstimate() })),
      sentences.errorEstimate,
    ],
    [
      "heun with stiffnessEstimate()",
      () => solve(lv, y0, anyOptions({ ...t, solver: heun(), regularize: stiffnessEstimate() })),
      sentences.stiffnessEstimate,
    ],
    [
      "bosh3 with both",
      () => solve(lv, y0, anyOptions({ ...t, solver: bosh3(), regularize: [errorEstimate(), stiffnessEstimate()] })),
      sentences.stiffnessEstimate,
    ],
  ])("%s", (_, body, sentence) => {
    expect(body).toThrow(IncompatibleError);
    expect(body).toThrow(sentence);
    expectUsable();
  });

  test("and a scaled estimate without tolerances says so", () => {
    expect(() => solve(lv, y0, { ...t, solver: dopri5(), controller: fixedSteps(3), regularize: errorEstimate() })).toThrow(
      /the controller has none, so give rtol and atol/,
    );
  });
});
