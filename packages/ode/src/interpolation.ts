/**
 * @file Dense output by stages: y(t₀ + θh) = y₀ + h Σ bᵢ(θ) kᵢ with polynomials bᵢ(θ) = Σⱼ dᵢⱼ θʲ, j ≥ 1.
 *
 * E. Hairer, S. P. Nørsett, G. Wanner, Solving Ordinary Differential Equations I, 2nd ed., 1993, II.6.
 */
import { defineJvp, defineVjp } from "@dydt/autodiff";
import { div, primitive, sum, mul, tensor, type Primitive, type Tensor } from "@dydt/tensor";
import type { Weights } from "./term.js";
import { timeBetween, type Time } from "./time.js";

type Coefficients = readonly (readonly number[])[];

/** Horner's rule for Σⱼ dⱼ θʲ, j from `lowest` on. */
const polynomial = (coefficients: readonly number[], theta: number, lowest: number): number => {
  let value = 0;
  for (let j = coefficients.length - 1; j >= 0; j--) value = value * theta + coefficients[j]!;
  return lowest === 0 ? value : value * theta;
};

const derivatives = (coefficients: Coefficients, lowest: number): Coefficients =>
  coefficients.map((row) => (lowest === 0 ? row.slice(1).map((d, j) => d * (j + 1)) : row.map((d, j) => d * (j + 1))));

/** [b₁(θ), b₂(θ), ...] as a tensor, for a θ that is watched. Its derivative is the same with the derived polynomials. */
const polynomials: Primitive<[theta: Tensor, coefficients: Coefficients, lowest: number]> = defineJvp(
  defineVjp(
    primitive("polynomials", (theta: Tensor, coefficients: Coefficients, lowest: number): Tensor => {
      const at = theta.item();
      return tensor(coefficients.map((row) => polynomial(row, at, lowest)));
    }),
    [(g, _y, theta, coefficients, lowest) => sum(mul(g, polynomials(theta, derivatives(coefficients, lowest), 0))), null, null],
  ),
  [(t, _y, theta, coefficients, lowest) => mul(t, polynomials(theta, derivatives(coefficients, lowest), 0)), null, null],
);

/**
 * The weights bᵢ(θ) at a time of the step.
 *
 * @param coefficients - row i: of θ, θ², θ³, ... in bᵢ.
 */
export const denseWeights = (coefficients: Coefficients, t0: Time, h: Time, t: Time): Weights => {
  const passed = timeBetween(t0, t);
  if (typeof passed === "number" && typeof h === "number") {
    const theta = passed / h;
    return coefficients.map((row) => polynomial(row, theta, 1));
  }
  return polynomials(div(typeof passed === "number" ? tensor(passed) : passed, h), coefficients, 1);
};
