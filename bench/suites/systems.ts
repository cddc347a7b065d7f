/**
 * @file W7: small systems, whole solves and the cost of one evaluation. Beside tsit5 with fields in typed arrays ("dydt") and in tensors stand odex, which
 * extrapolates, and mathjs, whose Dormand–Prince method takes one absolute tolerance; both work on lists of numbers.
 *
 * The libraries do not reach the same accuracy at the same tolerance: each case has a line with the largest error at the time of its check.
 */
import { scope, tensor } from "@dydt/tensor";
import { vjp } from "@dydt/autodiff";
import { adaptive, inPlace, solve, tsit5 } from "@dydt/ode";
import { measure } from "../measure.js";
import type { MathJs, Odex } from "../peers.js";
import type { Row } from "../report.js";
import { present, type Setting, type Suite } from "../suite.js";
import { MismatchError } from "../workloads.js";
import { classicSystems, classicTolerances, type ClassicSystem } from "../workloads/classics.js";

interface Solved {
  readonly y: ArrayLike<number>;
  readonly evaluations: number;
  readonly peakBytes?: number;
}

/** A library that solves a system from 0 to a time. */
interface Competitor {
  readonly library: string;
  readonly solveTo: (t1: number) => Solved;
}

const dtype = "float64";

const inDydt = (library: string, field: ClassicSystem["field"], { y0 }: ClassicSystem): Competitor => ({
  library,
  solveTo: (t1) => {
    const { y1, stats } = solve(field, tensor(y0), { t0: 0, t1, solver: tsit5(), controller: adaptive(classicTolerances) });
    return { y: y1.data, ...stats };
  },
});

const inOdex = ({ Solver }: Odex, { plain, y0 }: ClassicSystem): Competitor => ({
  library: "odex",
  solveTo: (t1) => {
    const solver = new Solver(y0.length);
    solver.relativeTolerance = classicTolerances.rtol;
    solver.absoluteTolerance = classicTolerances.atol;
    const { y, nEval } = solver.solve(plain, 0, y0, t1);
    return { y, evaluations: nEval };
  },
});

const inMathJs = ({ solveODE }: MathJs, { plain, y0 }: ClassicSystem): Competitor => ({
  library: "mathjs",
  solveTo: (t1) => {
    let evaluations = 0;
    const counted = (t: number, y: readonly number[]): number[] => {
      evaluations++;
      return plain(t, y);
    };
    const { y } = solveODE(counted, [0, t1], y0, { method: "RK45", tol: classicTolerances.rtol, firstStep: 1e-3, maxIter: 1e6 });
    return { y: y[y.length - 1]!, evaluations };
  },
});

/** The largest error at the time of the check, by the size of the state. @throws MismatchError where it is no solution. */
const errorOf = ({ library, solveTo }: Competitor, { name, check }: ClassicSystem): number => {
  const { y } = solveTo(check.t);
  const error = Math.max(...check.y.map((exact, i) => Math.abs(y[i]! - exact) / Math.max(1, Math.abs(exact))));
  if (!(error < 1e-2)) throw new MismatchError(`${library}, ${name}, errs by ${error} at t = ${check.t}: its times mean nothing`);
  return error;
};

async function* solves(system: ClassicSystem, competitors: readonly Competitor[], { effort }: Setting): AsyncGenerator<Row, void> {
  const { name: shape, t1, check } = system;
  for (const one of competitors) yield { workload: `W7 error at t = ${check.t}`, shape, dtype, library: one.library, error: errorOf(one, system) };
  const times = await measure(shape, competitors.map(({ library, solveTo }) => ({ library, run: () => void solveTo(t1) })), effort); // prettier-ignore
  for (const { library, solveTo } of competitors) {
    const { evaluations, peakBytes } = solveTo(t1);
    const ms = times.get(library)!;
    yield { workload: "W7 solve", shape, dtype, library, ms, ...(peakBytes === undefined ? {} : { peakBytes }) };
    yield { workload: "W7 evaluations", shape, dtype, library, evaluations };
    yield { workload: "W7 per evaluation in a solve", shape, dtype, library, microseconds: (ms * 1e3) / evaluations };
  }
}

/** An evaluation of the field in tensors, alone and with its pullback. */
async function* evaluations({ name, field, y0 }: ClassicSystem, { effort }: Setting): AsyncGenerator<Row, void> {
  const [t, y, cotangent] = [tensor(0), tensor(y0), tensor(y0.map(() => 1))];
  const contenders = [
    { library: "forward", run: () => scope(() => void field(t, y)) },
    { library: "forward and vjp", run: () => scope(() => void vjp((at: typeof y) => field(t, at), y).pullback(cotangent)) },
  ];
  for (const [what, ms] of await measure(name, contenders, effort))
    yield { workload: "W7 field", shape: `${name}, ${what}`, dtype, library: "dydt, tensors", microseconds: ms * 1e3 };
}

/** Whole solves, and evaluations inside and outside of them. */
export const systems: Suite = async function* (setting) {
  const { odex, mathjs } = setting.peers;
  for (const system of classicSystems) {
    const competitors: readonly (Competitor | undefined)[] = [
      inDydt("dydt", inPlace(system.write), system),
      inDydt("dydt, tensors", system.field, system),
      odex && inOdex(odex, system),
      mathjs && inMathJs(mathjs, system),
    ];
    yield* solves(system, present(competitors), setting);
    yield* evaluations(system, setting);
  }
};
