import { describe, expect, test } from "vitest";
import { OptionError, stopGradient, tensor, type Tensor } from "@dydt/tensor";
import { checkGradients, checkpoint, type GradientCheckOptions } from "@dydt/autodiff";

describe("a right gradient that is zero to rounding passes, and the notes say how far it was compared:", () => {
  test.each<readonly [string, (x: Tensor) => Tensor]>([
    ["x²/x, in second order", (x) => x.mul(x).div(x).sum()],
    ["sin² + cos²", (x) => x.sin().square().add(x.cos().square()).sum()],
    ["3x²/x − 3x, where f itself cancels", (x) => x.square().mul(3).div(x).sub(x.mul(3)).sum()],
    ["Σ softmax", (x) => x.softmax().sum()],
    ["ln eˣ − x", (x) => x.exp().log().sub(x).sum()],
  ])("%s", (_, f) => {
    for (const dtype of ["float64", "float32"] as const)
      for (const seed of [0, 1]) {
        const report = checkGradients(f, tensor([1.1, 2.3], { dtype }), { order: 2, directions: 2, seed });
        expect(report.passed, report.toString()).toBe(true);
        expect(report.toString()).toContain("no more differs than rounding");
      }
  });

  test("exactly zero, there is nothing to note", () => {
    const report = checkGradients((x: Tensor) => x.sub(x).sum(), tensor([1.1]), { order: 2 });
    expect([report.passed, report.notes]).toEqual([true, []]);
  });
});

describe("a wrong gradient fails, however small:", () => {
  const lost = (x: Tensor, factor: number): Tensor => stopGradient(x.mul(factor));
  test.each<readonly [string, (x: Tensor) => Tensor]>([
    ["all of it lost", (x) => stopGradient(x).sum()],
    ["half of it lost", (x) => x.mul(stopGradient(x)).sum()],
    ["a millionth of it lost", (x) => x.add(lost(x, 1e-6)).sum()],
    ["a millionth of it lost beside a zero derivative", (x) => x.sin().square().add(x.cos().square()).add(lost(x, 1e-6)).sum()],
    ["a thousandth lost of a slope of 1e-6 beside a large value", (x) => x.mul(1e-6).add(lost(x, 1e-9)).sum().add(1)],
    [
      "some lost on a kink",
      (x) =>
        x
          .sub(tensor([1.1, 2.3]))
          .relu()
          .add(lost(x, 0.01))
          .sum(),
    ],
    [
      "some lost very near a kink",
      (x) =>
        x
          .sub(tensor([1.1, 2.3 + 1e-9]))
          .relu()
          .add(lost(x, 0.01))
          .sum(),
    ],
  ])("%s", (_, f) => expect(checkGradients(f, tensor([1.1, 2.3])).passed).toBe(false));
});

describe("the step follows the function: a right gradient passes, and one that is wrong by 1e-4 fails, where f", () => {
  const single = (x: Tensor, f: (y: Tensor) => Tensor): Tensor => f(x.cast("float32")).cast("float64").sum();
  test.each<readonly [string, (x: Tensor) => Tensor, number]>([
    ["changes within 3e-4 of x", (x) => x.mul(3000).sin().sum(), 1],
    ["changes within 3e-5 of x", (x) => x.mul(30000).sin().sum(), 1],
    ["ends 1e-5 away", (x) => x.log().sum(), 1e-5],
    ["is computed of large numbers", (x) => x.square().sum(), 1e8],
    ["rounds to float32 inside", (x) => single(x, (y) => y.exp()), 1],
    ["rounds to float32 inside a node", (x) => single(x, (y) => checkpoint((z: Tensor) => z.tanh().mul(z))(y)), 1],
  ])("%s", (_, f, size) => {
    for (const seed of [0, 1, 2]) {
      const at = tensor([0.83 * size, 1.31 * size]);
      const right = checkGradients(f, at, { seed });
      expect(right.passed, right.toString()).toBe(true);
      const wrong = (x: Tensor): Tensor => f(x).mul(1 - 1e-4).add(stopGradient(f(x)).mul(1e-4)); // prettier-ignore
      expect(checkGradients(wrong, at, { seed }).passed).toBe(false);
    }
  });

  test("the notes say where float32 is the limit", () => {
    expect(checkGradients((x: Tensor) => single(x, (y) => y.exp()), tensor([0.3])).toString()).toContain("f computes in float32 inside");
    expect(checkGradients((x: Tensor) => x.mul(tensor([2], { dtype: "float32" }).square().cast("float64")).sum(), tensor([0.3])).notes).toEqual([]);
  });
});

test.each([{ foo: 1 }, { order: 3 }, { directions: 0 }, { directions: 1.5 }, 4])("checkGradients refuses the options %j", (options) => {
  const check = () => checkGradients((x: Tensor) => x.sum(), tensor([1]), options as GradientCheckOptions);
  expect(check).toThrow(OptionError);
});
