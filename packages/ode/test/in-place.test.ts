import { describe, expect, test } from "vitest";
import { gradient, MissingRuleError } from "@dydt/autodiff";
import { DtypeError, OptionError, stack, tensor, type Tensor } from "@dydt/tensor";
import {
  adaptive, bosh3, bs5, dop853, dopri5, euler, FieldError, fixedSteps, heun, inPlace, integrate, NonFiniteError, rk4, solve, stiffnessEstimate, tsit5, vern7,
  errorEstimate, type PlainField, type SolveOptions, type Step,
} from "@dydt/ode"; // prettier-ignore
import { errorOf, expectNear, expectSameBits } from "./problems.js";

const plain: PlainField = (t, y, dy) => {
  dy[0] = 1.5 * y[0]! - y[0]! * y[1]!;
  dy[1] = y[0]! * y[1]! - 3 * y[1]! + t;
  dy[2] = y[0]! - y[2]!;
};
/** The same in tensors, with the same roundings. */
const field = (t: Tensor, y: Tensor) => {
  const [a, b, c] = [y.at(0), y.at(1), y.at(2)];
  const meeting = a.mul(b);
  return stack([a.mul(1.5).sub(meeting), meeting.sub(b.mul(3)).add(t), a.sub(c)]);
};
const y0 = tensor([1, 1, 0]);
const interval = { t0: 0, t1: 4 };
const solvers = [tsit5(), dopri5(), bosh3(), bs5(), vern7(), dop853(), heun(), rk4(), euler()];

describe("a field over plain arrays", () => {
  test.each(solvers.map((solver) => [solver.name, solver] as const))("has the bits of the field in tensors, with %s", (_, solver) => {
    const common = { ...interval, solver, saveAt: [0, 0.9, 4] };
    const choices = [{ controller: fixedSteps(37) }, ...(solver.errorOrder === undefined ? [] : [{ controller: adaptive({ rtol: 1e-5 }) }])];
    for (const choice of choices) {
      const options = { ...common, ...choice } as unknown as SolveOptions<Step>;
      const [fast, slow] = [solve(inPlace(plain), y0, options), solve(field, y0, options)];
      for (const part of ["y1", "ys"] as const) expectSameBits(fast[part], slow[part]);
      expect(fast.grid).toEqual(slow.grid);
      expect(fast.stats.evaluations).toBe(slow.stats.evaluations);
      expectSameBits(fast.at(1.1), slow.at(1.1));
    }
  });

  test("has the same events, penalties and steps", () => {
    const options = {
      ...interval,
      regularize: [errorEstimate(), stiffnessEstimate()],
      events: [{ when: (_t: Tensor, y: Tensor) => y.at(0).sub(2), then: (_t: Tensor, y: Tensor) => y.mul(0.9) }],
    };
    const [fast, slow] = [solve(inPlace(plain), y0, options), solve(field, y0, options)];
    fast.penalties.forEach((penalty, i) => expectSameBits(penalty, slow.penalties[i]));
    expect(fast.events[0]!.times.size).toBeGreaterThan(1);
    expectSameBits([fast.events[0]!.times, fast.events[0]!.states], [slow.events[0]!.times, slow.events[0]!.states]);
    expectSameBits(fast.y1, slow.y1);
    const saveAt = Array.from({ length: 33 }, (_, i) => i / 8); // also in the steps that the event ends
    expectSameBits(solve(inPlace(plain), y0, { ...options, saveAt }).ys, solve(field, y0, { ...options, saveAt }).ys);
    const records = [...integrate(inPlace(plain), y0, interval)];
    const expected = [...integrate(field, y0, interval)];
    expect(records).toHaveLength(expected.length);
    expected.forEach(({ y0, y1, error, at, t0, t1 }, i) => {
      const record = records[i]!;
      expectSameBits([record.y0, record.y1, record.error, record.at((t0 + t1) / 2)], [y0, y1, error, at((t0 + t1) / 2)]);
    });
  });

  test("keeps the states of every step apart, whatever the arrays are used for later", () => {
    const kept: Tensor[] = [];
    const { ys } = solve(inPlace(plain), y0, { ...interval, saveAt: { every: "step" }, onStep: ({ y1 }) => kept.push(y1) });
    expectSameBits(stack(kept), ys.slice([[1, null]]));
    expect(new Set(kept.map((y) => y.data)).size).toBe(kept.length);
  });

  test("has a state of any shape, and no steps where t1 is t0", () => {
    const swap = inPlace((_t, y, dy) => y.forEach((x, i) => (dy[i] = -x)));
    expectNear(solve(swap, tensor([[1, 2], [3, 4]]), { t0: 0, t1: 1 }).y1, [1, 2, 3, 4].map((x) => x * Math.exp(-1)), 1e-6); // prettier-ignore
    expectSameBits(solve(inPlace(plain), y0, { t0: 1, t1: 1 }).y1, y0);
  });

  test("that forgets a component is a failure that names it, not a number of the step before", () => {
    const forgetful = inPlace((t, _y, dy) => {
      dy[0] = 1;
      if (t < 0.5) dy[1] = 1;
    });
    const error = errorOf(() => solve(forgetful, tensor([0, 0]), { t0: 0, t1: 1, solver: rk4(), controller: fixedSteps(10) }));
    expect(error).toBeInstanceOf(NonFiniteError);
    expect(error.message).toMatch(/the field returned NaN at t = 0\.5.*component 1/);
  });

  test("that throws, or gets another kind of state, is refused as any field is", () => {
    const throwing = inPlace(() => {
      throw new RangeError("no");
    });
    expect(errorOf(() => solve(throwing, y0, interval))).toBeInstanceOf(FieldError);
    expect(errorOf(() => solve(inPlace(plain), tensor([1, 1, 0], { dtype: "float32" }), interval))).toBeInstanceOf(DtypeError);
    expect(() => solve(inPlace(plain) as never, { y: y0 } as never, interval)).toThrow(/for a state of one tensor/);
    expect(() => inPlace(3 as never)).toThrow(OptionError);
    expect(() => inPlace(plain, { vjp: 3 as never })).toThrow(OptionError);
  });
});

describe("its derivative", () => {
  const vjp = (_t: number, y: Float64Array, c: Float64Array, result: Float64Array) => {
    result[0] = c[0]! * (1.5 - y[1]!) + c[1]! * y[1]! + c[2]!;
    result[1] = -c[0]! * y[0]! + c[1]! * (y[0]! - 3);
    result[2] = -c[2]!;
    return c[1]!;
  };
  const loss = (f: (t: Tensor, y: Tensor) => Tensor) => (at: { readonly y0: Tensor; readonly t1: Tensor }) => {
    const { ys, y1 } = solve(f, at.y0, { t0: 0, t1: at.t1, saveAt: [0.3, 1], controller: fixedSteps(20) });
    return ys.sum().add(y1.square().sum());
  };
  const inputs = { y0, t1: tensor(1.5) };

  test("is refused where it brings none, naming the way out", () => {
    const error = errorOf(() => gradient(loss(inPlace(plain)))(inputs));
    expect(error).toBeInstanceOf(MissingRuleError);
    expect(error.message).toMatch(/give it its derivative, inPlace\(f, \{ vjp/);
  });

  test("is that of the field in tensors where it brings a vjp, with respect to state and time", () => {
    expectNear(gradient(loss(inPlace(plain, { vjp })))(inputs), gradient(loss(field))(inputs), 1e-13);
  });

  test("with respect to time is refused where the vjp gives none", () => {
    const silent = inPlace(plain, { vjp: (...args) => void vjp(...args) });
    expect(errorOf(() => gradient(loss(silent))(inputs)).message).toMatch(/with respect to time/);
    const ofState = (f: typeof field) => gradient((start: Tensor) => solve(f, start, { ...interval, controller: fixedSteps(20) }).y1.sum())(y0);
    expectNear(ofState(silent), ofState(field), 1e-13);
  });

  test("of something else leaves it alone", () => {
    const k = gradient((k: Tensor) => solve(inPlace(plain), y0, interval).y1.sum().mul(k))(tensor(2));
    expectNear(k, solve(field, y0, interval).y1.sum(), 1e-15);
  });
});
