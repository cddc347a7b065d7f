import { describe, expect, test } from "vitest";
import fc from "fast-check";
import { gradient, valueAndGradient } from "@dydt/autodiff";
import { random, stack, tensor, type Tensor } from "@dydt/tensor";
import {
  adaptive, backsolveAdjoint, denseAdjoint, discreteAdjoint, fixedSteps, gaussAdjoint, interpolatedAdjoint, leapfrog, reversibleHeun, solve, tsit5,
  type AnyAdjoint, type DenseStep, type SolveStats, type Step,
} from "@dydt/ode"; // prettier-ignore
import { chebyshevCoefficients, chebyshevPoints, chebyshevWeights, lagrangeSlopes, lagrangeValues } from "../src/adjoints/chebyshev.js";
import { distance, expectNear } from "./problems.js";

const interpolate = (factors: readonly number[], values: readonly number[]): number =>
  factors.reduce((total, factor, j) => total + factor * values[j]!, 0);
const between = Array.from({ length: 101 }, (_, i) => 0.003 + i * 0.0099);

/** The largest error of interpolating a function on [0, 1]. */
const errorOf = (f: (t: number) => number, n: number, weights: readonly number[]): number => {
  const points = chebyshevPoints(n, 0, 1);
  return Math.max(...between.map((t) => Math.abs(interpolate(lagrangeValues(points, weights, t), points.map(f)) - f(t))));
};

/** The weights of the points without the ends, as published with the points that include them. */
const firstKindWeights = (n: number): readonly number[] =>
  Array.from({ length: n }, (_, j) => (j % 2 === 0 ? 1 : -1) * Math.sin(((2 * j + 1) * Math.PI) / (2 * n)));

describe("interpolation between Chebyshev–Lobatto points", () => {
  test("has an error that falls spectrally with the right weights, and not with those of the first kind", () => {
    const f = (t: number): number => Math.exp(-2 * t);
    const right = [4, 6, 8, 10, 12, 16].map((n) => errorOf(f, n, chebyshevWeights(n)));
    for (let i = 0; i + 2 < right.length; i++) expect(right[i + 1]!).toBeLessThan(right[i]! / 30);
    expect(right[3]!).toBeLessThan(1e-9);
    expect(right[5]!).toBeLessThan(1e-14);
    const wrong = [10, 16].map((n) => errorOf(f, n, firstKindWeights(n)));
    expect(wrong[0]!).toBeGreaterThan(1e5 * right[3]!);
    expect(wrong[1]!).toBeGreaterThan(1e9 * right[5]!);
  });

  test("reproduces every polynomial that the number of points allows, with its derivative, at the points too", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 12 }),
        fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 12, maxLength: 12 }),
        (n, c) => {
          const polynomial = (t: number): number => c.slice(0, n).reduceRight((value, a) => value * t + a, 0);
          const derivative = (t: number): number => c.slice(1, n).reduceRight((value, a, i) => value * t + (i + 1) * a, 0);
          const points = chebyshevPoints(n, -1, 1);
          const weights = chebyshevWeights(n);
          for (const t of [...points, -0.77, 0.1, 0.93]) {
            expect(interpolate(lagrangeValues(points, weights, t), points.map(polynomial))).toBeCloseTo(polynomial(t), 10);
            expect(interpolate(lagrangeSlopes(points, weights, t), points.map(polynomial))).toBeCloseTo(derivative(t), 7);
          }
        },
      ),
    );
  });

  test("has the Chebyshev coefficients of the interpolant", () => {
    // 3 T₀ − 2 T₁ + ½ T₃ on [−1, 1]
    const values = chebyshevPoints(6, -1, 1).map((x) => [tensor([3 - 2 * x + 0.5 * (4 * x * x * x - 3 * x)])]);
    expectNear(chebyshevCoefficients(values).map(([c]) => c!.item()), [3, -2, 0, 0.5, 0, 0], 1e-15); // prettier-ignore
  });
});

describe("interpolatedAdjoint", () => {
  const stream = random(3);
  const inputs = { w: stream.normal([6, 6]).mul(0.8), b: stream.normal([6]), y0: stream.normal([4, 6]) };
  const run = (
    adjoint: AnyAdjoint<DenseStep>,
    { t1 = 1, tolerance = 1e-11, saveAt = [t1] }: { t1?: number; tolerance?: number; saveAt?: readonly number[] } = {},
  ) => {
    let stats: SolveStats | undefined;
    let grid: readonly number[] = [];
    const found = valueAndGradient(({ w, b, y0 }: typeof inputs) => {
      const controller = adaptive({ rtol: tolerance, atol: tolerance });
      const solution = solve((t, y) => y.matmul(w).add(b.mul(t)).tanh(), y0, { t0: 0, t1, saveAt, controller, adjoint });
      ({ stats, grid } = solution);
      return { value: solution.ys.square().sum(), auxiliary: null };
    })(inputs);
    return { gradient: found.gradient, reverse: stats!.reverse!, stats: stats!, grid };
  };

  test("has a gradient whose error falls spectrally with the nodes, and a defect that falls with it", () => {
    const exact = run(discreteAdjoint()).gradient;
    const rows = [4, 8, 12, 16, 20].map((nodes) => {
      const { gradient, reverse } = run(interpolatedAdjoint({ nodes, largestDefect: Infinity }));
      return { error: distance(gradient, exact), defect: reverse.defect! };
    });
    for (let i = 0; i + 1 < rows.length; i++) {
      expect(rows[i + 1]!.error).toBeLessThan(rows[i]!.error / 3);
      expect(rows[i + 1]!.defect).toBeLessThan(rows[i]!.defect / 3);
    }
    expect(rows[4]!.error).toBeLessThan(1e-7);
  });

  test("chooses its nodes by the decay of the coefficients", () => {
    const [loose, tight] = [1e-3, 1e-8].map((tolerance) => run(interpolatedAdjoint(), { tolerance, t1: 0.5 }));
    expect(loose!.reverse.nodes!).toBeLessThan(tight!.reverse.nodes!);
    expect([loose, tight].map((one) => one!.reverse.fallbacks)).toEqual([0, 0]);
    const dense = run(denseAdjoint(), { tolerance: 1e-8, t1: 0.5 });
    expect(distance(tight!.gradient, dense.gradient)).toBeLessThan(1e-5);
    // Nodes grow with the logarithm of the tolerance, steps with a power of it.
    const [few, all] = [interpolatedAdjoint(), denseAdjoint()].map((adjoint) => run(adjoint, { tolerance: 1e-10, t1: 0.5 }).stats.peakBytes);
    expect(few!).toBeLessThan(all! / 1.2);
  });

  /** A pendulum to t = 5, its gradient and what is known of the reverse. */
  const pendulum = (adjoint: AnyAdjoint<DenseStep>, tolerance = 1e-6) => {
    let stats: SolveStats | undefined;
    const found = gradient(({ p, y0 }: { readonly p: Tensor; readonly y0: Tensor }) => {
      const field = (_t: Tensor, y: Tensor): Tensor =>
        stack([
          y.at(1),
          y
            .at(0)
            .sin()
            .mul(p.at(0))
            .neg()
            .sub(y.at(1).mul(p.at(1))),
        ]);
      const solution = solve(field, y0, { t0: 0, t1: 5, controller: adaptive({ rtol: tolerance, atol: tolerance }), adjoint });
      ({ stats } = solution);
      return solution.y1.square().sum();
    })({ p: tensor([1.5, 0.1]), y0: tensor([1, 0]) });
    return { gradient: found, reverse: stats!.reverse! };
  };
  const right = pendulum(discreteAdjoint(), 1e-11).gradient;

  test("uses no polynomial of too few nodes, unless it is asked to", () => {
    const { gradient, reverse } = pendulum(interpolatedAdjoint({ nodes: 6 }));
    expect(distance(gradient, right)).toBeLessThan(1e-4);
    expect(reverse).toMatchObject({ fallbacks: 1, nodes: 6 });
    expect(reverse.defect).toBeGreaterThan(0.01);
    expect(reverse.warning).toMatch(/in 1 of 1 stretches the interpolant has a defect of/);
    const open = pendulum(interpolatedAdjoint({ nodes: 6, largestDefect: 0.1 }));
    expect(open.reverse).toMatchObject({ fallbacks: 0, nodes: 6, defect: reverse.defect });
    expect(distance(open.gradient, right)).toBeGreaterThan(1e-3);
    expect(open.reverse.warning).toMatch(/an interpolant misses the solution by about .* times the tolerance.*take more nodes/);
  });

  test("is silent only where its gradient is right to a few hundred tolerances", () => {
    for (const tolerance of [1e-4, 1e-6, 1e-8])
      for (const nodes of [4, 6, 8, 10, 12, 16, 24]) {
        const { gradient, reverse } = pendulum(interpolatedAdjoint({ nodes }), tolerance);
        if (reverse.warning === undefined) expect(distance(gradient, right)).toBeLessThan(400 * tolerance);
      }
    // Enough nodes are used, and nothing is said of them.
    for (const [nodes, tolerance] of [[6, 1e-3], [8, 1e-3], [9, 1e-4], [14, 1e-6], [20, 1e-8]] as const) {
      const { reverse } = pendulum(interpolatedAdjoint({ nodes }), tolerance);
      expect(reverse.warning).toBeUndefined();
      expect(reverse.fallbacks).toBe(0);
    } // prettier-ignore
  });

  test("takes few nodes at loose tolerances, as it was meant to", () => {
    const { gradient, reverse } = pendulum(interpolatedAdjoint({ nodes: 6 }), 1e-3);
    expect(reverse.defect).toBeGreaterThan(0.01);
    expect(reverse.fallbacks).toBe(0);
    expect(distance(gradient, right)).toBeLessThan(2 * distance(pendulum(denseAdjoint(), 1e-3).gradient, right));
    // The tolerances that count are those of the reverse, where it has its own.
    const loose = pendulum(interpolatedAdjoint({ nodes: 6, rtol: 1e-3, atol: 1e-3 }), 1e-8).reverse;
    expect(loose.fallbacks).toBe(0);
    expect(loose.warning).toBeUndefined();
  });

  test("has the defect of polynomials that it did not use, too", () => {
    const { reverse } = run(interpolatedAdjoint(), { t1: 20, tolerance: 1e-8 });
    expect(reverse).toMatchObject({ fallbacks: 1, nodes: 33 });
    expect(reverse.defect).toBeGreaterThan(1e-4);
    expect(reverse.warning).toMatch(/not smooth enough for 33 nodes/);
  });

  test("has no defect where events left no polynomial", () => {
    let stats: SolveStats | undefined;
    gradient((k: Tensor) => {
      const half = { when: (_t: Tensor, y: Tensor) => y.sub(0.5).sum(), then: "terminate" } as const;
      const solution = solve((_t, y) => y.mul(k), tensor([1]), { t0: 0, t1: 9, events: [half], adjoint: interpolatedAdjoint({ nodes: 8 }) });
      ({ stats } = solution);
      return solution.events[0]!.times.sum();
    })(tensor(-0.5));
    const { reverse } = stats!;
    expect(reverse!.fallbacks).toBe(1);
    expect(reverse!.warning).toMatch(/no interpolant up to an event/);
    expect(reverse).not.toHaveProperty("defect");
    expect(reverse).not.toHaveProperty("nodes");
  });

  test("falls back to running the steps again where the polynomial is no solution, and says so", () => {
    const { reverse, gradient } = run(interpolatedAdjoint({ nodes: 3 }), { t1: 6 });
    expect(reverse.fallbacks).toBe(1);
    expect(reverse.advanced).toBeGreaterThan(0);
    expect(reverse.warning).toMatch(/in 1 of 1 stretches the interpolant has a defect of .*more nodes/);
    expect(distance(gradient, run(discreteAdjoint(), { t1: 6 }).gradient)).toBeLessThan(1e-6);
  });

  test("has a polynomial for each stretch between save times", () => {
    const options = { saveAt: [0, 0.2, 0.5, 1], t1: 1 };
    const few = run(interpolatedAdjoint({ nodes: 7 }), options);
    const one = run(interpolatedAdjoint({ nodes: 7, largestDefect: Infinity }), { t1: 1, saveAt: [1] });
    expect(few.reverse.defect!).toBeLessThan(one.reverse.defect! / 4);
    expect(distance(few.gradient, run(discreteAdjoint(), options).gradient)).toBeLessThan(1e-4);
  });

  test("at steps ends steps at its nodes, and only those of the forward solve", () => {
    const options = { tolerance: 1e-4 };
    const { grid, reverse, gradient } = run(interpolatedAdjoint({ nodes: 33, at: "steps" }), options);
    expect(grid).toEqual(expect.arrayContaining([...chebyshevPoints(33, 0, 1)]));
    expect(reverse.nodes).toBe(33);
    expect(reverse.fallbacks).toBe(0);
    expect(distance(gradient, run(discreteAdjoint()).gradient)).toBeLessThan(1e-3);
    const { reverse: dense } = run(interpolatedAdjoint({ nodes: 33 }), options);
    expect(reverse.steps!).toBeLessThan(1.5 * dense.steps!);
    expect(dense.steps!).toBeLessThan(20);
  });

  test("says that nodes are needed where steps end at them, and why", () => {
    const solved = (options: object, adjoint: AnyAdjoint<Step>) => () =>
      gradient((k: Tensor) => solve((_t, y) => y.mul(k), tensor([1]), { t0: 0, t1: 1, ...options, adjoint }).y1.sum())(tensor(0.5));
    expect(solved({}, interpolatedAdjoint({ at: "steps" }))).toThrow('Give nodes, or at: "dense"');
    const bare = { solver: reversibleHeun(), controller: fixedSteps(20) };
    for (const at of ["dense", "steps"] as const)
      expect(solved(bare, interpolatedAdjoint({ at }))).toThrow(
        /^interpolatedAdjoint needs nodes with reversibleHeun, which has no dense output: .* Give nodes$/,
      );
    expectNear(solved(bare, interpolatedAdjoint({ nodes: 9 }))(), Math.exp(0.5), 1e-3);
  });

  test("works backward in time", () => {
    const slope = (adjoint: AnyAdjoint<DenseStep>) => gradient((k: Tensor) => solve((_t, y) => y.mul(k).sin(), tensor([1, 2]), { t0: 1, t1: -1, saveAt: [0.3, -1], adjoint }).ys.sum())(tensor(0.7)); // prettier-ignore
    expectNear(slope(interpolatedAdjoint()), slope(discreteAdjoint()), 1e-5);
    expectNear(slope(denseAdjoint({ segments: 2 })), slope(discreteAdjoint()), 1e-5);
  });
});

describe("a solver for systems of second order", () => {
  /** A spring of stiffness k: q″ = −k q. */
  const slope = (adjoint: AnyAdjoint<Step>, solver: object = leapfrog()) =>
    gradient((k: Tensor) => {
      const field = (_t: Tensor, { q, v }: { readonly q: Tensor; readonly v: Tensor }) => ({ q: v, v: q.mul(k).neg() });
      return solve(field, { q: tensor([1]), v: tensor([0]) }, { t0: 0, t1: 1, solver, controller: fixedSteps(200), adjoint } as never).y1.q.sum();
    })(tensor(2));
  // d/dk cos √k = −sin √k / (2 √k)
  const exact = -Math.sin(Math.SQRT2) / (2 * Math.SQRT2);

  test("is not taken for the adjoint equation: the continuous adjoints ask for another one", () => {
    const own = /^(\w+) cannot solve backward with leapfrog, .* needs a solver of its own, \1\({ solver: tsit5\(\) }\); or take discreteAdjoint\(\)/;
    for (const adjoint of [backsolveAdjoint(), interpolatedAdjoint(), interpolatedAdjoint({ nodes: 8 })])
      expect(() => slope(adjoint as AnyAdjoint<Step>)).toThrow(own);
    for (const adjoint of [denseAdjoint(), gaussAdjoint()])
      expect(() => slope(adjoint as AnyAdjoint<Step>)).toThrow(/dense output.*interpolatedAdjoint\({ nodes/);
    for (const adjoint of [backsolveAdjoint, interpolatedAdjoint, denseAdjoint, gaussAdjoint])
      expect(() => slope((adjoint as (options: object) => AnyAdjoint<Step>)({ solver: leapfrog() }), tsit5())).toThrow(own);
  });

  test("can go forward with another one backward", () => {
    expectNear(slope(backsolveAdjoint({ solver: tsit5() })), exact, 1e-3);
    expectNear(slope(interpolatedAdjoint({ nodes: 8, solver: tsit5() })), exact, 1e-3);
  });
});
