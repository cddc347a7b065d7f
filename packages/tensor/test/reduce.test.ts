import fc from "fast-check";
import ops from "ndarray-ops";
import { describe, expect, test } from "vitest";
import {
  all, any, innerProducts, logSoftmax, logsumexp, max, mean, min, norm, OptionError, prod, setInspector, ShapeError, softmax, sum, tensor, variance, weightedSum, zeros,
  type ReduceOptions, type Tensor,
} from "@dydt/tensor"; // prettier-ignore
import { expectClose } from "../../../scripts/expect-close.js";
import { anyShape, expectExactly, indicesOf, normals, seeds } from "./reference.js";

/** A shape and some of its axes, counted from either end. */
const shapeAndAxes = (minLength: number): fc.Arbitrary<readonly [readonly number[], readonly number[]]> =>
  anyShape({ minLength }).chain((shape) =>
    fc.tuple(
      fc.constant(shape),
      fc.subarray(shape.map((_, i) => i)).chain((axes) => fc.tuple(...axes.map((axis) => fc.constantFrom(axis, axis - shape.length)))),
    ),
  );

/** The groups of elements that are reduced together, and the shape of the result. */
const groups = (
  x: Tensor,
  axes: readonly number[],
  keepDims: boolean,
): { readonly shape: readonly number[]; readonly lists: readonly (readonly number[])[] } => {
  const reduced = axes.map((axis) => (axis < 0 ? axis + x.rank : axis));
  const kept = x.shape.map((length, i) => (reduced.includes(i) ? 1 : length));
  const lists = new Map(indicesOf(kept).map((index) => [index.join(), [] as number[]]));
  indicesOf(x.shape).forEach((index, flat) => lists.get(index.map((at, i) => (reduced.includes(i) ? 0 : at)).join())!.push(x.data[flat]!));
  return { shape: keepDims ? kept : kept.filter((_, i) => !reduced.includes(i)), lists: [...lists.values()] };
};

type Reference = readonly [operation: (x: Tensor, options: ReduceOptions) => Tensor, reference: (values: readonly number[]) => number];
const average = (values: readonly number[]): number => values.reduce((s, v) => s + v, 0) / values.length;
const references: Readonly<Record<string, Reference>> = {
  sum: [sum, (values) => values.reduce((s, v) => s + v, 0)],
  mean: [mean, average],
  variance: [variance, (values) => average(values.map((v) => (v - average(values)) ** 2))],
  prod: [prod, (values) => values.reduce((p, v) => p * v, 1)],
  max: [max, (values) => Math.max(...values)],
  min: [min, (values) => Math.min(...values)],
  norm: [norm, (values) => Math.hypot(...values)],
  "norm of order 1": [(x, options) => norm(x, { ...options, order: 1 }), (values) => values.reduce((s, v) => s + Math.abs(v), 0)],
  "norm of order infinity": [(x, options) => norm(x, { ...options, order: Infinity }), (values) => Math.max(...values.map(Math.abs))],
  logsumexp: [logsumexp, (values) => Math.log(values.reduce((s, v) => s + Math.exp(v), 0))],
  any: [any, (values) => Number(values.some((v) => v !== 0))],
  all: [all, (values) => Number(values.every((v) => v !== 0))],
};

describe("reductions", () => {
  test.each(Object.entries(references))("%s over any axes, counted from either end, is what the definition gives", (_, [operation, reference]) => {
    fc.assert(
      fc.property(shapeAndAxes(1), fc.boolean(), seeds, ([shape, axis], keepDims, seed) => {
        const x = normals(shape, seed);
        const { shape: wanted, lists } = groups(x, axis, keepDims);
        const got = operation(x, { axis, keepDims });
        expect(got.shape).toEqual(wanted);
        expectClose(tensor(Float64Array.from(got.data)), lists.map(reference), { rtol: 1e-13, atol: 1e-13 });
        expectClose(operation(x, {}).item(), reference(Array.from(x.data)), { rtol: 1e-13, atol: 1e-13 });
      }),
      { numRuns: 60 },
    );
  });

  test("sums of everything agree with ndarray-ops", () => {
    const x = normals([3, 4, 5], 1);
    expectClose(sum(x), ops.sum(x.ndarray), { rtol: 1e-14 });
    expectClose(max(x), ops.sup(x.ndarray));
    expectClose(min(x), ops.inf(x.ndarray));
  });

  test("sums of nothing are 0, means of nothing NaN, extrema of nothing an error", () => {
    fc.assert(
      fc.property(shapeAndAxes(0), fc.boolean(), ([shape, axis], keepDims) => {
        const { shape: wanted, lists } = groups(zeros(shape), axis, keepDims);
        expectExactly(sum(zeros(shape), { axis, keepDims }), wanted, lists.map(() => 0)); // prettier-ignore
      }),
    );
    expect(mean(zeros([0])).item()).toBeNaN();
    expectExactly(prod(zeros([0, 3]), { axis: 0 }), [3], [1, 1, 1]);
    for (const extremum of [max, min]) {
      expect(() => extremum(zeros([0, 3]), { axis: 0 })).toThrow(ShapeError);
      expectExactly(extremum(zeros([0, 3]), { axis: 1 }), [0], []);
    }
    expect(() => max(zeros([0, 3]))).toThrow("max of no elements: a tensor of shape [0, 3] is empty along the axes [0, 1]");
    expect([any(zeros([0])).item(), all(zeros([0])).item()]).toEqual([0, 1]);
  });

  test("NaN spreads through every reduction, and infinities follow IEEE 754", () => {
    const x = tensor([1, NaN, Infinity]);
    for (const operation of [sum, mean, max, min, norm]) expect(operation(x).item()).toBeNaN();
    expect(sum(tensor([Infinity, -Infinity])).item()).toBeNaN();
    expect(logsumexp(tensor([-Infinity, -Infinity])).item()).toBe(-Infinity);
    expect(logsumexp(tensor([Infinity, 1])).item()).toBe(Infinity);
    expectClose(logsumexp(tensor([1000, 1000])), 1000 + Math.LN2);
  });

  test("logsumexp adds up once", () => {
    let sums = 0;
    setInspector(({ op }) => void (sums += op === "sum" ? 1 : 0));
    try {
      expect(logsumexp(zeros([2, 3, 4]), { axis: [-1, 0] }).shape).toEqual([3]);
    } finally {
      setInspector(null);
    }
    expect(sums).toBe(1);
  });

  test("products of masks count, and those of whole numbers stay whole", () => {
    expect([prod(tensor([true, true])).dtype, prod(tensor([true, false])).item()]).toEqual(["int32", 0]);
    expect([prod(tensor([2, -3], { dtype: "int32" })).dtype, prod(tensor([2, -3], { dtype: "int32" })).item()]).toEqual(["int32", -6]);
  });

  test("variance divides by n minus the correction", () => {
    expectClose(variance(tensor([1, 2, 3, 4]), { correction: 1 }), 5 / 3);
    expectClose(variance(tensor([[1, 2], [3, 5]]), { axis: 0, keepDims: true }), [[1, 2.25]]); // prettier-ignore
  });

  test("softmax rows add up to 1 however large their entries, and logSoftmax is its logarithm", () => {
    const x = normals([4, 6], 2).mul(300);
    expectClose(softmax(x).sum({ axis: -1 }), [1, 1, 1, 1], { rtol: 1e-14 });
    expectClose(softmax(x, 0).sum({ axis: 0 }), [1, 1, 1, 1, 1, 1], { rtol: 1e-14 });
    expectClose(logSoftmax(normals([2, 3], 3)), softmax(normals([2, 3], 3)).log(), { rtol: 1e-13 });
  });

  test("axes that do not exist, or come twice, and orders of norms that do not exist are errors", () => {
    const x = zeros([2, 3]);
    expect(() => sum(x, { axis: 2 })).toThrow("sum got axis 2, but the tensor has rank 2: axes go from -2 to 1");
    expect(() => sum(x, { axis: [0, -2] })).toThrow("sum got axis 0 twice");
    expect(() => sum(tensor(1), { axis: 0 })).toThrow("sum got axis 0, but the tensor has rank 0 and so no axes");
    expect(() => max(x, { axis: 0.5 })).toThrow(ShapeError);
    expect(() => norm(x, { order: 3 })).toThrow(OptionError);
  });
});

describe("the order of summation is fixed", () => {
  test("sum goes from the first element to the last", () => {
    expect(sum(tensor([1e16, 1, 1, -1e16])).item()).toBe(0);
    expect(sum(tensor([1, 1, 1e16, -1e16])).item()).toBe(2);
  });

  test.each(["float64", "float32"] as const)("a row of %s has the same bits alone and in any batch", (dtype) => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 70 }), fc.integer({ min: 1, max: 5 }), seeds, (length, rows, seed) => {
        const x = normals([rows, length], seed, dtype);
        for (const operation of [sum, mean, logsumexp, norm]) {
          const together = operation(x, { axis: 1 });
          for (let i = 0; i < rows; i++) expect(operation(x.at(i)).item()).toBe(together.at(i).item());
        }
        const terms = [x, normals([rows, length], seed + 1, dtype)];
        const batch = weightedSum(x, [0.1, -0.7], terms);
        for (let i = 0; i < rows; i++) expectExactly(weightedSum(x.at(i), [0.1, -0.7], terms.map((term) => term.at(i))), [length], batch.at(i).data); // prettier-ignore
      }),
      { numRuns: 40 },
    );
  });
});

describe("weightedSum", () => {
  test("sums in float64 from left to right and rounds once", () => {
    const big = tensor([1e8], { dtype: "float32" });
    const one = tensor([1], { dtype: "float32" });
    expect(weightedSum(big, [1, -1], [one, big]).item()).toBe(1);
    expect(weightedSum(null, [1e16, 1, -1e16], [tensor([1]), tensor([1]), tensor([1])]).item()).toBe(0);
  });

  test("takes its weights as numbers or as a tensor, with the same bits", () => {
    const terms = [normals([5], 1), normals([5], 2)];
    for (const base of [null, normals([5], 3)])
      expectExactly(weightedSum(base, tensor([0.3, 2]), terms), [5], weightedSum(base, [0.3, 2], terms).data);
    expectExactly(weightedSum(terms[0]!, [], []), [5], terms[0]!.data);
  });

  test("innerProducts is its transpose in the weights: <sum w x, g> = <w, innerProducts(g, x)>", () => {
    const [g, w] = [normals([3, 4], 1), normals([3], 2)];
    const terms = [normals([3, 4], 3), normals([3, 4], 4), normals([3, 4], 5)];
    expectClose(weightedSum(null, w, terms).mul(g).sum(), innerProducts(g, terms).mul(w).sum(), { rtol: 1e-13 });
    expect(() => innerProducts(g, [zeros([2])])).toThrow(ShapeError);
  });
});
