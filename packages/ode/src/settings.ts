/**
 * @file What a solve is told, and the problem that it makes.
 */
import { activeRecorders, checkOptions, identity, isTensor, leavesOf, OptionError, unflatten, type Tensor } from "@dydt/tensor";
import { requireObject } from "./arguments.js";
import type { Adjoint, AnyAdjoint, OpenAdjoint } from "./adjoint.js";
import type { Controller } from "./controller.js";
import { adaptive } from "./controllers/adaptive.js";
import type * as sentences from "./sentences.js";
import { leafEvent, type SolveEvent } from "./events.js";
import { problemOf, stateLeaves, type Problem } from "./problem.js";
import { checkedRegularizer, type Regularizer } from "./regularizer.js";
import type { RunningCost } from "./regularizers/running.js";
import type { Solver } from "./solver.js";
import { tsit5 } from "./solvers/tsit5.js";
import { heapCopies, type DenseStep, type EmbeddedStep, type Leaves, type Step, type StiffnessStep } from "./step.js";
import { checkTimeLimit, type Resumption, type Signal, type Supervision } from "./supervision.js";
import type { Ode } from "./term.js";
import { timeTensor, type Time } from "./time.js";
import { treeStep, type TreeStep } from "./tree-step.js";

/** The record of the default solver. */
export type DefaultStep = EmbeddedStep & DenseStep & StiffnessStep;

type ErrorSentence<R> = R extends EmbeddedStep ? never : (typeof sentences)["adaptive"];
type CostSentence<R> =
  | (R extends EmbeddedStep ? never : (typeof sentences)["errorEstimate"])
  | (R extends StiffnessStep ? never : (typeof sentences)["stiffnessEstimate"]);

/** The controller of a solver: optional where the default one, {@link adaptive}, has the error estimate that it needs. */
export type ControllerOption<R extends Step> = R extends EmbeddedStep
  ? { readonly controller?: Controller<NoInfer<R>> | undefined }
  : { readonly controller: Controller<NoInfer<R>> | ErrorSentence<R> };

/** What is saved: states, or values V of them. */
export interface SaveOptions<Y, V> {
  /** Times, in the direction of the solve; default [t1], none with `every`. */
  readonly times?: readonly number[] | Tensor | undefined;
  /** "step": t0 and the end of every step besides. Their times are constant fractions of the solve, or of what stops it in between, and move with t0 and t1. */
  readonly every?: "step" | undefined;
  /** What is kept of a state at a time, a tensor or a tree of tensors; default the state itself. */
  readonly value?: ((t: Tensor, y: Y) => V) | undefined;
}

/** What a solve is told besides its field and initial state Y; V is what it saves of a state. */
export interface SolveSettings<R extends Step, Y = Tensor, V = Y> {
  /** Where the initial state stands; a number, or a 0-d tensor to differentiate with respect to it. */
  readonly t0: number | Tensor;
  /** Where to solve to; may be before t0. */
  readonly t1: number | Tensor;
  /** Default {@link tsit5}. */
  readonly solver?: Solver<Ode, R> | undefined;
  /**
   * Times whose states are wanted, in the direction of the solve, t0 and t1 allowed; default [t1]. The steps are not changed where the solver interpolates.
   * With {@link SaveOptions} every step, or a function of the states.
   */
  readonly saveAt?: readonly number[] | Tensor | SaveOptions<Y, V> | undefined;
  /** What can happen on the way: notes, ends, changes of the state. Needs a solver with dense output. */
  readonly events?: (R extends DenseStep ? readonly SolveEvent<Y>[] : (typeof sentences)["events"]) | undefined;
  /** Attempted steps before the solve is given up; default 100,000. */
  readonly maxSteps?: number | undefined;
  /** Sees each accepted step, in numbers that nobody watches; "stop" or false ends the solve with the status "terminated". */
  readonly onStep?: ((step: TreeStep<Y, NoInfer<R>>) => unknown) | undefined;
  /** An AbortSignal, read before each step: status "aborted". */
  readonly signal?: Signal | undefined;
  /** Milliseconds before the solve is given up, looked at before each step: status "timeLimit". */
  readonly timeLimit?: number | undefined;
  /** Whether a failure is thrown (default), or returned: a solution with its `status`, its `error` and what was reached. Wrong options are thrown in any case. */
  readonly throw?: boolean | undefined;
  /** Goes on where the same call stood: `resume` of its solution, or of one of its steps. What was saved before is not saved again. */
  readonly resume?: Resumption | undefined;
}

/** How to differentiate, and what to make small: costs of the steps only with an adjoint that differentiates steps. */
export type AdjointOption<R extends Step> =
  | {
      /** How to differentiate; default discreteAdjoint() with every state stored. */
      readonly adjoint?: Adjoint<NoInfer<R>> | OpenAdjoint<NoInfer<R>> | undefined;
      /** Costs of the steps, and costs along the solution, returned as `penalties`. */
      readonly regularize?: Regularizer<NoInfer<R>> | RunningCost | readonly (Regularizer<NoInfer<R>> | RunningCost)[] | CostSentence<R> | undefined;
    }
  | {
      /** How to differentiate. */
      readonly adjoint?: AnyAdjoint<NoInfer<R>> | undefined;
      /** Costs along the solution, returned as `penalties`. */
      readonly regularize?: RunningCost | readonly RunningCost[] | (typeof sentences)["continuousAdjoint"] | undefined;
    };

/** Options of {@link solve}. */
export type SolveOptions<R extends Step, Y = Tensor, V = Y> = SolveSettings<R, Y, V> & ControllerOption<R> & AdjointOption<R>;

const known = [
  "t0", "t1", "solver", "controller", "saveAt", "adjoint", "regularize", "events", "maxSteps", "onStep", "signal", "timeLimit", "throw", "resume",
]; // prettier-ignore

/** What programs of other libraries give to the solve itself. */
const elsewhere: Readonly<Record<string, string>> = {
  rtol: "controller: adaptive({ rtol })",
  atol: "controller: adaptive({ atol })",
  dt: "controller: fixed(dt)",
  method: "solver: tsit5()",
};

/** What is saved, apart. */
const saveOptionsOf = <Y, V>(saveAt: SolveSettings<Step, Y, V>["saveAt"]): SaveOptions<Y, V> => {
  if (saveAt === undefined) return {};
  if (isTensor(saveAt) || Array.isArray(saveAt) || typeof saveAt !== "object" || saveAt === null) return { times: saveAt as readonly number[] };
  const options = saveAt as SaveOptions<Y, V>;
  checkOptions("saveAt", options, ["times", "every", "value"]);
  if (options.every !== undefined && options.every !== "step") throw new OptionError(`saveAt got every = ${String(options.every)}: "step"`);
  if (options.value !== undefined && typeof options.value !== "function")
    throw new OptionError(`saveAt got value of type ${typeof options.value}: a function (t, y) => tensor is needed`);
  return options;
};

/** What is kept of a saved state. */
export interface SavedValue<V> {
  readonly of: (t: Time, y: Leaves) => Leaves;
  /** Leaves like those that `of` returned last as a tree. */
  readonly tree: (leaves: Leaves) => V;
}

/** What is kept of a saved state, where it is not the state itself. */
export const savedValue = <Y, V>(form: Y, saveAt: SolveSettings<Step, Y, V>["saveAt"]): SavedValue<V> | undefined => {
  const { value } = saveOptionsOf<Y, V>(saveAt);
  if (value === undefined) return undefined;
  let found: V | undefined;
  return {
    of: (t, y) => {
      found = value(timeTensor(t, y[0]?.dtype ?? "float64"), unflatten(form, y));
      return leavesOf(found);
    },
    tree: (leaves) => unflatten(found as V, leaves),
  };
};

const supervisionOf = <Y, R extends Step, V>(form: Y, options: SolveOptions<R, Y, V>): Supervision => {
  const { onStep, signal, timeLimit, resume, throw: throws = true } = options;
  if (onStep !== undefined && typeof onStep !== "function") throw new OptionError(`onStep got ${typeof onStep}: a function of a step is needed`);
  if (signal !== undefined) requireObject("signal", signal, "aborted", "the signal of an AbortController");
  if (typeof throws !== "boolean") throw new OptionError(`throw got ${String(throws)}: true or false`);
  checkTimeLimit(timeLimit);
  if (resume !== undefined && activeRecorders().length > 0)
    throw new OptionError(
      "a solve that goes on from another (resume) cannot be differentiated: what came before is not known. Solve it in one, or from its state as y0",
    );
  const stops = (answer: unknown): boolean => answer === "stop" || answer === false;
  return {
    onStep: onStep === undefined ? undefined : (step, stand) => stops(onStep(treeStep(form, step as R, stand(), heapCopies))),
    signal,
    timeLimit,
    throws,
    resume,
  };
};

/** The problem that options describe, its initial state under headers of its own. */
export const problemFrom = <Y, R extends Step, V = Y>(f: (t: Tensor, y: Y) => Y, y0: Y, options: SolveOptions<R, Y, V>): Problem<R> => {
  if (typeof options !== "object" || options === null) throw new OptionError("solve needs options: at least { t0, t1 }");
  for (const key of Object.keys(options)) if (key in elsewhere) throw new OptionError(`solve got the option ${key}: give ${elsewhere[key]!}`);
  checkOptions("solve", options, known);
  const { t0, t1, maxSteps } = options;
  const { times, every } = saveOptionsOf(options.saveAt);
  const solver = options.solver ?? (tsit5() as unknown as Solver<Ode, R>);
  const controller = (options.controller ?? adaptive()) as unknown as Controller<R>;
  const regularize = options.regularize ?? [];
  const costs = (Array.isArray(regularize) ? regularize : [regularize]) as readonly Regularizer<R>[];
  const given: unknown = options.events ?? [];
  requireObject("solver", solver, "step", "a solver such as tsit5()");
  requireObject("controller", controller, "begin", "a controller such as adaptive() or fixedSteps(n)");
  const regularizers = costs.map((cost) => {
    requireObject("regularize", cost, "cost", "a regularizer such as errorEstimate()");
    return checkedRegularizer(cost);
  });
  if (!Array.isArray(given)) throw new OptionError(`events got ${typeof given}: a list of { when, direction, then } is needed`);
  // Under headers of its own: where f closes over the initial state as well, that is another way in for derivatives.
  const leaves = stateLeaves(y0).map((leaf) => identity(leaf));
  const events = (given as readonly SolveEvent<Y>[]).map((event, i) => leafEvent(event, i, y0, leaves));
  const supervision = supervisionOf(y0, options);
  return problemOf(f, y0, leaves, {
    t0,
    t1,
    solver,
    controller,
    saveAt: times,
    everyStep: every === "step",
    regularizers,
    maxSteps,
    events,
    supervision,
  });
};
