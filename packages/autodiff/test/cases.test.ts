import { describe, expect, test } from "vitest";
import * as dydt from "@dydt/tensor";
import {
  clip,
  concat,
  elu,
  flip,
  gelu,
  greater,
  logsumexp,
  matmul,
  max,
  mean,
  min,
  slice,
  softmax,
  sum,
  tensor,
  variance,
  where,
  type Range,
  type Tensor,
} from "@dydt/tensor";
import { gradient, vjp } from "@dydt/autodiff";
import file from "./cases/autodiff_ops.json" with { type: "json" };

interface Encoded {
  readonly shape: readonly number[];
  readonly data: readonly (number | string)[];
}
interface Params {
  readonly exponent?: number;
  readonly axis?: number | null;
  readonly axes?: readonly number[];
  readonly ranges?: readonly (readonly [number, number, number])[];
  readonly condition?: readonly (readonly boolean[])[];
  readonly min?: number;
  readonly max?: number;
}
interface Case {
  readonly id: string;
  readonly op: string;
  readonly inputs: readonly Encoded[];
  readonly output: Encoded;
  readonly cotangent: Encoded;
  readonly vjp: readonly Encoded[];
  readonly tangent?: readonly Encoded[];
  readonly hvp?: readonly Encoded[];
  readonly params?: Params;
  readonly edge?: boolean;
  readonly accept?: string;
}
const cases = file.cases as unknown as readonly Case[];

const decode = ({ shape, data }: Encoded): Tensor => tensor(Float64Array.from(data, Number), { shape });
const axisOf = ({ axis }: Params) => (axis === null || axis === undefined ? {} : { axis });

/** The second operand of the mean squared error, a constant of the case. */
const target = tensor([[0.909297, -0.756802, 0.734397], [-0.091907, 0.450441, 0.296369]]); // prettier-ignore

/** What a case computes; cases whose description says more than their op go by their id. */
const operations: Readonly<Record<string, (x: readonly Tensor[], params: Params) => Tensor>> = {
  pow: ([x], { exponent }) => x!.pow(exponent!),
  elu: ([x]) => elu(x!),
  gelu: ([x]) => gelu(x!, { approximate: "tanh" }),
  sum: ([x], params) => sum(x!, axisOf(params)),
  mean: ([x], params) => mean(x!, axisOf(params)),
  min: ([x], params) => min(x!, axisOf(params)),
  max: ([x], params) => max(x!, axisOf(params)),
  logsumexp: ([x], params) => logsumexp(x!, axisOf(params)),
  var: ([x], params) => variance(x!, axisOf(params)),
  softmax: ([x], { axis }) => softmax(x!, axis!),
  clip: ([x], params) => clip(x!, params.min!, params.max!),
  concat: (list, { axis }) => concat(list, axis!),
  slice: ([x], { ranges }) => slice(x!, ranges!),
  flip: ([x], { axis }) => flip(x!, axis!),
  where: ([a, b], { condition }) => where(tensor(condition!), a!, b!),
  transpose_matmul: ([a, b]) => matmul(a!.transpose(), b!),
  transpose_slice_exp: ([x]) => x!.transpose().slice([[1, 3], [null, null, 2]] satisfies Range[]).exp(), // prettier-ignore
  permute: ([x], { axes }) => x!.transpose(axes).square(),
  mse: ([x]) => x!.sub(target).square().mean(),
  where_nan_branch: ([x]) => where(greater(x!, 0), clip(x!, 0, Infinity).sqrt(), 0),
};
const run = ({ id, op, params = {} }: Case, x: readonly Tensor[]): Tensor => {
  const named = operations[id] ?? operations[op];
  return named === undefined ? (dydt as unknown as Record<string, (...x: readonly Tensor[]) => Tensor>)[op]!(...x) : named(x, params);
};

const expectClose = (got: Tensor, wanted: Encoded, accept: (value: number, i: number) => boolean = () => false): void => {
  expect(got.shape).toEqual(wanted.shape);
  Array.from(got.data).forEach((value, i) => {
    const want = Number(wanted.data[i]);
    const close = Object.is(value, want) || value === want || Math.abs(value - want) <= 1e-14 + 1e-12 * Math.abs(want);
    expect(close || accept(value, i), `${value} at ${i}, reference ${want}`).toBe(true);
  });
};

/** What an edge case admits besides the listed value: see its `accept`. */
const admitted: Readonly<Record<string, (value: number, i: number) => boolean>> = {
  relu_at_0: (value, i) => i === 1 && value >= 0 && value <= 1,
  sqrt_at_0_zero_cot: (value, i) => i === 0 && value === 0,
  log_negative: (value, i) => i === 0 && Number.isNaN(value),
  max_ties_all: (value, i) => i !== 1 && value >= 0,
  clip_at_bounds: (value, i) => (i === 1 || i === 3) && (value === 0 || value === 1),
  where_nan_branch: (value, i) => i > 0 && value === 0,
};

describe("outputs and vector-Jacobian products agree with the reference", () => {
  test.each(cases.map((one) => [one.id, one] as const))("%s", (id, one) => {
    const { value, pullback } = vjp((x: readonly Tensor[]) => run(one, x), one.inputs.map(decode));
    const cotangents = pullback(decode(one.cotangent));
    expectClose(value, one.output);
    cotangents.forEach((cotangent, i) => expectClose(cotangent, one.vjp[i]!, admitted[id]));
  });

  test("tied maxima share the derivative, which adds up to 1", () => {
    const one = cases.find(({ id }) => id === "max_ties_all")!;
    expect(gradient((x: Tensor) => max(x))(decode(one.inputs[0]!)).toArray()).toEqual([1 / 3, 0, 1 / 3, 1 / 3]);
  });
});

describe("second derivatives, reverse over reverse, agree with the reference", () => {
  const smooth = cases.filter(({ hvp }) => hvp !== undefined);
  test.each(smooth.map((one) => [one.id, one] as const))("%s", (_, one) => {
    const direction = one.tangent!.map(decode);
    const alongTangent = (x: readonly Tensor[]): Tensor =>
      vjp((at: readonly Tensor[]) => run(one, at), x)
        .pullback(decode(one.cotangent))
        .map((g, i) => g.mul(direction[i]!).sum())
        .reduce((total, part) => total.add(part));
    gradient(alongTangent)(one.inputs.map(decode)).forEach((h, i) => expectClose(h, one.hvp![i]!));
  });

  test("all smooth cases have one", () => {
    expect(smooth.length).toBe(cases.filter(({ edge }) => edge !== true).length + 1);
  });
});
