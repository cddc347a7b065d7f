import { describe, expect, test } from "vitest";
import { online, revolve, type Cotangent } from "@dydt/autodiff";
import { ones, type Tensor } from "@dydt/tensor";
import {
  autoAdjoint, backsolveAdjoint, checkAdjoint, denseAdjoint, discreteAdjoint, forwardSensitivity, gaussAdjoint, interpolatedAdjoint, reversibleAdjoint,
  reversibleHeun, type Adjoint, type ConformanceReport, type Differentiated, type InputCotangents, type Problem, type Step,
} from "@dydt/ode"; // prettier-ignore

describe("checkAdjoint", () => {
  test.each([
    discreteAdjoint(), discreteAdjoint({ checkpoints: online(3), tape: "evaluation" }), forwardSensitivity(), autoAdjoint({ bytes: 20_000 }),
    backsolveAdjoint(), denseAdjoint(), denseAdjoint({ segments: 3 }), interpolatedAdjoint(), interpolatedAdjoint({ nodes: 16, at: "steps" }), gaussAdjoint(),
  ])("passes $name", (adjoint) => {
    const report = checkAdjoint(adjoint);
    expect(report.passed, report.toString()).toBe(true);
  }); // prettier-ignore

  test("passes reversibleAdjoint, with a solver that it takes", () => {
    const report = checkAdjoint(reversibleAdjoint(), { solver: reversibleHeun() });
    expect(report.passed, report.toString()).toBe(true);
  });

  const inner = discreteAdjoint({ checkpoints: revolve(2) });
  const failures = ({ rows }: ConformanceReport): readonly string[] => rows.filter(({ passed }) => !passed).map(({ check }) => check);

  test("finds an adjoint whose pullback gives something else when it is called again", () => {
    for (const again of [(x: Tensor) => x.mul(2), (x: Tensor) => x.mul(1 + 2 ** -52), () => undefined]) {
      const once: Adjoint<Step> = {
        name: "once",
        solve: <R extends Step>(problem: Problem<R>): Differentiated => {
          const { pullback, ...rest } = inner.solve(problem);
          let calls = 0;
          const second = (x: Cotangent): Cotangent => (calls > 1 && x !== undefined ? again(x) : x);
          return { ...rest, pullback: (...of) => (calls++, ((found) => ({ ...found, y0: found.y0.map(second) }))(pullback(...of))) };
        },
      };
      expect(failures(checkAdjoint(once))).toEqual(["a pullback that is called again gives the same bits"]);
    }
  });

  test("finds an adjoint that gives another zero the second time", () => {
    let solves = 0;
    const signed: Adjoint<Step> = {
      name: "signed",
      solve: <R extends Step>(problem: Problem<R>): Differentiated => {
        const { pullback, ...rest } = inner.solve(problem);
        const zero = ++solves % 2 === 0 ? -0 : 0;
        return { ...rest, pullback: (...of) => ({ ...pullback(...of), y0: problem.y0.map((leaf) => leaf.mul(zero)) }) };
      },
    };
    expect(failures(checkAdjoint(signed))).toContain("the same call gives the same bits");
  });

  test("takes options that it knows", () => {
    expect(() => checkAdjoint(inner, { tolerence: 1 } as never)).toThrow("checkAdjoint got the unknown option tolerence (did you mean tolerance?)");
  });

  test("finds an adjoint that forgets something", () => {
    const forgetful: Adjoint<Step> = {
      name: "forgetful",
      solve: <R extends Step>(problem: Problem<R>): Differentiated => {
        const { pullback, ...rest } = inner.solve(problem);
        return { ...rest, pullback: (cotangents, captured) => ({ ...pullback(cotangents, captured), times: [] }) };
      },
    };
    const report = checkAdjoint(forgetful);
    expect(report.passed).toBe(false);
    expect(failures(report)).toContain("saved states: also with respect to the save times");
  });

  /** An adjoint with a mistake in what its pullback returns. */
  const mistaken = (change: (found: InputCotangents) => Partial<InputCotangents>): Adjoint<Step> => ({
    name: "mistaken",
    solve: <R extends Step>(problem: Problem<R>): Differentiated => {
      const { pullback, ...rest } = inner.solve(problem);
      return { ...rest, pullback: (...of) => ((found) => ({ ...found, ...change(found) }))(pullback(...of)) };
    },
  });

  test.each([
    ["too few times", () => ({ times: [] }), /the pullback of mistaken returned cotangents of times of shapes \(\): \(\[\], \[\]\) are needed/],
    ["a time of another shape", ({ times: [first, ...more] }: InputCotangents) => ({ times: [first, ...more.map(() => ones([3]))] }), /of times of shapes \(\[\], \[3\]\)/],
    ["a state of another shape", () => ({ y0: [ones([3])] }), /of y0 of shapes \(\[3\]\): \(\[2\]\) are needed/],
    ["more than the state", ({ y0 }: InputCotangents) => ({ y0: [...y0, ...y0] }), /of y0 of shapes \(\[2\], \[2\]\)/],
    ["other parameters", ({ captured }: InputCotangents) => ({ captured: captured.slice(1) }), /of captured of shapes \(\)/],
  ] as const)("says what is wrong with %s, in words", (_, change, expected) => {
    const report = checkAdjoint(mistaken(change as (found: InputCotangents) => Partial<InputCotangents>));
    expect(report.passed).toBe(false);
    expect(String(report.rows[0]!.measured)).toMatch(expected);
    expect(report.toString()).not.toMatch(/NaN/);
  }); // prettier-ignore

  /** An adjoint that is right but for something. */
  const altered = (of: (found: Differentiated, problem: Problem<Step>) => Partial<Differentiated>): Adjoint<Step> => ({
    name: "altered",
    events: true,
    solve: <R extends Step>(problem: Problem<R>): Differentiated =>
      ((found) => ({ ...found, ...of(found, problem as unknown as Problem<Step>) }))(inner.solve(problem)),
  });

  const solution = "the solution is that of a plain solve, and every evaluation is counted";

  test.each([
    ["forgets when events were", altered(({ pullback }) => ({
      pullback: (given, captured) => pullback({ ...given, events: given.events.map(({ states }) => ({ times: undefined, states })) }, captured),
    })), ["events: their times and states, and what follows from a change"]],
    ["gives other penalties", altered(({ outputs }) => ({ outputs: { ...outputs, penalties: outputs.penalties.map((x) => x.add(1)) } })), ["costs of the steps"]],
    ["gives another grid", altered(({ grid }) => ({ grid: [grid[0]!, grid.at(-1)!] })), [solution]],
    ["forgets evaluations", altered((_, { stats }) => ((stats.evaluations = 1), {})), [solution]],
    ["forgets evaluations of the reverse", altered(({ pullback }, { stats }) => ({
      pullback: (...of) => ((found) => ((stats.reverse = { ...stats.reverse!, evaluations: 0 }), found))(pullback(...of)),
    })), [solution]],
  ] as const)("finds an adjoint that %s", (_, adjoint, found) => {
    expect(failures(checkAdjoint(adjoint))).toEqual(found);
  }); // prettier-ignore

  test("calls a gradient that is NaN infinitely wrong", () => {
    const report = checkAdjoint(mistaken(({ y0 }) => ({ y0: y0.map((part) => part?.mul(NaN)) })));
    expect(report.rows[0]).toMatchObject({ passed: false, measured: Infinity });
  });
});
