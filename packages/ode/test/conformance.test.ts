import { describe, expect, test } from "vitest";
import fc from "fast-check";
import { tensor } from "@dydt/tensor";
import {
  adaptive, asynchronousLeapfrog, bosh3, bs5, checkController, checkSolver, dop853, dopri5, euler, explicitRungeKutta, fixed, fixedSteps, grid, heun, leapfrog, midpoint, ralston,
  reversible, reversibleHeun, rk4, rk4ThreeEighths, timeValue, tsit5, vern7,
  type ConformanceReport, type Controller, type DenseStep, type EmbeddedStep, type Leaves, type Ode, type Solver, type Step, type Time,
} from "@dydt/ode"; // prettier-ignore

const own: readonly Solver<Ode, Step>[] = [
  euler(), midpoint(), heun(), ralston(), rk4(), rk4ThreeEighths(), bosh3(), tsit5(), dopri5(), bs5(), vern7(), dop853(),
  leapfrog(), reversibleHeun(), asynchronousLeapfrog(), asynchronousLeapfrog({ eta: 0.9 }), reversible(rk4()), reversible(tsit5()),
]; // prettier-ignore

test.each(own.map((solver) => [solver.name, solver] as const))("%s keeps what it promises", (_, solver) => {
  const report = checkSolver(solver);
  if (!report.passed) throw new Error(report.toString());
  expect(report.rows.length).toBeGreaterThan(10);
});

describe("a method whose leading error does not lead at the usual lengths", () => {
  /** Kutta's method of third order: M. W. Kutta, 1901. */
  const kutta = explicitRungeKutta({ name: "kutta", order: 3, a: [[], [1 / 2], [-1, 2]], b: [1 / 6, 2 / 3, 1 / 6], c: [0, 1 / 2, 1] });
  const orders = (solver: Solver<Ode, Step>) => checkSolver(solver).rows.filter(({ check }) => check.startsWith("order"));

  test("keeps what it promises", () => {
    const report = checkSolver(kutta);
    expect(report.passed, report.toString()).toBe(true);
  });

  test("has no higher order for that", () => {
    expect(orders({ ...kutta, order: 4 }).map(({ passed }) => passed)).toEqual([false, false, false, false]);
  });

  test("like every method of three stages and order three", () => {
    const node = fc.double({ min: 0.2, max: 1, noNaN: true });
    const apart = fc.tuple(node, node).filter(([c2, c3]) => Math.abs(c2 - c3) > 0.05 && Math.abs(c2 - 2 / 3) > 0.05);
    fc.assert(
      fc.property(apart, ([c2, c3]) => {
        const [b2, b3] = [(3 * c3 - 2) / (6 * c2 * (c3 - c2)), (2 - 3 * c2) / (6 * c3 * (c3 - c2))];
        const a32 = 1 / (6 * b3 * c2);
        const method = explicitRungeKutta({ name: "own", order: 3, a: [[], [c2], [c3 - a32, a32]], b: [1 - b2 - b3, b2, b3], c: [0, c2, c3] });
        for (const { passed, measured } of orders(method)) expect(passed, String(measured)).toBe(true);
      }),
      { numRuns: 10, seed: 7 },
    );
  });
});

const controllers = [adaptive(), adaptive({ rtol: 1e-3, atol: 1e-3 }), adaptive({ max: 0.1 }), fixedSteps(7), fixed(0.3)];
test.each(controllers.map((controller) => [controller.name, controller] as const))("the controller %s keeps what it promises", (_, controller) => {
  const report = checkController(controller);
  if (!report.passed) throw new Error(report.toString());
});

/** The rows that failed. */
const failures = ({ rows }: ConformanceReport): readonly string[] => rows.filter(({ passed }) => !passed).map(({ check }) => check);

/** A solver whose steps are changed. */
const withSteps = <R extends Step>(solver: Solver<Ode, R>, change: (step: R, t0: Time) => Step): Solver<Ode, Step> => ({
  ...solver,
  step: (term, t0, t1, y0, carry) => change(solver.step(term, t0, t1, y0, carry), t0),
});

/** A record with some parts replaced; the others stay as lazy as they are. */
const replaced = (step: Step, parts: Partial<DenseStep & EmbeddedStep>): Step => Object.create(step, Object.getOwnPropertyDescriptors(parts)) as Step;

describe("a broken solver is caught", () => {
  const { inverse } = reversibleHeun();
  const coupled = reversible(rk4(), { coupling: 0.9 });
  let calls = 0;
  const broken: readonly (readonly [string, Solver<Ode, Step>, RegExp])[] = [
    ["that has not the order it says", { ...rk4(), order: 5 }, /^order 5 on y′ = y cos t$/],
    [
      "that loses its order where the field depends on time",
      { ...rk4(), step: (term, t0, t1, y0, carry) => rk4().step({ ...term, slope: (t, y) => term.slope(timeValue(t) === timeValue(t1) ? t1 : t0, y) }, t0, t1, y0, carry) },
      /^order 4 on y′ = y cos t/,
    ],
    ["that is right forward in time only", withSteps(rk4(), (step) => (step.t1 > step.t0 ? step : replaced(step, { y1: step.y0 }))), /backward in time/],
    ["whose error estimate falls too slowly", withSteps(bosh3(), (step) => replaced(step, { error: step.error.map((leaf, i) => leaf.add(step.y1[i]!.sub(step.y0[i]!).mul(1e-2))) })), /^the error estimate falls as h\^3/],
    ["that names the order of an estimate it has not", { ...rk4(), errorOrder: 3 }, /^the error estimate/],
    ["whose dense output is of lower order than it says", withSteps(tsit5(), (step) => replaced(step, { at: (t) => step.y0.map((leaf, i) => leaf.add(step.y1[i]!.sub(leaf).mul((timeValue(t) - step.t0) / (step.t1 - step.t0)))) })), /^dense output of order 4/],
    ["whose dense output misses the end", withSteps(rk4(), (step) => replaced(step, { at: (t) => step.at(t).map((leaf) => leaf.mul(1 + 1e-8)) })), /^dense output meets both ends/],
    ["that says it interpolates and does not", { ...reversibleHeun(), interpolates: true }, /^dense output/],
    ["that is less stable than it says", { ...rk4(), stabilitySize: 3 }, /^stable on the negative axis to 3/],
    ["that is more stable than it says", { ...rk4(), stabilitySize: 2 }, /^stable on the negative axis to 2/],
    ["whose tableau is another method's", { ...rk4(), tableau: { ...tsit5().tableau!, order: 6 } }, /^the tableau/],
    ["that gives other numbers the second time", withSteps(rk4(), (step) => replaced(step, { y1: step.y1.map((leaf) => leaf.add(1e-15 * (calls++ % 7))) })), /^a step that is taken again/],
    ["that carries what start does not give", withSteps(rk4(), (step) => replaced(step, { carry: step.carry.map((leaf) => leaf.mul(1 + 1e-13)) })), /^what is carried is what start gives/],
    ["that says it carries nothing, and carries something", { ...rk4(), carries: "nothing" }, /^nothing is carried/],
    ["that carries a growing state", { ...withSteps(rk4(), (step) => replaced(step, { carry: [...step.carry, tensor([1])] })), carries: "state" }, /^what is carried has one form/],
    [
      "that computes its end from its beginning",
      { ...rk4(), step: (term, t0, t1, y0, carry) => rk4().step(term, t0, timeValue(t0) + (timeValue(t1) - timeValue(t0)), y0, carry) },
      /^a stage at the end of the step is evaluated at t1 itself/,
    ],
    ["that rounds when it goes forward", withSteps(rk4(), (step) => (step.t1 > step.t0 ? replaced(step, { y1: step.y1.map((leaf) => leaf.add(1e-9)) }) : step)), /^backward in time it is the mirror image/],
    [
      "whose inverse is a step backward",
      { ...coupled, inverse: (term, t0, t1, y1, carry) => ((back) => ({ y0: back.y1, carry0: back.carry }))(coupled.step(term, t1, t0, y1, carry)) },
      /^the inverse gives back/,
    ],
    ["whose inverse forgets the carry", { ...reversibleHeun(), inverse: (...of) => ({ ...inverse(...of), carry0: [...of[3], ...of[3]] as Leaves }) }, /^the inverse gives back/],
    ["that looks at one tensor of the state only", withSteps(rk4(), (step) => replaced(step, { y1: step.y1.map((leaf, i) => (i === 0 ? leaf : step.y0[i]!)) })), /^a state of several tensors/],
    ["that makes float64 of everything", withSteps(rk4(), (step) => replaced(step, { y1: step.y1.map((leaf) => leaf.cast("float64")) })), /^a float32 state/],
    ["that computes beside the tape", withSteps(rk4(), (step) => replaced(step, { y1: step.y1.map((leaf) => tensor(leaf.toArray() as number[])) })), /./],
    ["that carries a part of the state and does not say so", { ...asynchronousLeapfrog(), carries: "recoverable" }, /^(the discrete adjoint|what is carried)/],
    ["that throws", { ...rk4(), step: () => { throw new Error("no steps today"); } }, /^a step that is taken again/],
    ["that does not even begin", { ...rk4(), start: () => { throw new Error("not today"); } }, /^what is carried/],
  ]; // prettier-ignore

  test.each(broken)("%s", (_, solver, check) => {
    const report = checkSolver(solver);
    expect(report.passed).toBe(false);
    expect(failures(report).some((failure) => check.test(failure))).toBe(true);
    expect(report.toString()).toMatch(/ {2}FAILS /);
  });

  test("and the report says what was measured", () => {
    const { rows } = checkSolver({ ...rk4(), order: 5 });
    const row = rows.find(({ check }) => check === "order 5 on y′ = y cos t")!;
    expect(row.measured).toBeGreaterThan(3.8);
    expect(row.measured).toBeLessThan(4.2);
    expect(row.expected).toBe("at least 4.8");
    const thrown = checkSolver({ ...rk4(), step: () => { throw new Error("no steps today"); } }); // prettier-ignore
    expect(thrown.rows.some(({ measured }) => measured === "no steps today")).toBe(true);
  });

  test("by options that are known", () => {
    expect(() => checkSolver(rk4(), { slac: 1 } as never)).toThrow("checkSolver got the unknown option slac (did you mean slack?)");
  });

  test("unless more slack is given", () => {
    expect(failures(checkSolver({ ...rk4(), order: 5 }, { slack: 1.3 }))).toEqual([]);
  });
});

describe("a broken controller is caught", () => {
  const begin = (
    change: (control: Extract<ReturnType<Controller<EmbeddedStep>["begin"]>, { kind: "adaptive" }>) => object,
  ): Controller<EmbeddedStep> => ({
    ...adaptive(),
    begin: (setup) => {
      const control = adaptive().begin(setup);
      if (control.kind !== "adaptive") throw new Error("adaptive is adaptive");
      return { ...control, ...change(control) };
    },
  });
  let remembered = 0.1;
  const broken: readonly (readonly [string, Controller<EmbeddedStep>, RegExp])[] = [
    ["that ends before t1", { name: "short", begin: ({ t0, t1 }) => ({ kind: "grid", times: [t0, (t0 + t1) / 2] }) }, /^its steps lead from t0 to t1/],
    ["that goes forward only", { name: "forward", begin: ({ t0, t1 }) => ({ kind: "grid", times: [t0, Math.max(t0, t1) / 2, t1].sort((a, b) => a - b) }) }, /backward in time$/],
    ["that accepts everything", begin((control) => ({ judge: (step: EmbeddedStep) => ({ ...control.judge(step), accept: true, h: 0.1 }) })), /^an error of twice the tolerances is rejected/],
    ["that accepts nothing", begin((control) => ({ judge: (step: EmbeddedStep) => ({ ...control.judge(step), accept: false }) })), /^an error within the tolerances is accepted/],
    ["that tries the same step again", begin((control) => ({ judge: (step: EmbeddedStep) => ({ ...control.judge(step), h: 0.4 }) })), /^what is rejected is tried with a shorter step/],
    ["that divides by an error of zero", begin((control) => ({ judge: (step: EmbeddedStep) => ({ ...control.judge(step), h: 0.1 / Math.abs(step.error[0]!.data[0]!) }) })), /^no error at all/],
    ["that begins with nothing", begin(() => ({ first: 0 })), /^the first step/],
    ["that is far less exact than it says", begin(({ tolerances }) => ({ tolerances: { rtol: tolerances.rtol.map((r) => r.map((x) => x * 1e-6)), atol: tolerances.atol.map((a) => a.map((x) => x * 1e-6)) } })), /^the solution is within a hundred tolerances/],
    ["that remembers from one solve to the next", { name: "remembers", begin: ({ t0, t1 }) => ((remembered *= 0.9), { kind: "grid", times: [t0, t0 + remembered * (t1 - t0), t1] }) }, /^two solves at a time/],
    ["that knows one interval only", grid([0, 1, 3]), /backward in time$/],
    ["that throws", { name: "throws", begin: () => { throw new Error("no control"); } }, /./],
  ]; // prettier-ignore

  test.each(broken)("%s", (_, controller, check) => {
    const report = checkController(controller);
    expect(report.passed).toBe(false);
    expect(failures(report).some((failure) => check.test(failure))).toBe(true);
  });
});
