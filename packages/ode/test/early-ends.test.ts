import { describe, expect, test } from "vitest";
import { gradient, jvp } from "@dydt/autodiff";
import { tensor, type Tensor } from "@dydt/tensor";
import {
  adaptive, backsolveAdjoint, denseAdjoint, directAdjoint, discreteAdjoint, fixedSteps, gaussAdjoint, interpolatedAdjoint, solve,
  type DefaultStep, type SolveEvent, type SolveOptions,
} from "@dydt/ode"; // prettier-ignore
import { expectNear } from "./problems.js";

type Options = Partial<SolveOptions<DefaultStep>>;
const flows = { backsolve: backsolveAdjoint(), dense: denseAdjoint(), interpolated: interpolatedAdjoint(), gauss: gaussAdjoint() } as const;
const names = Object.keys(flows) as (keyof typeof flows)[];

describe("a solve that ended before t1 ends at a fraction of what its last step lies between", () => {
  const inputs = { k: tensor(0.7), y0: tensor([1]), t0: tensor(0), t1: tensor(1), tau: tensor(0.26) };
  /** The end state after so many steps, with a field that depends on time, and an event that changes the state. */
  const endAfter = (steps: number, options: Options, happens: boolean) => ({ k, y0, t0, t1, tau }: typeof inputs): Tensor => {
    let taken = 0;
    const event: SolveEvent<Tensor> = { when: (t) => t.sub(tau), then: (t, y) => y.mul(t.add(2)) };
    return solve((t, y) => y.mul(k).mul(t.add(1)), y0, {
      t0, t1, controller: fixedSteps(40), events: happens ? [event] : [], onStep: () => (++taken === steps ? "stop" : undefined), ...options,
    }).y1.sum();
  }; // prettier-ignore

  test.each(names)("%sAdjoint agrees with the discrete one, on given and found steps, after an event, at it and before it", (name) => {
    const found = { controller: adaptive({ rtol: 1e-8, times: [0.3, 0.6], max: 0.1 }) };
    const cases: readonly (readonly [number, Options, boolean])[] = [
      [16, {}, false],
      [7, found, false],
      [20, {}, true],
      [11, {}, true],
      [10, {}, true],
    ];
    for (const [steps, options, happens] of cases) {
      const by = (adjoint: unknown) => gradient(endAfter(steps, { ...options, adjoint } as Options, happens))(inputs);
      expectNear(by(flows[name]), by(discreteAdjoint()), 1e-6);
    }
  });

  test.each(names)("%sAdjoint has the slope of differences in t1 where maxSteps ended the solve", (name) => {
    const loss = (t1: Tensor): Tensor =>
      solve((_t, y) => y.mul(0.7), tensor([1]), {
        t0: 0,
        t1,
        controller: fixedSteps(10),
        maxSteps: 4,
        throw: false,
        adjoint: flows[name],
      }).y1.sum();
    const difference = (loss(tensor(1.001)).item() - loss(tensor(0.999)).item()) / 0.002;
    expect(gradient(loss)(tensor(1)).item()).toBeCloseTo(difference, 5);
  });
});

describe("the state saved where an event ended the solve moves with the event", () => {
  const lastRow = (saveAt: SolveOptions<DefaultStep>["saveAt"], adjoint: unknown) => (tau: Tensor): Tensor => {
    const event: SolveEvent<Tensor> = { when: (t) => t.sub(tau), then: "terminate" };
    return solve((_t, y) => y.mul(0).add(3), tensor([1]), { t0: 0, t1: 1, saveAt, events: [event], adjoint } as SolveOptions<DefaultStep>).ys.at(-1).sum();
  }; // prettier-ignore

  test.each([discreteAdjoint(), directAdjoint(), ...names.map((name) => flows[name])])("with $name", (adjoint) => {
    expect(gradient(lastRow({ every: "step" }, adjoint))(tensor(0.5)).item()).toBeCloseTo(3, 8);
    expect(gradient(lastRow([0.2, 0.5], adjoint))(tensor(0.5)).item()).toBeCloseTo(3, 8);
  });

  test("in forward mode", () => {
    expect(jvp(lastRow({ every: "step" }, discreteAdjoint()), tensor(0.5), tensor(1)).tangent.item()).toBeCloseTo(3, 8);
  });
});
