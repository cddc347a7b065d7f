import { describe, expect, test } from "vitest";
import { checkGradients, checkpoint, gradient, hessianVectorProduct, jvp, pushforward, taylor, valueAndGradient } from "@dydt/autodiff";
import { activeRecorders, currentRegion, heap, stack, tensor, type Tensor } from "@dydt/tensor";
import {
  adaptive, checkAdjoint, directAdjoint, discreteAdjoint, errorEstimate, fixedSteps, integrate, jacobianNorm, kineticEnergy, reversibleHeun, rk4,
  solve, stiffnessEstimate, tsit5, type EmbeddedStep, type OpenAdjoint, type SolveEvent, type SolveOptions, type Step,
} from "@dydt/ode"; // prettier-ignore
import gradients from "./cases/gradients.json" with { type: "json" };
import { expectNear, expectSameBits, lossAndGradient, problemNamed, referenceNames, solverNamed, solverNames } from "./problems.js";

const rows = gradients.problems.flatMap(({ id, discrete }) =>
  discrete.flatMap((expected) => {
    const name = referenceNames[expected.method];
    return name === undefined ? [] : [{ id, name, expected }];
  }),
);
const times = ["t0", "t1"] as const;

describe("the direct adjoint is the derivative of the computed solution", () => {
  test.each(rows)("of $name on $id, to 1e-12 of the reference", ({ id, name, expected }) => {
    const settings = { solver: solverNamed(name), controller: fixedSteps(expected.steps), adjoint: directAdjoint() };
    const { auxiliary: y1, value, gradient } = lossAndGradient(problemNamed(id), settings, (f, y0, options) => solve(f, y0, options).y1);
    expectNear(y1, expected.y1, 1e-12);
    expectNear(value, expected.loss, 1e-12);
    expectNear(gradient.y0, expected.grad_y0, 1e-12);
    expectNear(gradient.p, expected.grad_p, 1e-12);
    expectNear(gradient.t0, expected.dloss_dt0, 1e-12);
    expectNear(gradient.t1, expected.dloss_dt1, 1e-12);
  });

  test.each(solverNames)("and agrees with the discrete one to rounding, for %s", (name) => {
    const [problem, solver] = [problemNamed("mlp_2_8_2_batch3"), solverNamed(name)];
    const run = (adjoint: OpenAdjoint<Step> | ReturnType<typeof discreteAdjoint>) =>
      valueAndGradient(({ y0, p }: { readonly y0: Tensor; readonly p: Tensor }) =>
        solve(problem.field(p), y0, { t0: 0, t1: 1, solver, controller: fixedSteps(7), saveAt: [0.25, 0.5, 1], adjoint }).ys.sin().sum(),
      )({ y0: problem.y0, p: problem.p }); // prettier-ignore
    const [direct, discrete] = [run(directAdjoint()), run(discreteAdjoint())];
    expectSameBits(direct.value, discrete.value);
    expectNear(direct.gradient, discrete.gradient, 1e-13);
  });

  test("with adaptive steps, rejected ones included", () => {
    const settings = { solver: tsit5(), controller: adaptive({ rtol: 1e-3, atol: 1e-4, first: 1 }) };
    let rejected = 0;
    const run = (adjoint: OpenAdjoint<Step> | ReturnType<typeof discreteAdjoint>) =>
      lossAndGradient<EmbeddedStep>(problemNamed("lotka_volterra"), { ...settings, adjoint }, (f, y0, options) => {
        const { y1, stats } = solve<Tensor, EmbeddedStep>(f, y0, options);
        rejected = stats.rejected;
        return y1;
      });
    const [direct, discrete] = [run(directAdjoint()), run(discreteAdjoint())];
    expect(rejected).toBeGreaterThan(0);
    expectSameBits(direct.auxiliary, discrete.auxiliary);
    expectSameBits([direct.gradient.y0, direct.gradient.p], [discrete.gradient.y0, discrete.gradient.p]);
    for (const key of times) expectNear(direct.gradient[key], discrete.gradient[key], 1e-13);
  });

  test.each([tsit5(), rk4(), reversibleHeun()].map((solver) => [solver.name, solver] as const))(
    "of everything that can be differentiated, for %s",
    (_name, solver) => {
      const report = checkAdjoint(directAdjoint(), { solver });
      expect(report.passed, report.toString()).toBe(true);
    },
  );

  test("and evaluates the field as often as the forward solve alone", () => {
    let evaluations = 0;
    const field = (p: Tensor) => (_t: Tensor, y: Tensor) => {
      evaluations++;
      return y.mul(p);
    };
    const run = (p: Tensor) => solve(field(p), tensor([1]), { t0: 0, t1: 3, adjoint: directAdjoint() });
    const { stats } = run(tensor(-0.5));
    expect([evaluations, stats.reverse]).toEqual([stats.evaluations, undefined]);
    evaluations = 0;
    const { auxiliary } = valueAndGradient((p: Tensor) => {
      const solution = run(p);
      return { value: solution.y1.sum(), auxiliary: solution.stats };
    })(tensor(-0.5));
    expect(evaluations).toBe(stats.evaluations);
    expect(auxiliary.reverse).toEqual({ evaluations: 0, advanced: 0, taped: 0 });
  });
});

describe("the direct adjoint works with", () => {
  interface Inputs {
    readonly y0: Tensor;
    readonly p: Tensor;
    readonly t0: Tensor;
    readonly t1: Tensor;
    readonly saves: Tensor;
  }
  const inputs: Inputs = { y0: tensor([1, 0.5]), p: tensor([1.3, 0.2, 0.7]), t0: tensor(0.1), t1: tensor(2.3), saves: tensor([0.1, 0.4, 1.1, 2.3]) };
  const field =
    (p: Tensor) =>
    (t: Tensor, y: Tensor): Tensor =>
      stack([y.at(1), t.sin().mul(p.at(2)).sub(y.at(0).mul(p.at(0))).sub(y.at(1).pow(3).mul(p.at(1)))]); // prettier-ignore
  const bounce = (p: Tensor): SolveEvent<Tensor> => ({
    when: (_t, y) => y.at(0).sub(p.at(2)),
    then: (t, y) => stack([y.at(0), y.at(1).neg().mul(p.at(2)).add(t.mul(0.1))]),
  });
  const run = (options: object, events = false) =>
    valueAndGradient(({ y0, p, t0, t1, saves }: Inputs) => {
      const found = solve(field(p), y0, { t0, t1, saveAt: saves, ...(events && { events: [bounce(p)] }), ...options } as unknown as SolveOptions<Step>);
      const parts = [found.y1.square().sum(), found.ys.sin().sum(), ...found.penalties, ...found.events.flatMap(({ times, states }) => [times.square().sum(), states.sum()])];
      return { value: parts.reduce((a, b) => a.add(b)), auxiliary: found };
    })(inputs); // prettier-ignore
  const cases = {
    "output times": {},
    "costs of the steps": { regularize: [errorEstimate(), errorEstimate({ reduce: "max" }), stiffnessEstimate({ reduce: "mean" })] },
    "running costs": { regularize: [kineticEnergy(), jacobianNorm({ norm: "rms" })] },
    "values in place of states": { saveAt: { times: [0.4, 2], value: (_t: Tensor, y: Tensor) => y.at(0) } },
    "every step": { saveAt: { every: "step" } },
    "fixed steps that end at numbers to be saved": { controller: fixedSteps(4), saveAt: [0.65, 1.2, 1.75] },
    "a solver that has to stop at them": { solver: rk4(), controller: fixedSteps(9), saveAt: inputs.saves },
  } as const;

  test.each(Object.keys(cases) as (keyof typeof cases)[])("%s", (name) => {
    const [direct, discrete] = [directAdjoint(), discreteAdjoint()].map((adjoint) => run({ ...cases[name], adjoint }));
    expectSameBits([direct!.value, direct!.auxiliary.ys], [discrete!.value, discrete!.auxiliary.ys]);
    const bound = name === "costs of the steps" ? 1e-10 : 1e-12; // an error estimate is a small difference of large numbers
    for (const key of ["y0", "p", "t0", "t1", "saves"] as const) expectNear(direct!.gradient[key], discrete!.gradient[key], bound);
  });

  test("events that change the state", () => {
    const [direct, discrete] = [directAdjoint(), discreteAdjoint()].map((adjoint) => run({ adjoint }, true));
    expect(direct!.auxiliary.events[0]!.times.size).toBeGreaterThan(0);
    for (const key of ["y0", "p", "t0", "t1", "saves"] as const) expectNear(direct!.gradient[key], discrete!.gradient[key], 1e-11);
  });

  test("states looked up afterwards", () => {
    const at = (adjoint: OpenAdjoint<Step> | ReturnType<typeof discreteAdjoint>) =>
      gradient((p: Tensor) => solve((_t, y) => y.mul(p), tensor([1]), { t0: 0, t1: 1, adjoint }).at(0.3).sum())(tensor(-0.5)); // prettier-ignore
    expectNear(at(directAdjoint()), at(discreteAdjoint()), 1e-13);
    expectNear(at(directAdjoint()), 0.3 * Math.exp(-0.15), 1e-6);
  });

  test("solves that fail half-way, up to there", () => {
    const options = { t0: 0, t1: 2, throw: false, maxSteps: 6, controller: fixedSteps(10) } as const;
    const part = (adjoint: OpenAdjoint<Step> | ReturnType<typeof discreteAdjoint>) =>
      gradient((p: Tensor) => solve((_t, y) => y.mul(p), tensor([1]), { ...options, solver: rk4(), adjoint }).y1.sum())(tensor(-0.5));
    expectNear(part(directAdjoint()), 1.2 * Math.exp(-0.6), 1e-4);
    expectSameBits(part(directAdjoint()), part(discreteAdjoint()));
  });

  test("checkpoint around it, which finds what it closes over, times included", () => {
    const loss = (around: boolean) => (x: { readonly p: Tensor; readonly t1: Tensor }) => {
      const end = (y: Tensor) => solve((_t, z) => z.mul(x.p), y, { t0: 0, t1: x.t1, adjoint: directAdjoint() }).y1;
      return (around ? checkpoint(end)(tensor([1, 2])) : end(tensor([1, 2]))).square().sum();
    };
    const at = { p: tensor(-0.4), t1: tensor(1.5) };
    expectSameBits(gradient(loss(true))(at), gradient(loss(false))(at));
    expectNear(gradient(loss(true))(at).t1, 5 * -0.8 * Math.exp(-1.2), 1e-5);
  });

  test("another solve around it, whose field solves", () => {
    const loss = (p: Tensor) =>
      solve(
        (_t, y: Tensor) => solve((_s, z: Tensor) => z.mul(p), y, { t0: 0, t1: 0.5, adjoint: directAdjoint() }).y1.neg(),
        tensor([1]),
        { t0: 0, t1: 1 },
      ).y1.sum(); // prettier-ignore
    const report = checkGradients(loss, tensor(-0.3), { tolerance: 1e-6, order: 1 });
    expect(report.passed, report.toString()).toBe(true);
  });
});

describe("the direct adjoint can be differentiated again", () => {
  const at = tensor([1.3, 0.2]);
  const v = tensor([0.7, -1.1]);
  const end = (p: Tensor, adjoint?: OpenAdjoint<Step>) =>
    solve((t, y: Tensor) => stack([y.at(1), y.at(0).sin().mul(p.at(0)).neg().sub(y.at(1).mul(p.at(1))).add(t)]), tensor([0.8, -0.3]), {
      t0: 0, t1: 2, saveAt: [0.7, 2], controller: fixedSteps(10), ...(adjoint && { adjoint }),
    }).ys.square().sum(); // prettier-ignore
  const direct = (p: Tensor): Tensor => end(p, directAdjoint());
  const expected = hessianVectorProduct((p: Tensor) => end(p), at, v);

  test("in reverse over reverse, which gives the product with the Hessian that forward over reverse gives", () => {
    expectNear(gradient((p: Tensor) => gradient(direct)(p).mul(v).sum())(at), expected, 1e-12);
    expectNear(hessianVectorProduct(direct, at, v), expected, 1e-12);
  });

  test("in reverse over forward", () => expectNear(gradient((p: Tensor) => jvp(direct, p, v).tangent)(at), expected, 1e-12));

  test("three times: d³/dp³ of e^(p t) is t³ e^(p t)", () => {
    const once = (p: Tensor) => solve((_t, y) => y.mul(p), tensor([1]), { t0: 0, t1: 2, controller: fixedSteps(40), adjoint: directAdjoint() }).y1.sum(); // prettier-ignore
    const third = gradient((p: Tensor) => gradient((q: Tensor) => gradient(once)(q))(p))(tensor(-0.5));
    expectNear(third, 8 * Math.exp(-1), 1e-7);
    expectNear(taylor(once, tensor(-0.5), [tensor(1)]).coefficients[0]!, 2 * Math.exp(-1), 1e-7);
  });

  test("as a loop over integrate can, with the same bits", () => {
    const loop = (p: Tensor): Tensor => {
      let y = tensor([1, 2]);
      for (const step of integrate((_t, z: Tensor) => z.mul(p), y, { t0: 0, t1: 1, solver: rk4(), controller: fixedSteps(6) })) y = step.y1;
      return y.sum();
    };
    const open = (p: Tensor): Tensor => solve((_t, z: Tensor) => z.mul(p), tensor([1, 2]), { t0: 0, t1: 1, solver: rk4(), controller: fixedSteps(6), adjoint: directAdjoint() }).y1.sum(); // prettier-ignore
    const twice = (f: typeof loop) => gradient((p: Tensor) => gradient(f)(p).square())(tensor(0.4));
    expectSameBits(twice(open), twice(loop));
    expect([activeRecorders(), currentRegion()]).toEqual([[], heap]);
  });
});

describe("a saved state does not move with a step end that happens to lie there", () => {
  test.each([
    ["tsit5", tsit5()],
    ["rk4", rk4()],
  ] as const)("in forward and in reverse mode: y(0.5) hardly depends on t1, for %s", (_name, solver) => {
    const saved = (adjoint: OpenAdjoint<Step> | ReturnType<typeof discreteAdjoint>) => (t1: Tensor) =>
      solve((_t, y) => y.neg(), tensor([1]), { t0: 0, t1, solver, controller: fixedSteps(4), saveAt: [0.5], adjoint }).ys.sum();
    const reverse = gradient(saved(discreteAdjoint()))(tensor(1)).item();
    expect(Math.abs(reverse)).toBeLessThan(1e-3); // as exact as the dense output
    expectNear(gradient(saved(directAdjoint()))(tensor(1)).item(), reverse, 1e-12);
    for (const adjoint of [directAdjoint(), discreteAdjoint()]) {
      expectNear(jvp(saved(adjoint), tensor(1), tensor(1)).tangent.item(), reverse, 1e-6);
      expectNear(pushforward(saved(adjoint), tensor(1), [tensor(1)]).tangents[0].item(), reverse, 1e-6);
    }
  });
});

describe("where a save time lies at a step end, every mode agrees", () => {
  const decay = (_t: Tensor, y: Tensor): Tensor => y.neg();
  type Saved = (adjoint: OpenAdjoint<Step> | ReturnType<typeof discreteAdjoint>) => (x: Tensor) => Tensor;

  /** d/dx and d²/dx² in every order of modes that there is for both adjoints. */
  const derivatives = (saved: Saved, at: Tensor) => {
    const one = tensor(1);
    const second = [discreteAdjoint(), directAdjoint()].map((adjoint) => hessianVectorProduct(saved(adjoint), at, one));
    return {
      first: [discreteAdjoint(), directAdjoint()].flatMap((adjoint) => [gradient(saved(adjoint))(at), jvp(saved(adjoint), at, one).tangent]),
      second: [...second, gradient((x: Tensor) => gradient(saved(directAdjoint()))(x).sum())(at)],
    };
  };

  test.each([
    ["tsit5", tsit5(), [1e-3, 1e-2]],
    ["rk4", rk4(), [2e-2, 5e-2]],
    // Without dense output the step itself becomes longer: these are its derivatives, not those of the solution.
    ["reversibleHeun", reversibleHeun(), [4e-2, 3e-1]],
  ] as const)("a time that is watched moves along the solution, to second order: %s", (_name, solver, [slopeBound, bendBound]) => {
    const saved: Saved = (adjoint) => (x) =>
      solve(decay, tensor([1]), { t0: 0, t1: 1, solver: solver as ReturnType<typeof tsit5>, controller: fixedSteps(4), saveAt: x.reshape([1]), adjoint }).ys.sum(); // prettier-ignore
    for (const at of [0, 0.25, 0.5, 1]) {
      const { first, second } = derivatives(saved, tensor(at));
      for (const slope of first) expectNear(slope, -Math.exp(-at), slopeBound);
      for (const slope of first) expectNear(slope, first[0], 1e-12);
      for (const bend of second) expectNear(bend, Math.exp(-at), bendBound);
      for (const bend of second) expectNear(bend, second[0], 1e-11);
    }
  });

  test("a time that is none hardly moves with t1, to second order", () => {
    const saved: Saved = (adjoint) => (t1) =>
      solve(decay, tensor([1]), { t0: 0, t1, solver: tsit5(), controller: fixedSteps(4), saveAt: [0.5], adjoint }).ys.sum();
    const { first, second } = derivatives(saved, tensor(1));
    for (const slope of [...first, ...second]) expect(Math.abs(slope.item())).toBeLessThan(2e-3);
    for (const bend of second) expect(Math.abs(bend.sub(second[0]!).item())).toBeLessThan(1e-12);
  });

  test("of times that coincide the first carries the steps, for a solver that has to stop at them", () => {
    const run = (adjoint: OpenAdjoint<Step> | ReturnType<typeof discreteAdjoint>) => (saveAt: Tensor) =>
      solve((t, y: Tensor) => y.sin().sub(t), tensor([1]), { t0: 0, t1: 1, solver: reversibleHeun(), controller: fixedSteps(4), saveAt, adjoint }).y1.sum(); // prettier-ignore
    const at = tensor([0.4, 0.4, 0.85]);
    const discrete = gradient(run(discreteAdjoint()))(at);
    expect(discrete.at(0).item()).not.toBe(0);
    expectNear(gradient(run(directAdjoint()))(at), discrete, 1e-12);
    for (const [i, e] of [tensor([1, 0, 0]), tensor([0, 1, 0]), tensor([0, 0, 1])].entries())
      expectNear(jvp(run(directAdjoint()), at, e).tangent, discrete.at(i), 1e-12);
  });

  test.each([
    ["tsit5", tsit5(), adaptive()],
    ["rk4", rk4(), fixedSteps(3)],
    ["reversibleHeun", reversibleHeun(), fixedSteps(3)],
  ] as const)("an empty interval moves with both of its ends: %s", (_name, solver, controller) => {
    const end =
      (what: "y1" | "ys") =>
      (adjoint: OpenAdjoint<Step> | ReturnType<typeof discreteAdjoint>) =>
      (t: Tensor): Tensor =>
        solve(decay, tensor([1]), { t0: t.at(0), t1: t.at(1), solver: solver as ReturnType<typeof tsit5>, controller: controller, adjoint })[what].sum(); // prettier-ignore
    const at = tensor([0.5, 0.5]);
    for (const what of ["y1", "ys"] as const)
      for (const adjoint of [directAdjoint(), discreteAdjoint()]) {
        expectNear(gradient(end(what)(adjoint))(at), [1, -1], 1e-15);
        expectNear(jvp(end(what)(adjoint), at, tensor([1, 0])).tangent, 1, 1e-15);
        expectNear(jvp(end(what)(adjoint), at, tensor([0, 1])).tangent, -1, 1e-15);
      }
  });
});
