/**
 * @file A node: a computation that watchers outside see as one operation, with a pullback of its own. Watched tensors that it reads without being told are
 * discovered and become its inputs, so that closures just work.
 *
 * Reverse tapes see the node; forward modes see through it, into its forward pass and its pullback. A tape outside of a forward mode would have to see what
 * that mode makes of the inside: such a node runs openly where it can, and refuses where it cannot.
 */
import {
  activeRecorders, beginEpoch, DydtError, endEpoch, identity, isTensor, recordingWith, setSlot, slotOf,
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
 * its bare numbers is refused at once.
 */
const discover = (outside: readonly Recorder[], inputs: readonly Tensor[]): Discovery => {
  const epoch = beginEpoch();
  const captured: Tensor[] = [];
  const watchedOutside = (x: Tensor): boolean => outside.some((recorder) => recorder.watches(x));
  for (const x of inputs) if (watchedOutside(x)) setSlot(x, epoch, 0);
  const reads = (x: Tensor): boolean => {
    if (slotOf(x, epoch) >= 0) return true;
    if (!watchedOutside(x)) return false;
    setSlot(x, epoch, 0);
    captured.push(x);
    return true;
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
      if (watched) for (const y of isTensor(output) ? [output] : output) setSlot(y, epoch, 0);
    },
  };
};

/** What a node can do besides being pulled back through. */
export interface NodeOptions {
  /** Whether the pullback is made of operations on its cotangents, inputs and captured tensors, so that it can be differentiated again. Default false. */
  readonly recordsReverse?: boolean;
  /** Whether `forward` is made of operations that may as well be recorded one by one, with the same derivatives. Default false. */
  readonly mayRunOpenly?: boolean;
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

const differentiateLoop =
  "For second derivatives use jvp of gradient, as hessianVectorProduct does, or solve with directAdjoint(), or differentiate a loop over integrate(...): both record every operation";

/** @throws SecondDerivativeError where a tape needs the derivative of what a forward mode inside of it carries through the node. */
const refuseMixed = (name: string, active: readonly Recorder[], modes: readonly Recorder[], read: readonly Tensor[]): void =>
  active.forEach((mode, i) => {
    if (seesNode(mode) || !read.some((x) => mode.watches(x))) return;
    if (active.slice(0, i).some((tape) => seesNode(tape) && read.some((x) => reaches(tape, x, modes))))
      throw new SecondDerivativeError(
        `${name} cannot be differentiated in reverse mode outside of forward mode: what forward mode computes inside is not recorded. ${differentiateLoop}`,
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
  { recordsReverse = false, mayRunOpenly = false }: NodeOptions = {},
): readonly Tensor[] => {
  const active = activeRecorders();
  const outside = active.filter(seesNode);
  if (outside.length === 0 || (mayRunOpenly && isMixed(active))) return forward().outputs;
  const modes = active.filter((recorder) => !seesNode(recorder));
  if (modes.length > 0) refuseMixed(name, active, modes, inputs);
  const discovery = discover(active, inputs);
  let result: NodeResult;
  try {
    result = recordingWith([...modes, discovery], forward);
    for (const y of result.outputs) discovery.reads(y); // a watched tensor may be handed through without any operation
  } finally {
    endEpoch(discovery.epoch);
  }
  if (modes.length > 0) refuseMixed(name, active, modes, [...inputs, ...discovery.captured]);
  const captured = modes.length === 0 ? discovery.captured : discovery.captured.filter((x) => outside.some((recorder) => recorder.watches(x)));
  const all = [...inputs, ...captured];
  const outputs = recordingWith(modes, () => result.outputs.map((y) => (all.includes(y) ? identity(y) : y)));
  const operation: CustomOperation & Operation = {
    op: name,
    pullback: (cotangents) => {
      if (recordsReverse) return result.pullback(cotangents, captured);
      const watching = activeRecorders();
      const passing = watching.filter((recorder) => !seesNode(recorder));
      const again = (recorder: Recorder): boolean => [...cotangents, ...all].some((x) => x !== undefined && reaches(recorder, x, passing));
      if (watching.some((recorder) => seesNode(recorder) && again(recorder)))
        throw new SecondDerivativeError(`${name} can be differentiated only once: its reverse pass is not recorded. ${differentiateLoop}`);
      return recordingWith(passing, () => result.pullback(cotangents, captured));
    },
  };
  for (const recorder of outside) if (all.some((x) => recorder.watches(x))) recorder.record(operation, all, outputs);
  return outputs;
};
