/** @file What plain JavaScript may pass, and what each call says to it. */
import { describe, expect, test } from "vitest";
import { gradient, revolve } from "@dydt/autodiff";
import { OptionError, ShapeError, stack, tensor, WatchedTensorError, type Tensor } from "@dydt/tensor";
import * as ode from "@dydt/ode";
import {
  adaptive, asynchronousLeapfrog, autoAdjoint, backsolveAdjoint, checkAdjoint, checkController, checkSolver, checkTableau, compareAdjoints, denseAdjoint, discreteAdjoint,
  errorEstimate, explicitRungeKutta, fixed, fixedSteps, forwardSensitivity, gaussAdjoint, grid, interpolatedAdjoint, MaxStepsError, raggedTimes, reversible,
  reversibleHeun, rk4, solve, stiffnessEstimate, TimeLimitError, tsit5, type Controller, type EmbeddedStep, type Ode, type ReversibleSolver, type ReversibleStep,
  type Solver, type Step,
} from "@dydt/ode"; // prettier-ignore
import { errorOf, expectSameBits } from "./problems.js";

/** A value of a type that does not belong there. */
const wrong = (value: unknown) => value as never;

const decay = (_t: Tensor, y: Tensor): Tensor => y.neg();

/** What a call throws is of this class, and says this. */
const expectRefusal = (body: () => unknown, says: string | RegExp, kind: new (...args: never[]) => Error = OptionError): void => {
  const error = errorOf(body);
  expect(error).toBeInstanceOf(kind);
  expect(error.message).toMatch(says);
};

describe("a solve with steps that are known beforehand", () => {
  const alongTo = (t1: number, controller: Controller<Step>, limits: object) =>
    solve(decay, tensor([1]), { t0: 0, t1, solver: rk4(), controller, ...limits });

  test("is given up at its limits, however many steps there would be", () => {
    const counts: number[] = [];
    /** The controller, whose step ends are counted. */
    const counted = (controller: Controller<Step>): Controller<Step> => ({
      ...controller,
      begin: (setup) => {
        const control = controller.begin(setup);
        if (control.kind === "grid") counts.push(control.times.length);
        return control;
      },
    });
    for (const controller of [fixed(1e-12), fixedSteps(1e10), fixed(5e-324), fixedSteps(1e7)])
      expectRefusal(() => alongTo(1, counted(controller), { maxSteps: 10 }), /10 accepted|10 steps/, MaxStepsError);
    expectRefusal(() => alongTo(1e5, counted(fixed(0.01)), { timeLimit: 5 }), "timeLimit = 5 ms", TimeLimitError);
    expect(counts).toEqual([14, 14, 14, 14, 100_004]); // those within maxSteps, not all ten million
  });

  test("has the ends t0 + j h, in as many calls as it takes", () => {
    for (const [t0, t1] of [
      [0.1, 1.33],
      [1.33, 0.1],
    ] as const)
      // prettier-ignore
      for (const controller of [fixed(0.01), fixedSteps(123)]) {
        const options = { t0, t1, solver: rk4(), controller };
        const whole = solve(decay, tensor([1]), options);
        const h = (controller.name === "fixed(0.01)" ? 0.01 * Math.sign(t1 - t0) : (t1 - t0) / 123); // prettier-ignore
        expect(whole.grid).toEqual(Array.from({ length: 124 }, (_, j) => (j === 123 ? t1 : t0 + j * h)));
        const parts = { ...options, maxSteps: 10, throw: false };
        let part = solve(decay, tensor([1]), parts);
        for (let i = 0; part.status === "maxSteps" && i < 20; i++) {
          expect(part.grid).toEqual(whole.grid.slice(10 * i, 10 * i + 11));
          part = solve(decay, tensor([1]), { ...parts, resume: part.resume! });
        }
        expectSameBits(part.y1, whole.y1);
      }
  });

  test("that would never leave its beginning, or needs more ends than a list holds, is refused", () => {
    expectRefusal(() => solve(decay, tensor([1]), { t0: 1, t1: 2, solver: rk4(), controller: fixed(1e-25) }), "makes no way from t = 1 to 2");
    for (const controller of [fixed(1e-17), fixedSteps(1000)])
      expectRefusal(() => solve(decay, tensor([1]), { t0: 1, t1: 1 + 1e-14, solver: rk4(), controller }), /lost in rounding/);
    expectRefusal(() => alongTo(1, fixedSteps(1e10), { maxSteps: 1e12 }), "would take 10000000000 steps");
  });
});

describe("a controller", () => {
  test("of given steps refuses what is no length, no number, or no list", () => {
    for (const value of ["0.3", [0.3], null, undefined, NaN]) expectRefusal(() => fixed(wrong(value)), "fixed needs a positive step length");
    for (const value of ["3", [3], null, undefined, 1.5]) expectRefusal(() => fixedSteps(wrong(value)), "fixedSteps needs a positive whole number");
    for (const value of [5, undefined, null, "01", {}, tensor([[0, 1]]), ["0", "1"], { grid: null }])
      expectRefusal(() => grid(wrong(value)), /^grid got .*: give a list of numbers/);
  });

  test("that adapts refuses lengths that are no numbers", () => {
    for (const name of ["min", "max", "first"])
      for (const value of ["0.1", true, null, [0.1], NaN, 0])
        expectRefusal(() => adaptive(wrong({ [name]: value })), new RegExp(`^adaptive got ${name} = .*: a positive length is needed`));
  });
});

const unit = { t0: 0, t1: 1 };

describe("a solve refuses", () => {
  test("times of at that are none", () => {
    const solution = solve(decay, tensor([1]), unit);
    for (const t of ["0.5", null, undefined, {}, [1]]) expectRefusal(() => solution.at(wrong(t)), /^at got .*: a time is needed/);
  });

  test("save times that mix numbers and tensors", () => {
    for (const saveAt of [[0.3, tensor(0.5)], [tensor(0.3), 0.5], ["0.3"], [null]])
      expectRefusal(
        () => solve(decay, tensor([1]), { ...unit, saveAt: wrong(saveAt) }),
        /^saveAt got .* among its times: give a list of numbers, or one 1-D tensor/,
      );
    expect(solve(decay, tensor([1]), { ...unit, saveAt: stack([tensor(0.3), tensor(0.5)]) }).ys.shape).toEqual([2, 1]);
  });

  test("to go on from what is no stand of the same call, and says which part it is", () => {
    for (const solver of [tsit5(), reversibleHeun()] as readonly Solver<Ode, EmbeddedStep>[]) {
      const options = { ...unit, solver, controller: fixedSteps(20) };
      const half = solve(decay, tensor([1]), { ...options, maxSteps: 10, throw: false });
      const from = (changes: object) => () => solve(decay, tensor([1]), { ...options, resume: { ...half.resume!, ...changes } });
      expect(from({})().status).toBe("success");
      for (const y of [[1], [null], null, "y"]) expectRefusal(from({ y }), "resume got y = ");
      for (const carry of ["x", [1], [null], null]) expectRefusal(from({ carry }), new RegExp(`^resume got carry = .* for ${solver.name}`));
      for (const key of ["t", "h"]) for (const value of [NaN, Infinity, "0.5", null]) expectRefusal(from({ [key]: value }), `resume got ${key} = `);
      for (const memory of [null, ["a"]]) expectRefusal(from({ memory }), "resume got memory = ");
      for (const events of [null, "x", {}]) expectRefusal(from({ events }), "resume got events = ");
      expectRefusal(from({ h: -0.1 }), "resume got h = -0.1");
      expectRefusal(from({ y: [tensor([1, 2])] }), "resume holds a state of", ShapeError);
      for (const resume of [null, 5, [], {}]) expectRefusal(() => solve(decay, tensor([1]), { ...options, resume: wrong(resume) }), "resume got");
    }
    for (const solver of [reversibleHeun(), asynchronousLeapfrog(), reversible(rk4())] as readonly ReversibleSolver<Ode, ReversibleStep>[]) {
      const options = { ...unit, solver, controller: fixedSteps(20) };
      const { resume } = solve(decay, tensor([1]), { ...options, maxSteps: 10, throw: false });
      for (const carry of [[], [...resume!.carry!, tensor([1])], resume!.carry!.map(() => tensor([1, 2]))])
        expectRefusal(
          () => solve(decay, tensor([1]), { ...options, resume: { ...resume!, carry } }),
          /^resume holds a carry of .*carries float64 \[1\]/,
          ShapeError,
        );
    }
    const watched = { ...unit, events: [{ when: (t: Tensor) => t.sub(0.7), then: (_t: Tensor, y: Tensor) => y }] };
    const before = solve(decay, tensor([1]), { ...watched, maxSteps: 2, throw: false }).resume!;
    for (const [part, value] of [
      ["pending", [3]],
      ["since", []],
      ["counts", [0, 0]],
      ["values", ["a"]],
      ["since", undefined],
    ] as const)
      // prettier-ignore
      expectRefusal(() => solve(decay, tensor([1]), { ...watched, resume: { ...before, events: wrong({ ...before.events, [part]: value }) } }), /^resume /);
    const { resume } = solve(decay, tensor([1]), { ...unit, controller: fixedSteps(20), maxSteps: 10, throw: false });
    expectRefusal(
      () => solve(decay, tensor([1]), { ...unit, solver: reversibleHeun(), resume: resume! }),
      "resume got carry = undefined for reversibleHeun",
    );
  });

  test("what a domain is not, and what inPlace does not know", () => {
    const controller = adaptive({ domain: (_t, y) => wrong(y.greater(0)) });
    expectRefusal(
      () => solve(decay, tensor([1]), { ...unit, controller }),
      "the domain of adaptive returned a tensor of shape [1]: true or false is needed",
    );
    expectRefusal(() => ode.inPlace(() => 0, wrong({ jvp: () => 0 })), "inPlace got the unknown option jvp");
    expectRefusal(() => ode.inPlace(() => 0, wrong(null)), "inPlace got null where its options belong");
  });

  test("limits, tolerances of events and other numbers in words", () => {
    const event = { when: (_t: Tensor, y: Tensor) => y.at(0).sub(0.5), tolerance: wrong("0.5") };
    expectRefusal(() => solve(decay, tensor([1]), { ...unit, events: [event] }), 'event 0 got tolerance = "0.5"');
    expectRefusal(() => solve(decay, tensor([1]), { ...unit, timeLimit: wrong("50") }), 'timeLimit got "50"');
    expectRefusal(() => autoAdjoint({ bytes: wrong("1e6") }), "bytes = 1e6");
    expectRefusal(() => forwardSensitivity({ components: wrong("5") }), "components = 5");
    expectRefusal(() => reversible(rk4(), { coupling: wrong("0.5") }), "coupling = 0.5");
    expectRefusal(() => asynchronousLeapfrog({ eta: wrong("0.7") }), "eta = 0.7");
  });
});

test("series of times refuse what is no list of lists of numbers", () => {
  for (const series of ["x", null, undefined, 5, [1], [null], [["1"]]])
    expectRefusal(() => raggedTimes(wrong(series)), /^raggedTimes got .*: give one list of numbers for each series/);
  const { place } = raggedTimes([[1]]);
  for (const values of [null, [null], "x", [["x"]], [1]]) expectRefusal(() => place(wrong(values)), /^place got .*: give one list of numbers/);
});

describe("adjoints refuse", () => {
  test("backward options that are something else", () => {
    for (const adjoint of [backsolveAdjoint, denseAdjoint, interpolatedAdjoint, gaussAdjoint] as readonly ((options: object) => unknown)[]) {
      for (const value of [null, "tsit5", 5, {}]) {
        expectRefusal(() => adjoint({ solver: wrong(value) }), /as its solver got .*: pass a solver such as tsit5\(\)/);
        expectRefusal(() => adjoint({ controller: wrong(value) }), /as its controller got .*: pass a controller/);
      }
      for (const maxSteps of ["x", 1.5, 0, null]) expectRefusal(() => adjoint({ maxSteps: wrong(maxSteps) }), /got maxSteps = /);
      for (const key of ["rtol", "atol"]) expectRefusal(() => adjoint({ [key]: wrong("1e-6") }), `got ${key} = "1e-6"`);
    }
    expectRefusal(() => interpolatedAdjoint({ largestDefect: wrong("0.5") }), 'largestDefect = "0.5": a positive number');
  });

  test("costs with a timesStep that is no truth value", () => {
    for (const cost of [errorEstimate, stiffnessEstimate]) for (const timesStep of ["x", 1, null]) expectRefusal(() => cost({ timesStep: wrong(timesStep) }), "got timesStep"); // prettier-ignore
  });
});

test("what takes nothing says where tolerances belong", () => {
  const { euler, midpoint, heun, ralston, bosh3, bs5, dopri5, dop853, vern7, rk4ThreeEighths, leapfrog, directAdjoint } = ode;
  const all = {
    tsit5,
    rk4,
    reversibleHeun,
    euler,
    midpoint,
    heun,
    ralston,
    bosh3,
    bs5,
    dopri5,
    dop853,
    vern7,
    rk4ThreeEighths,
    leapfrog,
    directAdjoint,
  };
  for (const [name, make] of Object.entries<(...given: never[]) => unknown>(all)) {
    expectRefusal(() => make(wrong({ rtol: 1e-12 })), `${name} got an object, and takes nothing: tolerances belong to the controller`);
    expect(make()).toMatchObject({ name });
  }
});

test("the kits refuse what is nothing of the kind", () => {
  const loss = () => tensor(1);
  for (const value of [null, undefined, 5, "tsit5", {}]) {
    for (const call of [explicitRungeKutta, checkTableau]) expectRefusal(() => call(wrong(value)), /a method got .*: pass a tableau/);
    expectRefusal(() => checkSolver(wrong(value)), /checkSolver got .*: pass a solver/);
    expectRefusal(() => checkController(wrong(value)), /checkController got .*: pass a controller/);
    expectRefusal(() => checkAdjoint(wrong(value)), /checkAdjoint got .*: pass an adjoint/);
    expectRefusal(() => compareAdjoints(wrong(value)), /compareAdjoints got .*: pass \{ loss, parameters \}/);
    expectRefusal(() => compareAdjoints({ loss: wrong(value), parameters: tensor(1) }), "as its loss");
  }
  for (const adjoints of [null, "gauss"])
    expectRefusal(() => compareAdjoints({ loss, parameters: tensor(1) }, wrong({ adjoints })), "compareAdjoints got adjoints = ");
  expect(checkAdjoint(discreteAdjoint({ checkpoints: revolve(3) })).passed).toBe(true);
  expect(compareAdjoints({ loss, parameters: tensor(1) }, { adjoints: {} }).rows).toEqual([]);
});

test("the times of a grid, and those at which f may jump, have no derivative: a tensor that is differentiated is refused", () => {
  const end = (controller: Controller<EmbeddedStep>): Tensor => solve((_t, y) => y.neg(), tensor([1]), { t0: 0, t1: 1, controller }).y1.sum();
  const at = tensor([0, 0.5, 1]);
  for (const along of [(times: Tensor) => end(grid(times)), (times: Tensor) => end(adaptive({ times }))]) {
    expect(Number.isFinite(along(at).item())).toBe(true);
    expect(() => gradient(along)(at)).toThrow(WatchedTensorError);
  }
});
