import { describe, expect, test } from "vitest";
import {
  activeRecorders, beginEpoch, endEpoch, isRetained, isWatched, primitive, recordingWith, setSlot, slotOf, tensor, unrecorded, WatchedTensorError, type Operation, type Recorder, type Tensor,
} from "@dydt/tensor"; // prettier-ignore

const listener = (): Recorder & { readonly heard: (readonly [string, number])[] } => {
  const epoch = beginEpoch();
  const heard: (readonly [string, number])[] = [];
  const record = ({ op }: Operation, args: readonly unknown[]): void => void heard.push([op, args.length]);
  return { epoch, retains: false, watches: (x) => slotOf(x, epoch) >= 0, record, heard };
};

describe("primitives", () => {
  test("tell whoever is recording, with the arguments of the call", () => {
    const recorder = listener();
    recordingWith([recorder], () => tensor([1, 2]).add(3).sum({ axis: 0 }));
    expect(recorder.heard).toEqual([["add", 2], ["sum", 2]]); // prettier-ignore
    endEpoch(recorder.epoch);
  });

  test("are one operation, whatever they are made of", () => {
    const recorder = listener();
    const cube = primitive("cube", (x: Tensor) => x.mul(x).mul(x));
    const y = recordingWith([recorder], () => cube(tensor(2)));
    expect(recorder.heard).toEqual([["cube", 1]]);
    expect([y.item(), y.op, cube.op]).toEqual([8, "cube", "cube"]);
    endEpoch(recorder.epoch);
  });

  test("tell nobody inside unrecorded, and nobody after an error", () => {
    const recorder = listener();
    recordingWith([recorder], () => unrecorded(() => tensor(1).add(1)));
    expect(() => recordingWith([recorder], () => tensor([1]).reshape([2]))).toThrow();
    expect(recorder.heard).toEqual([]);
    expect(activeRecorders()).toEqual([]);
    endEpoch(recorder.epoch);
  });
});

describe("marks", () => {
  test("of several watchers lie side by side, and those of ended epochs give way", () => {
    const x = tensor(1);
    const epochs = [beginEpoch(), beginEpoch(), beginEpoch()];
    epochs.forEach((epoch, i) => setSlot(x, epoch, 10 + i));
    expect(epochs.map((epoch) => slotOf(x, epoch))).toEqual([10, 11, 12]);
    setSlot(x, epochs[1]!, 99);
    expect(epochs.map((epoch) => slotOf(x, epoch))).toEqual([10, 99, 12]);
    endEpoch(epochs[0]!);
    endEpoch(epochs[1]!);
    const next = beginEpoch();
    setSlot(x, next, 7);
    expect([slotOf(x, next), slotOf(x, epochs[2]!), slotOf(x, epochs[0]!)]).toEqual([7, 12, -1]);
    endEpoch(epochs[2]!);
    endEpoch(next);
  });

  test("make the bare numbers of a tensor unreadable while its watcher is active, but not item()", () => {
    const recorder = listener();
    const x = tensor([2]);
    setSlot(x, recorder.epoch, 0);
    expect(isWatched(x)).toBe(false);
    recordingWith([recorder], () => {
      expect([isWatched(x), isRetained()]).toEqual([true, false]);
      expect(() => x.data).toThrow(WatchedTensorError);
      expect(x.item()).toBe(2);
      expect(unrecorded(() => x.data[0])).toBe(2);
    });
    expect(x.data[0]).toBe(2);
    endEpoch(recorder.epoch);
  });
});
