/**
 * @file Training: loss, gradient, update, again and again, without ever holding the event loop for more than one iteration.
 *
 * Each iteration is synchronous and runs in a scope of its own: all its memory is released at its end but the parameters and the optimizer's state.
 */
import { valueAndGradient, type Auxiliary } from "@dydt/autodiff";
import { checkOptions, elementsOf, isTensor, leavesOf, OptionError, scope, synchronous, type Tensor } from "@dydt/tensor";
import { eventLoop } from "./event-loop.js";
import { requireMethods, requirePositiveInteger } from "./options.js";
import type { Optimizer, OptimizerState } from "./optimizers/optimizer.js";
import { openProgress } from "./progress.js";
import { TrainingError } from "./training-error.js";

/**
 * What is made small: a number from the parameters, or `{ value, auxiliary }` with something to hand to the callback.
 *
 * @typeParam P - the parameters.
 * @typeParam A - the auxiliary; undefined for a loss that gives only a number.
 */
export type Loss<P, A = undefined> = (parameters: P, context: { readonly iteration: number }) => Tensor | Auxiliary<A>;

/** What the callback of {@link train} is told of an iteration. */
export interface TrainingIteration<P, A = undefined> {
  /** From 0; a training that goes on from a state counts on from the updates that it has made. */
  readonly iteration: number;
  readonly loss: number;
  /** √Σ g², over all parameters. */
  readonly gradientNorm: number;
  /** Those that this loss belongs to, before the update. */
  readonly parameters: P;
  readonly auxiliary: A;
}

/** Options of {@link train}. */
export interface TrainOptions<P, A = undefined> {
  /** How a gradient changes the parameters, such as `adam(1e-3)`. */
  readonly optimizer: Optimizer;
  /** How many iterations. */
  readonly steps: number;
  /** A line with loss and time left on standard error, if that is a terminal; a text is its label. Default false. */
  readonly progress?: boolean | string;
  /** Ends the training between two iterations, with status "aborted" and what was reached. */
  readonly signal?: AbortSignal;
  /** Called after each iteration; a promise is awaited. */
  readonly onIteration?: (iteration: TrainingIteration<P, A>) => void | Promise<void>;
  /** The optimizer's state of an earlier result, to go on from there, iterations counted on; default a new one. */
  readonly state?: OptimizerState<P>;
}

/** What {@link train} reached. */
export interface TrainingResult<P> {
  /** After the last update. */
  readonly parameters: P;
  /** The loss of each iteration, before its update. */
  readonly losses: readonly number[];
  /** How many iterations were made, in this call. */
  readonly iterations: number;
  readonly status: "completed" | "aborted";
  /** The optimizer's memory, with which a training can go on. */
  readonly state: OptimizerState<P>;
}

/** √Σ x² over all leaves of a tree, which does not overflow before its elements do; not finite when an element is not. */
const normOf = (tree: unknown): number => {
  const leaves = leavesOf(tree).map(elementsOf);
  let sum = 0;
  for (const elements of leaves) for (const x of elements) sum += x * x;
  if (sum > 1e-290 && sum < Infinity) return Math.sqrt(sum);
  let largest = 0;
  for (const elements of leaves) for (const x of elements) largest = Math.max(largest, Math.abs(x));
  if (!(largest > 0 && largest < Infinity)) return largest;
  sum = 0;
  for (const elements of leaves) for (const x of elements) sum += (x / largest) * (x / largest);
  return largest * Math.sqrt(sum);
};

/** Loss and gradient at one point. What a loss throws is its own at first, when it is most likely a mistake in the call; later it is a cause, so that what was reached is kept. */
const evaluate = <P, A>(loss: Loss<P, A>, parameters: P, iteration: number, lastGood: P, isFirst: boolean) => {
  try {
    return valueAndGradient((at: P): Auxiliary<A> => {
      const result = synchronous(loss(at, { iteration }));
      if (typeof result !== "object" || result === null)
        throw new OptionError(`the loss returned ${String(result)}: a tensor of one element, or { value, auxiliary }, is needed`);
      return isTensor(result) ? { value: result, auxiliary: undefined as A } : result;
    })(parameters);
  } catch (cause) {
    if (isFirst) throw cause;
    throw new TrainingError(`the loss threw "${cause instanceof Error ? cause.message : String(cause)}"`, {
      iteration,
      loss: NaN,
      parameters: lastGood,
      cause,
    });
  }
};

/** One iteration, which leaves nothing behind but what it returns. @throws TrainingError when anything is not finite. */
const iterate = <P, A>(
  loss: Loss<P, A>,
  optimizer: Optimizer,
  parameters: P,
  state: OptimizerState<P>,
  iteration: number,
  lastGood: P,
  isFirst: boolean,
) =>
  scope(() => {
    const { value: scalar, gradient, auxiliary } = evaluate(loss, parameters, iteration, lastGood, isFirst);
    const value = scalar.item();
    const requireFinite = (what: string, number: number, good: P): void => {
      if (!Number.isFinite(number))
        throw new TrainingError(`${what} is ${number}, not finite; try a smaller rate`, { iteration, loss: value, parameters: good });
    };
    requireFinite("the loss", value, lastGood);
    const gradientNorm = normOf(gradient);
    requireFinite(`the loss is ${value}, but the norm of its gradient`, gradientNorm, lastGood);
    const next = optimizer.update(gradient, state, parameters);
    requireFinite(
      `the loss is ${value} with a gradient of norm ${gradientNorm}, but the norm of the new parameters`,
      normOf(next.parameters),
      parameters,
    );
    requireFinite(
      `the loss is ${value} with a gradient of norm ${gradientNorm}, but the norm of the optimizer's state`,
      normOf(next.state.trees),
      parameters,
    );
    return { next, told: { iteration, loss: value, gradientNorm, auxiliary } };
  });

/** @throws OptionError for what plain JavaScript may give. */
const requireTypes = <P, A>(loss: Loss<P, A>, { optimizer, signal, onIteration, state }: TrainOptions<P, A>): void => {
  const refuse = (what: string, value: unknown, wanted: string): never => {
    throw new OptionError(`train got ${typeof value} as its ${what}: give ${wanted}`);
  };
  const isObject = (value: unknown): boolean => typeof value === "object" && value !== null;
  if (typeof loss !== "function") refuse("loss", loss, "a function of the parameters");
  requireMethods("train", "optimizer", optimizer, ["init", "update"], "one such as adam(1e-3)");
  if (signal !== undefined && typeof signal?.aborted !== "boolean") refuse("signal", signal, "the signal of an AbortController: controller.signal");
  if (onIteration !== undefined && typeof onIteration !== "function") refuse("onIteration", onIteration, "a function of an iteration");
  if (state !== undefined && !(Number.isInteger(state?.iteration) && state.iteration >= 0 && isObject(state.trees) && isObject(state.numbers)))
    refuse("state", state, "the state of an earlier result");
};

/**
 * Makes a loss small.
 *
 * @param loss - from the parameters (and `{ iteration }`, for choosing a batch; with `state` it counts on from the updates made) to a tensor of one element, or `{ value, auxiliary }`. Synchronous.
 * @param start - the first parameters: any tree of float tensors.
 * @returns a promise of the parameters reached, the losses, and "completed" or "aborted". It rejects with what is thrown. Cost: a gradient and an update each
 * iteration, and a turn of the event loop, a few microseconds in Node.
 * @throws TrainingError as soon as a loss, a gradient or an update is not finite, or the loss throws in a later iteration, with the last good parameters.
 * @throws OptionError for unknown options, a number of steps that is no positive whole number, and options that are something else than they should be.
 * @example
 * const target = tensor([1, 2]);
 * const { parameters, status } = await train((x) => meanSquaredError(x, target), tensor([0, 0]), { optimizer: sgd(0.5), steps: 100 });
 * expectClose(parameters, target);
 * status; // "completed"
 */
export const train = async <P, A = undefined>(loss: Loss<P, A>, start: P, options: TrainOptions<P, A>): Promise<TrainingResult<P>> => {
  if (typeof options !== "object") throw new OptionError("train needs options: train(loss, parameters, { optimizer: adam(1e-3), steps: 100 })");
  checkOptions("train", options, ["optimizer", "steps", "progress", "signal", "onIteration", "state"]);
  const { optimizer, steps, progress = false, signal, onIteration } = options;
  requirePositiveInteger("train", "steps", steps);
  requireTypes(loss, options);

  let parameters = start;
  let lastGood = start;
  let state = options.state ?? optimizer.init(start);
  const first = options.state?.iteration ?? 0;
  const losses: number[] = [];
  const bar = await openProgress(progress, steps);
  const { turn, close } = eventLoop();
  try {
    for (let iteration = first; iteration < first + steps; iteration++) {
      await turn();
      if (signal?.aborted === true) break;
      const { next, told } = iterate(loss, optimizer, parameters, state, iteration, lastGood, iteration === first);
      lastGood = parameters;
      ({ parameters, state } = next);
      losses.push(told.loss);
      bar.show(losses.length, told.loss);
      await onIteration?.({ ...told, parameters: lastGood });
    }
  } finally {
    close();
    bar.close();
  }
  return { parameters, losses, iterations: losses.length, status: losses.length === steps ? "completed" : "aborted", state };
};
