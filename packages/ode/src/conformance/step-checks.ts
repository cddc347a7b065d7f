/**
 * @file Steps as pure functions: the same bits again, carries that are what they say, stages at t1 itself, steps that can be undone.
 */
import { gradient, revolve } from "@dydt/autodiff";
import { cast, concat, type Tensor } from "@dydt/tensor";
import { discreteAdjoint } from "../adjoints/discrete.js";
import { fixedSteps } from "../controllers/fixed.js";
import type { SolveOptions } from "../settings.js";
import { solve } from "../solve.js";
import type { Solver } from "../solver.js";
import type { DenseStep, EmbeddedStep, Leaves, Step } from "../step.js";
import { integrate } from "../steps.js";
import { checkTableau } from "../tableau.js";
import type { Ode } from "../term.js";
import { benchOf, cut, equalSteps, sizeOf, workbench } from "./bench.js";
import { exactProblems, largestDifference, sameBits, type ExactProblem, type ListField } from "./problems.js";
import { atMost, nothingWrong, type Check } from "./report.js";

type Any = Solver<Ode, Step>;

/** Everything that a step has, as tensors. */
const contents = (step: Step): Leaves => [
  ...step.y1,
  ...step.carry,
  ...("error" in step ? (step as EmbeddedStep).error : []),
  ...("at" in step ? (step as DenseStep).at(step.t0 + 0.3 * (step.t1 - step.t0)) : []),
];

const walkOf = (solver: Any, problem: ExactProblem, n = 8): readonly Step[] =>
  benchOf(solver, problem).walk(equalSteps(problem.from, problem.to, n), problem.exact(problem.from));

const tableauCheck = ({ tableau }: Any): readonly Check[] =>
  tableau === undefined
    ? []
    : [["the tableau meets its row sums and order conditions", () => nothingWrong((checkTableau({ ...tableau }), undefined), "they hold")]];

const replay = (solver: Any, problem: ExactProblem): Check => [
  "a step that is taken again has the same bits, and changes nothing it was given",
  () => {
    const bench = benchOf(solver, problem);
    const steps = bench.walk(equalSteps(problem.from, problem.to, 4), problem.exact(problem.from));
    const carries = [solver.start(bench.term, problem.from, steps[0]!.y0), ...steps.map((step) => step.carry)];
    const kept = [...steps[2]!.y0, ...carries[2]!].map((leaf) => leaf.clone());
    const again = bench.step(steps[2]!.t0, steps[2]!.t1, steps[2]!.y0, carries[2]);
    const wrong = !sameBits(contents(again), contents(steps[2]!))
      ? "other bits"
      : sameBits(kept, [...steps[2]!.y0, ...carries[2]!])
        ? undefined
        : "its arguments were written to";
    return nothingWrong(wrong, "the same bits");
  },
];

const carry = (solver: Any, problem: ExactProblem): Check => {
  const steps = () => walkOf(solver, problem);
  if (solver.carries === "nothing")
    return ["nothing is carried", () => atMost(Math.max(...steps().map((step) => step.carry.length), solver.start(benchOf(solver, problem).term, problem.from, problem.exact(problem.from)).length), 0)]; // prettier-ignore
  if (solver.carries === "recoverable")
    return [
      "what is carried is what start gives, with the same bits",
      () => {
        const { term } = benchOf(solver, problem);
        const differing = steps().filter((step) => !sameBits(step.carry, solver.start(term, step.t1, step.y1)));
        return nothingWrong(differing.length === 0 ? undefined : `other bits at t = ${differing[0]!.t1}`, "the same bits");
      },
    ];
  return [
    "what is carried has one form throughout, and is finite",
    () => {
      const first = solver.start(benchOf(solver, problem).term, problem.from, problem.exact(problem.from));
      const form = (leaves: Leaves) => leaves.map((leaf) => `${leaf.dtype} ${leaf.shape.join("×")}`).join(", ");
      const wrong = steps().find((step) => form(step.carry) !== form(first) || !Number.isFinite(sizeOf(step.carry)));
      return nothingWrong(wrong === undefined ? undefined : `${form(wrong.carry)} after ${form(first)}`, "one form");
    },
  ];
};

/** Intervals with t0 + (t1 − t0) ≠ t1 in floating point. */
const awkward: readonly (readonly [number, number])[] = [
  [0.3, 0.9],
  [1.1, 0.3],
  [0.8, 0.1],
  [0.7, 2.9],
  [1.2, 3.4],
];

const ends = (solver: Any, problem: ExactProblem): Check => [
  "a stage at the end of the step is evaluated at t1 itself",
  () => {
    let wrong: string | undefined;
    for (const [t0, t1] of awkward) {
      const bench = benchOf(solver, problem);
      const step = bench.step(t0, t1, problem.exact(t0));
      contents(step);
      const beside = bench.times.find((t) => t !== t1 && Math.abs(t - t1) < 1e-12);
      if (beside !== undefined) wrong = `at ${beside} instead of ${t1}`;
      if (step.t0 !== t0 || step.t1 !== t1) wrong = `the record says from ${step.t0} to ${step.t1}, the step was from ${t0} to ${t1}`;
    }
    return nothingWrong(wrong, "at t1");
  },
];

const mirrored = (field: ListField, equations: Any["equations"]): ListField =>
  equations === "second order"
    ? // Time reversed: positions stay, velocities change their sign.
      (t, y) => {
        const half = y.length / 2;
        const slope = field(t.neg(), [...y.slice(0, half), ...y.slice(half).map((leaf) => leaf.neg())]);
        return [...slope.slice(0, half).map((leaf) => leaf.neg()), ...slope.slice(half)];
      }
    : (t, y) => field(t.neg(), y).map((leaf) => leaf.neg());

const reflection = (solver: Any, problem: ExactProblem): Check => [
  "backward in time it is the mirror image of forward",
  () => {
    const second = solver.equations === "second order";
    const mirror = (y: Leaves): Leaves => (second ? y.map((leaf, i) => (i < y.length / 2 ? leaf : leaf.neg())) : y);
    const times = equalSteps(problem.from, problem.to, 8);
    const y0 = problem.exact(problem.from);
    const forward = benchOf(solver, problem).walk(times, y0).at(-1)!.y1;
    const bench = workbench(solver, mirrored(problem.field, solver.equations), y0);
    const backward = bench.walk(times.map((t) => (t === 0 ? 0 : -t)), mirror(y0)).at(-1)!.y1; // prettier-ignore
    return atMost(largestDifference(mirror(backward), forward) / sizeOf(forward), 1e-12);
  },
];

const inverse = (solver: Any, problem: ExactProblem): readonly Check[] => {
  const { inverse: undo } = solver;
  if (undo === undefined) return [];
  return [
    [
      `the inverse gives back the state and the carry, ${problem.name}`,
      () => {
        const bench = benchOf(solver, problem);
        const steps = bench.walk(equalSteps(problem.from, problem.to, 40), problem.exact(problem.from));
        const first = solver.start(bench.term, problem.from, problem.exact(problem.from));
        const errors = steps.map((step, j) => {
          const { y0, carry0 } = undo(bench.term, step.t0, step.t1, step.y1, step.carry);
          const before = [...step.y0, ...(j === 0 ? first : steps[j - 1]!.carry)];
          return largestDifference([...y0, ...carry0], before) / Math.max(1, sizeOf(before));
        });
        return atMost(Math.max(...errors), 1e-13);
      },
    ],
  ];
};

const trees = (solver: Any, problem: ExactProblem): Check => [
  "a state of several tensors gives what one tensor gives",
  () => {
    const y0 = problem.exact(problem.from);
    const sizes = y0.map((leaf) => leaf.size);
    let from = 0;
    const places = sizes.map((size) => [from, (from += size)] as const);
    const scattered: ListField = (t, y) =>
      problem.field(t, places.map(([start, end]) => concat(y.slice(start, end)))).flatMap((leaf) => Array.from({ length: leaf.size }, (_, i) => leaf.slice([[i, i + 1]]))); // prettier-ignore
    const times = equalSteps(problem.from, problem.to, 8);
    const whole = benchOf(solver, problem).walk(times, y0).at(-1)!.y1;
    const parts = workbench(solver, scattered, cut(y0)).walk(times, cut(y0)).at(-1)!.y1;
    return atMost(largestDifference(parts, cut(whole)) / sizeOf(whole), 1e-12);
  },
];

const single = (solver: Any, problem: ExactProblem): Check => [
  "a float32 state stays float32",
  () => {
    const y0 = problem.exact(problem.from).map((leaf) => cast(leaf, "float32"));
    const [step] = workbench(solver, problem.field, y0).walk([problem.from, problem.from + 0.1 * Math.sign(problem.to - problem.from)], y0);
    const wrong = contents(step!).find((leaf) => leaf.dtype !== "float32");
    return nothingWrong(wrong === undefined ? undefined : `a tensor of type ${wrong.dtype}`, "float32 throughout");
  },
];

const derivative = (solver: Any, problem: ExactProblem): Check => [
  "the discrete adjoint is the derivative that one tape over all steps gives",
  () => {
    const options = { t0: problem.from, t1: problem.to, solver, controller: fixedSteps(6) };
    const loss = (y: Leaves): Tensor => y.map((leaf) => leaf.square().sum()).reduce((sum, part) => sum.add(part));
    const byStep = gradient((y0: Leaves) => loss(solve(problem.field, y0, { ...options, adjoint: discreteAdjoint({ checkpoints: revolve(2) }) }).y1));
    const whole = gradient((y0: Leaves) => {
      let y1 = y0;
      for (const step of integrate(problem.field, y0, options as SolveOptions<Step, Leaves>)) y1 = step.y1;
      return loss(y1);
    });
    const y0 = problem.exact(problem.from);
    const expected = whole(y0);
    return atMost(largestDifference(byStep(y0), expected) / sizeOf(expected), 1e-12);
  },
];

/** What a step promises besides its accuracy. */
export const stepChecks = (solver: Any): readonly Check[] => {
  const problems = exactProblems(solver.equations);
  const [first] = problems;
  return [
    ...tableauCheck(solver),
    replay(solver, first),
    carry(solver, first),
    ends(solver, first),
    reflection(solver, first),
    ...problems.flatMap((problem) => inverse(solver, problem)),
    trees(solver, problems[1]!),
    single(solver, first),
    derivative(solver, first),
  ];
};
