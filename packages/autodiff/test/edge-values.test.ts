import { describe, expect, test } from "vitest";
import {
  div, exp, greater, innerProducts, log, logicalNot, logsumexp, mul, ones, pow, reciprocal, softmax, sqrt, tensor, where, zeros, type Tensor,
} from "@dydt/tensor"; // prettier-ignore
import { gradient, hessianVectorProduct, jvp, pushforward, setChecks, taylor, vjp } from "@dydt/autodiff";
import { expectClose } from "../../../scripts/expect-close.js";

/** −0 counts as 0 here. */
const plain = (x: Tensor): unknown => x.add(0).toArray();

describe("the Taylor coefficients of a power of zero", () => {
  const line = (f: (x: Tensor) => Tensor, at: Tensor, order = 3) =>
    taylor(f, at, [ones(at.shape, { dtype: at.dtype }), ...Array.from({ length: order - 1 }, () => zeros(at.shape, { dtype: at.dtype }))]);

  test("are those of the monomial, for exponents that are tensors or numbers, whole or not", () => {
    const expected: readonly (readonly [p: number, coefficients: readonly number[]])[] = [
      [0, [0, 0, 0]],
      [1, [1, 0, 0]],
      [2, [0, 1, 0]],
      [3, [0, 0, 1]],
      [70, [0, 0, 0]],
      [3.5, [0, 0, 0]],
      [2.5, [0, 0, Infinity]],
      [0.5, [Infinity, -Infinity, Infinity]],
      [-1, [-Infinity, Infinity, -Infinity]],
    ];
    for (const [p, coefficients] of expected)
      for (const exponent of [p, tensor(p), tensor(p, { dtype: Number.isInteger(p) ? "int32" : "float64" })])
        expect([p, line((x) => pow(x, exponent), tensor(0)).coefficients.map(plain)]).toEqual([p, coefficients]);
  });

  test("leave the other elements as they are, to the bit", () => {
    const p = tensor([[2], [2.5], [-1]]);
    const { value, coefficients } = line((x) => pow(x, p), tensor([0, 1.7]));
    const alone = line((x) => pow(x, p), tensor([1.7]));
    expect(value.slice([null, [1]]).toArray()).toEqual(alone.value.toArray());
    for (const [k, one] of coefficients.entries()) expect(one.slice([null, [1]]).toArray()).toEqual(alone.coefficients[k]!.toArray());
    expect(coefficients.map((one) => plain(one.slice([[0, 2], [0, 1]])))).toEqual([[[0], [0]], [[1], [0]], [[0], [Infinity]]]); // prettier-ignore
  });

  test("follow a path that is itself curved, and an exponent that moves", () => {
    // (t + 2t²)² = t² + 4t³ + 4t⁴
    const path = [tensor(1), tensor(2), tensor(0), tensor(0)];
    expect(taylor((x: Tensor) => pow(x, tensor(2)), tensor(0), path).coefficients.map(plain)).toEqual([0, 1, 4, 4]);
    // (3t²)^½ has a kink, x² no slope in the exponent: as in forward mode
    const both = taylor(([x, p]: readonly [Tensor, Tensor]) => pow(x, p), [tensor(0), tensor(2)], [[tensor(1), tensor(1)], [tensor(0), tensor(0)]]); // prettier-ignore
    expect(both.coefficients.map(plain)).toEqual([0, 1]);
    expect(taylor((p: Tensor) => pow(0, p), tensor(2), [tensor(1)]).coefficients.map(plain)).toEqual([0]);
  });

  test("can be differentiated again", () => {
    // The second coefficient of (x + v t)² is v² everywhere.
    const second = (v: Tensor): Tensor => taylor((x: Tensor) => pow(x, tensor(2)), tensor([0, 3]), [v, zeros([2])]).coefficients[1]!.sum();
    expect(gradient(second)(tensor([5, 7])).toArray()).toEqual([10, 14]);
    expectClose(
      gradient((x: Tensor) => taylor((z: Tensor) => pow(z, tensor(3)), x, [ones([2]), zeros([2])]).coefficients[1]!.sum())(tensor([0, 2])),
      [3, 3],
    );
  });
});

describe("a zero that meets an infinite slope", () => {
  test("does not take the second derivative of its neighbours", () => {
    const weighted =
      (f: (x: Tensor) => Tensor) =>
      ([c, x]: readonly [Tensor, Tensor]) =>
        c.mul(f(x)).sum();
    const c = tensor([0, 1]);
    const [, ofX] = hessianVectorProduct(weighted(log), [c, tensor([2, 0])], [ones([2]), zeros([2])]);
    expect(ofX.toArray()).toEqual([0.5, Infinity]);
    const twice = gradient((p: readonly [Tensor, Tensor]) => gradient(weighted(sqrt))(p)[1].at(0))([c, tensor([4, 0])]);
    expect(plain(twice[0])).toEqual([0.25, 0]);
    const forward = (v: Tensor): Tensor => jvp(sqrt, tensor([4, 0]), v).tangent;
    expect(jvp(forward, c, tensor([1, 0])).tangent.toArray()).toEqual([0.25, 0]);
  });

  test("is zero forwards as it is backwards", () => {
    const functions: Readonly<Record<string, (x: Tensor) => Tensor>> = {
      "1 / x": (x) => div(1, x),
      "x / x": (x) => div(x, x),
      "x / 0": (x) => div(x, tensor([0, 1])),
      reciprocal,
      sqrt,
      log,
      "x^0.5": (x) => pow(x, 0.5),
      "x^-1": (x) => pow(x, -1),
      "x^p": (x) => pow(x, tensor([0.5, 2])),
      "0^x": (x) => pow(tensor([0, 2]), x.sub(1)),
    };
    for (const [name, f] of Object.entries(functions)) {
      const [x, v] = [tensor([0, 4]), tensor([0, 1])];
      const { tangent } = jvp(f, x, v);
      expect([name, tangent.at(0).item()]).toEqual([name, 0]);
      expect([
        name,
        plain(
          vjp(f, x)
            .pullback(v)
            .slice([[0, 1]]),
        ),
      ]).toEqual([name, [0]]);
      const [first, second] = pushforward(f, x, [v, ones([2])]).tangents;
      expect(first.toArray()).toEqual(tangent.toArray());
      expect(second.toArray()).toEqual(jvp(f, x, ones([2])).tangent.toArray());
    }
  });

  test("hides an untaken branch to second order in every order of modes", () => {
    const functions: Readonly<Record<string, (x: Tensor) => Tensor>> = {
      reciprocal,
      sqrt,
      log,
      "1 / x": (x) => div(1, x),
      "x^-1": (x) => pow(x, -1),
      "x^p": (x) => pow(x, tensor(-1)),
      "e^(1000 / x)": (x) => exp(div(1000, x)),
    };
    const one = ones([2]);
    for (const [name, f] of Object.entries(functions)) {
      const masked = (x: Tensor): Tensor => where(greater(x, 0), f(x), 0);
      const total = (x: Tensor): Tensor => masked(x).sum();
      const x = tensor([0, 2]);
      const orders = {
        "forward over reverse": hessianVectorProduct(total, x, one),
        "reverse over reverse": gradient((z: Tensor) => gradient(total)(z).sum())(x),
        "forward over forward": jvp((z: Tensor) => jvp(masked, z, one).tangent, x, one).tangent,
        "reverse over forward": gradient((z: Tensor) => jvp(masked, z, one).tangent.sum())(x),
        "taylor, twice": taylor(masked, x, [one, zeros([2])]).coefficients[1]!.mul(2),
      };
      const reference = jvp((z: Tensor) => jvp(f, z, ones([1])).tangent, tensor([2]), ones([1])).tangent.item();
      for (const [order, second] of Object.entries(orders)) {
        expect([name, order, Math.abs(second.at(0).item())]).toEqual([name, order, 0]);
        expect([name, order, second.at(1).item() / reference]).toEqual([name, order, expect.closeTo(1, 10)]);
      }
    }
  });
});

describe("powers", () => {
  test("of integers and masks have derivatives in an exponent of either float type, in every mode", () => {
    for (const dtype of ["float32", "float64"] as const)
      for (const base of [tensor([1, 2, 3], { dtype: "int32" }), logicalNot(zeros([3]))]) {
        const raised = (p: Tensor): Tensor => pow(base, p);
        const p = tensor([0.5], { dtype });
        const one = ones([1], { dtype });
        const floats = base.cast(dtype);
        const slope = mul(pow(floats, p), log(floats));
        expect(vjp(raised, p).pullback(ones([3], { dtype })).dtype).toBe(dtype);
        expectClose(gradient((q: Tensor) => raised(q).sum())(p), slope.sum().reshape([1]), { rtol: 1e-6 });
        expectClose(jvp(raised, p, one).tangent, slope, { rtol: 1e-6 });
        expectClose(taylor(raised, p, [one]).coefficients[0]!, slope, { rtol: 1e-6 });
      }
  });

  test("of zero fall infinitely fast in a negative exponent, and not at all in one that is not", () => {
    const slope = (x: number, p: number): number => gradient((q: Tensor) => pow(x, q))(tensor(p)).item();
    expect([-1, -0.5, -3].map((p) => slope(0, p))).toEqual([-Infinity, -Infinity, -Infinity]);
    expect(slope(-0, -1)).toBe(Infinity);
    expect([0, 1, 2.5].map((p) => slope(0, p))).toEqual([0, 0, 0]);
  });

  test("with the exponent 0 have slope 0 at every base, tiny and NaN included", () => {
    const at = tensor([0, 5e-324, NaN, Infinity, -2]);
    for (const p of [0, tensor(0), zeros([5])]) expect(plain(gradient((x: Tensor) => pow(x, p).sum())(at))).toEqual([0, 0, 0, 0, 0]);
  });
});

describe("the second derivative, reverse over reverse and forward over reverse,", () => {
  const seconds = (f: (x: Tensor) => Tensor, x: number): readonly number[] => [
    gradient((z: Tensor) => gradient(f)(z).add(0))(tensor(x)).item(),
    hessianVectorProduct(f, tensor(x), tensor(1)).item(),
  ];

  test("of 1/x is ±∞ where it overflows, as that of a quotient and a power", () => {
    for (const x of [0, 1e-310, 1e-200, 1e-120])
      for (const f of [reciprocal, (z: Tensor) => div(1, z), (z: Tensor) => pow(z, -1)]) {
        expect(seconds(f, x)).toEqual([Infinity, Infinity]);
        expect(seconds(f, -x)).toEqual([-Infinity, -Infinity]);
      }
    expect(seconds(reciprocal, 2)).toEqual([0.25, 0.25]);
  });

  test("of a power is finite where the power and its slope overflow, whatever holds the exponent", () => {
    for (const p of [3, tensor(3)]) for (const second of seconds((z) => pow(z, p), 1e154)) expect(second / 6e154).toBeCloseTo(1, 12);
  });
});

test("no terms have inner products of slope 0", () => {
  const { value, pullback } = vjp((g: Tensor) => innerProducts(g, []), tensor([1, 2]));
  expect(value.shape).toEqual([0]);
  expect(pullback(zeros([0])).toArray()).toEqual([0, 0]);
});

test("no elements have a softmax and a logsumexp with empty gradients", () => {
  expect(gradient((x: Tensor) => softmax(x).sum())(zeros([2, 0])).shape).toEqual([2, 0]);
  expect(gradient((x: Tensor) => logsumexp(x, { axis: 1 }).sum())(zeros([2, 0])).shape).toEqual([2, 0]);
  for (const along of [
    jvp((x: Tensor) => logsumexp(x), zeros([0]), zeros([0])).tangent,
    ...taylor((x: Tensor) => logsumexp(x), zeros([0]), [zeros([0])]).coefficients,
  ])
    expect(along.item()).toBe(0);
});

test("an infinity that was put in passes the checks, whatever its slope", () => {
  setChecks(true);
  try {
    for (const f of [exp, reciprocal, log, (x: Tensor) => pow(x, 3), (x: Tensor) => pow(x, tensor(3)), (x: Tensor) => div(1, x)]) {
      const x = tensor([Infinity, 1]);
      const { pullback } = vjp(f, x);
      expect(pullback(ones([2])).toArray()).toEqual(jvp(f, x, ones([2])).tangent.toArray());
    }
  } finally {
    setChecks(false);
  }
});

describe("the checks", () => {
  const checked = <T>(body: () => T): T => {
    setChecks(true);
    try {
      return body();
    } finally {
      setChecks(false);
    }
  };

  test("let finite derivatives pass that are made of an infinite slope times zero", () => {
    const x = tensor([1, 0]);
    const power = (p: readonly number[]) => (z: Tensor) => pow(z, tensor(p)).sum();
    expect(checked(() => gradient(power([2, 0]))(x)).toArray()).toEqual([2, 0]);
    expect(checked(() => hessianVectorProduct(power([2, 1]), x, ones([2]))).toArray()).toEqual([2, 0]);
    expect(checked(() => jvp((z: Tensor) => pow(z, tensor([2, 0])), x, ones([2]))).tangent.toArray()).toEqual([2, 0]);
    expect(checked(() => gradient((y: Tensor) => where(greater(y, 0), sqrt(y), 0).sum())(x)).toArray()).toEqual([0.5, 0]);
    const series = checked(() => taylor((z: Tensor) => pow(z, tensor([2, 2])), x, [ones([2]), zeros([2]), zeros([2])]));
    expect(series.coefficients.map((one) => one.toArray())).toEqual([[2, 0], [1, 1], [0, 0]]); // prettier-ignore
  });

  test("find an infinite derivative all the same", () => {
    expect(() => checked(() => gradient((z: Tensor) => pow(z, tensor(0.5)))(tensor(0)))).toThrow(/pow/);
    expect(() => checked(() => taylor((z: Tensor) => pow(z, tensor(0.5)), tensor(0), [tensor(1)]))).toThrow(/pow|mul|div/);
  });
});

test("the Taylor series of 0^p is no number where p is none, and infinite where 0^p is", () => {
  const slope = (p: number): number => taylor((q: Tensor) => pow(tensor(0), q), tensor(p), [tensor(1)]).coefficients[0]!.item();
  expect([NaN, -1, 0, 2].map(slope)).toEqual([NaN, -Infinity, 0, 0]);
});

test("the Taylor series of a power that is too small or large itself is found from lower powers", () => {
  const c = (x: number, p: number, dtype: "float32" | "float64") =>
    taylor((z: Tensor) => pow(z, p), tensor(x, { dtype }), [tensor(1, { dtype }), tensor(0, { dtype })]).coefficients.map((one) => one.item());
  const [first, second] = c(1e-20, 2.5, "float32");
  expect([first! / 2.5e-30, second! / (1.875e-10)]).toEqual([expect.closeTo(1, 5), expect.closeTo(1, 5)]); // prettier-ignore
  expect(c(1e200, 1.6, "float64")[0]! / 1.6e120).toBeCloseTo(1, 10);
});
