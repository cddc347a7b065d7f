/**
 * @file The steps that a solve takes, with their error estimates.
 */
import type { Tensor } from "@dydt/tensor";
import { adaptive, integrate } from "@dydt/ode";

/** An accepted step. */
export interface Taken {
  readonly t0: number;
  readonly t1: number;
  /** √mean (eᵢ / (atol + rtol max(|y₀ᵢ|, |y₁ᵢ|)))², accepted up to 1. */
  readonly error: number;
}

/** The accepted steps from 0 to `end`, with rtol = atol = `tolerance`. */
export const stepsTaken = (field: (t: Tensor, y: Tensor) => Tensor, y0: Tensor, end: number, tolerance: number): readonly Taken[] =>
  [...integrate(field, y0, { t0: 0, t1: end, controller: adaptive({ rtol: tolerance, atol: tolerance }) })].map((step) => {
    const allowed = step.y0.abs().maximum(step.y1.abs()).mul(tolerance).add(tolerance);
    return { t0: step.t0, t1: step.t1, error: Math.sqrt(step.error.div(allowed).square().mean().item()) };
  });
