import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { gradient, revolve } from "@dydt/autodiff";
import { OptionError, ShapeError, stack, tensor, type Tensor } from "@dydt/tensor";
import {
  adaptive, bosh3, discreteAdjoint, grid, heun, integrate, kineticEnergy, maximumNorm, rootMeanSquareNorm, solve, stepCoefficients, StepTooSmallError, tsit5,
  type AdaptiveOptions, type EmbeddedStep, type StepCoefficients,
} from "@dydt/ode"; // prettier-ignore
import { errorOf, expectNear, expectSameBits, plainField, wholeTape, type Field } from "./problems.js";

const oscillator: Field = (_t, y) => stack([y.at(1), y.at(0).neg()]);
const start = tensor([1, 0]);
const turn = { t0: 0, t1: 2 * Math.PI };
const vanDerPol = plainField("dy[0] = y[1]; dy[1] = 5 * (1 - y[0] * y[0]) * y[1] - y[0];");
/** A field of the time that jumps at 1/3, with the value of either side there. */
const jump =
  (left: boolean): Field =>
  (t, y) =>
    y.mul(0).add((left ? t.item() <= 1 / 3 : t.item() < 1 / 3) ? 1 : -1);

describe("step coefficients", () => {
  test.each(Object.entries(stepCoefficients))(
    "%s: errors stay within the tolerances, and smaller tolerances give smaller errors",
    (_, coefficients) => {
      const errors = [1e-4, 1e-7, 1e-10].map((rtol) => {
        const { y1 } = solve(oscillator, start, { ...turn, controller: adaptive({ rtol, atol: rtol, coefficients }) });
        return Math.max(Math.abs(y1.at(0).item() - 1), Math.abs(y1.at(1).item())) / rtol;
      });
      for (const error of errors) expect(error).toBeLessThan(50);
    },
  );

  /** How much the lengths of neighbouring steps differ, on average. */
  const roughness = (coefficients: StepCoefficients): number => {
    const lengths = [...integrate(vanDerPol, tensor([2, 0]), { t0: 0, t1: 20, controller: adaptive({ coefficients }) })].map(({ t0, t1 }) => t1 - t0);
    const ratios = lengths.slice(1, -1).map((h, i) => Math.abs(Math.log(h / lengths[i]!)));
    return ratios.reduce((a, b) => a + b) / ratios.length;
  };

  test("each has an effect: the more is remembered of errors, the smoother the steps", () => {
    const { integral, proportionalIntegral, proportionalIntegralDerivative } = stepCoefficients;
    expect(roughness(proportionalIntegral)).toBeLessThan(roughness(integral));
    expect(roughness(proportionalIntegralDerivative)).toBeLessThan(roughness(proportionalIntegral));
    expect(roughness({ proportional: 0.3, integral: 0.3, derivative: 0.1 })).not.toBe(roughness({ proportional: 0.3, integral: 0.3 }));
  });

  test("the default is the proportional-integral rule", () => {
    const options = { t0: 0, t1: 20 };
    const { coefficients, ...rest } = { coefficients: stepCoefficients.proportionalIntegral };
    expect(solve(vanDerPol, tensor([2, 0]), { ...options, controller: adaptive({ coefficients }) }).grid).toEqual(
      solve(vanDerPol, tensor([2, 0]), { ...options, controller: adaptive(rest) }).grid,
    );
  });

  test.each(Object.entries(stepCoefficients))(
    "%s: each length follows from the last three errors, the second by the elementary rule",
    (_, coefficients) => {
      const { proportional: p, integral: i, derivative: d } = coefficients;
      const tolerance = 1e-6;
      const steps = [
        ...integrate((_t, y) => y.neg(), start, {
          t0: 0,
          t1: 4,
          controller: adaptive({ rtol: tolerance, atol: tolerance, coefficients, first: 0.05 }),
        }),
      ];
      const errors = steps.map(({ error, y0, y1 }) => {
        const [e, a, b] = [error, y0, y1].map((x) => Array.from(x.data));
        const scaled = e!.map((one, j) => one / (tolerance + tolerance * Math.max(Math.abs(a![j]!), Math.abs(b![j]!))));
        return Math.sqrt(scaled.reduce((sum, one) => sum + one * one, 0) / scaled.length);
      });
      expect(steps.length).toBeGreaterThan(5);
      const k = 5;
      const counted = (n: number) => (n <= 0 ? 0.9 ** k : Math.max(errors[n]!, 1e-4));
      // The last one must end at t1; none is rejected, since the slope decays.
      for (let n = 1; n < steps.length - 1; n++) {
        const q = errors[n - 1]!;
        const filtered = q ** (-(p + i + d) / k) * counted(n - 2) ** ((p + 2 * d) / k) * counted(n - 3) ** (-d / k);
        const factor = 0.9 * (n === 1 ? q ** (-1 / k) : filtered);
        const [before, now] = [steps[n - 1]!, steps[n]!].map(({ t0, t1 }) => t1 - t0);
        expect(now! / before!).toBeCloseTo(Math.min(10, Math.max(0.2, factor)), 10);
      }
    },
  );

  test.each([
    [{ integral: 0 }, "coefficients got integral = 0"],
    [{ integral: 1, proportional: -2 }, "a sum of -1: both must be positive"],
    [{ integral: NaN }, "coefficients got integral = NaN"],
    [{ proportional: 1 }, "coefficients got integral = undefined"],
    [{ integral: 1, differential: 1 }, "coefficients got the unknown option differential"],
    ["pid", "adaptive got coefficients of type string: pass { proportional, integral, derivative }"],
  ])("%o are refused", (coefficients, message) => {
    expect(() => adaptive({ coefficients: coefficients as StepCoefficients })).toThrow(OptionError);
    expect(() => adaptive({ coefficients: coefficients as StepCoefficients })).toThrow(message);
  });
});

describe("tolerances and norms", () => {
  const tree = { fast: tensor([1, 0]), slow: tensor([[1], [2]]) };
  const field = (_t: Tensor, { fast, slow }: typeof tree) => ({ fast: stack([fast.at(1).mul(20), fast.at(0).mul(-20)]), slow: slow.mul(-0.1) });
  const steps = (options: AdaptiveOptions) => solve(field, tree, { t0: 0, t1: 1, controller: adaptive(options) }).stats.accepted;

  test("are the same as a number, a list, and a tree like the state", () => {
    const grids = [
      1e-7,
      { fast: 1e-7, slow: 1e-7 },
      { slow: [[1e-7], [1e-7]], fast: tensor([1e-7, 1e-7]) },
      { fast: [1e-7, 1e-7], slow: tensor([[1e-7], [1e-7]]) },
    ].map((atol) => solve(field, tree, { t0: 0, t1: 1, controller: adaptive({ atol }) }).grid);
    for (const other of grids.slice(1)) {
      expect(other).toHaveLength(grids[0]!.length);
      expectNear(other, grids[0], 1e-12);
    }
  });

  test("hold for each component: a loose one for what is fast saves steps", () => {
    const loose = { fast: [1, 1], slow: 1e-9 };
    expect(steps({ rtol: { fast: 1, slow: 1e-6 }, atol: loose })).toBeLessThan(steps({}) / 3);
    const pair = [tensor([1]), tensor([1])] as const;
    const decay = (_t: Tensor, [a, b]: readonly [Tensor, Tensor]): readonly [Tensor, Tensor] => [a.mul(-30), b.neg()];
    const by = (atol: readonly number[]) => solve(decay, pair, { t0: 0, t1: 1, controller: adaptive({ rtol: 0, atol }) }).stats.accepted;
    expect(by([1, 1e-9])).toBeLessThan(by([1e-9, 1e-9]));
  });

  test("of another form than the state are refused, naming the place", () => {
    expect(() => steps({ atol: { fast: 1e-6 } })).toThrow(ShapeError);
    expect(() => steps({ atol: { fast: 1e-6 } })).toThrow(
      "atol has the branches fast for a state of fast, slow: give one number, or a tree like the state",
    );
    expect(() => steps({ atol: { fast: [1, 1, 1], slow: 1 } })).toThrow("atol got 3 numbers at fast for a state of 2, of shape [2]");
    expect(() => steps({ rtol: { fast: { x: 1 }, slow: 1 } })).toThrow(/rtol has branches at fast where the state has a tensor of shape \[2\]/);
    expect(() => steps({ rtol: tensor([1, 1]) })).toThrow("rtol has a tensor for a state of fast, slow");
    expect(() => adaptive({ atol: { fast: -1, slow: 1 } })).toThrow("atol got -1");
    expect(() => adaptive({ rtol: { fast: 0, slow: 0 }, atol: { fast: 0, slow: 1 } })).toThrow("rtol and atol are both 0");
    expect(() => adaptive({ rtol: "1e-6" as never })).toThrow("rtol got string");
  });

  test("the maximum norm is never looser than the root mean square, and both are what they say", () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 3 }),
        (lists) => {
          const leaves = lists.map((list) => tensor(list));
          const all = lists.flat();
          expect(maximumNorm(leaves)).toBe(Math.max(...all.map(Math.abs)));
          expectNear(rootMeanSquareNorm(leaves), Math.sqrt(all.reduce((sum, x) => sum + x * x, 0) / all.length), 1e-12);
        },
      ),
    );
    expect([maximumNorm([]), rootMeanSquareNorm([])]).toEqual([0, 0]);
    expect([maximumNorm([tensor([1, NaN, 3])]), rootMeanSquareNorm([tensor([1, NaN])])]).toEqual([NaN, NaN]);
    expect(maximumNorm([tensor([1, Infinity])])).toBe(Infinity);
    expect(steps({ norm: maximumNorm })).toBeGreaterThan(steps({}));
    expect(steps({ norm: rootMeanSquareNorm })).toBe(steps({}));
  });

  test("a norm of one's own gets the scaled error in the form of the state, and decides alone", () => {
    const shapes: (readonly number[])[][] = [];
    const ofTheSlow = steps({
      norm: (scaled) => {
        shapes.push(scaled.map(({ shape }) => shape));
        return rootMeanSquareNorm(scaled.slice(1));
      },
    });
    expect(ofTheSlow).toBeLessThan(steps({}) / 2);
    for (const shape of shapes) expect(shape).toEqual([[2], [2, 1]]);
    // A hand-made root mean square takes the steps of the built-in one.
    const own = (leaves: readonly Tensor[]) => Math.sqrt(leaves.flatMap((leaf) => Array.from(leaf.data)).reduce((sum, s) => sum + (s * s) / 4, 0));
    expect(steps({ norm: own })).toBe(steps({}));
    expect(() => steps({ norm: () => -1 })).toThrow("the norm of adaptive returned -1");
    expect(() => steps({ norm: (([x]: readonly Tensor[]) => x) as never })).toThrow(OptionError);
    expect(() => adaptive({ norm: "rms" as never })).toThrow('adaptive got norm "rms": pass a function such as maximumNorm');
  });
});

describe("the shortest and the longest step", () => {
  const lengths = (options: AdaptiveOptions, t1 = 20) =>
    [...integrate(vanDerPol, tensor([2, 0]), { t0: 0, t1, controller: adaptive(options) })].map((step) => Math.abs(step.t1 - step.t0));

  test("bound every step but those that must end at a given time", () => {
    const all = lengths({ max: 0.05, min: 1e-3 });
    expect(Math.max(...all)).toBeLessThanOrEqual(0.05 * (1 + 1e-9));
    expect(Math.min(...all.slice(0, -1))).toBeGreaterThanOrEqual(1e-3 * (1 - 1e-9));
    expect(lengths({ max: 0.05, min: 0.05, rtol: 1e-1, atol: 1 }, 1)).toHaveLength(20);
    expect(Math.max(...lengths({ max: 0.05, times: [3.01] }))).toBeLessThanOrEqual(0.05 * (1 + 1e-9));
  });

  test("no step of the smallest length is accepted over tolerance: it is a failure", () => {
    for (const min of [5e-2, 1e-1, 1]) {
      const recent: number[] = [];
      const error = errorOf(() => {
        for (const step of integrate(vanDerPol, tensor([2, 0]), { t0: 0, t1: 20, controller: adaptive({ min }) })) recent.push(step.t1 - step.t0);
      }) as unknown as StepTooSmallError;
      expect(error).toBeInstanceOf(StepTooSmallError);
      const { h, error: estimate, accepted } = error.recent.at(-1)!;
      expect([Math.abs(h - min) < 0.11 * min, accepted]).toEqual([true, false]);
      expect(estimate).toBeGreaterThan(1);
    }
  });

  test("never have no length, be the first one or the least too short for the time, or the slope too large for its square", () => {
    const decay = (rate: number) => (_t: Tensor, y: Tensor) => y.mul(-rate);
    for (const [rate, t0, t1, options] of [
      [1e300, 0, 1e-300, {}],
      [1, 1, 2, { first: 1e-30, min: 1e-30 }],
    ] as const) {
      // prettier-ignore
      const { y1, grid } = solve(decay(rate), tensor([1]), { t0, t1, maxSteps: 100, controller: adaptive(options) });
      expectNear(y1, [Math.exp(-1)], 1e-5);
      expect(new Set(grid).size).toBe(grid.length);
    }
  });

  test("a step that would be shorter than the smallest is tried at the smallest first", () => {
    // The first step is far too long; the rule would have it shortened below min, but min is short enough.
    const { status, stats } = solve(oscillator, start, { t0: 0, t1: 1, controller: adaptive({ first: 1, min: 0.02, rtol: 1e-6, atol: 1e-6 }) });
    expect(status).toBe("success");
    expect(stats.rejected).toBeGreaterThan(0);
  });

  test.each([
    [{ min: 0.2, first: 0.1 }, "adaptive got min = 0.2 above first = 0.1"],
    [{ min: 0.1, max: 0.01 }, "adaptive got min = 0.1 above max = 0.01"],
    [{ max: 0 }, "adaptive got max = 0"],
  ])("%o are refused", (options, message) => expect(() => adaptive(options)).toThrow(message));
});

describe("declared times", () => {
  test("are ends of steps, exactly, whatever the direction and the solver", () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: -2, max: 5, noNaN: true }), { maxLength: 4 }),
        fc.constantFrom(tsit5(), bosh3(), heun()),
        fc.boolean(),
        (times, solver, backward) => {
          const [t0, t1] = backward ? [3, 0] : [0, 3];
          const { grid: ends, y1 } = solve((_t, y) => y.neg(), tensor([1]), { t0, t1, solver, controller: adaptive({ rtol: 1e-4, times }) });
          for (const t of times) if (t > 0 && t < 3) expect(ends).toContain(t);
          expectNear(y1, Math.exp(t0 - t1), 1e-2);
        },
      ),
      { numRuns: 40 },
    );
  });

  test.each([true, false])(
    "may be jumps of f, whichever value it has there (that before: %s): no step is rejected, and the answer is exact",
    (left) => {
      for (const [t0, t1] of [
        [0, 1],
        [1, 0],
      ] as const) {
        // prettier-ignore
        const { y1, stats } = solve(jump(left), tensor([0]), { t0, t1, controller: adaptive({ rtol: 1e-9, atol: 1e-12, times: [1 / 3] }) });
        expectNear(y1, t0 === 0 ? -1 / 3 : 1 / 3, 1e-14);
        expect(stats.rejected).toBe(0);
        expect(stats.evaluations).toBeLessThan(100);
      }
    },
  );

  test("begin a new stretch, with a step as short as f asks for there", () => {
    const wild: Field = (t, y) => (t.item() < 1 ? y.mul(-1e-3) : y.mul(-300));
    const declared = solve(wild, tensor([1]), { t0: 0, t1: 1.05, controller: adaptive({ times: [1], rtol: 1e-8 }) });
    const found = solve(wild, tensor([1]), { t0: 0, t1: 1.05, controller: adaptive({ rtol: 1e-8 }) });
    const after = declared.grid.indexOf(1) + 1;
    expect(declared.grid[after + 1]! - declared.grid[after]!).toBeLessThan(1e-3);
    expect(declared.stats.rejected).toBeLessThanOrEqual(1);
    expect(declared.stats.evaluations).toBeLessThan(0.8 * found.stats.evaluations);
    expectNear(declared.y1, Math.exp(-0.001 - 15), 1e-4);
  });

  test("make derivatives with respect to the ends of the interval right", () => {
    const end = (times: readonly number[]) => (t: { t0: Tensor; t1: Tensor }) =>
      solve(jump(false), tensor([0]), { ...t, controller: adaptive({ times }), adjoint: discreteAdjoint({ checkpoints: revolve(3) }) }).y1.sum();
    const slopes = gradient(end([1 / 3]))({ t0: tensor(0), t1: tensor(1) });
    expectNear([slopes.t0, slopes.t1], [-1, -1], 1e-12);
    const taped = ({ t0, t1 }: { t0: Tensor; t1: Tensor }) =>
      wholeTape<EmbeddedStep>(jump(false), tensor([0]), { t0, t1, controller: adaptive({ times: [1 / 3] }) }).sum();
    const whole = gradient(taped)({ t0: tensor(0), t1: tensor(1) });
    expectNear([whole.t0, whole.t1], [slopes.t0, slopes.t1], 1e-12);
  });

  test("and the grid of such a solve can be repeated", () => {
    const options = { t0: 0, t1: 1 };
    const solution = solve(jump(true), tensor([0]), { ...options, controller: adaptive({ times: [1 / 3] }) });
    expectSameBits(solve(jump(true), tensor([0]), { ...options, controller: grid(solution) }).y1, solution.y1);
  });

  test("beside running costs leave the steps and the state as they are without", () => {
    const options = { t0: 0, t1: 1, controller: adaptive({ times: [1 / 3] }) };
    const plain = solve(jump(false), tensor([0, 1]), options);
    const costly = solve(jump(false), tensor([0, 1]), { ...options, regularize: kineticEnergy() });
    expect(costly.grid).toEqual(plain.grid);
    expectSameBits(costly.y1, plain.y1);
    expectNear(costly.penalties[0], 2, 1e-12);
  });

  test("are numbers in any order, or a tensor; in float32, too", () => {
    const { grid: ends } = solve(oscillator, tensor(new Float32Array([1, 0])), { t0: 0, t1: 3, controller: adaptive({ times: tensor([2, 1]) }) });
    expect([ends.includes(1), ends.includes(2)]).toEqual([true, true]);
    const single = solve((t, y) => y.mul(0).add(t.item() < 0.3 ? 1 : -1), tensor(new Float32Array([0])), {
      t0: 0,
      t1: 1,
      controller: adaptive({ times: [0.3] }),
    });
    expect(single.stats.rejected).toBe(0);
    expectNear(single.y1, -0.4, 1e-6);
    expect(() => adaptive({ times: [1, NaN] })).toThrow("adaptive got the time NaN: a finite number is needed");
    expect(() => adaptive({ times: 1 as never })).toThrow("adaptive got times of type number: a list of times is needed");
  });

  test("zero is one like any other", () => {
    const f: Field = (t, y) => y.mul(0).add(t.item() < 0 ? 1 : 3);
    const { y1, stats } = solve(f, tensor([0]), { t0: -1, t1: 1, controller: adaptive({ times: [0] }) });
    expectNear(y1, 4, 1e-12);
    expect(stats.rejected).toBe(0);
  });
});

describe("a domain", () => {
  const root: Field = (_t, y) => y.sqrt().neg();
  const positive = adaptive({ domain: (_t, y) => y.at(0).item() >= 0 });

  test("rejects the steps that leave it, so that the solve stays in", () => {
    const states: number[] = [];
    for (const step of integrate(root, tensor([1]), { t0: 0, t1: 1.99, controller: positive })) states.push(step.y1.item());
    expect(Math.min(...states)).toBeGreaterThanOrEqual(0);
    expectNear(states.at(-1), (1 - 1.99 / 2) ** 2, 1e-2);
  });

  test("rejects a step that the tolerances would accept", () => {
    const decay: Field = (_t, y) => y.neg();
    const loose = { first: 3, rtol: 1e3, atol: 1e3 };
    const end = (options: AdaptiveOptions) => solve(decay, tensor([1]), { t0: 0, t1: 3, solver: bosh3(), controller: adaptive(options) });
    expect(end(loose).y1.at(0).item()).toBeLessThan(0);
    const times: number[] = [];
    const inside = end({ ...loose, domain: (t, y) => times.push(t) > 0 && y.at(0).item() > 0 });
    expect(inside.y1.at(0).item()).toBeGreaterThan(0);
    expect(inside.stats.rejected).toBeGreaterThan(0);
    expect(times.slice(0, 3)).toEqual([0, 3, 1.5]);
  });

  test("gets the state as a tree", () => {
    const body = { height: tensor(1), speed: tensor([0]) };
    const fall = (_t: Tensor, { speed }: typeof body) => ({ height: speed.at(0), speed: speed.mul(0).sub(1) });
    const controller = adaptive({ domain: (_t, { height }: typeof body) => height.item() > 0.5 });
    const error = errorOf(() => solve(fall, body, { t0: 0, t1: 3, controller })) as unknown as StepTooSmallError;
    expect(error.t).toBeCloseTo(1, 8);
    expect(error.cause).toMatchObject({ kind: "domain" });
  });

  test("that does not hold the initial state is refused, and so is one that is no function", () => {
    expect(() => solve(root, tensor([-1]), { t0: 0, t1: 1, controller: positive })).toThrow(
      "the initial state lies outside the domain that adaptive was given",
    );
    expect(() => adaptive({ domain: true as never })).toThrow("adaptive got domain boolean: pass a function");
  });

  test("has no part in derivatives", () => {
    const slope = (controller: ReturnType<typeof adaptive>) =>
      gradient((y0: Tensor) => solve(root, y0, { t0: 0, t1: 1, controller }).y1.sum())(tensor([1]));
    expectSameBits(slope(positive), slope(adaptive()));
  });
});
