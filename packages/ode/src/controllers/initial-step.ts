/**
 * @file The length of the first step.
 *
 *   d₀ = ‖y₀‖, d₁ = ‖f₀‖, h₀ = 0.01 d₀/d₁ (10⁻⁶ where either is below 10⁻⁵), y₁ = y₀ + h₀ f₀, d₂ = ‖f(t₀ + h₀, y₁) − f₀‖ / h₀
 *   h₁ = (0.01 / max(d₁, d₂))^{1/k},  h = min(100 h₀, h₁)
 *
 * All norms are scaled by atol + rtol |y₀|. E. Hairer, S. P. Nørsett, G. Wanner, Solving Ordinary Differential Equations I, 2nd ed., 1993, II.4, p. 169.
 */
import { power, unrecorded, weightedSum } from "@dydt/tensor";
import type { ControlSetup } from "../controller.js";
import type { Measure } from "./norm.js";

/** What the heuristic looks at: the beginning of a stretch. */
export type Beginning = Pick<ControlSetup, "t0" | "t1" | "y0" | "errorPower" | "slope" | "firstSlope">;

/**
 * A first step length for which an Euler step would err by about a hundredth of the tolerance. Off every tape: the heuristic has no part in derivatives.
 *
 * Cost: one evaluation of f, two where the solver has not the first slope.
 */
export const initialStep = ({ t0, t1, y0, errorPower, slope, firstSlope }: Beginning, measure: Measure): number =>
  unrecorded(() => {
    const span = Math.abs(t1 - t0);
    const direction = t1 < t0 ? -1 : 1;
    const f0 = firstSlope ?? slope(t0, y0);
    const d0 = measure(y0, y0, y0);
    const d1 = measure(f0, y0, y0);
    const h0 = Math.min(span, d0 < 1e-5 || d1 < 1e-5 ? 1e-6 : (0.01 * d0) / d1);
    const ahead = y0.map((y, i) => weightedSum(y, [direction * h0], [f0[i]!]));
    const f1 = slope(t0 + direction * h0, ahead);
    const change = f0.map((f, i) => weightedSum(f1[i]!, [-1], [f]));
    const d2 = measure(change, y0, y0) / h0;
    const steepest = Math.max(d1, d2);
    const h1 = steepest <= 1e-15 ? Math.max(1e-6, 1e-3 * h0) : power(0.01 / steepest, 1 / errorPower);
    const h = Math.min(100 * h0, h1, span);
    if (Number.isFinite(h) && h > 0) return h;
    return h0 > 0 ? h0 : span; // of a slope that is no number, or too large for its square, nothing can be told: steps that fail become shorter
  });
