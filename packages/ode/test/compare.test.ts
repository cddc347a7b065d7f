import { describe, expect, test } from "vitest";
import { ones, tensor, type Tensor } from "@dydt/tensor";
import { adaptive, compareAdjoints, errorEstimate, interpolatedAdjoint, reversibleAdjoint, solve, usualAdjoints } from "@dydt/ode";
import { relativeDifference } from "../src/compare.js";
import { lotkaVolterra } from "./problems.js";

const loss = (p: Tensor): Tensor =>
  solve(lotkaVolterra(p), tensor([1, 1]), { t0: 0, t1: 3, controller: adaptive({ rtol: 1e-7, atol: 1e-7 }) })
    .y1.square()
    .sum();
const parameters = tensor([1.5, 1, 3, 1]);

describe("compareAdjoints", () => {
  const comparison = compareAdjoints(
    { name: "hare & lynx", loss, parameters },
    { adjoints: { ...usualAdjoints(), few: interpolatedAdjoint({ nodes: 4, largestDefect: Infinity }) } },
  );
  const named = (name: string) => comparison.rows.find(({ adjoint }) => adjoint === name)!;

  test("has errors against tight tolerances and against the discrete adjoint, and all counts", () => {
    for (const { adjoint, error, forward, reverse, peakBytes } of comparison.rows) {
      if (adjoint !== "few") expect(error).toBeLessThan(1e-4);
      expect(Math.min(forward, peakBytes)).toBeGreaterThan(0);
      expect(reverse > 0).toBe(adjoint !== "directAdjoint");
    }
    expect(named("discreteAdjoint").fromDiscrete).toBe(0);
    expect(named("discreteAdjoint").again).toBeGreaterThan(0);
    expect(named("few").error).toBeGreaterThan(1e-4);
    expect(named("few").defect).toBeGreaterThan(named("interpolatedAdjoint").defect!);
    expect(named("backsolveAdjoint").drift).toBeGreaterThan(0);
  });

  test("is a table, and a page of its own", () => {
    const lines = comparison.toString().split("\n");
    expect(lines[0]).toBe("hare & lynx");
    expect(lines).toHaveLength(comparison.rows.length + 2);
    const page = comparison.toHtml();
    expect(page).toMatch(/^<!doctype html>/);
    expect(page).toContain("<h1>hare &amp; lynx</h1>");
    expect(page.match(/<circle /g)).toHaveLength(2 * comparison.rows.length); // in the picture, and in its legend
  });

  test("says why an adjoint has no numbers", () => {
    const { rows } = compareAdjoints({ loss, parameters }, { adjoints: { reversibleAdjoint: reversibleAdjoint() } });
    expect(rows[0]!.failure).toMatch(/has no inverse/);
    const costly = (p: Tensor) => solve(lotkaVolterra(p), tensor([1, 1]), { t0: 0, t1: 1, regularize: errorEstimate() }).penalties[0]!;
    const refused = compareAdjoints({ loss: costly, parameters });
    expect(refused.rows.filter(({ failure }) => failure === undefined).map(({ adjoint }) => adjoint)).toEqual(["discreteAdjoint", "directAdjoint"]);
    expect(refused.toString()).toContain("does not differentiate the solver's steps");
  });
});

describe("the relative difference of two gradients", () => {
  test("is that of their entries, and of gradients of one form only", () => {
    expect(relativeDifference([tensor([1, 2]), tensor(4)], [tensor([1, 3]), tensor(4)])).toBe(1 / 4);
    expect(relativeDifference(tensor([0]), tensor([0]))).toBe(0);
    for (const bad of [NaN, Infinity]) expect(relativeDifference(tensor([1]), tensor([bad]))).toBe(Infinity);
    expect(() => relativeDifference(ones([3]), tensor(1))).toThrow("a gradient has shape [3] instead of []");
    expect(() => relativeDifference([], tensor(1))).toThrow("a gradient has 0 tensors instead of 1");
  });
});
