import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { gradient, hessianVectorProduct, jvp, revolve, storeAll } from "@dydt/autodiff";
import { OptionError, stack, sum, tensor, type Tensor } from "@dydt/tensor";
import {
  adaptive, asynchronousLeapfrog, bosh3, discreteAdjoint, dopri5, errorEstimate, EventError, fixedSteps, IncompatibleError, integrate, rk4, solve,
  StepTooSmallError, tsit5, type Adjoint, type SolveEvent, type Step,
} from "@dydt/ode"; // prettier-ignore
import { distance, errorOf, expectNear, expectSameBits, granularities, lotkaVolterra, schedules } from "./problems.js";

/** A ball dropped from h under gravity g, which keeps the share e of its speed at each bounce: p = (h, g, e). */
const ball = (p: Tensor) => ({
  field: (_t: Tensor, y: Tensor) => stack([y.at(1), p.at(1).neg()]),
  y0: stack([p.at(0), tensor(0)]),
  bounce: { when: (_t: Tensor, y: Tensor) => y.at(0), direction: "down", then: (_t: Tensor, y: Tensor) => stack([y.at(0).mul(0), y.at(1).mul(p.at(2)).neg()]) } satisfies SolveEvent<Tensor>,
}); // prettier-ignore
const p = tensor([10, 9.81, 0.8]);

/** When the ball bounces for the nth time, n = 1, 2, ...: √(2h/g) (1 + 2 Σ_{k<n} eᵏ). */
const bounceTime = (p: Tensor, n: number): Tensor => {
  const [h, g, e] = [p.at(0), p.at(1), p.at(2)];
  let series = tensor(1);
  let power = tensor(1);
  for (let k = 1; k < n; k++) series = series.add((power = power.mul(e)).mul(2));
  return h.mul(2).div(g).sqrt().mul(series);
};
/** (height, velocity) at a time after the nth bounce and before the next. */
const stateAfter = (p: Tensor, n: number, t: number): Tensor => {
  const [h, g, e] = [p.at(0), p.at(1), p.at(2)];
  let speed = g.mul(h).mul(2).sqrt();
  for (let k = 0; k < n; k++) speed = speed.mul(e);
  const since = bounceTime(p, n).neg().add(t);
  return stack([speed.mul(since).sub(since.square().mul(g).mul(0.5)), speed.sub(g.mul(since))]);
};
const bounces = (p: Tensor, options: object = {}, t1 = 9) => {
  const { field, y0, bounce } = ball(p);
  return solve(field, y0, { t0: 0, t1, events: [bounce], ...options });
};

describe("a bouncing ball", () => {
  const settings = [
    ["tsit5, adaptive", {}],
    ["bosh3, adaptive", { solver: bosh3(), controller: adaptive({ rtol: 1e-4 }) }],
    ["dopri5, tolerance 1e-10", { solver: dopri5(), controller: adaptive({ rtol: 1e-10, atol: 1e-10 }) }],
    ["rk4, 30 steps", { solver: rk4(), controller: fixedSteps(30) }],
  ] as const;

  test.each(settings)("bounces at the right times, with %s", (_, options) => {
    const { events, y1, status, stats, grid } = bounces(p, options);
    expect(status).toBe("success");
    expect(events[0]!.times.size).toBe(5);
    for (let n = 1; n <= 5; n++) expectNear(events[0]!.times.at(n - 1), bounceTime(p, n), 1e-13);
    expectNear(y1, stateAfter(p, 5, 9), 1e-11);
    expect(grid.length).toBe(stats.accepted + 1);
    for (let n = 0; n < 5; n++) expect(grid).toContain(events[0]!.times.at(n).item());
    expect(Math.abs(events[0]!.states.at(2).at(0).item())).toBeLessThan(1e-13);
  });

  test.each(settings)("has the right gradients of its times and states over five bounces, with %s", (_, options) => {
    for (let n = 1; n <= 5; n++) {
      const computed = gradient((p: Tensor) => bounces(p, options).events[0]!.times.at(n - 1))(p);
      expectNear(computed, gradient((p: Tensor) => bounceTime(p, n))(p), 1e-11);
    }
    const end = gradient((p: Tensor) =>
      bounces(p, options)
        .y1.mul(tensor([1, 0.3]))
        .sum(),
    )(p);
    expectNear(
      end,
      gradient((p: Tensor) =>
        stateAfter(p, 5, 9)
          .mul(tensor([1, 0.3]))
          .sum(),
      )(p),
      1e-10,
    );
    const impact = gradient((p: Tensor) => bounces(p, options).events[0]!.states.at(3).at(1))(p);
    expectNear(
      impact,
      gradient((p: Tensor) =>
        p
          .at(2)
          .pow(3)
          .mul(p.at(0).mul(p.at(1)).mul(2).sqrt())
          .neg(),
      )(p),
      1e-11,
    );
  });

  test("is saved between the bounces, and after one that falls on a save time", () => {
    const { ys, events, ts } = bounces(p, { saveAt: [1, 2, 4] });
    expectNear(ys.at(0), [10 - 9.81 / 2, -9.81], 1e-13);
    expectNear(ys.at(1), stateAfter(p, 1, 2), 1e-12);
    expect(ts.toArray()).toEqual([1, 2, 4]);
    const at = events[0]!.times.at(0).item();
    expectNear(
      bounces(p, { saveAt: [at] })
        .ys.at(0)
        .at(1),
      -0.8 * events[0]!.states.at(0).at(1).item(),
      1e-12,
    );
    const saved = gradient((p: Tensor) => bounces(p, { saveAt: [1, 2, 4] }).ys.sum())(p);
    const right = gradient((p: Tensor) =>
      stateAfter(p, 1, 2)
        .add(stateAfter(p, 2, 4))
        .sum()
        .add(p.at(0))
        .sub(p.at(1).mul(1.5)),
    )(p);
    expectNear(saved, right, 1e-11);
  });

  test("is found again by at(t), with the state after a bounce at its time", () => {
    const { at, events, y1 } = bounces(p);
    for (const [n, t] of [[1, 2], [2, 4], [5, 8.9]] as const) expectNear(at(t), stateAfter(p, n, t), 1e-11); // prettier-ignore
    expect(at(events[0]!.times.at(0).item()).at(1).item()).toBeGreaterThan(0);
    expectSameBits(at(9), y1);
    expect(() => gradient((p: Tensor) => bounces(p).at(2).sum())(p)).toThrow(/ask for the time with saveAt/);
  });

  test("comes to rest with a failure that says so, not with a ball under the ground", () => {
    const error = errorOf(() => bounces(p, {}, 20)) as unknown as StepTooSmallError;
    expect(error).toBeInstanceOf(StepTooSmallError);
    expect(error.message).toMatch(/events follow each other so fast at t = 12\.85/);
    expect(error.t).toBeLessThan(bounceTime(p, 400).item() + 1e-6);
    const some = bounces(p, { events: [{ ...ball(p).bounce, times: 3 }] });
    expect(some.events[0]!.times.size).toBe(3);
    expect(some.y1.at(0).item()).toBeLessThan(0);
  });

  test("backward in time flies up again", () => {
    const { field, bounce } = ball(p);
    const start = stateAfter(p, 1, 2);
    const { events, y1 } = solve(field, start, {
      t0: 2,
      t1: 0,
      events: [{ ...bounce, then: (_t, y) => stack([y.at(0).mul(0), y.at(1).div(-0.8)]) }],
    });
    expectNear(events[0]!.times, [bounceTime(p, 1).item()], 1e-13);
    expectNear(y1, [10, 0], 1e-11);
  });

  test("goes on from an interruption with the same bits", () => {
    const { field, y0, bounce } = ball(p);
    const options = { t0: 0, t1: 9, events: [bounce], controller: adaptive({ max: 0.3 }) };
    const whole = solve(field, y0, options);
    const part = solve(field, y0, { ...options, onStep: ({ t1 }) => t1 < 4 });
    const rest = solve(field, y0, { ...options, resume: part.resume! });
    expectSameBits(rest.y1, whole.y1);
    expect([...part.grid, ...rest.grid.slice(1)]).toEqual(whole.grid);
    expect(part.events[0]!.times.size + rest.events[0]!.times.size).toBe(5);
  });

  test("shows its events in the steps of a loop", () => {
    const { field, y0, bounce } = ball(p);
    const steps = [...integrate(field, y0, { t0: 0, t1: 9, events: [bounce] })];
    expect(steps.filter(({ events }) => events.length > 0).map(({ t1 }) => t1)).toEqual(Array.from(bounces(p).events[0]!.times.data));
    steps.forEach(({ y0, t0 }, i) => {
      if (i === 0) return;
      expectSameBits(y0, steps[i - 1]!.y1);
      expect(t0).toBe(steps[i - 1]!.t1);
    });
  });
});

describe("the derivative with events", () => {
  // A pendulum-like oscillator with damping, kicked at each passage: nothing of it is solved exactly.
  const field = (k: Tensor) => (t: Tensor, y: Tensor) =>
    stack([
      y.at(1),
      y
        .at(0)
        .sin()
        .mul(k.at(0))
        .neg()
        .sub(y.at(1).mul(k.at(1)))
        .add(t.sin().mul(0.1)),
    ]);
  const kick = (k: Tensor): SolveEvent<Tensor> => ({
    when: (t, y) => y.at(0).sub(k.at(2)).add(t.mul(0.01)),
    direction: "up",
    then: (t, y) => stack([y.at(0), y.at(1).mul(0.9).add(k.at(3).mul(t.cos()))]),
  });
  const note = (k: Tensor): SolveEvent<Tensor> => ({ when: (_t, y) => y.at(1).sub(k.at(3)) });
  const k = tensor([2, 0.1, 0.2, 0.3]);
  const start = tensor([1, 0]);
  const inputs = { k, y0: start, t0: tensor(0.1), t1: tensor(6.3) };
  const run =
    (options: object) =>
    ({ k, y0, t0, t1 }: typeof inputs) =>
      solve(field(k), y0, { t0, t1, events: [kick(k), note(k)], ...options });
  const losses: Readonly<Record<string, (solution: ReturnType<ReturnType<typeof run>>) => Tensor>> = {
    "the end": ({ y1 }) => y1.square().sum(),
    "the times": ({ events }) => events[0]!.times.square().sum().add(events[1]!.times.sum()),
    "the states": ({ events }) => events[0]!.states.square().sum().add(events[1]!.states.sum()),
    "saved states": ({ ys }) => ys.square().sum(),
    "a penalty": ({ penalties }) => penalties[0]!,
  };
  const choices = [
    ["tsit5, adaptive", { controller: adaptive({ rtol: 1e-6 }) }],
    ["bosh3, fixed steps", { solver: bosh3(), controller: fixedSteps(60) }],
  ] as const;
  const common = { saveAt: [0.5, 1.7, 3.3, 6], regularize: errorEstimate({ norm: "rms" }) };

  /** The same by one tape over a loop: every step, event and change recorded operation by operation. */
  const looped =
    (options: object) =>
    ({ k, y0, t0, t1 }: typeof inputs) => {
      let y = y0;
      for (const step of integrate(field(k), y0, { t0, t1, events: [kick(k), note(k)], ...options })) y = step.y1;
      return y.square().sum();
    };

  test.each(choices)("is that of one tape over the whole loop, with %s", (_, options) => {
    const whole = gradient(looped(options))(inputs);
    for (const tape of granularities) {
      const stepwise = gradient((at: typeof inputs) => losses["the end"]!(run({ ...options, adjoint: discreteAdjoint({ tape }) })(at)))(inputs);
      expectNear(stepwise, whole, 1e-12);
    }
  });

  test.each(Object.keys(losses))("of %s agrees with central differences", (what) => {
    // With a tolerance this small the steps hardly matter: what the differences see of them stays below the bound.
    const options = { ...common, controller: adaptive({ rtol: 1e-10, atol: 1e-11 }) };
    if (what === "a penalty") Object.assign(options, { controller: fixedSteps(50) });
    const loss = (at: typeof inputs) => losses[what]!(run(options)(at));
    const exact = gradient(loss)(inputs);
    for (const [name, index] of [
      ["k", 0],
      ["k", 2],
      ["y0", 0],
      ["t0", 0],
      ["t1", 0],
    ] as const) {
      // prettier-ignore
      if (what === "a penalty" && name.startsWith("t")) continue; // lengths of steps are constants of a penalty
      const shifted = (by: number) => {
        const moved = Float64Array.from(inputs[name].data);
        moved[index]! += by;
        return loss({ ...inputs, [name]: tensor(moved, { shape: inputs[name].shape }) }).item();
      };
      const h = 1e-3;
      const difference = (8 * (shifted(h) - shifted(-h)) - (shifted(2 * h) - shifted(-2 * h))) / (12 * h);
      const computed = exact[name].reshape([-1]).at(index).item();
      expect(Math.abs(computed - difference)).toBeLessThan(2e-6 * Math.max(1, Math.abs(difference)));
    }
  });

  test("has the same bits under every schedule, and when the pullback runs again", () => {
    for (const [, options] of choices)
      for (const tape of granularities) {
        const of = (checkpoints: ReturnType<typeof storeAll>) =>
          gradient((at: typeof inputs) => {
            const solution = run({ ...common, ...options, adjoint: discreteAdjoint({ checkpoints, tape }) })(at);
            return sum(stack(Object.values(losses).map((loss) => loss(solution))));
          })(inputs);
        const expected = of(storeAll());
        for (const [, schedule] of schedules) expectSameBits(of(schedule()), expected);
        expectSameBits(of(revolve(5)), expected);
      }
  });

  test("is the same in forward mode", () => {
    const tangent = { k: tensor([0.3, -1, 0.5, 2]), y0: tensor([1, -0.5]), t0: tensor(0.2), t1: tensor(-0.4) };
    const loss = (at: typeof inputs) => sum(stack(Object.values(losses).map((loss) => loss(run({ ...common, ...choices[1][1] })(at)))));
    const slope = gradient(loss)(inputs);
    const along = Object.entries(tangent).reduce((total, [name, part]) => total + slope[name as "k"].mul(part).sum().item(), 0);
    expectNear(jvp(loss, inputs, tangent).tangent, along, 1e-11);
  });

  test("has derivatives of its own, of an event's time too", () => {
    const drop = (h: Tensor) => bounces(stack([h, tensor(9.81), tensor(0.8)])).events[0]!.times.at(0);
    expectNear(hessianVectorProduct(drop, tensor(10), tensor(1)), -0.25 * Math.sqrt(2 / 9.81) * 10 ** -1.5, 1e-10);
  });

  test("is the same with stages kept in place of states", () => {
    for (const [, options] of choices) {
      const of = (store: "states" | "stages") =>
        gradient((at: typeof inputs) => losses["the end"]!(run({ ...options, adjoint: discreteAdjoint({ checkpoints: revolve(6), store }) })(at)))(
          inputs,
        );
      expectSameBits(of("stages"), of("states"));
    }
  });

  test("passes through a carry that is a part of the state", () => {
    const options = { solver: asynchronousLeapfrog(), controller: fixedSteps(50) };
    if (options.solver.interpolates !== true) return expect(() => run(options)(inputs)).toThrow(IncompatibleError);
    expectNear(gradient((at: typeof inputs) => losses["the end"]!(run(options)(at)))(inputs), gradient(looped(options))(inputs), 1e-12);
  });

  test("of an event that only touches zero is refused, with the reason", () => {
    const touch: SolveEvent<Tensor> = { when: (t, _y) => t.sub(1).pow(3).add(k.at(0).mul(0)) };
    const loss = (k: Tensor) =>
      solve((_t, y) => y.neg(), start, {
        t0: 0,
        t1: 2,
        controller: fixedSteps(2),
        events: [{ ...touch, when: (t, y) => touch.when(t, y).mul(k.at(0)) }],
      }).events[0]!.times.sum();
    const error = errorOf(() => gradient(loss)(k));
    expect(error).toBeInstanceOf(EventError);
    expect(error.message).toMatch(/event 0 at t = 1 touches zero without crossing it/);
  });

  test("is refused by an adjoint that knows nothing of events", () => {
    const { events: _, ...other } = discreteAdjoint();
    const adjoint: Adjoint<Step> = { ...other, name: "other" };
    expect(() => gradient((at: typeof inputs) => losses["the end"]!(run({ adjoint })(at)))(inputs)).toThrow(/other does not differentiate events/);
  });
});

describe("an event that ends the solve", () => {
  const field = lotkaVolterra(tensor([1.5, 1, 3, 1]));
  const at = (level: number | Tensor, options: Partial<SolveEvent<Tensor>> = {}): SolveEvent<Tensor> => ({
    when: (_t, y) => y.at(1).sub(level),
    then: "terminate",
    ...options,
  });
  const y0 = tensor([1, 1]);

  test("gives the status, the state there, and what was saved until then", () => {
    const { status, y1, ts, ys, grid, events } = solve(field, y0, { t0: 0, t1: 10, saveAt: [0, 1, 2, 10], events: [at(3, { direction: "up" })] });
    expect(status).toBe("terminated");
    expectNear(y1.at(1), 3, 1e-14);
    expect(ts.size).toBe(ys.shape[0]);
    expect(ts.toArray()).toEqual([0, 1, 2].filter((t) => t <= grid.at(-1)!));
    expect(events[0]!.times.item()).toBe(grid.at(-1));
    expectSameBits(events[0]!.states.at(0), y1);
  });

  test("has the gradient of the state and of the time", () => {
    // y' = −k y from y0 until y = c: t = ln(y0/c)/k.
    const solved = ({ k, y0, c }: { readonly k: Tensor; readonly y0: Tensor; readonly c: Tensor }) =>
      solve((_t, y) => y.mul(k).neg(), y0, {
        t0: 0,
        t1: 50,
        controller: adaptive({ rtol: 1e-11, atol: 1e-13 }),
        events: [{ when: (_t, y) => y.sum().sub(c), then: "terminate" }],
      });
    const inputs = { k: tensor(0.7), y0: tensor([2]), c: tensor(0.5) };
    const ofTime = gradient((at: typeof inputs) => solved(at).events[0]!.times.sum())(inputs);
    expectNear(ofTime.k, -Math.log(4) / 0.49, 1e-8);
    expectNear(ofTime.y0, 1 / (2 * 0.7), 1e-8);
    expectNear(ofTime.c, -1 / (0.5 * 0.7), 1e-8);
    const ofState = gradient((at: typeof inputs) => solved(at).y1.sum())(inputs);
    expectNear([ofState.k, ofState.y0, ofState.c], [0, 0, 1], 1e-8);
  });

  test("with known steps leaves the gradient of those that were taken, under every schedule", () => {
    for (const [, schedule] of schedules) {
      const slope = gradient((c: Tensor) => {
        const adjoint = discreteAdjoint({ checkpoints: schedule() });
        return solve((_t, y) => y.neg(), tensor([2]), {
          t0: 0,
          t1: 5,
          controller: fixedSteps(100),
          adjoint,
          events: [at(0.5, { when: (_t, y) => y.sum().sub(c) })],
        }).events[0]!.times.sum();
      })(tensor(0.5));
      expectNear(slope, -2, 1e-8);
    }
  });

  test("found first ends it, whatever would have come after", () => {
    const { events, y1 } = solve((_t, y) => y.mul(0).add(1), tensor([0]), {
      t0: 0,
      t1: 10,
      controller: fixedSteps(1),
      events: [
        { when: (_t, y) => y.sub(7).sum(), then: "terminate" },
        { when: (_t, y) => y.sub(3).sum(), then: "terminate" },
        { when: (_t, y) => y.sub(2).sum() },
      ],
    });
    expect(events.map(({ times }) => times.size)).toEqual([0, 1, 1]);
    expectNear(y1, [3], 1e-14);
  });
});

describe("events in one step", () => {
  const still = (_t: Tensor, y: Tensor) => y.mul(0);
  const one = { t0: 0, t1: 1, controller: fixedSteps(1) } as const;

  test("are found in the order of time, several of them, twice the same one", () => {
    const crossing = (at: number): SolveEvent<Tensor> => ({ when: (t) => t.sub(at) });
    const { events } = solve(still, tensor([0]), { ...one, events: [crossing(0.7), crossing(0.2), { when: (t) => t.sub(0.4).mul(t.sub(0.65)) }] });
    expectNear(events[0]!.times, [0.7], 1e-15);
    expectNear(events[1]!.times, [0.2], 1e-15);
    expectNear(events[2]!.times, [0.4, 0.65], 1e-15);
  });

  test("count in their direction alone", () => {
    const when = (t: Tensor) => t.mul(2 * Math.PI * 1.5).cos();
    const of = (direction: "up" | "down" | "both") => solve(still, tensor([0]), { ...one, events: [{ when, direction }] }).events[0]!.times;
    expectNear(of("down"), [1 / 6, 5 / 6], 1e-15);
    expectNear(of("up"), [0.5], 1e-15);
    expectNear(of("both"), [1 / 6, 0.5, 5 / 6], 1e-15);
  });

  test("with changes of state in between see the changed state", () => {
    // A counter that jumps by 1 at 0.3, and a threshold that only the changed state passes, at 0.5.
    const { events, y1 } = solve((_t, y) => y.mul(0).add(1), tensor([0]), {
      ...one,
      events: [
        { when: (t) => t.sub(0.3), then: (_t, y) => y.add(1) },
        { when: (_t, y) => y.sum().sub(1.5), then: (_t, y) => y.mul(10) },
      ],
    });
    expectNear(events[1]!.times, [0.5], 1e-14);
    expectNear(y1, [15.5], 1e-14);
  });

  test("at the same time all happen, in the order they are listed, with the derivatives of each", () => {
    // Two balls of equal height, with restitutions of their own.
    const run = (h: Tensor) => {
      const balls = (_t: Tensor, y: Tensor) => stack([y.at(1), y.at(0).mul(0).sub(10), y.at(3), y.at(2).mul(0).sub(10)]);
      const bounce = (i: number, e: number): SolveEvent<Tensor> => ({
        when: (_t, y) => y.at(2 * i),
        direction: "down",
        then: (_t, y) => stack([0, 1, 2, 3].map((j) => (j === 2 * i + 1 ? y.at(j).mul(-e) : y.at(j)))),
      });
      const y0 = stack([h.at(0), tensor(0), h.at(1), tensor(0)]);
      return solve(balls, y0, { t0: 0, t1: 1.5, events: [bounce(0, 0.5), bounce(1, 0.9)] });
    };
    const [h, e] = [tensor([5, 5]), [0.5, 0.9]];
    const { events, y1 } = run(h);
    expectNear(events.map(({ times }) => times), [1, 1], 1e-14); // prettier-ignore
    const after = (i: number, h: Tensor) => {
      const [speed, since] = [h.mul(20).sqrt().mul(e[i]!), h.div(5).sqrt().neg().add(1.5)];
      return stack([speed.mul(since).sub(since.square().mul(5)), speed.sub(since.mul(10))]);
    };
    expectNear(y1, [...after(0, h.at(0)).data, ...after(1, h.at(1)).data], 1e-13);
    for (const i of [0, 1, 2, 3]) {
      const computed = gradient((h: Tensor) => run(h).y1.at(i))(h);
      const right = gradient((h: Tensor) => after(i >> 1, h.at(i >> 1)).at(i & 1))(h);
      expectNear(computed, right, 1e-12);
    }
  });

  test("at t0 and right after themselves do not happen", () => {
    const { events } = solve(still, tensor([0]), { ...one, events: [{ when: (t) => t }, { when: (t) => t.mul(0) }] });
    expect(events.map(({ times }) => times.size)).toEqual([0, 0]);
    const { field, y0, bounce } = ball(tensor([0, 9.81, 0.5]));
    const thrown = solve(field, y0.add(tensor([0, 9.81])), { t0: 0, t1: 2.5, events: [bounce] });
    expectNear(thrown.events[0]!.times, [2], 1e-13);
  });

  test("at any times are located to rounding", () => {
    fc.assert(
      fc.property(fc.double({ min: 0.01, max: 9.99, noNaN: true }), fc.integer({ min: 1, max: 5 }), (at, steps) => {
        const { events } = solve((_t, y) => y, tensor([1]), {
          t0: 0,
          t1: 10,
          controller: fixedSteps(steps),
          events: [{ when: (t) => t.pow(3).sub(at ** 3) }],
        });
        expect(distance(events[0]!.times, [at])).toBeLessThan(1e-14);
      }),
      { numRuns: 40 },
    );
  });

  test("lie behind what was saved before them, be it by a rounding", () => {
    for (let i = 0; i < 10; i++) {
      const event: SolveEvent<Tensor> = { when: (_t, y) => y.sub(0.4), then: (_t, y) => y.add(0.045) };
      const options = { t0: 1e4, t1: 1e4 + 3, controller: adaptive({ max: 0.2 }), events: [event], saveAt: { every: "step" } } as const;
      const { ts, ys, at } = solve((_t, y) => y.mul(0).sub(1.29), tensor(0.5 + i / 70), options);
      const times = ts.toArray() as readonly number[];
      expect(new Set(times).size).toBe(times.length);
      expectSameBits(stack(times.map(at)), ys);
    }
  });

  test("are located as exactly as is asked", () => {
    const of = (tolerance: number) => {
      let calls = 0;
      const when = (t: Tensor) => (calls++, t.exp().sub(2));
      const { events } = solve(still, tensor([0]), { ...one, events: [{ when, tolerance }] });
      return [calls, Math.abs(events[0]!.times.item() - Math.log(2))] as const;
    };
    const [[loose, error], [tight, rounding]] = [of(1e-3), of(0)];
    expect(error).toBeLessThan(1e-3);
    expect(rounding).toBeLessThan(1e-15);
    expect(loose).toBeLessThan(tight);
  });
});

describe("trees, float32, and what is refused", () => {
  test("events of a tree get the tree and return one", () => {
    const { events, y1 } = solve((_t, { x, v }) => ({ x: v, v: x.mul(0).sub(10) }), { x: tensor(5), v: tensor(0) }, {
      t0: 0,
      t1: 1.5,
      events: [{ when: (_t, { x }) => x, then: (_t, { x, v }) => ({ x, v: v.neg() }) }],
    }); // prettier-ignore
    expectNear(events[0]!.times, [1], 1e-14);
    expectNear(events[0]!.states.v, [-10], 1e-13);
    expectNear([y1.x, y1.v], [3.75, 5], 1e-13);
  });

  test("events in float32 have times in float64 and gradients", () => {
    const slope = gradient((h: Tensor) => {
      const y0 = stack([h, tensor(0, { dtype: "float32" })]);
      const solution = solve((_t, y) => stack([y.at(1), y.at(0).mul(0).sub(10)]), y0, {
        t0: 0,
        t1: 1.5,
        events: [{ when: (_t, y) => y.at(0), then: (_t, y) => y.neg() }],
      });
      expect(solution.events[0]!.times.dtype).toBe("float64");
      return solution.events[0]!.times.sum();
    })(tensor(5, { dtype: "float32" }));
    expectNear(slope, 0.1, 1e-5);
  });

  const y0 = tensor([1, 1]);
  const solved =
    (event: object, more: object = {}) =>
    () =>
      solve((_t, y) => y.neg(), y0, { t0: 0, t1: 1, events: [event as SolveEvent<Tensor>], ...more });
  test.each([
    ["no function", { when: 1 }, OptionError, /event 0 got when of type number/],
    ["an unknown direction", { when: (t: Tensor) => t, direction: "left" }, OptionError, /direction "left"/],
    ["an unknown consequence", { when: (t: Tensor) => t, then: "stop" }, OptionError, /then = stop/],
    ["an unknown option", { when: (t: Tensor) => t, terminal: true }, OptionError, /unknown option terminal/],
    ["no number of times", { when: (t: Tensor) => t, times: 0 }, OptionError, /times = 0/],
    ["no tolerance", { when: (t: Tensor) => t, tolerance: -1 }, OptionError, /tolerance = -1/],
    ["several values", { when: (_t: Tensor, y: Tensor) => y }, Error, /shape \[2\]: a tensor of one element/],
    ["no tensor", { when: () => 1 }, Error, /returned number/],
    ["NaN", { when: (t: Tensor) => t.sub(0.5).sqrt() }, EventError, /event 0 has a function that returned NaN/],
    [
      "a change of another shape",
      { when: (t: Tensor) => t.sub(0.5), then: (_t: Tensor, y: Tensor) => y.at(0) },
      Error,
      /the change of event 0 returned shape \[\]/,
    ],
    [
      "a change to NaN",
      { when: (t: Tensor) => t.sub(0.5), then: (_t: Tensor, y: Tensor) => y.mul(NaN) },
      EventError,
      /the change of event 0 returned NaN/,
    ],
  ] as const)("%s is refused", (_, event, kind, message) => {
    const error = errorOf(solved(event));
    expect(error).toBeInstanceOf(kind);
    expect(error.message).toMatch(message);
  });

  test("a solver without dense output is refused", () => {
    expect(errorOf(solved({ when: (t: Tensor) => t }, { solver: asynchronousLeapfrog(), controller: fixedSteps(3) }))).toBeInstanceOf(
      IncompatibleError,
    );
    expect(solved({ when: (t: Tensor) => t }, { events: 3 })).toThrow(/events got number/);
    expect(tsit5().interpolates).toBe(true);
  });
});

test("an event is noted as often as it may be, also where it comes several times in one step", () => {
  const when = (t: Tensor) => t.mul(10).sin().sub(0.01);
  const timesOf = (times?: number) =>
    solve((_t, y) => y.mul(0), tensor([1]), {
      t0: 0,
      t1: 1,
      controller: fixedSteps(1),
      events: [{ when, ...(times !== undefined && { times }) }],
    }).events[0]!.times.toArray() as number[];
  expect(timesOf()).toHaveLength(4);
  expect(timesOf(1)).toEqual(timesOf().slice(0, 1));
  expect(timesOf(3)).toEqual(timesOf().slice(0, 3));
});
