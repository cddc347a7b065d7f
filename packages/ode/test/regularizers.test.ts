import { describe, expect, test } from "vitest";
import { checkGradients, gradient, revolve, storeAll, valueAndGradient } from "@dydt/autodiff";
import { tensor, type Tensor } from "@dydt/tensor";
import {
  adaptive, discreteAdjoint, dopri5, errorEstimate, fixedSteps, grid, jacobianNorm, solve, stiffnessEstimate, tsit5, type Adjoint, type EmbeddedStep, type Regularizer,
  type Step, type StiffnessStep,
} from "@dydt/ode"; // prettier-ignore
import regularizers from "./cases/regularizers.json" with { type: "json" };
import { distance, expectNear, expectSameBits, lotkaVolterra, perceptron } from "./problems.js";

type Costs = Regularizer<EmbeddedStep & StiffnessStep>;
const { cases } = regularizers;
const [{ rtol, atol }] = cases as [(typeof cases)[number]];

/** The costs of the reference, with the bounds that it suggests. */
const costs: Readonly<Record<string, readonly [Costs, number]>> = {
  RE_l2: [errorEstimate({ norm: "l2" }), 1e-7],
  RE_rms: [errorEstimate({ norm: "rms" }), 1e-7],
  RE_scaled: [errorEstimate({ rtol, atol }), 1e-7],
  RE_sq: [errorEstimate({ norm: "l2", power: 2 }), 1e-7],
  RS_l2: [stiffnessEstimate({ timesStep: false }), 1e-9],
  RS_l2_h: [stiffnessEstimate(), 1e-9],
  RS_inf: [stiffnessEstimate({ norm: "inf", timesStep: false }), 1e-7],
};

const timesOf = (lengths: readonly number[]): readonly number[] =>
  lengths.reduce<readonly number[]>((times, h) => [...times, times.at(-1)! + h], [0]);

const settingsOf = ({ method, steps_h }: (typeof cases)[number]) => {
  const times = timesOf(steps_h);
  return { t0: 0, t1: times.at(-1)!, solver: method === "tsit5" ? tsit5() : dopri5(), controller: grid(times) };
};

type Inputs = { readonly y0: Tensor; readonly p: Tensor };
const inputsOf = ({ y0, p }: (typeof cases)[number]): Inputs => ({ y0: tensor(y0, { shape: [3, 2] }), p: tensor(p) });

/** A penalty with its gradient. */
const penalty = (one: (typeof cases)[number], regularize: Costs, adjoint: Adjoint<Step> = discreteAdjoint()) =>
  valueAndGradient(({ y0, p }: Inputs) => solve(perceptron(p), y0, { ...settingsOf(one), regularize, adjoint }).penalties[0]!)(inputsOf(one));

describe.each(cases)("step costs against 260-bit arithmetic: $id", (one) => {
  const expected = one.regularizers as Readonly<
    Record<string, { readonly value: number; readonly grad_p: readonly number[]; readonly grad_y0: readonly number[] }>
  >;

  test.each(Object.keys(costs))("%s and its gradients", (name) => {
    const [regularize, bound] = costs[name]!;
    const { value, gradient: slope } = penalty(one, regularize);
    const { value: wanted, grad_p, grad_y0 } = expected[name]!;
    expectNear(value, wanted, bound);
    expectNear(slope.p, grad_p, bound);
    expectNear(slope.y0, grad_y0, bound);
  });

  test("all at once they are the same penalties, and their weighted sum has the weighted gradient", () => {
    const list = Object.values(costs).map(([cost]) => cost);
    const weighted = valueAndGradient(({ y0, p }: Inputs) => {
      const { penalties } = solve(perceptron(p), y0, { ...settingsOf(one), regularize: list });
      return { value: penalties.map((each, i) => each.mul(i + 1)).reduce((a, b) => a.add(b)), auxiliary: penalties };
    })(inputsOf(one));
    const each = list.map((cost) => penalty(one, cost));
    expectSameBits(weighted.auxiliary, each.map(({ value }) => value)); // prettier-ignore
    const sum = each.map(({ gradient: slope }, i) => slope.p.mul(i + 1)).reduce((a, b) => a.add(b));
    expectNear(weighted.gradient.p, sum, 1e-12);
  });

  test("rms stiffness is l2 stiffness", () => expectSameBits(penalty(one, stiffnessEstimate({ norm: "rms" })), penalty(one, stiffnessEstimate())));

  test("sum, mean and maximum over the steps, with and without their lengths", () => {
    const values = (pick: (step: (typeof one.per_step)[number]) => number, timesStep: boolean) =>
      one.per_step.map((step) => pick(step) * (timesStep ? step.h : 1));
    for (const timesStep of [true, false]) {
      const errors = values(({ E_rms }) => E_rms, timesStep);
      const rates = values(({ S_l2 }) => S_l2, timesStep);
      const total = (list: readonly number[]) => list.reduce((a, b) => a + b, 0);
      for (const [list, make] of [
        [errors, (reduce: "sum" | "mean" | "max") => errorEstimate({ norm: "rms", timesStep, reduce })],
        [rates, (reduce: "sum" | "mean" | "max") => stiffnessEstimate({ timesStep, reduce })],
      ] as const) {
        expectNear(penalty(one, make("sum")).value, total(list), 1e-7);
        expectNear(penalty(one, make("mean")).value, total(list) / list.length, 1e-7);
        expectNear(penalty(one, make("max")).value, Math.max(...list), 1e-7);
      }
    }
  });

  test.each(["mean", "max"] as const)("the gradient of the %s is that of the differences", (reduce) => {
    for (const regularize of [errorEstimate({ reduce, rtol, atol }), stiffnessEstimate({ reduce, timesStep: false })] as readonly Costs[]) {
      const report = checkGradients(
        ({ y0, p }: Inputs) => solve(perceptron(p), y0, { ...settingsOf(one), regularize }).penalties[0]!,
        inputsOf(one),
        { directions: 2, tolerance: 1e-5 },
      );
      expect(report.passed, report.toString()).toBe(true);
    }
  });

  test("have the same bits under every schedule, and agree to rounding between granularities", () => {
    for (const [regularize, bound] of Object.values(costs)) {
      const all = penalty(one, regularize);
      for (const checkpoints of [revolve(1), revolve(2)]) expectSameBits(penalty(one, regularize, discreteAdjoint({ checkpoints })), all);
      const byEvaluation = penalty(one, regularize, discreteAdjoint({ checkpoints: storeAll(), tape: "evaluation" }));
      expectSameBits(penalty(one, regularize, discreteAdjoint({ checkpoints: revolve(2), tape: "evaluation" })), byEvaluation);
      expectSameBits(byEvaluation.value, all.value);
      expect(distance(byEvaluation.gradient.p, all.gradient.p)).toBeLessThanOrEqual(bound * 1e-3);
    }
  });
});

describe("step costs", () => {
  const p = tensor([1.5, 1, 3, 1]);
  const y0 = tensor([1, 1]);

  test("are differentiated with respect to t0 and t1 too, steps being constant fractions of the interval", () => {
    const fractions = [0, 0.1, 0.35, 0.6, 0.8, 1];
    for (const regularize of [
      errorEstimate({ norm: "rms" }),
      errorEstimate({ rtol: 1e-3, atol: 1e-5, timesStep: false }),
      stiffnessEstimate(),
    ] as readonly Costs[]) {
      const cost = ({ t0, t1 }: { readonly t0: Tensor; readonly t1: Tensor }) => {
        const [from, to] = [t0.item(), t1.item()];
        const times = fractions.map((s) => (s === 1 ? to : from + s * (to - from)));
        const field = (t: Tensor, y: Tensor) => lotkaVolterra(p)(t, y).mul(t.cos());
        const { penalties, y1 } = solve(field, y0, { t0, t1, solver: tsit5(), controller: grid(times), regularize });
        return penalties[0]!.mul(1000).add(y1.square().sum());
      };
      const report = checkGradients(cost, { t0: tensor(0.2), t1: tensor(1.1) }, { tolerance: 1e-6 });
      expect(report.passed, report.toString()).toBe(true);
    }
  });

  test("take the tolerances of the controller, and its accepted steps only: rejected ones cost nothing", () => {
    const controller = adaptive({ rtol: 1e-4, atol: 1e-6, first: 1 });
    const run = (k: Tensor) => solve(lotkaVolterra(k), y0, { t0: 0, t1: 4, controller, regularize: errorEstimate() });
    const found = run(p);
    expect(found.stats.rejected).toBeGreaterThan(0);
    const replayed = (k: Tensor) =>
      solve(lotkaVolterra(k), y0, { t0: 0, t1: 4, controller: grid(found), regularize: errorEstimate({ rtol: 1e-4, atol: 1e-6 }) }).penalties[0]!;
    expectSameBits(found.penalties[0]!, replayed(p));
    expectSameBits(gradient((k: Tensor) => run(k).penalties[0]!)(p), gradient(replayed)(p));
    const report = checkGradients(replayed, p, { tolerance: 1e-6 });
    expect(report.passed, report.toString()).toBe(true);
  });

  test("cost no evaluations of the field beyond the last slope", () => {
    const evaluations = (regularize: readonly Costs[]) =>
      solve(lotkaVolterra(p), y0, { t0: 0, t1: 1, solver: tsit5(), controller: fixedSteps(10), regularize }).stats.evaluations;
    expect(evaluations([])).toBe(60);
    expect(evaluations([errorEstimate({ norm: "rms" }), stiffnessEstimate()])).toBe(61);
  });

  test("vanish with derivative zero where the estimate vanishes", () => {
    for (const regularize of [
      errorEstimate({ norm: "l2" }),
      errorEstimate({ rtol: 1e-3, atol: 1e-3 }),
      stiffnessEstimate(),
      stiffnessEstimate({ norm: "inf" }),
    ] as readonly Costs[]) {
      const { value, gradient: slope } = valueAndGradient((k: Tensor) =>
        solve((_t, y) => y.mul(k), tensor([0, 0]), { t0: 0, t1: 1, solver: tsit5(), controller: fixedSteps(3), regularize }).penalties[0]!,
      )(tensor(-1)); // prettier-ignore
      expect([value.item(), slope.item()]).toEqual([0, 0]);
    }
  });

  test.each(["l2", "rms", "inf"] as const)("are none for the stiffness of steps so short that all differences are rounding (%s)", (norm) => {
    const times = [0.2, 0.4, 0.6, 0.8];
    const { value, gradient: slope } = valueAndGradient((k: Tensor) => {
      const regularize = stiffnessEstimate({ norm, reduce: "max", timesStep: false });
      return solve((_t, y) => y.mul(k), tensor([1, 2, 3]), { t0: 0, t1: 1, solver: dopri5(), controller: adaptive({ times }), regularize })
        .penalties[0]!;
    })(tensor(-3));
    expectNear([value.item(), slope.item()], [3, -1], 1e-6);
  });

  test("of an empty interval are zero, with gradient zero", () => {
    const slope = gradient(
      (k: Tensor) => solve(lotkaVolterra(k), y0, { t0: 1, t1: 1, regularize: [errorEstimate(), stiffnessEstimate({ reduce: "max" })] }).penalties[0]!,
    );
    expectSameBits(slope(p), [0, 0, 0, 0]);
  });
});

test("a Jacobian norm without a probe serves solves of both float types", () => {
  const cost = jacobianNorm();
  const rates = (["float64", "float32"] as const).map((dtype) => {
    const { penalties } = solve((_t, y) => y.neg(), tensor([1, 2], { dtype }), { t0: 0, t1: 1, regularize: cost });
    return [penalties[0]!.dtype, Math.round(penalties[0]!.item() * 1e4) / 1e4];
  });
  expect(rates).toEqual([
    ["float64", rates[0]![1]],
    ["float32", rates[0]![1]],
  ]);
});
