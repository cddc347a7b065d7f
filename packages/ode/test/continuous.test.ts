import { describe, expect, test } from "vitest";
import { gradient, valueAndGradient } from "@dydt/autodiff";
import { ShapeError, stack, tensor, type Tensor } from "@dydt/tensor";
import {
  adaptive, backsolveAdjoint, bosh3, denseAdjoint, dopri5, fixedSteps, gaussAdjoint, interpolatedAdjoint, rk4, solve, SolveError, tsit5,
  type AnyAdjoint, type DenseStep, type SolveStats, type Tolerance,
} from "@dydt/ode"; // prettier-ignore
import gradients from "./cases/gradients.json" with { type: "json" };
import { distance, expectNear, expectSameBits, inputsOf, problemNamed, squaredLoss, type Inputs } from "./problems.js";

const adjoints = {
  backsolveAdjoint: () => backsolveAdjoint(),
  denseAdjoint: () => denseAdjoint(),
  "denseAdjoint in segments": () => denseAdjoint({ segments: 4 }),
  interpolatedAdjoint: () => interpolatedAdjoint(),
  gaussAdjoint: () => gaussAdjoint(),
} as const;
const names = Object.keys(adjoints) as (keyof typeof adjoints)[];

/** Relative errors of the gradient against the exact one. */
const errorsOf = (id: string, tolerance: number, adjoint: AnyAdjoint<DenseStep>) => {
  const problem = problemNamed(id);
  const { exact } = gradients.problems.find((one) => one.id === id)!;
  let stats: SolveStats | undefined;
  const { gradient: found } = valueAndGradient(({ y0, p, t0, t1 }: Inputs) => {
    const solution = solve(problem.field(p), y0, { t0, t1, solver: tsit5(), controller: adaptive({ rtol: tolerance, atol: tolerance }), adjoint });
    stats = solution.stats;
    return { value: squaredLoss(problem.target)(solution.y1), auxiliary: null };
  })(inputsOf(problem));
  const worst = Math.max(
    distance(found.y0, exact.grad_y0), distance(found.p, exact.grad_p), distance(found.t0, exact.dloss_dt0), distance(found.t1, exact.dloss_dt1),
  ); // prettier-ignore
  return { worst, stats: stats! };
};

describe("continuous adjoints against exact gradients", () => {
  test.each(names.flatMap((name) => gradients.problems.map(({ id }) => [name, id] as const)))(
    "%s on %s is right within a thousand tolerances, and better with smaller ones",
    (name, id) => {
      const [coarse, fine] = [1e-5, 1e-7].map((tolerance) => errorsOf(id, tolerance, adjoints[name]()).worst);
      expect(coarse).toBeLessThan(1e-2);
      expect(fine).toBeLessThan(1e-4);
      expect(fine!).toBeLessThan(coarse! / 10);
    },
  );

  test("the costate may have a solver, tolerances and a controller of its own", () => {
    const own = [
      backsolveAdjoint({ solver: dopri5(), rtol: 1e-9, atol: 1e-9 }),
      denseAdjoint({ solver: rk4(), controller: fixedSteps(200) }),
      gaussAdjoint({ solver: bosh3(), rtol: 1e-8, atol: 1e-8, points: 5 }),
    ];
    for (const adjoint of own) expect(errorsOf("linear3", 1e-8, adjoint).worst).toBeLessThan(1e-6);
  });

  test("where the forward steps were given, the backward solve takes them too", () => {
    const { p, y0, field } = problemNamed("linear3");
    let stats: SolveStats | undefined;
    gradient((q: Tensor) => {
      const solution = solve(field(q), y0, { t0: 0, t1: 1, solver: rk4(), controller: fixedSteps(25), adjoint: backsolveAdjoint() });
      stats = solution.stats;
      return solution.y1.sum();
    })(p);
    expect(stats!.reverse).toMatchObject({ steps: 25, evaluations: 100 });
  });
});

describe("the parameters' integral", () => {
  const stiffer = (q: Tensor) => (_t: Tensor, y: Tensor) =>
    y
      .mul(q)
      .tanh()
      .matmul(q.reshape([4, 1]).mul(tensor([1, -2, 3, -1])))
      .sub(y);
  const evaluations = (adjoint: AnyAdjoint<DenseStep>) => {
    let stats: SolveStats | undefined;
    gradient((q: Tensor) => {
      const solution = solve(stiffer(q), tensor([1, 2, 3, 4]), { t0: 0, t1: 5, adjoint });
      stats = solution.stats;
      return solution.y1.sum();
    })(tensor([3, -2, 1, 5]));
    return stats!.reverse!.evaluations;
  };

  test("has no say in the step lengths, unless it is asked for", () => {
    expect(evaluations(denseAdjoint())).toBeLessThan(evaluations(denseAdjoint({ seminorm: false })));
  });

  test("is scaled like the loss: a thousandth of it has a thousandth of the gradient, to the last bits", () => {
    const slope = (factor: number) => gradient((k: Tensor) => solve((_t, y) => y.mul(k).sin(), tensor([1, 2]), { t0: 0, t1: 2, adjoint: denseAdjoint() }).y1.sum().mul(factor))(tensor(0.7)); // prettier-ignore
    expectNear(slope(2 ** -20).mul(2 ** 20), slope(1), 1e-15);
  });
});

describe("the tolerances of a backward controller", () => {
  const spring = (p: Tensor) => (_t: Tensor, y: Tensor) => stack([y.at(1), y.at(0).mul(p).neg()]);
  const tree = { x: tensor([1]), v: tensor([0.3, -0.2]) };
  type Tree = typeof tree;
  const springs =
    (p: Tensor) =>
    (_t: Tensor, { x, v }: Tree) => ({ x: v.sum().reshape([1]), v: v.mul(0.1).sub(x.mul(p)) });
  /** The gradient with respect to y0, or to it and p, which adds an integral to the backward state. */
  const oscillation = (adjoint: AnyAdjoint<DenseStep>, withParameter: boolean) => {
    let stats: SolveStats | undefined;
    const found = gradient(({ y0, p }: { readonly y0: Tensor; readonly p: Tensor }) => {
      const solution = solve(spring(withParameter ? p : tensor(2)), y0, { t0: 0, t1: 3, saveAt: [1, 3], adjoint });
      stats = solution.stats;
      return solution.ys.mul(tensor([1, 0.5])).sum();
    })({ y0: tensor([1, 0.2]), p: tensor(2) });
    return { found, steps: stats!.reverse!.steps! };
  };
  const oscillations = (adjoint: AnyAdjoint<DenseStep>) =>
    gradient(({ y0, p }: { readonly y0: Tree; readonly p: Tensor }) => solve(springs(p), y0, { t0: 0, t1: 3, adjoint }).y1.v.sum())({
      y0: tree,
      p: tensor(2),
    });
  const by = (rtol: Tolerance, atol: Tolerance = 1e-9) => ({ controller: adaptive({ rtol, atol }) });
  type Own = ReturnType<typeof by>;
  const lookups: readonly (readonly [string, (options: Own) => AnyAdjoint<DenseStep>])[] = [
    ["denseAdjoint", (options) => denseAdjoint(options)],
    ["interpolatedAdjoint", (options) => interpolatedAdjoint(options)],
    ["gaussAdjoint", (options) => gaussAdjoint(options)],
  ];

  describe.each(lookups)("%s", (_name, adjoint) => {
    test.each([true, false])("have the form of the state (with a parameter: %s)", (withParameter) => {
      const one = oscillation(adjoint(by(1e-7)), withParameter);
      expectSameBits(oscillation(adjoint(by([1e-7, 1e-7], tensor([1e-9, 1e-9]))), withParameter).found, one.found);
      expect(oscillation(adjoint(by([1e-7, 1e-10])), withParameter).steps).toBeGreaterThan(one.steps);
    });

    test("have the form of the state where that is a tree", () => {
      const one = oscillations(adjoint(by(1e-7)));
      expectSameBits(oscillations(adjoint(by({ x: 1e-7, v: [1e-7, 1e-7] }))), one);
      expectNear(oscillations(adjoint(by({ x: 1e-9, v: [1e-8, 1e-10] }))), one, 1e-5);
    });
  });

  test.each([true, false])("of backsolveAdjoint are a list of two: for the costate and for the state (with a parameter: %s)", (withParameter) => {
    const one = oscillation(backsolveAdjoint(by(1e-7)), withParameter);
    const same = [by([[1e-7, 1e-7], 1e-7]), by([1e-7, tensor([1e-7, 1e-7])])];
    for (const both of same) expectSameBits(oscillation(backsolveAdjoint(both), withParameter).found, one.found);
    const tight = by([1e-7, [1e-10, 1e-7]]);
    expect(oscillation(backsolveAdjoint(tight), withParameter).steps).toBeGreaterThan(one.steps);
    const trees = by([1e-7, { x: 1e-7, v: [1e-7, 1e-7] }]);
    expectSameBits(oscillations(backsolveAdjoint(trees)), oscillations(backsolveAdjoint(by(1e-7))));
  });

  test("that do not fit are refused, with what would fit", () => {
    const refused = (adjoint: AnyAdjoint<DenseStep>, message: RegExp) => {
      expect(() => oscillation(adjoint, true)).toThrow(ShapeError);
      expect(() => oscillation(adjoint, true)).toThrow(message);
    };
    refused(
      denseAdjoint(by([1e-6, 1e-6, 1e-6])),
      /the controller of denseAdjoint does not fit: rtol got 3 numbers for a state of 2.* form of the state/,
    );
    refused(backsolveAdjoint(by([1e-6, 1e-6, 1e-6])), /backsolveAdjoint does not fit: .* a list of two/);
    refused(denseAdjoint({ ...by([1e-6, 1e-6]), seminorm: false }), /denseAdjoint does not fit: .* with seminorm: false a number/);
    refused(backsolveAdjoint({ ...by([1e-6, 1e-6]), seminorm: false }), /backsolveAdjoint does not fit: .* with seminorm: false a number/);
    expect(oscillation(backsolveAdjoint({ ...by(1e-6), seminorm: false }), true).steps).toBeGreaterThan(0);
  });

  test("leave a domain over the state as a tree", () => {
    const seen = new Set<string>();
    const domain = (_t: number, costate: Tree) => seen.add(Object.keys(costate).join()).size > 0;
    oscillations(denseAdjoint({ controller: adaptive<Tree>({ domain }) }));
    expect([...seen]).toEqual(["x,v"]);
  });
});

describe("backsolveAdjoint", () => {
  const decay = (restart: boolean, saveAt: readonly number[]) => {
    let stats: SolveStats | undefined;
    const found = gradient((k: Tensor) => {
      const solution = solve((_t, y) => y.sin().mul(k), tensor([1]), { t0: 0, t1: 8, saveAt, adjoint: backsolveAdjoint({ restart }) });
      stats = solution.stats;
      return solution.y1.sum();
    })(tensor(-3));
    return { found, reverse: stats!.reverse! };
  };

  test("reports how far the state that is solved for again lies from the one that was, and warns", () => {
    const { reverse } = decay(true, [8]);
    expect(reverse.drift).toBeGreaterThan(1e-5);
    expect(reverse.warning).toMatch(/missed it by .* times the tolerance.*denseAdjoint\(\)/);
  });

  test("drifts less where it begins anew at the saved states", () => {
    const times = [1, 2, 3, 4, 5, 6, 7, 8];
    const [anew, through] = [decay(true, times).reverse, decay(false, times).reverse];
    expect(anew.drift!).toBeLessThan(through.drift! / 10);
    expect(anew.warning).toBeUndefined();
  });

  test("says what to do where the equation cannot be solved backward", () => {
    const blow = () => gradient((k: Tensor) => solve((_t, y) => y.sub(1).mul(50).add(y.sub(1).pow(3)).mul(k), tensor([2]), { t0: 0, t1: 2, adjoint: backsolveAdjoint() }).y1.sum())(tensor(-1)); // prettier-ignore
    expect(blow).toThrow(SolveError);
    expect(blow).toThrow(/the backward solve of backsolveAdjoint from t = 2 to 0 failed: .*discreteAdjoint\(\)/);
  });
});

describe("denseAdjoint", () => {
  test("with segments keeps few states, and runs each step once more", () => {
    const { stats } = errorsOf("lotka_volterra", 1e-8, denseAdjoint({ segments: 5 }));
    const all = errorsOf("lotka_volterra", 1e-8, denseAdjoint()).stats;
    expect(stats.reverse!.advanced).toBe(stats.accepted);
    expect(stats.peakBytes).toBeLessThan(all.peakBytes);
  });
});

describe("gaussAdjoint", () => {
  test("takes few parameter products: their number is that of the Gauss points, not of the stages", () => {
    const { stats } = errorsOf("linear3", 1e-8, gaussAdjoint({ points: 2 }));
    const { steps, evaluations } = stats.reverse!;
    expect(evaluations).toBe(errorsOf("linear3", 1e-8, denseAdjoint()).stats.reverse!.evaluations + 2 * steps!);
  });
});

test("float32 states have float32 gradients", () => {
  for (const name of names) {
    const k = tensor([0.5], { dtype: "float32" });
    const found = gradient((q: Tensor) => solve((_t, y) => y.mul(q), tensor([1], { dtype: "float32" }), { t0: 0, t1: 1, adjoint: adjoints[name]() }).y1.sum())(k); // prettier-ignore
    expect(found.dtype).toBe("float32");
    expectNear(found, [Math.exp(0.5)], 1e-3);
  }
});

test("a tensor that the loss does not depend on gets zero", () => {
  const { a, b } = gradient(({ a, b }: { a: Tensor; b: Tensor }) => {
    const { ys } = solve((_t, y: Tensor) => y.mul(a).add(b.mul(0)), tensor([1]), { t0: 0, t1: 1, saveAt: [0, 1], adjoint: denseAdjoint() });
    return ys.at(0).sum();
  })({ a: tensor(1), b: tensor(2) });
  expect([a.item(), b.item()]).toEqual([0, 0]);
});
