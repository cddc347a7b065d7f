/**
 * @file One evaluation of W1's field, x ↦ tanh(x W₁ + b₁) W₂ + b₂ for 20 states, with the pullback to x and all parameters: what small networks cost.
 */
import { scope, tensor, type Tensor } from "@dydt/tensor";
import { valueAndGradient, vjp } from "@dydt/autodiff";
import { measure, type Contender } from "../measure.js";
import type { Jax, JaxArray, Tf, TfTensor } from "../peers.js";
import { floatArray, floats, present, type Suite } from "../suite.js";
import { drawState, normOf } from "../workloads.js";
import { spiralNetwork, spiralParameters, type SpiralParameters } from "../workloads/spiral.js";
import { fieldInNdarrays } from "./field-ndarray.js";

/** What is differentiated. */
export interface FieldInputs {
  readonly x: Tensor;
  readonly parameters: SpiralParameters;
}

const network = ({ x, parameters }: FieldInputs): Tensor => spiralNetwork(parameters, x);

/** Norm over a list of typed arrays, the cotangents of x, W₁, b₁, W₂, b₂. */
const normOfAll = (list: readonly ArrayLike<number>[]): number => normOf(list.map((values) => tensor(Array.from(values))));

/** The inputs as bare numbers, in the order x, W₁, b₁, W₂, b₂ and the cotangent. */
const inputsOf = ({ x, parameters: { hidden, output } }: FieldInputs, cotangent: Tensor): readonly Tensor[] => [
  x,
  hidden.weight,
  hidden.bias,
  output.weight,
  output.bias,
  cotangent,
];

const inDydt = (inputs: FieldInputs, cotangent: Tensor): readonly Contender[] => {
  const throughVjp = (): FieldInputs => vjp(network, inputs).pullback(cotangent);
  const throughGradient = () => valueAndGradient((at: FieldInputs) => network(at).mul(cotangent).sum())(inputs);
  return [
    { library: "dydt", run: () => scope(() => void throughVjp()), result: () => normOf(throughVjp()) },
    { library: "valueAndGradient", run: () => void throughGradient(), result: () => normOf(throughGradient().gradient) },
    { library: "forward", run: () => scope(() => void network(inputs)) },
  ];
};

const inTf = (tf: Tf, backend: "wasm" | "cpu", inputs: readonly Tensor[]): Contender => {
  const tensors = inputs.map((one) => tf.tensor(Float32Array.from(one.data), one.shape));
  const network = (x: TfTensor, w1: TfTensor, b1: TfTensor, w2: TfTensor, b2: TfTensor): TfTensor =>
    tf.add(tf.matMul(tf.tanh(tf.add(tf.matMul(x, w1), b1)), w2), b2);
  const pull = tf.grads((...x) => network(...(x as Parameters<typeof network>)));
  const both = () => pull(tensors.slice(0, 5), tensors[5]!);
  return {
    library: `tfjs-${backend}`,
    prepare: async () => void (await tf.setBackend(backend)),
    run: () => void tf.tidy(() => void both()),
    result: () => normOfAll(tf.tidy(() => both().map((g) => g.dataSync()))),
  };
};

const inJax = ({ jit, vjp, numpy }: Jax, inputs: readonly Tensor[], dtype: (typeof floats)[number]): Contender => {
  const arrays = inputs.map((one) => numpy.array(floatArray(dtype, one.data), { shape: one.shape, dtype }));
  const network = (x: JaxArray, w1: JaxArray, b1: JaxArray, w2: JaxArray, b2: JaxArray): JaxArray =>
    numpy.matmul(numpy.tanh(numpy.matmul(x, w1).add(b1)), w2).add(b2);
  const both = jit((...of: JaxArray[]) => {
    const [value, pullback] = vjp((...x) => network(...(x as Parameters<typeof network>)), of.slice(0, 5));
    return [value, ...pullback(of[5]!)];
  });
  const values = () => both(...arrays.map((one) => one.ref)).map((one) => one.dataSync()); // it computes when it is read
  return { library: "jax-js jit", run: () => void values(), result: () => normOfAll(values().slice(1)) };
};

/** Forward and pullback of the field. */
export const field: Suite = async function* ({ peers: { tf, jax }, effort }) {
  for (const dtype of floats) {
    const inputs: FieldInputs = { x: drawState(20, 2, dtype), parameters: spiralParameters(dtype) };
    const cotangent = drawState(20, 2, dtype);
    const list = inputsOf(inputs, cotangent);
    const single = dtype === "float32" ? tf : undefined;
    const times = await measure(
      `W1 field ${dtype}`,
      present([
        ...inDydt(inputs, cotangent),
        single && inTf(single, "wasm", list),
        single && inTf(single, "cpu", list),
        jax && inJax(jax, list, dtype),
        {
          library: "ndarray-ops",
          ...fieldInNdarrays(
            list.map((one) => ({ values: floatArray(dtype, one.data), shape: one.shape })),
            normOfAll,
          ),
        },
      ]),
      effort,
    );
    const others = [...times].filter(([library]) => !["dydt", "valueAndGradient", "forward"].includes(library));
    const cases = [["vjp in scope", "dydt"], ["valueAndGradient", "valueAndGradient"]] as const; // prettier-ignore
    for (const [shape, ours] of cases)
      for (const [library, ms] of [["dydt", times.get(ours)!] as const, ...others])
        yield { workload: "W1 field", shape, dtype, library, microseconds: ms * 1e3 };
    yield { workload: "W1 field", shape: "forward alone", dtype, library: "dydt", microseconds: times.get("forward")! * 1e3 };
  }
};
