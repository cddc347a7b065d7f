import { revolve } from "@dydt/autodiff";
import { tensor } from "@dydt/tensor";
import { adaptive, solve } from "@dydt/ode";
import { describe, expect, test } from "vitest";
import { agrees, lcg, MismatchError, requireAgreement, type CheckValues, type Outcome } from "../bench/workloads.js";
import { chain, chainCheck } from "../bench/workloads/chain.js";
import { classicSystems, classicTolerances } from "../bench/workloads/classics.js";
import { digits, digitsCases } from "../bench/workloads/digits.js";
import { flow, flowCases } from "../bench/workloads/flow.js";
import { describeGradient, stepsAdjoints } from "../bench/workloads/gradient-run.js";
import { spiral, spiralCheck, spiralData } from "../bench/workloads/spiral.js";

const expectAgreement = (outcome: Outcome, { loss, gradientNorm }: CheckValues): void => {
  expect(outcome).toSatisfy((one: Outcome) => agrees(one.loss, loss));
  if (gradientNorm !== undefined) expect(outcome).toSatisfy((one: Outcome) => agrees(one.gradientNorm, gradientNorm));
};

const adjoints = Object.values(stepsAdjoints);

describe("a workload of the benchmarks", () => {
  test("draws the numbers that every language draws", () => {
    const stream = lcg(1);
    expect([stream(), stream()]).toEqual([1015568748 / 4294967296, 1586005467 / 4294967296]);
  });

  test.each(["float64", "float32"] as const)("is the spiral of the literature in %s, however it is solved", (dtype) => {
    const data = spiralData(dtype);
    for (const how of ["tight", "loose", "rk4"] as const)
      for (const adjoint of adjoints) expectAgreement(describeGradient(spiral(dtype, how, data, adjoint)), spiralCheck);
  });

  test.each(digitsCases.filter(({ batch }) => batch === 32))("is the block of gain $gain, with its loss", (one) => {
    for (const adjoint of adjoints) expectAgreement(describeGradient(digits(one, "float32", adjoint)), one.expected);
  });

  test.each(flowCases)("is the flow with $activation and its exact trace", (one) => {
    for (const adjoint of adjoints) expectAgreement(describeGradient(flow(one, "float32", adjoint)), one.expected);
  });

  test("is the long chain, which a fiftieth of the steps solve to the printed digits", () => {
    expectAgreement(describeGradient(chain("float32", 20, revolve(4))), chainCheck);
  });

  test.each(classicSystems)("is the system $name, in tensors and in numbers", ({ field, plain, y0, check }) => {
    const { y1 } = solve(field, tensor(y0), { t0: 0, t1: check.t, controller: adaptive(classicTolerances) });
    check.y.forEach((y, i) => expect(y1.at(i).item()).toBeCloseTo(y, 3));
    const state = y0.map((y, i) => y + 0.3 * i);
    expect(Array.from(field(tensor(0), tensor(state)).data)).toEqual(plain(0, state).map((slope) => expect.closeTo(slope, 12) as number));
  });
});

describe("the check of a workload", () => {
  const outcome = { loss: 0.10134, gradientNorm: 0.04507, peakBytes: 0 };

  test("accepts what rounds to the printed digits, or to their neighbour", () => {
    expect(() => requireAgreement("W1", outcome, spiralCheck)).not.toThrow();
    expect(agrees(3.0e-4, "3.01e-4")).toBe(true);
  });

  test("refuses a loss or a gradient that is another one", () => {
    expect(() => requireAgreement("W1", { ...outcome, loss: 0.1016 }, spiralCheck)).toThrow(MismatchError);
    expect(() => requireAgreement("W1", { ...outcome, gradientNorm: NaN }, spiralCheck)).toThrow("gradient norm NaN instead of 0.04507");
  });
});
