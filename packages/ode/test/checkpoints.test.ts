import { describe, expect, test } from "vitest";
import {
  advances, cams, gradient, hessianVectorProduct, memoryStorage, multistage, online, revolve, storeAll, vjp, withStages, type CheckpointStorage, type Schedule,
} from "@dydt/autodiff"; // prettier-ignore
import { ones, OptionError, tensor, type Tensor } from "@dydt/tensor";
import {
  adaptive, asynchronousLeapfrog, bosh3, bs5, discreteAdjoint, dop853, dopri5, errorEstimate, euler, fixedSteps, heun, leapfrog, midpoint, ralston, ReplayError,
  reversible, reversibleHeun, rk4, rk4ThreeEighths, solve, tsit5, vern7, type Controller,
  type DiscreteAdjointOptions, type Ode, type SolveStats, type Solver, type Step,
} from "@dydt/ode"; // prettier-ignore
import { expectClose } from "../../../scripts/expect-close.js";
import { expectNear, expectSameBits } from "./problems.js";

const decay = (k: Tensor) => (_t: Tensor, y: Tensor) => y.mul(k);

/** The counts of one gradient. */
const countsOf = (
  options: DiscreteAdjointOptions,
  { solver = euler(), controller = fixedSteps(100), y0 = tensor([1]) }: { readonly solver?: Solver<Ode, Step>; readonly controller?: Controller<Step>; readonly y0?: Tensor } = {}, // prettier-ignore
): SolveStats => {
  let stats: SolveStats | undefined;
  gradient((k: Tensor) => {
    const solution = solve(decay(k), y0, { t0: 0, t1: 1, solver, controller, adjoint: discreteAdjoint(options) });
    ({ stats } = solution);
    return solution.y1.sum();
  })(tensor(-0.5));
  return stats!;
};

const executions = ({ reverse }: SolveStats) => reverse!.advanced + reverse!.taped;

describe('store: "stages"', () => {
  test.each([
    [10, 2, 8],
    [10, 3, 6],
    [20, 3, 22],
    [20, 5, 14],
    [50, 5, 67],
    [100, 5, 184],
    [100, 10, 112],
  ])(
    // prettier-ignore
    "%i steps with %i slots: %i executions of steps beyond the forward solve, taped ones included",
    (n, c, expected) => {
      for (const tape of ["step", "evaluation"] as const)
        expect(executions(countsOf({ checkpoints: revolve(c), store: "stages", tape }, { controller: fixedSteps(n) }))).toBe(expected);
    },
  );

  test("of every step runs none again", () => {
    for (const tape of ["step", "evaluation"] as const) {
      expect(countsOf({ store: "stages", tape }).reverse).toEqual({ advanced: 0, taped: 0, evaluations: 100 });
      const steps = adaptive({ rtol: 1e-3 }) as unknown as Controller<Step>;
      expect(countsOf({ store: "stages", tape }, { solver: bosh3(), controller: steps }).reverse).toMatchObject({ advanced: 0, taped: 0 });
    }
  });

  test("saves half the evaluations of a reverse by evaluations", () => {
    const evaluations = (store: "states" | "stages", solver: Solver<Ode, Step>) =>
      countsOf({ store, tape: "evaluation" }, { solver, controller: fixedSteps(10) }).reverse!.evaluations;
    expect([evaluations("states", rk4()), evaluations("stages", rk4())]).toEqual([80, 40]);
    expect([evaluations("states", tsit5()), evaluations("stages", tsit5())]).toEqual([120, 60]);
  });

  test("takes two states a slot where the tape sees steps, and as many as the stages and the two ends where it sees evaluations", () => {
    const elements = 1000;
    const y0 = ones([elements]);
    const peak = (slots: number, tape: "step" | "evaluation", solver: Solver<Ode, Step>) =>
      countsOf({ checkpoints: revolve(slots), store: "stages", tape }, { y0, solver }).peakBytes;
    const perSlot = (tape: "step" | "evaluation", solver: Solver<Ode, Step>) => (peak(9, tape, solver) - peak(4, tape, solver)) / (5 * 8 * elements);
    expect(perSlot("step", rk4())).toBe(2);
    expect(perSlot("evaluation", rk4())).toBe(6);
    expect(perSlot("evaluation", tsit5())).toBe(8);
  });

  test("a field that is no function of (t, y) is found out", () => {
    let calls = 0;
    const noisy = (k: Tensor) => (_t: Tensor, y: Tensor) => y.mul(k).add(calls++);
    const adjoint = discreteAdjoint({ store: "stages", tape: "evaluation" });
    expect(() =>
      gradient((k: Tensor) => solve(noisy(k), tensor([1]), { t0: 0, t1: 1, solver: rk4(), controller: fixedSteps(3), adjoint }).y1.sum())(tensor(1)),
    ).toThrow(ReplayError);
  });

  test.each([
    [{ store: "stage" }, "stages"],
    [{ store: "states", checkpoints: cams({ units: 4, stages: 2 }) }, "leave store out"],
  ])("refuses %j", (options, message) => {
    expect(() => discreteAdjoint(options as never)).toThrow(OptionError);
    expect(() => discreteAdjoint(options as never)).toThrow(message);
  });
});

describe("cams", () => {
  test.each([
    [10, 10, 2, 4],
    [10, 10, 4, 7],
    [50, 30, 2, 34],
    [50, 30, 6, 46],
    [100, 50, 7, 94],
  ])(
    // prettier-ignore
    "%i steps, %i units, stages of %i units: %i executions beyond the forward solve",
    (n, units, stages, expected) => {
      expect(executions(countsOf({ checkpoints: cams({ units, stages }) }, { controller: fixedSteps(n) }))).toBe(expected);
    },
  );
});

describe("online", () => {
  test("stores during an adaptive solve: no sweep of its own, and with a slot for every step nothing is advanced", () => {
    for (const l of [10, 50]) {
      const steps = adaptive({ rtol: 1e-2, first: 1 / l, max: 1 / l }) as unknown as Controller<Step>;
      const counts = (slots: number) => countsOf({ checkpoints: online(slots) }, { solver: bosh3(), controller: steps }).reverse!;
      expect(counts(l)).toMatchObject({ advanced: 0, taped: l });
      expect(counts(4).advanced + l - 1).toBeLessThanOrEqual(1.2 * advances(l, 4));
    }
  });
});

describe("multistage", () => {
  test("keeps no more than its slots in memory, the others in its storage, and leaves nothing there", () => {
    const inner = memoryStorage();
    const held = new Set<number>();
    let most = 0;
    const storage: CheckpointStorage = {
      ...inner,
      put: (key, arrays) => (held.add(key), (most = Math.max(most, held.size)), inner.put(key, arrays)),
      delete: (key) => (held.delete(key), inner.delete(key)),
    };
    const y0 = ones([1000]);
    const stats = countsOf({ checkpoints: multistage({ ram: 2, slow: { slots: 6, storage } }) }, { y0 });
    expect(stats.reverse!.advanced).toBe(advances(100, 8) - 99);
    expect(most).toBe(6);
    expect(held.size).toBe(0);
    expect(stats.peakBytes).toBe(countsOf({ checkpoints: revolve(2) }, { y0 }).peakBytes);
  });
});

describe("every schedule, store and granularity", () => {
  const schedules: readonly (readonly [string, Schedule])[] = [
    ["storeAll", storeAll()], ["revolve(1)", revolve(1)], ["revolve(4)", revolve(4)], ["online(1)", online(1)], ["online(3)", online(3)],
    ["multistage", multistage({ ram: 1, slow: 2 })],
  ]; // prettier-ignore
  const stores = schedules.flatMap(([name, checkpoints]): readonly (readonly [string, DiscreteAdjointOptions])[] => [
    [name, { checkpoints }],
    [`${name} with stages`, { checkpoints, store: "stages" }],
  ]);
  const all: readonly (readonly [string, DiscreteAdjointOptions])[] = [...stores, ["cams", { checkpoints: cams({ units: 9, stages: 3 }) }]];
  const solvers = {
    euler, midpoint, heun, ralston, rk4, rk4ThreeEighths, bosh3, tsit5, dopri5, bs5, vern7, dop853, leapfrog, reversibleHeun, asynchronousLeapfrog,
    "reversible(rk4)": () => reversible(rk4()),
  } as const; // prettier-ignore

  test.each(Object.keys(solvers) as readonly (keyof typeof solvers)[])("%s: one gradient, to the last bit, at each granularity", (name) => {
    const solver = solvers[name]() as unknown as Solver<Ode, Step>;
    const second = name === "leapfrog";
    const embedded = ["bosh3", "tsit5", "dopri5", "bs5", "vern7", "dop853"].includes(name);
    const problem = (options: DiscreteAdjointOptions, controller: Controller<Step>) =>
      vjp(
        ({ k, y0, t1 }: { readonly k: Tensor; readonly y0: readonly [Tensor, Tensor]; readonly t1: Tensor }) => {
          const field = (t: Tensor, [q, p]: readonly [Tensor, Tensor]) =>
            second ? ([p, q.mul(k).neg().add(q.square().mul(0.1))] as const) : ([p.mul(k).add(t.sin()), q.mul(p).neg()] as const);
          const regularize = embedded ? [errorEstimate({ norm: "rms" })] : [];
          const settings = { t0: 0, t1, solver, controller, saveAt: [0.3, 1], adjoint: discreteAdjoint(options) };
          const { ys, penalties } = solve<readonly [Tensor, Tensor], Step>(field, y0, { ...settings, regularize: regularize as never });
          return [ys, penalties] as const;
        },
        { k: tensor([0.7, 1.3]), y0: [tensor([1, 2]), tensor([0.5, -0.2])] as const, t1: tensor(1.5) },
      );
    const controllers: readonly Controller<Step>[] = [
      fixedSteps(8),
      ...(embedded ? [adaptive({ rtol: 1e-3, atol: 1e-5, max: 0.2 }) as unknown as Controller<Step>] : []),
    ];
    for (const controller of controllers) {
      const byTape: unknown[] = [];
      for (const tape of ["step", "evaluation"] as const) {
        let wanted: unknown;
        for (const [, options] of all) {
          const { value, pullback } = problem({ ...options, tape }, controller);
          const ones = ([ys, penalties]: typeof value) => [[ys[0].mul(0).add(1), ys[1].mul(0).add(2)], penalties.map((x) => x.mul(0).add(0.3))] as unknown as typeof value; // prettier-ignore
          const slope = pullback(ones(value));
          wanted ??= slope;
          expectSameBits(slope, wanted);
          expectSameBits(pullback(ones(value)), wanted); // a second call sweeps anew
        }
        byTape.push(wanted);
      }
      expectNear(byTape[0], byTape[1], 1e-13);
    }
  });

  test("Hessian-vector products are those of the whole tape of states and steps", () => {
    const f = (options: DiscreteAdjointOptions) => (k: Tensor) =>
      solve((t: Tensor, y: Tensor) => y.mul(k).add(t).sin(), tensor([1, 2]), { t0: 0, t1: 1, solver: tsit5(), controller: fixedSteps(5), adjoint: discreteAdjoint(options) }).y1.square().sum(); // prettier-ignore
    const [k, v] = [tensor([0.4, -0.8]), tensor([1, 2])];
    const wanted = hessianVectorProduct(f({}), k, v);
    for (const [, options] of all)
      for (const tape of ["step", "evaluation"] as const) expectClose(hessianVectorProduct(f({ ...options, tape }), k, v), wanted, { rtol: 1e-11 });
  });

  test("of a schedule of somebody else's too, which releases a state before it goes on from it", () => {
    const hasty: Schedule = function* (steps) {
      // Keeps the initial state alone, and stores it anew each time it comes back.
      if (steps > 0) yield { do: "store", state: 0 };
      for (let step = steps - 1; step >= 0; step--) {
        if (step < steps - 1) {
          yield { do: "restore", state: 0 };
          yield { do: "release", state: 0 };
          yield { do: "store", state: 0 };
        }
        if (step > 0) yield { do: "advance", from: 0, to: step };
        yield { do: "reverse", step };
      }
      if (steps > 0) yield { do: "release", state: 0 };
    };
    const slope = (options: DiscreteAdjointOptions) =>
      gradient((k: Tensor) => {
        const y0 = [tensor([1, 2]), tensor([3, 4])] as const;
        const field = (_t: Tensor, [a, b]: readonly [Tensor, Tensor]) => [b.mul(k), a.neg()] as const;
        const { y1 } = solve(field, y0, { t0: 0, t1: 1, solver: rk4(), controller: fixedSteps(6), adjoint: discreteAdjoint(options) });
        return y1[0].add(y1[1]).sum();
      })(tensor(0.4));
    expectSameBits(slope({ checkpoints: hasty }), slope({}));
    expectSameBits(slope({ checkpoints: hasty, store: "stages" }), slope({}));
    expectSameBits(slope({ checkpoints: withStages(hasty) }), slope({}));
  });
});
