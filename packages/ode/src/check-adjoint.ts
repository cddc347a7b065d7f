/**
 * @file The conformance kit for adjoints: does one give the derivative that it promises, of everything that can be differentiated?
 *
 * One that differentiates steps agrees with the discrete adjoint to rounding; one that differentiates the flow, to the tolerances.
 */
import { gradient as gradientOf, vjp } from "@dydt/autodiff";
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

type Loss = (adjoint: AnyAdjoint<never>) => (given: Inputs) => Tensor;

/**
 * Checks an adjoint against the discrete one: the initial state, what f closes over, both ends, save times, costs, a solve backward in time, trees, a second
 * solve, a pullback that is called again, a loss that asks for nothing.
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

  /** The difference of the gradients of a loss. */
  const against = (loss: Loss, keys: readonly (keyof Inputs)[]): number => {
    const [found, wanted] = [gradientOf(loss(own))(given), gradientOf(loss(discreteAdjoint() as unknown as AnyAdjoint<never>))(given)];
    const those = (tree: Inputs): readonly Tensor[] => keys.map((key) => tree[key]);
    return relativeDifference(those(found), those(wanted));
  };
  const end: Loss = (adjoint) => ({ y0, p, t0, t1 }) => solving(spring(p), y0, { t0, t1, adjoint }).y1.square().sum(); // prettier-ignore
  const states: Loss = (adjoint) => ({ y0, p, t0, t1, saves }) => solving(spring(p), y0, { t0, t1, saveAt: saves, adjoint }).ys.sin().sum(); // prettier-ignore
  const costs =
    (regularize: unknown): Loss =>
    (adjoint) =>
    ({ y0, p, t0, t1 }) =>
      solving(spring(p), y0, { t0, t1, regularize, adjoint }).penalties[0]!;
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
  if (!flows && estimates) checks.push(["costs of the steps", () => atMost(against(costs(errorEstimate({ norm: "rms" })), all), bound)]);
  return reportOf(adjoint.name, checks);
};
