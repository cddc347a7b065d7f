/** @file The step of Adam by WebAssembly. */
import { jsKernels } from "./js.js";
import type { Kernels } from "./kernels.js";
import type { KernelFunctions } from "./wasm-module.js";
import { addressOf, addressOfResult, beginCall, deliver } from "./wasm-operands.js";

/** How many elements the kernels take at a time. */
const together = 4;

/** The optimizing part of the set. */
export const updateKernels = ({ adam64, adam32 }: KernelFunctions): Pick<Kernels, "adam"> => ({
  adam: (operands, numbers, out) => {
    const { size, dtype } = out[0];
    if (size < together) return jsKernels.adam(operands, numbers, out);
    beginCall();
    const [x, g, m, v] = operands.map(addressOf);
    const [toX, toM, toV] = out.map(addressOfResult);
    const { beta1, beta2, correction, epsilon, weight } = numbers;
    (dtype === "float64" ? adam64! : adam32!)(size, x!, g!, m!, v!, toX!, toM!, toV!, beta1, beta2, correction, epsilon, weight);
    deliver(out[0], toX!);
    deliver(out[1], toM!);
    deliver(out[2], toV!);
  },
});
