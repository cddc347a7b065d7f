/** @file The linear layer and its pullback by WebAssembly, each in one call, with the bits of the calls that they are made of. */
import { bytesPerElement, type Dtype } from "../dtype.js";
import type { Wanted } from "../rule.js";
import type { Shape } from "../shape.js";
import { allocate, type Tensor } from "../tensor.js";
import { fusedActivations, type LayerKernels } from "./kernels.js";
import { scratchBytes } from "./wasm-matmul.js";
import type { KernelFunctions } from "./wasm-module.js";
import { addressOf, addressOfResult, beginCall, deliver, fetchResult, nowhere, reserve } from "./wasm-operands.js";

/** The linear layer of the set. */
export const layerKernels = ({ affine64, affine32, affinePullback64, affinePullback32 }: KernelFunctions): LayerKernels => ({
  forward: (x, weight, bias, activation, out) => {
    const m = x.shape[0]!;
    const k = x.shape[1]!;
    const n = bias.size;
    const wide = out.dtype === "float64";
    beginCall();
    const from = addressOf(x);
    const by = addressOf(weight);
    const plus = addressOf(bias);
    const to = addressOfResult(out);
    const scratch = reserve(scratchBytes(m, k, false, false, wide ? 8 : 4));
    (wide ? affine64! : affine32!)(m, k, n, from, by, plus, to, fusedActivations.indexOf(activation), scratch);
    deliver(out, to);
  },

  pullback: (cotangent, y, x, weight, [wantedX, wantedWeight, wantedBias]) => {
    const m = x.shape[0]!;
    const k = x.shape[1]!;
    const n = weight.shape[1]!;
    const { dtype } = x;
    const bytes = bytesPerElement[dtype];
    const ofX = resultFor(wantedX, x.shape, dtype);
    const ofWeight = resultFor(wantedWeight, weight.shape, dtype);
    const ofBias = resultFor(wantedBias, [n], dtype);
    beginCall();
    const given = addressOf(cotangent);
    const value = y === undefined ? nowhere : addressOf(y);
    const from = addressOf(x);
    const by = addressOf(weight);
    const toX = beginResult(ofX, wantedX);
    const toWeight = ofWeight !== undefined && ofWeight === ofX ? toX : beginResult(ofWeight, wantedWeight); // x is W: one sum of both
    const toBias = beginResult(ofBias, wantedBias);
    const z = y === undefined ? 0 : reserve(m * n * bytes);
    const [addX, addWeight, addBias] = [typeof wantedX !== "boolean", typeof wantedWeight !== "boolean", typeof wantedBias !== "boolean"];
    const scratch = reserve(Math.max(scratchBytes(m, n, false, addX, bytes), scratchBytes(k, m, true, addWeight, bytes), n * bytes));
    (dtype === "float64" ? affinePullback64! : affinePullback32!)(
      m, k, n, given, value, from, by, toX, +addX, toWeight, +addWeight, toBias, +addBias, z, scratch,
    ); // prettier-ignore
    if (ofX !== undefined) deliver(ofX, toX);
    if (ofWeight !== undefined) deliver(ofWeight, toWeight);
    if (ofBias !== undefined) deliver(ofBias, toBias);
    return [ofX, ofWeight, ofBias];
  },
});

/** The tensor that a result goes to. */
const resultFor = (wanted: Wanted, shape: Shape, dtype: Dtype): Tensor | undefined =>
  wanted === true ? allocate(shape, dtype) : wanted === false ? undefined : wanted;

/** The address of a result, with what is there where it is added to. */
const beginResult = (result: Tensor | undefined, wanted: Wanted): number => {
  if (result === undefined) return nowhere;
  const address = addressOfResult(result);
  if (typeof wanted !== "boolean") fetchResult(result, address);
  return address;
};
