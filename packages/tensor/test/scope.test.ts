import { describe, expect, test } from "vitest";
import {
  AsynchronousBodyError, currentRegion, heap, ones, ReleasedTensorError, scope, tensor, type Tensor,
} from "@dydt/tensor"; // prettier-ignore
import { expectExactly, normals } from "./reference.js";

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
