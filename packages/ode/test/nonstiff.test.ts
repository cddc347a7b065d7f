import { describe, expect, test } from "vitest";
import { tensor } from "@dydt/tensor";
import { adaptive, bosh3, dopri5, solve, tsit5, type EmbeddedStep, type Ode, type Solver } from "@dydt/ode";
import nonstiff from "./cases/nonstiff_ode.json" with { type: "json" };
import { plainField } from "./problems.js";

const { problems } = nonstiff;

/** The largest error over the components, relative to max(|y|, floor) as the tolerances see it. */
const errorOf = (actual: ArrayLike<number>, expected: readonly number[]): number => {
  const floor = Math.max(1e-3 * Math.max(...expected.map(Math.abs)), 1);
  return Math.max(...expected.map((y, i) => Math.abs(actual[i]! - y) / Math.max(Math.abs(y), floor)));
};

const methods: readonly (readonly [string, Solver<Ode, EmbeddedStep>, readonly number[]])[] = [
  ["tsit5", tsit5(), [1e-3, 1e-6, 1e-9]],
  ["dopri5", dopri5(), [1e-3, 1e-6, 1e-9]],
  ["bosh3", bosh3(), [1e-3, 1e-6]],
];

describe.each(methods)("%s on non-stiff problems", (_, solver, tolerances) => {
  test.each(problems)(
    "reaches the end state of $id within 100 tolerances, and better for tighter ones",
    ({ js_body, y0, y1, t0, t1, conditioning }) => {
      const runs = tolerances.map((tolerance) => {
        const { y1: end, stats } = solve(plainField(js_body), tensor(y0), {
          t0,
          t1,
          solver,
          controller: adaptive({ rtol: tolerance, atol: tolerance }),
        });
        return { tolerance, error: errorOf(end.data, y1), ...stats };
      });
      const allowed = Math.max(1, conditioning.max_abs_dy1_dy0);
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
    },
  );
});

test("over all problems the error falls with the tolerance: a thousandth of it, less than a hundredth of the error", () => {
  for (const [, solver, tolerances] of methods) {
    const mean = tolerances.map((tolerance) => {
      const logs = problems.map(({ js_body, y0, y1, t0, t1 }) => {
        const { y1: end } = solve(plainField(js_body), tensor(y0), { t0, t1, solver, controller: adaptive({ rtol: tolerance, atol: tolerance }) });
        return Math.log10(Math.max(errorOf(end.data, y1), 1e-16));
      });
      return logs.reduce((a, b) => a + b, 0) / logs.length;
    });
    for (let i = 1; i < mean.length; i++) expect(mean[i]! - mean[i - 1]!).toBeLessThan(-2);
  }
});
