/**
 * Solvers for ordinary differential equations, their exact discrete derivatives, and costs of their steps.
 *
 * @packageDocumentation
 */
export { solve, type ControllerOption, type DefaultStep, type Solution, type SolveOptions, type SolveSettings } from "./solve.js";
export { integrate, type TreeStep } from "./steps.js";
export type { MutableStats, Problem, ReverseStats, SolveStats } from "./problem.js";
export type { Solver } from "./solver.js";
export type { DenseStep, EmbeddedStep, Leaves, StagePair, Step, StiffnessStep } from "./step.js";
export type { Ode, Term, Weights } from "./term.js";
export { timeAlong, timeValue, type Time } from "./time.js";
export { explicitRungeKutta, type RungeKuttaStep } from "./runge-kutta.js";
export { checkTableau, defineTableau, TableauError, type CheckedTableau, type SparseRow, type Tableau } from "./tableau.js";
export { euler } from "./solvers/euler.js";
export { midpoint } from "./solvers/midpoint.js";
export { heun } from "./solvers/heun.js";
export { ralston } from "./solvers/ralston.js";
export { rk4 } from "./solvers/rk4.js";
export { rk4ThreeEighths } from "./solvers/rk4-three-eighths.js";
export { bosh3 } from "./solvers/bosh3.js";
export { tsit5 } from "./solvers/tsit5.js";
export { dopri5 } from "./solvers/dopri5.js";
export type { Control, Controller, ControlSetup, Tolerances, Verdict } from "./controller.js";
export { fixed, fixedSteps, grid } from "./controllers/fixed.js";
export { adaptive, type AdaptiveOptions } from "./controllers/adaptive.js";
export type { Tolerance } from "./controllers/tolerance.js";
export type { Adjoint, Differentiated, InputCotangents, OutputCotangents } from "./adjoint.js";
export type { Outputs } from "./outcome.js";
export { discreteAdjoint, type DiscreteAdjointOptions } from "./adjoints/discrete.js";
export type { Granularity } from "./adjoints/taped-step.js";
export { timesLength, type Reduce, type Regularizer } from "./regularizer.js";
export { errorEstimate, type ErrorEstimateOptions } from "./regularizers/error-estimate.js";
export { stiffnessEstimate, type StiffnessEstimateOptions } from "./regularizers/stiffness-estimate.js";
export {
  FieldError, IncompatibleError, MaxStepsError, NonFiniteError, ReplayError, SolveError, StepTooSmallError, type Attempt, type Failure, type Status,
} from "./errors.js"; // prettier-ignore
