/**
 * @file Problems and comparisons that the tests of this package share.
 */
import { expect } from "vitest";
import { revolve, storeAll, valueAndGradient, type Schedule } from "@dydt/autodiff";
import { isTensor, leavesOf, stack, tensor, type Tensor } from "@dydt/tensor";
import {
  bosh3, bs5, dop853, dopri5, euler, heun, integrate, midpoint, ralston, rk4, rk4ThreeEighths, tsit5, vern7,
  type Controller, type Granularity, type Ode, type SolveOptions, type Solver, type Step,
} from "@dydt/ode"; // prettier-ignore
import gradients from "./cases/gradients.json" with { type: "json" };

/** Every solver, under its name. */
export const solvers = { euler, midpoint, heun, ralston, rk4, rk4ThreeEighths, bosh3, dopri5, tsit5, bs5, vern7, dop853 } as const;
export type SolverName = keyof typeof solvers;
export const solverNames = Object.keys(solvers) as SolverName[];
/** A solver by name, as one of steps without further parts. */
export const solverNamed = (name: SolverName): Solver<Ode, Step> => solvers[name]();

/** How the reference names our solvers. */
export const referenceNames: Readonly<Record<string, SolverName>> = {
  euler: "euler", midpoint: "midpoint", heun2: "heun", rk4: "rk4", rk4_38: "rk4ThreeEighths", bosh3: "bosh3", dopri5: "dopri5", tsit5: "tsit5",
}; // prettier-ignore

export type Field = (t: Tensor, y: Tensor) => Tensor;

/** A problem with parameters, and the loss ½ Σ (y₁ − target)². */
export interface ParametricProblem {
  readonly id: string;
  /** The field for parameters p, flat. */
  readonly field: (p: Tensor) => Field;
  readonly y0: Tensor;
  readonly p: Tensor;
  readonly t0: number;
  readonly t1: number;
  readonly target: Tensor;
}

/** y₁′ = p₀ y₁ − p₁ y₁ y₂,  y₂′ = −p₂ y₂ + p₃ y₁ y₂. */
export const lotkaVolterra =
  (p: Tensor): Field =>
  (_t, y) => {
    const [prey, predator] = [y.at(0), y.at(1)];
    const meeting = prey.mul(predator);
    return stack([p.at(0).mul(prey).sub(p.at(1).mul(meeting)), p.at(3).mul(meeting).sub(p.at(2).mul(predator))]);
  };

const linear3 =
  (p: Tensor): Field =>
  (_t, y) =>
    p.reshape([3, 3]).matmul(y);

/** Y′ = tanh(Y W₁ + b₁) W₂ + b₂ with p = [W₁, b₁, W₂, b₂] row by row. */
export const perceptron = (p: Tensor): Field => {
  const part = (from: number, to: number, shape: readonly number[]) => p.slice([[from, to]]).reshape(shape);
  return (_t, y) =>
    y
      .matmul(part(0, 16, [2, 8]))
      .add(part(16, 24, [8]))
      .tanh()
      .matmul(part(24, 40, [8, 2]))
      .add(part(40, 42, [2]));
};

const fields: Readonly<Record<string, (p: Tensor) => Field>> = { lotka_volterra: lotkaVolterra, linear3, mlp_2_8_2_batch3: perceptron };

/** The problems of cases/gradients.json. */
export const parametricProblems: readonly ParametricProblem[] = gradients.problems.map(({ id, y0, p, t0, t1, target }) => {
  const like = (values: readonly number[]) => tensor(values, { shape: id === "mlp_2_8_2_batch3" ? [3, 2] : [values.length] });
  return { id, field: fields[id]!, y0: like(y0), p: tensor(p), t0, t1, target: like(target) };
});

export const problemNamed = (id: string): ParametricProblem => parametricProblems.find((problem) => problem.id === id)!;

/** What a loss is differentiated with respect to. */
export interface Inputs {
  readonly y0: Tensor;
  readonly p: Tensor;
  readonly t0: Tensor;
  readonly t1: Tensor;
}

export const inputsOf = ({ y0, p, t0, t1 }: ParametricProblem): Inputs => ({ y0, p, t0: tensor(t0), t1: tensor(t1) });

export const squaredLoss =
  (target: Tensor) =>
  (y1: Tensor): Tensor =>
    y1.sub(target).square().sum().mul(0.5);

/** The last state of a loop over `integrate`: recorded operation by operation, one tape over everything. */
export const wholeTape = <R extends Step>(f: Field, y0: Tensor, options: SolveOptions<R>): Tensor => {
  let y = y0;
  for (const step of integrate<Tensor, R>(f, y0, options)) y = step.y1;
  return y;
};

/** Every schedule and granularity that must give one derivative. */
export const schedules: readonly (readonly [string, () => Schedule])[] = [
  ["storeAll()", () => storeAll()],
  ["revolve(1)", () => revolve(1)],
  ["revolve(3)", () => revolve(3)],
];
export const granularities: readonly Granularity[] = ["step", "evaluation"];

const numbersOf = (value: unknown): readonly number[] => {
  if (typeof value === "number") return [value];
  if (isTensor(value)) return Array.from(value.data);
  if (ArrayBuffer.isView(value)) return Array.from(value as Float64Array);
  if (Array.isArray(value)) return (value as readonly unknown[]).flatMap(numbersOf);
  return leavesOf(value).flatMap((leaf) => Array.from(leaf.data));
};

/** The largest difference, relative to the largest entry of `expected`; NaN is infinitely far. */
export const distance = (actual: unknown, expected: unknown): number => {
  const [a, b] = [numbersOf(actual), numbersOf(expected)];
  if (a.length !== b.length) throw new Error(`${a.length} numbers against ${b.length}`);
  const scale = b.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  const worst = a.reduce((most, x, i) => Math.max(most, Number.isNaN(x - b[i]!) ? Infinity : Math.abs(x - b[i]!)), 0);
  return worst === 0 ? 0 : worst / (scale === 0 ? 1 : scale);
};

/** Equal within `bound` of the largest entry. */
export const expectNear = (actual: unknown, expected: unknown, bound: number): void => expect(distance(actual, expected)).toBeLessThanOrEqual(bound);

/** The same bits. */
export const expectSameBits = (actual: unknown, expected: unknown): void => expect(numbersOf(actual)).toEqual(numbersOf(expected));

/** The field of a `js_body` of the cases, for plain simulation: it reads bare numbers, which nobody may be watching. */
export const plainField = (body: string): Field => {
  // eslint-disable-next-line @typescript-eslint/no-implied-eval -- the cases come as texts
  const write = new Function("t", "y", "dy", body) as (t: number, y: ArrayLike<number>, dy: Float64Array) => void;
  return (t, y) => {
    const dy = new Float64Array(y.size);
    write(t.item(), y.data, dy);
    return tensor(dy, { shape: y.shape });
  };
};

/** What a body throws. */
export const errorOf = (body: () => unknown): Error & Record<string, unknown> => {
  try {
    body();
  } catch (error) {
    return error as Error & Record<string, unknown>;
  }
  throw new Error("nothing was thrown");
};

/** A loss and its gradient with respect to everything. */
export const lossAndGradient = <R extends Step>(
  problem: ParametricProblem,
  settings: Omit<SolveOptions<R>, "t0" | "t1"> & { readonly controller: Controller<R> },
  endOf: (f: Field, y0: Tensor, options: SolveOptions<R>) => Tensor,
) =>
  valueAndGradient(({ y0, p, t0, t1 }: Inputs) => {
    const y1 = endOf(problem.field(p), y0, { ...settings, t0, t1 } as unknown as SolveOptions<R>);
    return { value: squaredLoss(problem.target)(y1), auxiliary: y1 };
  })(inputsOf(problem));
