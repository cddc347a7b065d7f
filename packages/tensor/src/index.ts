/**
 * Tensors over regions of memory, NumPy's operations on them, and the hook by which others watch.
 *
 * @packageDocumentation
 */
export { Tensor } from "./methods.js";
export type { NestedArray, Owned } from "./tensor.js";
export type { Dtype, TypedArray } from "./dtype.js";
export type { Shape } from "./shape.js";
export { arange, eye, full, linspace, ones, tensor, zeros, zerosLike, type FillOptions, type TensorOptions } from "./create.js";
export { fromNdarray } from "./from-ndarray.js";
export { random, type Random, type RandomOptions } from "./random.js";
export {
  abs, add, cast, clip, cos, div, elu, equal, erf, exp, expm1, floor, gelu, geluExact, greater, greaterEqual, isFinite, leakyRelu, less, lessEqual, log, log1p,
  logicalAnd, logicalNot, logicalOr, maximum, minimum, mul, neg, notEqual, pow, reciprocal, relu, sigmoid, sign, silu, sin, softplus, sqrt, square, step, sub,
  tanh, tanhSlope, where, type Operand,
} from "./elementwise.js"; // prettier-ignore
export {
  all, any, innerProducts, logSoftmax, logsumexp, max, mean, min, norm, prod, softmax, stopGradient, sum, variance, weightedSum, type ReduceOptions,
} from "./reduce.js"; // prettier-ignore
export { at, broadcastTo, copy, embedAt, identity, reshape, sumTo, transpose } from "./movement.js";
export { embed, flip, pad, slice, type Range } from "./slicing.js";
export { concat, split, stack } from "./joining.js";
export { matmul, matrixProduct } from "./linalg.js";
export { affine, affineMoved, affineProduct } from "./affine.js";
export { embedTaken, gather, oneHot, scatterAdd, take, type Indices } from "./indexing.js";
export { argMax, argMin, type ExtremeOptions } from "./extremes.js";
export { cumsum } from "./scan.js";
export { adamUpdate } from "./updates.js";
export { conv2d, convolve, convolveTransposed, convolveWeight, type Conv2dOptions, type Convolution } from "./convolution.js";
export { averagePool, poolMeans, spreadMeans, type PoolOptions } from "./pooling.js";
export type { Padding, Pair, Window } from "./window.js";
export { linearSolve, luSolve, SingularMatrixError, type LinearSolveOptions } from "./solving.js";
export { groupNormalize, layerNormalize, type NormalizeOptions } from "./normalization.js";
export { setMatmulBackend, type MatmulBackend } from "./backend/matmul.js";
export { leavesLike, leavesOf, mapTree, unflatten, zipTrees, type TreeOf } from "./tree.js";
export { scope, copyOut } from "./scope.js";
export {
  carriedRules, withRules, type ArgumentRule, type ArgumentTangentRule, type CarriedRules, type Cotangent, type JointJvpRule, type JointRule, type JvpRule, type Tangent,
  type TangentOf, type VjpRule, type Wanted,
} from "./rule.js"; // prettier-ignore
export { primitive, setInspector, uninspected, type Inspector, type Primitive } from "./primitive.js";
export {
  activeRecorders, beginEpoch, carriedAlong, endEpoch, inTemporaryRegion, isCarried, isRetained, isWatched, recordingWith, unrecorded, type Operation, type Recorder,
  type SeesThrough,
} from "./recorder.js"; // prettier-ignore
export { allocatingIn, closeWithOwner, countBytes, createRegion, currentRegion, heap, meterBytes, synchronous, type Region } from "./region.js";
export { elementsOf, isTensor, owned, recycle, scalar, setSlot, slotOf, wrap } from "./tensor.js";
export { exp as scalarExp, log as scalarLog, power } from "./backend/transcendental.js";
export { kernels } from "./backend/active.js";
export type { AdamNumbers, FusedActivation, Kernels, LayerKernels, MatmulLayout } from "./backend/kernels.js";
export { checkOptions } from "./options.js";
export { isFloat } from "./dtype.js";
export { broadcastShapes, formatShape, normalizeAxes, normalizeAxis, sameShape, sizeOf } from "./shape.js";
export {
  AsynchronousBodyError, DtypeError, DydtError, MemoryError, OptionError, ReleasedTensorError, ShapeError, WatchedTensorError,
} from "./errors.js"; // prettier-ignore
