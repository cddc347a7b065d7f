import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import {
  allocatingIn, closeWithOwner, copyOut, countBytes, createRegion, heap, inTemporaryRegion, MemoryError, meterBytes, recycle, ReleasedTensorError, scope, tensor, zeros,
} from "@dydt/tensor"; // prettier-ignore
import { expectExactly, normals } from "./reference.js";

/** Bytes of the one linear memory. */
const linearMemory = (): number => inTemporaryRegion("step", () => tensor(1).add(1).data.buffer.byteLength);

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

  test("a recycled block is given to the next allocation of its size, and a reset begins at the first block again", () => {
    const region = createRegion("store");
    const [first, second] = [region.allocate(40), region.allocate(40)];
    expect(second - first).toBe(48);
    region.recycle(first, 40);
    expect(region.used).toBe(48);
    expect(region.allocate(33)).toBe(first);
    region.reset();
    expect(region.allocate(8)).toBe(first);
    region.allocate(1 << 20);
    region.reset();
    expect(region.allocate(8)).toBe(first);
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
        expect(copyOut(b, inner)).toBe(b);
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
