import { afterEach, describe, expect, test } from "vitest";
import { affine, full, logsumexp, scope, tensor, type Tensor } from "@dydt/tensor";
import { gradient, NonFiniteOperationError, setChecks } from "@dydt/autodiff";
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

  test("infinities that were put in are left alone", () => {
    setChecks(true);
    expectClose(logsumexp(tensor([-Infinity, 0])), 0);
    expect(tensor([Infinity]).mul(2).item()).toBe(Infinity);
    expect(tensor([1]).mul(Infinity).item()).toBe(Infinity);
  });

  test("off, which is the default, nothing is looked at", () => {
    expect(tensor([-1]).sqrt().item()).toBeNaN();
    expect(gradient((x: Tensor) => x.sqrt().sum())(tensor([0])).item()).toBe(Infinity);
  });
});
