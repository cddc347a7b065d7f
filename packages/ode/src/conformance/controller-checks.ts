/**
 * @file What a controller promises: whole solves with it, and single verdicts on made-up steps.
 */
import { gradient } from "@dydt/autodiff";
import { elementsOf, full, tensor, type Tensor } from "@dydt/tensor";
import type { Control, Controller, ControlSetup, Tolerances, Verdict } from "../controller.js";
import type { SolveOptions } from "../settings.js";
import { solve } from "../solve.js";
import { tsit5 } from "../solvers/tsit5.js";
import type { EmbeddedStep, Leaves } from "../step.js";
import { integrate } from "../steps.js";
import { exactProblems, type ExactProblem, type ListField } from "./problems.js";
import { atMost, nothingWrong, type Check } from "./report.js";

type Any = Controller<EmbeddedStep>;

const optionsOf = (controller: Any, t0: number, t1: number): SolveOptions<EmbeddedStep, Leaves> => ({
  t0,
  t1,
  solver: tsit5(),
  controller,
  maxSteps: 2_000,
});

const gridOf = (controller: Any, { field, exact, from, to }: ExactProblem): readonly number[] =>
  solve(field, exact(from), optionsOf(controller, from, to)).grid;

const sameList = (a: readonly number[], b: readonly number[]): boolean => a.length === b.length && a.every((x, i) => x === b[i]);

const covers = (controller: Any, problem: ExactProblem): Check => [
  `its steps lead from t0 to t1 in order, ${problem.name}`,
  () => {
    const grid = gridOf(controller, problem);
    const disorder = grid.findIndex((t, j) => j > 0 && (t - grid[j - 1]!) * (problem.to - problem.from) <= 0);
    const wrong =
      grid[0] !== problem.from || grid.at(-1) !== problem.to
        ? `from ${grid[0]} to ${grid.at(-1)}`
        : disorder > 0
          ? `${grid[disorder]} after ${grid[disorder - 1]}`
          : undefined;
    return nothingWrong(wrong, `from ${problem.from} to ${problem.to}`);
  },
];

const remembersNothing = (controller: Any, first: ExactProblem, second: ExactProblem): Check => [
  "two solves at a time are each what they are alone",
  () => {
    const alone = [gridOf(controller, first), gridOf(controller, second)];
    const running = [first, second].map(({ field, exact, from, to }) => integrate(field, exact(from), optionsOf(controller, from, to)));
    const together = [[first.from], [second.from]];
    for (let going = true; going;) {
      going = false;
      running.forEach((steps, i) => {
        const { value } = steps.next();
        if (value !== undefined) {
          together[i]!.push(value.t1);
          going = true;
        }
      });
    }
    return nothingWrong(alone.every((grid, i) => sameList(grid, together[i]!)) ? undefined : "other steps", "the same steps");
  },
];

const unwatched = (controller: Any, problem: ExactProblem): Check => [
  "a tape changes nothing",
  () => {
    let watched: readonly number[] = [];
    gradient((y0: Leaves) => {
      const { grid, y1 } = solve(problem.field, y0, optionsOf(controller, problem.from, problem.to));
      watched = grid;
      return y1[0]!.sum();
    })(problem.exact(problem.from));
    return nothingWrong(sameList(watched, gridOf(controller, problem)) ? undefined : "other steps under a tape", "the same steps");
  },
];

/** What a controller knows at the beginning of a problem. */
const setupOf = ({ field, exact, from, to }: ExactProblem, y0 = exact(from)): ControlSetup => ({
  t0: from,
  t1: to,
  y0,
  form: y0,
  dtype: "float64",
  errorPower: 5,
  slope: (t: number, y: Leaves) => field(tensor(t), y),
  firstSlope: undefined,
});

/** A step from t0 on with an error of a certain size, in units of the tolerances. */
const stepWith = (scale: number, { t0, t1, y0 }: ControlSetup, tolerances: Tolerances): EmbeddedStep => {
  const end = t0 + 0.1 * (t1 - t0);
  const error = y0.map((leaf, i) => {
    const [y, rtol, atol] = [elementsOf(leaf), tolerances.rtol[i]!, tolerances.atol[i]!];
    const of = (list: Float64Array, k: number): number => list[list.length === 1 ? 0 : k]!;
    return tensor(
      Array.from(y, (value: number, k) => scale * (of(atol, k) + of(rtol, k) * Math.abs(value))),
      { shape: leaf.shape },
    );
  });
  return { t0, t1: end, h: end - t0, y0, y1: y0, carry: [], error };
};

const adaptiveChecks = (controller: Any, problem: ExactProblem): readonly Check[] => {
  const setup = setupOf(problem);
  const begun = (): Extract<Control<EmbeddedStep>, { kind: "adaptive" }> => {
    const control = controller.begin(setup);
    if (control.kind !== "adaptive") throw new Error("it was adaptive before");
    return control;
  };
  const judge = (scale: number): Verdict => {
    const control = begun();
    return control.judge(stepWith(scale, setup, control.tolerances));
  };
  const attempted = 0.1 * Math.abs(setup.t1 - setup.t0);
  const healthy = ({ h }: Verdict): boolean => Number.isFinite(h) && h > 0;
  const solution = (t: number): Tensor => problem.exact(t)[0]!;
  return [
    ["the first step has a length from 0 to the interval", () => nothingWrong(begun().first > 0 && begun().first <= Math.abs(setup.t1 - setup.t0) ? undefined : String(begun().first), "in the interval")], // prettier-ignore
    ["an error within the tolerances is accepted", () => nothingWrong(judge(0.5).accept && healthy(judge(0.5)) ? undefined : "rejected", "accepted")],
    ["no error at all is accepted, and the next step has a length", () => nothingWrong(judge(0).accept && healthy(judge(0)) ? undefined : `h = ${judge(0).h}`, "accepted")], // prettier-ignore
    ["an error of twice the tolerances is rejected", () => nothingWrong(judge(2).accept ? "accepted" : undefined, "rejected")],
    ["what is rejected is tried with a shorter step", () => nothingWrong(judge(100).h < attempted && healthy(judge(100)) ? undefined : `h = ${judge(100).h}`, `below ${attempted}`)], // prettier-ignore
    ["an error that is no number is rejected, with a shorter step", () => nothingWrong(!judge(NaN).accept && judge(NaN).h < attempted && healthy(judge(NaN)) ? undefined : `accept ${judge(NaN).accept}, h = ${judge(NaN).h}`, "rejected")], // prettier-ignore
    [
      "the solution is within a hundred tolerances",
      () => {
        const { rtol, atol } = begun().tolerances;
        const { y1 } = solve(problem.field, problem.exact(problem.from), optionsOf(controller, problem.from, problem.to));
        const [y, exact] = [elementsOf(y1[0]!)[0]!, elementsOf(solution(problem.to))[0]!];
        return atMost(Math.abs(y - exact) / (atol[0]![0]! + rtol[0]![0]! * Math.abs(exact)), 100);
      },
    ],
  ];
};

/** y′ = 0 on an interval of no length. */
const nowhere = (controller: Any): Check => [
  "an interval of no length takes no step",
  () => {
    const still: ListField = (_t, y) => y.map((leaf) => leaf.mul(0));
    const { stats, y1 } = solve(still, [full([2], 3)] as Leaves, optionsOf(controller, 1, 1));
    return nothingWrong(stats.accepted === 0 && y1[0]!.at(0).item() === 3 ? undefined : `${stats.accepted} steps`, "no step");
  },
];

/** Everything that is checked of a controller. */
export const controllerChecks = (controller: Any): readonly Check[] => {
  const problems = exactProblems();
  const [growth, rotation] = problems;
  const adaptive = (): boolean => controller.begin(setupOf(growth)).kind === "adaptive";
  let isAdaptive = false;
  try {
    isAdaptive = adaptive();
  } catch {
    // The checks below meet the same error, and report it.
  }
  return [
    ...problems.map((problem) => covers(controller, problem)),
    remembersNothing(controller, growth, rotation!),
    unwatched(controller, growth),
    nowhere(controller),
    ...(isAdaptive ? adaptiveChecks(controller, growth) : []),
  ];
};
