/**
 * @file The scalar elementary functions of the library: float64 to float64, with the same bits in every JavaScript engine.
 *
 * Made of + − × ÷, comparisons, bit casts and Math.sqrt, abs, floor, min, max, fround, all of which ECMAScript defines to the last bit; it leaves
 * Math.exp and its like to the engine. Each is one argument reduction, one polynomial and a few selects, a form that a vector kernel can repeat.
 */
export { erf, geluExact, geluTanh } from "./error-function.js";
export { exp, expm1, sigmoid, tanh } from "./exponential.js";
export { log, log1p, softplus } from "./logarithm.js";
export { power } from "./power.js";
export { cos, sin } from "./trigonometric.js";
