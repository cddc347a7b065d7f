import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { jsKernels } from "../src/backend/js.js";
import type { Kernels } from "../src/backend/kernels.js";
import type { TypedArray } from "../src/dtype.js";
import { DtypeError, ShapeError } from "../src/errors.js";
import { beginEpoch, endEpoch, type Recorder, recordingWith } from "../src/recorder.js";
import { elementsOf, type Tensor } from "../src/tensor.js";
import { adamUpdate } from "../src/updates.js";
import { expectBits, type Float, floats, inRegion, length, list, neighboursKept, type Place, put, somePlaces, wasm } from "./kernel-sets.js";

describe("steps of Adam", () => {
  const lists = length.chain((n) => fc.tuple(list(n), list(n), list(n), list(n)));
  /** The results of one step, wherever operands and results lie. */
  const stepped = (kernels: Kernels, dtype: Float, values: readonly (readonly number[])[], where: readonly Place[], run: (operands: readonly Tensor[], out: readonly Tensor[]) => void): readonly TypedArray[] =>
    inRegion(() => {
      const operands = values.map((v, i) => put(v, [v.length], dtype, where[i % where.length]!));
      const out = values.slice(1).map((v, i) => put(v.map(() => 0), [v.length], dtype, where[(values.length + i) % where.length]!)); // prettier-ignore
      run(operands, out);
      expect([...operands, ...out].every(neighboursKept), kernels.name).toBe(true);
      return out.map((x) => elementsOf(x).slice());
    }); // prettier-ignore

  test("have the bits of the plain-JavaScript set, NaN and infinities included", () => {
    const part = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(floats, lists, fc.tuple(part, part, part, part, part), somePlaces, (dtype, values, [beta1, beta2, correction, epsilon, weight], where) => {
        const numbers = { beta1, beta2, correction, epsilon, weight: -weight };
        const step = (kernels: Kernels, places: readonly Place[]) =>
          stepped(kernels, dtype, values, places, (x, out) => kernels.adam(x as [Tensor, Tensor, Tensor, Tensor], numbers, out as unknown as [Tensor, Tensor, Tensor]));
        const wanted = step(jsKernels, ["heap"]);
        step(wasm, where).forEach((got, i) => expectBits(got, wanted[i]!, `result ${i}`));
      }),
      { numRuns: 300 },
    ); // prettier-ignore
  });

  test("in one pass have the bits of the operations that a recorder sees", () => {
    const watcher: Recorder = { epoch: beginEpoch(), retains: false, watches: () => false, record: vi.fn() };
    fc.assert(
      fc.property(floats, lists, (dtype, values) => {
        const [x, g, m, v] = values.map((each) => put(each, [each.length], dtype, "heap")) as [Tensor, Tensor, Tensor, Tensor];
        const numbers = { beta1: 0.9, beta2: 0.999, correction: 1 - 0.999 ** 3, epsilon: 1e-8, weight: -1e-3 / (1 - 0.9 ** 3) };
        const step = (): readonly Tensor[] => adamUpdate(x, g, m, v, numbers);
        const operations = recordingWith([watcher], step);
        step().forEach((result, i) => expectBits(elementsOf(result), elementsOf(operations[i]!)));
      }),
    );
    endEpoch(watcher.epoch);
    expect(watcher.record).toHaveBeenCalled();
  });

  test("say what does not fit", () => {
    const numbers = { beta1: 0.9, beta2: 0.999, correction: 1, epsilon: 0, weight: -1 };
    const [two, three] = [put([1, 2], [2], "float64", "heap"), put([1, 2, 3], [3], "float64", "heap")];
    expect(() => adamUpdate(two, two, three, two, numbers)).toThrow(ShapeError);
    expect(() => adamUpdate(two, put([1, 2], [2], "float32", "heap"), two, two, numbers)).toThrow(DtypeError);
  });
});
