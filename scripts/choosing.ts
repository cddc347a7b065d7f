/**
 * @file Measures the tables of docs/choosing-a-solver.md: what each adaptive solver costs for an accuracy, and what accuracy a tolerance gives.
 *
 *   node --conditions=source --import tsx scripts/choosing.ts
 *
 * Every number is a count or an error, none a time: the same on every machine. The problems are those of the benchmark W7, up to the time of their check.
 */
import { tensor } from "@dydt/tensor";
import { adaptive, bosh3, bs5, dop853, dopri5, heun, inPlace, solve, tsit5, vern7, type EmbeddedStep, type Ode, type Solver } from "@dydt/ode";
import { classicSystems, type ClassicSystem } from "../bench/workloads/classics.js";

const solvers: readonly Solver<Ode, EmbeddedStep>[] = [heun(), bosh3(), tsit5(), dopri5(), bs5(), vern7(), dop853()];
/** Half powers of ten, so that the cost of an error can be read between them. */
const tolerances = Array.from({ length: 23 }, (_, i) => 10 ** (-2 - i / 2));
const shownErrors = [1e-2, 1e-4, 1e-6, 1e-8, 1e-10];
const shownTolerances = [1e-3, 1e-6, 1e-9, 1e-12];
/** So many attempts are too many to be a choice. */
const maxSteps = 20_000;

interface Point {
  readonly tolerance: number;
  readonly evaluations: number;
  /** The largest error of a component, relative to max(1, |y|). */
  readonly error: number;
}

const run = (solver: Solver<Ode, EmbeddedStep>, { write, y0, check }: ClassicSystem, tolerance: number) =>
  solve(inPlace(write), tensor(y0), {
    t0: 0,
    t1: check.t,
    solver,
    controller: adaptive({ rtol: tolerance, atol: tolerance }),
    maxSteps,
    throw: false,
  });

const exactly = new Map(classicSystems.map((system) => [system.name, run(vern7(), system, 1e-14).y1.data]));

const pointOf = (solver: Solver<Ode, EmbeddedStep>, system: ClassicSystem, tolerance: number): Point | undefined => {
  const { y1, stats, status } = run(solver, system, tolerance);
  if (status !== "success") return undefined;
  const exact = exactly.get(system.name)!;
  const error = Math.max(...Array.from(y1.data, (y, i) => Math.abs(y - exact[i]!) / Math.max(1, Math.abs(exact[i]!))));
  return { tolerance, evaluations: stats.evaluations, error };
};

const isPoint = (point: Point | undefined): point is Point => point !== undefined;
const curves = solvers.map((solver) => ({
  name: solver.name,
  bySystem: classicSystems.map((system) => tolerances.map((tolerance) => pointOf(solver, system, tolerance)).filter(isPoint)),
}));

/** The fewest evaluations that gave no larger error. */
const costOf = (points: readonly Point[], error: number): number =>
  Math.min(...points.filter((point) => point.error <= error).map(({ evaluations }) => evaluations));

const meanOf = (values: readonly number[]): number => Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [line(head), line(head.map((_, i) => (i === 0 ? "---" : "---:"))), ...rows.map(line)].join("\n");
const power = (x: number): string => `1e${Math.round(Math.log10(x))}`;

console.log(`Evaluations of f for an error, geometric means over ${classicSystems.map(({ name }) => name).join(", ")}:\n`);
const costs = curves.map(({ bySystem }) => shownErrors.map((error) => meanOf(bySystem.map((points) => costOf(points, error)))));
const least = shownErrors.map((_, i) => Math.min(...costs.map((row) => row[i]!)));
const count = (x: number, i: number): string => (Number.isFinite(x) ? `${Number(x.toPrecision(2))}${x === least[i] ? " *" : ""}` : "–");
console.log(table(["solver", ...shownErrors.map((error) => `error ${power(error)}`)], curves.map(({ name }, i) => [`\`${name}()\``, ...costs[i]!.map(count)]))); // prettier-ignore

console.log("\nThe error that a tolerance (rtol = atol) gave, in tolerances, from the best problem to the worst:\n");
const ratios = (points: readonly (readonly Point[])[], tolerance: number): string => {
  const list = points.flatMap((one) => one.filter((point) => point.tolerance === tolerance).map(({ error }) => error / tolerance));
  return list.length < points.length ? "–" : `${Number(Math.min(...list).toPrecision(1))} to ${Number(Math.max(...list).toPrecision(1))}`;
};
const at = shownTolerances.map((tolerance) => tolerances.find((one) => Math.abs(one / tolerance - 1) < 1e-6)!);
console.log(table(["solver", ...shownTolerances.map((tolerance) => `tolerance ${power(tolerance)}`)], curves.map(({ name, bySystem }) => [`\`${name}()\``, ...at.map((tolerance) => ratios(bySystem, tolerance))]))); // prettier-ignore

console.log("\nVan der Pol's equation to t = 2, from (2, 0), at 1e-6: evaluations of f as it becomes stiffer:\n");
const stiffness = [1, 1e2, 1e4];
const vanDerPol = (mu: number) => {
  const f = inPlace((_t, y, dy) => {
    dy[0] = y[1]!;
    dy[1] = mu * ((1 - y[0]! * y[0]!) * y[1]! - y[0]!);
  });
  return (solver: Solver<Ode, EmbeddedStep>) =>
    solve(f, tensor([2, 0]), { t0: 0, t1: 2, solver, controller: adaptive({ rtol: 1e-6, atol: 1e-6 }), maxSteps, throw: false });
};
const effort = (solver: Solver<Ode, EmbeddedStep>, mu: number): string => {
  const { status, stats } = vanDerPol(mu)(solver);
  return status === "success" ? `${Number(stats.evaluations.toPrecision(2))}` : "–";
};
console.log(table(["solver", ...stiffness.map((mu) => `μ = ${mu}`)], solvers.map((solver) => [`\`${solver.name}()\``, ...stiffness.map((mu) => effort(solver, mu))]))); // prettier-ignore
