/**
 * @file How a continuous adjoint is to solve backward.
 */
import { checkOptions, OptionError } from "@dydt/tensor";
import { described, requireObject } from "../arguments.js";
import type { Controller } from "../controller.js";
import { IncompatibleError } from "../errors.js";
import type { Solver } from "../solver.js";
import type { Step } from "../step.js";
import type { Ode } from "../term.js";

/** How to solve backward; what is not given is as in the forward solve. */
export interface BackwardOptions<R extends Step = Step> {
  /** Default: the solver of the forward solve. */
  readonly solver?: Solver<Ode, R>;
  /**
   * Decides the steps of each stretch between two save times. Its tolerances are for the costate, and so have the form of the state; for `backsolveAdjoint`, which
   * solves for both, they are a list of two, for the costate and for the state; with `seminorm: false` they are numbers.
   * Default: adaptive with the tolerances below, or the forward steps again where those were given.
   */
  readonly controller?: Controller<NoInfer<R>>;
  /** Relative tolerance; default that of the forward solve. */
  readonly rtol?: number;
  /** Absolute tolerance, for cotangents whose largest is of order one: they are scaled by a power of two. Default that of the forward solve. */
  readonly atol?: number;
  /** Whether the integrals that are parameter gradients are left out of the error norm; default true. */
  readonly seminorm?: boolean;
  /** Attempted steps of one stretch; default that of the forward solve. */
  readonly maxSteps?: number;
}

const known = ["solver", "controller", "rtol", "atol", "seminorm", "maxSteps"];

/** @throws OptionError for options of an adjoint that are not known, or contradict each other. */
export const checkBackward = <R extends Step>(name: string, options: BackwardOptions<R>, more: readonly string[] = []): void => {
  checkOptions(name, options, [...known, ...more]);
  const { solver, controller, rtol, atol, seminorm, maxSteps } = options;
  if (solver !== undefined) requireObject(`${name} as its solver`, solver, "step", "a solver such as tsit5()");
  if (controller !== undefined) requireObject(`${name} as its controller`, controller, "begin", "a controller such as adaptive() or fixedSteps(n)");
  if (maxSteps !== undefined && !(Number.isInteger(maxSteps) && maxSteps > 0))
    throw new OptionError(`${name} got maxSteps = ${described(maxSteps)}: a positive whole number is needed`);
  if (controller !== undefined && (rtol !== undefined || atol !== undefined))
    throw new OptionError(`${name} got a controller and tolerances: give the tolerances to the controller, as adaptive({ rtol, atol })`);
  for (const [key, value] of [
    ["rtol", rtol],
    ["atol", atol],
  ] as const)
    // prettier-ignore
    if (value !== undefined && !(typeof value === "number" && value >= 0 && value < Infinity)) throw new OptionError(`${name} got ${key} = ${described(value)}: a number of at least 0 is needed`);
  if (seminorm !== undefined && typeof seminorm !== "boolean") throw new OptionError(`${name} got seminorm ${String(seminorm)}: true or false`);
};

/** @throws IncompatibleError where the backward solve would have a solver that the adjoint equation does not fit. */
export const requireFirstOrder = <R extends Step>(name: string, options: BackwardOptions<R>, forward: Solver<Ode, Step>): void => {
  const { solver = forward } = options;
  if (solver.equations === "second order")
    throw new IncompatibleError(
      `${name} cannot solve backward with ${solver.name}, which takes systems of second order, and the adjoint equation is none: the backward solve needs a ` +
        `solver of its own, ${name}({ solver: tsit5() }); or take discreteAdjoint() or reversibleAdjoint(), which solve no equation backward`,
    );
};
