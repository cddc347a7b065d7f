/**
 * @file Events: a function of (t, y) that crosses zero inside a step, and what follows from it.
 *
 *   τ:  g(τ, y(τ)) = 0 with y the dense output of the step;   y⁺ = c(τ, y(τ)), from which the solve goes on
 *
 * The time of an event is an implicit function: with ġ = d/dt g(t, y(t)) at τ, dτ = −dg / ġ for whatever else g(τ, y(τ)) depends on. As y(τ) and c are operations
 * on the tape and τ is one with this derivative, the rest is the chain rule; it gives the jump of the adjoint,
 *
 *   a⁻ = c_yᵀ a⁺ − [(a⁺·(c_y f⁻ + c_t) − a⁺·f⁺) / ġ] g_yᵀ
 *
 * E. Hairer, S. P. Nørsett, G. Wanner, Solving Ordinary Differential Equations I, 2nd ed., 1993, II.6; M. A. Aizerman, F. R. Gantmacher, 1958, for the jump.
 */
import { implicit, vjp } from "@dydt/autodiff";
import { checkOptions, formatShape, isTensor, isWatched, kernels, ones, OptionError, ShapeError, stopGradient, tensor, unflatten, unrecorded, type Tensor } from "@dydt/tensor"; // prettier-ignore
import { described } from "./arguments.js";
import { EventError } from "./errors.js";
import { lazily, type DenseStep, type Leaves, type Step } from "./step.js";
import { likeState, type Ode } from "./term.js";
import { timeTensor, timeValue, type Time } from "./time.js";

/** Which way the function goes through zero, in the direction of the solve. */
export type Direction = "up" | "down" | "both";

/**
 * Something that happens when a function of the solution crosses zero.
 *
 * @example
 * // A ball that is dropped from a height of 10 and keeps 0.8 of its speed.
 * const ground: SolveEvent<Tensor> = { when: (t, y) => y.at(0), direction: "down", then: (t, y) => y.mul(tensor([1, -0.8])) };
 * const { events } = solve((t, y) => stack([y.at(1), tensor(-9.81)]), tensor([10, 0]), { t0: 0, t1: 5, events: [ground] });
 * expectClose(events[0]!.times.at(0), 1.4278431229270645);
 */
export interface SolveEvent<Y> {
  /** The function, of one element; its zeros are the events. It may close over tensors, which get their derivatives. */
  readonly when: (t: Tensor, y: Y) => Tensor;
  /** Which crossings count; default "both". */
  readonly direction?: Direction | undefined;
  /** What follows: nothing but a note (default), the end of the solve, or a new state, from which it goes on. */
  readonly then?: "terminate" | ((t: Tensor, y: Y) => Y) | undefined;
  /** How many are looked for; default all. */
  readonly times?: number | undefined;
  /** How exactly the time is located; default four roundings of it. */
  readonly tolerance?: number | undefined;
}

/** An event over the leaves of the state. */
export interface LeafEvent {
  readonly when: (t: Time, y: Leaves) => Tensor;
  readonly direction: Direction;
  readonly then: "terminate" | ((t: Time, y: Leaves) => Leaves) | undefined;
  readonly times: number;
  readonly tolerance: number;
}

/** When the event of this number happened. */
export interface Found {
  readonly event: number;
  readonly t: number;
}

/** An event with its state, both with derivatives. */
export interface Occurrence {
  readonly event: number;
  readonly t: Time;
  /** The state at the event, before it is changed. */
  readonly y: Leaves;
}

/** A step in which events happened; y1 is the state that the solve goes on from. */
export interface EventfulStep extends Step {
  readonly occurrences: readonly Occurrence[];
  /** The step as the solver made it. */
  readonly whole: Step;
  /** Where it ended in an event that changes the state or ends the solve: that time, with its derivative. */
  readonly end: Time | undefined;
  readonly terminal: boolean;
  /** Whether another event changes the state, or ends the solve, at the same time, or time is up for it: the next step does it, and its end is the state there. */
  readonly isFollowed: boolean;
}

/** Whether of what is to happen at once something has a step of no length of its own: it changes the state, or no time is left for another. */
export const isFollowedAt = (t: number, t1: number, pending: readonly number[], events: readonly LeafEvent[]): boolean =>
  pending.some((event) => t === t1 || events[event]?.then !== undefined);

/** The events in a step, if there are any. */
export const eventful = (step: Step): EventfulStep | undefined => ("occurrences" in step ? (step as EventfulStep) : undefined);

/** The step as the solver made it. */
export const wholeOf = <R extends Step>(step: R): R => (eventful(step)?.whole as R | undefined) ?? step;

/**
 * An event over trees as one over leaves.
 *
 * @throws OptionError for what is no event.
 */
export const leafEvent = <Y>(event: SolveEvent<Y>, index: number, form: Y, leaves: Leaves): LeafEvent => {
  const name = `event ${index}`;
  if (typeof event !== "object" || event === null)
    throw new OptionError(`events got ${typeof event} at place ${index}: pass { when, direction, then }`);
  checkOptions(name, event, ["when", "direction", "then", "times", "tolerance"]);
  const { when, direction = "both", then, times = Infinity, tolerance = 0 } = event;
  if (typeof when !== "function")
    throw new OptionError(`${name} got when of type ${typeof when}: a function (t, y) => tensor of one element is needed`);
  if (!["up", "down", "both"].includes(direction)) throw new OptionError(`${name} got direction "${String(direction)}": "up", "down" or "both"`);
  if (then !== undefined && then !== "terminate" && typeof then !== "function")
    throw new OptionError(`${name} got then = ${String(then)}: "terminate", or a function (t, y) => new state`);
  if (!(times === Infinity || (Number.isInteger(times) && times > 0)))
    throw new OptionError(`${name} got times = ${times}: a positive whole number is needed`);
  if (!(typeof tolerance === "number" && tolerance >= 0))
    throw new OptionError(`${name} got tolerance = ${described(tolerance)}: a length of time is needed`);
  const dtype = leaves[0]?.dtype ?? "float64";
  const change = (t: Time, y: Leaves): Leaves => {
    const changed = likeState(`the change of ${name}`, (then as (t: Tensor, y: Y) => Y)(timeTensor(t, dtype), unflatten(form, y)), form, leaves);
    if (changed.some((leaf) => kernels.firstNonFinite(leaf) >= 0))
      throw new EventError(`the change of ${name} returned NaN or infinity at t = ${timeValue(t)}`);
    return changed;
  };
  return Object.freeze({
    when: (t: Time, y: Leaves) => {
      const value: unknown = when(timeTensor(t, dtype), unflatten(form, y));
      if (!isTensor(value) || value.size !== 1)
        throw new ShapeError(
          `${name} has a function that returned ${isTensor(value) ? `shape ${formatShape(value.shape)}` : typeof value}: a tensor of one element is needed`,
        );
      return value;
    },
    direction,
    then: typeof then === "function" ? change : then,
    times,
    tolerance,
  });
};

/** The time of an event at τ, as a function of all that g(τ, y(τ)) depends on: τ itself as a value, the root of the equation as a function. */
const eventTime = ({ when }: LeafEvent, index: number, step: DenseStep, at: number): Time => {
  if (!isWatched(when(at, step.at(at)))) return at;
  const residual = (t: Tensor): Tensor => when(t, step.at(t)).cast("float64").reshape([]);
  const rateAt = (t: Tensor): Tensor => vjp(residual, t).pullback(ones([]));
  requireCrossing(index, at, rateAt);
  const time = implicit("eventTime", {
    residual,
    find: () => tensor(at),
    inverse: (t) => {
      const rate = unrecorded(() => rateAt(t));
      return (value) => value.div(rate);
    },
    transposed: (t, cotangent) => cotangent.div(rateAt(t)),
    recordsReverse: true,
  });
  return time.sub(stopGradient(time)).add(at);
};

/** @throws EventError where the function touches zero: its root has no derivative. */
const requireCrossing = (index: number, at: number, rateAt: (t: Tensor) => Tensor): void =>
  unrecorded(() => {
    if (rateAt(tensor(at)).item() === 0)
      throw new EventError(
        `event ${index} at t = ${at} touches zero without crossing it (its rate of change is 0): its time has no derivative. ` +
          `Leave it out of what is differentiated, or choose a function that crosses`,
      );
  });

/** What events need of a problem. */
export interface EventfulProblem {
  readonly events: readonly LeafEvent[];
  readonly term: Ode;
  readonly solver: { readonly interpolates?: boolean; readonly start: (term: Ode, t: Time, y: Leaves) => Leaves };
}

/**
 * A step with the events that were found in it: the last one, where it changes the state or ends the solve, is its end.
 *
 * @param found - in the order of the solve.
 * @param isFollowed - whether the next step ends at the same time, by another event.
 */
export const withEvents = <R extends Step>({ events, solver, term }: EventfulProblem, step: R, found: readonly Found[], isFollowed = false): R => {
  const dense = step as unknown as DenseStep;
  const occurrences = found.map(({ event, t }): Occurrence => {
    const time = eventTime(events[event]!, event, dense, t);
    return { event, t: time, y: dense.at(time) };
  });
  const last = occurrences[occurrences.length - 1]!;
  const { then } = events[last.event]!;
  const properties = (added: object): PropertyDescriptorMap => Object.getOwnPropertyDescriptors({ occurrences, whole: step, ...added });
  // What is not named here is read off the step itself.
  if (then === undefined) return Object.create(step, properties({ end: undefined, terminal: false, isFollowed: false })) as R;
  const terminal = then === "terminate";
  const y1 = then === "terminate" ? last.y : then(last.t, last.y);
  const end = { end: last.t, t1: timeValue(last.t), terminal, isFollowed: isFollowed && !terminal, y1 };
  const carry = lazily(() => solver.start(term, end.end, end.y1));
  return Object.create(step, { ...properties(end), carry: { get: carry, enumerable: true } }) as R;
};
