/**
 * @file What all forward modes share: a recorder that lets something go along with every tensor that depends on the input.
 *
 *   y = f(x₁, x₂, ...),  (ẋ₁, ẋ₂, ...) ↦ ẏ   at once, for each operation
 *
 * What goes along is computed under the recorders outside alone, those that were active when the mode began: so modes nest in any order, and none takes the
 * perturbation of another for its own. It lies in the region of the tensor, and lives as long. Nothing is kept: memory is that of the run itself, times two.
 */
import {
  activeRecorders, allocatingIn, beginEpoch, copy, copyOut, DtypeError, endEpoch, formatShape, heap, identity, inTemporaryRegion, isFloat, isTensor, leavesLike,
  leavesOf, OptionError, recordingWith, sameShape, ShapeError, synchronous, unflatten, zerosLike,
  type Operation, type Recorder, type Tensor,
} from "@dydt/tensor"; // prettier-ignore
import { requireFunction } from "./curried.js";
import { requireTangent } from "./linearize.js";
import type { Tangent } from "./rule.js";

/** What goes along with one argument; for a list of tensors a list. Undefined where all of it is zero. */
export type Along<C> = C | undefined | readonly (C | undefined)[];

/** How a mode goes through one operation. */
export interface Mode<C> {
  /** The highest derivative that is carried. */
  readonly order: number;
  /** The tensors in what goes along. */
  readonly tensors: (carried: C) => readonly Tensor[];
  /** The same with other tensors. */
  readonly map: (carried: C, f: (x: Tensor) => Tensor) => C;
  /** From what goes along with the arguments to what goes along with the output. */
  readonly through: (operation: Operation, args: readonly unknown[], along: readonly Along<C>[], output: Tensor) => C | undefined;
}

/** A mode under way. */
export interface Forward<C> {
  readonly recorder: Recorder;
  readonly along: (x: Tensor) => C | undefined;
  readonly begin: (x: Tensor, carried: C) => void;
  readonly end: () => void;
}

/** A recorder of a forward mode, inside those that are active now. */
export const forward = <C extends object>({ order, tensors, map, through }: Mode<C>): Forward<C> => {
  const outside = activeRecorders();
  const epoch = beginEpoch();
  const carried = new WeakMap<Tensor, C>();
  const along = (x: Tensor): C | undefined => carried.get(x);
  const watches = (x: Tensor): boolean => carried.has(x);

  /** What goes along with the arguments; undefined when nothing does. */
  const gather = (args: readonly unknown[]): Along<C>[] | undefined => {
    let found: Along<C>[] | undefined;
    for (let i = 0; i < args.length; i++) {
      const arg = args[i];
      if (isTensor(arg)) {
        const one = along(arg);
        if (one !== undefined) (found ??= new Array<Along<C>>(args.length).fill(undefined))[i] = one;
      } else if (Array.isArray(arg) && (arg as readonly unknown[]).some((x) => isTensor(x) && watches(x)))
        (found ??= new Array<Along<C>>(args.length).fill(undefined))[i] = (arg as readonly unknown[]).map((x) =>
          isTensor(x) ? along(x) : undefined,
        );
    }
    return found;
  };

  /** A rule may hand on what goes along with an argument, which lies where the argument does, and may not live as long as the output. */
  const propagate = (operation: Operation, args: readonly unknown[], found: readonly Along<C>[], output: Tensor): C | undefined => {
    const result = through(operation, args, found, output);
    if (result === undefined) return undefined;
    let stays = true;
    for (const one of tensors(result)) {
      requireTangent(operation, one, output);
      if (one.region !== output.region && one.region !== heap) stays = false;
    }
    return stays ? result : map(result, (one) => (one.region === output.region || one.region === heap ? one : copy(one)));
  };

  const recorder: Recorder = {
    epoch,
    retains: false,
    seesThrough: { order, carried: (x) => tensors0(along(x)) },
    watches,
    record: (operation, args, output) => {
      const found = gather(args);
      if (found === undefined || !isTensor(output)) return;
      const result = allocatingIn(output.region, () => recordingWith(outside, () => propagate(operation, args, found, output)));
      if (result !== undefined) carried.set(output, result);
    },
  };
  const tensors0 = (one: C | undefined): readonly Tensor[] => (one === undefined ? [] : tensors(one));
  return { recorder, along, begin: (x, one) => void carried.set(x, one), end: () => endEpoch(epoch) };
};

/** @throws OptionError for anything but a list. */
export const requireTrees = (who: string, trees: readonly unknown[]): void => {
  if (!Array.isArray(trees)) throw new OptionError(`${who} needs a list of trees like x as its third argument: write ${who}(f, x, [v])`);
};

/**
 * Runs f at x with a list of tensors along each leaf of x: itself where `withValue`, then what each of the given trees holds in its place.
 *
 * @returns the value, and for each given tree one of the form of the value, of what arrived along it; zeros where nothing did.
 */
export const runAlong = <X, Y>(
  who: string,
  mode: Mode<readonly Tangent[]>,
  f: (x: X) => Y,
  x: X,
  trees: readonly X[],
  withValue: boolean,
): { readonly value: Y; readonly along: readonly Y[] } =>
  inTemporaryRegion("tape", (outside) => {
    requireFunction(who, f, "f, x, v");
    // Watched under new headers: a tensor that f also closes over stays a constant there.
    const leaves = leavesOf(x).map((leaf) => identity(leaf));
    const given = trees.map((tree) => leavesLike(x, tree));
    for (const one of given) requireTangents(who, leaves, one);
    const { recorder, along, begin, end } = forward(mode);
    try {
      if (given.length > 0) leaves.forEach((leaf, i) => begin(leaf, [...(withValue ? [leaf] : []), ...given.map((one) => one[i]!)]));
      const value = recordingWith([...activeRecorders(), recorder], () => synchronous(f(unflatten(x, leaves))));
      const results = leavesOf(value);
      const arrived = given.map((_, j) => unflatten(value, results.map((y) => along(y)?.[withValue ? j + 1 : j] ?? zerosLike(y)))); // prettier-ignore
      return copyOut({ value, along: arrived }, outside);
    } finally {
      end();
    }
  });

/** @throws ShapeError, DtypeError where tangents or coefficients do not fit the point. */
const requireTangents = (who: string, point: readonly Tensor[], tangents: readonly Tensor[]): void =>
  point.forEach((x, i) => {
    const tangent = tangents[i]!;
    if (!isFloat(x.dtype))
      throw new DtypeError(`a tensor of shape ${formatShape(x.shape)} and type ${x.dtype} cannot be differentiated: only float64 and float32 can`);
    if (!sameShape(x.shape, tangent.shape))
      throw new ShapeError(`${who} got a tangent of shape ${formatShape(tangent.shape)} for a tensor of shape ${formatShape(x.shape)}`);
    if (x.dtype !== tangent.dtype) throw new DtypeError(`${who} got a tangent of type ${tangent.dtype} for a tensor of type ${x.dtype}`);
  });
