/**
 * @file Orders: what a solver says of its accuracy, measured.
 *
 * The order is the slope of the largest error at step ends, over h; a local order, of one step, is one higher than the global order it causes. Where the slope is too
 * small, shorter steps are looked at: two terms of the error may cancel each other at the lengths that come first.
 */
import type { Solver } from "../solver.js";
import type { DenseStep, EmbeddedStep, Leaves, Step } from "../step.js";
import type { Ode } from "../term.js";
import { benchOf, equalSteps, sizeOf } from "./bench.js";
import { exactProblems, largestDifference, observedOrder, type ExactProblem } from "./problems.js";
import { atLeast, atMost, nothingWrong, type Check, type Measurement } from "./report.js";

/** Step lengths, long ones first, and those that are added where the leading term of the error does not lead yet. */
interface Lengths {
  readonly usual: readonly number[];
  readonly finer: readonly number[];
}

/** Numbers of steps over an interval: coarse enough that a method of the order is not at rounding. */
const overall = (order: number, { from, to }: ExactProblem): Lengths => {
  const first = [60, 60, 30, 20, 20, 10][order] ?? 6;
  const cut = (factors: readonly number[]): readonly number[] => factors.map((factor) => Math.abs(to - from) / Math.round(first * factor));
  return order > 5 ? { usual: cut([1, 1.5, 2, 3, 4, 6, 8, 12]), finer: cut([16, 24, 32]) } : { usual: cut([1, 2, 4, 8, 16]), finer: cut([32, 64]) };
};

/** Lengths of one step. */
const single = (order: number): Lengths => {
  const parts = (counts: readonly number[]): readonly number[] => counts.map((n) => 1 / n);
  return order > 5
    ? { usual: parts([1.5, 2, 3, 4, 6, 8, 12, 16]), finer: parts([24, 32, 48]) }
    : { usual: parts([4, 8, 16, 32, 64]), finer: parts([128, 256]) };
};

/** The observed order, which must not be below a bound; with shorter steps where the usual ones are not enough for it. */
const orderAtLeast = (bound: number, errorAt: (h: number) => number, { usual, finer }: Lengths, rounding: number): Measurement => {
  const known = new Map<number, number>();
  const errorOnce = (h: number): number => {
    const error = known.get(h) ?? errorAt(h);
    known.set(h, error);
    return error;
  };
  const first = observedOrder(errorOnce, usual, rounding);
  return atLeast(first < bound ? observedOrder(errorOnce, [...usual, ...finer], rounding) : first, bound);
};

/** Where single steps begin: at several times, since the leading term may cancel at one of them. */
const beginnings = [0.5, 0.8, 1.1, 1.7];

const globalError = (solver: Solver<Ode, Step>, problem: ExactProblem, h: number): number => {
  const n = Math.round(Math.abs(problem.to - problem.from) / h);
  const steps = benchOf(solver, problem).walk(equalSteps(problem.from, problem.to, n), problem.exact(problem.from));
  return worst(steps.map(({ t1, y1 }) => largestDifference(y1, problem.exact(t1))));
};

/** The largest; NaN where one is. */
const worst = (list: readonly number[]): number => Math.max(0, ...list);

const singleSteps = (solver: Solver<Ode, Step>, problem: ExactProblem, h: number, measure: (step: Step) => number): number => {
  const signed = problem.to < problem.from ? -h : h;
  const bench = benchOf(solver, problem);
  return worst(beginnings.map((t0) => measure(bench.step(t0, t0 + signed, problem.exact(t0)))));
};

const globalChecks = (solver: Solver<Ode, Step>, slack: number): readonly Check[] =>
  exactProblems(solver.equations).map((problem): Check => {
    const errorAt = (h: number): number => globalError(solver, problem, h);
    return [`order ${solver.order} on ${problem.name}`, () => orderAtLeast(solver.order - slack, errorAt, overall(solver.order, problem), 2e-13)];
  });

const embeddedChecks = (solver: Solver<Ode, Step>, slack: number): readonly Check[] => {
  const { errorOrder } = solver;
  if (errorOrder === undefined) return [];
  const size = (step: Step): number => {
    if (!("error" in step)) throw new Error("the solver names an errorOrder, but its steps have no error");
    return sizeOf((step as EmbeddedStep).error);
  };
  return exactProblems(solver.equations).map((problem): Check => {
    const errorAt = (h: number): number => singleSteps(solver, problem, h, size);
    const measure = () => orderAtLeast(errorOrder + 1 - slack, errorAt, single(solver.order), 1e-14);
    return [`the error estimate falls as h^${errorOrder + 1} on ${problem.name}`, measure];
  });
};

const denseChecks = (solver: Solver<Ode, Step>, slack: number): readonly Check[] => {
  if (solver.interpolates !== true) return [];
  const at = (step: Step, t: number): Leaves => {
    if (!("at" in step)) throw new Error("the solver says that it interpolates, but its steps have no at");
    return (step as DenseStep).at(t);
  };
  const order = solver.denseOrder ?? 1;
  const problems = exactProblems(solver.equations);
  const local = problems.map((problem): Check => {
    const between = (step: Step): number =>
      worst(
        [0.2, 0.4, 0.6, 0.8].map((theta) => {
          const t = step.t0 + theta * (step.t1 - step.t0);
          return largestDifference(at(step, t), problem.exact(t));
        }),
      );
    const errorAt = (h: number): number => singleSteps(solver, problem, h, between);
    return [`dense output of order ${order} on ${problem.name}`, () => orderAtLeast(order + 1 - slack, errorAt, single(order), 2e-13)];
  });
  const ends: Check = [
    "dense output meets both ends of the step",
    () =>
      atMost(
        singleSteps(solver, problems[0], 0.25, (step) =>
          Math.max(largestDifference(at(step, step.t0), step.y0), largestDifference(at(step, step.t1), step.y1)),
        ),
        1e-12,
      ),
  ];
  return [ends, ...local];
};

/** y′ = −y with one step of length h: within the region of stability, |y₁| ≤ |y₀|. */
const stabilityChecks = (solver: Solver<Ode, Step>): readonly Check[] => {
  const { stabilitySize } = solver;
  if (stabilitySize === undefined || stabilitySize === Infinity || solver.carries === "state" || solver.equations === "second order") return [];
  const decay: ExactProblem = { ...exactProblems()[0], field: (_t, y) => y.map((leaf) => leaf.neg()) };
  const growth = (h: number): number => {
    const y0 = decay.exact(0);
    return sizeOf(benchOf(solver, decay).step(0, h, y0).y1) / sizeOf(y0);
  };
  return [
    [
      `stable on the negative axis to ${stabilitySize} and no further`,
      () =>
        nothingWrong(
          growth(0.999 * stabilitySize) > 1 ? "unstable before" : growth(1.001 * stabilitySize) <= 1 ? "stable beyond" : undefined,
          "stable before, unstable beyond",
        ),
    ],
  ];
};

/** Every order that a solver names. */
export const orderChecks = (solver: Solver<Ode, Step>, slack: number): readonly Check[] => [
  ...globalChecks(solver, slack),
  ...embeddedChecks(solver, slack),
  ...denseChecks(solver, slack),
  ...stabilityChecks(solver),
];
