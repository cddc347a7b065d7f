/**
 * @file Rules of convolutions and means over windows. The three convolutions are the three views of one trilinear form Σ ȳ (w ∗ x).
 */
import { convolve, convolveTransposed, convolveWeight, poolMeans, spreadMeans } from "@dydt/tensor";
import { jvpEntry, vjpEntry, type JvpEntry, type VjpEntry } from "../rule.js";

/** The rules of convolution.ts and pooling.ts in @dydt/tensor. */
export const convolutionRules: readonly VjpEntry[] = [
  vjpEntry(
    convolve,
    (g, _y, _x, weight, window) => convolveTransposed(g, weight, window),
    (g, _y, x, weight, window) => convolveWeight(x, g, weight.shape, window),
    null,
  ),
  vjpEntry(
    convolveTransposed,
    (u, _x, _g, weight, window) => convolve(u, weight, window),
    (u, _x, g, weight, window) => convolveWeight(u, g, weight.shape, window),
    null,
  ),
  vjpEntry(
    convolveWeight,
    (u, _w, _x, g, _shape, window) => convolveTransposed(g, u, window),
    (u, _w, x, _g, _shape, window) => convolve(x, u, window),
    null,
    null,
  ),
  vjpEntry(poolMeans, (g, _y, _x, window) => spreadMeans(g, window), null),
  vjpEntry(spreadMeans, (g, _y, _x, window) => poolMeans(g, window), null),
];

/** The forward rules of convolution.ts and pooling.ts in @dydt/tensor. */
export const convolutionTangents: readonly JvpEntry[] = [
  jvpEntry(convolve, "linear", "linear", null),
  jvpEntry(convolveTransposed, "linear", "linear", null),
  jvpEntry(convolveWeight, "linear", "linear", null, null),
  jvpEntry(poolMeans, "linear", null),
  jvpEntry(spreadMeans, "linear", null),
];
