import { describe, expect, test } from "vitest";
import { tensor } from "@dydt/tensor";
import { adaptive, bosh3, bs5, dop853, dopri5, solve, tsit5, vern7, type EmbeddedStep, type Ode, type Solver } from "@dydt/ode";
import nonstiff from "./cases/nonstiff_ode.json" with { type: "json" };
import { plainField, type Field } from "./problems.js";

const { problems } = nonstiff;

/** The largest error over the components, relative to max(|y|, floor) as the tolerances see it. */
const errorOf = (actual: ArrayLike<number>, expected: ArrayLike<number>): number => {
  const y1 = Array.from(expected);
  const floor = Math.max(1e-3 * Math.max(...y1.map(Math.abs)), 1);
  return Math.max(...y1.map((y, i) => Math.abs(actual[i]! - y) / Math.max(Math.abs(y), floor)));
};

interface Task {
  readonly field: Field;
  readonly y0: readonly number[];
  readonly t0: number;
  readonly t1: number;
}

const run = (solver: Solver<Ode, EmbeddedStep>, { field, y0, t0, t1 }: Task, tolerance: number) => {
  const { y1, stats } = solve(field, tensor(y0), { t0, t1, solver, controller: adaptive({ rtol: tolerance, atol: tolerance }) });
  return { y1: y1.data, ...stats };
};

const tolerances = [1e-3, 1e-6, 1e-9, 1e-12] as const;
const methods: readonly (readonly [string, Solver<Ode, EmbeddedStep>, readonly number[]])[] = [
  ["tsit5", tsit5(), tolerances],
  ["dopri5", dopri5(), tolerances],
  ["bs5", bs5(), tolerances],
  ["vern7", vern7(), tolerances],
  ["dop853", dop853(), tolerances],
  ["bosh3", bosh3(), tolerances.slice(0, 2)],
];

const results = new Map<string, readonly (ReturnType<typeof run> & { readonly tolerance: number; readonly error: number })[]>();

/** A problem of the cases at every tolerance of a method; each is solved once. */
const resultsOf = (name: string, solver: Solver<Ode, EmbeddedStep>, list: readonly number[], { id, js_body, ...rest }: (typeof problems)[number]) => {
  const key = `${name} ${id}`;
  const known = results.get(key);
  if (known !== undefined) return known;
  const runs = list.map((tolerance) => {
    const result = run(solver, { field: plainField(js_body), ...rest }, tolerance);
    return { ...result, tolerance, error: errorOf(result.y1, rest.y1) };
  });
  results.set(key, runs);
  return runs;
};

describe.each(methods)("%s on non-stiff problems", (name, solver, list) => {
  test.each(problems)("reaches the end state of $id within 100 tolerances, and better for tighter ones", (problem) => {
    const runs = resultsOf(name, solver, list, problem);
    const allowed = Math.max(1, problem.conditioning.max_abs_dy1_dy0);
    for (const { tolerance, error, accepted, rejected } of runs) {
      expect(error).toBeLessThanOrEqual(100 * tolerance * allowed);
      expect(rejected).toBeLessThanOrEqual(accepted / 2 + 5);
    }
    const rounding = 1e-14 * allowed;
    for (let i = 1; i < runs.length; i++) {
      expect(runs[i]!.error).toBeLessThanOrEqual(Math.max(10 * runs[i - 1]!.error, rounding));
      expect(runs[i]!.evaluations).toBeGreaterThan(runs[i - 1]!.evaluations);
      // A thousandth of the tolerance takes at most 1000^(1/p) times the steps; some more are forgiven.
      expect(runs[i]!.evaluations).toBeLessThanOrEqual(2 * 1000 ** (1 / (solver.order - 0.5)) * (runs[i - 1]!.evaluations + 50));
    }
    expect(runs.at(-1)!.error).toBeLessThanOrEqual(Math.max(runs[0]!.error, rounding));
  });

  test("over all problems the error falls with the tolerance: a thousandth of it, less than a hundredth of the error", () => {
    const mean = list.map((_, i) => {
      const logs = problems.map((problem) => Math.log10(Math.max(resultsOf(name, solver, list, problem)[i]!.error, 1e-16)));
      return logs.reduce((a, b) => a + b, 0) / logs.length;
    });
    for (let i = 1; i < mean.length; i++) expect(mean[i]! - mean[i - 1]!).toBeLessThan(-2);
  });
});

/**
 * Evaluations that Hairer's codes DOPRI5 and DOP853 need with rtol = atol = 1e-3, 1e-6, 1e-9, 1e-12. Ours may take a half more, since the controllers differ.
 */
const published: readonly (readonly [string, string, readonly number[]])[] = [
  ["dopri5", "B1", [284, 854, 2816, 11102]],
  ["dopri5", "lotka_volterra", [206, 644, 1988, 7748]],
  ["dopri5", "A3", [152, 440, 1478, 5594]],
  ["dopri5", "lorenz_t1", [110, 320, 1208, 4766]],
  ["dop853", "B1", [474, 900, 2270, 3649]],
  ["dop853", "lotka_volterra", [367, 896, 1470, 2740]],
  ["dop853", "A3", [296, 601, 1286, 2324]],
  ["dop853", "lorenz_t1", [156, 275, 643, 1150]],
];

test.each(published)("%s needs on %s about as many evaluations as the published code", (name, id, counts) => {
  const [, solver, list] = methods.find(([method]) => method === name)!;
  const runs = resultsOf(
    name,
    solver,
    list,
    problems.find((problem) => problem.id === id)!,
  );
  runs.forEach(({ evaluations }, i) => expect(evaluations).toBeLessThanOrEqual(1.5 * counts[i]!));
});

test("high orders pay at tight tolerances: at 1e-12 vern7 needs half of what dopri5 needs, on every problem", () => {
  const of = (name: string) => {
    const [, solver, list] = methods.find(([method]) => method === name)!;
    return problems.map((problem) => resultsOf(name, solver, list, problem)[3]!.evaluations);
  };
  const [low, high] = [of("dopri5"), of("vern7")];
  high.forEach((count, i) => expect(count).toBeLessThan(0.6 * low[i]!));
});

const field = (body: string): Field => plainField(body);
const orbit = "const r = Math.hypot(y[0], y[1]) ** 3; dy[0] = y[2]; dy[1] = y[3]; dy[2] = -y[0] / r; dy[3] = -y[1] / r;";
const orbitOf = (eccentricity: number): Task => ({
  field: field(orbit),
  y0: [1 - eccentricity, 0, 0, Math.sqrt((1 + eccentricity) / (1 - eccentricity))],
  t0: 0,
  t1: 20,
});
const arenstorf: Task = {
  field: field(`const m = 0.012277471, n = 1 - m;
    const d = ((y[0] + m) ** 2 + y[1] ** 2) ** 1.5, e = ((y[0] - n) ** 2 + y[1] ** 2) ** 1.5;
    dy[0] = y[2]; dy[1] = y[3];
    dy[2] = y[0] + 2 * y[3] - n * (y[0] + m) / d - m * (y[0] - n) / e;
    dy[3] = y[1] - 2 * y[2] - n * y[1] / d - m * y[1] / e;`),
  y0: [0.994, 0, 0, -2.0015851063790824],
  t0: 0,
  t1: 17.065216560157964,
};
const pleiades: Task = {
  field: field(`for (let i = 0; i < 7; i++) {
    let a = 0, b = 0;
    for (let j = 0; j < 7; j++) {
      if (i === j) continue;
      const u = y[j] - y[i], v = y[7 + j] - y[7 + i], r = (u * u + v * v) ** 1.5;
      a += (j + 1) * u / r; b += (j + 1) * v / r;
    }
    dy[i] = y[14 + i]; dy[7 + i] = y[21 + i]; dy[14 + i] = a; dy[21 + i] = b;
  }`),
  y0: [3, 3, -1, -3, 2, -2, 2, 3, -3, 2, 0, 0, -4, 4, 0, 0, 0, 0, 0, 1.75, -1.5, 0, 0, 0, -1.25, 1, 0, 0],
  t0: 0,
  t1: 3,
};
/** DETEST's classes by their formulas, and others; their end states are those of dop853 at 1e-13, which vern7 confirms. */
const tasks: readonly (readonly [string, Task])[] = [
  ["B3, a chemical reaction", { field: field("dy[0] = -y[0]; dy[1] = y[0] - y[1] * y[1]; dy[2] = y[1] * y[1];"), y0: [1, 0, 0], t0: 0, t1: 20 }],
  ["B4, on a torus", { field: field("const r = Math.hypot(y[0], y[1]); dy[0] = -y[1] - y[0] * y[2] / r; dy[1] = y[0] - y[1] * y[2] / r; dy[2] = y[0] / r;"), y0: [3, 0, 0], t0: 0, t1: 20 }],
  ["B5, a rigid body", { field: field("dy[0] = y[1] * y[2]; dy[1] = -y[0] * y[2]; dy[2] = -0.51 * y[0] * y[1];"), y0: [0, 1, 1], t0: 0, t1: 20 }],
  ["C2, a chain of decays", { field: field("dy[0] = -y[0]; for (let i = 1; i < 9; i++) dy[i] = i * y[i - 1] - (i + 1) * y[i]; dy[9] = 9 * y[8];"), y0: [1, 0, 0, 0, 0, 0, 0, 0, 0, 0], t0: 0, t1: 20 }],
  ["C4, a chain of 51", { field: field("for (let i = 0; i < 51; i++) dy[i] = (i > 0 ? y[i - 1] : 0) - 2 * y[i] + (i < 50 ? y[i + 1] : 0);"), y0: [1, ...new Array<number>(50).fill(0)], t0: 0, t1: 20 }],
  ["D1, an orbit of eccentricity 0.1", orbitOf(0.1)],
  ["D2, an orbit of eccentricity 0.3", orbitOf(0.3)],
  ["D3, an orbit of eccentricity 0.5", orbitOf(0.5)],
  ["D4, an orbit of eccentricity 0.7", orbitOf(0.7)],
  ["D5, an orbit of eccentricity 0.9", orbitOf(0.9)],
  ["E1, Bessel's equation", { field: field("dy[0] = y[1]; dy[1] = -(y[1] / (t + 1) + (1 - 0.25 / (t + 1) ** 2) * y[0]);"), y0: [0.671396707141803, 0.0954005144474745], t0: 0, t1: 20 }],
  ["E2, Van der Pol's equation", { field: field("dy[0] = y[1]; dy[1] = (1 - y[0] * y[0]) * y[1] - y[0];"), y0: [2, 0], t0: 0, t1: 20 }],
  ["E3, Duffing's equation", { field: field("dy[0] = y[1]; dy[1] = y[0] ** 3 / 6 - y[0] + 2 * Math.sin(2.78535 * t);"), y0: [0, 0], t0: 0, t1: 20 }],
  ["E4, a falling body", { field: field("dy[0] = y[1]; dy[1] = 0.032 - 0.4 * y[1] * y[1];"), y0: [30, 0], t0: 0, t1: 20 }],
  ["E5, a linear pursuit", { field: field("dy[0] = y[1]; dy[1] = Math.sqrt(1 + y[1] * y[1]) / (25 - t);"), y0: [0, 0], t0: 0, t1: 20 }],
  ["E2 backward in time", { field: field("dy[0] = y[1]; dy[1] = -(1 - y[0] * y[0]) * y[1] - y[0];"), y0: [2, 0], t0: 0, t1: -20 }],
  ["Arenstorf's orbit, half a period", { ...arenstorf, t1: arenstorf.t1 / 2 }],
  ["the Pleiades", pleiades],
]; // prettier-ignore

/** How much the end moves for a move of the beginning, at most, over a few directions. */
const conditioning = (task: Task, end: ArrayLike<number>): number => {
  const directions = [0, 1, 2].map((k) => task.y0.map((_, i) => Math.cos(1 + 3 * k + 1.7 * i)));
  const moved = directions.map((direction) => {
    const y0 = task.y0.map((y, i) => y + 1e-7 * direction[i]!);
    const { y1 } = run(dop853(), { ...task, y0 }, 1e-12);
    return Math.max(...Array.from(y1, (y, i) => Math.abs(y - end[i]!))) / 1e-7;
  });
  return Math.max(1, ...moved);
};

describe("other problems", () => {
  test.each(tasks)("%s: every method is within 100 tolerances times the conditioning", (_, task) => {
    const reference = run(dop853(), task, 1e-13).y1;
    const allowed = conditioning(task, reference);
    expect(errorOf(run(vern7(), task, 1e-13).y1, reference)).toBeLessThanOrEqual(1e-11 * allowed);
    for (const [, solver, list] of methods)
      for (const tolerance of list) expect(errorOf(run(solver, task, tolerance).y1, reference)).toBeLessThanOrEqual(100 * tolerance * allowed);
  });

  test("C4 ends in the sum of its modes: decays at the rates 4 sin²(kπ/104)", () => {
    const [, task] = tasks.find(([name]) => name.startsWith("C4"))!;
    const modes = Array.from({ length: 51 }, (_, i) => ((i + 1) * Math.PI) / 52);
    const exact = modes.map((_, j) =>
      modes.reduce((sum, k) => sum + (Math.sin(k) * Math.sin((j + 1) * k) * Math.exp(-80 * Math.sin(k / 2) ** 2)) / 26, 0),
    );
    expect(errorOf(run(dop853(), task, 1e-13).y1, exact)).toBeLessThan(1e-12);
  });

  test("Arenstorf's orbit comes back after its period, as near as its conditioning of 2e6 allows", () => {
    for (const solver of [vern7(), dop853()]) {
      const errors = [1e-9, 1e-11, 1e-13].map((tolerance) => errorOf(run(solver, arenstorf, tolerance).y1, arenstorf.y0));
      [1e-9, 1e-11, 1e-13].forEach((tolerance, i) => expect(errors[i]).toBeLessThanOrEqual(100 * tolerance * 2e6));
      expect(errors[2]).toBeLessThan(1e-6);
    }
  });

  test("an oscillator is within 1,000 tolerances after a hundred periods", () => {
    const oscillator: Task = { field: field("dy[0] = y[1]; dy[1] = -y[0];"), y0: [1, 0], t0: 0, t1: 200 * Math.PI };
    for (const [solver, list] of [
      [vern7(), [1e-6, 1e-9]],
      [dop853(), [1e-6, 1e-9]],

      [tsit5(), [1e-4]],
    ] as const)
      for (const tolerance of list) expect(errorOf(run(solver, oscillator, tolerance).y1, [1, 0])).toBeLessThanOrEqual(1000 * tolerance);
  });
});
