/**
 * @file A node: a computation that watchers outside see as one operation, with a pullback of its own. Watched tensors that it reads without being told are
 * discovered and become its inputs, so that closures just work.
 *
 * Reverse tapes see the node; forward modes see through it, into its forward pass and its pullback. A tape outside of a forward mode would have to see what
 * that mode makes of the inside: such a node runs openly where it can, and refuses where it cannot.
 */
import {
  activeRecorders, beginEpoch, DydtError, endEpoch, identity, isFloat, isTensor, recordingWith, setSlot, slotOf,
  type Operation, type Recorder, type Tensor,
} from "@dydt/tensor"; // prettier-ignore
import { hasZeroDerivative } from "./extend.js";
import type { Cotangent } from "./rule.js";
import type { CustomOperation } from "./tape.js";

/** A second derivative was asked for where the reverse pass is not itself recorded. */
export class SecondDerivativeError extends DydtError {
  override readonly name = "SecondDerivativeError";
}

/** What a node computes. */
export interface NodeResult {
  /** Any types; integers and masks have no derivative. */
  readonly outputs: readonly Tensor[];
  /** From cotangents of the outputs to cotangents of the inputs followed by those of the captured tensors. */
  readonly pullback: (cotangents: readonly Cotangent[], captured: readonly Tensor[]) => readonly Cotangent[];
}

interface Discovery extends Recorder {
  readonly captured: readonly Tensor[];
  /** Takes note that the computation reads this tensor; whether a derivative flows through it. */
  readonly reads: (x: Tensor) => boolean;
}

/**
 * Watches on behalf of those outside: notes the tensors that they watch and the computation reads, and follows what is computed from them, so that reading
 * its bare numbers is refused at once. `noted` looks at all that was found, whenever there is one more.
 */
const discover = (outside: readonly Recorder[], inputs: readonly Tensor[], noted: (captured: readonly Tensor[]) => void): Discovery => {
  const epoch = beginEpoch();
  const captured: Tensor[] = [];
  const watchedOutside = (x: Tensor): boolean => outside.some((recorder) => recorder.watches(x));
  for (const x of inputs) if (isFloat(x.dtype) && watchedOutside(x)) setSlot(x, epoch, 0);
  const reads = (x: Tensor): boolean => {
    if (slotOf(x, epoch) >= 0) return true;
    if (!isFloat(x.dtype) || !watchedOutside(x)) return false;
    setSlot(x, epoch, 0);
    captured.push(x);
    noted(captured);
    return true;
  };
  const follow = (y: Tensor): void => {
    if (isFloat(y.dtype)) setSlot(y, epoch, 0);
  };
  return {
    epoch,
    retains: false,
    captured,
    reads,
    watches: (x) => slotOf(x, epoch) >= 0 || watchedOutside(x),
    record: (operation, args, output) => {
      if (hasZeroDerivative(operation)) return;
      let watched = false;
      for (const arg of args) {
        if (isTensor(arg)) watched = reads(arg) || watched;
        else if (Array.isArray(arg)) for (const x of arg as readonly unknown[]) if (isTensor(x)) watched = reads(x) || watched;
      }
      if (!watched) return;
      if (!isTensor(output)) for (const y of output) follow(y);
      else follow(output);
    },
  };
};

/** What a node can do besides being pulled back through. */
export interface NodeOptions {
  /**
   * Whether the pullback is made of operations on its cotangents, inputs, captured tensors and outputs, so that it can be differentiated again: the outputs are
   * then watched as they are, and must be new tensors. Default false: outputs that nothing shows to be computed from what is watched are handed out under new
   * headers, so that a constant that is returned stays one for its owner.
   */
  readonly recordsReverse?: boolean;
  /** Whether `forward` is made of operations that may as well be recorded one by one, with the same derivatives. Default false. */
  readonly mayRunOpenly?: boolean;
  /** A sentence for {@link SecondDerivativeError}: what to do instead. Default: jvp of gradient. */
  readonly secondDerivatives?: string;
}

/** Whether a derivative flows to a recorder through x, or through what forward modes carry along with it. */
const reaches = (recorder: Recorder, x: Tensor, modes: readonly Recorder[]): boolean =>
  recorder.watches(x) || modes.some(({ seesThrough }) => seesThrough!.carried(x).some((along) => reaches(recorder, along, modes)));

const seesNode = ({ seesThrough }: Recorder): boolean => seesThrough === undefined;

/** Whether a recorder that sees the node alone is outside of a forward mode. */
const isMixed = (active: readonly Recorder[]): boolean => {
  const first = active.findIndex(seesNode);
  return first >= 0 && active.slice(first).some((recorder) => !seesNode(recorder));
};

const forwardOverReverse = "For second derivatives use jvp of gradient, as hessianVectorProduct does";

/** @throws SecondDerivativeError where a tape needs the derivative of what a forward mode inside of it carries through the node. */
const refuseMixed = (name: string, advice: string, active: readonly Recorder[], modes: readonly Recorder[], read: readonly Tensor[]): void =>
  active.forEach((mode, i) => {
    if (seesNode(mode) || !read.some((x) => mode.watches(x))) return;
    if (active.slice(0, i).some((tape) => seesNode(tape) && read.some((x) => reaches(tape, x, modes))))
      throw new SecondDerivativeError(
        `${name} cannot be differentiated in reverse mode outside of forward mode: what forward mode computes inside is not recorded. ${advice}`,
      );
  });

/**
 * Runs `forward` as one operation.
 *
 * @param name - for messages.
 * @param inputs - tensors that the result depends on; those captured besides are found.
 * @param forward - computes the outputs and says how to pull back.
 * @throws SecondDerivativeError when a tape outside of a forward mode differentiates a node that may not run openly.
 */
export const node = (
  name: string,
  inputs: readonly Tensor[],
  forward: () => NodeResult,
  { recordsReverse = false, mayRunOpenly = false, secondDerivatives = forwardOverReverse }: NodeOptions = {},
): readonly Tensor[] => {
  const active = activeRecorders();
  const outside = active.filter(seesNode);
  if (outside.length === 0 || (mayRunOpenly && isMixed(active))) return forward().outputs;
  const modes = active.filter((recorder) => !seesNode(recorder));
  const refuse = (captured: readonly Tensor[]): void => {
    if (modes.length > 0) refuseMixed(name, secondDerivatives, active, modes, [...inputs, ...captured]);
  };
  refuse([]);
  const discovery = discover(active, inputs, refuse);
  let result: NodeResult;
  let followed: readonly boolean[];
  try {
    result = recordingWith([...modes, discovery], forward);
    followed = result.outputs.map(discovery.reads); // a watched tensor may be handed through without any operation
  } finally {
    endEpoch(discovery.epoch);
  }
  const captured = modes.length === 0 ? discovery.captured : discovery.captured.filter((x) => outside.some((recorder) => recorder.watches(x)));
  const all = [...inputs, ...captured];
  const taken = new Set(all);
  // Each output under a header that only this node marks: not that of an input, of another output, or of a constant that somebody else holds.
  const headerOf = (y: Tensor, i: number): Tensor => {
    if (taken.has(y) || !(recordsReverse || followed[i] === true)) return identity(y);
    taken.add(y);
    return y;
  };
  const outputs = recordingWith(modes, () => result.outputs.map(headerOf));
  const operation: CustomOperation & Operation = {
    op: name,
    pullback: (cotangents) => {
      if (recordsReverse) return result.pullback(cotangents, captured);
      const watching = activeRecorders();
      const passing = watching.filter((recorder) => !seesNode(recorder));
      const again = (recorder: Recorder): boolean => [...cotangents, ...all].some((x) => x !== undefined && reaches(recorder, x, passing));
      if (watching.some((recorder) => seesNode(recorder) && again(recorder)))
        throw new SecondDerivativeError(`${name} can be differentiated only once: its reverse pass is not recorded. ${secondDerivatives}`);
      return recordingWith(passing, () => result.pullback(cotangents, captured));
    },
  };
  for (const recorder of outside) if (all.some((x) => recorder.watches(x))) recorder.record(operation, all, outputs);
  return outputs;
};
