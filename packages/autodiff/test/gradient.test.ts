import { describe, expect, test } from "vitest";
import { activeRecorders, AsynchronousBodyError, DtypeError, OptionError, random, ShapeError, stack, tensor, zeros, type Tensor } from "@dydt/tensor";
import { checkpoint, gradient, hessian, jacobian, stopGradient, valueAndGradient, vjp } from "@dydt/autodiff";
import { expectClose } from "../../../scripts/expect-close.js";

interface Layer {
  readonly weight: Tensor;
  readonly bias: Tensor;
}
const layer: Layer = { weight: random(1).normal([3, 2]), bias: random(2).normal([2]) };

describe("gradient", () => {
  test("has the form of its argument: records, lists, tuples and interfaces", () => {
    const net = { layers: [layer, { weight: random(3).normal([2, 1]), bias: random(4).normal([1]) }] as const, scale: tensor(2) };
    const x = random(5).normal([4, 3]);
    const slope = gradient((p: typeof net) => x.matmul(p.layers[0].weight).add(p.layers[0].bias).matmul(p.layers[1].weight).mul(p.scale).sum())(net);
    expect(slope.layers[1].weight.shape).toEqual([2, 1]);
    expectClose(slope.layers[0].bias, net.layers[1].weight.reshape([2]).mul(8));
    expectClose(slope.layers[1].bias, [0]);
    expectClose(slope.layers[0].weight, x.sum({ axis: 0 }).reshape([3, 1]).matmul(net.layers[1].weight.transpose()).mul(2), { rtol: 1e-12 });
  });

  test("is zero, of the right shape and type, where the value does not depend on a leaf", () => {
    const slope = gradient(({ a }: { readonly a: Tensor; readonly b: Tensor }) => a.sum())({
      a: tensor([1, 2]),
      b: zeros([2, 0], { dtype: "float32" }),
    });
    expect([slope.b.shape, slope.b.dtype]).toEqual([[2, 0], "float32"]);
    expectClose(gradient((_: Tensor) => tensor(1))(tensor([1, 2])), [0, 0]);
    expectClose(gradient((x: Tensor) => stopGradient(x.exp()).sum())(tensor([1, 2])), [0, 0]);
  });

  test("keeps float32", () => {
    const slope = gradient((x: Tensor) => x.mul(x.sigmoid()).add(0.1).pow(1.5).log().mean())(tensor([1, 2], { dtype: "float32" }));
    expect(slope.dtype).toBe("float32");
  });

  test("adds up over every use of a tensor, the same tensor twice in one operation included", () => {
    expectClose(
      gradient((x: Tensor) =>
        x
          .mul(x)
          .add(x)
          .add(stack([x, x]).sum({ axis: 0 }))
          .sum(),
      )(tensor([1, 2])),
      [5, 7],
    );
  });

  test("of the identity is one", () => {
    expectClose(gradient((x: Tensor) => x)(tensor(3)), 1);
    expectClose(gradient((x: Tensor) => x)(tensor([[3]])), [[1]]);
  });

  test("treats the same tensor in two leaves as two variables", () => {
    const x = tensor([3]);
    const slope = gradient(({ a, b }: { a: Tensor; b: Tensor }) => a.mul(b).mul(b).sum())({ a: x, b: x });
    expectClose(slope.a, [9]);
    expectClose(slope.b, [18]);
  });

  test("goes around a branch that depends on a value", () => {
    const f = (x: Tensor): Tensor => (x.sum().item() > 0 ? x.square().sum() : x.neg().sum());
    expectClose(gradient(f)(tensor([1, 2])), [2, 4]);
    expectClose(gradient(f)(tensor([-1, -2])), [-1, -1]);
  });

  test("refuses what is no scalar, no tensor, or no float", () => {
    expect(() => gradient((x: Tensor) => x)(tensor([1, 2]))).toThrow(
      "a gradient needs a function with one number as its value, got shape [2]: sum() it, or use vjp",
    );
    const count = gradient((x: Tensor) => x.greater(1).cast("int32").sum());
    expect(() => count(tensor([1, 2]))).toThrow("a gradient needs a function with a float as its value, got int32, which has no derivative");
    expect(() => gradient((() => 3) as unknown as (x: Tensor) => Tensor)(tensor(1))).toThrow(OptionError);
    expect(() => gradient((x: Tensor) => x.sum())(tensor([1], { dtype: "int32" }))).toThrow(DtypeError);
    expect(() => gradient((x: Tensor) => x.sum())(tensor([true]))).toThrow("a tensor of shape [1] and type bool cannot be differentiated");
    expect(() => gradient((x: readonly number[]) => tensor(x))([1, 2])).toThrow("a tree of tensors holds a number at 0");
  });

  test.each([
    ["a promise", async (x: Tensor) => Promise.resolve(x.sum())],
    ["an iterator", function* (x: Tensor) { yield x.sum(); }],
  ] as const)("refuses a function that returns %s", (_, f) => {
    expect(() => gradient(f as unknown as (x: Tensor) => Tensor)(tensor([1]))).toThrow(AsynchronousBodyError);
    expect(activeRecorders()).toEqual([]);
  }); // prettier-ignore
});

describe("valueAndGradient", () => {
  test("gives the value beside the gradient, from one run", () => {
    let runs = 0;
    const { value, gradient: slope } = valueAndGradient((x: Tensor) => (runs++, x.square().sum()))(tensor([1, 2]));
    expectClose(value, 5);
    expectClose(slope, [2, 4]);
    expect(runs).toBe(1);
  });

  test("hands an auxiliary output through, with its tensors alive", () => {
    const f = (x: Tensor): { readonly value: Tensor; readonly auxiliary: { readonly squares: Tensor; readonly n: number } } => {
      const squares = x.square();
      return { value: squares.sum(), auxiliary: { squares, n: 2 } };
    };
    const { auxiliary, gradient: slope } = valueAndGradient(f)(tensor([1, 2]));
    expectClose(auxiliary.squares, [1, 4]);
    expect(auxiliary.n).toBe(2);
    expectClose(slope, [2, 4]);
    expect("auxiliary" in valueAndGradient((x: Tensor) => x.sum())(tensor([1]))).toBe(false);
  });
});

describe("vjp", () => {
  test("pulls back as often as wanted, with the same bits", () => {
    const { value, pullback } = vjp(({ weight, bias }: Layer) => [weight.matmul(bias.tanh()), bias.exp()] as const, layer);
    const cotangent = [random(6).normal([3]), random(7).normal([2])] as const;
    const first = pullback(cotangent);
    pullback([zeros([3]), zeros([2])]);
    const again = pullback(cotangent);
    expect(value[0].shape).toEqual([3]);
    expect(again.weight.toArray()).toEqual(first.weight.toArray());
    expect(again.bias.toArray()).toEqual(first.bias.toArray());
  });

  test("pulls back one output at a time: the sum of the parts is the whole", () => {
    const { pullback } = vjp((x: Tensor) => ({ sin: x.sin(), cos: x.cos() }), tensor([0.3]));
    const [a, b, both] = [
      pullback({ sin: tensor([1]), cos: tensor([0]) }),
      pullback({ sin: tensor([0]), cos: tensor([1]) }),
      pullback({ sin: tensor([1]), cos: tensor([1]) }),
    ];
    expectClose(a.add(b), both);
    expectClose(a, [Math.cos(0.3)]);
  });

  test("refuses cotangents of another shape, type or form", () => {
    const { pullback } = vjp((x: Tensor) => ({ y: x.mul(2) }), tensor([1, 2]));
    expect(() => pullback({ y: tensor([1]) })).toThrow("a pullback got a cotangent of shape [1] for an output of shape [2]");
    expect(() => pullback({ y: tensor([1, 1], { dtype: "float32" }) })).toThrow(
      "a pullback got a cotangent of type float32 for an output of type float64",
    );
    expect(() => pullback({} as { y: Tensor })).toThrow(ShapeError);
    expect(() => pullback({ y: 1 as unknown as Tensor })).toThrow("a tree of tensors holds a number at y");
    expect(() => vjp((x: Tensor) => ({ n: x.size }), tensor([1]))).toThrow("a tree of tensors holds a number at n");
  });

  test("lets its inputs through as outputs", () => {
    const { pullback } = vjp((x: Tensor) => [x, x, x.mul(3)] as const, tensor([1]));
    expectClose(pullback([tensor([1]), tensor([10]), tensor([100])]), [311]);
  });
});

test("a chain of 100,000 operations is reversed without deep recursion", () => {
  const slope = gradient((x: Tensor) => {
    let y = x;
    for (let n = 0; n < 100_000; n++) y = y.mul(n % 2 === 0 ? 2 : 0.5);
    return y.sum();
  })(tensor([3]));
  expectClose(slope, [1]);
});

describe.each(Object.entries({ gradient, valueAndGradient, jacobian, hessian, checkpoint }))("%s", (name, derivative) => {
  const call = derivative as unknown as (...args: readonly unknown[]) => unknown;

  test("called with the point as well says that it takes the function alone", () => {
    expect(() => call((x: Tensor) => x.sum(), tensor([1]))).toThrow(OptionError);
    expect(() => call((x: Tensor) => x.sum(), tensor([1]))).toThrow(
      `${name} takes the function alone, and got 2 arguments: call it as ${name}(f)(x)`,
    );
  });

  test("called without a function says how it is called", () => {
    expect(() => call(tensor([1]))).toThrow(`${name} got object in the place of a function: call it as ${name}(f)(x)`);
  });
  test("takes its place in map over a list of functions", () => {
    const list = [(x: Tensor): Tensor => x.square().sum()];
    const mapped = list.map((f, i, all) => call(f, i, all));
    expect(mapped.map((made) => typeof made)).toEqual(["function"]);
  });
});
