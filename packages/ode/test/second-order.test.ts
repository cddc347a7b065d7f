import { describe, expect, test } from "vitest";
import { gradient, hessian, hessianVectorProduct, jvp, revolve, SecondDerivativeError, storeAll, taylor } from "@dydt/autodiff";
import {
  adaptive,
  backsolveAdjoint,
  denseAdjoint,
  discreteAdjoint,
  dopri5,
  fixedSteps,
  forwardSensitivity,
  gaussAdjoint,
  grid,
  integrate,
  interpolatedAdjoint,
  reversibleAdjoint,
  reversibleHeun,
  rk4,
  solve,
  tsit5,
  type Adjoint,
  type ContinuousAdjoint,
  type DenseStep,
  type Step,
} from "@dydt/ode";
import { meterBytes, random, sin, stack, tensor, type Tensor } from "@dydt/tensor";
import { expectClose } from "../../../scripts/expect-close.js";

/** A pendulum with friction, driven; its parameters are what is differentiated. */
const field = (p: Tensor) => (t: Tensor, y: Tensor): Tensor =>
  stack([y.at(1), y.at(0).sin().mul(p.at(0)).neg().sub(y.at(1).mul(p.at(1))).add(sin(t.mul(p.at(2))))]); // prettier-ignore
const start = tensor([0.8, -0.3]);
const at = tensor([1.3, 0.2, 2.1]);
const v = tensor([0.7, -1.1, 0.4]);
const loss = (y: Tensor): Tensor =>
  y
    .mul(tensor([1, 0.5]))
    .square()
    .sum();
const interval = { t0: 0, t1: 2 } as const;

type Loss = (p: Tensor) => Tensor;
const schedules = { storeAll: storeAll(), revolve: revolve(3) } as const;
const controllers = { "a fixed grid": fixedSteps(12), "the adaptive default": adaptive() } as const;
const cases = Object.entries(controllers).flatMap(([name, controller]) =>
  Object.entries(schedules).map(([schedule, checkpoints]) => [name, schedule, controller, checkpoints] as const),
);
const through =
  (controller: ReturnType<typeof adaptive>, adjoint?: Adjoint<Step>, saveAt: readonly number[] = [0.7, 2]): Loss =>
  (p) => {
    const { ys, y1 } = solve(field(p), start.mul(p.at(1).add(1)), { ...interval, solver: tsit5(), controller, saveAt, ...(adjoint === undefined ? {} : { adjoint }) });
    return loss(y1).add(ys.sum());
  }; // prettier-ignore

/** The same, recorded operation by operation, on the grid that the solve found. */
const loop =
  (controller: ReturnType<typeof adaptive>, saveAt: readonly number[] = [0.7, 2]): Loss =>
  (p) => {
    const y0 = start.mul(p.at(1).add(1));
    const found = solve(field(p), y0, { ...interval, solver: tsit5(), controller }).grid;
    let sum = tensor(0);
    let y = y0;
    for (const step of integrate(field(p), y0, { ...interval, solver: tsit5(), controller: grid(found) })) {
      for (const t of saveAt) if (t > step.t0 && t <= step.t1) sum = sum.add((t === step.t1 ? step.y1 : step.at(t)).sum());
      y = step.y1;
    }
    return loss(y).add(sum);
  };

describe("forward mode sees through a solve", () => {
  test.each(cases)("jvp agrees with the gradient: %s, %s", (_, __, controller, checkpoints) => {
    const f = through(controller, discreteAdjoint({ checkpoints }));
    const { value, tangent } = jvp(f, at, v);
    expect(value.item()).toBe(f(at).item());
    expectClose(tangent, gradient(f)(at).mul(v).sum(), { rtol: 1e-12 });
  });

  test("jvp stores nothing, however many steps there are", () => {
    const peak = (steps: number): number => {
      const stop = meterBytes();
      jvp((p: Tensor) => solve(field(p), start, { ...interval, controller: fixedSteps(steps) }).y1, at, v);
      return stop() - 8 * steps; // the grid
    };
    expect(peak(400)).toBe(peak(20));
  });

  test("Taylor coefficients of the computed solution in a parameter are its derivatives", () => {
    const y1 = (p: Tensor) => solve((_t: Tensor, y: Tensor) => y.mul(p), tensor([1]), { t0: 0, t1: 1, solver: rk4(), controller: fixedSteps(8) }).y1;
    const { coefficients } = taylor(y1, tensor(-0.4), [tensor(1), tensor(0), tensor(0)]);
    // RK4 on y' = p y multiplies by R(z) = 1 + z + z²/2 + z³/6 + z⁴/24, z = p / 8, in each step.
    const growth = (p: Tensor): Tensor => { const z = p.div(8); return z.add(z.square().div(2)).add(z.pow(3).div(6)).add(z.pow(4).div(24)).add(1).pow(8); }; // prettier-ignore
    const wanted = taylor(growth, tensor(-0.4), [tensor(1), tensor(0), tensor(0)]).coefficients;
    coefficients.forEach((c, k) => expectClose(c.at(0), wanted[k]!, { rtol: 1e-12 }));
  });

  test.each([["tsit5, which interpolates", tsit5()], ["rk4, which steps to save times", rk4()]] as const)("times carry tangents: %s", (_, solver) => {
    const f = (ts: Tensor): Tensor => {
      const saveAt = stack([ts.at(1), ts.at(2)]);
      const { ys, y1 } = solve(field(at), start, { t0: ts.at(0), t1: ts.at(3), solver, controller: fixedSteps(6), saveAt });
      return loss(y1).add(ys.at(0).sum()).add(ys.at(1).square().sum());
    };
    const ts = tensor([0.1, 0.5, 1.2, 2]);
    const direction = tensor([0.3, -0.7, 1.1, 0.9]);
    expectClose(jvp(f, ts, direction).tangent, gradient(f)(ts).mul(direction).sum(), { rtol: 1e-11 });
    const h = 1e-4;
    const slope = (s: number): Tensor => gradient(f)(ts.add(direction.mul(s)));
    expectClose(hessianVectorProduct(f, ts, direction), slope(h).sub(slope(-h)).div(2 * h), { rtol: 1e-5 });
  }); // prettier-ignore
});

describe("Hessian-vector products go forward over the discrete adjoint", () => {
  test.each(cases)("as over a loop that is recorded as a whole: %s, %s", (_, __, controller, checkpoints) => {
    const product = hessianVectorProduct(through(controller as never, discreteAdjoint({ checkpoints })), at, v);
    const whole = loop(controller);
    expectClose(product, gradient((p: Tensor) => gradient(whole)(p).mul(v).sum())(at), { rtol: 1e-11 });
    expectClose(product, hessianVectorProduct(whole, at, v), { rtol: 1e-11 });
  });

  test.each(["step", "evaluation"] as const)("with tape: %s, against central differences", (tape) => {
    const f = through(fixedSteps(9), discreteAdjoint({ checkpoints: revolve(2), tape }));
    const h = 1e-4;
    const slope = (s: number): Tensor => gradient(f)(at.add(v.mul(s)));
    expectClose(
      hessianVectorProduct(f, at, v),
      slope(h)
        .sub(slope(-h))
        .div(2 * h),
      { rtol: 1e-6 },
    );
  });

  test("with the same bits under every schedule", () => {
    const [all, few] = Object.values(schedules).map((checkpoints) => hessianVectorProduct(through(fixedSteps(12) as never, discreteAdjoint({ checkpoints })), at, v).toArray()); // prettier-ignore
    expect(few).toEqual(all);
  });

  test("and the whole Hessian is symmetric", () => {
    const h = hessian(through(fixedSteps(6) as never))(at);
    expect(h.shape).toEqual([3, 3]);
    expectClose(h, h.transpose(), { rtol: 1e-11 });
  });

  test("of a network's parameters", () => {
    const w = random(1).normal([2, 2]);
    const f = (p: Tensor): Tensor => solve((_t: Tensor, y: Tensor) => y.matmul(p).tanh(), tensor([[0.3, -1], [0.5, 0.2]]), { ...interval, solver: dopri5(), controller: fixedSteps(5) }).y1.square().sum(); // prettier-ignore
    const u = random(2).normal([2, 2]);
    const h = 1e-4;
    const slope = (s: number): Tensor => gradient(f)(w.add(u.mul(s)));
    expectClose(
      hessianVectorProduct(f, w, u),
      slope(h)
        .sub(slope(-h))
        .div(2 * h),
      { rtol: 1e-6 },
    );
  });
});

describe("what no tape sees is refused", () => {
  const f = through(fixedSteps(4));
  test("reverse mode outside of forward mode", () => {
    expect(() => gradient((p: Tensor) => jvp(f, p, v).tangent)(at)).toThrow(SecondDerivativeError);
    expect(() => gradient((direction: Tensor) => jvp(f, at, direction).tangent)(v)).toThrow(SecondDerivativeError);
    expect(() => gradient((p: Tensor) => taylor(f, p, [v]).coefficients[0]!)(at)).toThrow(
      "solve cannot be differentiated in reverse mode outside of forward mode",
    );
  });

  test("reverse mode outside of a Hessian-vector product", () => {
    expect(() => gradient((p: Tensor) => hessianVectorProduct(f, p, v).sum())(at)).toThrow(SecondDerivativeError);
    expect(() => gradient((direction: Tensor) => hessianVectorProduct(f, at, direction).sum())(v)).toThrow(SecondDerivativeError);
  });

  test("forward mode over an adjoint whose pullback is made of bare numbers", () => {
    const sensitive = through(fixedSteps(4), forwardSensitivity());
    expectClose(jvp(sensitive, at, v).tangent, gradient(sensitive)(at).mul(v).sum(), { rtol: 1e-12 });
    expect(() => hessianVectorProduct(sensitive, at, v)).toThrow(SecondDerivativeError);
    expect(() => jvp((a: Tensor) => gradient((p: Tensor) => sensitive(p.mul(a)))(at).sum(), tensor(1), tensor(1))).toThrow("bare numbers");
  });

  test("but a tape outside that differentiates something else does not mind", () => {
    expectClose(gradient((a: Tensor) => jvp(f, at, v).tangent.mul(a.square()))(tensor(3)), jvp(f, at, v).tangent.mul(6));
  });
});

describe("forward mode over other adjoints", () => {
  const continuous: Readonly<Record<string, () => ContinuousAdjoint<DenseStep>>> = {
    backsolveAdjoint: () => backsolveAdjoint(),
    denseAdjoint: () => denseAdjoint(),
    gaussAdjoint: () => gaussAdjoint(),
    interpolatedAdjoint: () => interpolatedAdjoint({ nodes: 16 }),
  };
  test.each(Object.entries(continuous))("gives second derivatives as exact as the first: %s", (_, adjoint) => {
    const f = (chosen?: ContinuousAdjoint<DenseStep>): Loss => (p) => solve(field(p), start, { ...interval, controller: fixedSteps(40), ...(chosen === undefined ? {} : { adjoint: chosen }) }).y1.square().sum(); // prettier-ignore
    expectClose(hessianVectorProduct(f(adjoint()), at, v), hessianVectorProduct(f(), at, v), { rtol: 1e-6 });
  });

  test("and exact ones for a reversible solver", () => {
    const f = (chosen?: Adjoint<Step>): Loss => (p) => solve(field(p), start, { ...interval, solver: reversibleHeun(), controller: fixedSteps(20), ...(chosen === undefined ? {} : { adjoint: chosen }) }).y1.square().sum(); // prettier-ignore
    expectClose(hessianVectorProduct(f(reversibleAdjoint() as never), at, v), hessianVectorProduct(f(), at, v), { rtol: 1e-10 });
  });
});

describe("events", () => {
  /** A ball that bounces twice and keeps p₁ of its speed. */
  const bounce = (p: Tensor): Tensor => {
    const { y1, events } = solve((_t: Tensor, y: Tensor) => stack([y.at(1), p.at(0).neg()]), stack([p.at(2), tensor(0)]), {
      t0: 0, t1: 3, controller: fixedSteps(11),
      events: [{ when: (_t, y) => y.at(0), direction: "down", then: (_t, y) => stack([y.at(0), y.at(1).mul(p.at(1)).neg()]) }],
    }); // prettier-ignore
    return y1.square().sum().add(events[0]!.times.square().sum());
  };
  const ball = tensor([9.81, 0.8, 5]);

  test("carry tangents of their times", () => {
    expectClose(jvp(bounce, ball, v).tangent, gradient(bounce)(ball).mul(v).sum(), { rtol: 1e-10 });
  });

  test("and second derivatives", () => {
    const h = 1e-4;
    const slope = (s: number): Tensor => gradient(bounce)(ball.add(v.mul(s)));
    expectClose(
      hessianVectorProduct(bounce, ball, v),
      slope(h)
        .sub(slope(-h))
        .div(2 * h),
      { rtol: 1e-5 },
    );
  });
});
