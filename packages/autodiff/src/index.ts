/**
 * Reverse-mode differentiation by a tape that watches, nodes with pullbacks of their own, and checkpoint schedules as data.
 *
 * @packageDocumentation
 */
export { gradient, valueAndGradient, type Auxiliary } from "./gradient.js";
export { tapeOver, vjp, type Pulled, type Taped } from "./vjp.js";
export { checkpoint, custom, UndeclaredInputError } from "./custom.js";
export { node, SecondDerivativeError, type NodeOptions, type NodeResult } from "./node.js";
export { checkGradients, type GradientCheck, type GradientCheckOptions, type GradientCheckRow } from "./check-gradients.js";
export { MutationError, NonFiniteOperationError, setChecks } from "./checks.js";
export { jvp, pushforward } from "./jvp.js";
export { taylor } from "./taylor.js";
export { hessian, hessianVectorProduct } from "./hessian.js";
export { jacobian, type JacobianOf } from "./jacobian.js";
export { defineJvp, defineVjp, MissingRuleError } from "./extend.js";
export type { ArgumentRule, ArgumentTangentRule, Cotangent, JvpRule, Tangent, TangentOf, VjpRule } from "./rule.js";
export { ScheduleError, type Action, type Kept, type Level, type OnlineSchedule, type Schedule } from "./schedule/schedule.js";
export { storeAll } from "./schedule/store-all.js";
export { advances, revolve } from "./schedule/revolve.js";
export { online } from "./schedule/online.js";
export { multistage, type MultistageOptions } from "./schedule/multistage.js";
export { memoryStorage, type CheckpointStorage } from "./schedule/storage.js";
export { slowLevel, type SlowLevel } from "./schedule/slow-level.js";
export { withStages } from "./schedule/stages.js";
export { cams, type CamsOptions } from "./schedule/cams.js";
export { interpretSchedule, type Interpretation } from "./schedule/interpret.js";
export { execute, executeOnline, type Chain, type Execution, type OnlineExecution } from "./schedule/execute.js";
export { checkpointedScan, ScanReplayError } from "./checkpointed-scan.js";
export { stopGradient } from "@dydt/tensor";
export { gmres, KrylovError, type GmresOptions, type GmresResult } from "./krylov.js";
export { implicit, type ImplicitEquation } from "./implicit.js";
export { NewtonError, root, type RootOptions } from "./root.js";
