import { describe, expect, test } from "vitest";
import { gradient, jvp } from "@dydt/autodiff";
import { concat, stack, tensor, type Tensor } from "@dydt/tensor";
import {
  adaptive, autoAdjoint, backsolveAdjoint, bosh3, bs5, denseAdjoint, directAdjoint, discreteAdjoint, dop853, euler, fixedSteps, forwardSensitivity, gaussAdjoint,
  grid, inPlace, interpolatedAdjoint, rk4, solve, tsit5, type DefaultStep, type SolveEvent, type SolveOptions,
} from "@dydt/ode"; // prettier-ignore
import { expectNear, expectSameBits, granularities, schedules } from "./problems.js";

const explicit = [euler(), rk4(), bosh3(), tsit5(), bs5(), dop853()];
const still = (_t: Tensor, y: Tensor) => y.mul(0);
const along = (times: number): readonly number[] => Array.from({ length: times }, (_, i) => 0.000123 + (i * 0.99) / times);

describe("changes of the state at the same time", () => {
  const run = (tau: number, options: object, more: readonly SolveEvent<Tensor>[] = [], start = 0) => {
    const when = (_t: Tensor, y: Tensor) => y.at(0).sub(start + tau);
    return solve(() => tensor([1, 0]), tensor([start, 1]), {
      t0: 0,
      t1: 1,
      maxSteps: 500,
      events: [
        { when, then: (_t, y) => y.add(tensor([0, 1])) },
        { when: (t, y) => when(t, y).mul(2), then: (_t, y) => y.mul(tensor([1, 3])) },
        ...more,
      ],
      ...options,
    });
  };
  const counts = ({ events }: ReturnType<typeof run>) => events.map(({ times }) => times.size);

  test.each([
    ["adaptive steps", { controller: adaptive({ first: 0.3 }) }],
    ["seven steps", { solver: rk4(), controller: fixedSteps(7) }],
  ] as const)("happen once each, in the order they are listed, whenever that is, with %s", (_, options) => {
    for (const tau of [0.068123, 0.122123, ...along(30)]) {
      const solution = run(tau, options);
      expect([tau, ...counts(solution)]).toEqual([tau, 1, 1]);
      expectNear(solution.y1, [1, 6], 1e-14);
    }
  });

  test("happen once each where rounding of the state is coarser than that of time", () => {
    for (const tau of along(20)) expect([tau, ...counts(run(tau, { controller: fixedSteps(3) }, [], 1e4))]).toEqual([tau, 1, 1]);
  });

  test("leave a note, and a third change, their one time", () => {
    for (const tau of along(30)) {
      const when = (_t: Tensor, y: Tensor) => y.at(0).sub(tau).mul(3);
      const solution = run(tau, { controller: fixedSteps(3) }, [{ when }, { when, then: (_t, y) => y.add(tensor([0, 0.5])) }]);
      expect([tau, ...counts(solution)]).toEqual([tau, 1, 1, 1, 1]);
      expectNear(solution.y1, [1, 6.5], 1e-14);
    }
  });

  test("happen again when their functions cross again", () => {
    const balls = (_t: Tensor, y: Tensor) => stack([y.at(1), tensor(-10), y.at(3), tensor(-10)]);
    const bounce = (i: number): SolveEvent<Tensor> => ({
      when: (_t, y) => y.at(2 * i),
      direction: "down",
      then: (_t, y) => stack([0, 1, 2, 3].map((j) => (j === 2 * i + 1 ? y.at(j).mul(-0.5) : y.at(j)))),
    });
    const { events } = solve(balls, tensor([5, 0, 5, 0]), { t0: 0, t1: 2.9, events: [bounce(0), bounce(1)] });
    for (const { times } of events) expectNear(times, [1, 2, 2.5, 2.75, 2.875], 1e-13);
  });

  test("go on from an interruption between them, and are saved once, after both", () => {
    const options = { events: [{ when: (t: Tensor) => t.sub(0.45), then: (_t: Tensor, y: Tensor) => y.add(1) }, { when: (t: Tensor) => t.sub(0.45), then: (_t: Tensor, y: Tensor) => y.mul(10) }] }; // prettier-ignore
    const common = { ...options, t0: 0, t1: 1, controller: fixedSteps(2), saveAt: [0.2, 0.45, 0.7] };
    const part = solve(still, tensor(1), { ...common, onStep: ({ t1 }) => t1 < 0.4 });
    const rest = solve(still, tensor(1), { ...common, resume: part.resume! });
    expect([part.ts.toArray(), part.ys.toArray()]).toEqual([[0.2], [1]]);
    expect([rest.ts.toArray(), rest.ys.toArray()]).toEqual([[0.45, 0.7], [20, 20]]); // prettier-ignore
  });
});

test.each([1, 0.45])("a note of what happens with a change is left, and its state saved, once, be it in parts; the end is at %f", (t1) => {
  const when = (t: Tensor) => t.sub(0.45);
  const events: readonly SolveEvent<Tensor>[] = [{ when, then: (_t, y) => y.add(1) }, { when }];
  for (const saveAt of [[0.45], { every: "step" } as const]) {
    const run = (options: object = {}) => solve(still, tensor(1), { t0: 0, t1, controller: fixedSteps(2), events, saveAt, ...options });
    const whole = run();
    const parts = [run({ maxSteps: 1, throw: false })];
    for (let last = parts[0]!; last.status === "maxSteps"; parts.push(last)) last = run({ maxSteps: 1, throw: false, resume: last.resume });
    expectSameBits(concat(parts.map(({ ts }) => ts)), whole.ts);
    expectSameBits(concat(parts.map(({ ys }) => ys)), whole.ys);
    expect(new Set(whole.ts.toArray() as number[]).size).toBe(whole.ts.size);
    for (const i of [0, 1]) expect(concat(parts.map(({ events }) => events[i]!.states)).toArray()).toEqual([1 + i]);
  }
});

test("an event that is located loosely happens once", () => {
  for (const tolerance of [1e-3, 1e-2])
    for (const tau of along(30)) {
      const event: SolveEvent<Tensor> = {
        when: (_t, y) =>
          y
            .square()
            .sum()
            .sub(tau ** 2),
        then: (_t, y) => y.mul(1),
        tolerance,
      };
      const { events } = solve((_t, y) => y.mul(0).add(1), tensor([0]), { t0: 0, t1: 1, controller: fixedSteps(3), events: [event] });
      expect([tolerance, tau, events[0]!.times.size]).toEqual([tolerance, tau, 1]);
    }
});

describe("what is saved where the state changes twice", () => {
  const twice = (p: Tensor): readonly SolveEvent<Tensor>[] => {
    const when = (t: Tensor) => t.sub(0.45).sub(p.mul(0.01));
    return [{ when, then: (t, y) => y.mul(1.5).add(t), times: 1 }, { when: (t) => when(t).mul(2), then: (_t, y) => y.square(), times: 1 }]; // prettier-ignore
  };
  const field = (p: Tensor) => (t: Tensor, y: Tensor) => y.mul(p).add(t);
  /** The sum of what is saved, weighted, as a function of p and y0. */
  const sum =
    (options: object) =>
    ({ p, y0 }: { readonly p: Tensor; readonly y0: Tensor }) => {
      const { ys } = solve(field(p), y0, { t0: 0, t1: 1.3, events: twice(p), solver: bosh3(), controller: fixedSteps(4), ...options });
      return ys.mul(tensor(Array.from({ length: ys.size }, (_, i) => 1 + i / 2))).sum();
    };
  const inputs = { p: tensor(0.5), y0: tensor(1) };
  const time = 0.455;

  test("is the state after both, as at(t), and each time is there once", () => {
    const events: readonly SolveEvent<Tensor>[] = [
      { when: (t) => t.sub(0.45), then: (_t, y) => y.add(1) },
      { when: (t) => t.sub(0.45), then: (_t, y) => y.mul(10) },
    ];
    const common = { t0: 0, t1: 1, events, controller: fixedSteps(2) } as const;
    const { ys, y1, at } = solve(still, tensor(1), { ...common, saveAt: [0.45] });
    expect([ys.item(), at(0.45).item(), y1.item()]).toEqual([20, 20, 20]);
    for (const times of [[], [0.45]]) {
      const every = solve(still, tensor(1), { ...common, saveAt: { every: "step", times } });
      expect([every.ts.toArray(), every.ys.toArray()]).toEqual([[0, 0.45, 0.5, 1], [1, 20, 20, 20]]); // prettier-ignore
    }
  });

  test.each(explicit)("at the very end is the state after both, in one go and in parts, with $name", (solver) => {
    const field = (t: Tensor, y: Tensor) => y.mul(0.5).add(t);
    const plain = inPlace((t, y, dy) => (dy[0] = 0.5 * y[0]! + t));
    const when = (t: Tensor) => t.sub(1);
    const events: readonly SolveEvent<Tensor>[] = [
      { when, then: (t, y) => y.mul(1.5).add(t) },
      { when },
      { when, then: (_t, y) => y.square() },
      { when, then: "terminate" },
    ];
    for (const controller of [fixedSteps(4), ...(solver.errorOrder === undefined ? [] : [adaptive({ rtol: 1e-3 })])]) {
      const common = { t0: 0, t1: 1, solver, controller, saveAt: [0.3, 1] } as unknown as SolveOptions<DefaultStep>;
      const run = (options: object = {}, f: typeof field = field, y0 = tensor([0.4])) => solve(f, y0, { ...common, events, ...options });
      const before = solve(field, tensor([0.4]), common).y1.item();
      const between = 1.5 * before + 1;
      const whole = run();
      expect(whole.status).toBe("terminated");
      expectNear([whole.ys.at(1), whole.y1, whole.at(1)], Array<number>(3).fill(between ** 2), 1e-12);
      expectNear(whole.events.map(({ states }) => states.item()), [before, between, between, between ** 2], 1e-12); // prettier-ignore
      const fast = run({}, plain);
      expect([fast.ys.toArray(), fast.stats.evaluations]).toEqual([whole.ys.toArray(), whole.stats.evaluations]);
      const rows: Tensor[] = [];
      for (let part = run({ maxSteps: 1, throw: false }); ; part = run({ maxSteps: 1, throw: false, resume: part.resume })) {
        rows.push(part.ys);
        if (part.status !== "maxSteps") break;
      }
      expectSameBits(concat(rows), whole.ys);
      const slope = (adjoint: unknown) => gradient((y0: Tensor) => run({ adjoint }, field, y0).y1.sum())(tensor([0.4]));
      const rate = gradient((y0: Tensor) => solve(field, y0, common).y1.sum())(tensor([0.4])).mul(3 * between);
      for (const adjoint of [directAdjoint(), discreteAdjoint(), forwardSensitivity()]) expectNear(slope(adjoint), rate, 1e-12);
    }
  });

  test("before the end of the solve in the second of them is there, too", () => {
    const events: readonly SolveEvent<Tensor>[] = [
      { when: (t) => t.sub(0.45), then: (_t, y) => y.add(1) },
      { when: (t) => t.sub(0.45), then: "terminate" },
    ];
    const { ys, ts, status } = solve(still, tensor(1), { t0: 0, t1: 1, events, controller: fixedSteps(2), saveAt: [0.2, 0.45, 0.8] });
    expect([status, ts.toArray(), ys.toArray()]).toEqual(["terminated", [0.2, 0.45], [1, 2]]);
  });

  test.each([
    ["at the end of every step", { every: "step" }],
    ["at their time and others", [0.2, time, 1]],
  ] as const)("%s has the derivative of the loop, by every adjoint that differentiates the steps", (_, saveAt) => {
    const right = gradient(sum({ saveAt, adjoint: directAdjoint() }))(inputs);
    const moved = (by: number) => sum({ saveAt })({ ...inputs, y0: tensor(1 + by) }).item();
    expectNear(right.y0, (8 * (moved(1e-3) - moved(-1e-3)) - (moved(2e-3) - moved(-2e-3))) / 12e-3, 1e-8);
    expectNear(jvp(sum({ saveAt }), inputs, { p: tensor(1), y0: tensor(0.3) }).tangent, right.p.item() + 0.3 * right.y0.item(), 1e-12);
    const adjoints = [
      ...granularities.map((tape) => discreteAdjoint({ tape })),
      ...schedules.map(([, schedule]) => discreteAdjoint({ checkpoints: schedule() })),
      discreteAdjoint({ store: "stages" }),
      forwardSensitivity(),
      autoAdjoint({ bytes: 1e6 }),
    ];
    for (const adjoint of adjoints) {
      const computed = gradient(sum({ saveAt, adjoint }))(inputs);
      expectNear([computed.p, computed.y0], [right.p.item(), right.y0.item()], 1e-12);
    }
  });

  test.each([
    ["forward", { t0: 0, t1: 1.3 }],
    ["backward", { t0: 1, t1: 0 }],
  ] as const)("%s in time has the derivative of the flow by every continuous adjoint", (_, interval) => {
    const options = { ...interval, solver: rk4(), controller: fixedSteps(60), saveAt: [time, interval.t1] };
    const right = gradient(sum({ ...options, adjoint: directAdjoint() }))(inputs);
    for (const adjoint of [interpolatedAdjoint(), denseAdjoint(), gaussAdjoint(), backsolveAdjoint()]) {
      const computed = gradient(sum({ ...options, adjoint }))(inputs);
      expectNear([computed.p, computed.y0], [right.p.item(), right.y0.item()], 1e-5);
    }
  });

  test("is found again along the grid of the solve, which leaves out its steps of length zero", () => {
    const p = tensor(0.5);
    const common = { t0: 0, t1: 1.3, events: twice(p) } as const;
    const first = solve(field(p), tensor(1), { ...common, controller: fixedSteps(4) });
    expect(first.grid.length).toBe(new Set(first.grid).size + 1);
    const again = solve(field(p), tensor(1), { ...common, controller: grid(first) });
    expectNear(again.y1, first.y1, 1e-6);
    expect(new Set(again.grid)).toEqual(new Set(first.grid));
  });
});
