/**
 * @file The cases of bad_inputs.json, and what their tests share.
 */
import { expect } from "vitest";
import { gradient } from "@dydt/autodiff";
import { activeRecorders, currentRegion, heap, tensor, type Tensor } from "@dydt/tensor";
import { fixedSteps, rk4, solve, SolveError, type Solution, type SolveOptions, type Step } from "@dydt/ode";
import bad from "./cases/bad_inputs.json" with { type: "json" };
import { errorOf, expectNear, lotkaVolterra, plainField } from "./problems.js";

/** A case by its id. */
export const caseOf = (id: string) => {
  const { problem } = bad.cases.find((one) => one.id === id)!;
  const { js_body, y0, t0, t1 } = problem as {
    readonly js_body: string;
    readonly y0: readonly (number | string)[];
    readonly t0: number;
    readonly t1: number | string;
  };
  return { field: plainField(js_body), y0: tensor(y0.map(Number)), t0, t1: Number(t1) };
};

/** A case, solved; what plain JavaScript may pass is allowed. */
export const run = (id: string, options: object = {}): Solution<Tensor> => {
  const { field, y0, t0, t1 } = caseOf(id);
  return solve(field, y0, { t0, t1, ...options } as SolveOptions<Step> as never);
};

export const y0 = tensor([1, 1]);
export const lv = lotkaVolterra(tensor([1.5, 1, 3, 1]));
export const anyOptions = (options: object) => options as never;

/** After a failure nothing is open, and gradients are what they were. */
export const expectUsable = () => {
  expect([activeRecorders(), currentRegion()]).toEqual([[], heap]);
  const slope = gradient((k: Tensor) =>
    solve((_t, y) => y.mul(k), tensor([1]), { t0: 0, t1: 1, solver: rk4(), controller: fixedSteps(20) }).y1.sum(),
  )(tensor(-1));
  expectNear(slope, Math.exp(-1), 1e-6);
};

/** A failure within a bounded number of evaluations. */
export const failureOf = (body: () => unknown): SolveError => {
  const error = errorOf(body) as unknown as SolveError;
  expect(error).toBeInstanceOf(SolveError);
  expect((error.solution as Solution<Tensor>).stats.evaluations).toBeLessThan(20_000);
  return error;
};
