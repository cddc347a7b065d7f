/**
 * @file A gradient that is to be certified: the loss and its own gradient, and what is known of its solves.
 */
import { storeAll } from "@dydt/autodiff";
import { leavesOf, type Tensor } from "@dydt/tensor";
import { strictest } from "./adjoints/backward.js";
import { discreteAdjoint } from "./adjoints/discrete.js";
import type { Noted } from "./ambient.js";
import { directionOf, dot } from "./certify-direction.js";
import { observedGradient } from "./compare.js";

/** What is looked at. */
export interface Subject<P> {
  readonly loss: (parameters: P) => Tensor;
  readonly parameters: P;
  /** The gradient by the adjoints of its solves. */
  readonly gradient: P;
  readonly solves: readonly Noted[];
  /** Whether parameters are of single precision, and the rounding of their type. */
  readonly single: boolean;
  readonly precision: number;
  /** The loosest tolerance of a solve; 0 where all steps are given. */
  readonly tolerance: number;
  readonly fixedGrid: boolean;
  /** Whether some adjoint differentiates the flow, and whether events move steps. */
  readonly flows: boolean;
  readonly events: boolean;
  /** Where values of the loss are compared along, and ⟨∇L, v⟩. */
  readonly direction: P;
  readonly along: number;
  /** The gradient by a discrete adjoint along the same steps; default with all states stored. */
  readonly discrete: (adjoint?: ReturnType<typeof discreteAdjoint>) => P;
}

/** The loosest tolerance of some solves; 0 where none has any. */
export const largestTolerance = (solves: readonly Noted[]): number =>
  Math.max(0, ...solves.map(({ tolerances }) => Math.max(...Object.values({ rtol: 0, atol: 0, ...strictest(tolerances) }))));

/** Takes the gradient, and looks at the solves. */
export const subjectOf = <P>(loss: (parameters: P) => Tensor, parameters: P, seed: number): Subject<P> => {
  const { gradient, solves } = observedGradient(loss, parameters, {});
  const single = leavesOf(parameters).some(({ dtype }) => dtype === "float32");
  const tolerance = largestTolerance(solves);
  const events = solves.some(({ events }) => events);
  const direction = directionOf(parameters, seed);
  return {
    loss,
    parameters,
    gradient,
    solves,
    single,
    precision: single ? 1 / 16_777_216 : Number.EPSILON,
    tolerance,
    fixedGrid: tolerance === 0,
    flows: solves.some(({ adjoint }) => adjoint.differentiates === "flow"),
    events,
    direction,
    along: dot(gradient, direction),
    discrete: (adjoint = discreteAdjoint({ checkpoints: storeAll() })) =>
      observedGradient(loss, parameters, { adjoint, grids: events ? undefined : solves }).gradient,
  };
};
