/**
 * @file The conformance kit for adjoints: does one give the derivative that it promises, of everything that can be differentiated?
 *
 * One that differentiates steps agrees with the discrete adjoint to rounding; one that differentiates the flow, to the tolerances.
 */
import { gradient as gradientOf, valueAndGradient, vjp } from "@dydt/autodiff";
import { checkOptions, leavesOf, mapTree, ones, stack, tensor, zerosLike, type Tensor } from "@dydt/tensor";
import { requireObject } from "./arguments.js";
import type { AnyAdjoint } from "./adjoint.js";
import { discreteAdjoint } from "./adjoints/discrete.js";
import { relativeDifference } from "./compare.js";
import { sameBits } from "./conformance/problems.js";
import { atMost, nothingWrong, reportOf, type Check, type ConformanceReport } from "./conformance/report.js";
import type { Controller } from "./controller.js";
import { adaptive } from "./controllers/adaptive.js";
import { fixedSteps } from "./controllers/fixed.js";
import { errorEstimate } from "./regularizers/error-estimate.js";
import { kineticEnergy } from "./regularizers/kinetic-energy.js";
import type { SolveOptions } from "./settings.js";
import type { Solution } from "./solution.js";
import { solve } from "./solve.js";
import type { Solver } from "./solver.js";
import { tsit5 } from "./solvers/tsit5.js";
import type { Step } from "./step.js";
import type { Ode } from "./term.js";

/** Options of {@link checkAdjoint}. */
export interface CheckAdjointOptions {
  /** For which solver; default {@link tsit5}. Without an error estimate it takes equal steps. */
  readonly solver?: Solver<Ode, Step>;
  /** The largest difference from the discrete adjoint; default 1e-10 for adjoints of steps, 1e-5 for those of the flow, solved at 1e-9. */
  readonly tolerance?: number;
}

interface Inputs {
  readonly y0: Tensor;
  readonly p: Tensor;
  readonly t0: Tensor;
  readonly t1: Tensor;
  readonly saves: Tensor;
}

const inputs = (): Inputs => ({ y0: tensor([1, 0.5]), p: tensor([1.3, 0.2, 0.7]), t0: tensor(0.1), t1: tensor(1.9), saves: tensor([0.4, 1.1]) });

/** A driven, damped spring. */
const spring =
  (p: Tensor) =>
  (t: Tensor, y: Tensor): Tensor => {
    const [x, v] = [y.at(0), y.at(1)];
    return stack([v, t.mul(2).sin().mul(p.at(2)).sub(x.mul(p.at(0))).sub(x.pow(3).mul(p.at(1))).sub(v.mul(0.3))]); // prettier-ignore
  };

interface Found {
  readonly value: Tensor;
  readonly gradient: Inputs;
}

type Loss = (adjoint: AnyAdjoint<never>) => (given: Inputs) => Tensor;

/**
 * Checks an adjoint against the discrete one: the initial state, what f closes over, both ends, save times, costs, events where it takes them, a solve backward in
 * time, trees, the solution itself and its counts, a second solve, a pullback that is called again, a loss that asks for nothing.
 *
 * Cost: some twenty gradients of a problem with two components.
 *
 * @param adjoint - of either kind.
 * @returns a report; nothing is thrown, whatever the adjoint does.
 * @throws OptionError for options that are not known, and for what is no adjoint.
 * @example
 * const report = checkAdjoint(discreteAdjoint({ checkpoints: revolve(3) }));
 * if (!report.passed) throw new Error(report.toString());
 */
export const checkAdjoint = <R extends Step>(adjoint: AnyAdjoint<R>, options: CheckAdjointOptions = {}): ConformanceReport => {
  checkOptions("checkAdjoint", options, ["solver", "tolerance"]);
  requireObject("checkAdjoint", adjoint, "solve", "an adjoint such as discreteAdjoint()");
  const flows = adjoint.differentiates === "flow";
  const { solver = tsit5(), tolerance = flows ? 1e-5 : 1e-10 } = options;
  const estimates = solver.errorOrder !== undefined;
  const controller = (estimates && flows ? adaptive({ rtol: 1e-9, atol: 1e-9 }) : fixedSteps(estimates ? 12 : 60)) as unknown as Controller<Step>;
  const own = adjoint as unknown as AnyAdjoint<never>;
  const given = inputs();
  const solving = (f: ReturnType<typeof spring>, y0: Tensor, settings: object) =>
    solve(f, y0, { solver, controller, ...settings } as unknown as SolveOptions<Step>);
  const bound = estimates || !flows ? tolerance : Math.max(tolerance, 1e-2);

  /** The difference of the gradients of a loss; of its values, where that is larger. */
  const against = (loss: Loss, keys: readonly (keyof Inputs)[]): number => {
    const [found, wanted] = [own, discreteAdjoint() as unknown as AnyAdjoint<never>].map((adjoint) => valueAndGradient(loss(adjoint))(given)) as [
      Found,
      Found,
    ];
    const those = ({ gradient }: Found): readonly Tensor[] => keys.map((key) => gradient[key]);
    return Math.max(relativeDifference(those(found), those(wanted)), relativeDifference(found.value, wanted.value));
  };
  const end: Loss = (adjoint) => ({ y0, p, t0, t1 }) => solving(spring(p), y0, { t0, t1, adjoint }).y1.square().sum(); // prettier-ignore
  const states: Loss = (adjoint) => ({ y0, p, t0, t1, saves }) => solving(spring(p), y0, { t0, t1, saveAt: saves, adjoint }).ys.sin().sum(); // prettier-ignore
  const costs =
    (regularize: unknown): Loss =>
    (adjoint) =>
    ({ y0, p, t0, t1 }) =>
      solving(spring(p), y0, { t0, t1, regularize, adjoint }).penalties[0]!;
  const happening: Loss =
    (adjoint) =>
    ({ y0, p, t0, t1 }) => {
      const event = { when: (_t: Tensor, y: Tensor) => y.at(0).sub(p.at(2)), direction: "down", then: (_t: Tensor, y: Tensor) => y.mul(p.at(2)) };
      const { events, y1 } = solving(spring(p), y0, { t0, t1, events: [event], adjoint });
      return events[0]!.times.sum().add(events[0]!.states.square().sum()).add(y1.sum());
    };
  const backward: Loss = (adjoint) => ({ y0, p, t0, t1 }) => solving(spring(p), y0, { t0: t1, t1: t0, adjoint }).y1.square().sum(); // prettier-ignore
  const tree: Loss =
    (adjoint) =>
    ({ y0, p, t0, t1 }) =>
      solve(
        (t: Tensor, { x, v }: { readonly x: Tensor; readonly v: Tensor }) => ({
          x: v,
          v: x
            .mul(p.at(0))
            .neg()
            .add(t.mul(p.at(1))),
        }),
        { x: y0.at(0), v: y0.at(1) },
        { t0, t1, solver, controller, adjoint } as never,
      ).y1.x.square();

  /** What differs between the solve that is differentiated and a plain one; an adjoint may evaluate f besides, one of the flow may end steps elsewhere. What is tried out before need not be counted. */
  const otherSolution = (): string | undefined => {
    let calls = 0;
    const solved = ({ y0, p, t0, t1, saves }: Inputs): Solution<Tensor> => {
      const field = spring(p);
      return solving((t, y) => (calls++, field(t, y)), y0, { t0, t1, saveAt: saves, adjoint: own });
    };
    const plain = solved(given);
    calls = 0;
    let seen = plain;
    const { pullback } = vjp((x: Inputs) => ((seen = solved(x)), seen.ys.sum()), given);
    const { evaluations } = seen.stats;
    if (evaluations < plain.stats.evaluations || evaluations > calls)
      return `${evaluations} evaluations are counted: ${calls} were made, and a plain solve makes ${plain.stats.evaluations}`;
    calls = 0;
    pullback(ones([]));
    const counted = seen.stats.reverse?.evaluations;
    if (counted !== calls) return `${String(counted)} evaluations of the reverse are counted: ${calls} were made`;
    const [again, before] = [[seen.ys, seen.y1], [plain.ys, plain.y1]]; // prettier-ignore
    const isSame = flows ? relativeDifference(again, before) <= bound : sameBits([...again, tensor(seen.grid)], [...before, tensor(plain.grid)]);
    return isSame ? undefined : "other numbers";
  };

  const all: readonly (keyof Inputs)[] = ["y0", "p", "t0", "t1"];
  const checks: Check[] = [
    ["the end state: its gradients with respect to y0, parameters, t0 and t1", () => atMost(against(end, all), bound)],
    ["saved states: also with respect to the save times", () => atMost(against(states, [...all, "saves"]), bound)],
    ["running costs", () => atMost(against(costs(kineticEnergy()), all), bound)],
    ["backward in time", () => atMost(against(backward, all), bound)],
    ["states that are trees, and 0-d", () => atMost(against(tree, all), bound)],
    ["a gradient of a thousandth of the loss is a thousandth of it", () => {
      const part: Loss = (adjoint) => (x) => end(adjoint)(x).mul(1 / 1024);
      const [whole, small] = [gradientOf(end(own))(given), gradientOf(part(own))(given)];
      return atMost(relativeDifference(leavesOf(small).map((leaf) => leaf.mul(1024)), leavesOf(whole)), 1e-6);
    }],
    ["the solution is that of a plain solve, and every evaluation is counted", () => nothingWrong(otherSolution(), flows ? "the same numbers, and counts" : "the same bits, and counts")],
    ["the same call gives the same bits", () => {
      const call = () => leavesOf(gradientOf(states(own))(given));
      return nothingWrong(sameBits(call(), call()) ? undefined : "other bits", "the same bits");
    }],
    ["a pullback that is called again gives the same bits", () => {
      const { pullback } = vjp(states(own), given);
      const call = () => leavesOf(pullback(ones([])));
      return nothingWrong(sameBits(call(), call()) ? undefined : "other bits", "the same bits");
    }],
    ["what the loss does not depend on gets zeros of the right shape", () => {
      const found = leavesOf(gradientOf((x: Inputs) => states(own)(x).mul(0).add(x.p.sum()))(given));
      const expected: Inputs = { ...mapTree((leaf) => zerosLike(leaf), given), p: ones([3]) };
      return atMost(relativeDifference(found, leavesOf(expected)), 0);
    }],
  ]; // prettier-ignore
  if (adjoint.events === true && solver.interpolates === true)
    checks.push(["events: their times and states, and what follows from a change", () => atMost(against(happening, all), bound)]);
  if (!flows && estimates) checks.push(["costs of the steps", () => atMost(against(costs(errorEstimate({ norm: "rms" })), all), bound)]);
  return reportOf(adjoint.name, checks);
};
