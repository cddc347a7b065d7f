import { afterEach, describe, expect, test } from "vitest";
import { affine, full, logsumexp, scope, tensor, zerosLike, type Tensor } from "@dydt/tensor";
import { checkpoint, custom, gradient, hessianVectorProduct, jvp, NonFiniteOperationError, setChecks, taylor } from "@dydt/autodiff";
import { expectClose } from "../../../scripts/expect-close.js";

const failure = (run: () => unknown): NonFiniteOperationError => {
  try {
    run();
  } catch (error) {
    if (error instanceof NonFiniteOperationError) return error;
    throw error;
  }
  throw new Error("nothing was found");
};

describe("with the checks on", () => {
  afterEach(() => setChecks(false));

  test("the operation that makes the first NaN is named, with its shapes and the line that called it", () => {
    setChecks(true);
    const error = failure(() => tensor([[1, -1]]).sqrt().mul(2)); // prettier-ignore
    expect(error.op).toBe("sqrt");
    expect(error.message).toMatch(
      /^sqrt made NaN at element 1 of shape \[1, 2\] of finite arguments of shapes \[1, 2\], at .*debugging\.test\.ts:\d+/,
    );
    expect(error.where).toContain("debugging.test.ts");
  });

  test("so it is inside scope, gradient and a fused layer", () => {
    setChecks(true);
    expect(failure(() => scope(() => tensor([1e300]).exp())).op).toBe("exp");
    expect(failure(() => gradient((x: Tensor) => x.div(0).sum())(tensor([1]))).op).toBe("div");
    expect(failure(() => affine(full([1, 1], 1e300), full([1, 1], 1e300), tensor([0]))).op).toBe("affine");
  });

  test("a reverse rule that makes an infinity is named with the line that applied the operation", () => {
    setChecks(true);
    const run = gradient((x: Tensor) => {
      const root = x.sqrt(); // finite, with an infinite slope
      return root.sum();
    });
    const error = failure(() => run(tensor([4, 0])));
    expect(error.op).toBe("sqrt");
    expect(error.message).toContain("the reverse rule of sqrt made a cotangent that is not finite");
    expect(error.where).toContain("debugging.test.ts");
  });

  test("so it is where the rule is made of the operation itself", () => {
    setChecks(true);
    for (const [op, f, at] of [
      ["pow", (x: Tensor) => x.pow(0.5), [0, 1]],
      ["div", (x: Tensor) => tensor(1).div(x), [1e-200]],
    ] as const) {
      const error = failure(() => gradient((x: Tensor) => f(x).sum())(tensor(at)));
      expect(error.op).toBe(op);
      expect(error.message).toContain(`the reverse rule of ${op} made a cotangent that is not finite (${op} made Infinity`);
      expect(error.where).toContain("debugging.test.ts");
    }
  });

  test("a line of the user is named, however deep in the library, in every mode", () => {
    setChecks(true);
    const at = tensor([0, 1]);
    const run = [
      () => jvp((x: Tensor) => x.sqrt(), at, tensor([1, 1])),
      () => hessianVectorProduct((x: Tensor) => x.sqrt().sum(), at, tensor([1, 1])),
      () => taylor((x: Tensor) => x.sqrt(), at, [tensor([1, 1]), zerosLike(at)]),
      () => [0].map(() => tensor([1e300]).exp()),
      () => gradient((x: Tensor) => checkpoint((y: Tensor) => checkpoint((z: Tensor) => z.sqrt())(y))(x).sum())(at),
    ];
    const usual = Error.stackTraceLimit;
    for (const one of run) {
      const { where, message } = failure(one);
      expect(where).toMatch(/debugging\.test\.ts:\d+/);
      expect(message).not.toContain("unknown line");
    }
    expect(Error.stackTraceLimit).toBe(usual);
  });

  test("a custom pullback that returns NaN is named, unless NaN came in", () => {
    setChecks(true);
    const spoiled = (x: Tensor): Tensor => custom(x, () => ({ outputs: x.mul(2), pullback: () => tensor([NaN, 1]) }));
    const error = failure(() => gradient((x: Tensor) => spoiled(x).sum())(tensor([1, 2])));
    expect(error.op).toBe("custom");
    expect(error.message).toMatch(/^the reverse rule of custom made a cotangent with NaN at element 0 of shape \[2\]; .*debugging\.test\.ts:\d+/);
    const put = gradient((x: Tensor) => custom(x, () => ({ outputs: x.mul(2), pullback: (c: Tensor) => c.mul(2) })).mul(NaN).sum()); // prettier-ignore
    expect(put(tensor([1, 2])).toArray()).toEqual([NaN, NaN]);
  });

  test("infinities that were put in are left alone", () => {
    setChecks(true);
    expectClose(logsumexp(tensor([-Infinity, 0])), 0);
    expect(tensor([Infinity]).mul(2).item()).toBe(Infinity);
    expect(tensor([1]).mul(Infinity).item()).toBe(Infinity);
    expect(
      gradient((x: Tensor) =>
        x
          .mul(Infinity)
          .add(x.mul(tensor([NaN])))
          .sum(),
      )(tensor([1])).item(),
    ).toBeNaN();
  });

  test("off, which is the default, nothing is looked at", () => {
    expect(tensor([-1]).sqrt().item()).toBeNaN();
    expect(gradient((x: Tensor) => x.sqrt().sum())(tensor([0])).item()).toBe(Infinity);
  });
});
