import { describe, expect, test } from "vitest";
import { gradient } from "@dydt/autodiff";
import { stack, tensor, type Tensor } from "@dydt/tensor";
import {
  adaptive, bs5, checkTableau, dop853, errorEstimate, fixedSteps, integrate, solve, stiffnessEstimate, vern7,
  type DenseStep, type EmbeddedStep, type Tableau,
} from "@dydt/ode"; // prettier-ignore
import { dop853Tableau } from "../src/solvers/dop853.js";
import { expectNear, lotkaVolterra, problemNamed } from "./problems.js";

const makers = { bs5, vern7, dop853 } as const;
/** Evaluations of f in a step, and those that dense output takes besides. */
const costs = { bs5: [7, 3], vern7: [10, 5], dop853: [12, 3] } as const;
const names = Object.keys(makers) as (keyof typeof makers)[];

/** A field that counts its evaluations. */
const counting = () => {
  let count = 0;
  const field = (t: Tensor, y: Tensor) => {
    count++;
    return y.mul(t.cos());
  };
  return { field, count: () => count };
};

describe.each(names)("%s", (name) => {
  const solver = makers[name]();
  const [stages, further] = costs[name];

  test("takes as many evaluations a step as it says", () => {
    const { stats } = solve(counting().field, tensor([1]), { t0: 0, t1: 1, solver, controller: fixedSteps(5) });
    expect(stats.evaluations).toBe(5 * stages);
  });

  test("evaluates the further stages of dense output once a step, and only in steps where it is asked for", () => {
    const evaluations = (asked: readonly number[]) => {
      const { field, count } = counting();
      let j = 0;
      for (const step of integrate<Tensor, DenseStep>(field, tensor([1]), { t0: 0, t1: 1, solver, controller: fixedSteps(4) }))
        if (asked.includes(j++)) for (const theta of [0.2, 0.5, 0.9]) step.at(step.t0 + theta * (step.t1 - step.t0));
      return count();
    };
    expect(evaluations([0, 2]) - evaluations([])).toBe(2 * further);
  });

  test("estimates stiffness: −λ for y′ = λ y", () => {
    const { penalties } = solve((_t, y: Tensor) => y.mul(-30), tensor([1]), {
      t0: 0,
      t1: 0.1,
      solver,
      controller: fixedSteps(4),
      regularize: stiffnessEstimate({ reduce: "mean", timesStep: false }),
    });
    expectNear(penalties[0]!, 30, 1e-6);
  });

  test("gives at save times between its steps what is as good as its steps", () => {
    const saveAt = [0.3, 1.7, 2.2, 3.9];
    const settings = { t0: 0, t1: 4, solver, controller: adaptive({ rtol: 1e-10, atol: 1e-10 }) };
    const { ys, stats } = solve((t, y: Tensor) => y.mul(t.cos()), tensor([1]), { ...settings, saveAt });
    const { stats: bare } = solve((t, y: Tensor) => y.mul(t.cos()), tensor([1]), settings);
    saveAt.forEach((t, i) => expect(Math.abs(ys.at(i).item() - Math.exp(Math.sin(t)))).toBeLessThan(2e-9));
    expect(stats.accepted).toBe(bare.accepted);
    expect(stats.evaluations - bare.evaluations).toBeLessThanOrEqual(saveAt.length * (further + 1));
  });

  test("has derivatives through dense output, its further stages included", () => {
    const problem = problemNamed("lotka_volterra");
    const saveAt = [0.37, 1.61];
    const options = { t0: 0, t1: 3, solver, controller: fixedSteps(5) };
    const whole = gradient((p: Tensor) => {
      const rows: Tensor[] = [];
      for (const step of integrate<Tensor, DenseStep>(lotkaVolterra(p), problem.y0, options))
        for (const t of saveAt) if (t > step.t0 && t <= step.t1) rows.push(step.at(t));
      return stack(rows).square().sum();
    })(problem.p);
    const byStep = gradient((p: Tensor) =>
      solve(lotkaVolterra(p), problem.y0, { ...options, saveAt })
        .ys.square()
        .sum(),
    )(problem.p);
    expectNear(byStep, whole, 1e-12);
  });

  test("has an error estimate with derivatives", () => {
    const cost = (y0: Tensor) =>
      solve((t, y: Tensor) => y.square().mul(t.cos()), y0, { t0: 0, t1: 1, solver, controller: fixedSteps(2), regularize: errorEstimate({ rtol: 1e-6, atol: 1e-6 }) }).penalties[0]!; // prettier-ignore
    const slope = gradient(cost)(tensor([0.5])).item();
    const difference = (cost(tensor([0.5 + 1e-6])).item() - cost(tensor([0.5 - 1e-6])).item()) / 2e-6;
    expect(slope).not.toBe(0);
    expectNear(slope, difference, 1e-3);
  });
});

describe("the error estimate of dop853", () => {
  const { a, b, c, error, coarseError }: Required<Pick<Tableau, "a" | "b" | "c" | "error" | "coarseError">> = dop853Tableau;
  const slopesOf = (h: number) => {
    const slopes: number[] = [];
    a.forEach((row, i) => slopes.push((1 + row.reduce((sum, weight, j) => sum + h * weight * slopes[j]!, 0)) * Math.cos(c[i]! * h)));
    return slopes;
  };

  test("is Hairer's e₅² / √(e₅² + e₃² / 100) of a single component", () => {
    const h = 0.9;
    const slopes = slopesOf(h);
    const sum = (weights: readonly number[]) => h * weights.reduce((total, weight, i) => total + weight * slopes[i]!, 0);
    const [fine, coarse] = [sum(error), sum(coarseError)];
    const [step] = integrate<Tensor, EmbeddedStep>((t, y) => y.mul(t.cos()), tensor([1]), {
      t0: 0,
      t1: h,
      solver: dop853(),
      controller: fixedSteps(1),
    });
    expectNear(step!.y1, 1 + sum(b), 1e-14);
    expectNear(Math.abs(step!.error.item()), fine ** 2 / Math.sqrt(fine ** 2 + 0.01 * coarse ** 2), 1e-8);
  });

  test("is zero, and no NaN, where nothing changes", () => {
    const [step] = integrate<Tensor, EmbeddedStep>((_t, y) => y.mul(0), tensor([1, 2]), {
      t0: 0,
      t1: 1,
      solver: dop853(),
      controller: fixedSteps(1),
    });
    expect(step!.error.toArray()).toEqual([0, 0]);
  });

  test("falls as h⁸: the controller is told 7", () => {
    expect(dop853().errorOrder).toBe(7);
    expect(checkTableau(dop853Tableau).errorOrder).toBe(5);
  });
});
