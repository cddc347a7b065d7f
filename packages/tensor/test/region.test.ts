import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import {
  allocatingIn, AsynchronousBodyError, closeWithOwner, copyOut, countBytes, createRegion, currentRegion, heap, inTemporaryRegion, MemoryError, meterBytes, ones, recycle, ReleasedTensorError, scope, tensor, zeros,
  type Tensor,
} from "@dydt/tensor"; // prettier-ignore
import { expectExactly, normals } from "./reference.js";

/** Bytes of the one linear memory. */
const linearMemory = (): number => inTemporaryRegion("step", () => tensor(1).add(1).data.buffer.byteLength);

describe("scope", () => {
  test("copies out what it returns, in records and lists to any depth, and leaves all else alone", () => {
    const x = normals([3], 1);
    const note = new Map([["a", 1]]);
    const result = scope(() => ({ sum: x.add(1), list: [x.mul(2), "text", null] as const, x, note, n: 3 }));
    expectExactly(result.sum, [3], x.add(1).data);
    expectExactly(result.list[0], [3], x.mul(2).data);
    expect(result).toMatchObject({ list: [{}, "text", null], n: 3 });
    expect(result.x).toBe(x);
    expect(result.note).toBe(note);
    expect(result.sum.region).toBe(heap);
  });

  test("releases the rest: a use afterwards names the operation, the shape and the way out", () => {
    const kept: Tensor[] = [];
    scope(() => void kept.push(tensor([[1, 2]]).exp()));
    const message =
      "a tensor of shape [1, 2] made by exp was used after its step region was released: return it from the body that made it (scope, gradient, a step), or keep x.clone()";
    for (const use of [(x: Tensor) => x.data, (x: Tensor) => x.add(1), (x: Tensor) => x.toArray(), (x: Tensor) => x.reshape([2]), (x: Tensor) => x.clone(), (x: Tensor) => x.sum().item()]) {
      expect(() => use(kept[0]!)).toThrow(ReleasedTensorError);
      expect(() => use(kept[0]!)).toThrow(message);
    } // prettier-ignore
  });

  test("a tensor that shares memory with a released one is released too", () => {
    const kept: Tensor[] = [];
    scope(() => {
      const made = tensor([[1, 2], [3, 4]]).mul(2); // prettier-ignore
      kept.push(made.at(1), made.reshape([4]), made.sum({ axis: [] }));
    });
    for (const x of kept) expect(() => x.data).toThrow(ReleasedTensorError);
  });

  test("a lazily cached tensor is an error after the scope, unless it was cloned", () => {
    let cache: Tensor | undefined;
    const twice = (keep: (x: Tensor) => Tensor): Tensor => scope(() => (cache ??= keep(tensor([1, 2]).exp())).add(1));
    twice((x) => x);
    expect(() => twice((x) => x)).toThrow(/made by exp was used after/);
    cache = undefined;
    const first = twice((x) => x.clone());
    expectExactly(twice((x) => x.clone()), [2], first.data); // prettier-ignore
  });

  test("what constructors make inside belongs to the caller", () => {
    const kept: Tensor[] = [];
    scope(() => void kept.push(ones([2]), tensor([3]).clone()));
    expectExactly(kept[0]!, [2], [1, 1]);
    expectExactly(kept[1]!, [1], [3]);
  });

  test("scopes nest: an inner result lives in the outer scope, an outer tensor is used inside as it is", () => {
    const kept: Tensor[] = [];
    const result = scope(() => {
      const outer = tensor([1]).add(1);
      const inner = scope(() => {
        const made = outer.mul(10);
        kept.push(made);
        expect(currentRegion()).not.toBe(outer.region);
        return { made, outer };
      });
      expect(inner.outer).toBe(outer);
      expect(inner.made.region).toBe(outer.region);
      expect(() => kept[0]!.data).toThrow(ReleasedTensorError);
      kept.push(inner.made);
      return inner.made.add(outer);
    });
    expectExactly(result, [1], [22]);
    expect(() => kept[1]!.data).toThrow(ReleasedTensorError);
  });

  test.each([
    ["a promise", () => scope(async () => Promise.resolve(tensor(1))), "await outside"],
    ["an iterator", () => scope(function* () { yield tensor(1); }), "drain the iterator inside"],
  ] as const)("refuses a body that returns %s", (what, run, advice) => {
    expect(run).toThrow(AsynchronousBodyError);
    expect(run).toThrow(what);
    expect(run).toThrow(advice);
    expect(currentRegion()).toBe(heap);
  }); // prettier-ignore

  test("an error inside leaves no region open", () => {
    const failing = (): unknown => scope(() => scope(() => tensor([1]).add(tensor([1, 2, 3]).reshape([7]))));
    expect(failing).toThrow("reshape got [3]");
    expect(currentRegion()).toBe(heap);
  });
});

describe("regions", () => {
  test("operations allocate in the innermost open one", () => {
    const region = createRegion("step");
    const x = allocatingIn(region, () => tensor([1]).add(1));
    expect(x.region).toBe(region);
    expect(tensor([1]).add(1).region).toBe(heap);
    region.reset();
    expect(() => x.data).toThrow(ReleasedTensorError);
    const y = allocatingIn(region, () => tensor([5]).add(1));
    expectExactly(y, [1], [6]);
    expect(() => x.data).toThrow(ReleasedTensorError);
    region.close();
    expect(() => y.data).toThrow(ReleasedTensorError);
  });

  test("two regions in turn do not disturb each other", () => {
    const regions = [createRegion("step"), createRegion("step")];
    let state = tensor([1, 2]);
    for (let n = 0; n < 20; n++) {
      const region = regions[n % 2]!;
      region.reset();
      const before = state;
      state = allocatingIn(region, () => before.mul(2).sub(before).add(1));
      expectExactly(before, [2], [n + 1, n + 2]);
    }
    for (const region of regions) region.close();
  });

  test("growth of the memory in the middle changes no tensor", () => {
    scope(() => {
      const before = normals([5], 3).mul(2);
      const wanted = Array.from(before.data);
      const view = before.data;
      const large = zeros([2 << 20], { dtype: "float32" }).add(1);
      expect(large.size).toBe(2 << 20);
      expect(view.length).toBe(0); // the old view is gone: it was for use before the next operation
      expectExactly(before, [5], wanted);
      expectExactly(before.add(large.at(7).cast("float64")), [5], wanted.map((x) => x + 1)); // prettier-ignore
    });
  });

  test("memory is used again: many scopes need no more than one", () => {
    const run = (): void => scope(() => void zeros([1000]).add(1).exp().sum());
    run();
    const bytes = linearMemory();
    for (let n = 0; n < 5000; n++) run();
    expect(linearMemory()).toBe(bytes);
  });

  test("a region that cannot grow so far says what it asked for and what to do", () => {
    const region = createRegion("tape");
    expect(() => region.allocate(2 ** 33)).toThrow(MemoryError);
    expect(() => region.allocate(2 ** 33)).toThrow(/asked for 8589934592 bytes.*use smaller batches/);
  });

  test("a recycled block is given to the next allocation of its size", () => {
    const region = createRegion("store");
    const [first, second] = [region.allocate(40), region.allocate(40)];
    expect(second - first).toBe(48);
    region.recycle(first, 40);
    expect(region.used).toBe(48);
    expect(region.allocate(33)).toBe(first);
    region.close();
    expect(region.used).toBe(0);
  });

  test("the block of a recycled tensor is taken by the next one of its size", () => {
    const region = createRegion("step");
    allocatingIn(region, () => {
      const x = zeros([4]).add(1);
      const [offset, used] = [x.data.byteOffset, region.used];
      recycle(x);
      expect(region.used).toBe(used - 32);
      expect(zeros([4]).add(2).data.byteOffset).toBe(offset);
    });
    region.close();
  });

  test("an adopted region is closed when its guardian is reset", () => {
    const [guardian, dependent] = [createRegion("tape"), createRegion("store")];
    const x = allocatingIn(dependent, () => zeros([4]).add(1));
    guardian.adopt(dependent);
    guardian.reset();
    expect(() => x.data).toThrow(ReleasedTensorError);
    const y = allocatingIn(dependent, () => zeros([4]).add(1));
    guardian.reset();
    expectExactly(y, [4], [1, 1, 1, 1]);
    dependent.close();
  });

  test("a region is closed when its owner has been collected", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const region = createRegion("store");
    allocatingIn(region, () => zeros([4]).add(1));
    closeWithOwner({}, region);
    for (let n = 0; n < 100 && region.used > 0; n++) {
      collect();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(region.used).toBe(0);
  });

  test("copyOut copies tensors of the innermost region only", () => {
    const [outer, inner] = [createRegion("tape"), createRegion("step")];
    allocatingIn(outer, () => {
      const a = tensor([1]).add(1);
      allocatingIn(inner, () => {
        const b = a.add(1);
        const both = copyOut([a, b], outer);
        expect(both[0]).toBe(a);
        expect(both[1]!.region).toBe(outer);
      });
    });
    outer.close();
    inner.close();
  });
});

describe("meterBytes", () => {
  test("counts the high-water mark exactly, in blocks of 16 bytes, beyond what was in use", () => {
    const stop = meterBytes();
    scope(() => {
      const x = zeros([100]).add(1); // 800 bytes
      x.at(0).add(1); // 8 bytes in a block of 16
      const within = meterBytes();
      scope(() => void x.mul(2)); // 800 more, released again
      expect(within()).toBe(800);
    });
    scope(() => void zeros([10]).add(1));
    expect(stop()).toBe(800 + 16 + 800);
  });

  test("counts no heap tensors, but what is declared with countBytes", () => {
    const stop = meterBytes();
    zeros([1000]).add(1);
    expect(stop()).toBe(0);
    const second = meterBytes();
    countBytes(80);
    countBytes(-80);
    expect(second()).toBe(80);
  });
});
