import { describe, expect, test } from "vitest";
import { stack, tensor, type Tensor } from "@dydt/tensor";
import { fixedSteps, integrate, solve, type DenseStep } from "@dydt/ode";
import { solverNamed, solverNames, solvers, type Field, type SolverName } from "./problems.js";
import { tableaus } from "./tableaus.js";

interface Exact {
  readonly name: string;
  readonly field: Field;
  readonly exact: (t: number) => readonly number[];
  readonly from: number;
  readonly to: number;
}

const linear: Exact = { name: "y' = y cos t", field: (t, y) => y.mul(t.cos()), exact: (t) => [Math.exp(Math.sin(t))], from: 0, to: 3 };
/** y₁′ = −y₂ ‖y‖², y₂′ = y₁ ‖y‖²: on the unit circle the rotation (cos t, sin t). */
const nonlinear: Exact = {
  name: "y₁' = −y₂ |y|², y₂' = y₁ |y|²",
  field: (_t, y) => stack([y.at(1).neg(), y.at(0)]).mul(y.square().sum()),
  exact: (t) => [Math.cos(t), Math.sin(t)],
  from: 0,
  to: 3,
};
const backward = (problem: Exact): Exact => ({ ...problem, name: `${problem.name}, backward`, from: problem.to, to: problem.from });
const problems = [linear, nonlinear, backward(linear), backward(nonlinear)];

const largestError = (y: Tensor, exact: readonly number[]): number => Math.max(...exact.map((value, i) => Math.abs(y.data[i]! - value)));

/** Least squares of log₂ error over −log₂ n. */
const slope = (points: readonly (readonly [n: number, error: number])[]): number => {
  const xs = points.map(([n]) => -Math.log2(n));
  const ys = points.map(([, error]) => Math.log2(error));
  const mean = (list: readonly number[]) => list.reduce((a, b) => a + b, 0) / list.length;
  const [x, y] = [mean(xs), mean(ys)];
  return xs.reduce((sum, xi, i) => sum + (xi - x) * (ys[i]! - y), 0) / xs.reduce((sum, xi) => sum + (xi - x) ** 2, 0);
};

/** Four halvings of the step; half halvings for high orders, where rounding is near. The errors of all are above rounding. */
const observed = (first: number, order: number, errorOf: (n: number) => number): number => {
  const factors = order > 5 ? [1, 1.5, 2, 3, 4, 6, 8] : [1, 2, 4, 8, 16];
  const points = factors.map((factor) => [first * factor, errorOf(first * factor)] as const).filter(([, error]) => error > 2e-13);
  expect(points.length).toBeGreaterThanOrEqual(4);
  return slope(points.slice(-5));
};

const firstSteps: Readonly<Record<number, number>> = { 1: 80, 2: 40, 3: 20, 4: 24, 5: 8, 7: 8, 8: 6 };
const cases = solverNames.flatMap((name) => problems.map((problem) => ({ solver: name, problem, named: problem.name })));

test.each(cases)("$solver has its order on $named", ({ solver: name, problem: { field, exact, from, to } }) => {
  const solver = solverNamed(name);
  const order = observed(firstSteps[solver.order]!, solver.order, (n) => {
    // The largest error over all step ends: at one of them the leading term may happen to cancel.
    let most = 0;
    for (const { t1, y1 } of integrate(field, tensor(exact(from) as number[]), { t0: from, t1: to, solver, controller: fixedSteps(n) }))
      most = Math.max(most, largestError(y1, exact(t1)));
    return most;
  });
  expect(order).toBeGreaterThanOrEqual(solver.order - 0.2);
});

const denseOrders: Readonly<Record<SolverName, number>> = Object.fromEntries(tableaus.map((tableau) => [tableau.name, tableau.denseOrder])) as Record<
  SolverName,
  number
>;

describe("dense output of order q", () => {
  // One step from an exact state: the weights b(θ) meet the conditions to order q for every θ, so the local error is O(h^(q + 1)).
  // (The error over many steps is O(h^min(p, q + 1)), which for rk4, tsit5 and dopri5 is that of the step ends and would not tell the two apart.)
  test.each(cases)("of $solver has a local error of order q + 1 on $named", ({ solver: name, problem: { field, exact, to } }) => {
    const direction = to === 3 ? 1 : -1;
    const q = denseOrders[name];
    const solver = solvers[name]();
    // From several times, since at one of them the leading term may happen to cancel.
    const order = observed(q > 4 ? 1.5 : 4, q + 1, (n) => {
      const errors = [0.7, 1, 1.6].flatMap((from) => {
        const t1 = from + direction / n;
        const [step] = integrate<Tensor, DenseStep>(field, tensor(exact(from)), { t0: from, t1, solver, controller: fixedSteps(1) });
        return [0.2, 0.4, 0.6, 0.8].map((theta) => {
          const t = from + (theta * direction) / n;
          return largestError(step!.at(t), exact(t));
        });
      });
      return Math.max(...errors);
    });
    expect(order).toBeGreaterThanOrEqual(q + 1 - 0.2);
  });

  test.each(solverNames)("of %s is global of order min(p, q + 1) at save times between the steps", (name) => {
    const solver = solverNamed(name);
    const { field, exact } = nonlinear;
    const saveAt = Array.from({ length: 59 }, (_, i) => 0.05 * (i + 1) + 0.003);
    const order = observed(firstSteps[solver.order]!, solver.order, (n) => {
      const { ys } = solve(field, tensor(exact(0) as number[]), { t0: 0, t1: 3, solver, controller: fixedSteps(n), saveAt });
      return Math.max(...saveAt.map((t, i) => largestError(ys.at(i), exact(t))));
    });
    expect(order).toBeGreaterThanOrEqual(Math.min(solver.order, denseOrders[name] + 1) - 0.2);
  });

  test("meets the step ends: the first with its bits, the second to rounding", () => {
    for (const name of solverNames) {
      const solver = solvers[name]();
      const [step] = integrate<Tensor, DenseStep>(linear.field, tensor([1]), { t0: 0, t1: 0.1, solver, controller: fixedSteps(1) });
      expect(step!.at(0).data[0]).toBe(1);
      expect(Math.abs(step!.at(0.1).data[0]! - step!.y1.data[0]!)).toBeLessThan(1e-13);
    }
  });
});
