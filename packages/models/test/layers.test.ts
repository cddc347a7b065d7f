import { checkGradients } from "@dydt/autodiff";
import { DtypeError, leavesOf, mapTree, OptionError, random, ShapeError, tensor, type Tensor } from "@dydt/tensor";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { concatTime, linear, mlp, type ActivationName, type LinearOptions, type MlpOptions } from "../src/index.js";

const numbersOf = (tree: unknown): readonly number[] => leavesOf(tree).flatMap((leaf) => Array.from(leaf.data));

describe("a linear layer", () => {
  test("computes x W + b along the last axis, for one sample and for batches of any rank", () => {
    const layer = linear(2, 3);
    const parameters = { weight: tensor([[1, 2, 3], [4, 5, 6]]), bias: tensor([10, 20, 30]) }; // prettier-ignore
    expect(layer.apply(parameters, tensor([1, 1])).toArray()).toEqual([15, 27, 39]);
    expect(layer.apply(parameters, tensor([[1, 0], [0, 1]])).toArray()).toEqual([[11, 22, 33], [14, 25, 36]]); // prettier-ignore
    expect(layer.apply(parameters, tensor([[[1, 0]], [[0, 1]]])).toArray()).toEqual([[[11, 22, 33]], [[14, 25, 36]]]); // prettier-ignore
    expect(layer.apply({ weight: parameters.weight }, tensor([1, 1])).toArray()).toEqual([5, 7, 9]);
  });

  test("begins with weights and biases uniform in ±gain/√inputs", () => {
    const { weight, bias } = linear(64, 500, { gain: 4 }).init(random(3));
    expect([weight.shape, bias?.shape]).toEqual([[64, 500], [500]]);
    const values = numbersOf(weight);
    const bound = 4 / 8;
    const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
    const meanSquare = values.reduce((sum, x) => sum + x * x, 0) / values.length;
    const deviations = Math.sqrt(values.length); // of a mean, five of which are less than one in a million
    expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(bound);
    expect(Math.max(...values.map(Math.abs))).toBeGreaterThan(bound * 0.999);
    expect(Math.abs(mean)).toBeLessThan((5 * bound) / Math.sqrt(3) / deviations);
    expect(Math.abs(meanSquare - (bound * bound) / 3)).toBeLessThan((5 * bound * bound * 0.3) / deviations);
    expect(Math.max(...numbersOf(bias).map(Math.abs))).toBeGreaterThan(bound * 0.9);
    expect(Math.max(...numbersOf(bias).map(Math.abs))).toBeLessThanOrEqual(bound);
  });

  test("begins with the same bits for the same seed, and with others for another", () => {
    const init = (seed: number) => numbersOf(linear(3, 4).init(random(seed)));
    expect(init(1)).toEqual(init(1));
    expect(init(1)).not.toEqual(init(2));
  });

  test("has no bias when told so", () => {
    expect(Object.keys(linear(2, 2, { bias: false }).init(random(0)))).toEqual(["weight"]);
  });

  test.each([[0, 2, {}], [2, 1.5, {}], [2, 2, { gain: NaN }], [2, 2, { biases: false }]])("refuses %j", (inputs, outputs, options) => {
    expect(() => linear(inputs, outputs, options as LinearOptions)).toThrow(OptionError);
  }); // prettier-ignore

  test("refuses an input of another length or element type", () => {
    const layer = linear(2, 3);
    const parameters = layer.init(random(0));
    expect(() => layer.apply(parameters, tensor([1, 2, 3]))).toThrow(ShapeError);
    expect(() => layer.apply(parameters, tensor([1, 2], { dtype: "float32" }))).toThrow(DtypeError);
  });
});

describe("a multilayer perceptron", () => {
  test("is linear, activation, linear", () => {
    const net = mlp([1, 2, 1], { activation: "relu" });
    const parameters = {
      layers: [
        { weight: tensor([[1, -1]]), bias: tensor([0, 1]) },
        { weight: tensor([[10], [100]]), bias: tensor([0.5]) },
      ],
    };
    expect(net.apply(parameters, tensor([3])).toArray()).toEqual([30.5]);
    expect(net.apply(parameters, tensor([-3])).toArray()).toEqual([400.5]);
  });

  test("gives a state the same bits alone and in a batch", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 40 }), fc.integer({ min: 0, max: 99 }), (rows, width, seed) => {
        const net = mlp([3, width, 2]);
        const stream = random(seed);
        const parameters = net.init(stream);
        const states = stream.normal([rows, 3]);
        const together = net.apply(parameters, states);
        expect(together.shape).toEqual([rows, 2]);
        for (let i = 0; i < rows; i++) expect(net.apply(parameters, states.at(i)).toArray()).toEqual(together.at(i).toArray());
      }),
      { numRuns: 30 },
    );
  });

  const names: readonly ActivationName[] = ["tanh", "relu", "softplus", "sigmoid", "silu", "gelu", "elu", "identity"];

  test.each(names)("with %s has the derivative of what it computes, in parameters and input", (activation) => {
    const net = mlp([2, 5, 3], { activation, finalActivation: "tanh" });
    const stream = random(11);
    const at = { parameters: net.init(stream), x: stream.normal([4, 2]) };
    const report = checkGradients(({ parameters, x }: typeof at) => net.apply(parameters, x).square().sum(), at);
    expect(report.passed, report.toString()).toBe(true);
  });

  test("gives each activation its own values, and takes any function as one", () => {
    const values = names.map((activation) =>
      mlp([1, 1], { finalActivation: activation })
        .apply({ layers: [{ weight: tensor([[1]]) }] }, tensor([-0.7]))
        .item(),
    );
    const phi = 0.24196365222307298; // of the normal distribution at -0.7
    const expected = [
      Math.tanh(-0.7),
      0,
      Math.log(1 + Math.exp(-0.7)),
      1 / (1 + Math.exp(0.7)),
      -0.7 / (1 + Math.exp(0.7)),
      -0.7 * phi,
      Math.exp(-0.7) - 1,
      -0.7,
    ];
    values.forEach((value, i) => expect(value, names[i]).toBeCloseTo(expected[i]!, 12));
    const cube = mlp([1, 1], { finalActivation: (x: Tensor) => x.mul(x).mul(x) });
    expect(cube.apply({ layers: [{ weight: tensor([[2]]) }] }, tensor([1])).toArray()).toEqual([8]);
  });

  test("stays in float32 from parameters to output", () => {
    const net = mlp([2, 8, 2], { activation: "gelu", dtype: "float32" });
    const parameters = net.init(random(0));
    expect(leavesOf(parameters).map((leaf) => leaf.dtype)).toEqual(["float32", "float32", "float32", "float32"]);
    expect(net.apply(parameters, tensor([1, 2], { dtype: "float32" })).dtype).toBe("float32");
  });

  test("refuses too few sizes, activations that nobody knows, and unknown options", () => {
    expect(() => mlp([2])).toThrow(OptionError);
    expect(() => mlp([2, 2], { activation: "constructor" } as unknown as MlpOptions)).toThrow(/constructor is not known/);
    expect(() => mlp([2, 2], { activations: "tanh" } as MlpOptions)).toThrow(/unknown option activations/);
  });
});

describe("a wrong call is an error that shows the right one:", () => {
  const net = mlp([2, 4, 1]) as unknown as Record<"init" | "apply", (...args: readonly unknown[]) => unknown>;
  const one = linear(2, 1) as unknown as typeof net;
  const timed = concatTime(mlp([3, 2])) as unknown as typeof net;
  const x = tensor([1, 2]);
  const start = net.init(random(0));
  test.each([
    ["sizes one by one", () => (mlp as (...args: readonly unknown[]) => unknown)(2, 32, 2), "mlp got number as its sizes: it needs a list, as in mlp([2, 32, 2])"],
    ["init without random numbers", () => net.init(), "init of mlp needs a stream of random numbers: call init(random(0))"],
    ["init with a seed", () => net.init(0), "init of mlp needs a stream of random numbers: call init(random(0))"],
    ["init of a layer with a seed", () => one.init(0), "init of linear needs a stream of random numbers"],
    ["a layer's bare option", () => linear(2, 2, false as unknown as LinearOptions), "as in { bias: false }"],
    ["swapped arguments", () => net.apply(x, start), "mlp got other parameters than it has: call apply(parameters, x)"],
    ["swapped arguments of a layer", () => one.apply(x, one.init(random(0))), "linear got other parameters than it has"],
    ["no input", () => net.apply(start), "mlp got undefined as its input: call apply(parameters, x) with a tensor x"],
    ["a list as input", () => net.apply(start, [1, 2]), "mlp got object as its input"],
    ["parameters of another network", () => net.apply(mlp([2, 1]).init(random(0)), x), "mlp got other parameters than it has"],
    ["a state without its time", () => timed.apply(timed.init(random(0)), x), "call apply(parameters, [t, x])"],
  ])("%s", (_, call, message) => {
    expect(call).toThrow(OptionError);
    expect(call).toThrow(message);
  }); // prettier-ignore
});

describe("concatTime", () => {
  test("of what is no module, and input that is no pair, are refused", () => {
    for (const module of [null, undefined, 2, "mlp", {}])
      expect(() => concatTime(module as ReturnType<typeof mlp>)).toThrow(/^concatTime got \w+ without init as its module: give one/);
    for (const input of [[], [tensor(1)], [tensor(1), [2, 3]], null])
      expect(() => field.apply(field.init(random(0)), input as unknown as [Tensor, Tensor])).toThrow("call apply(parameters, [t, x])");
  });

  const field = concatTime(mlp([3, 4, 2]));
  const parameters = field.init(random(5));

  test("gives the time to the module as the last column, of one state and of each of a batch", () => {
    const asWeights = concatTime(linear(3, 1, { bias: false }));
    const sum = { weight: tensor([[1], [10], [100]]) };
    expect(asWeights.apply(sum, [tensor(3), tensor([1, 2])]).toArray()).toEqual([321]);
    expect(asWeights.apply(sum, [tensor(3), tensor([[1, 2], [4, 5]])]).toArray()).toEqual([[321], [354]]); // prettier-ignore
  });

  test("has the derivative of what it computes, in time, state and parameters", () => {
    const at = { parameters, t: tensor(0.3), x: tensor([[1, 2], [0.5, -1]]) }; // prettier-ignore
    const report = checkGradients(({ parameters: p, t, x }: typeof at) => field.apply(p, [t, x]).square().sum(), at, { order: 2 });
    expect(report.passed, report.toString()).toBe(true);
  });

  test("keeps float32", () => {
    const single = mapTree((leaf) => leaf.cast("float32"), parameters);
    expect(field.apply(single, [tensor(0.5, { dtype: "float32" }), tensor([1, 2], { dtype: "float32" })]).dtype).toBe("float32");
  });
});
