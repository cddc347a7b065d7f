/**
 * @file Why combinations are illegal: the compiler shows these sentences, and plain JavaScript throws them. Each is a constant of its own, so that a program
 * carries those that it can be told.
 */

/** Of adaptive steps. */
export const adaptive =
  "this solver estimates no error, so it cannot choose its steps: pass controller: fixedSteps(n), or take a solver that estimates it, such as tsit5()";
/** Of a cost of the error estimate. */
export const errorEstimate = "this solver estimates no error, so there is nothing to regularize: take a solver that estimates it, such as tsit5()";
/** Of events. */
export const events =
  "this solver cannot be evaluated between the ends of its steps, so events cannot be located: take a solver with dense output, such as tsit5()";
/** Of a cost of the stiffness. */
export const stiffnessEstimate =
  "this solver has no two stages at one time, so it cannot estimate stiffness: take tsit5(), dopri5(), bs5(), vern7() or dop853()";
/** Of step costs with an adjoint of the flow. */
export const continuousAdjoint =
  "a continuous adjoint does not differentiate the solver's steps, so it has no gradient for their costs: take discreteAdjoint(), or a running cost such as kineticEnergy()";
/** Of an adjoint that looks the states up. */
export const denseAdjoint =
  'this solver cannot be evaluated between the ends of its steps, so the adjoint cannot look up the state there: take a solver with dense output, such as tsit5(), or interpolatedAdjoint({ nodes: n, at: "steps" })';
/** Of an adjoint that undoes steps. */
export const reversibleAdjoint = "this solver has no inverse, so its steps cannot be undone: take reversibleHeun(), or reversible(solver)";
