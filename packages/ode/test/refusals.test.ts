import { describe, expect, test } from "vitest";
import { gradient, revolve, storeAll } from "@dydt/autodiff";
import { DtypeError, DydtError, OptionError, ShapeError, tensor, zeros, type Tensor } from "@dydt/tensor";
import { adaptive, bosh3, discreteAdjoint, dopri5, errorEstimate, euler, fixed, fixedSteps, grid, heun, IncompatibleError, integrate, rk4, solve, stiffnessEstimate, tsit5, type Adjoint, type InputCotangents, type Step } from "@dydt/ode"; // prettier-ignore
import * as sentences from "../src/sentences.js";
import { run, y0, lv, anyOptions, expectUsable } from "./bad-cases.js";
import { errorOf } from "./problems.js";

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
    ["integrate", () => [...integrate(lv, y0, anyOptions({ t0: 0, t1: 1, rtoll: 1e-6 }))], /got the unknown option rtoll: it knows/],
    [
      "solve, which belong to a controller",
      () => solve(lv, y0, anyOptions({ t0: 0, t1: 1, rtol: 1e-6 })),
      /solve got the option rtol: give controller: adaptive\(\{ rtol \}\)/,
    ],
    [
      "solve, which belong to a controller of fixed steps",
      () => solve(lv, y0, anyOptions({ t0: 0, t1: 1, dt: 0.1 })),
      /solve got the option dt: give controller: fixed\(dt\)/,
    ],
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

describe("what a field returns is looked at, and the message says that it was the field", () => {
  const returning = (value: unknown, state: unknown = y0) => errorOf(() => solve((() => value) as never, state as Tensor, { t0: 0, t1: 1 }));
  test.each([
    [5, /^the field returned a number for a state that is a tensor: return a tensor/],
    [[1, 2], /^the field returned a list/],
    [undefined, /^the field returned nothing/],
    [{ a: y0 }, /^the field returned an object/],
  ])("%o in place of a tensor", (value, message) => {
    expect(returning(value)).toBeInstanceOf(ShapeError);
    expect(returning(value).message).toMatch(message);
  });

  test("another tree than the state", () => {
    expect(returning({ a: y0, c: y0 }, { a: y0, b: y0 }).message).toMatch(/^the field returned another tree than the state: .*b is missing/);
    expect(returning({ a: y0, b: 1 }, { a: y0, b: y0 }).message).toMatch(/^the field returned another tree than the state: .*a number at b/);
  });
});

describe("what extensions return is looked at, by their name", () => {
  const withCost = (cost: object) => () => solve(lv, y0, anyOptions({ t0: 0, t1: 1, regularize: cost }));
  test.each([
    [{ name: "mine", reduce: "total", cost: () => tensor(1) }, 'mine got reduce "total": sum, mean or max'],
    [{ name: "mine", cost: () => tensor(1) }, 'mine got reduce "undefined"'],
    [{ name: "mine", reduce: "sum", cost: () => 1 }, "the cost mine returned number: a 0-d tensor is needed"],
    [{ name: "mine", reduce: "sum", cost: () => tensor([1, 2]) }, "the cost mine returned a tensor of shape [2]: a 0-d tensor is needed"],
    [{ name: "mine", running: true, rate: () => 1 }, "the cost mine returned number"],
    [{ name: "mine", running: true, rate: () => tensor([1, 2]) }, "the cost mine returned a tensor of shape [2]"],
  ])("a cost: %o", (cost, message) => {
    expect(withCost(cost)).toThrow(OptionError);
    expect(withCost(cost)).toThrow(message);
  });

  test("a cost of one element, whatever its rank, is a number", () => {
    const { penalties } = solve(lv, y0, {
      t0: 0,
      t1: 1,
      regularize: { name: "mine", reduce: "sum", cost: () => tensor([[2]]) },
      controller: fixedSteps(3),
    });
    expect([penalties[0]!.shape, penalties[0]!.item()]).toEqual([[], 6]);
  });

  const wrong = (change: (found: InputCotangents) => InputCotangents): Adjoint<Step> => ({
    name: "mine",
    solve: (problem) => {
      const found = discreteAdjoint().solve(problem);
      return { ...found, pullback: (...given) => change(found.pullback(...given)) };
    },
  });
  test.each([
    ["too few", wrong((found) => ({ ...found, times: [] })), "the pullback of mine returned cotangents of times of shapes (): ([]) are needed"],
    [
      "too many",
      wrong((found) => ({ ...found, captured: [...found.captured, undefined] })),
      "returned cotangents of captured of shapes ([], none): ([]) are needed",
    ],
    ["of another shape", wrong((found) => ({ ...found, y0: [tensor([1, 2, 3])] })), "returned cotangents of y0 of shapes ([3]): ([2]) are needed"],
    ["none", wrong(({ y0, times }) => ({ y0, times }) as InputCotangents), "returned no cotangents of captured: ([]) are needed"],
  ])("cotangents of an adjoint: %s", (_, adjoint, message) => {
    const loss = ({ k, t1 }: { readonly k: Tensor; readonly t1: Tensor }) => solve((_t, y) => y.mul(k), y0, { t0: 0, t1, adjoint }).y1.sum();
    expect(() => gradient(loss)({ k: tensor(1), t1: tensor(1) })).toThrow(ShapeError);
    expect(() => gradient(loss)({ k: tensor(1), t1: tensor(1) })).toThrow(message);
    expectUsable();
  });

  test("an adjoint without a solve", () => {
    expect(() => solve(lv, y0, anyOptions({ t0: 0, t1: 1, adjoint: { name: "mine", solve: 1 } }))).toThrow("adjoint got a solve of type number");
  });
});
