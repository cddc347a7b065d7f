/**
 * @file A primitive computes, then tells whoever is recording.
 *
 * Nothing here knows of derivatives: their rules are tables beside the tape, keyed by the primitive itself, or carried by the primitive (rule.ts).
 */
import { activeRecorders, exchangeRecorders, isRetained, noRecorders, type Operation } from "./recorder.js";
import { OptionError } from "./errors.js";
import { isTensor, type Tensor } from "./tensor.js";

/** Looks at every operation, recorded or not: for debugging. */
export type Inspector = (operation: Operation, args: readonly unknown[], output: Tensor) => void;

let inspector: Inspector | null = null;

/** Sets who looks at every operation, or null for nobody, which costs nothing. */
export const setInspector = (next: Inspector | null): void => {
  inspector = next;
};

/** Runs `body` while nobody inspects: a trial, whose numbers the caller looks at, and drops where they are not finite. */
export const uninspected = <T>(body: () => T): T => {
  const inspecting = inspector;
  inspector = null;
  try {
    return body();
  } finally {
    inspector = inspecting;
  }
};

/** Whether nobody records and nobody inspects, so that several operations may be computed as one. */
export const isUnobserved = (): boolean => inspector === null && activeRecorders().length === 0;

/** A function of tensors, lists of tensors and constants, that recorders see as one operation. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a list of primitives of any arguments needs the bivariant default
export interface Primitive<A extends readonly unknown[] = any> extends Operation {
  (...args: A): Tensor;
}

/** Calls `forward` while nobody watches: what it is made of is nobody's business. */
const unwatched = <A extends readonly unknown[]>(forward: (...args: A) => Tensor, args: A): Tensor => {
  const watching = exchangeRecorders(noRecorders);
  try {
    return forward(...args);
  } finally {
    exchangeRecorders(watching);
  }
};

/** Copies the lists and records among some arguments: their owner may change them before a recorder reads them again. */
const copyLists = (args: unknown[]): unknown[] => {
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] as object | null | undefined;
    if (Array.isArray(arg)) args[i] = copyLists(arg.slice());
    else if (arg?.constructor === Object) args[i] = Object.fromEntries(copyLists(Object.entries(arg)) as [string, unknown][]);
  }
  return args;
};

/** What a primitive computed, marked with its name. @throws OptionError for what is no tensor. */
const named = (name: string, output: Tensor): Tensor => {
  if (!isTensor(output)) throw new OptionError(`the primitive ${name} returned ${typeof output} in the place of a tensor`);
  output.op = name;
  return output;
};

/**
 * Makes a primitive: `forward` computes the numbers, unwatched, and every active recorder is then told of the call.
 *
 * To differentiate through it, give its rules with `defineVjp` of @dydt/autodiff.
 *
 * @param name - shown in messages.
 * @param forward - computes a new tensor from its arguments and changes none of them. It may read `data`, and use other operations, which nobody sees.
 * @returns the primitive, called as `forward` is.
 * @example
 * const cube = primitive("cube", (x: Tensor) => x.mul(x).mul(x));
 * expectClose(cube(tensor(2)), 8);
 */
export const primitive = /* @__NO_SIDE_EFFECTS__ */ <A extends readonly unknown[]>(name: string, forward: (...args: A) => Tensor): Primitive<A> => {
  const apply = (...args: A): Tensor => {
    const recorders = activeRecorders();
    if (recorders.length === 0) {
      const output = named(name, forward(...args));
      if (inspector !== null) inspector(apply as unknown as Primitive<A>, args, output);
      return output;
    }
    const output = named(name, unwatched(forward, args));
    if (inspector !== null) inspector(apply as unknown as Primitive<A>, args, output);
    if (isRetained()) copyLists(args as unknown as unknown[]);
    for (let i = 0; i < recorders.length; i++) recorders[i]!.record(apply as unknown as Primitive<A>, args, output);
    return output;
  };
  return Object.defineProperty(apply, "op", { value: name }) as unknown as Primitive<A>;
};
