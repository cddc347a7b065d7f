import { describe, expect, test } from "vitest";
import { createRegion, eye, MemoryError, oneHot, random, zeros } from "@dydt/tensor";
import { reserve } from "../src/backend/wasm-operands.js";

describe("more than there is room for is an error with the bytes asked for,", () => {
  test.each<readonly [name: string, make: () => unknown, bytes: string]>([
    ["of constructors", () => zeros([1e6, 1e6]), "8000000000000 bytes"],
    ["also of smaller elements", () => eye(1e6, { dtype: "float32" }), "4000000000000 bytes"],
    ["of random numbers", () => random(0).normal([1e6, 1e6]), "8000000000000 bytes"],
    ["of operations", () => zeros([1e6, 1]).add(zeros([1, 1e6])), "8000000000000 bytes"],
    ["of masks", () => zeros([1e6, 1]).less(zeros([1, 1e6])), "1000000000000 bytes"],
    ["of rows of zeros and ones", () => oneHot([0, 1], 1e12), "16000000000000 bytes"],
    ["beyond all numbers", () => zeros([1e200, 1e200]), "Infinity bytes"],
  ])("%s", (_, make, bytes) => {
    expect(make).toThrow(MemoryError);
    expect(make).toThrow(`asked for ${bytes}`);
  });

  test("of a region as well, which asks for no more than it needs before it gives up", () => {
    const region = createRegion("tape");
    const block = 2 ** 28;
    let blocks = 0;
    const fill = (): void => {
      for (; ; blocks++) region.allocate(block);
    };
    try {
      expect(fill).toThrow(MemoryError);
      expect(fill).toThrow(`asked for ${block} bytes`);
      expect(blocks).toBeGreaterThanOrEqual(14);
    } finally {
      region.close();
    }
    // What was given back serves again, though it is larger than what is asked for.
    const others = [0, 1, 2].map(() => createRegion("step"));
    const places = others.map((other) => other.allocate(2 ** 29));
    expect(new Set(places).size).toBe(3);
    others.forEach((other) => other.close());
  });
});

test("blocks of two gigabytes are followed by others, not overlapped", () => {
  const first = reserve(2 ** 31 - 8);
  const second = reserve(16);
  expect(second >= first + 2 ** 31 - 8 || second + 16 <= first).toBe(true);
  expect(second).toBeGreaterThanOrEqual(0);
});
