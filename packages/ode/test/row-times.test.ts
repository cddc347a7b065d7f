import { describe, expect, test } from "vitest";
import { gradient, jvp, stopGradient } from "@dydt/autodiff";
import { ones, tensor, type Tensor } from "@dydt/tensor";
import {
  asynchronousLeapfrog, backsolveAdjoint, certifyGradient, denseAdjoint, directAdjoint, discreteAdjoint, forwardSensitivity, gaussAdjoint, grid,
  interpolatedAdjoint, reversibleAdjoint, solve, type AnyAdjoint, type Solution, type SolveOptions, type Step,
} from "@dydt/ode"; // prettier-ignore

interface Ends {
  readonly t0: Tensor;
  readonly t1: Tensor;
}
type Saves = SolveOptions<Step>["saveAt"];

const field = (t: Tensor, y: Tensor): Tensor => y.mul(t.mul(1.3).sin()).sub(y.square().mul(0.3)).add(t);
const ends: Ends = { t0: tensor(0.1), t1: tensor(1.7) };
const fractions = Array.from({ length: 25 }, (_, j) => (j / 24) * (0.6 + 0.4 * (j / 24)));
const numbers = (x: Tensor): number => stopGradient(x).item();

/** The solve along a grid that is stretched with its ends. */
const along = ({ t0, t1 }: { t0: Tensor | number; t1: Tensor | number }, options: object): Solution<Tensor> => {
  const [from, to] = [t0, t1].map((t) => (typeof t === "number" ? t : numbers(t)));
  const times = fractions.map((part, j) => (j === 0 ? from! : j === 24 ? to! : (1 - part) * from! + part * to!));
  return solve(field, tensor([1, 0.4]), { t0, t1, controller: grid(times), ...options });
};
const weights = (n: number): Tensor => tensor(Array.from({ length: n }, (_, i) => ((i * 7) % 5) - 1.5));
const loss = ({ ts, ys }: Solution<Tensor>): Tensor => {
  const n = ts.size;
  return ys.square().mul(weights(n).reshape([n, 1])).sum().add(ts.square().mul(weights(n)).sum()).add(ys.mul(ts.reshape([n, 1])).sum()); // prettier-ignore
};
const timed = (t: Tensor, y: Tensor): Tensor => y.mul(t);
const adjoints: readonly AnyAdjoint<never>[] = [
  discreteAdjoint(), discreteAdjoint({ tape: "evaluation" }), directAdjoint(), forwardSensitivity(), backsolveAdjoint(), denseAdjoint(), interpolatedAdjoint(), gaussAdjoint(),
]; // prettier-ignore

describe("saved rows have the derivatives of their times, by every adjoint and in forward mode", () => {
  test.each<[string, Saves]>([
    ["the end of every step", { every: "step" }],
    ["those, as values of time and state", { every: "step", value: timed }],
    ["those, with times that stand still", { every: "step", times: [0.5, 0.9] }],
    ["the end as a value of time and state", { value: timed }],
  ])("%s", (_, saveAt) => {
    const value = (t0: number, t1: number): number => loss(along({ t0, t1 }, { saveAt })).item();
    const h = 1e-5;
    const wanted = [(value(0.1 + h, 1.7) - value(0.1 - h, 1.7)) / (2 * h), (value(0.1, 1.7 + h) - value(0.1, 1.7 - h)) / (2 * h)];
    for (const adjoint of adjoints) {
      const { t0, t1 } = gradient((x: Ends) => loss(along(x, { saveAt, adjoint })))(ends);
      [t0, t1].forEach((found, i) => expect(Math.abs(found.item() - wanted[i]!), adjoint.name).toBeLessThan(1e-5 * Math.abs(wanted[i]!)));
    }
    const { tangent } = jvp((x: Ends) => loss(along(x, { saveAt })), ends, { t0: ones([]), t1: ones([]) });
    expect(tangent.item()).toBeCloseTo(wanted[0]! + wanted[1]!, 4);
  });

  test("of a solver whose carry is a part of the state, which is reversed", () => {
    const options = { saveAt: { every: "step" }, solver: asynchronousLeapfrog() };
    const [tape, reversed] = [directAdjoint(), reversibleAdjoint()].map((adjoint) =>
      gradient((x: Ends) => loss(along(x, { ...options, adjoint })))(ends),
    );
    expect(reversed!.t0.item()).toBeCloseTo(tape!.t0.item(), 9);
    expect(reversed!.t1.item()).toBeCloseTo(tape!.t1.item(), 9);
  });

  test.each([
    ["changes the state", (_t: Tensor, y: Tensor) => y.mul(0.5)],
    ["ends the solve", "terminate"],
  ] as const)("where an event %s", (_, then) => {
    const events = [{ when: (_t: Tensor, y: Tensor) => y.at(1).sub(0.9), then }];
    for (const saveAt of [{ every: "step" }, { every: "step", value: timed }]) {
      const of = (adjoint: AnyAdjoint<never>): Ends => gradient((x: Ends) => loss(along(x, { saveAt, events, adjoint })))(ends);
      const tape = of(directAdjoint());
      for (const adjoint of adjoints) {
        const found = of(adjoint);
        for (const key of ["t0", "t1"] as const)
          expect(Math.abs(found[key].item() - tape[key].item()), adjoint.name).toBeLessThan(1e-5 * Math.max(1, Math.abs(tape[key].item())));
      }
    }
  });

  test("so that the end of every step has a certificate", () => {
    const every = ({ t0, t1 }: Ends): Tensor => loss(solve(field, tensor([1, 0.4]), { t0, t1, saveAt: { every: "step" } }));
    const certificate = certifyGradient(every, ends);
    expect(certificate.passed, certificate.toString()).toBe(true);
  });
});
