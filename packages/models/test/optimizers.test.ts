import { gradient } from "@dydt/autodiff";
import { DtypeError, leavesOf, OptionError, ShapeError, tensor, type Tensor } from "@dydt/tensor";
import { describe, expect, test } from "vitest";
import { adam, momentum, sgd, type AdamOptions, type Optimizer } from "../src/index.js";

/** The values of a number under an optimizer, given its gradients one after the other. */
const path = (optimizer: Optimizer, x0: number, gradients: readonly number[]): readonly number[] => {
  let parameters = tensor([x0]);
  let state = optimizer.init(parameters);
  return gradients.map((g) => {
    ({ parameters, state } = optimizer.update(tensor([g]), state, parameters));
    return parameters.at(0).item();
  });
};

const expectPath = (found: readonly number[], wanted: readonly number[]): void => {
  expect(found).toHaveLength(wanted.length);
  found.forEach((x, i) => expect(Math.abs(x - wanted[i]!)).toBeLessThan(1e-14));
};

const optimizers: readonly (readonly [string, () => Optimizer])[] = [
  ["sgd", () => sgd(0.1)],
  ["momentum", () => momentum(0.02)],
  ["adam", () => adam(0.05)],
];

describe.each(optimizers)("%s", (_, make) => {
  test("finds the lowest point of a stretched bowl, over a tree of parameters", () => {
    const optimizer = make();
    const slope = gradient(({ a, rest: [b] }: { a: Tensor; rest: Tensor[] }) => a.sub(3).square().sum().mul(4).add(b!.add(1).square().sum()));
    let parameters = { a: tensor([0, 5]), rest: [tensor([[2]])] };
    let state = optimizer.init(parameters);
    for (let i = 0; i < 1500; i++) ({ parameters, state } = optimizer.update(slope(parameters), state, parameters));
    expect(Math.max(...parameters.a.sub(3).abs().data)).toBeLessThan(1e-6);
    expect(parameters.rest[0]!.add(1).abs().at(0).at(0).item()).toBeLessThan(1e-6);
    expect(state.iteration).toBe(1500);
  });

  test("keeps float32 in parameters and state", () => {
    const optimizer = make();
    const start = { x: tensor([1, 2], { dtype: "float32" }) };
    const { parameters, state } = optimizer.update({ x: tensor([0.5, -1], { dtype: "float32" }) }, optimizer.init(start), start);
    expect(leavesOf([parameters, state.trees]).every((leaf) => leaf.dtype === "float32")).toBe(true);
  });

  test("changes neither the parameters nor the state it is given", () => {
    const optimizer = make();
    const start = tensor([1]);
    const before = optimizer.update(tensor([1]), optimizer.init(start), start);
    const again = () => optimizer.update(tensor([2]), before.state, before.parameters).parameters.toArray();
    expect(again()).toEqual(again());
    expect(start.toArray()).toEqual([1]);
  });

  test("refuses a gradient of another form, shape or type", () => {
    const optimizer = make();
    const start = { x: tensor([[1, 2]]) };
    const state = optimizer.init(start);
    expect(() => optimizer.update({ y: tensor([[1, 2]]) } as unknown as typeof start, state, start)).toThrow(/x is missing/);
    expect(() => optimizer.update({ x: tensor([[1], [2]]) }, state, start)).toThrow(ShapeError);
    expect(() => optimizer.update({ x: tensor([[1, 2]], { dtype: "float32" }) }, state, start)).toThrow(DtypeError);
  });
});

describe("the rules", () => {
  test("of gradient descent", () => {
    expectPath(path(sgd(0.1), 1, [1, 2, -3]), [0.9, 0.7, 1]);
  });

  test("of momentum: v ← βv + g, θ ← θ − αv", () => {
    expectPath(path(momentum(0.1, { decay: 0.5 }), 1, [1, 2, -3]), [0.9, 0.65, 0.825]);
    expectPath(path(momentum(0.1, { decay: 0 }), 1, [1, 2, -3]), [0.9, 0.7, 1]);
  });

  test("of Adam, by hand: β₁ = ½, β₂ = ¾, ε = 0, gradients 4, 0, 8", () => {
    // m = 2, 1, 4.5 over 1/2, 3/4, 7/8;  v = 4, 3, 18.25 over 1/4, 7/16, 37/64
    const steps = [4 / Math.sqrt(16), 4 / 3 / Math.sqrt(48 / 7), 36 / 7 / Math.sqrt((18.25 * 64) / 37)] as const;
    const first = 1 - 0.1 * steps[0];
    const second = first - 0.1 * steps[1];
    expectPath(path(adam(0.1, { beta1: 0.5, beta2: 0.75, epsilon: 0 }), 1, [4, 0, 8]), [first, second, second - 0.1 * steps[2]]);
  });

  test("of Adam: the first step is the rate, ε keeps it small for small gradients, and no gradient moves nothing", () => {
    expectPath(path(adam(0.1, { epsilon: 1 }), 0, [1]), [-0.05]);
    expectPath(path(adam(0.1), 0, [0]), [0]);
    expect(path(adam(0.1), 0, [1e6])[0]).toBeCloseTo(-0.1, 12);
  });

  test("take a rate that depends on the iteration, from 0", () => {
    const asked: number[] = [];
    const rate = (iteration: number): number => {
      asked.push(iteration);
      return 1 / (iteration + 1);
    };
    expectPath(path(sgd(rate), 0, [1, 1, 2]), [-1, -1.5, -1.5 - 2 / 3]);
    expect(asked).toEqual([0, 1, 2]);
  });
});

describe("wrong options of optimizers", () => {
  test.each([NaN, -1, Infinity])("the rate %d is refused, at once or when a schedule gives it", (rate) => {
    for (const make of [sgd, momentum, adam]) {
      expect(() => make(rate)).toThrow(OptionError);
      expect(() => path(make(() => rate), 0, [1])).toThrow(/iteration 0/); // prettier-ignore
    }
  });

  test("factors outside [0, 1) and unknown names are refused", () => {
    expect(() => momentum(1, { decay: 1 })).toThrow(OptionError);
    expect(() => adam(1, { beta1: -0.1 })).toThrow(OptionError);
    expect(() => adam(1, { beta2: 1 })).toThrow(OptionError);
    expect(() => adam(1, { epsilon: NaN })).toThrow(OptionError);
    expect(() => adam(1, { eps: 1e-7 } as AdamOptions)).toThrow(/beta1, beta2, epsilon/);
  });

  test("the state of another optimizer is refused", () => {
    const x = tensor([1]);
    expect(() => adam(1).update(x, momentum(1).init(x), x)).toThrow(/another optimizer/);
    expect(() => momentum(1).update(x, sgd(1).init(x), x)).toThrow(OptionError);
  });
});

test("options are refused where they are not known, and where there are none", () => {
  const call = { adam, momentum, sgd } as unknown as Record<string, (...args: readonly unknown[]) => unknown>;
  expect(() => call.adam!(0.1, { eps: 1e-8 })).toThrow("adam got the unknown option eps (did you mean epsilon?)");
  expect(() => call.adam!(0.1, 0.9)).toThrow("as in { beta1: 0.9 }");
  expect(() => call.momentum!(0.1, 0.9)).toThrow("as in { decay: 0.9 }");
  expect(() => call.sgd!(0.1, { momentum: 0.9 })).toThrow("sgd takes a rate alone: use momentum(rate, { decay }) for a velocity");
  expect(() => call.sgd!(0.1, 0.9)).toThrow(OptionError);
  expect(() => call.sgd!(0.1, undefined)).not.toThrow();
});
