import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { affine, beginEpoch, cast, DtypeError, endEpoch, greater, isWatched, primitive, random, recordingWith, ShapeError, stack, sum, tensor, WatchedTensorError, zerosLike, type FusedActivation, type Recorder, type Tensor } from "@dydt/tensor"; // prettier-ignore
import { checkGradients, checkpoint, custom, defineJvp, gradient, jvp, MissingRuleError, pushforward, root, taylor, vjp } from "@dydt/autodiff";
import { expectClose } from "../../../scripts/expect-close.js";

/** The operations that are computed, in order. */
const operations = (run: () => unknown): readonly string[] => {
  const seen: string[] = [];
  const counter: Recorder = { epoch: beginEpoch(), retains: false, watches: () => false, record: ({ op }) => void seen.push(op) };
  recordingWith([counter], run);
  endEpoch(counter.epoch);
  return seen;
};
const countOf = (run: () => unknown, op?: string): number => operations(run).filter((one) => op === undefined || one === op).length;

/** A network 3 - 4 - 4 - 3. */
const network = (activation: FusedActivation, dtype: "float64" | "float32" = "float64") => {
  const layers = [[3, 4], [4, 4], [4, 3]].map(([inputs, outputs], i) => ({ w: random(i).normal([inputs!, outputs!], { dtype }), b: random(9 + i).normal([outputs!], { dtype }) })); // prettier-ignore
  return (x: Tensor): Tensor => layers.reduce((y, { w, b }) => affine(y, w, b, activation), x);
};
const unitsOf3 = [0, 1, 2].map((axis) => tensor([0, 1, 2].map((i) => (i === axis ? 1 : 0))));

describe("pushforward", () => {
  test.each(["tanh", "sigmoid", "softplus", "relu", "identity"] as const)(
    "gives the bits of as many calls of jvp through layers of %s",
    (activation) => {
      fc.assert(
        fc.property(fc.constantFrom("float64" as const, "float32" as const), fc.integer({ min: 0, max: 5 }), fc.nat(), (dtype, count, seed) => {
          const f = network(activation, dtype);
          const x = random(seed).normal([2, 3], { dtype });
          const directions = Array.from({ length: count }, (_, j) => random(seed + j + 1).normal([2, 3], { dtype }));
          const { value, tangents } = pushforward(f, x, directions);
          expect(value.data).toEqual(f(x).data);
          expect(tangents).toEqual(directions.map((v) => jvp(f, x, v).tangent));
        }),
        { numRuns: 20 },
      );
    },
  );

  test("takes and gives trees", () => {
    const { value, tangents } = pushforward(
      ({ a, list: [b] }: { readonly a: Tensor; readonly list: readonly [Tensor] }) => ({ product: a.mul(b), same: [a] as const }),
      { a: tensor([1, 2]), list: [tensor(3)] },
      [
        { a: tensor([1, 0]), list: [tensor(10)] },
        { a: tensor([0, 1]), list: [tensor(0)] },
      ],
    );
    const [first, second] = tangents;
    expectClose(value.product, [3, 6]);
    expectClose(stack([first.product, second.product]), [[13, 20], [0, 3]]); // prettier-ignore
    expectClose(stack([first.same[0], second.same[0]]), [[1, 0], [0, 1]]); // prettier-ignore
  });

  test("without directions evaluates the function, and nobody watches", () => {
    const { value, tangents } = pushforward((x: Tensor) => (expect(isWatched(x)).toBe(false), x.exp()), tensor([0, 1]), []);
    expect(value.data).toEqual(tensor([0, 1]).exp().data);
    expect(tangents).toEqual([]);
  });

  test("of what does not depend on x is zero, of the right shape and type, in every direction", () => {
    const { tangents } = pushforward((x: Tensor) => [tensor([1, 2]), x.sign(), cast(greater(x, 0), "int32")] as const, tensor(3), [
      tensor(1),
      tensor(2),
    ]);
    for (const tangent of tangents)
      expect(tangent.map((t) => [t.shape, t.dtype, sum(t).item()])).toEqual([[[2], "float64", 0], [[], "float64", 0], [[], "int32", 0]]); // prettier-ignore
  });

  test("refuses the directions that jvp refuses, whichever of them it is", () => {
    const f = (x: Tensor): Tensor => x;
    const [x, fits] = [tensor([1, 2]), tensor([1, 0])];
    for (const wrong of [[tensor([1]), fits], [fits, tensor([1])]]) {
      expect(() => pushforward(f, x, wrong)).toThrow(ShapeError);
      expect(() => pushforward(f, x, wrong)).toThrow("pushforward got a tangent of shape [1] for a tensor of shape [2]");
    }
    expect(() => pushforward(f, x, [fits, cast(fits, "float32")])).toThrow("pushforward got a tangent of type float32 for a tensor of type float64");
    expect(() => pushforward(f, cast(x, "int32"), [cast(x, "int32")])).toThrow(DtypeError);
    expect(() => pushforward(f, { x } as never, [{ x: fits }, { y: fits }] as never)).toThrow("x is missing");
    expect(() => pushforward((y: Tensor) => tensor(y.exp().data[0]!), x, [fits, fits])).toThrow(WatchedTensorError);
    expect(() => pushforward(async (y: Tensor) => Promise.resolve(y), x, [fits])).toThrow("the body returned a promise");
    expect(() => pushforward(primitive("unknown", (y: Tensor) => y.mul(2)), x, [fits, fits])).toThrow(MissingRuleError);
  }); // prettier-ignore

  test("follows each direction by itself where a rule says that one of them does not go on", () => {
    const rectified = defineJvp(
      primitive("rectified", (x: Tensor) => x.relu()),
      [(t) => (t.sum().item() < 0 ? undefined : t)],
    );
    const pairs = defineJvp(
      primitive("pairs", (list: readonly Tensor[]) => stack(list)),
      ["linear"],
    );
    const f = (x: Tensor): Tensor => pairs([rectified(x), tensor([5, 5]), rectified(x).mul(2)]).mul(3);
    const { tangents } = pushforward(f, tensor([1, 2]), [tensor([1, 1]), tensor([-1, -1])]);
    expectClose(tangents[0], [[3, 3], [0, 0], [6, 6]]); // prettier-ignore
    expectClose(tangents[1], [[0, 0], [0, 0], [0, 0]]); // prettier-ignore
  });
});

describe("the cost of several directions", () => {
  const along = (count: number): readonly Tensor[] => Array.from({ length: count }, (_, j) => random(j).normal([2, 3]));
  const x = random(30).normal([2, 3]);

  test("is that of the value once, and of the tangents for each", () => {
    const f = (at: Tensor): Tensor => at.mul(2).reshape([3, 2]).mul(at.transpose()).sum({ axis: 0 }).exp();
    const value = countOf(() => f(x));
    const counts = [0, 1, 2, 5].map((count) => countOf(() => pushforward(f, x, along(count))));
    const [none, one, two, five] = counts as [number, number, number, number];
    expect(none).toBeLessThanOrEqual(value + 3); // x under a new header, and the result copied out
    expect(two - one).toBe(one - none);
    expect(five - none).toBe(5 * (one - none));
    expect(2 * countOf(() => jvp(f, x, x)) - two).toBeGreaterThanOrEqual(value);
  });

  test("has each slope once, where the rule is a product with it", () => {
    for (const [f, slope] of [
      [(at: Tensor) => at.sin(), "cos"],
      [(at: Tensor) => at.softplus(), "sigmoid"],
      [(at: Tensor) => at.abs(), "sign"],
      [(at: Tensor) => at.erf(), "exp"],
      [network("softplus"), "expm1"],
      [(at: Tensor) => at.pow(2.5), "pow"],
    ] as const) {
      // prettier-ignore
      const before = countOf(() => f(x), slope);
      const slopes = [1, 4].map((count) => countOf(() => pushforward(f, x, along(count)), slope) - before);
      expect(slopes[0]).toBeGreaterThan(0);
      expect([slope, slopes[1]]).toEqual([slope, slopes[0]]);
    }
  });

  test("is one evaluation of a function for all of them, and one for each that runs alone", () => {
    let times = 0;
    const f = (at: Tensor): Tensor => (times++, at.sin());
    pushforward(f, x, along(7));
    expect(times).toBe(1);
  });

  test("has the slope once in Taylor mode too, whatever the order", () => {
    const moved = (order: number): number => countOf(() => taylor((at: Tensor) => at.relu(), x, along(order)), "step");
    expect([1, 2, 6].map(moved)).toEqual([1, 1, 1]);
  });
});

describe("several directions inside other modes", () => {
  /** The divergence of a field at each of its rows. */
  const divergence = (f: (x: Tensor) => Tensor, x: Tensor): Tensor => {
    const { tangents } = pushforward(f, x, unitsOf3.map((unit) => unit.broadcastTo(x.shape))); // prettier-ignore
    return tangents.map((tangent, i) => tangent.slice([null, [i, i + 1]])).reduce((total, part) => total.add(part));
  };
  const byJvp = (f: (x: Tensor) => Tensor, x: Tensor): Tensor =>
    unitsOf3.map((unit, i) => jvp(f, x, unit.broadcastTo(x.shape)).tangent.slice([null, [i, i + 1]])).reduce((total, part) => total.add(part));
  const x = random(40).normal([2, 3]);
  const v = random(41).normal([2, 3]);

  test.each(["tanh", "softplus"] as const)("an outer tape differentiates the tangents with %s: twice, and in what f closes over", (activation) => {
    const f = network(activation);
    const scalar = (at: Tensor): Tensor => divergence(f, at).square().sum();
    expect(divergence(f, x)).toEqual(byJvp(f, x));
    expectClose(gradient(scalar)(x), gradient((at: Tensor) => byJvp(f, at).square().sum())(x), { rtol: 1e-12 });
    expect(checkGradients(scalar, x, { order: 2 }).passed).toBe(true);
    const inWeight = (w: Tensor): Tensor => divergence((at) => f(at.matmul(w)), x).sum();
    expect(checkGradients(inWeight, random(42).normal([3, 3]), { order: 2 }).passed).toBe(true);
  });

  test("the gradient in one direction leaves the others alone", () => {
    const f = network("tanh");
    const along = (which: 0 | 1) => gradient((w: Tensor) => pushforward(f, x, [w, v]).tangents[which].sum())(v);
    expectClose(along(0), vjp(f, x).pullback(zerosLike(x).add(1)), { rtol: 1e-13 });
    expectClose(along(1), zerosLike(x));
  });

  test("forward over forward, and Taylor over forward, give what they give of single tangents", () => {
    const f = network("sigmoid");
    const both = (at: Tensor): readonly Tensor[] => pushforward(f, at, [v, x]).tangents;
    const single = (at: Tensor): readonly Tensor[] => [jvp(f, at, v).tangent, jvp(f, at, x).tangent];
    expect(jvp(both, x, v)).toEqual(jvp(single, x, v));
    expect(pushforward(both, x, [v, x])).toEqual(pushforward(single, x, [v, x]));
    taylor(both, x, [v, x]).coefficients.forEach((coefficient, k) =>
      coefficient.forEach((one, j) => expectClose(one, taylor(single, x, [v, x]).coefficients[k]![j]!, { rtol: 1e-12 })),
    );
  });

  test("an implicit equation moves in all directions with one search for its root", () => {
    let looks = 0;
    const cubeRoot = (a: Tensor): Tensor => root((z: Tensor) => (looks++, z.mul(z).mul(z).sub(a)), tensor([1, 1]));
    const a = tensor([8, 27]);
    cubeRoot(a);
    const search = looks;
    const { value, tangents } = pushforward(cubeRoot, a, [tensor([12, 0]), tensor([0, 27]), tensor([0, 0])]);
    expect(looks - search).toBeLessThanOrEqual(search + 4);
    expectClose(value, [2, 3]);
    expectClose(stack(tangents), [[1, 0], [0, 1], [0, 0]], { rtol: 1e-14 }); // prettier-ignore
  });

  test("checkpoints and custom nodes are seen through, once for all directions", () => {
    let times = 0;
    const f = (at: Tensor): Tensor => (times++, at.sin().mul(at));
    const closed = checkpoint(f);
    expect(pushforward(closed, x, [v, x, v])).toEqual(pushforward(f, x, [v, x, v]));
    expect(times).toBe(2);
    const square = (at: Tensor): Tensor => custom(at, () => ({ outputs: at.mul(at), pullback: (g: Tensor) => g.mul(at).mul(2) }));
    expect(pushforward((at: Tensor) => square(at.sin()), x, [v, x])).toEqual(pushforward((at: Tensor) => at.sin().mul(at.sin()), x, [v, x]));
    const [, second] = pushforward((at: Tensor) => gradient((y: Tensor) => square(y).sum())(at), x, [v, x]).tangents;
    expectClose(second, x.mul(2));
  });
});
