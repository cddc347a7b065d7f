import { describe, expect, test } from "vitest";
import * as dydt from "@dydt/tensor";
import { DtypeError, OptionError, random, ShapeError, tensor, type Tensor } from "@dydt/tensor";

/** Calls as plain JavaScript makes them. */
const x = tensor([[1, 2], [3, 4]]) as unknown as Record<string, (...args: readonly unknown[]) => Tensor>; // prettier-ignore
const call = dydt as unknown as Record<string, (...args: readonly unknown[]) => unknown>;
const stream = random(0) as unknown as Record<string, (...args: readonly unknown[]) => unknown>;

const reductions = ["sum", "mean", "max", "min", "prod", "variance", "norm", "logsumexp", "any", "all", "argMax", "argMin"];

describe("an option that is not known is refused by its name", () => {
  test.each(reductions)("by %s", (name) => {
    for (const use of [(options: unknown) => x[name]!(options), (options: unknown) => call[name]!(x, options)]) {
      expect(() => use({ keepdims: true })).toThrow(OptionError);
      expect(() => use({ keepdims: true })).toThrow(`${name} got the unknown option keepdims (did you mean keepDims?)`);
      expect(() => use({ axes: 0 })).toThrow(`${name} got the unknown option axes (did you mean axis?)`);
    }
  });

  test.each([
    ["tensor", [[1]]],
    ["full", [[2], 1]],
    ["zeros", [[2]]],
    ["ones", [[2]]],
    ["eye", [2]],
    ["linspace", [0, 1, 2]],
    ["arange", [0, 2, 1]],
    ["oneHot", [[0], 2]],
    ["gelu", [x]],
  ])("by %s", (name, args) => {
    expect(() => call[name]!(...args, { type: "float32" })).toThrow(OptionError);
    expect(() => call[name]!(...args, { type: "float32" })).toThrow(`${name} got the unknown option type`);
    expect(() => call[name]!(...args, undefined)).not.toThrow();
  });

  test("by random numbers, and by gelu for a value", () => {
    expect(() => stream.normal!([2], { foo: 1 })).toThrow("normal got the unknown option foo: it knows dtype");
    expect(() => stream.uniform!([2], { foo: 1 })).toThrow("uniform got the unknown option foo: it knows dtype");
    expect(() => call.gelu!(x, { approximate: "sigmoid" })).toThrow(OptionError);
  });
});

describe("what is given bare is refused where options belong, and the message shows how to name it", () => {
  test.each(reductions.filter((name) => name !== "norm"))("by %s", (name) => {
    expect(() => x[name]!(0)).toThrow(OptionError);
    expect(() => call[name]!(x, 0)).toThrow(`${name} got 0 where its options belong: give an object, as in { axis: 0 }`);
    expect(() => call[name]!(x, [0, 1])).toThrow("as in { axis: [0,1] }");
    expect(() => call[name]!(x, null)).toThrow(OptionError);
  });

  test("by constructors", () => {
    expect(() => call.zeros!([2], "float32")).toThrow('zeros got "float32" where its options belong: give an object, as in { dtype: "float32" }');
    expect(() => call.tensor!([2], "float32")).toThrow('as in { dtype: "float32" }');
    expect(() => stream.normal!([2], "float32")).toThrow('as in { dtype: "float32" }');
  });
});

test("an element type that nobody knows is refused, in a region too", () => {
  const known = "float64, float32, int32, bool are known";
  for (const make of [
    () => x.cast!("double"),
    () => dydt.scope(() => x.cast!("toString")),
    () => call.tensor!([1], { dtype: "float16" }),
    () => call.tensor!(new Float64Array(1), { dtype: "float16" }),
    () => call.zeros!([1], { dtype: "float16" }),
    () => call.eye!(2, { dtype: "float16" }),
  ]) {
    expect(make).toThrow(DtypeError);
    expect(make).toThrow(known);
  }
});

describe("a wrong argument is an error that shows the right call:", () => {
  test.each([
    ["lengths one by one", () => x.reshape!(2, 2), ShapeError, "reshape got 2 where a list belongs: write reshape(x, [2, -1])"],
    ["a length in the place of a shape", () => call.zeros!(3), ShapeError, "zeros got 3 where a list belongs: write a shape such as [2, 3]"],
    ["the same for random numbers", () => stream.normal!(3), ShapeError, "normal got 3 where a list belongs"],
    ["the same for repetition", () => x.broadcastTo!(2), ShapeError, "broadcastTo got 2 where a list belongs"],
    ["axes one by one", () => x.transpose!(1, 0), ShapeError, "write transpose(x, [1, 0])"],
    ["a bound in the place of ranges", () => x.slice!(0, 1), ShapeError, "slice got 0 where a list belongs: write slice(x, [[0, 2]])"],
    ["one range in the place of ranges", () => x.slice!([0, 1]), ShapeError, "slice got 0 where a list belongs: write slice(x, [[0, 2]])"],
    ["a count in the place of lengths", () => call.split!(x, 2), ShapeError, "split got 2 where a list belongs: write split(x, [2, 3])"],
    ["tensors one by one", () => call.stack!(x, x), OptionError, "stack needs a list of tensors: write stack([a, b])"],
    ["lists in the place of tensors", () => call.concat!([[1], [2]]), OptionError, "concat needs a list of tensors: write concat([a, b])"],
    ["an axis by name", () => call.softmax!(x, { dim: 1 }), ShapeError, 'softmax got axis {"dim":1}: a whole number is needed'],
    ["the same for its logarithm", () => call.logSoftmax!(x, { dim: 1 }), ShapeError, "logSoftmax got axis"],
    ["an axis that is no number", () => x.sum!({ axis: "0" }), ShapeError, "sum got axis 0: a whole number is needed"],
    ["a number in the place of a tensor", () => call.sin!(0.5), OptionError, "sin needs a tensor, got number: make one with tensor(value)"],
    ["a list in the place of a tensor", () => call.sum!([1, 2]), OptionError, "sum needs a tensor, got a list: make one with tensor(value)"],
    ["a list in a product", () => x.matmul!([1, 2]), OptionError, "matmul needs a tensor, got a list"],
  ])("%s", (_, use, kind, message) => {
    expect(use).toThrow(kind);
    expect(use).toThrow(message);
  });
});

describe("numbers that do not fit are refused", () => {
  test.each<readonly [name: string, use: () => unknown, message: string]>([
    ["NaN as int32", () => tensor([1, NaN], { dtype: "int32" }), "tensor got NaN, which int32 cannot hold"],
    ["too large for int32", () => tensor([3e9], { dtype: "int32" }), "tensor got 3000000000, which int32 cannot hold"],
    ["a typed array for int32", () => tensor(Float64Array.of(-2147483649), { dtype: "int32" }), "tensor got -2147483649"],
    ["NaN cast to int32", () => tensor([NaN]).cast("int32"), "cast got NaN, which int32 cannot hold"],
    ["a cast of what is too large", () => tensor([1, -3e9]).cast("int32"), "cast got -3000000000, which int32 cannot hold"],
    ["arange beyond int32", () => call.arange!(2147483647, 2147483649, 1, { dtype: "int32" }), "got 2147483648, which int32 cannot hold"],
    ["linspace beyond int32", () => call.linspace!(0, 3e9, 3, { dtype: "int32" }), "got 3000000000, which int32 cannot hold"],
    ["full of int32", () => call.full!([2], 2 ** 31, { dtype: "int32" }), "full got 2147483648, which int32 cannot hold"],
  ])("%s", (_name, use, message) => {
    expect(use).toThrow(DtypeError);
    expect(use).toThrow(message);
  });

  test("masks that are counted up hold zeros and ones", () => {
    expect(Array.from(dydt.arange(0, 512, 256, { dtype: "bool" }).data)).toEqual([0, 1]);
    expect(Array.from(dydt.linspace(0, 3, 4, { dtype: "bool" }).data)).toEqual([0, 1, 1, 1]);
  });

  test("but the ends of int32 fit, and fractions are cut off", () => {
    const ends = [-2147483648, 2147483647];
    expect(tensor([...ends, 1.9, -1.9], { dtype: "int32" }).toArray()).toEqual([...ends, 1, -1]);
    expect(tensor(Float64Array.from(ends), { dtype: "int32" }).toArray()).toEqual(ends);
  });

  test.each<readonly [name: string, use: () => unknown, message: string]>([
    ["full without a number", () => call.full!([2]), "full got undefined as its number"],
    ["full of text", () => call.full!([2], "a"), "full got string as its number"],
    ["permutation of -1", () => stream.permutation!(-1), "permutation got -1: a whole number of at least 0 is needed"],
    ["permutation of nothing", () => stream.permutation!(), "permutation got undefined"],
    ["split into 1.5", () => stream.split!(1.5), "split got 1.5: a whole number of at least 1 is needed"],
    ["split into 0", () => stream.split!(0), "split got 0"],
    [
      "an unknown activation",
      () => call.affine!(tensor([[1, 2]]), tensor([[1], [1]]), tensor([0]), "Tanh"),
      "affine got the activation Tanh: identity, tanh",
    ],
    ["a bigint for options", () => x.sum!(10n), "sum got 10 where its options belong"],
  ])("%s", (_name, use, message) => {
    expect(use).toThrow(OptionError);
    expect(use).toThrow(message);
  });

  test.each<readonly [name: string, rest: readonly unknown[]]>([
    ["cast", ["float32"]],
    ["clip", [0, 1]],
    ["slice", [[[0, 1]]]],
    ["flip", [0]],
    ["pad", [[[1, 1]]]],
    ["at", [0]],
    ["split", [[1], 0]],
    ["take", [[0], 0]],
    ["gather", [[0], 0]],
    ["scatterAdd", [[0], tensor([1]), 0]],
    ["cumsum", [0]],
    ["matmul", [x]],
    ["linearSolve", [tensor([1])]],
    ["conv2d", [dydt.ones([1, 1, 1, 1])]],
    ["averagePool", [1]],
    ["layerNormalize", []],
    ["groupNormalize", [1]],
    ["affine", [dydt.ones([1, 1]), tensor([1])]],
  ])("%s of what is no tensor, which is named", (name, rest) => {
    for (const given of [undefined, null, 1, [[1, 2]], { shape: [2] }]) {
      expect(() => call[name]!(given, ...rest)).toThrow(OptionError);
      expect(() => call[name]!(given, ...rest)).toThrow(`${name} needs a tensor, got ${Array.isArray(given) ? "a list" : typeof given}`);
    }
  });

  test("zipTrees of what is no tree", () => {
    for (const given of [undefined, null, 1, { a: null }]) expect(() => call.zipTrees!((a: Tensor) => a, given, { a: x })).toThrow(ShapeError);
  });

  test("pad of a number of zeros", () => {
    expect(() => call.pad!(x, 1)).toThrow("pad got 1 where a list belongs: write pad(x, [[1, 1]])");
  });

  test.each(["mean", "variance", "norm", "logsumexp", "softmax", "logSoftmax", "reshape", "transpose", "broadcastTo", "stopGradient"])(
    "%s of what is no tensor",
    (name) => {
      expect(() => call[name]!(undefined, [1])).toThrow(OptionError);
      expect(() => call[name]!([1, 2])).toThrow(OptionError);
    },
  );
});
