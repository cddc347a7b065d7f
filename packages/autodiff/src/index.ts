/**
 * Reverse-mode differentiation by a tape that watches, nodes with pullbacks of their own, and checkpoint schedules as data.
 *
 * @packageDocumentation
 */
export { gradient, valueAndGradient, type Auxiliary } from "./gradient.js";
export { tapeOver, vjp, type Pulled, type Taped } from "./vjp.js";
export { checkpoint, custom, UndeclaredInputError } from "./custom.js";
export { node, SecondDerivativeError, type NodeResult } from "./node.js";
export { checkGradients, type GradientCheck, type GradientCheckOptions, type GradientCheckRow } from "./check-gradients.js";
export { MutationError, setChecks } from "./checks.js";
export { defineVjp, MissingRuleError } from "./extend.js";
export type { ArgumentRule, Cotangent, VjpRule } from "./rule.js";
export { ScheduleError, type Action, type OnlineSchedule, type Schedule } from "./schedule/schedule.js";
export { storeAll } from "./schedule/store-all.js";
export { advances, revolve } from "./schedule/revolve.js";
export { execute, executeOnline, type Chain, type Execution, type OnlineExecution } from "./schedule/execute.js";
export { stopGradient } from "@dydt/tensor";
