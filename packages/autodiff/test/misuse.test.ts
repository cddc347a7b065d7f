import { describe, expect, test } from "vitest";
import { identity, OptionError, primitive, ShapeError, tensor, type Tensor } from "@dydt/tensor";
import {
  defineJvp, defineVjp, gradient, interpretSchedule, jvp, node, pushforward, revolve, taylor, valueAndGradient, vjp, withStages,
} from "@dydt/autodiff"; // prettier-ignore

const x = tensor([1, 2]);
const total = (y: Tensor): Tensor => y.sum();
const wrong = (value: unknown): never => value as never;

describe("a call with something missing says how it is made", () => {
  test.each<readonly [name: string, call: () => unknown, message: string]>([
    ["vjp", () => vjp(wrong(undefined), x), "vjp got undefined in the place of a function: call it as vjp(f, x)"],
    ["jvp", () => jvp(wrong(x), x, x), "jvp got object in the place of a function"],
    [
      "pushforward",
      () => pushforward(total, x, wrong(x)),
      "pushforward needs a list of trees like x as its third argument: write pushforward(f, x, [v])",
    ],
    ["taylor", () => taylor(total, x, wrong(undefined)), "taylor needs a list of trees like x"],
    ["gradient of null", () => gradient(wrong(() => null))(x), "must return a tensor, or { value, auxiliary }, but it returned object"],
    ["valueAndGradient of null", () => valueAndGradient(wrong(() => null))(x), "must return a tensor"],
    ["defineVjp", () => defineVjp(wrong(undefined), []), "defineVjp got undefined in the place of a primitive"],
    [
      "primitive",
      () =>
        primitive(
          "nothing",
          wrong(() => undefined),
        )(),
      "the primitive nothing returned undefined in the place of a tensor",
    ],
    ["withStages", () => [...withStages(revolve(2))(-1)], "must be a whole number, at least 0; got -1"],
    ["a schedule of NaN steps", () => interpretSchedule(withStages(revolve(2)), NaN), "must be a whole number, at least 0; got NaN"],
  ])("%s", (_name, call, message) => {
    expect(call).toThrow(OptionError);
    expect(call).toThrow(message);
  });
});

test("a rule is a function, a name that is known, or null", () => {
  const twice = primitive("twice", (y: Tensor) => y.mul(2));
  expect(() => defineVjp(twice, wrong(["linear"]))).toThrow(
    'defineVjp got "linear" as the rule of argument 0 of twice, counted from 0: give a function or null',
  );
  expect(() => defineJvp(twice, wrong(["liner"]))).toThrow(
    'defineJvp got "liner" as the rule of argument 0 of twice, counted from 0: give a function, "linear" or null',
  );
  expect(() => defineJvp(twice, wrong([3]))).toThrow(OptionError);
  defineVjp(twice, [(cotangent) => cotangent.mul(2)]);
  defineJvp(twice, ["linear"]);
  expect(gradient((y: Tensor) => twice(y).sum())(x).toArray()).toEqual([2, 2]);
});

test("a pullback that leaves out a cotangent is refused: a zero would be silent", () => {
  const short = (y: Tensor): Tensor => node("short", [y, y.mul(2)], () => ({ outputs: [identity(y)], pullback: (cotangents) => cotangents }))[0]!;
  expect(() => gradient((y: Tensor) => short(y).sum())(x)).toThrow(ShapeError);
  expect(() => gradient((y: Tensor) => short(y).sum())(x)).toThrow(
    "the pullback of short gave 1 cotangents for 2 tensors: undefined stands for zero",
  );
});
