import { inspect } from "node:util";
import { recordingWith, scope, tensor, zeros, WatchedTensorError, type NestedArray, type Recorder } from "@dydt/tensor";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

describe("a printed tensor", () => {
  test.each([
    [tensor([[1, 2], [3, 4]]), "Tensor float64 [2, 2] [[1, 2], [3, 4]]"],
    [tensor(-0.5), "Tensor float64 [] -0.5"],
    [tensor([NaN, Infinity]), "Tensor float64 [2] [NaN, Infinity]"],
    [tensor([0.1], { dtype: "float32" }), "Tensor float32 [1] [0.1]"],
    [tensor([true, false]), "Tensor bool [2] [true, false]"],
    [tensor(new Int32Array([7])), "Tensor int32 [1] [7]"],
    [zeros([2, 0]), "Tensor float64 [2, 0] [[], []]"],
  ])("shows type, shape and numbers", (x, text) => {
    expect(String(x)).toBe(text);
    expect(inspect({ x })).toBe(`{ x: ${text} }`);
  }); // prettier-ignore

  test("shows up to 20 numbers, and of more the first three and how many there are", () => {
    expect(String(zeros([20]))).toBe(`Tensor float64 [20] [${Array(20).fill(0).join(", ")}]`);
    expect(String(zeros([7, 3]))).toBe("Tensor float64 [7, 3] [0, 0, 0, ... 21 numbers]");
    expect(String(tensor(Array<boolean>(30).fill(true)))).toBe("Tensor bool [30] [true, true, true, ... 30 numbers]");
  });

  test("says where its numbers are gone", () => {
    const stashed = { x: zeros([2]) };
    scope(() => {
      stashed.x = zeros([2]).add(1);
      return zeros([1]);
    });
    expect(inspect(stashed)).toBe("{ x: Tensor float64 [2] (released) }");
  });

  test("may be watched, and is not recorded", () => {
    const recorded: string[] = [];
    const watcher: Recorder = { epoch: -1, retains: false, watches: () => true, record: ({ op }) => void recorded.push(op) };
    recordingWith([watcher], () => {
      expect([String(tensor([1])), inspect(tensor([1]))]).toEqual(Array(2).fill("Tensor float64 [1] [1]"));
      expect(() => JSON.stringify(tensor([1]))).toThrow(WatchedTensorError);
    });
    expect(recorded).toEqual([]);
  });
});

describe("a tensor as JSON", () => {
  test("is its nested array, which makes the same bits again", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ noDefaultInfinity: true, noNaN: true }), { minLength: 1 }), fc.boolean(), (numbers, single) => {
        const dtype = single ? "float32" : "float64";
        const x = tensor(
          numbers.map((number) => (single ? Math.fround(number % 1e30) : number) + 0),
          { dtype },
        );
        const again = tensor((JSON.parse(JSON.stringify({ x })) as { readonly x: NestedArray }).x, { dtype });
        expect(again.data).toEqual(x.data);
      }),
    );
    expect(JSON.stringify([tensor([[1, 2], [3, 4]]), tensor(5), tensor([true])])).toBe("[[[1,2],[3,4]],5,[true]]"); // prettier-ignore
  });

  test("has null for what is not finite, and null makes no tensor", () => {
    const text = JSON.stringify(tensor([1, NaN]));
    expect(text).toBe("[1,null]");
    expect(() => tensor(JSON.parse(text) as NestedArray)).toThrow("tensor got null among its values");
  });
});
