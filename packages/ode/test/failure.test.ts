import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { gradient, NonFiniteOperationError, revolve, setChecks } from "@dydt/autodiff";
import { tensor, type Tensor } from "@dydt/tensor";
import {
  adaptive, bosh3, denseAdjoint, discreteAdjoint, dopri5, euler, fixedSteps, gaussAdjoint, heun, MaxStepsError, NonFiniteError, rk4, solve, SolveError, StepTooSmallError, tsit5, vern7,
  type Adjoint, type BlowUpCause, type Cause, type DenseStep, type DiscontinuityCause, type NonFiniteCause, type Solution, type SolveOptions, type Step, type StiffCause, type ToleranceCause,
} from "@dydt/ode"; // prettier-ignore
import { errorOf, plainField } from "./problems.js";

interface Trouble {
  readonly name: string;
  /** Writes dy. */
  readonly field: string;
  readonly y0: readonly number[] | Float32Array;
  readonly t0?: number;
  readonly t1: number;
  /** Other options of the solve. */
  readonly options?: object;
}

const failureOf = ({ field, y0, t0 = 0, t1, options }: Trouble): SolveError => {
  const f = plainField(field);
  const error = errorOf(() =>
    solve((t, y) => f(t, y).cast(y.dtype), tensor(y0), { t0, t1, ...options } as SolveOptions<Step> as never),
  ) as unknown as SolveError;
  expect(error).toBeInstanceOf(SolveError);
  return error;
};
const causeOf = (trouble: Trouble): Cause => failureOf(trouble).cause as Cause;
const tolerances = (rtol: number, atol = rtol) => ({ controller: adaptive({ rtol, atol }) });
const withDomain = adaptive({ domain: (_t, y) => y.at(0).item() > 0 });

const vanDerPol = (mu: number) => `dy[0] = y[1]; dy[1] = ${mu} * ((1 - y[0] * y[0]) * y[1] - y[0]);`;
const lorenz = "dy[0] = 10 * (y[1] - y[0]); dy[1] = y[0] * (28 - y[2]) - y[1]; dy[2] = y[0] * y[1] - 8 / 3 * y[2];";
const robertson = `dy[0] = -0.04 * y[0] + 1e4 * y[1] * y[2]; dy[2] = 3e7 * y[1] * y[1]; dy[1] = -dy[0] - dy[2];`;
const square = "dy[0] = y[0] * y[0];";
const oscillator = "dy[0] = y[1]; dy[1] = -y[0];";

const stiffOnes: readonly Trouble[] = [
  { name: "van der Pol, μ = 10⁶", field: vanDerPol(1e6), y0: [2, 0], t1: 2, options: { maxSteps: 500 } },
  { name: "van der Pol, μ = 10³", field: vanDerPol(1e3), y0: [2, 0], t1: 2, options: { maxSteps: 300 } },
  { name: "van der Pol by dopri5", field: vanDerPol(1e4), y0: [2, 0], t1: 2, options: { maxSteps: 500, solver: dopri5() } },
  { name: "decay", field: "dy[0] = -1e5 * y[0];", y0: [1], t1: 1, options: { maxSteps: 500 } },
  {
    name: "decay by bosh3, which has no stiffness estimate",
    field: "dy[0] = -1e5 * y[0];",
    y0: [1],
    t1: 1,
    options: { maxSteps: 500, solver: bosh3() },
  },
  {
    name: "decay by heun",
    field: "dy[0] = -1e5 * (y[0] - 1);",
    y0: [1.01],
    t1: 1,
    options: { maxSteps: 500, solver: heun(), ...tolerances(1e-3) },
  },
  { name: "Prothero and Robinson", field: "dy[0] = -1e4 * (y[0] - Math.cos(t)) - Math.sin(t);", y0: [1], t1: 10, options: { maxSteps: 500 } },
  { name: "Robertson", field: robertson, y0: [1, 0, 0], t1: 1e5, options: { maxSteps: 1000 } },
  {
    name: "Robertson backward in name only",
    field: robertson.replace(/= /g, "= -1 * (").replace(/;/g, ");"),
    y0: [1, 0, 0],
    t1: -1e5,
    options: { maxSteps: 1000 },
  },
  {
    name: "a damped oscillator of 10⁴ turns",
    field: "dy[0] = -100 * y[0] + 1e4 * y[1]; dy[1] = -1e4 * y[0] - 100 * y[1];",
    y0: [1, 0],
    t1: 10,
    options: { maxSteps: 3000, ...tolerances(1e-3) },
  },
  { name: "tight tolerances", field: "dy[0] = -1e6 * (y[0] - Math.cos(t));", y0: [1], t1: 10, options: { maxSteps: 1000, ...tolerances(1e-10) } },
  {
    name: "a smallest step far above the limit",
    field: "dy[0] = -1e6 * (y[0] - Math.cos(t));",
    y0: [1],
    t1: 10,
    options: { controller: adaptive({ min: 1e-4 }) },
  },
  { name: "equal steps of rk4, too long", field: "dy[0] = -100 * y[0];", y0: [1], t1: 100, options: { solver: rk4(), controller: fixedSteps(1000) } },
  {
    name: "equal steps of euler, too long",
    field: "dy[0] = -1e3 * (y[0] - Math.cos(t));",
    y0: [1],
    t1: 100,
    options: { solver: euler(), controller: fixedSteps(1000) },
  },
];

const growingOnes: readonly (Trouble & { readonly at?: number })[] = [
  { name: "y² ", field: square, y0: [1], t1: 2, at: 1 },
  { name: "y², by dopri5", field: square, y0: [1], t1: 2, at: 1, options: { solver: dopri5() } },
  { name: "y², by bosh3", field: square, y0: [1], t1: 2, at: 1, options: { solver: bosh3() } },
  { name: "y², out of steps", field: square, y0: [1], t1: 2, at: 1, options: { maxSteps: 80 } },
  { name: "y², in equal steps", field: square, y0: [1], t1: 2, options: { solver: rk4(), controller: fixedSteps(50) } },
  { name: "−y², downward", field: "dy[0] = -y[0] * y[0];", y0: [-1], t1: 2, at: 1 },
  { name: "1 + y², from zero", field: "dy[0] = 1 + y[0] * y[0];", y0: [0], t1: 2 },
  { name: "y³, backward in time", field: "dy[0] = -y[0] * y[0] * y[0];", y0: [1], t1: -2, at: -0.5 },
  { name: "eʸ, whose solution grows slowly", field: "dy[0] = Math.exp(y[0]);", y0: [0], t1: 2, at: 1 },
  { name: "a system", field: "dy[0] = y[0] * y[1]; dy[1] = y[0] * y[0];", y0: [1, 1], t1: 5, at: 1 },
  { name: "Painlevé's first", field: "dy[0] = y[1]; dy[1] = 6 * y[0] * y[0] + t;", y0: [0.5, 0.5], t1: 10 },
  { name: "a pole of the field", field: "dy[0] = 1 / ((1 - t) * (1 - t));", y0: [0], t1: 2, at: 1 },
  { name: "−1/y: the slope, not the solution", field: "dy[0] = -1 / y[0];", y0: [1], t1: 1 },
  { name: "exponential growth, until the numbers end", field: "dy[0] = 1000 * y[0];", y0: [1], t1: 2 },
];

const jumpingOnes: readonly (Trouble & { readonly at?: number; readonly jump: number; readonly component?: number })[] = [
  { name: "a jump in time, with a smallest step", field: "dy[0] = t < 1 / 3 ? 1 : -1;", y0: [0], t1: 1, at: 1 / 3, jump: 2, options: { controller: adaptive({ rtol: 1e-9, atol: 1e-12, min: 1e-6 }) } },
  { name: "a jump in time, backward", field: "dy[0] = t < 1 / 3 ? 1 : -1;", y0: [0], t0: 1, t1: 0, at: 1 / 3, jump: 2, options: { controller: adaptive({ rtol: 1e-9, atol: 1e-12, min: 1e-6 }) } },
  { name: "a huge jump in time", field: "dy[0] = t < 0.3 ? 1 : 1e8;", y0: [0], t1: 1, at: 0.3, jump: 1e8, options: tolerances(1e-14) },
  { name: "a sign switch", field: "dy[0] = y[0] > 0 ? -1 : 1;", y0: [1], t1: 5, jump: 2, options: { maxSteps: 1000 } },
  { name: "a switch between two rates", field: "dy[0] = y[0] > 2 ? -1 : 3;", y0: [3], t1: 5, jump: 4, options: { maxSteps: 1000 } },
  { name: "a relay", field: "dy[0] = y[1]; dy[1] = y[0] + y[1] > 0 ? -1 : 1;", y0: [1, 0], t1: 50, jump: 2, component: 1, options: { maxSteps: 1500 } },
  { name: "dry friction", field: "dy[0] = y[1]; dy[1] = -y[0] - 0.5 * Math.sign(y[1]);", y0: [2, 0], t1: 50, jump: 1, component: 1, options: { maxSteps: 1000 } },
]; // prettier-ignore

const nanOnes: readonly (Trouble & { readonly value: number; readonly component?: number })[] = [
  { name: "a root of what becomes negative", field: "dy[0] = -Math.sqrt(y[0]) - 0.1;", y0: [1], t1: 3, value: NaN },
  { name: "a root that only rounding makes negative", field: "dy[0] = -Math.sqrt(y[0]);", y0: [1], t1: 3, value: NaN },
  { name: "a logarithm", field: "dy[0] = Math.log(y[0]) - 1;", y0: [1], t1: 3, value: NaN },
  { name: "the second component", field: "dy[0] = 1; dy[1] = Math.acos(y[0]);", y0: [0, 0], t1: 3, value: NaN, component: 1 },
  { name: "NaN after a time", field: "dy[0] = t < 0.5 ? -y[0] : NaN;", y0: [1], t1: 1, value: NaN },
  { name: "infinity after a time", field: "dy[0] = t < 0.25 ? 1 : -Infinity;", y0: [0], t1: 1, value: -Infinity },
  {
    name: "a root, in equal steps",
    field: "dy[0] = -Math.sqrt(y[0]) - 0.1;",
    y0: [1],
    t1: 3,
    value: NaN,
    options: { solver: rk4(), controller: fixedSteps(50) },
  },
];

const roundedOnes: readonly Trouble[] = [
  {
    name: "an oscillation at t = 10⁸",
    field: "dy[0] = Math.cos(1e3 * t) * y[0];",
    y0: [1],
    t0: 1e8,
    t1: 1e8 + 10,
    options: { maxSteps: 1000, ...tolerances(1e-10, 1e-12) },
  },
  { name: "fast turns at t = 10¹⁰", field: "dy[0] = 1e6 * y[1]; dy[1] = -1e6 * y[0];", y0: [1, 0], t0: 1e10, t1: 1e10 + 1 },
  {
    name: "cancellation in the field",
    field: "dy[0] = -((1e8 + y[0]) - 1e8);",
    y0: [0.3],
    t1: 10,
    options: { maxSteps: 2000, ...tolerances(1e-12) },
  },
  { name: "Lorenz's system at ten roundings", field: lorenz, y0: [1, 1, 1], t1: 100, options: { maxSteps: 1000, ...tolerances(2.3e-15, 0) } },
  { name: "Lorenz's system in float32", field: lorenz, y0: new Float32Array([1, 1, 1]), t1: 100, options: { maxSteps: 1000, ...tolerances(1e-10) } },
];

const merelyLong: readonly Trouble[] = [
  { name: "Lorenz's system", field: lorenz, y0: [1, 1, 1], t1: 100, options: { maxSteps: 100 } },
  { name: "exponential growth", field: "dy[0] = y[0];", y0: [1], t1: 100, options: { maxSteps: 100 } },
  { name: "an oscillator, loosely", field: oscillator, y0: [1, 0], t1: 1000, options: { maxSteps: 100, ...tolerances(0.1) } },
  { name: "an oscillator by heun", field: oscillator, y0: [1, 0], t1: 1000, options: { maxSteps: 100, solver: heun() } },
  { name: "an oscillator in float32", field: oscillator, y0: new Float32Array([1, 0]), t1: 1000, options: { maxSteps: 100 } },
  { name: "Lotka and Volterra, loosely", field: "dy[0] = 1.5 * y[0] - y[0] * y[1]; dy[1] = -3 * y[1] + y[0] * y[1];", y0: [1, 1], t1: 100, options: { maxSteps: 50, ...tolerances(1e-2) } },
  { name: "a decay that is not stiff yet", field: "dy[0] = -1e5 * y[0];", y0: [1], t1: 1, options: { maxSteps: 10 } },
  { name: "a steep but smooth front", field: "dy[0] = 1 / (1 + 1e8 * (t - 0.5) * (t - 0.5));", y0: [0], t1: 1, options: { maxSteps: 45, ...tolerances(1e-9) } },
  { name: "a smallest step that is too long", field: oscillator, y0: [1, 0], t1: 10, options: { controller: adaptive({ min: 1 }) } },
  { name: "equal steps", field: oscillator, y0: [1, 0], t1: 10, options: { maxSteps: 5, controller: fixedSteps(10), solver: rk4() } },
]; // prettier-ignore

describe("the cause of a failure is told apart", () => {
  test.each(stiffOnes)("stiff: $name", (trouble) => {
    const cause = causeOf(trouble) as StiffCause;
    expect(cause.kind).toBe("stiff");
    expect(cause.hRho).toBeGreaterThan(0.5 * cause.limit);
    expect(cause.advice).toMatch(/implicit/);
  });

  test("stiff, with the numbers: ρ is the largest rate, and the steps have been at the limit", () => {
    const cause = causeOf({ name: "", field: "dy[0] = -1e5 * y[0]; dy[1] = -y[1];", y0: [1, 1], t1: 1, options: { maxSteps: 500 } }) as StiffCause;
    expect(cause.rho).toBeCloseTo(1e5, -1);
    expect(cause.limit).toBe(tsit5().stabilitySize);
    expect(Math.abs(cause.hRho - cause.limit)).toBeLessThan(0.5);
    expect(cause.steps).toBe(16);
    expect(cause.words).toMatch(/h·ρ ≈ 3\.[3-7], the limit of tsit5 is 3\.5/);
  });

  test.each(growingOnes)("blowing up: $name", (trouble) => {
    const cause = causeOf(trouble) as BlowUpCause;
    expect(cause.kind).toBe("blowUp");
    expect(cause.rate).toBeGreaterThan(100);
    if (trouble.at !== undefined) expect(cause.singularity).toBeCloseTo(trouble.at, 4);
  });

  test.each(jumpingOnes)("discontinuous: $name", (trouble) => {
    const cause = causeOf(trouble) as DiscontinuityCause;
    expect(cause.kind).toBe("discontinuity");
    expect(cause.jump / trouble.jump).toBeCloseTo(1, 5);
    expect(cause.component).toBe(trouble.component ?? 0);
    if (trouble.at !== undefined) expect(cause.t).toBeCloseTo(trouble.at, 9);
    expect(cause.advice).toMatch(/adaptive\(\{ times: \[\.\.\.\] \}\)/);
  });

  test.each(nanOnes)("not finite: $name", (trouble) => {
    const error = failureOf(trouble);
    const cause = error.cause as NonFiniteCause;
    expect(error).toBeInstanceOf(NonFiniteError);
    expect(cause).toMatchObject({ kind: "nonFinite", component: trouble.component ?? 0, value: trouble.value });
    expect([cause.stage >= 1, cause.step >= 1, cause.t >= error.t]).toEqual([true, true, true]);
    expect(cause.words).toMatch(new RegExp(`the field returned ${trouble.value} at t = .*, in step ${cause.step}, stage ${cause.stage}, component`));
  });

  test.each(roundedOnes)("rounding: $name", (trouble) => {
    const cause = causeOf(trouble) as ToleranceCause;
    expect(cause.kind).toBe("tolerance");
    expect(cause.noise).toBeGreaterThan(0.05);
    expect(cause.advice).toMatch(/loosen rtol/);
  });

  test.each([tsit5(), dopri5(), vern7()])(
    "cancellation from a steep but smooth front, wherever the budget of steps happens to end: $name",
    (solver) => {
      const kinds = (trouble: Trouble, budgets: readonly number[]) =>
        budgets.map((maxSteps) => (failureOf({ ...trouble, options: { ...trouble.options, solver, maxSteps } }).cause as Cause).kind);
      const [cancels, front] = [roundedOnes, merelyLong].map((list) => list.find(({ name }) => /cancellation|front/.test(name))!);
      const found = kinds(
        cancels!,
        Array.from({ length: 20 }, (_, i) => 300 + 67 * i),
      );
      expect(found.filter((kind) => kind === "tolerance").length).toBeGreaterThanOrEqual(18); // chance has a part in noise
      expect(new Set(kinds(front!, [12, 15, 18, 21, 24]))).toEqual(new Set(["unknown"]));
    },
  );

  test("leaving the domain", () => {
    const error = failureOf({ name: "", field: "dy[0] = -1;", y0: [1], t1: 3, options: { controller: withDomain } });
    expect(error).toBeInstanceOf(StepTooSmallError);
    expect(error.cause).toMatchObject({ kind: "domain", t: error.t });
    expect(error.recent.every(({ accepted, outside }) => accepted !== outside)).toBe(true);
    expect(error.t).toBeCloseTo(1, 10);
  });

  test.each(merelyLong)("and what has none of them is not said to: $name", (trouble) => {
    const { cause, message } = failureOf(trouble);
    expect((cause as Cause).kind).toBe("unknown");
    // Steps that are given have no tolerance to be loosened.
    const isGiven = trouble.name === "equal steps";
    expect(message).toMatch(isGiven ? /: raise maxSteps, or take longer steps/ : /loosen rtol, or raise what limits the steps/);
  });

  test("whatever the rate of a decay, the scale of the state and the solver", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 3.5, max: 8, noNaN: true }),
        fc.double({ min: -6, max: 6, noNaN: true }),
        fc.constantFrom(tsit5(), dopri5(), bosh3()),
        (rate, scale, solver) => {
          const [lambda, size] = [10 ** rate, 10 ** scale];
          const field = `dy[0] = ${-lambda} * (y[0] - ${size} * Math.cos(t));`;
          const cause = causeOf({
            name: "",
            field,
            y0: [size],
            t1: 100,
            options: { maxSteps: 400, solver, controller: adaptive({ rtol: 1e-4, atol: 1e-6 * size }) },
          });
          expect(cause.kind).toBe("stiff");
        },
      ),
      { numRuns: 30 },
    );
  });

  test("whatever the power and the scale of a growth", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 5 }), fc.double({ min: -3, max: 3, noNaN: true }), (power, scale) => {
        const size = 10 ** scale;
        const field = `dy[0] = ${size ** (1 - power)} * y[0] ** ${power};`; // infinite at t = 1 / (power − 1)
        const cause = causeOf({ name: "", field, y0: [size], t1: 3, options: { controller: adaptive({ atol: 1e-9 * size }) } }) as BlowUpCause;
        expect(cause.kind).toBe("blowUp");
        expect(cause.singularity).toBeCloseTo(1 / (power - 1), 4);
      }),
      { numRuns: 30 },
    );
  });
});

describe("the flight recorder", () => {
  test("keeps the last attempts, accepted and rejected, each with time, length, error and the component that controls it", () => {
    const trouble: Trouble = {
      name: "",
      field: "dy[0] = -y[0]; dy[1] = t < 0.5 ? 1 : -1;",
      y0: [1, 0],
      t1: 1,
      options: { controller: adaptive({ rtol: 1e-9, min: 1e-4 }) },
    };
    const { recent, t } = failureOf(trouble);
    expect(recent.length).toBeLessThanOrEqual(16);
    expect(new Set(recent.map(({ accepted }) => accepted))).toEqual(new Set([true, false]));
    for (const { h, error, accepted, component } of recent) {
      expect(h).toBeGreaterThan(0);
      expect(accepted).toBe(error! <= 1);
      if (!accepted) expect(component).toBe(1);
    }
    expect(recent.at(-1)).toMatchObject({ t, accepted: false });
    const before = recent.filter(({ accepted }) => accepted).at(-1)!;
    expect(before.t + before.h).toBe(t);
  });

  test("counts components through all tensors of a tree", () => {
    const tree = { a: tensor([1, 1]), b: tensor([0]) };
    const f = (t: Tensor, { a, b }: typeof tree) => ({ a: a.neg(), b: b.mul(0).add(t.item() < 0.5 ? 1 : -1) });
    const error = errorOf(() => solve(f, tree, { t0: 0, t1: 1, controller: adaptive({ rtol: 1e-9, min: 1e-4 }) })) as unknown as SolveError;
    expect(error.recent.at(-1)?.component).toBe(2);
    expect(error.cause).toMatchObject({ kind: "discontinuity", component: 2 });
  });

  test("looks around without being counted, and without being seen", () => {
    let calls = 0;
    const f = (_t: Tensor, y: Tensor) => {
      calls++;
      return y.mul(-1e5);
    };
    const error = errorOf(() => solve(f, tensor([1]), { t0: 0, t1: 1, maxSteps: 200 })) as unknown as MaxStepsError;
    const { stats, status } = error.solution as Solution<Tensor>;
    expect(status).toBe("maxSteps");
    expect(stats.evaluations).toBeLessThanOrEqual(200 * 6 + 2);
    expect(calls - stats.evaluations).toBeLessThan(100);
  });

  test("does not hide a failure behind a field that throws when it is looked at again", () => {
    let calls = 0;
    const f = (_t: Tensor, y: Tensor) => {
      if (++calls > 70) throw new RangeError("no more");
      return y.neg();
    };
    const error = errorOf(() => solve(f, tensor([1]), { t0: 0, t1: 100, maxSteps: 10 })) as unknown as MaxStepsError;
    expect(error).toBeInstanceOf(MaxStepsError);
    expect(error.cause).toMatchObject({ kind: "unknown" });
  });
});

describe("with the checks on", () => {
  afterEach(() => setChecks(false));

  test("the operation that makes the first NaN of a solve is named, with the step and the stage", () => {
    setChecks(true);
    const run = () => solve((t, y) => t.neg().add(0.35).sqrt().mul(y), tensor([1]), { t0: 0, t1: 1, solver: rk4(), controller: fixedSteps(5) });
    expect(run).toThrow(NonFiniteOperationError);
    expect(run).toThrow(/^sqrt made NaN at element 0 of shape \[\] .*failure\.test\.ts:\d+.*, in step 2 of a solve, from t = 0\.2 to 0\.4, stage 4$/);
  });

  const adjoints = {
    "discreteAdjoint, step by step": discreteAdjoint({ checkpoints: revolve(3) }),
    "discreteAdjoint, by evaluation": discreteAdjoint({ tape: "evaluation" }),
    "discreteAdjoint, from stored stages": discreteAdjoint({ tape: "evaluation", store: "stages" }),
    denseAdjoint: denseAdjoint(),
    gaussAdjoint: gaussAdjoint(),
  } as const;
  test.each(Object.keys(adjoints) as (keyof typeof adjoints)[])(
    "the reverse rule that makes the first cotangent that is not finite is named, with the step and the stage: %s",
    (name) => {
      setChecks(true);
      // √0 has no slope: its value is finite, its cotangent is not. Between 0.6 and 0.62 there is a stage of the seventh of ten steps, or of a backward step.
      const field = (p: Tensor) => (t: Tensor, y: Tensor) => {
        const slope = y.mul(p);
        return t.item() > 0.6 && t.item() < 0.62 ? slope.add(y.sub(y).abs().sqrt()) : slope;
      };
      const options = { t0: 0, t1: 1, controller: fixedSteps(10), adjoint: adjoints[name] as Adjoint<DenseStep> };
      const run = () => gradient((p: Tensor) => solve(field(p), tensor([1, 2]), options).y1.sum())(tensor(-0.5));
      expect(run).toThrow(NonFiniteOperationError);
      expect(run).toThrow(name.startsWith("discrete") ? /reverse rule of sqrt.*, in the reverse of step 7 of a solve, from t = 0\.6\d* to 0\.7\d*, stage 2$/ : /reverse rule of sqrt.* of a solve, from t = [\d.]+ to [\d.]+, stage \d$/); // prettier-ignore
    },
  );
});
