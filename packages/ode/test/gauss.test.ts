import { describe, expect, test } from "vitest";
import { gradient } from "@dydt/autodiff";
import { tensor, type Tensor } from "@dydt/tensor";
import { adaptive, dop853, gaussAdjoint, solve, tsit5, vern7, type EmbeddedStep, type DenseStep, type Ode, type Solver } from "@dydt/ode";
import { gaussRule } from "../src/adjoints/gauss.js";

describe("Gauss's rules", () => {
  test.each([1, 2, 3, 4, 5])("with %i points are exact for the polynomials that they should be, and for no more", (m) => {
    const integral = (power: number): number => gaussRule(m).reduce((total, { x, weight }) => total + weight * x ** power, 0);
    for (let power = 0; power < 2 * m; power++) expect(integral(power)).toBeCloseTo(power % 2 === 0 ? 2 / (power + 1) : 0, 14);
    expect(Math.abs(integral(2 * m) - 2 / (2 * m + 1))).toBeGreaterThan(1e-3);
  });
});

describe("gaussAdjoint", () => {
  type Dense = Solver<Ode, DenseStep & EmbeddedStep>;
  const pairs: readonly (readonly [string, Dense, Dense])[] = [
    ["dop853 both ways", dop853(), dop853()],
    ["vern7 forward, dop853 backward", vern7(), dop853()],
    ["dop853 forward, tsit5 backward", dop853(), tsit5()],
  ];
  test.each(pairs)("keeps to its tolerance where dense output makes further stages when it is asked: %s", (_name, solver, backward) => {
    for (const tolerance of [1e-6, 1e-8, 1e-9, 1e-10]) {
      const options = { t0: 0, t1: 3, solver, controller: adaptive({ rtol: tolerance, atol: tolerance }) };
      const adjoint = gaussAdjoint({ rtol: tolerance, atol: tolerance, solver: backward });
      const slope = gradient((p: Tensor) => solve((t, y: Tensor) => y.mul(p).mul(t.cos()), tensor([1]), { ...options, adjoint }).y1.sum())(
        tensor(0.5),
      );
      expect(Math.abs(slope.item() - Math.exp(0.5 * Math.sin(3)) * Math.sin(3))).toBeLessThan(4 * tolerance); // p y cos t is solved by y = e^(p sin t)
    }
  });
});
