/**
 * @file A root that is known, as a function of what its equation reads: the derivative of the implicit function theorem, whoever found the root.
 *
 *   r(x, p) = 0:   reverse  (∂r/∂x)ᵀ w = x̄,  p̄ = −(∂r/∂p)ᵀ w        forward  x ← x − (∂r/∂x)⁻¹ r(x, p), with ∂r/∂x as a constant
 *
 * The forward form changes x by rounding, and makes one more derivative right each time; those who look into the node see it. How the linear systems are solved
 * is the caller's: by division, by LU, or by an iteration.
 * A. Griewank, A. Walther, Evaluating Derivatives, 2nd ed., SIAM 2008, section 15.
 */
import {
  activeRecorders, allocatingIn, copyOut, heap, identity, inTemporaryRegion, neg, sub, unrecorded, zerosLike, type Tensor,
} from "@dydt/tensor"; // prettier-ignore
import { node } from "./node.js";
import type { Cotangent } from "./rule.js";
import { tapeOver } from "./vjp.js";

/** An equation with a root, and how linear systems with its Jacobian are solved. */
export interface ImplicitEquation {
  /** r, from x to as many numbers; tensors that it closes over get derivatives. */
  readonly residual: (x: Tensor) => Tensor;
  /** Finds the root, watched by nobody. */
  readonly find: () => Tensor;
  /** The map r ↦ (∂r/∂x)⁻¹ r at x, with the Jacobian as a constant; it is to be made of operations that have forward rules. */
  readonly inverse: (x: Tensor) => (r: Tensor) => Tensor;
  /** (∂r/∂x)⁻ᵀ g at x. */
  readonly transposed: (x: Tensor, g: Tensor) => Tensor;
  /** Whether `transposed` and the inverse are made of operations on x and g, so that they can be differentiated again. */
  readonly recordsReverse: boolean;
  /** Where it is not so: what to do instead, for the message of SecondDerivativeError. Default: jvp of gradient. */
  readonly secondDerivatives?: string;
}

/** The highest derivative that the active recorders want of what is computed openly: that of forward modes, and one for each tape. */
export const wantedOrder = (): number =>
  activeRecorders().reduce((sum, { seesThrough, retains }) => sum + (seesThrough?.order ?? (retains ? 1 : 0)), 0);

/** The root in sight of those who look into the node, and what its equation reads in sight of all. */
const refined = (found: Tensor, { residual, inverse }: ImplicitEquation): Tensor => {
  const order = wantedOrder();
  if (order === 0) {
    if (activeRecorders().length > 0) inTemporaryRegion("tape", () => void residual(found)); // so that what it reads becomes known
    return found;
  }
  const apply = inverse(found);
  let x = found;
  for (let k = 0; k < order; k++) x = sub(x, apply(residual(x)));
  return x;
};

/**
 * The root of an equation as one operation, with the derivative of the implicit function theorem: with respect to every watched tensor that the residual closes
 * over, found without being told.
 *
 * {@link root} finds roots and differentiates them; this is for those who have found theirs.
 *
 * @param op - a name for messages.
 * @returns x, on the heap. Cost of the reverse: one transposed solve and one pullback of the residual.
 * @example
 * // √p, from a root that somebody else has found: the residual is x² − p, its Jacobian 2 x
 * const squareRoot = (p: Tensor) =>
 *   implicit("squareRoot", {
 *     residual: (x) => x.square().sub(p),
 *     find: () => p.sqrt(),
 *     inverse: (x) => (r) => r.div(x.mul(2)),
 *     transposed: (x, g) => g.div(x.mul(2)),
 *     recordsReverse: true,
 *   });
 * expectClose(gradient((p: Tensor) => squareRoot(p))(tensor(4)), 0.25, { rtol: 1e-15 });
 */
export const implicit = (op: string, equation: ImplicitEquation): Tensor => {
  const { residual, find, transposed, recordsReverse, secondDerivatives } = equation;
  const [x] = node(
    op,
    [],
    () => {
      const found = unrecorded(find);
      const solution = allocatingIn(heap, () => identity(refined(found, equation)));
      const pullback = ([given = zerosLike(solution)]: readonly Cotangent[], captured: readonly Tensor[]): readonly Cotangent[] =>
        inTemporaryRegion("tape", (outside) => {
          const w = transposed(solution, given);
          const { reverse } = tapeOver(() => [residual(solution)], captured);
          return copyOut(reverse([neg(w)]), outside);
        });
      return { outputs: [solution], pullback };
    },
    { recordsReverse, mayRunOpenly: recordsReverse, ...(secondDerivatives === undefined ? {} : { secondDerivatives }) },
  );
  return x!;
};
