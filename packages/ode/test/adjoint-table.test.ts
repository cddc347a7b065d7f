/**
 * @file What works with what: every adjoint with costs of the steps, running costs, output times and events. What works agrees with the discrete adjoint, to
 * rounding where the steps are differentiated and to the tolerances where the flow is; what cannot work says so.
 */
import { describe, expect, test } from "vitest";
import { gradient, jvp, valueAndGradient } from "@dydt/autodiff";
import { stack, tensor, type Tensor } from "@dydt/tensor";
import {
  adaptive, backsolveAdjoint, denseAdjoint, discreteAdjoint, errorEstimate, fixedSteps, forwardSensitivity, gaussAdjoint, IncompatibleError,
  interpolatedAdjoint, jacobianNorm, kineticEnergy, reversibleAdjoint, reversibleHeun, solve, tsit5,
  type AnyAdjoint, type DenseStep, type SolveEvent, type SolveOptions, type Step,
} from "@dydt/ode"; // prettier-ignore
import { distance, expectNear, expectSameBits } from "./problems.js";

interface Inputs {
  readonly y0: Tensor;
  readonly p: Tensor;
  readonly t0: Tensor;
  readonly t1: Tensor;
  readonly saves: Tensor;
}
const inputs: Inputs = {
  y0: tensor([1, 0.5]),
  p: tensor([1.3, 0.2, 0.7]),
  t0: tensor(0.1),
  t1: tensor(2.3),
  saves: tensor([0.1, 0.4, 1.1, 1.1, 2.3]),
};

/** A driven, damped oscillator with a stiffening spring: it depends on the time. */
const field =
  (p: Tensor) =>
  (t: Tensor, y: Tensor): Tensor => {
    const [x, v] = [y.at(0), y.at(1)];
    const spring = x.mul(p.at(0)).add(x.mul(x).mul(x).mul(p.at(1)));
    return stack([v, t.mul(2).sin().mul(p.at(2)).sub(spring).sub(v.mul(0.3))]);
  };

/** Combinations that the compiler would refuse are among them. */
type Options = Readonly<Record<string, unknown>>;
const tight = adaptive({ rtol: 1e-9, atol: 1e-9 });

/** A loss of everything that a solve gives, and its gradient. */
const run = (options: Options, weights: { readonly penalties?: boolean; readonly events?: boolean } = {}) =>
  valueAndGradient(({ y0, p, t0, t1, saves }: Inputs) => {
    const events = weights.events === true ? eventsFor(p) : undefined;
    const solution = solve(field(p), y0, {
      t0,
      t1,
      saveAt: saves,
      solver: tsit5(),
      controller: tight,
      ...(events && { events }),
      ...options,
    } as unknown as SolveOptions<DenseStep>);
    const parts = [
      solution.y1.square().sum().mul(0.5),
      solution.ys
        .mul(tensor([0.3, -0.7]))
        .sin()
        .sum(),
    ];
    if (weights.penalties === true) parts.push(...solution.penalties.map((penalty) => penalty.mul(0.1)));
    if (weights.events === true) for (const { times, states } of solution.events) parts.push(times.square().sum(), states.mul(0.2).sum());
    return { value: parts.reduce((a, b) => a.add(b)), auxiliary: solution };
  })(inputs);

/** One note, one change of the state, with parameters in both. */
const eventsFor = (p: Tensor): readonly SolveEvent<Tensor>[] => [
  { when: (_t, y) => y.at(0).sub(p.at(2)) },
  {
    when: (t, y) => y.at(1).add(t.mul(0.1)).add(0.2),
    direction: "down",
    times: 1,
    then: (t, y) => stack([y.at(0), y.at(1).mul(p.at(1)).add(t.mul(0.3))]),
  },
];

const flows = {
  backsolveAdjoint: () => backsolveAdjoint(),
  denseAdjoint: () => denseAdjoint(),
  "denseAdjoint in segments": () => denseAdjoint({ segments: 3 }),
  interpolatedAdjoint: () => interpolatedAdjoint(),
  "interpolatedAdjoint at steps": () => interpolatedAdjoint({ nodes: 14, at: "steps" }),
  gaussAdjoint: () => gaussAdjoint(),
} as const;
const flowNames = Object.keys(flows) as (keyof typeof flows)[];
const reversibleSettings = { solver: reversibleHeun(), controller: fixedSteps(60) } as const;

describe("every adjoint differentiates y0, closures, t0, t1 and save times", () => {
  const expected = run({ adjoint: discreteAdjoint() });

  test.each(flowNames)("%s, to the tolerances, and a second pullback gives the same bits", (name) => {
    const { gradient, auxiliary } = run({ adjoint: flows[name]() });
    for (const key of ["y0", "p", "t0", "t1", "saves"] as const) expectNear(gradient[key], expected.gradient[key], 1e-6);
    expect(auxiliary.stats.reverse!.evaluations).toBeGreaterThan(0);
    expectSameBits(run({ adjoint: flows[name]() }).gradient, gradient);
  });

  test("forwardSensitivity, to rounding", () => {
    const { gradient } = run({ adjoint: forwardSensitivity() });
    for (const key of ["y0", "p", "t0", "t1", "saves"] as const) expectNear(gradient[key], expected.gradient[key], 1e-11);
  });

  test("forwardSensitivity, also of a field that solves an equation of its own", () => {
    const inner = (p: Tensor, y: Tensor): Tensor =>
      solve((_t, z) => z.mul(p).sin().add(y), y.mul(p), { t0: 0, t1: 0.5, controller: fixedSteps(2) }).y1;
    const settings = { solver: reversibleHeun(), controller: fixedSteps(3) };
    const of = (adjoint: AnyAdjoint<Step>) =>
      gradient(({ p, y0, t1 }: { readonly p: Tensor; readonly y0: Tensor; readonly t1: Tensor }) => {
        const { ys, y1 } = solve((t, y) => inner(p, y).sub(y.mul(t)), y0, { t0: 0, t1, saveAt: [0.5], ...settings, adjoint } as unknown as SolveOptions<DenseStep>);
        return ys.sin().sum().add(y1.square().sum());
      })({ p: tensor([0.5, -0.3]), y0: tensor([1, 2]), t1: tensor(1) }); // prettier-ignore
    expectNear(of(forwardSensitivity()), of(discreteAdjoint()), 1e-12);
  });

  test("reversibleAdjoint, to rounding, and it keeps nothing of the steps", () => {
    const discrete = run({ ...reversibleSettings, adjoint: discreteAdjoint() });
    const { gradient, auxiliary } = run({ ...reversibleSettings, adjoint: reversibleAdjoint() });
    for (const key of ["y0", "p", "t0", "t1", "saves"] as const) expectNear(gradient[key], discrete.gradient[key], 1e-11);
    expect(auxiliary.stats.reverse!.drift).toBeLessThan(1e-12);
    expectNear(run({ ...reversibleSettings, adjoint: forwardSensitivity() }).gradient, discrete.gradient, 1e-11);
  });
});

describe("running costs", () => {
  const costs = [kineticEnergy(), jacobianNorm({ norm: "rms" })];
  const expected = run({ adjoint: discreteAdjoint(), regularize: costs }, { penalties: true });

  test("have no part in the choice of steps", () => {
    expect(expected.auxiliary.grid).toEqual(run({ adjoint: discreteAdjoint() }).auxiliary.grid);
    expect(expected.auxiliary.penalties).toHaveLength(2);
    expect(expected.auxiliary.y1.shape).toEqual([2]);
  });

  test.each(flowNames)("work with %s", (name) => {
    const { gradient, auxiliary } = run({ adjoint: flows[name](), regularize: costs }, { penalties: true });
    expectNear(auxiliary.penalties, expected.auxiliary.penalties, 1e-7);
    for (const key of ["y0", "p", "t0", "t1"] as const) expectNear(gradient[key], expected.gradient[key], 2e-6);
  });

  test("work with forwardSensitivity and reversibleAdjoint", () => {
    expectNear(run({ adjoint: forwardSensitivity(), regularize: costs }, { penalties: true }).gradient, expected.gradient, 1e-11);
    const discrete = run({ ...reversibleSettings, adjoint: discreteAdjoint(), regularize: costs }, { penalties: true });
    expectNear(
      run({ ...reversibleSettings, adjoint: reversibleAdjoint(), regularize: costs }, { penalties: true }).gradient,
      discrete.gradient,
      1e-11,
    );
  });

  test("stand in the order of the regularizers, beside costs of the steps, which do not see them", () => {
    const both = run({ adjoint: discreteAdjoint(), regularize: [kineticEnergy(), errorEstimate()] }, { penalties: true }).auxiliary.penalties;
    const other = run({ adjoint: discreteAdjoint(), regularize: [errorEstimate(), kineticEnergy()] }, { penalties: true }).auxiliary.penalties;
    const alone = run({ adjoint: discreteAdjoint(), regularize: errorEstimate() }, { penalties: true }).auxiliary.penalties;
    expectSameBits([both[1], both[0]], [other[0], other[1]]);
    expectSameBits(both[1], alone[0]);
  });
});

describe("costs of the steps", () => {
  const expected = run({ adjoint: discreteAdjoint(), regularize: errorEstimate() }, { penalties: true });

  test("work with forwardSensitivity and reversibleAdjoint", () => {
    expectNear(run({ adjoint: forwardSensitivity(), regularize: errorEstimate() }, { penalties: true }).gradient, expected.gradient, 1e-10);
    const settings = { ...reversibleSettings, regularize: errorEstimate({ norm: "rms" }) };
    const discrete = run({ ...settings, adjoint: discreteAdjoint() }, { penalties: true });
    expectNear(run({ ...settings, adjoint: reversibleAdjoint() }, { penalties: true }).gradient, discrete.gradient, 1e-10);
  });

  test.each(flowNames)("are refused by %s, in the words of the compiler", (name) => {
    const refused = () => run({ adjoint: flows[name](), regularize: errorEstimate() });
    expect(refused).toThrow(IncompatibleError);
    expect(refused).toThrow("a continuous adjoint does not differentiate the solver's steps");
  });
});

describe("events", () => {
  const expected = run({ adjoint: discreteAdjoint() }, { events: true });

  test("happen in this problem, both of them", () => {
    expect(expected.auxiliary.events.map(({ times }) => times.size)).toEqual([1, 1]);
  });

  test.each(flowNames)("are differentiated by %s with the jump of the costate", (name) => {
    const { gradient, auxiliary } = run({ adjoint: flows[name]() }, { events: true });
    expectNear(auxiliary.ys, expected.auxiliary.ys, 1e-7);
    for (const key of ["y0", "p", "t0", "t1", "saves"] as const) expectNear(gradient[key], expected.gradient[key], 2e-6);
  });

  test.each(flowNames)("that end the solve are differentiated by %s", (name) => {
    const terminal = (adjoint: AnyAdjoint<DenseStep>) =>
      valueAndGradient(({ y0, p, t0 }: Pick<Inputs, "y0" | "p" | "t0">) => {
        const events = [{ when: (_t: Tensor, y: Tensor) => y.at(0).sub(p.at(1)), then: "terminate" }] as const;
        const { y1, ys, events: found } = solve(field(p), y0, { t0, t1: 20, saveAt: [0.5, 1], solver: tsit5(), controller: tight, events, adjoint });
        return y1.at(1).square().add(ys.sum()).add(found[0]!.times.sum());
      })(inputs);
    const [found, wanted] = [terminal(flows[name]()), terminal(discreteAdjoint())];
    for (const key of ["y0", "p", "t0"] as const) expectNear(found.gradient[key], wanted.gradient[key], 2e-6);
  });

  test("are differentiated by forwardSensitivity, to rounding", () => {
    expect(distance(run({ adjoint: forwardSensitivity() }, { events: true }).gradient, expected.gradient)).toBeLessThan(1e-10);
  });

  test("are refused by reversibleAdjoint: the way back does not know them", () => {
    expect(() => run({ ...reversibleSettings, solver: tsit5(), adjoint: reversibleAdjoint() }, { events: true })).toThrow(
      /reversibleAdjoint does not differentiate events/,
    );
  });
});

describe("a solve that ends early has the derivative of what it gave", () => {
  const early = (options: Options) =>
    gradient(({ y0, p }: Pick<Inputs, "y0" | "p">) => {
      const controller = adaptive({ rtol: 1e-9, atol: 1e-9, times: [1] });
      const ended = { t0: 0, t1: 2, saveAt: [0, 0.2, 1.9], solver: tsit5(), controller, onStep: ({ t1 }: Step) => t1 < 1 };
      const { y1, ys, grid } = solve(field(p), y0, { ...ended, ...options } as unknown as SolveOptions<DenseStep>);
      expect(grid.at(-1)).toBe(1);
      return y1.square().sum().add(ys.sum());
    })(inputs);
  const expected = early({ adjoint: discreteAdjoint() });

  test.each(flowNames)("with %s, where somebody ended it", (name) => {
    expectNear(early({ adjoint: flows[name]() }), expected, 1e-6);
  });

  test("but not with interpolatedAdjoint where steps have no dense output: there is no interpolant up to the end", () => {
    const bare = { solver: reversibleHeun(), controller: fixedSteps(2), onStep: () => false, adjoint: interpolatedAdjoint({ nodes: 5 }) };
    const refused = () => gradient((y0: Tensor) => solve((_t, y) => y.neg(), y0, { t0: 0, t1: 2, ...bare }).y1.sum())(inputs.y0);
    expect(refused).toThrow(IncompatibleError);
    expect(refused).toThrow(/no interpolant from t = 0 to 0\.\d+, where the solve ended before its time/);
  });

  test("with forwardSensitivity, where somebody ended it", () => {
    expectNear(early({ adjoint: forwardSensitivity() }), expected, 1e-10);
  });

  test.each([
    ...Object.entries(flows).map(([name, adjoint]) => [name, () => ({ adjoint: adjoint() })] as const),
    ["discreteAdjoint", () => ({ adjoint: discreteAdjoint() })] as const,
    ["forwardSensitivity", () => ({ adjoint: forwardSensitivity() })] as const,
    ["reversibleAdjoint", () => ({ ...reversibleSettings, adjoint: reversibleAdjoint() })] as const,
  ])("with %s, where its first step failed: that of y0", (_name, adjoint) => {
    const breaks = (t: Tensor, y: Tensor) => (t.item() > 0 ? y.mul(NaN) : y.neg());
    const found = gradient((y0: Tensor) => {
      const options = { t0: 0, t1: 1, saveAt: [0, 0.5], solver: tsit5(), controller: fixedSteps(4), throw: false, ...adjoint() };
      const { y1, ys, status } = solve(breaks, y0, options as unknown as SolveOptions<DenseStep>);
      expect(status).toBe("nonFinite");
      return y1.sum().add(ys.mul(2).sum());
    })(inputs.y0);
    expectSameBits(found, [3, 3]);
  });
});

describe("second derivatives by forward over reverse", () => {
  const at = { y0: inputs.y0, p: inputs.p };
  const direction = { y0: tensor([0.3, -1]), p: tensor([1, 0.5, -0.2]) };
  const product = (adjoint: AnyAdjoint<DenseStep>) => {
    const settings = { t0: 0, t1: 2, saveAt: [0.7, 1.3], solver: tsit5(), controller: tight, adjoint } as const;
    return jvp(gradient(({ y0, p }: typeof at) => solve(field(p), y0, settings).ys.square().sum()), at, direction).tangent; // prettier-ignore
  };
  const expected = product(discreteAdjoint());

  test.each(flowNames)("%s has them with respect to y0 and closures", (name) => {
    expectNear(product(flows[name]()), expected, 1e-5);
  });

  test("with respect to times and of events, which the reverse takes as numbers, they are refused", () => {
    const moved = () =>
      jvp(
        gradient((t1: Tensor) => solve(field(inputs.p), inputs.y0, { t0: 0, t1, adjoint: denseAdjoint() }).y1.sum()),
        tensor(1),
        tensor(1),
      );
    const events = () => jvp(gradient((p: Tensor) => solve(field(p), inputs.y0, { t0: 0, t1: 2, events: eventsFor(p), adjoint: denseAdjoint() }).y1.sum()), inputs.p, inputs.p); // prettier-ignore
    expect(events).toThrow(/denseAdjoint has no second derivatives of solves with events/);
    expect(moved).toThrow(/denseAdjoint has no second derivatives with respect to t0, t1 and save times/);
  });
});

describe("an adjoint that needs more than the solver has says so", () => {
  const bare = { solver: reversibleHeun(), controller: fixedSteps(10) } as const;
  test("denseAdjoint and gaussAdjoint need dense output, reversibleAdjoint an inverse", () => {
    expect(() => run({ ...bare, adjoint: denseAdjoint() })).toThrow(
      /cannot be evaluated between the ends of its steps, so the adjoint cannot look up/,
    );
    expect(() => run({ ...bare, adjoint: gaussAdjoint() })).toThrow(IncompatibleError);
    expect(() => run({ adjoint: reversibleAdjoint() })).toThrow("this solver has no inverse");
    expect(() => run({ ...bare, adjoint: interpolatedAdjoint() })).toThrow(/needs nodes/);
  });

  test("forwardSensitivity refuses more components than it is allowed", () => {
    expect(() => run({ adjoint: forwardSensitivity({ components: 5 }) })).toThrow(/would follow 12 components .*discreteAdjoint/);
  });
});
