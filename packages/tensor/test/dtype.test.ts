import { describe, expect, test } from "vitest";
import {
  add, cast, clip, concat, div, DtypeError, equal, exp, isFloat, less, matmul, maximum, mean, mul, neg, OptionError, ShapeError, stack, sub, sum, tensor, weightedSum, where, zeros,
  type Dtype, type Operand, type Tensor,
} from "@dydt/tensor"; // prettier-ignore
import { expectExactly } from "./reference.js";

const single = tensor([1.5, 2], { dtype: "float32" });
const double = tensor([1.5, 2]);
const whole = tensor([3, -4], { dtype: "int32" });
const mask = tensor([true, false]);

describe("element types", () => {
  test.each([
    ["add", (a: Tensor, b: Tensor) => add(a, b)],
    ["mul", (a: Tensor, b: Tensor) => mul(a, b)],
    ["maximum", (a: Tensor, b: Tensor) => maximum(a, b)],
    ["where", (a: Tensor, b: Tensor) => where(mask, a, b)],
    ["less", (a: Tensor, b: Tensor) => less(a, b)],
    ["matmul", (a: Tensor, b: Tensor) => matmul(a, b)],
    ["concat", (a: Tensor, b: Tensor) => concat([a, b])],
    ["weightedSum", (a: Tensor, b: Tensor) => weightedSum(a, [1], [b])],
  ] as const)("%s of float32 and float64 is an error that names both", (name, operation) => {
    expect(() => operation(single, double)).toThrow(DtypeError);
    expect(() => operation(single, double)).toThrow(new RegExp(`${name} .*float32.*float64`));
    expect(() => operation(double, single)).toThrow(/float64.*float32/);
  });

  test("numbers adapt to the tensor beside them, on either side", () => {
    for (const x of [single, double]) {
      expect(add(x, 0.1).dtype).toBe(x.dtype);
      expect(sub(0.1, x).dtype).toBe(x.dtype);
      expect(where(mask, x, 0.1).dtype).toBe(x.dtype);
    }
    expect(add(single, 0.1).at(0).item()).toBe(Math.fround(Math.fround(1.5) + 0.1));
    expect(add(whole, 2).dtype).toBe("int32");
    expect(add(mask, 2).dtype).toBe("int32");
  });

  test("a fraction beside integers is an error, not a truncation", () => {
    for (const operation of [
      (x: Tensor) => add(x, 0.5),
      (x: Tensor) => mul(0.5, x),
      (x: Tensor) => where(mask, x, 0.5),
      (x: Tensor) => clip(x, 0.5, 2),
    ])
      for (const x of [whole, mask]) expect(() => operation(x)).toThrow(/0\.5: convert the tensor with cast/);
    expectExactly(less(whole, 0.5), [2], [0, 1]);
  });

  test("integers and masks adapt to floats, masks to integers", () => {
    const pairs: readonly (readonly [Tensor, Tensor, Dtype])[] = [
      [whole, single, "float32"],
      [mask, double, "float64"],
      [mask, whole, "int32"],
      [mask, mask, "int32"],
    ];
    for (const [a, b, dtype] of pairs) {
      expect(add(a, b).dtype).toBe(dtype);
      expect(mul(b, a).dtype).toBe(dtype);
    }
    expectExactly(add(mask, mask), [2], [2, 0]);
  });

  test("division and the smooth functions make floats of integers", () => {
    expect(div(whole, 2).dtype).toBe("float64");
    expectExactly(div(whole, whole), [2], [1, 1]);
    expect(exp(whole).dtype).toBe("float64");
    expect(exp(single).dtype).toBe("float32");
    expect(mean(whole).item()).toBe(-0.5);
    expect(neg(mask).dtype).toBe("int32");
  });

  test("sums of masks count, also without an axis to sum over", () => {
    expect(sum(mask).item()).toBe(1);
    expect(sum(mask).dtype).toBe("int32");
    expect(sum(tensor(true)).dtype).toBe("int32");
    expect(sum(mask, { axis: [] }).dtype).toBe("int32");
  });

  test("comparisons are masks, and a number is compared as the tensor's own type", () => {
    expect(equal(single, 1.5).dtype).toBe("bool");
    expectExactly(equal(tensor([0.1], { dtype: "float32" }), 0.1), [1], [1]);
    expectExactly(equal(0.1, tensor([0.1], { dtype: "float32" })), [1], [1]);
  });

  test("cast rounds floats, truncates to integers, and asks masks whether an element is not zero", () => {
    expectExactly(cast(tensor([0.1]), "float32"), [1], [Math.fround(0.1)]);
    expectExactly(cast(tensor([1.9, -1.9]), "int32"), [2], [1, -1]);
    expectExactly(cast(tensor([0, -0, 0.5, NaN]), "bool"), [4], [0, 0, 1, 1]);
    expectExactly(cast(mask, "float64"), [2], [1, 0]);
    expect(isFloat("float32") && isFloat("float64") && !isFloat("int32") && !isFloat("bool")).toBe(true);
  });

  test("weighted sums need floats, float64 weights, and one weight for each term", () => {
    expect(() => weightedSum(whole, [1], [whole])).toThrow(DtypeError);
    expect(() => weightedSum(null, single, [single, single])).toThrow(/float64 weights/);
    expect(() => weightedSum(double, [1], [double, double])).toThrow("weightedSum got 1 weights for 2 terms");
    expect(() => weightedSum(zeros([2, 3]), [1], [zeros([3, 2])])).toThrow(ShapeError);
    expect(() => weightedSum(null, [], [])).toThrow(ShapeError);
  });

  test("operations refuse what is neither tensor nor number", () => {
    expect(() => add("1" as unknown as Operand, double)).toThrow("add needs a tensor and a tensor or number, got string and object");
    expect(() => add(1, 2)).toThrow(OptionError);
    expect(() => where(mask, double, undefined as unknown as Operand)).toThrow(OptionError);
    expect(() => where(true as unknown as Tensor, double, double)).toThrow(OptionError);
    expect(() => stack([])).toThrow(ShapeError);
  });
});

describe("a tensor is not a number", () => {
  test("coercion throws the sentence that says what to do instead", () => {
    const x = tensor([1, 2]) as unknown as number;
    const sentence =
      "a tensor of shape [2] was used as a JavaScript number: use sin(t), t.mul(2), ... instead of Math.sin(t), t * 2, or t.item() for its value";
    for (const coerce of [() => Math.sin(x), () => x * 2, () => 1 + x, () => +x, () => x < 3, () => Number(x)]) {
      expect(coerce).toThrow(OptionError);
      expect(coerce).toThrow(sentence);
    }
  });

  test("but it is shown in template strings", () => {
    expect(`${tensor([[1]]) as unknown as string}`).toBe("Tensor float64 [1, 1] [[1]]");
  });

  test("item() needs exactly one element, of any rank", () => {
    expect(tensor([[[7]]]).item()).toBe(7);
    expect(() => tensor([1, 2]).item()).toThrow("item() needs one element, but this tensor has shape [2]");
    expect(() => zeros([0]).item()).toThrow(ShapeError);
  });
});
