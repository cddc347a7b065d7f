/**
 * @file Problems with known solutions, and the slope of an error over the step length.
 *
 *   y′ = y cos t,                      y = exp(sin t)             depends on time
 *   y₁′ = −y₂ |y|², y₂′ = y₁ |y|²,     y = (cos t, sin t)         is not linear
 *   q″ = q (cos² t − sin t),           q = exp(sin t)             of second order, depends on time
 *   q″ = −q / |q|³,                    q = (cos t, sin t)         of second order: a circular orbit
 */
import { elementsOf, log, stack, tensor, unrecorded, type Tensor } from "@dydt/tensor";
import type { Leaves } from "../step.js";

/** A field over lists of tensors. */
export type ListField = (t: Tensor, y: Leaves) => Leaves;

/** A problem with a known solution, from 0 to 3 or back. */
export interface ExactProblem {
  readonly name: string;
  readonly field: ListField;
  readonly exact: (t: number) => Leaves;
  readonly from: number;
  readonly to: number;
}

const growth = (t: Tensor): Tensor => t.sin().exp();
const circle = (t: Tensor): Tensor => stack([t.cos(), t.sin()]);
const turned = (y: Tensor): Tensor => stack([y.at(1).neg(), y.at(0)]);
const at = (solution: (t: Tensor) => Leaves) => (t: number) => unrecorded(() => solution(tensor(t)));
const span = { from: 0, to: 3 } as const;

const firstOrder: readonly ExactProblem[] = [
  { name: "y′ = y cos t", field: (t, [y]) => [y!.mul(t.cos())], exact: at((t) => [growth(t).reshape([1])]), ...span },
  { name: "a rotation, not linear", field: (_t, [y]) => [turned(y!).mul(y!.square().sum())], exact: at((t) => [circle(t)]), ...span },
];

const secondOrder: readonly ExactProblem[] = [
  {
    name: "q″ = q (cos² t − sin t)",
    field: (t, [q, v]) => [v!, q!.mul(t.cos().square().sub(t.sin()))],
    exact: at((t) => [growth(t).reshape([1]), growth(t).mul(t.cos()).reshape([1])]),
    ...span,
  },
  {
    name: "a circular orbit",
    field: (_t, [q, v]) => [v!, q!.neg().div(q!.square().sum().pow(1.5))],
    exact: at((t) => [circle(t), turned(circle(t))]),
    ...span,
  },
];

const backward = (problem: ExactProblem): ExactProblem => ({
  ...problem,
  name: `${problem.name}, backward in time`,
  from: problem.to,
  to: problem.from,
});

/** The problems for solvers of first or of second order: each forward and backward. */
export const exactProblems = (equations: "first order" | "second order" = "first order"): readonly [ExactProblem, ...ExactProblem[]] => {
  const list = equations === "first order" ? firstOrder : secondOrder;
  return [...list, ...list.map(backward)] as unknown as readonly [ExactProblem, ...ExactProblem[]];
};

/** max |aᵢ − bᵢ|; NaN where something is NaN. */
export const largestDifference = (a: Leaves, b: Leaves): number => {
  if (a.length !== b.length) return NaN;
  let most = 0;
  a.forEach((leaf, i) => {
    const [x, y] = [elementsOf(leaf), elementsOf(b[i]!)];
    for (let k = 0; k < Math.max(x.length, y.length); k++) most = Math.max(most, Math.abs((x[k] ?? NaN) - (y[k] ?? NaN)));
  });
  return most;
};

/** Whether two lists of tensors have the same bits. */
export const sameBits = (a: Leaves, b: Leaves): boolean =>
  a.length === b.length &&
  a.every((leaf, i) => {
    const [x, y] = [elementsOf(leaf), elementsOf(b[i]!)];
    return x.length === y.length && x.every((value, k) => Object.is(value, y[k]));
  });

const logarithm = (x: number): number => log(tensor(x)).item();

/**
 * The slope of log error over log h by least squares, over the five shortest steps whose errors are above rounding; infinite where fewer than three are.
 *
 * @param errorAt - the error at a step length.
 * @param lengths - step lengths, long ones first.
 */
export const observedOrder = (errorAt: (h: number) => number, lengths: readonly number[], rounding: number): number => {
  const points: (readonly [x: number, y: number])[] = [];
  for (const h of lengths) {
    const error = errorAt(h);
    if (error !== error) return NaN;
    if (error < rounding) break;
    points.push([logarithm(h), logarithm(error)]);
  }
  if (points.length < 3) return Infinity;
  points.splice(0, points.length - 5);
  const mean = (axis: 0 | 1) => points.reduce((sum, point) => sum + point[axis], 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  const covariance = points.reduce((sum, [xi, yi]) => sum + (xi - x) * (yi - y), 0);
  return covariance / points.reduce((sum, [xi]) => sum + (xi - x) * (xi - x), 0);
};
