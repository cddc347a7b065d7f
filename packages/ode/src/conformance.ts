/**
 * @file The conformance kit: does a solver, or a controller, keep what it promises? A report, with what was measured.
 *
 * **Contract.** What a solver says of itself (`order`, `errorOrder`, `denseOrder`, `stabilitySize`, `carries`, `inverse`, `tableau`) is measured; what every solver
 * promises (a step is a pure function, a stage with c = 1 stands at t1, backward is the mirror of forward, states are trees) is checked on single steps.
 *
 * **Example.** A solver of a file of its own, and its one test:
 *
 * @example
 * const heunAgain = () => explicitRungeKutta({ name: "heunAgain", order: 2, a: [[], [1]], b: [1 / 2, 1 / 2], c: [0, 1] });
 * const report = checkSolver(heunAgain());
 * if (!report.passed) throw new Error(report.toString());
 */
import { checkOptions } from "@dydt/tensor";
import { requireObject } from "./arguments.js";
import { controllerChecks } from "./conformance/controller-checks.js";
import { orderChecks } from "./conformance/order-checks.js";
import { reportOf, type ConformanceReport } from "./conformance/report.js";
import { stepChecks } from "./conformance/step-checks.js";
import type { Controller } from "./controller.js";
import type { Solver } from "./solver.js";
import type { EmbeddedStep, Step } from "./step.js";
import type { Ode } from "./term.js";

/** Options of {@link checkSolver}. */
export interface CheckSolverOptions {
  /** How far below the promise a measured order may be; default 0.2. */
  readonly slack?: number;
}

/**
 * Checks a solver against what it promises: orders of the solution, the error estimate and dense output, forward and backward in time; purity; its carry; the times of
 * its stages; its inverse; trees; the discrete adjoint.
 *
 * Cost: some thousand steps, under a second for an explicit method.
 *
 * @param solver - the solver.
 * @param options - the slack of measured orders.
 * @returns a report; nothing is thrown, whatever the solver does.
 * @throws OptionError for options that are not known, and for what is no solver.
 * @example
 * const wrong = { ...rk4(), order: 5 };
 * const { passed, rows } = checkSolver(wrong);
 * if (passed || rows.find(({ check }) => check.startsWith("order 5"))!.passed) throw new Error("rk4 is not of order 5");
 */
export const checkSolver = <R extends Step>(solver: Solver<Ode, R>, options: CheckSolverOptions = {}): ConformanceReport => {
  checkOptions("checkSolver", options, ["slack"]);
  requireObject("checkSolver", solver, "step", "a solver such as tsit5()");
  const { slack = 0.2 } = options;
  return reportOf(solver.name, [...stepChecks(solver), ...orderChecks(solver, slack)]);
};

/**
 * Checks a controller: it covers the interval, forward and backward, keeps nothing from one solve to another, accepts up to an error of 1 and shortens what it rejects,
 * and decides by numbers that no tape changes.
 *
 * @param controller - the controller, for steps with an error estimate.
 * @returns a report; nothing is thrown, whatever the controller does.
 * @throws OptionError for what is no controller.
 * @example
 * const report = checkController(adaptive({ rtol: 1e-5, atol: 1e-8 }));
 * if (!report.passed) throw new Error(report.toString());
 */
export const checkController = (controller: Controller<EmbeddedStep>): ConformanceReport => {
  requireObject("checkController", controller, "begin", "a controller such as adaptive() or fixedSteps(n)");
  return reportOf(controller.name, controllerChecks(controller));
};
