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

/** What an evaluation within a solve by `inPlace` may cost, in evaluations within a solve by odex. */
const inPlaceBound = 2;
/** For how long both are run for that, in turns, in milliseconds; and how often before the promise counts as broken. */
const [boundTime, boundTurn, boundTrials] = [4000, 5, 3];

/** What an evaluation costs in those of another library, by the fastest of many solves of both: on a busy machine medians are no ground for a verdict. */
const fastestRatio = (one: Competitor, other: Competitor, t1: number): number => {
  const both = [one, other].map((competitor) => ({ ...competitor, fastest: Infinity, evaluations: competitor.solveTo(t1).evaluations }));
  const begun = performance.now();
  while (performance.now() - begun < boundTime)
    for (const competitor of both) {
      const turn = performance.now();
      for (let start = turn, end = turn; end - turn < boundTurn; start = end) {
        competitor.solveTo(t1);
        end = performance.now();
        competitor.fastest = Math.min(competitor.fastest, end - start);
      }
    }
  const [cost, unit] = both.map(({ fastest, evaluations }) => fastest / evaluations);
  return cost! / unit!;
};

/** @throws MismatchError where `inPlace` costs more than {@link inPlaceBound} evaluations of odex. */
const requireBound = (competitors: readonly Competitor[], { name, t1 }: ClassicSystem): void => {
  const [own, odex] = ["dydt", "odex"].map((wanted) => competitors.find(({ library }) => library === wanted));
  if (own === undefined || odex === undefined) return;
  let ratio = fastestRatio(own, odex, t1);
  for (let trial = 1; trial < boundTrials && ratio > inPlaceBound; trial++) ratio = fastestRatio(own, odex, t1);
  if (!(ratio <= inPlaceBound))
    throw new MismatchError(`${name} by inPlace costs ${ratio.toFixed(2)} times odex for each evaluation: at most ${inPlaceBound} are promised`);
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
  requireBound(competitors, system);
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

/** Whole solves, and evaluations inside and outside of them. @throws MismatchError where `inPlace` costs more than is promised. */
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
