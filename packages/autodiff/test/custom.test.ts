import { describe, expect, test } from "vitest";
import {
  activeRecorders,
  argMax,
  AsynchronousBodyError,
  DtypeError,
  OptionError,
  random,
  scatterAdd,
  ShapeError,
  tensor,
  unflatten,
  zeros,
  type Tensor,
} from "@dydt/tensor";
import { checkGradients, checkpoint, custom, gradient, jvp, node, SecondDerivativeError, UndeclaredInputError, vjp } from "@dydt/autodiff";
import { expectClose } from "../../../scripts/expect-close.js";

const at = tensor([0.4, -0.9]);
/** x², as a node of its own. */
const square = (x: Tensor): Tensor => custom(x, () => ({ outputs: x.mul(x), pullback: (cotangent: Tensor) => cotangent.mul(x).mul(2) }));

describe("custom", () => {
  test("uses the pullback it is given", () => {
    expectClose(gradient((x: Tensor) => square(x).mul(3).sum())(at), at.mul(6));
    const reversed = (x: Tensor): Tensor => custom(x, () => ({ outputs: x.mul(1), pullback: (cotangent: Tensor) => cotangent.neg() }));
    expectClose(gradient((x: Tensor) => reversed(x).mul(2).sum())(at), [-2, -2]);
  });

  test("may make its pullback with vjp", () => {
    const f = (x: Tensor): Tensor =>
      custom(x, () => {
        const { value, pullback } = vjp((y: Tensor) => y.exp().mul(y), x);
        return { outputs: value, pullback };
      });
    expectClose(gradient((x: Tensor) => f(x.mul(2)).sum())(at), gradient((x: Tensor) => x.mul(2).exp().mul(x.mul(2)).sum())(at));
  });

  test("takes trees in and gives trees out; outputs that nobody uses have cotangent zero", () => {
    const inputs = { a: tensor([2]), b: tensor([3]) };
    const seen: unknown[] = [];
    const f = (p: typeof inputs): { readonly product: Tensor; readonly sum: Tensor } =>
      custom(p, () => ({
        outputs: { product: p.a.mul(p.b), sum: p.a.add(p.b) },
        pullback: (cotangent) => {
          seen.push(cotangent.sum.toArray());
          return { b: cotangent.product.mul(p.a).add(cotangent.sum), a: cotangent.product.mul(p.b).add(cotangent.sum) };
        },
      }));
    const slope = gradient((p: typeof inputs) => f(p).product.sum())(inputs);
    expectClose(slope.a, [3]);
    expectClose(slope.b, [2]);
    expect(seen).toEqual([[0]]);
    expect(checkGradients((p: typeof inputs) => f(p).product.add(f(p).sum).square().sum(), inputs).passed).toBe(true);
  });

  test("runs plainly when nobody watches", () => {
    expectClose(square(at), [0.16, 0.81]);
    expect(activeRecorders()).toEqual([]);
  });

  test("a differentiated tensor that was not declared is an error, however it is read", () => {
    const w = tensor([2, 3]);
    const sneaky = [
      (x: Tensor, p: Tensor) => custom(x, () => ({ outputs: x.mul(p), pullback: (c: Tensor) => c })),
      (x: Tensor, p: Tensor) => custom(x, () => ({ outputs: p, pullback: (c: Tensor) => c })),
      (x: Tensor, p: Tensor) =>
        custom(x, () => ({ outputs: custom(x, () => ({ outputs: x.mul(p), pullback: (c: Tensor) => c })), pullback: (c: Tensor) => c })),
    ];
    for (const f of sneaky) {
      const run = (): unknown => gradient((p: Tensor) => f(at, p).sum())(w);
      expect(run).toThrow(UndeclaredInputError);
      expect(run).toThrow("that is not among its inputs: declare it, or its gradient would be zero");
    }
  });

  test("the numbers of its inputs cannot be read inside without saying so", () => {
    const reading = (x: Tensor): Tensor => custom(x, () => ({ outputs: tensor(x.exp().toArray() as number[]), pullback: (c: Tensor) => c }));
    expect(() => gradient((x: Tensor) => reading(x).sum())(at)).toThrow(/toArray\(\) of a tensor of shape \[2\] made by exp was read/);
  });

  test("a second derivative is an error, never zero", () => {
    const second = (f: (x: Tensor) => Tensor) => (): unknown => gradient((x: Tensor) => gradient((y: Tensor) => f(y).sum())(x).sum())(at);
    expect(second(square)).toThrow(SecondDerivativeError);
    expect(second((x) => square(x.mul(2)))).toThrow("custom can be differentiated only once");
    expect(activeRecorders()).toEqual([]);
    expectClose(
      gradient((x: Tensor) =>
        gradient((y: Tensor) => square(at).mul(y).sum())(x)
          .mul(x)
          .sum(),
      )(at),
      square(at),
    ); // constant there
  });

  test("nobody watches its pullback, not even somebody further out", () => {
    const watchers: number[] = [];
    const observed = (x: Tensor): Tensor =>
      custom(x, () => ({ outputs: x.mul(1), pullback: (cotangent: Tensor) => (watchers.push(activeRecorders().length), cotangent) }));
    gradient((w: Tensor) =>
      gradient((x: Tensor) => observed(x).sum())(at)
        .mul(w)
        .sum(),
    )(at);
    expect(watchers).toEqual([0]);
  });

  test("an output that is one of the inputs keeps both derivatives apart", () => {
    const passing = (x: Tensor): Tensor => custom(x, () => ({ outputs: x, pullback: (cotangent: Tensor) => cotangent.mul(10) }));
    expectClose(gradient((x: Tensor) => passing(x).add(x).sum())(at), [11, 11]);
  });
});

describe("what a custom node is given and returns is looked at", () => {
  const tripled = (pullback: (c: Tensor) => unknown) => (x: Tensor) => custom(x, () => ({ outputs: x.mul(3), pullback: pullback as (c: Tensor) => Tensor })); // prettier-ignore
  const slope = (f: (x: Tensor) => Tensor) => (): Tensor => gradient((x: Tensor) => f(x).sum())(at);

  test.each([Infinity, -Infinity, NaN])("an output of %d that nobody uses does not touch the gradient", (value) => {
    const f = (x: Tensor): Tensor => {
      const [a] = custom([x], () => ({
        outputs: [x.mul(3), x.mul(0).add(value)] as readonly Tensor[],
        pullback: ([first, second]) => [first!.mul(3).add(second!)],
      }));
      return a!;
    };
    expectClose(slope(f)(), [3, 3]);
  });

  test("a cotangent of another shape or type is an error that names the node", () => {
    expect(slope(tripled((c) => c.sum()))).toThrow(ShapeError);
    expect(slope((x) => tripled((c) => c.sum())(x).add(x))).toThrow(
      "the reverse rule of custom gave a cotangent of shape [] for an argument of shape [2]",
    );
    expect(slope(tripled((c) => c.cast("float32")))).toThrow(DtypeError);
    expect(slope(tripled((c) => c.cast("float32")))).toThrow(
      "the reverse rule of custom gave a cotangent of type float32 for an argument of type float64",
    );
  });

  test("so is what is no tree of cotangents", () => {
    for (const [wrong, message] of [
      [undefined, "undefined at its root"],
      [3, "a number at its root"],
      [[at], "a list at its root"],
    ] as const) {
      expect(slope(tripled(() => wrong))).toThrow(ShapeError);
      expect(slope(tripled(() => wrong))).toThrow(`the pullback of custom must return cotangents of the form of its inputs, zerosLike(x) where there is none, but a tree of tensors holds ${message}`); // prettier-ignore
    }
    expect(slope(tripled(async (c) => Promise.resolve(c)))).toThrow(AsynchronousBodyError);
  });

  test("a forward without outputs or a pullback is refused, watched or not", () => {
    const wrong = [() => undefined, () => null, () => 3, () => ({ outputs: at }), () => ({ pullback: () => at }), "forward"] as never[];
    for (const forward of wrong) {
      expect(() => custom(at, forward)).toThrow(OptionError);
      expect(slope((x) => custom(x, forward))).toThrow(/^custom(\(| needs a forward that returns \{ outputs, pullback \})/);
    }
    expect(() => custom(at, (async () => Promise.resolve({ outputs: at, pullback: () => at })) as never)).toThrow(AsynchronousBodyError);
  });

  test("integers and masks go in and out without derivatives", () => {
    const i = tensor([1, 1], { dtype: "int32" });
    const taken = (x: Tensor): Tensor => {
      const { picked, place } = custom({ x, i }, () => ({
        outputs: { picked: x.take(i), place: argMax(x) },
        pullback: ({ picked: c }) => ({ x: scatterAdd(zeros([2]), i, c, 0), i }),
      }));
      expect(place.toArray()).toBe(0);
      return picked.add(x.take(place));
    };
    expectClose(slope(taken)(), [2, 2]);
  });

  test("a constant that is an output stays a constant for its owner, and serves two nodes", () => {
    const held = tensor([5, 6]);
    const through = (x: Tensor): Tensor => custom(x, () => ({ outputs: held, pullback: (c: Tensor) => c }));
    const f = (x: Tensor): Tensor => {
      const sum = through(x)
        .mul(2)
        .add(through(x.mul(10)).mul(3));
      expect(held.toArray()).toEqual([5, 6]);
      return sum;
    };
    expectClose(slope(f)(), [32, 32]);
    expectClose(slope((x) => through(x).mul(through(x.mul(10))))(), [55, 66]);
  });

  test("one tensor as two outputs is two, each with its cotangent", () => {
    const f = (x: Tensor): Tensor => {
      const [a, b] = custom([x], () => {
        const y = x.mul(1);
        return { outputs: [y, y] as readonly Tensor[], pullback: ([first, second]) => [first!.add(second!.mul(10))] };
      });
      return a!.mul(3).add(b!.mul(5));
    };
    expectClose(slope(f)(), [53, 53]);
  });

  test("a second derivative says what to do for this node", () => {
    const twice = (): unknown => gradient((x: Tensor) => gradient((y: Tensor) => square(y).sum())(x).sum())(at);
    expect(twice).toThrow("give a primitive its rules with defineVjp and defineJvp");
    expect(twice).not.toThrow("directAdjoint");
    expect(() => gradient((x: Tensor) => jvp(square, x, at).tangent.sum())(at)).toThrow("give a primitive its rules with defineVjp and defineJvp");
    const other = (x: Tensor): Tensor => node("other", [x], () => ({ outputs: [x.mul(1)], pullback: ([c]) => [c] }))[0]!;
    expect(() => gradient((x: Tensor) => gradient((y: Tensor) => other(y).mul(x).sum())(x).sum())(at)).toThrow(
      /^other can be differentiated only once: its reverse pass is not recorded\. For second derivatives use jvp of gradient, as hessianVectorProduct does$/,
    );
  });
});

describe("node", () => {
  test("finds a watched tensor that a closure captures inside two nested nodes", () => {
    const w = random(1).normal([2]);
    const level = (body: () => Tensor): Tensor => checkpoint(body)();
    const f = (p: Tensor): Tensor => level(() => level(() => at.mul(p).sin())).sum();
    expectClose(gradient(f)(w), at.mul(at.mul(w).cos()));
    const wrapped = (p: Tensor): Tensor =>
      unflatten(
        at,
        node("outer", [], () => {
          const forward = (q: readonly Tensor[]): Tensor => level(() => level(() => q[0]!.mul(at).exp()));
          let reverse: ((c: Tensor) => readonly Tensor[]) | undefined;
          return {
            outputs: [forward([p])],
            pullback: ([c], captured) => {
              expect(captured).toHaveLength(1);
              reverse = vjp(forward, captured).pullback;
              return reverse(c!);
            },
          };
        }),
      ).sum();
    expectClose(gradient(wrapped)(w), at.mul(at.mul(w).exp()));
  });

  test("a custom node inside a checkpoint inside the body of another custom node's user", () => {
    const f = (x: Tensor): Tensor => square(checkpoint((y: Tensor) => square(y.sin()).add(y))(square(x)));
    const plain = (x: Tensor): Tensor => x.square().sin().square().add(x.square()).square();
    expectClose(gradient((x: Tensor) => f(x).sum())(at), gradient((x: Tensor) => plain(x).sum())(at), { rtol: 1e-13 });
  });
});

describe("bodies that return promises or iterators are refused everywhere", () => {
  test("in a checkpoint, watched or not", () => {
    const later = checkpoint(async (x: Tensor) => Promise.resolve(x)) as unknown as (x: Tensor) => Tensor;
    expect(() => later(at)).toThrow(AsynchronousBodyError);
    expect(() => gradient((x: Tensor) => later(x).sum())(at)).toThrow(AsynchronousBodyError);
    expect(activeRecorders()).toEqual([]);
  });
});
