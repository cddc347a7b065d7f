/**
 * Solvers for ordinary differential equations, their exact discrete derivatives, and costs of their steps.
 *
 * @packageDocumentation
 */
export { solve } from "./solve.js";
export { solveAsync } from "./solve-async.js";
export type { AdjointOption, ControllerOption, DefaultStep, SaveOptions, SolveOptions, SolveSettings } from "./settings.js";
export type { EventRecord, Solution } from "./solution.js";
export { integrate } from "./steps.js";
export { inPlace, type InPlaceField, type PlainDerivative, type PlainField } from "./in-place.js";
export type { OwnTerm } from "./own-term.js";
export { raggedTimes, type RaggedTimes } from "./ragged.js";
export type { TreeStep } from "./tree-step.js";
export type { Direction, EventfulStep, LeafEvent, Occurrence, SolveEvent } from "./events.js";
export type { EventMemory } from "./event-search.js";
export type { Ending, Resumption, Signal, Supervision } from "./supervision.js";
export type { MutableStats, Problem, ReverseStats, SolveStats } from "./problem.js";
export type { Before, Inverse, ReversibleSolver, Solver } from "./solver.js";
export type { DenseStep, EmbeddedStep, Leaves, ReversibleStep, StagePair, Step, StiffnessStep } from "./step.js";
export type { Ode, Term, Weights } from "./term.js";
export { timeAlong, timeValue, type Time } from "./time.js";
export { explicitRungeKutta, type RungeKuttaStep } from "./runge-kutta.js";
export {
  checkTableau,
  defineTableau,
  TableauError,
  type CheckedTableau,
  type DenseStages,
  type FurtherStage,
  type SparseRow,
  type Tableau,
} from "./tableau.js";
export { euler } from "./solvers/euler.js";
export { midpoint } from "./solvers/midpoint.js";
export { heun } from "./solvers/heun.js";
export { ralston } from "./solvers/ralston.js";
export { rk4 } from "./solvers/rk4.js";
export { rk4ThreeEighths } from "./solvers/rk4-three-eighths.js";
export { bosh3 } from "./solvers/bosh3.js";
export { tsit5 } from "./solvers/tsit5.js";
export { dopri5 } from "./solvers/dopri5.js";
export { bs5 } from "./solvers/bs5.js";
export { vern7 } from "./solvers/vern7.js";
export { dop853 } from "./solvers/dop853.js";
export { leapfrog } from "./solvers/leapfrog.js";
export { reversibleHeun } from "./solvers/reversible-heun.js";
export { asynchronousLeapfrog, type AsynchronousLeapfrogOptions } from "./solvers/asynchronous-leapfrog.js";
export { reversible, type ReversedStep, type ReversibleOptions } from "./solvers/reversible.js";
export type { Control, Controller, ControlSetup, Tolerances, Verdict } from "./controller.js";
export { fixed, fixedSteps, grid } from "./controllers/fixed.js";
export { adaptive, type AdaptiveOptions } from "./controllers/adaptive.js";
export { maximumNorm, rootMeanSquareNorm, type ErrorNorm } from "./controllers/norm.js";
export { stepCoefficients, type StepCoefficients } from "./controllers/step-coefficients.js";
export type { Tolerance } from "./controllers/tolerance.js";
export type { Adjoint, AnyAdjoint, ContinuousAdjoint, Differentiated, InputCotangents, OpenAdjoint, OutputCotangents } from "./adjoint.js";
export type { BackwardOptions } from "./adjoints/backward-options.js";
export { backsolveAdjoint, type BacksolveAdjointOptions } from "./adjoints/backsolve.js";
export { denseAdjoint, type DenseAdjointOptions } from "./adjoints/dense.js";
export { interpolatedAdjoint, type InterpolatedAdjointOptions } from "./adjoints/interpolated.js";
export { certificateMatchers, certifyGradient, type CertifyOptions } from "./certify.js";
export type { CertificateRow, CertificateVerdict, GradientCertificate } from "./certificate.js";
export { compareAdjoints, usualAdjoints, type ComparedProblem, type CompareOptions, type Comparison } from "./compare.js";
export type { ComparisonRow } from "./comparison-table.js";
export { checkAdjoint, type CheckAdjointOptions } from "./check-adjoint.js";
export { autoAdjoint, type AutoAdjoint, type AutoAdjointOptions, type PlannedSolve } from "./auto-adjoint.js";
export type { AdjointPlan, Prediction } from "./plan.js";
export { reversibleAdjoint, type ReversibleAdjointOptions } from "./adjoints/reversible.js";
export { forwardSensitivity, type ForwardSensitivityOptions } from "./adjoints/forward-sensitivity.js";
export { gaussAdjoint, type GaussAdjointOptions } from "./adjoints/gauss.js";
export type { EventOutputs, Outputs } from "./outcome.js";
export { directAdjoint } from "./adjoints/direct.js";
export { discreteAdjoint, type DiscreteAdjointOptions } from "./adjoints/discrete.js";
export type { Granularity } from "./adjoints/replay.js";
export { timesLength, type Reduce, type Regularizer } from "./regularizer.js";
export { errorEstimate, type ErrorEstimateOptions } from "./regularizers/error-estimate.js";
export { stiffnessEstimate, type StiffnessEstimateOptions } from "./regularizers/stiffness-estimate.js";
export { kineticEnergy, type KineticEnergyOptions } from "./regularizers/kinetic-energy.js";
export { jacobianNorm, type JacobianNormOptions } from "./regularizers/jacobian-norm.js";
export type { RunningCost, RunningPoint } from "./regularizers/running.js";
export type {
  BlowUpCause, Cause, DiscontinuityCause, DomainCause, NonFiniteCause, StiffCause, ToleranceCause, UnknownCause,
} from "./cause.js"; // prettier-ignore
export {
  AbortedError, EventError, FieldError, IncompatibleError, MaxStepsError, NonFiniteError, ReplayError, SolveError, StepTooSmallError, TimeLimitError, type Attempt, type Failure, type Status,
} from "./errors.js"; // prettier-ignore
export { checkController, checkSolver, type CheckSolverOptions } from "./conformance.js";
export type { ConformanceReport, ConformanceRow } from "./conformance/report.js";
