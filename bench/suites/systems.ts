/**
 * @file W7: small systems by tsit5, whole solves and the cost of one evaluation; odex, which works on arrays of numbers and extrapolates, beside it.
 */
import { scope, tensor } from "@dydt/tensor";
import { vjp } from "@dydt/autodiff";
import { adaptive, solve, tsit5 } from "@dydt/ode";
import { measure, type Contender } from "../measure.js";
import type { Odex } from "../peers.js";
import { present, type Suite } from "../suite.js";
import { MismatchError } from "../workloads.js";
import { classicSystems, classicTolerances, type ClassicSystem } from "../workloads/classics.js";

const solveIt = ({ field, y0 }: ClassicSystem, t1: number) =>
  solve(field, tensor(y0), { t0: 0, t1, solver: tsit5(), controller: adaptive(classicTolerances) });

const requireState = (what: string, y: readonly number[], expected: readonly number[]): void => {
  if (!expected.every((exact, i) => Math.abs(y[i]! - exact) <= 1e-3 * Math.max(1, Math.abs(exact))))
    throw new MismatchError(`${what} ends at ${y.join(", ")} instead of ${expected.join(", ")}: its times mean nothing`);
};

const inOdex = ({ Solver }: Odex, system: ClassicSystem): Contender => {
  const solveTo = (t1: number): readonly number[] => {
    const solver = new Solver(system.y0.length);
    solver.relativeTolerance = classicTolerances.rtol;
    solver.absoluteTolerance = classicTolerances.atol;
    return solver.solve(system.plain, 0, system.y0, t1).y;
  };
  requireState(`odex, ${system.name},`, solveTo(system.check.t), system.check.y);
  return { library: "odex", run: () => void solveTo(system.t1) };
};

/** Whole solves, evaluations inside them, and evaluations with their pullback. */
export const systems: Suite = async function* ({ peers: { odex }, effort }) {
  for (const system of classicSystems) {
    const { name: shape, t1, check, field, y0 } = system;
    requireState(`dydt, ${shape},`, Array.from(solveIt(system, check.t).y1.data), check.y);
    const { accepted, rejected, evaluations, peakBytes } = solveIt(system, t1).stats;
    const times = await measure(shape, present([{ library: "dydt", run: () => void solveIt(system, t1) }, odex && inOdex(odex, system)]), effort);
    const dtype = "float64";
    for (const [library, ms] of times) yield { workload: "W7 solve", shape, dtype, library, ms, ...(library === "dydt" ? { peakBytes } : {}) };
    const perEvaluation = (times.get("dydt")! * 1e3) / evaluations;
    yield {
      workload: "W7 per evaluation in a solve",
      shape: `${shape}, ${accepted} steps, ${rejected} rejected`,
      dtype,
      library: "dydt",
      microseconds: perEvaluation,
    };

    const [t, y, cotangent] = [tensor(0), tensor(y0), tensor(y0.map(() => 1))];
    const pulled = await measure(
      shape,
      [
        { library: "forward", run: () => scope(() => void field(t, y)) },
        { library: "vjp", run: () => scope(() => void vjp((at: typeof y) => field(t, at), y).pullback(cotangent)) },
      ],
      effort,
    );
    for (const [what, ms] of pulled)
      yield {
        workload: "W7 field",
        shape: `${shape}, ${what === "vjp" ? "forward and vjp" : "forward"}`,
        dtype,
        library: "dydt",
        microseconds: ms * 1e3,
      };
  }
};
