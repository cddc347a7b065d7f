/**
 * @file A node: a computation that watchers outside see as one operation, with a pullback of its own. Watched tensors that it reads without being told are
 * discovered and become its inputs, so that closures just work.
 */
import {
  activeRecorders, beginEpoch, DydtError, endEpoch, identity, isTensor, recordingWith, setSlot, slotOf, unrecorded,
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

/**
 * Runs `forward` as one operation.
 *
 * @param name - for messages.
 * @param inputs - tensors that the result depends on; those captured besides are found.
 * @param forward - computes the outputs and says how to pull back.
 * @param recordsReverse - whether the pullback is made of operations on its cotangents, inputs and captured tensors, so that it can be differentiated again.
 */
export const node = (name: string, inputs: readonly Tensor[], forward: () => NodeResult, recordsReverse = false): readonly Tensor[] => {
  const outside = activeRecorders();
  if (outside.length === 0) return forward().outputs;
  const discovery = discover(outside, inputs);
  let result: NodeResult;
  try {
    result = recordingWith([discovery], forward);
    for (const y of result.outputs) discovery.reads(y); // a watched tensor may be handed through without any operation
  } finally {
    endEpoch(discovery.epoch);
  }
  const { captured } = discovery;
  const all = [...inputs, ...captured];
  const outputs = unrecorded(() => result.outputs.map((y) => (all.includes(y) ? identity(y) : y)));
  const operation: CustomOperation & Operation = {
    op: name,
    pullback: (cotangents) => {
      if (recordsReverse) return result.pullback(cotangents, captured);
      const again = activeRecorders().some((recorder) => [...cotangents, ...all].some((x) => x !== undefined && recorder.watches(x)));
      if (again)
        throw new SecondDerivativeError(
          `${name} can be differentiated only once: its reverse pass is not recorded. For second derivatives differentiate a loop over integrate(...), which records every operation`,
        );
      return unrecorded(() => result.pullback(cotangents, captured));
    },
  };
  for (const recorder of outside) if (all.some((x) => recorder.watches(x))) recorder.record(operation, all, outputs);
  return outputs;
};
