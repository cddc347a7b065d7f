import { describe, expect, test } from "vitest";
import { custom } from "@dydt/autodiff";
import { random, stack, stopGradient, tensor, type Tensor } from "@dydt/tensor";
import {
  adaptive, asynchronousLeapfrog, backsolveAdjoint, certifyGradient, denseAdjoint, directAdjoint, discreteAdjoint, errorEstimate, euler, fixedSteps, gaussAdjoint,
  grid, interpolatedAdjoint, rk4, solve, type ContinuousAdjoint, type DefaultStep, type DenseStep, type SolveEvent, type SolveOptions,
} from "@dydt/ode"; // prettier-ignore

type Options = Partial<SolveOptions<DefaultStep>>;
const growth = (options: Options, f = (y: Tensor): Tensor => y.mul(0.7)) => (x: Tensor): Tensor =>
  solve((_t, y) => f(y), x, { t0: 0, t1: 1, ...options }).y1.square().sum(); // prettier-ignore
/** A hundredth of the slope hidden from derivatives: the gradient is off by a hundredth. */
const hidden = (y: Tensor): Tensor => y.mul(0.7).add(stopGradient(y).mul(0.01));
const row = (certificate: ReturnType<typeof certifyGradient>, check: string) => certificate.rows.find((one) => one.check === check);

const noted: SolveEvent<Tensor> = { when: (t) => t.sub(0.45) };
const changing: SolveEvent<Tensor> = { when: (_t, y) => y.sum().sub(1.2), times: 1, then: (_t, y) => y.mul(1.5) };
const adjoints = {
  discrete: discreteAdjoint(),
  direct: directAdjoint(),
  backsolve: backsolveAdjoint(),
  dense: denseAdjoint(),
  interpolated: interpolatedAdjoint(),
  gauss: gaussAdjoint(),
} as const;
const events = { "no events": [], "an event": [noted], "an event that changes the state": [changing] } as const;
const cases = [
  ["discrete", "an event"],
  ["dense", "an event"],
  ["backsolve", "no events"],
  ["gauss", "no events"],
  ["interpolated", "an event that changes the state"],
] as const;

describe("at default tolerances, also with events and adjoints of the flow", () => {
  test.each(cases)("%sAdjoint with %s: a right gradient is certified, and one that is off by a hundredth is not", (name, which) => {
    const options = { adjoint: adjoints[name], events: events[which] } as Options;
    const right = certifyGradient(growth(options), tensor([1]));
    expect(right.passed, right.toString()).toBe(true);
    const wrong = certifyGradient(growth(options, hidden), tensor([1]));
    expect(wrong.passed, wrong.toString()).toBe(false);
  });

  test.each(["discrete", "gauss"] as const)("%sAdjoint with a bouncing ball", (name) => {
    const ground: SolveEvent<Tensor> = { when: (_t, y) => y.at(0), direction: "down", then: (_t, y) => y.mul(tensor([1, -0.8])) };
    const loss = (stopped: boolean) => ({ y0, g }: { readonly y0: Tensor; readonly g: Tensor }): Tensor => {
      const options = { t0: 0, t1: 3, adjoint: adjoints[name], events: [ground] } as SolveOptions<DefaultStep>;
      const { y1, events } = solve((_t, y) => stack([y.at(1), (stopped ? stopGradient(g) : g).mul(-1)]), y0, options);
      return y1.square().sum().add(events[0]!.times.sum());
    }; // prettier-ignore
    const parameters = { y0: tensor([10, 0]), g: tensor(9.81) };
    const right = certifyGradient(loss(false), parameters);
    expect(right.passed, right.toString()).toBe(true);
    expect(certifyGradient(loss(true), parameters).passed).toBe(false);
  });

  test.each(["dense", "backsolve"] as const)("%sAdjoint with a solve that ends in an event", (name) => {
    const loss = (stopped: boolean) => (k: Tensor): Tensor => {
      const half: SolveEvent<Tensor> = { when: (_t, y) => y.sum().sub(stopped ? stopGradient(k) : k), then: "terminate" };
      const options = { t0: 0, t1: 9, adjoint: adjoints[name], events: [half] } as SolveOptions<DefaultStep>;
      return solve((_t, y) => y.mul(k.neg()), tensor([1]), options).events[0]!.times.sum();
    }; // prettier-ignore
    const right = certifyGradient(loss(false), tensor(0.5));
    expect(right.passed, right.toString()).toBe(true);
    expect(certifyGradient(loss(true), tensor(0.5)).passed).toBe(false);
  });
});

describe("other tolerances and given steps", () => {
  const pendulum = (options: Options, off = 0) => (x: Tensor): Tensor => {
    const field = (_t: Tensor, y: Tensor): Tensor => stack([y.at(1), y.at(0).add(stopGradient(y.at(0)).mul(off)).sin().neg()]);
    return solve(field, x, { t0: 0, t1: 3, ...options }).y1.square().sum();
  }; // prettier-ignore
  test.each([
    ["loose ones", { controller: adaptive({ rtol: 1e-3, atol: 1e-3 }), adjoint: denseAdjoint() }],
    ["loose ones, with an event", { adjoint: directAdjoint(), controller: adaptive({ rtol: 1e-3, atol: 1e-3 }), events: [changing] }],
    ["tight ones", { controller: adaptive({ rtol: 1e-8, atol: 1e-8 }), adjoint: backsolveAdjoint() }],
    ["given steps, with an event", { solver: rk4(), controller: fixedSteps(20), events: [changing] }],
  ] as const)("%s", (_, options) => {
    const right = certifyGradient(pendulum(options as Options), tensor([1, 0.5]));
    expect(right.passed, right.toString()).toBe(true);
    const wrong = certifyGradient(pendulum(options as Options, 0.05), tensor([1, 0.5]));
    expect(wrong.passed, wrong.toString()).toBe(false);
  });

  test.each([
    ["given steps", { solver: rk4(), controller: fixedSteps(20), adjoint: denseAdjoint() }],
    ["given steps of a low order", { solver: euler(), controller: fixedSteps(100), adjoint: denseAdjoint() }],
  ] as const)("%s: a gradient of the flow is none of the loss along them, which is said, and a wrong one is told from it", (_, options) => {
    const right = certifyGradient(pendulum(options as unknown as Options), tensor([1, 0.5]));
    expect(row(right, "forward against reverse")!.verdict).toBe("fail");
    expect(right.passed).toBe(false);
    expect(right.rows.filter(({ check, verdict }) => verdict === "fail" && check !== "forward against reverse")).toEqual([]);
    const wrong = certifyGradient(pendulum(options as unknown as Options, 0.05), tensor([1, 0.5]));
    expect(wrong.rows.filter(({ check, verdict }) => verdict === "fail" && check !== "forward against reverse")).not.toEqual([]);
  });

  test("in float32", () => {
    const x = tensor([1, 0.5], { dtype: "float32" });
    for (const adjoint of [discreteAdjoint(), denseAdjoint()]) {
      const right = certifyGradient(growth({ adjoint }), x);
      expect(right.passed, right.toString()).toBe(true);
      expect(certifyGradient(growth({ adjoint }, hidden), x).passed).toBe(false);
    }
  });
});

describe("where the Taylor remainder tells nothing", () => {
  test("a linear loss is decided by central differences", () => {
    const linear = (factor: number) => (x: Tensor): Tensor => {
      const wrong = custom(x, () => ({ outputs: x.mul(1), pullback: (g: Tensor) => g.mul(factor), pushforward: (g: Tensor) => g.mul(factor) }));
      return solve((_t, y) => y.mul(0.7), factor === 1 ? x : wrong, { t0: 0, t1: 1 }).y1.sum();
    }; // prettier-ignore
    const right = certifyGradient(linear(1), tensor([1, 2]));
    expect(row(right, "Taylor remainder")!.note).toMatch(/linear along this direction/);
    expect(row(right, "central differences")!.verdict).toBe("pass");
    expect(right.passed, right.toString()).toBe(true);
    expect(certifyGradient(linear(1.001), tensor([1, 2])).passed).toBe(false);
  });

  test("a loss without any slope is certified, and one that cannot be told from rounding is not", () => {
    expect(
      certifyGradient(
        (x: Tensor) =>
          solve((_t, y) => y.mul(0), x, { t0: 0, t1: 1 })
            .y1.mul(0)
            .sum(),
        tensor([1]),
      ).passed,
    ).toBe(true);
    const lost = certifyGradient((x: Tensor) => solve((_t, y) => y.neg(), x, { t0: 0, t1: 1 }).y1.sum().mul(1e-13).add(1), tensor([1])); // prettier-ignore
    expect(row(lost, "central differences")!.note).toMatch(/tell this derivative to/);
    expect(lost.passed).toBe(false);
  });

  test("costs of steps that events move are said to be out of reach", () => {
    const loss = (x: Tensor): Tensor => {
      const { y1, penalties } = solve((_t, y) => y.mul(0.7), x, { t0: 0, t1: 1, events: [changing], regularize: errorEstimate() }); // prettier-ignore
      return y1.square().sum().add(penalties[0]!);
    };
    const certificate = certifyGradient(loss, tensor([1]));
    expect(row(certificate, "Taylor remainder")!.note).toMatch(/costs of other steps/);
    expect(certificate.passed).toBe(false);
  });
});

describe("steps are frozen between the times that they must end at", () => {
  interface Times {
    readonly x: Tensor;
    readonly saves: Tensor;
    readonly t1: Tensor;
  }
  const at: Times = { x: tensor([1, -0.5]), saves: tensor([0.4, 0.9]), t1: tensor(1.5) };
  const saved = (options: object) => ({ x, saves, t1 }: Times): Tensor =>
    solve((t, y) => y.mul(t).sin().add(0.3), x, { t0: 0, t1, saveAt: saves, ...options }).ys.square().sum(); // prettier-ignore

  test.each([
    ["save times of a solver without dense output", { solver: asynchronousLeapfrog(), controller: fixedSteps(7) }],
    ["declared times", { controller: adaptive({ times: [0.5, 1] }) }],
    ["a list of times, of which the end moves", { controller: grid([0, 0.2, 0.7, 1.1, 1.5]) }],
  ])("%s", (_, options) => {
    const certificate = certifyGradient(saved(options), at);
    expect(certificate.passed, certificate.toString()).toBe(true);
    expect(row(certificate, "Taylor remainder")!.verdict).toBe("pass");
  });

  test("a save time at the end, beyond which it has no value, is looked at from the other side", () => {
    const loss = (saves: Tensor): Tensor =>
      solve((t, y) => y.mul(t).sin(), tensor([1, 2]), { t0: 0, t1: 1, saveAt: saves })
        .ys.square()
        .sum();
    for (const seed of [0, 1, 2]) {
      const certificate = certifyGradient(loss, tensor([0.4, 1]), { seed });
      expect(certificate.passed, certificate.toString()).toBe(true);
    }
  });
});

test("higher derivatives that hide the order of the remainder are no fault of the gradient", () => {
  const along = random(0).normal([1]);
  const loss = (adjoint: ContinuousAdjoint<DenseStep>, wrong = 1) => (x: Tensor): Tensor => {
    const u = solve((_t, y) => y.mul(0.7), x, { t0: 0, t1: 1, adjoint }).y1.mul(Math.exp(-0.7)).sub(1).div(along);
    const twice = custom(u, () => ({ outputs: u.mul(2), pullback: (g: Tensor) => g.mul(2 * wrong) }));
    return twice.add(u.square()).sub(u.pow(3).mul(10)).sum();
  }; // prettier-ignore
  const right = certifyGradient(loss(denseAdjoint()), tensor([1]));
  expect(row(right, "Taylor remainder")!.note).toMatch(/higher derivatives hide/);
  expect(right.passed, right.toString()).toBe(true);
  expect(certifyGradient(loss(denseAdjoint(), 1.001), tensor([1])).passed).toBe(false);
});
