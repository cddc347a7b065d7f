/**
 * @file Bytes that a recording keeps on the heap: a loop over `integrate` makes steps that own their memory, which the meter of regions does not see.
 */
import { activeRecorders, elementsOf, isTensor, recordingWith, type Recorder } from "@dydt/tensor";

/** The bytes of all results of `body` that the tapes around it hold, each array once. */
export const bytesOnHeap = (body: () => void): number => {
  const seen = new Set<ArrayBufferLike>();
  const outer = activeRecorders();
  const counter: Recorder = {
    epoch: outer[0]!.epoch,
    retains: true,
    watches: () => false,
    record: (_operation, _args, output) => {
      for (const x of isTensor(output) ? [output] : output)
        if (x.region.kind === "heap" && outer.some((tape) => tape.watches(x))) seen.add(elementsOf(x).buffer);
    },
  };
  recordingWith([...outer, counter], body);
  return [...seen].reduce((total, { byteLength }) => total + byteLength, 0);
};
