import { describe, expect, test } from "vitest";
import { gradient } from "@dydt/autodiff";
import { concat, OptionError, ShapeError, tensor, type Tensor } from "@dydt/tensor";
import {
  asynchronousLeapfrog, bosh3, discreteAdjoint, fixed, fixedSteps, grid, integrate, leapfrog, reversible, reversibleHeun, rk4, solve, tsit5,
  type Leaves, type Ode, type ReversibleSolver, type ReversibleStep, type Solver, type Step,
} from "@dydt/ode"; // prettier-ignore
import { benchOf, equalSteps } from "../src/conformance/bench.js";
import { exactProblems, largestDifference } from "../src/conformance/problems.js";
import { expectNear, lossAndGradient, problemNamed, schedules, wholeTape } from "./problems.js";

const makers: Readonly<Record<string, () => ReversibleSolver<Ode, ReversibleStep>>> = {
  "reversibleHeun()": () => reversibleHeun(),
  "asynchronousLeapfrog()": () => asynchronousLeapfrog(),
  "asynchronousLeapfrog({ eta: 0.9 })": () => asynchronousLeapfrog({ eta: 0.9 }),
  "reversible(rk4())": () => reversible(rk4()),
  "reversible(tsit5())": () => reversible(tsit5()),
  "reversible(bosh3(), { coupling: 0.9 })": () => reversible(bosh3(), { coupling: 0.9 }),
};
const named = Object.entries(makers);

/** Walks n steps forward, then undoes all of them. */
const thereAndBack = (solver: ReversibleSolver<Ode, ReversibleStep>, n: number): number => {
  const [problem] = exactProblems(solver.equations);
  const bench = benchOf(solver, problem);
  const first = problem.exact(problem.from);
  const steps = bench.walk(equalSteps(problem.from, problem.to, n), first);
  let y: Leaves = steps.at(-1)!.y1;
  let carry = steps.at(-1)!.carry;
  for (const { t0, t1 } of [...steps].reverse()) ({ y0: y, carry0: carry } = solver.inverse(bench.term, t0, t1, y, carry));
  return largestDifference([...y, ...carry], [...first, ...solver.start(bench.term, problem.from, first)]);
};

describe.each(named)("%s", (_, make) => {
  test("is undone step by step: a hundred steps there and back end where they began", () => {
    // Damping amplifies rounding by 1/|1 − 2η| a step, a coupling by 1/λ.
    const solver = make();
    const steps = solver.order === 1 ? 20 : solver.name === "reversible(bosh3)" ? 40 : 100;
    expect(thereAndBack(solver, steps)).toBeLessThan(1e-12);
  });

  test("has the derivative of one tape over all steps, under every schedule", () => {
    const problem = problemNamed("lotka_volterra");
    const settings = { solver: make(), controller: fixedSteps(12) };
    const whole = lossAndGradient(problem, settings, wholeTape);
    for (const [, schedule] of schedules) {
      const adjoint = discreteAdjoint({ checkpoints: schedule() });
      const byStep = lossAndGradient(problem, { ...settings, adjoint }, (f, y0, options) => solve(f, y0, options).y1);
      for (const key of ["y0", "p", "t0", "t1"] as const) expectNear(byStep.gradient[key], whole.gradient[key], 1e-12);
    }
  });
});

describe("the formulas", () => {
  const field = (t: number, y: number) => y * Math.cos(t);
  const run = (solver: Solver<Ode, Step>) =>
    [...integrate((t, y: Tensor) => y.mul(t.cos()), tensor([1]), { t0: 0, t1: 0.6, solver, controller: grid([0, 0.2, 0.6]) })].map((step) =>
      step.y1.item(),
    );

  test("of reversibleHeun are those of Kidger et al.", () => {
    let [y, hat] = [1, 1];
    const expected = [[0, 0.2], [0.2, 0.6]].map(([t0, t1]) => {
      const h = t1! - t0!;
      const next = 2 * y - hat + h * field(t0!, hat);
      y += (h / 2) * (field(t0!, hat) + field(t1!, next));
      hat = next;
      return y;
    }); // prettier-ignore
    expectNear(run(reversibleHeun()), expected, 1e-14);
  });

  test("of reversible(solver) are those of McCallum and Foster", () => {
    const midpoint = { name: "midpoint", order: 2, carries: "nothing", start: () => [], step: (term, t0, t1, y0) => {
      const h = (t1 as number) - (t0 as number);
      const middle = term.combine(y0, [1 / 2], [term.slope(t0, y0)], h);
      return { t0: t0 as number, t1: t1 as number, h, y0, y1: term.combine(y0, [1], [term.slope((t0 as number) + h / 2, middle)], h), carry: [] };
    } } satisfies Solver<Ode, Step>; // prettier-ignore
    const increment = (t: number, y: number, h: number) => h * field(t + h / 2, y + (h / 2) * field(t, y));
    let [y, z] = [1, 1];
    const expected = [[0, 0.2], [0.2, 0.6]].map(([t0, t1]) => {
      const h = t1! - t0!;
      y = 0.9 * y + 0.1 * z + increment(t0!, z, h);
      z -= increment(t1!, y, -h);
      return y;
    }); // prettier-ignore
    expectNear(run(reversible(midpoint, { coupling: 0.9 })), expected, 1e-14);
  });

  test("of asynchronousLeapfrog are those of MALI, damping included", () => {
    let [z, v] = [1, field(0, 1)];
    const expected = [[0, 0.2], [0.2, 0.6]].map(([t0, t1]) => {
      const h = t1! - t0!;
      const middle = z + (h / 2) * v;
      v = 1.6 * field(t0! + h / 2, middle) - 0.6 * v;
      z = middle + (h / 2) * v;
      return z;
    }); // prettier-ignore
    expectNear(run(asynchronousLeapfrog({ eta: 0.8 })), expected, 1e-14);
  });
});

describe("leapfrog", () => {
  interface Body {
    readonly position: Tensor;
    readonly velocity: Tensor;
  }
  const spring = (_t: Tensor, { position, velocity }: Body): Body => ({ position: velocity, velocity: position.neg() });
  const rest: Body = { position: tensor([1, 0.5]), velocity: tensor([0, 0.3]) };
  const energy = ({ position, velocity }: Body) => position.square().add(velocity.square()).sum().item() / 2;

  test("keeps the energy of an oscillator within a band that does not widen", () => {
    const spread = (from: number, to: number) => {
      const energies = [...integrate(spring, rest, { t0: 0, t1: to, solver: leapfrog(), controller: fixed(0.1) })].filter((step) => step.t1 > from).map((step) => energy(step.y1)); // prettier-ignore
      return Math.max(...energies) - Math.min(...energies);
    };
    expect(spread(190, 200)).toBeLessThan(1.05 * spread(0, 10));
    expect(spread(0, 10)).toBeLessThan(3e-3);
  });

  test("takes one evaluation a step", () => {
    const { stats } = solve(spring, rest, { t0: 0, t1: 1, solver: leapfrog(), controller: fixedSteps(10) });
    expect(stats.evaluations).toBe(11);
  });

  test("is the formula of Störmer and Verlet", () => {
    const [step] = integrate((_t, [q, v]: readonly [Tensor, Tensor]) => [v, q.square().neg()] as const, [tensor([0.7]), tensor([0.2])] as const, { t0: 0, t1: 0.1, solver: leapfrog(), controller: fixedSteps(1) }); // prettier-ignore
    const half = 0.2 - 0.05 * 0.7 ** 2;
    const q = 0.7 + 0.1 * half;
    expectNear(step!.y1[0], q, 1e-15);
    expectNear(step!.y1[1], half - 0.05 * q ** 2, 1e-15);
  });

  test("takes a pair, a tree of two halves or one vector, with the same numbers", () => {
    const settings = { t0: 0, t1: 2, solver: leapfrog(), controller: fixedSteps(20) };
    const tree = solve(spring, rest, settings).y1;
    const field = (_t: Tensor, y: Tensor) => concat([y.slice([[2, 4]]), y.slice([[0, 2]]).neg()]);
    const vector = solve(field, tensor([1, 0.5, 0, 0.3]), settings).y1;
    expect(vector.toArray()).toEqual([...(tree.position.toArray() as number[]), ...(tree.velocity.toArray() as number[])]);
  });

  test("solves q′ = p / m, p′ = −q too, for one evaluation more, with the gradient of the mass even where it is 1", () => {
    const settings = { t0: 0, t1: 2, solver: leapfrog(), controller: fixedSteps(200) };
    const end = (mass: Tensor) =>
      solve((_t, [q, p]: readonly [Tensor, Tensor]) => [p.div(mass), q.neg()] as const, [tensor([1]), tensor([0])] as const, settings).y1[0].sum();
    const frequency = Math.sqrt(1 / 2);
    expect(Math.abs(end(tensor(2)).item() - Math.cos(2 * frequency))).toBeLessThan(1e-4);
    // q(2) = cos(2 m^(−1/2)), so that its derivative is sin(2 m^(−1/2)) m^(−3/2).
    for (const mass of [1, 2]) expect(Math.abs(gradient(end)(tensor(mass)).item() - Math.sin(2 / Math.sqrt(mass)) * mass ** -1.5)).toBeLessThan(1e-4);
  });

  test("is undone by its own step backward", () => {
    expect(thereAndBack(leapfrog(), 100)).toBeLessThan(1e-12);
  });

  test("refuses a state that is not made of halves", () => {
    const settings = { t0: 0, t1: 1, solver: leapfrog(), controller: fixedSteps(2) };
    expect(() => solve((_t, y: Tensor) => y, tensor([1, 2, 3]), settings)).toThrow(ShapeError);
    expect(() => solve((_t, y: Tensor) => y, tensor([[1, 2]]), settings)).toThrow(/positions and velocities of the same shapes/);
    expect(() => solve((_t, y: { q: Tensor; v: Tensor }) => y, { q: tensor([1]), v: tensor([1, 2]) }, settings)).toThrow(ShapeError);
  });
});

describe("options that cannot be", () => {
  test("an η of ½, 0 or above 1", () => {
    for (const eta of [1 / 2, 0, -1, 1.1, NaN]) expect(() => asynchronousLeapfrog({ eta })).toThrow(OptionError);
    expect(asynchronousLeapfrog({ eta: 0.9 }).order).toBe(1);
  });

  test("a coupling of 0 or above 1, and a method that carries a state", () => {
    for (const coupling of [0, 1.5, NaN]) expect(() => reversible(rk4(), { coupling })).toThrow(OptionError);
    expect(() => reversible(reversibleHeun())).toThrow(/carries a state from step to step/);
    expect(() => reversible("rk4" as never)).toThrow(OptionError);
  });

  test("an option nobody knows", () => {
    expect(() => reversible(rk4(), { lambda: 0.9 } as never)).toThrow(OptionError);
    expect(() => asynchronousLeapfrog({ damping: 0.9 } as never)).toThrow(OptionError);
  });
});

test("leapfrog on one vector says what it needs for steps of its own choice, as other solvers do", () => {
  expect(() => solve((_t: Tensor, y: Tensor) => y, tensor([1, 0]), { t0: 0, t1: 1, solver: leapfrog() } as never)).toThrow(
    "this solver estimates no error, so it cannot choose its steps",
  );
});
