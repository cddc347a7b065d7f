/**
 * @file Running costs: an integral along the solution, as one more component of the state.
 *
 *   R = ∫ r(t, y, f(t, y)) dt over [t₀, t₁],   R′ = r
 *
 * It is solved with the state, so that every solver and every adjoint gives its value and its derivative; it has no part in the error norm, so that the steps
 * are those of the solve without it.
 *
 * **Contract.** `rate` computes a 0-d tensor from (t, y, f) with tensor operations only. `pullback` gives (∂f/∂y)ᵀ v without another evaluation of f; a cost
 * that wants it says so.
 *
 * **Example.** The length of the path:
 *
 * @example
 * const pathLength: RunningCost = { name: "pathLength", running: true, rate: ({ slope }) => slope[0]!.square().sum().sqrt() };
 * const circle = (t: Tensor, y: Tensor) => stack([y.at(1), y.at(0).neg()]);
 * const { penalties } = solve(circle, tensor([1, 0]), { t0: 0, t1: Math.PI, regularize: pathLength });
 * expectClose(penalties[0]!, Math.PI, { rtol: 1e-5 });
 */
import { vjp } from "@dydt/autodiff";
import { leavesLike, leavesOf, unflatten, zeros, type Dtype, type Tensor } from "@dydt/tensor";
import type { Controller } from "../controller.js";
import { leadingStep, onLeadingLeaves } from "../controllers/leading-leaves.js";
import type { SolveEvent } from "../events.js";
import { requireScalar, type Regularizer } from "../regularizer.js";
import type { SaveOptions, SolveOptions } from "../settings.js";
import type { EventRecord, Solution } from "../solution.js";
import type { Leaves, Step } from "../step.js";
import type { TreeStep } from "../tree-step.js";
import type { Time } from "../time.js";

/** What a running cost may look at: all as lists of the tensors of the state. */
export interface RunningPoint {
  readonly t: Tensor;
  readonly y: Leaves;
  /** f(t, y). */
  readonly slope: Leaves;
  /** (∂f/∂y)ᵀ v; only for costs with `pullsBack`. */
  readonly pullback: (v: Leaves) => Leaves;
}

/** A cost along the solution, as option `regularize` of `solve`; its integral is among the `penalties`. */
export interface RunningCost {
  readonly name: string;
  readonly running: true;
  /** Whether it uses `pullback`, for which f is recorded; default false. */
  readonly pullsBack?: boolean;
  /** r(t, y, f): what the cost grows by, for each unit of time in the direction of the solve. */
  readonly rate: (point: RunningPoint) => Tensor;
}

/** Whether a regularizer is a running cost. */
export const isRunning = (cost: unknown): cost is RunningCost => typeof cost === "object" && cost !== null && "running" in cost;

/** A state with its costs. */
export interface WithCosts<Y> {
  readonly state: Y;
  readonly costs: readonly Tensor[];
}

/** A solve whose state has costs beside it, and how its solution becomes that of the state alone. */
export interface CostlySolve<Y, R extends Step, V> {
  readonly field: (t: Tensor, y: WithCosts<Y>) => WithCosts<Y>;
  readonly y0: WithCosts<Y>;
  readonly options: SolveOptions<R, WithCosts<Y>, V>;
  readonly solution: (costly: Solution<WithCosts<Y>, V>) => Solution<Y, V>;
}

const listOf = <T>(value: T | readonly T[] | undefined): readonly T[] =>
  value === undefined ? [] : Array.isArray(value) ? (value as readonly T[]) : [value as T];

/** The running costs among the regularizers. */
export const runningCostsOf = (regularize: unknown): readonly RunningCost[] => listOf(regularize).filter(isRunning);

/** The cost of a step that does not see the running costs. */
const withoutCosts = <R extends Step>(regularizer: Regularizer<R>, count: number): Regularizer<R> => ({
  ...regularizer,
  cost: (step, tolerances) => regularizer.cost(leadingStep(step, count), tolerances),
});

const ratesOf = <Y>(costs: readonly RunningCost[], f: (t: Tensor, y: Y) => Y, t: Tensor, y: Y, sign: number): WithCosts<Y> => {
  const leaves = leavesOf(y);
  let pullback = (_v: Leaves): Leaves => leaves.map((leaf) => leaf.mul(0));
  let slope: Y;
  if (costs.some(({ pullsBack }) => pullsBack === true)) {
    const pulled = vjp((at: Y) => f(t, at), y);
    slope = pulled.value;
    pullback = (v) => leavesOf(pulled.pullback(unflatten(slope, v)));
  } else slope = f(t, y);
  const point: RunningPoint = { t, y: leaves, slope: leavesLike(y, slope), pullback };
  return { state: slope, costs: costs.map(rateOf) };

  function rateOf({ name, rate }: RunningCost): Tensor {
    const found = requireScalar(name, rate(point));
    return sign === 1 ? found : found.neg();
  }
};

/**
 * The solve with running costs in its state.
 *
 * @param controller - the one that decides the steps by the state alone.
 */
export const withRunningCosts = <Y, R extends Step, V>(
  f: (t: Tensor, y: Y) => Y,
  y0: Y,
  options: SolveOptions<R, Y, V>,
  controller: Controller<R>,
): CostlySolve<Y, R, V> => {
  const given = listOf(options.regularize as Regularizer<R> | RunningCost | readonly (Regularizer<R> | RunningCost)[] | undefined);
  const costs = given.filter(isRunning);
  const leaves = leavesOf(y0);
  const steps = given.filter((cost): cost is Regularizer<R> => !isRunning(cost)).map((cost) => withoutCosts(cost, leaves.length));
  const dtype: Dtype = leaves[0]?.dtype ?? "float64";
  const [from, to] = [options.t0, options.t1].map((t) => (typeof t === "number" ? t : t.item()));
  const sign = to! < from! ? -1 : 1; // a cost grows in the direction of the solve
  const { saveAt, events, onStep, ...rest } = options;
  const stateOf = (tree: unknown): Y => (tree as WithCosts<Y>).state;
  const mapped = {
    ...rest,
    regularize: steps,
    controller: onLeadingLeaves(controller, leaves.length, y0),
    ...(saveAt !== undefined && { saveAt: savesOf(saveAt as SaveOptions<Y, V>) }),
    ...(events !== undefined && { events: (events as unknown as readonly SolveEvent<Y>[]).map(eventOf) }),
    ...(onStep !== undefined && { onStep: (step: TreeStep<WithCosts<Y>, R>) => onStep(stepOf(step)) }),
  };
  return {
    field: (t, y) => ratesOf(costs, f, t, y.state, sign),
    y0: { state: y0, costs: costs.map(() => zeros([], { dtype })) },
    options: mapped as unknown as SolveOptions<R, WithCosts<Y>, V>,
    solution: (costly) => {
      let [nextStep, nextCost] = [0, 0];
      const events = costly.events.map(({ times, states }): EventRecord<Y> => ({ times, states: stateOf(states) }));
      const hasValue = typeof saveAt === "object" && "value" in saveAt && saveAt.value !== undefined;
      return Object.freeze({
        ...costly,
        ys: hasValue ? costly.ys : (stateOf(costly.ys) as unknown as V),
        y1: stateOf(costly.y1),
        penalties: given.map((cost) => (isRunning(cost) ? costly.y1.costs[nextCost++]! : costly.penalties[nextStep++]!)),
        events,
        at: (t: number | Tensor) => stateOf(costly.at(t)),
      });
    },
  };

  function savesOf(saves: SaveOptions<Y, V>): unknown {
    const { value } = saves;
    return typeof value === "function" ? { ...saves, value: (t: Tensor, y: WithCosts<Y>) => value(t, y.state) } : saves;
  }

  function eventOf(event: SolveEvent<Y>): SolveEvent<WithCosts<Y>> {
    const { when, then } = event;
    const change = typeof then === "function" ? (t: Tensor, { state, costs }: WithCosts<Y>) => ({ state: then(t, state), costs }) : then;
    return { ...event, when: (t, y) => when(t, y.state), ...(change !== undefined && { then: change }) } as SolveEvent<WithCosts<Y>>;
  }

  function stepOf(step: TreeStep<WithCosts<Y>, R>): TreeStep<Y, NoInfer<R>> {
    const view: object = Object.create(step, {
      y0: { value: stateOf(step.y0), enumerable: true },
      y1: { value: stateOf(step.y1), enumerable: true },
    }) as object;
    if ("error" in step) Object.defineProperty(view, "error", { get: () => stateOf(step.error), enumerable: true });
    const { at } = step as unknown as { readonly at?: (t: Time) => WithCosts<Y> };
    if (at !== undefined) Object.defineProperty(view, "at", { value: (t: Time) => at(t).state, enumerable: true });
    return view as TreeStep<Y, NoInfer<R>>;
  }
};
