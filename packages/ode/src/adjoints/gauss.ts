/**
 * @file The adjoint whose parameters leave the backward state: their integral is taken by Gauss's rule on each step.
 *
 *   λ′ = −(∂f/∂y)ᵀ λ alone;  p̄ = Σ over steps h Σₖ ωₖ (∂f/∂p)ᵀ λ at the Gauss points, λ by the dense output of the backward step
 *
 * The backward state has the size of y, however many parameters there are, and their product is taken at m points a step instead of at every stage.
 * SciML's Gauss adjoint: C. Rackauckas et al., SciMLSensitivity; the rules: C. F. Gauss, 1814.
 */
import { tapeOver, type Cotangent } from "@dydt/autodiff";
import { OptionError, scope, type Tensor } from "@dydt/tensor";
import type { ContinuousAdjoint } from "../adjoint.js";
import type { Problem } from "../problem.js";
import type { DenseStep, EmbeddedStep, Step } from "../step.js";
import type { Quadrature } from "./adjoint-equation.js";
import { checkBackward, requireFirstOrder, type BackwardOptions } from "./backward-options.js";
import { differentiatedBy } from "./continuous.js";
import { checkSegments, lookUp, type DenseAdjointOptions } from "./dense.js";
import { requireDense } from "./kept-steps.js";

/** Options of {@link gaussAdjoint}. */
export interface GaussAdjointOptions<R extends Step = Step> extends DenseAdjointOptions<R> {
  /** Gauss points of each backward step, 1 to 5; default: enough for the order of the backward solver. The rule is exact for polynomials of degree 2m − 1. */
  readonly points?: number;
}

/** A point of a rule on [−1, 1], with its weight. */
export interface GaussPoint {
  readonly x: number;
  readonly weight: number;
}

const symmetric = (x: number, weight: number): readonly GaussPoint[] => [{ x: -x, weight }, { x, weight }]; // prettier-ignore

/** The rule with m points, 1 to 5: zeros of the Legendre polynomials. */
export const gaussRule = (m: number): readonly GaussPoint[] => {
  const r = Math.sqrt;
  if (m === 1) return [{ x: 0, weight: 2 }];
  if (m === 2) return symmetric(r(1 / 3), 1);
  if (m === 3) return [...symmetric(r(3 / 5), 5 / 9), { x: 0, weight: 8 / 9 }];
  if (m === 4)
    return [...symmetric(r(3 / 7 - (2 / 7) * r(6 / 5)), (18 + r(30)) / 36), ...symmetric(r(3 / 7 + (2 / 7) * r(6 / 5)), (18 - r(30)) / 36)];
  const [near, far] = [r(5 - 2 * r(10 / 7)) / 3, r(5 + 2 * r(10 / 7)) / 3];
  return [...symmetric(near, (322 + 13 * r(70)) / 900), ...symmetric(far, (322 - 13 * r(70)) / 900), { x: 0, weight: 128 / 225 }];
};

/** Takes the integrals of a step by a rule. */
const quadratureBy = <R extends Step>({ term }: Problem<R>, rule: readonly GaussPoint[]): Quadrature => ({
  take: (step, count, at, params, sum) => {
    if (params.length === 0) return sum;
    const { t0, t1 } = step;
    const dense: DenseStep = requireDense(step);
    let total: readonly Cotangent[] = sum;
    for (const { x, weight } of rule) {
      const t = (t0 + t1) / 2 + ((t1 - t0) / 2) * x;
      const factor = (-weight * (t1 - t0)) / 2;
      // What one point's tape takes is released before the next.
      total = scope(() => {
        const costate: readonly Tensor[] = dense.at(t).slice(0, count);
        const y = at(t); // outside the tape: stages of the dense output that are made when they are asked for depend on the parameters, too
        const { reverse } = tapeOver(() => term.slope(t, y), params);
        return reverse(
          costate.map((part) => part.mul(factor)),
          total,
        );
      });
    }
    return total;
  },
});

/**
 * The continuous adjoint for many parameters: the backward state holds the costate alone, the parameters' integral is taken by Gauss's rule on its steps.
 *
 * Its gradient is that of the exact solution, to about the tolerances. Memory: that of {@link denseAdjoint}. Cost: one vector-Jacobian product with respect to
 * the state for each evaluation of the backward solve, and `points` with respect to the parameters for each step. Needs dense output forward and backward.
 *
 * @throws OptionError for options that are not known; IncompatibleError for steps without dense output.
 * @example
 * const k = tensor(-0.5);
 * const slope = gradient((rate: Tensor) =>
 *   solve((t, y) => y.mul(rate), tensor([1]), { t0: 0, t1: 2, adjoint: gaussAdjoint() }).y1.sum(),
 * )(k);
 * expectClose(slope, 2 * 0.36787944117144233, { rtol: 1e-5 });
 */
export const gaussAdjoint = <R extends DenseStep = DenseStep & EmbeddedStep>(options: GaussAdjointOptions<R> = {}): ContinuousAdjoint<DenseStep> => {
  checkBackward("gaussAdjoint", options, ["segments", "points"]);
  checkSegments("gaussAdjoint", options.segments);
  const { points } = options;
  if (points !== undefined && !(Number.isInteger(points) && points >= 1 && points <= 5))
    throw new OptionError(`gaussAdjoint got points = ${String(points)}: a whole number from 1 to 5 is needed`);
  return Object.freeze({
    name: "gaussAdjoint",
    differentiates: "flow" as const,
    events: true,
    solve: <S extends DenseStep>(problem: Problem<S>) => {
      const { order } = options.solver ?? problem.solver;
      const rule = gaussRule(points ?? Math.min(5, Math.ceil((order + 1) / 2)));
      const found = lookUp(problem, options.segments);
      requireFirstOrder("gaussAdjoint", options, problem.solver);
      return differentiatedBy({
        name: "gaussAdjoint",
        options: options as unknown as BackwardOptions,
        quadrature: quadratureBy(problem, rule),
        ...found,
      });
    },
  } satisfies ContinuousAdjoint<DenseStep>);
};
