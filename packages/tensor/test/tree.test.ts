import { describe, expect, test } from "vitest";
import { leavesLike, leavesOf, mapTree, ShapeError, tensor, unflatten, zipTrees, type Tensor } from "@dydt/tensor";
import { expectExactly } from "./reference.js";

const tree = () => ({
  layers: [
    { weight: tensor([1, 2]), bias: tensor(3) },
    { weight: tensor([4]), bias: tensor(5) },
  ] as const,
  scale: tensor([6]),
});
const numbers = (leaves: readonly Tensor[]): readonly number[] => leaves.flatMap((x) => Array.from(x.data));

describe("trees", () => {
  test("list their leaves in the order of the keys", () => {
    expect(numbers(leavesOf(tree()))).toEqual([1, 2, 3, 4, 5, 6]);
    expect(leavesOf(tensor(1))).toHaveLength(1);
    expect(leavesOf({})).toEqual([]);
    expect(leavesOf([])).toEqual([]);
  });

  test("are rebuilt from their leaves in the same form", () => {
    const form = tree();
    const again = unflatten(form, leavesOf(form).map((x) => x.mul(10))); // prettier-ignore
    expectExactly(again.layers[1].weight, [1], [40]);
    expect(Object.keys(again)).toEqual(["layers", "scale"]);
    expect(() => unflatten(form, [tensor(1)])).toThrow("a tree of 5 tensors cannot hold 1");
    expect(() => unflatten(tensor(1), [])).toThrow(ShapeError);
  });

  test("are mapped with the path of each leaf", () => {
    const paths: string[] = [];
    const doubled = mapTree((x, path) => (paths.push(path), x.mul(2)), tree());
    expect(paths).toEqual(["layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias", "scale"]);
    expectExactly(doubled.layers[0].bias, [], [6]);
  });

  test("are zipped by key, whatever the order of the keys", () => {
    const sum = zipTrees((x, y) => x.sub(y), { a: tensor(5), b: tensor(7) }, { b: tensor(1), a: tensor(2) });
    expect([sum.a.item(), sum.b.item()]).toEqual([3, 6]);
    expect(numbers(leavesLike({ a: tensor(0), b: tensor(0) }, { b: tensor(1), a: tensor(2) }))).toEqual([2, 1]);
  });

  test("of different form do not match, and the path says where", () => {
    const match = (like: unknown, other: unknown) => (): unknown => leavesLike(like, other);
    expect(match({ a: { b: tensor(1) } }, { a: {} })).toThrow("trees of different form: a.b is missing");
    expect(match({ a: tensor(1) }, { a: tensor(1), c: tensor(2) })).toThrow("trees of different form: c is too many");
    expect(match([tensor(1)], tensor(1))).toThrow("one has 1 branches, the other is a tensor");
    expect(match({ a: tensor(1) }, { a: [tensor(1)] })).toThrow("holds a list at a");
    expect(match([tensor(1), tensor(2)], [tensor(1)])).toThrow("1 is missing");
  });

  test.each([
    [1, "a number at its root"], [null, "null at its root"], [{ a: "text" }, "a string at a"], [[{ f: () => 1 }], "a function at 0.f"], [{ a: { b: undefined } }, "undefined at a.b"],
  ] as const)("hold nothing but tensors: %j is refused", (value, where) => {
    expect(() => leavesOf(value)).toThrow(ShapeError);
    expect(() => leavesOf(value)).toThrow(`a tree of tensors holds ${where}: make it a tensor with tensor(value)`);
  }); // prettier-ignore

  test("hold nothing whose contents are no properties: a Map or a promise is no empty record", () => {
    for (const [value, what] of [
      [new Map([["w", tensor(1)]]), "a Map"],
      [Promise.resolve(tensor(1)), "a Promise"],
    ] as const) {
      expect(() => leavesOf({ a: value })).toThrow(`a tree of tensors holds ${what} at a`);
      expect(() => mapTree((x) => x, value)).toThrow(`a tree of tensors holds ${what} at its root`);
    }
    class Parameters {
      readonly w = tensor(2);
    }
    expect(numbers(leavesOf(new Parameters()))).toEqual([2]);
    expect(leavesOf(Object.create(null))).toEqual([]);
  });
});
