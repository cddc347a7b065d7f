import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { gradient, revolve, storeAll, valueAndGradient, type Schedule } from "@dydt/autodiff";
import { isTensor, stack, tensor, type Tensor } from "@dydt/tensor";
import {
  adaptive, bosh3, directAdjoint, discreteAdjoint, dopri5, fixedSteps, grid, heun, integrate, reversibleHeun, solve, tsit5,
  type Adjoint, type EmbeddedStep, type Ode, type OpenAdjoint, type Solver, type Step,
} from "@dydt/ode"; // prettier-ignore
import {
  expectNear, expectSameBits, granularities, inputsOf, lossAndGradient, lotkaVolterra, problemNamed, solverNamed, solverNames, squaredLoss, wholeTape,
  type Inputs,
} from "./problems.js"; // prettier-ignore

const problem = problemNamed("lotka_volterra");
const perceptronProblem = problemNamed("mlp_2_8_2_batch3");

/**
 * The asynchronous leapfrog method, whose second state v is carried from step to step and is no function of (t, z):
 * v₀ = f(t₀, z₀);  zₘ = z + h v/2,  u = f(t + h/2, zₘ),  v₁ = 2u − v,  z₁ = zₘ + h v₁/2;  error h (u − v).
 */
const asynchronousLeapfrog: Solver<Ode, EmbeddedStep> = Object.freeze({
  name: "asynchronousLeapfrog",
  order: 2,
  errorOrder: 1,
  carries: "state",
  start: (term, t0, z) => term.slope(t0, z),
  step: (term, t0, t1, z, v) => {
    const h = term.differential(t0, t1);
    const half = isTensor(h) ? h.mul(0.5).add(t0) : isTensor(t0) ? t0.add(h / 2) : t0 + h / 2;
    const middle = term.combine(z, [0.5], [v], h);
    const u = term.slope(half, middle);
    const carry = u.map((slope, i) => slope.mul(2).sub(v[i]!));
    const y1 = term.combine(middle, [0.5], [carry], h);
    return { t0: number(t0), t1: number(t1), h, y0: z, y1, carry, error: term.combine(null, [1, -1], [u, v], h) };
  },
} satisfies Solver<Ode, EmbeddedStep>);
const number = (t: number | Tensor): number => (isTensor(t) ? t.item() : t);

describe("the step-by-step adjoint is the derivative that one tape over the whole solve gives", () => {
  test.each(solverNames)("for %s with fixed steps", (name) => {
    const settings = { solver: solverNamed(name), controller: fixedSteps(12) };
    for (const one of [problem, perceptronProblem]) {
      const whole = lossAndGradient(one, settings, wholeTape);
      for (const tape of granularities) {
        const byStep = lossAndGradient(one, { ...settings, adjoint: discreteAdjoint({ tape }) }, (f, y0, options) => solve(f, y0, options).y1);
        expectSameBits(byStep.auxiliary, whole.auxiliary);
        for (const key of ["y0", "p", "t0", "t1"] as const) expectNear(byStep.gradient[key], whole.gradient[key], 1e-12);
      }
    }
  });

  const embedded = { heun, bosh3, dopri5, tsit5, asynchronousLeapfrog: () => asynchronousLeapfrog } as const;
  test.each(Object.keys(embedded) as (keyof typeof embedded)[])("for %s with adaptive steps, rejected ones included", (name) => {
    const solver = embedded[name]();
    const settings = { solver, controller: adaptive({ rtol: 1e-3, atol: 1e-4, first: 1 }) };
    let rejected = 0;
    const whole = lossAndGradient<EmbeddedStep>(problem, settings, wholeTape);
    for (const tape of granularities)
      for (const checkpoints of [storeAll(), revolve(2)]) {
        const byStep = lossAndGradient<EmbeddedStep>(problem, { ...settings, adjoint: discreteAdjoint({ tape, checkpoints }) }, (f, y0, options) => {
          const { y1, stats } = solve<Tensor, EmbeddedStep>(f, y0, options);
          rejected = stats.rejected;
          return y1;
        });
        expectSameBits(byStep.auxiliary, whole.auxiliary);
        for (const key of ["y0", "p", "t0", "t1"] as const) expectNear(byStep.gradient[key], whole.gradient[key], 1e-12);
      }
    expect(rejected).toBeGreaterThan(0);
  });

  test("and adaptive steps have the bits of the same steps given as a grid", () => {
    const found = solve(problem.field(problem.p), problem.y0, { t0: 0, t1: 3 });
    const settings = { t0: 0, t1: 3, adjoint: discreteAdjoint({ checkpoints: revolve(3) }) };
    const run = (controller: ReturnType<typeof grid> | undefined) =>
      valueAndGradient((p: Tensor) =>
        solve(problem.field(p), problem.y0, controller === undefined ? settings : { ...settings, controller })
          .y1.square()
          .sum(),
      )(problem.p);
    expect(found.stats.accepted).toBeGreaterThan(5);
    expectSameBits(run(grid(found)), run(undefined));
  });
});

test("whatever the grid, the number of slots, the save times and the solver: the bits are those of storing everything", () => {
  const ascending = (list: readonly number[]) => [...new Set(list)].sort((a, b) => a - b);
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0.01, max: 0.99, noNaN: true }), { minLength: 1, maxLength: 12 }),
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 4 }),
      fc.integer({ min: 1, max: 6 }),
      fc.constantFrom(...solverNames),
      fc.constantFrom(...granularities),
      (inner, saves, slots, name, tape) => {
        const settings = { t0: 0, t1: 1, solver: solverNamed(name), controller: grid([0, ...ascending(inner), 1]), saveAt: ascending(saves) };
        const run = (checkpoints: Schedule) =>
          valueAndGradient(({ y0, p }: { readonly y0: Tensor; readonly p: Tensor }) => {
            const { ys, y1 } = solve(problem.field(p), y0, { ...settings, adjoint: discreteAdjoint({ checkpoints, tape }) });
            return ys.sum().add(y1.square().sum());
          })({ y0: problem.y0, p: problem.p });
        expectSameBits(run(revolve(slots)), run(storeAll()));
      },
    ),
    { numRuns: 25 },
  );
});

describe("at(t) of a solver without dense output", () => {
  const bare = { t0: 0, solver: reversibleHeun(), controller: fixedSteps(4) } as const;
  const end = (f: (t: Tensor, y: Tensor) => Tensor, saves: Tensor, t: number, adjoint: Adjoint<Step> | OpenAdjoint<Step>, options = {}): Tensor =>
    solve(f, problem.y0, { ...bare, t1: 2, saveAt: saves, adjoint, ...options })
      .at(t)
      .square()
      .sum();

  test("moves with the save times that steps ended at", () => {
    const saves = tensor([0.3, 1.6]);
    for (const t of [0.8, 1.6, 1.9]) {
      const of = (adjoint: Adjoint<Step> | OpenAdjoint<Step>) => gradient((at: Tensor) => end(problem.field(problem.p), at, t, adjoint))(saves);
      expectNear(of(discreteAdjoint()), of(directAdjoint()), 1e-12);
      const h = 1e-5;
      // The steps between two save times are constant fractions of what lies between: here none ends elsewhere before 0.5.
      const moved = (dt: number): number => {
        const times = [
          0,
          0.3 + dt,
          0.3 + dt + (0.2 * (1.3 - dt)) / 1.3,
          0.3 + dt + (0.7 * (1.3 - dt)) / 1.3,
          0.3 + dt + (1.2 * (1.3 - dt)) / 1.3,
          1.6,
          2,
        ];
        return end(problem.field(problem.p), tensor([0.3 + dt, 1.6]), t, discreteAdjoint(), { controller: grid(times) }).item();
      };
      if (t === 1.9) expectNear(of(discreteAdjoint()).at(0), (moved(h) - moved(-h)) / (2 * h), 1e-6);
    }
  });

  test("goes no further than the solve that ended early", () => {
    const breaks = (t: Tensor, y: Tensor): Tensor => (t.item() > 1 ? y.mul(NaN) : y.neg());
    const solved = (y0: Tensor) => solve(breaks, y0, { ...bare, t1: 2, saveAt: [0.3, 1.6], throw: false }).at(0.5);
    expectSameBits(gradient((y0: Tensor) => solved(y0).sum())(tensor([1, 2])), gradient((y0: Tensor) => solved(y0).sum())(tensor([2, 4])));
  });
});

describe("a carry that is a part of the state", () => {
  const run = (checkpoints = storeAll(), tape: "step" | "evaluation" = "step", saveAt: readonly number[] = [3]) =>
    lossAndGradient(
      problem,
      { solver: asynchronousLeapfrog, controller: fixedSteps(11), saveAt, adjoint: discreteAdjoint({ checkpoints, tape }) },
      (f, y0, options) => {
        const { y1, ys } = solve(f, y0, options);
        return y1.add(ys.sum({ axis: 0 }));
      },
    );

  test("is stored and reversed: the derivative is that of the whole tape", () => {
    const whole = valueAndGradient(({ y0, p, t0, t1 }: Inputs) => {
      const y1 = wholeTape(problem.field(p), y0, { t0, t1, solver: asynchronousLeapfrog, controller: fixedSteps(11) });
      return { value: squaredLoss(problem.target)(y1.mul(2)), auxiliary: y1.mul(2) };
    })(inputsOf(problem));
    for (const tape of granularities) {
      const all = run(storeAll(), tape);
      expectSameBits(all.auxiliary, whole.auxiliary);
      for (const key of ["y0", "p", "t0", "t1"] as const) expectNear(all.gradient[key], whole.gradient[key], 1e-12);
      for (const slots of [1, 2, 5]) expectSameBits(run(revolve(slots), tape).gradient, all.gradient);
    }
  });

  test("goes on through save times, at which steps end", () => {
    const at = [0.4, 0.4, 2.1];
    const all = run(storeAll(), "step", at);
    expectSameBits(run(revolve(2), "step", at).gradient, all.gradient);
    const whole = gradient((p: Tensor) => {
      const times = [...Array.from({ length: 12 }, (_, j) => (j === 11 ? 3 : j * (3 / 11))), 0.4, 2.1].sort((a, b) => a - b);
      const kept = [];
      for (const step of integrate(lotkaVolterra(p), problem.y0, { t0: 0, t1: 3, solver: asynchronousLeapfrog, controller: grid(times) })) {
        if (step.t1 === 0.4) kept.push(step.y1, step.y1);
        if (step.t1 === 2.1 || step.t1 === 3) kept.push(step.y1);
      }
      return squaredLoss(problem.target)(stack(kept).sum({ axis: 0 }));
    })(problem.p);
    expectNear(all.gradient.p, whole, 1e-12);
  });

  test("has the order of the method: halving h divides the error by four", () => {
    const error = (n: number) => {
      const { y1 } = solve((t, y) => y.mul(t.cos()), tensor([1]), { t0: 0, t1: 2, solver: asynchronousLeapfrog, controller: fixedSteps(n) });
      return Math.abs(y1.at(0).item() - Math.exp(Math.sin(2)));
    };
    expect(error(100) / error(200)).toBeGreaterThan(3.8);
    expect(error(100) / error(200)).toBeLessThan(4.2);
  });
});
