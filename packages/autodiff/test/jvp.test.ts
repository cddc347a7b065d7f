import { describe, expect, test, vi } from "vitest";
import { cast, DtypeError, OptionError, primitive, ShapeError, tensor, where, greater, WatchedTensorError, type Tensor } from "@dydt/tensor";
import { checkGradients, defineJvp, defineVjp, gradient, jvp, MissingRuleError, taylor } from "@dydt/autodiff";
import { expectClose } from "../../../scripts/expect-close.js";

const cube = () => primitive("cube", (x: Tensor) => x.mul(x).mul(x));
const withVjp = () => defineVjp(cube(), [(g, _y, x) => g.mul(x.square().mul(3))]);

describe("jvp", () => {
  test("takes and gives trees", () => {
    const { value, tangent } = jvp(
      ({ a, list: [b] }: { readonly a: Tensor; readonly list: readonly [Tensor] }) => ({ product: a.mul(b), same: [a] as const }),
      { a: tensor([1, 2]), list: [tensor(3)] },
      { a: tensor([1, 0]), list: [tensor(10)] },
    );
    expectClose(value.product, [3, 6]);
    expectClose(tangent.product, [13, 20]);
    expectClose(tangent.same[0], [1, 0]);
  });

  test("of what does not depend on x is zero, of the right shape and type", () => {
    const { tangent } = jvp((x: Tensor) => [tensor([1, 2]), x.sign(), cast(greater(x, 0), "int32")] as const, tensor(3), tensor(1));
    expect(tangent.map((t) => [t.shape, t.dtype, t.sum().item()])).toEqual([[[2], "float64", 0], [[], "float64", 0], [[], "int32", 0]]); // prettier-ignore
  });

  test("is exact at the edges where reverse mode is: a branch that where did not take has no say", () => {
    const f = (x: Tensor): Tensor => where(greater(x, 0), x.sqrt(), 0);
    expect(jvp(f, tensor([4, 0, -1]), tensor([1, 1, 1])).tangent.toArray()).toEqual([0.25, 0, 0]);
    expect(jvp((x: Tensor) => x.sqrt(), tensor([0]), tensor([0])).tangent.toArray()).toEqual([0]);
  });

  test("refuses directions that do not fit, and what has no derivative", () => {
    const f = (x: Tensor): Tensor => x;
    expect(() => jvp(f, tensor([1, 2]), tensor([1]))).toThrow(ShapeError);
    expect(() => jvp(f, tensor([1, 2]), tensor([1]))).toThrow("jvp got a tangent of shape [1] for a tensor of shape [2]");
    expect(() => jvp(f, tensor([1]), tensor([1], { dtype: "float32" }))).toThrow("jvp got a tangent of type float32 for a tensor of type float64");
    expect(() => jvp(f, tensor([1], { dtype: "int32" }), tensor([1], { dtype: "int32" }))).toThrow(DtypeError);
    expect(() => jvp(f, { x: tensor(1) } as never, { y: tensor(1) } as never)).toThrow("x is missing");
  });

  test("refuses bare numbers of what it carries along, and asynchronous bodies", () => {
    expect(() => jvp((x: Tensor) => tensor(x.exp().data[0]!), tensor([1]), tensor([1]))).toThrow(WatchedTensorError);
    expect(() => jvp(async (x: Tensor) => Promise.resolve(x), tensor(1), tensor(1))).toThrow("the body returned a promise");
  });
});

describe("a primitive of one's own", () => {
  test("without a forward rule is an error that says which, and how to add it", () => {
    const own = withVjp();
    expect(() => jvp(own, tensor(2), tensor(1))).toThrow(MissingRuleError);
    expect(() => jvp(own, tensor(2), tensor(1))).toThrow("no forward rule for cube: call defineJvp(cube, ...) where the primitive is made");
    expect(() => gradient((x: Tensor) => cube()(x))(tensor(2))).toThrow("no reverse rule for cube: call defineVjp(cube, ...)");
    expectClose(jvp((x: Tensor) => own(tensor(2)).mul(x), tensor(1), tensor(1)).tangent, 8); // not reached by a derivative
  });

  test("without one for an argument that moves names it, in Taylor mode too", () => {
    const product = defineJvp(
      primitive("product", (a: Tensor, b: Tensor) => a.mul(b)),
      ["linear"] as unknown as null,
    );
    expect(jvp((a: Tensor) => product(a, tensor(3)), tensor(2), tensor(1)).tangent.item()).toBe(3);
    const missing = "no forward rule for argument 1 of product, counted from 0: give one in defineJvp(product, [...]), or null";
    expect(() => jvp((a: Tensor) => product(a, a), tensor(2), tensor(1))).toThrow(MissingRuleError);
    expect(() => jvp((a: Tensor) => product(a, a), tensor(2), tensor(1))).toThrow(missing);
    const warn = vi.spyOn(console, "warn").mockReturnValue();
    expect(() => taylor((a: Tensor) => product(tensor(3), a), tensor(2), [tensor(1)])).toThrow(missing);
    warn.mockRestore();
    expect(() => defineJvp(product, "linear" as unknown as null)).toThrow(OptionError);
  });

  test("has one by defineJvp, which the check compares with the reverse rule", () => {
    const own = defineJvp(withVjp(), [(t, _y, x) => t.mul(x.square().mul(3))]);
    expectClose(jvp(own, tensor(2), tensor(1)).tangent, 12);
    expectClose(jvp((x: Tensor) => jvp(own, x, tensor(1)).tangent, tensor(2), tensor(1)).tangent, 12);
    expect(checkGradients((x: Tensor) => own(x).sum(), tensor([1, 2]), { order: 2 }).passed).toBe(true);
    const wrong = defineJvp(withVjp(), [(t, _y, x) => t.mul(x.square().mul(3.001))]);
    const report = checkGradients((x: Tensor) => wrong(x).sum(), tensor([1, 2]), { tolerance: 1 });
    expect(report.passed).toBe(false);
    expect(report.toString()).toMatch(/forward and reverse mode differ by \d\.\de-[34]/);
  });

  test("is linear where it says so, in a list too; constant where null", () => {
    const blend = defineJvp(
      primitive("blend", (list: readonly Tensor[], weight: Tensor, _name: string) => list.reduce((sum, x) => sum.add(x)).mul(weight)),
      ["linear", "linear", null],
    );
    const f = ([a, b, w]: readonly [Tensor, Tensor, Tensor]): Tensor => blend([a, tensor(5), b], w, "x");
    expectClose(jvp(f, [tensor(1), tensor(2), tensor(3)], [tensor(10), tensor(0), tensor(1)]).tangent, 38);
    expectClose(taylor(f, [tensor(1), tensor(2), tensor(3)], [[tensor(10), tensor(0), tensor(1)], [tensor(0), tensor(0), tensor(0)]]).coefficients[1]!, 10); // prettier-ignore
    expect(jvp((x: Tensor) => defineJvp(cube(), null)(x), tensor(2), tensor(1)).tangent.item()).toBe(0);
  });

  test("with a rule whose parts fit in their sum alone is found out", () => {
    const product = (rule: unknown) =>
      defineJvp(primitive("product", (x: Tensor, y: Tensor) => x.mul(y)), [rule, "linear"] as never); // prettier-ignore
    const run = (rule: unknown) => (): Tensor => jvp((x: Tensor) => product(rule)(x, x), tensor([1, 2]), tensor([1, 1])).tangent;
    expectClose(run("linear")(), [2, 4]);
    const message = "the forward rule of product gave a tangent of shape [] and type float64 for an output of shape [2] and type float64";
    expect(run((t: Tensor) => t.sum())).toThrow(message);
    expect(run((t: Tensor) => t.sum())).toThrow(ShapeError);
    expect(run(() => 1)).toThrow("the forward rule of product gave 1 for an output of shape [2]");
  });

  test("with a rule of the wrong shape or type is found out", () => {
    const wrong = defineJvp(cube(), [(t) => t.reshape([1])]);
    expect(() => jvp(wrong, tensor(2), tensor(1))).toThrow("the forward rule of cube gave a tangent of shape [1] and type float64 for an output of shape [] and type float64"); // prettier-ignore
  });

  test("without a forward rule is checked in reverse alone, and the report says so", () => {
    const own = withVjp();
    const report = checkGradients((x: Tensor) => own(x).sum(), tensor([1, 2]), { order: 2 });
    expect(report.passed).toBe(true);
    expect(report.notes).toEqual([
      "forward mode was not compared: no forward rule for cube: call defineJvp(cube, ...) where the primitive is made",
      "forward mode over reverse mode was not compared: no forward rule for cube: call defineJvp(cube, ...) where the primitive is made",
    ]);
    expect(report.toString()).toContain("forward none");
  });

  test("is checked at each place of the differences once, with one gradient for all directions", () => {
    let calls = 0;
    const f = (x: Tensor): Tensor => (calls++, x.sin().sum());
    expect(checkGradients(f, tensor([1, 2]), { directions: 3 }).passed).toBe(true);
    expect(calls).toBe(1 + 3 * (2 * 8 + 1)); // steps h, 2 h, …, 128 h on both sides, and a tangent
  });
});
