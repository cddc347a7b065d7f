import { describe, expect, test } from "vitest";
import { gradient, revolve, storeAll, vjp } from "@dydt/autodiff";
import { meterBytes, OptionError, ShapeError, tensor, zeros, type Tensor } from "@dydt/tensor";
import { adaptive, bosh3, discreteAdjoint, dop853, euler, FieldError, fixed, fixedSteps, forwardSensitivity, integrate, kineticEnergy, MaxStepsError, NonFiniteError, ReplayError, reversibleHeun, rk4, solve, SolveError, StepTooSmallError, tsit5, type EmbeddedStep, type Ode, type Solution, type Solver } from "@dydt/ode"; // prettier-ignore
import { caseOf, run, y0, lv, anyOptions, expectUsable, failureOf } from "./bad-cases.js";
import { errorOf, expectNear, expectSameBits, solverNamed, solverNames } from "./problems.js";

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

  test.each([NaN, Infinity])("from the beginning ends the solve after a few attempts, whoever chooses the first step: %d", (value) => {
    for (const solver of [tsit5(), bosh3(), dop853(), reversibleHeun()] as readonly Solver<Ode, EmbeddedStep>[])
      for (const dtype of ["float64", "float32"] as const) {
        const error = failureOf(() =>
          solve((_t, y: Tensor) => y.mul(value), tensor([1, 2], { dtype }), { t0: 0, t1: 1, solver, controller: adaptive() }),
        );
        expect(error).toBeInstanceOf(NonFiniteError);
        expect(error.message).toMatch(/the field returned (NaN|Infinity) at t = 0, in step 1, stage 1, component 0/);
        expect((error.solution as Solution<Tensor>).stats.rejected).toBeLessThan(60);
      }
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

  test("is found out by forward sensitivities, which run all steps again", () => {
    let offset = 0;
    const changed = (p: Tensor): Tensor => {
      const { y1 } = solve((_t, y) => y.mul(p).add(offset), tensor([1]), { t0: 0, t1: 1, adjoint: forwardSensitivity() });
      offset++;
      return y1.sum();
    };
    expect(() => gradient(changed)(tensor(-1))).toThrow(ReplayError);
    expectUsable();
  });
});

describe("a failure of a solve that is called within another one", () => {
  const inner = (y: Tensor): Tensor => solve((_t, z: Tensor) => z.mul(-1e3), y, { t0: 0, t1: 10, maxSteps: 5 }).y1;
  const unit = { t0: 0, t1: 1 } as const;
  const wheres = {
    "its field": () => solve((_t, y: Tensor) => inner(y), tensor([1, 2]), unit),
    "its field, failures being returned": () => solve((_t, y: Tensor) => inner(y), tensor([1, 2]), { ...unit, throw: false }),
    "its field, running costs being added": () => solve((_t, y: Tensor) => inner(y), tensor([1, 2]), { ...unit, regularize: [kineticEnergy()] }),
    "a value that is saved": () =>
      solve((_t, y: Tensor) => y.neg(), tensor([1, 2]), {
        ...unit,
        throw: false,
        saveAt: { times: [0.5], value: (_t: Tensor, y: Tensor) => inner(y) },
      }),
    "a loop over its steps": () => [...integrate((_t, y: Tensor) => inner(y), tensor([1, 2]), { ...unit, throw: false })],
    "the field of a gradient": () => gradient((p: Tensor) => solve((_t, y: Tensor) => inner(y.mul(p)), tensor([1, 2]), unit).y1.sum())(tensor(1)),
  } as const;

  test.each(Object.keys(wheres) as (keyof typeof wheres)[])("is what is thrown, with what was reached in it: %s", (where) => {
    const error = failureOf(wheres[where]);
    expect(error).toBeInstanceOf(MaxStepsError);
    const { status, grid: ends, stats, error: found } = error.solution as Solution<Tensor>;
    expect([status, ends.at(-1), stats.accepted + stats.rejected]).toEqual(["maxSteps", error.t, 5]);
    expect(found).toBe(error);
    expectUsable();
  });
});

test("a solve gives back every byte that it was accounted for, also when its field throws half-way", () => {
  const throwing = (_t: Tensor, y: Tensor) => {
    if (y.sum().item() > 2.2) throw new RangeError("no more");
    return y;
  };
  const peakOf = (body: () => void): number => {
    const peak = meterBytes();
    body();
    return peak();
  };
  for (const options of [{}, { throw: false, maxSteps: 9 }, { maxSteps: 9 }] as const)
    for (const field of [throwing, (_t: Tensor, y: Tensor) => y]) {
      const settings = { t0: 0, t1: 1, solver: rk4(), controller: fixedSteps(100), ...options };
      const loss = (k: Tensor) => solve((t, y: Tensor) => field(t, y).mul(k), tensor([1, 1]), settings).y1.sum();
      const run = () => {
        for (const body of [() => loss(tensor(1)), () => gradient(loss)(tensor(1))])
          try {
            body();
          } catch {
            // That it throws is not what is looked at here.
          }
      };
      run();
      const once = peakOf(run);
      const often = peakOf(() => {
        for (let i = 0; i < 20; i++) run();
      });
      expect(often).toBe(once);
    }
});
