/**
 * @file The leapfrog method of Störmer and Verlet, for systems of second order q″ = a(t, q), and for q′ = g(v), v′ = a(t, q).
 *
 *   v½ = v₀ + ½h a(t₀, q₀)
 *   q₁ = q₀ + h g(v½)                          g(v) = v for a system of second order
 *   v₁ = v½ + ½h a(t₁, q₁)                     a(t₁, q₁) is carried into the next step
 *
 * Order 2, symplectic, and symmetric: the step from t₁ to t₀ undoes it. No error estimate and no dense output.
 * E. Hairer, C. Lubich, G. Wanner, Geometric numerical integration illustrated by the Störmer–Verlet method, Acta Numerica 12, 2003, 399–450, eq. 1.5 and 1.8.
 */
import { activeRecorders, concat, elementsOf, formatShape, mul, sameShape, ShapeError, slice, tensor, weightedSum } from "@dydt/tensor";
import { takesNothing } from "../arguments.js";
import type { ReversibleSolver } from "../solver.js";
import type { Leaves, ReversibleStep } from "../step.js";
import type { Ode } from "../term.js";
import { timeValue, type Time } from "../time.js";

/** A state or a slope in its halves. */
interface Halves {
  readonly q: Leaves;
  readonly v: Leaves;
}

/** The first half of the tensors and the second; of a single tensor `[2n]` its halves. */
const halvesOf = (y: Leaves): Halves => {
  const [only] = y;
  if (y.length === 1 && only?.rank === 1 && only.size % 2 === 0)
    return { q: [slice(only, [[0, only.size / 2]])], v: [slice(only, [[only.size / 2, only.size]])] };
  const halves = { q: y.slice(0, y.length / 2), v: y.slice(y.length / 2) };
  if (y.length % 2 !== 0 || !halves.q.every((leaf, i) => sameShape(leaf.shape, halves.v[i]!.shape)))
    throw new ShapeError(
      `leapfrog got a state of shape ${y.map((leaf) => formatShape(leaf.shape)).join(", ")}: it needs positions and velocities of the same shapes, ` +
        `{ position, velocity } or [q, v], or one vector [q₁ … qₙ, v₁ … vₙ]`,
    );
  return halves;
};

const joined = ({ q, v }: Halves, y: Leaves): Leaves => (y.length === 1 ? [concat([q[0]!, v[0]!])] : [...q, ...v]);

/** a + c h b. */
const along = (a: Leaves, c: number, h: Time, b: Leaves): Leaves => {
  const weights = typeof h === "number" ? [c * h] : mul(tensor([c]), h);
  return a.map((leaf, i) => weightedSum(leaf, weights, [b[i]!]));
};

const sameNumbers = (a: Leaves, b: Leaves): boolean =>
  a.every((leaf, i) => {
    const [x, y] = [elementsOf(leaf), elementsOf(b[i]!)];
    for (let k = 0; k < x.length; k++) if (x[k] !== y[k]) return false;
    return true;
  });

/** From (t₀, y₀) to t₁ with a(t₀, q₀), in either direction. */
const leap = (term: Ode, t0: Time, t1: Time, y0: Leaves, a0: Leaves): { readonly h: Time; readonly y1: Leaves; readonly a1: Leaves } => {
  const { q, v } = halvesOf(y0);
  const h = term.differential(t0, t1);
  const middle = along(v, 1 / 2, h, a0);
  const slopeAt = (position: Leaves): Halves => halvesOf(term.slope(t1, joined({ q: position, v: middle }, y0)));
  let q1 = along(q, 1, h, middle);
  let slope = slopeAt(q1);
  // The evaluation tells what g(v½) is. Where it is v½, as in a system of second order, q₁ was right; but a tape must see how it comes about.
  if (activeRecorders().length > 0 || !sameNumbers(slope.q, middle)) {
    q1 = along(q, 1, h, slope.q);
    slope = slopeAt(q1);
  }
  return { h, y1: joined({ q: q1, v: along(middle, 1 / 2, h, slope.v) }, y0), a1: slope.v };
};

/**
 * The leapfrog method (Störmer–Verlet, velocity Verlet): for mechanics over long times. Its energy error stays bounded, at one evaluation of f per step.
 *
 * The state is a pair of positions and velocities, `{ position, velocity }` or `[q, v]`, or one vector of both; its field gives `[v, a]`. Where q′ is another function
 * of v alone, as in q′ = p / m, or where a tape watches, a step takes two evaluations. Steps should have one length: {@link fixed}, {@link fixedSteps}.
 *
 * Not recommended where the force depends on the velocity (friction, magnetic fields): the order is then 1. For high accuracy over short times take {@link dop853}.
 *
 * @returns a solver whose steps can be undone.
 * @throws ShapeError, at the first step, for a state that is not made of two halves.
 * @example
 * const field = (t: Tensor, { q, v }: { q: Tensor; v: Tensor }) => ({ q: v, v: q.neg() });
 * const { y1 } = solve(field, { q: tensor([1]), v: tensor([0]) }, { t0: 0, t1: 100, solver: leapfrog(), controller: fixedSteps(1000) });
 * expectClose(y1.q.square().add(y1.v.square()), [1], { rtol: 3e-3 }); // no drift over sixteen periods
 */
export const leapfrog = (...none: readonly []): ReversibleSolver<Ode, ReversibleStep> => {
  takesNothing("leapfrog", none);
  return Object.freeze({
    name: "leapfrog",
    order: 2,
    equations: "second order",
    carries: "recoverable",
    start: (term, t0, y0) => (halvesOf(y0), halvesOf(term.slope(t0, y0)).v),
    step: (term, t0, t1, y0, carry) => {
      const { h, y1, a1 } = leap(term, t0, t1, y0, carry);
      return { t0: timeValue(t0), t1: timeValue(t1), h, y0, y1, carry: a1, reversible: true };
    },
    inverse: (term, t0, t1, y1, carry1) => {
      const { y1: y0, a1: carry0 } = leap(term, t1, t0, y1, carry1);
      return { y0, carry0 };
    },
  } satisfies ReversibleSolver<Ode, ReversibleStep>);
};
