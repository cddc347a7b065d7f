import { afterEach, describe, expect, test } from "vitest";
import {
  activeRecorders, concat, gather, OptionError, primitive, ShapeError, slice, stack, take, tensor, weightedSum, type Tensor,
} from "@dydt/tensor"; // prettier-ignore
import { checkGradients, checkpoint, defineVjp, gradient, jvp, MissingRuleError, MutationError, setChecks, vjp } from "@dydt/autodiff";
import { expectClose } from "../../../scripts/expect-close.js";

const cubed = (x: Tensor): Tensor => x.mul(x).mul(x);

describe("a primitive of one's own", () => {
  test("without a rule works plainly, and is an error as soon as it is differentiated", () => {
    const cube = primitive("cube", cubed);
    expectClose(cube(tensor([2])), [8]);
    const run = (): unknown => gradient((x: Tensor) => cube(x).sum())(tensor([1]));
    expect(run).toThrow(MissingRuleError);
    expect(run).toThrow("no reverse rule for cube: call defineVjp(cube, ...) where the primitive is made");
    expect(() => gradient((x: Tensor) => checkpoint((y: Tensor) => cube(y))(x).sum())(tensor([1]))).toThrow(MissingRuleError);
    expect(activeRecorders()).toEqual([]);
    expectClose(
      gradient((x: Tensor) =>
        cube(tensor([2]))
          .mul(x)
          .sum(),
      )(tensor([1])),
      [8],
    );
  });

  test("has the derivatives that its rule gives, of any order, and its forward may read bare numbers", () => {
    const cube = defineVjp(
      primitive("cube", (x: Tensor) => tensor(Float64Array.from(x.data, (one) => one ** 3))),
      [(cotangent, _, x) => cotangent.mul(x.square()).mul(3)],
    );
    expect(checkGradients((x: Tensor) => cube(x).sum(), tensor([0.5, -2]), { order: 2 }).passed).toBe(true);
  });

  test("has rules for each argument: tensors, lists of tensors, constants", () => {
    const combine = defineVjp(
      primitive("combine", (list: readonly Tensor[], factor: number, last: Tensor) => list.reduce((sum, x) => sum.add(x)).mul(factor).mul(last)), // prettier-ignore
      [
        (c, _, list, factor, last) => list.map(() => c.mul(last).mul(factor)),
        null,
        (c, _, list, factor) => c.mul(list.reduce((sum, x) => sum.add(x))).mul(factor),
      ],
    );
    const x = { a: tensor([1, 2]), b: tensor([3, 4]), c: tensor([5, 6]) };
    expect(
      checkGradients(
        ({ a, b, c }: typeof x) =>
          combine([a, tensor([1, 1]), b, a], 2, c)
            .square()
            .sum(),
        x,
        { order: 2 },
      ).passed,
    ).toBe(true);
  });

  test("with the rule null has derivative zero", () => {
    const count = defineVjp(
      primitive("count", (x: Tensor) => tensor(x.size)),
      null,
    );
    expectClose(gradient((x: Tensor) => count(x).mul(x).sum())(tensor([1, 1])), [2, 2]);
  });

  test("whose rule for a differentiated argument is left out is an error that names it, never a silent zero", () => {
    type Binary = readonly [Tensor, Tensor];
    const make = (rule: unknown) =>
      defineVjp(
        primitive("product", (a: Tensor, b: Tensor) => a.mul(b)),
        rule as null,
      );
    const product = make([(c: Tensor, _: Tensor, __: Tensor, b: Tensor) => c.mul(b)]);
    const both = () => gradient(([a, b]: Binary) => product(a, b).sum())([tensor([1]), tensor([2])]);
    expect(both).toThrow(MissingRuleError);
    expect(both).toThrow("no reverse rule for argument 1 of product, counted from 0: give one in defineVjp(product, [...]), or null");
    expect(() => gradient((a: Tensor) => make([])(a, a).sum())(tensor([1]))).toThrow("argument 0 of product");
    expectClose(gradient((a: Tensor) => product(a, tensor([2])).sum())(tensor([1])), [2]); // the other one is no variable
    const list = defineVjp(primitive("first", (all: readonly Tensor[], b: Tensor) => all[0]!.mul(b)), [undefined, () => undefined] as unknown as null); // prettier-ignore
    expect(() => gradient((a: Tensor) => list([a], a).sum())(tensor([1]))).toThrow("argument 0 of first");
    expect(() => make((c: Tensor) => c)).toThrow(OptionError);
    expect(() => make((c: Tensor) => c)).toThrow("defineVjp got function for product: give a list with a rule for each argument");
  });

  test("whose rule gives another type, or no tensor, is an error that names it", () => {
    const bad = (rule: unknown) =>
      defineVjp(primitive("bad", (x: Tensor) => x.mul(2)), [rule] as never); // prettier-ignore
    const run = (rule: unknown) => (): unknown => gradient((x: Tensor) => bad(rule)(x).sum())(tensor([1, 2]));
    expect(run((c: Tensor) => c.cast("float32"))).toThrow("the reverse rule of bad gave a cotangent of type float32 for an argument of type float64");
    for (const wrong of [1, null, "c"]) {
      expect(run(() => wrong)).toThrow(ShapeError);
      expect(run(() => wrong)).toThrow(`the reverse rule of bad gave ${String(wrong)} as a cotangent: return a tensor, or undefined for zero`);
    }
  });

  test("whose rule gives the wrong shape is an error that names it", () => {
    const bad = defineVjp(
      primitive("bad", (x: Tensor) => x.mul(2)),
      [(c) => c.sum()],
    );
    expect(() => gradient((x: Tensor) => bad(x).sum())(tensor([1, 2]))).toThrow(ShapeError);
    expect(() => gradient((x: Tensor) => bad(x).sum())(tensor([1, 2]))).toThrow(
      "the reverse rule of bad gave a cotangent of shape [] for an argument of shape [2]",
    );
  });

  test("that ignores an argument gives it no gradient", () => {
    const first = defineVjp(
      primitive("first", (x: Tensor, _: Tensor) => x.mul(1)),
      [(c) => c, () => undefined],
    );
    const slope = gradient(([a, b]: readonly [Tensor, Tensor]) => first(a, b).sum())([tensor([1]), tensor([2])]);
    expect(slope.map((g) => g.toArray())).toEqual([[1], [0]]);
  });
});

describe("a list that is changed after an operation read it does not change its derivative:", () => {
  type Step = (x: Tensor, i: number) => Tensor;
  const indices = [0];
  const ranges: [number, number][] = [[0, 1]];
  const axes = [0, 1];
  const options = { axis: [0] };
  const weights = [0];
  const list: Tensor[] = [];
  test.each<readonly [name: string, step: Step]>([
    ["indices", (x, i) => ((indices[0] = i), take(x, indices))],
    ["nested indices", (x, i) => ((indices[0] = i), gather(x, [indices, [0]], 1))],
    ["ranges", (x, i) => (ranges[0]!.splice(0, 2, i, i + 1), slice(x, ranges))],
    [
      "axes",
      (x, i) => (
        axes.splice(0, 2, i, 1 - i),
        x.transpose(axes).mul(
          tensor([
            [1, 2],
            [3, 4],
          ]),
        )
      ),
    ],
    ["options", (x, i) => ((options.axis[0] = i), x.sum(options).mul(tensor([1, 10])))],
    ["weights", (x, i) => ((weights[0] = i + 1), weightedSum(null, weights, [x]))],
    ["tensors, one more each time", (x, i) => (list.push(x.mul(i + 1)), stack(list))],
    ["tensors, others each time", (x, i) => ((list[0] = x.mul(i + 1)), concat(list))],
  ])("%s", (_, step) => {
    const x = tensor([
      [1, 2],
      [3, 4],
    ]);
    const total = (z: Tensor): Tensor => [0, 1].map((i) => step(z, i).sum()).reduce((a, b) => a.add(b));
    const slope = gradient(total)(x);
    list.length = 0;
    [0, 1].forEach((row) =>
      [0, 1].forEach((column) => {
        const along = tensor([0, 1].map((r) => [0, 1].map((c) => Number(r === row && c === column))));
        expect(slope.at(row).at(column).item()).toBe(jvp(total, x, along).tangent.item());
        list.length = 0;
      }),
    );
  });
});

describe("setChecks", () => {
  afterEach(() => setChecks(false));
  const changed = (enabled: boolean): (() => unknown) => {
    setChecks(enabled);
    const weight = tensor([2, 3]);
    const { pullback } = vjp((x: Tensor) => x.exp().mul(weight), tensor([0, 0]));
    weight.data[0] = 99;
    return () => pullback(tensor([1, 1]));
  };

  test("names a tensor that was changed behind the tape's back", () => {
    const run = changed(true);
    expect(run).toThrow(MutationError);
    expect(run).toThrow("a tensor of shape [2] made by tensor was changed after mul had used it: its gradient would be wrong");
  });

  test("takes true or false", () => {
    expect(() => setChecks("on" as unknown as boolean)).toThrow(OptionError);
  });

  test("passes what was not changed", () => {
    setChecks(true);
    const { pullback } = vjp((x: Tensor) => x.exp().mul(tensor([2, 3])), tensor([0, 0]));
    expectClose(pullback(tensor([1, 1])), [2, 3]);
    expectClose(gradient((x: Tensor) => checkpoint(cubed)(x).sum())(tensor([2])), [12]);
  });

  test("is off by default, and checks only what was recorded while it was on", () => {
    expect(changed(false)).not.toThrow();
    const weight = tensor([2]);
    const { pullback } = vjp(
      (x: Tensor) => {
        const y = x.mul(3);
        setChecks(true);
        return y.mul(weight);
      },
      tensor([1]),
    );
    expectClose(pullback(tensor([1])), [6]);
    weight.data[0] = 99;
    expect(() => pullback(tensor([1]))).toThrow(/was changed after mul/);
  });
});
