/**
 * @file W7: classical small systems, solved at rtol 1e-6 and atol 1e-8.
 *
 *   Lotka–Volterra  y₁′ = 1.5 y₁ − y₁ y₂,  y₂′ = −3 y₂ + y₁ y₂,  y(0) = (1, 1),  t to 10
 *   Lorenz          y₁′ = 10 (y₂ − y₁),  y₂′ = y₁ (28 − y₃) − y₂,  y₃′ = y₁ y₂ − 8/3 y₃,  y(0) = (1, 1, 1),  t to 20
 *
 * Lorenz's system is chaotic: at t = 20 only the cost can be compared, so its values are checked at t = 1.
 */
import { stack, type Tensor } from "@dydt/tensor";

/** A small system, as tensor operations and as numbers. */
export interface ClassicSystem {
  readonly name: string;
  readonly field: (t: Tensor, y: Tensor) => Tensor;
  readonly plain: (t: number, y: readonly number[]) => number[];
  readonly y0: readonly number[];
  readonly t1: number;
  /** A time, and the exact state there. */
  readonly check: { readonly t: number; readonly y: readonly number[] };
}

/** Both systems. */
export const classicSystems: readonly ClassicSystem[] = [
  {
    name: "lotka-volterra",
    field: (_t, y) => {
      const [prey, predator] = [y.at(0), y.at(1)];
      const meeting = prey.mul(predator);
      return stack([prey.mul(1.5).sub(meeting), meeting.sub(predator.mul(3))]);
    },
    plain: (_t, y) => [1.5 * y[0]! - y[0]! * y[1]!, -3 * y[1]! + y[0]! * y[1]!],
    y0: [1, 1],
    t1: 10,
    check: { t: 10, y: [1.0263447675750894, 0.9096910781360417] },
  },
  {
    name: "lorenz",
    field: (_t, y) => {
      const [x, v, z] = [y.at(0), y.at(1), y.at(2)];
      return stack([v.sub(x).mul(10), x.mul(z.neg().add(28)).sub(v), x.mul(v).sub(z.mul(8 / 3))]);
    },
    plain: (_t, y) => [10 * (y[1]! - y[0]!), y[0]! * (28 - y[2]!) - y[1]!, y[0]! * y[1]! - (8 / 3) * y[2]!],
    y0: [1, 1, 1],
    t1: 20,
    check: { t: 1, y: [-9.378570010925062, -8.357033788426646, 29.362325337363426] },
  },
];

/** The tolerances of both. */
export const classicTolerances = { rtol: 1e-6, atol: 1e-8 } as const;
