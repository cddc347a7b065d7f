import { checkGradients, gradient } from "@dydt/autodiff";
import { DtypeError, OptionError, random, ShapeError, tensor, type Tensor } from "@dydt/tensor";
import { describe, expect, test } from "vitest";
import { huber, meanAbsoluteError, meanSquaredError } from "../src/index.js";

describe.each([
  ["meanSquaredError", meanSquaredError],
  ["meanAbsoluteError", meanAbsoluteError],
  ["huber", huber],
] as const)("%s", (_, loss: (prediction: Tensor, target: Tensor) => Tensor) => {
  test("refuses shapes that differ, though they would broadcast", () => {
    expect(() => loss(tensor([1, 2]), tensor([[1], [2]]))).toThrow(ShapeError);
    expect(() => loss(tensor([1, 2]), tensor(1))).toThrow(ShapeError);
    expect(() => loss(tensor([]), tensor([]))).toThrow(ShapeError);
  });

  test("refuses two float types, and keeps float32", () => {
    const single = tensor([1, 2], { dtype: "float32" });
    expect(() => loss(single, tensor([1, 2]))).toThrow(DtypeError);
    expect(loss(single, single).dtype).toBe("float32");
  });

  test("is zero only for the target, and has the derivative of what it computes", () => {
    const stream = random(2);
    const target = stream.normal([3, 2]);
    expect(loss(target, target).item()).toBe(0);
    const report = checkGradients((x: Tensor) => loss(x, target), stream.normal([3, 2]).mul(3));
    expect(report.passed, report.toString()).toBe(true);
  });

  test("of an array says how to make a tensor of it", () => {
    for (const value of [[1, 2], null, 3, "x", new Float64Array(2)]) {
      expect(() => loss(value as unknown as Tensor, tensor([1, 2]))).toThrow(OptionError);
      expect(() => loss(tensor([1, 2]), value as unknown as Tensor)).toThrow(/as its target: make a tensor of it with tensor\(target\)/);
    }
  });

  test("of whole numbers does not overflow as they would", () => {
    const [far, zero] = [tensor([100_000, -100_000], { dtype: "int32" }), tensor([0, 0], { dtype: "int32" })];
    expect(loss(far, zero).item()).toBe(loss(far.cast("float64"), zero.cast("float64")).item());
    const [low, high] = [-(2 ** 31), 2 ** 31 - 1].map((x) => tensor([x], { dtype: "int32" })) as [Tensor, Tensor];
    expect(loss(low, high).item()).toBe(loss(low.cast("float64"), high.cast("float64")).item());
  });

  test("lets NaN through", () => {
    expect(loss(tensor([NaN, 1]), tensor([0, 0])).item()).toBeNaN();
  });
});

describe("the losses", () => {
  test("are the means of r², |r|, and Huber's function", () => {
    const prediction = tensor([[0, 1], [-5, 2]]); // prettier-ignore
    const target = tensor([[0.5, 1], [1, 0]]); // prettier-ignore
    expect(meanSquaredError(prediction, target).item()).toBe((0.25 + 0 + 36 + 4) / 4);
    expect(meanAbsoluteError(prediction, target).item()).toBe((0.5 + 0 + 6 + 2) / 4);
    expect(huber(prediction, target).item()).toBe((0.125 + 0 + 5.5 + 1.5) / 4);
    expect(huber(prediction, target, { delta: 3 }).item()).toBe((0.125 + 0 + 3 * 4.5 + 2) / 4);
  });

  test("of Huber pulls with r up to δ, at δ itself, and with ±δ beyond", () => {
    const pull = gradient((x: Tensor) => huber(x, tensor([0, 0, 0, 0, 0]), { delta: 2 }))(tensor([0, 1, 2, 3, -30]));
    expect(pull.mul(5).toArray()).toEqual([0, 1, 2, 2, -2]);
  });

  test("of Huber refuses a delta below zero and unknown options", () => {
    expect(() => huber(tensor([1]), tensor([1]), { delta: -1 })).toThrow(OptionError);
    expect(() => huber(tensor([1]), tensor([1]), { delta: "1" as unknown as number })).toThrow(OptionError);
    expect(() => huber(tensor([1]), tensor([1]), { Delta: 1 } as { delta?: number })).toThrow(OptionError);
  });
});
