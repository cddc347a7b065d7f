/**
 * @file Matrix products.
 *
 * One primitive multiplies matrices, or batches of them of equal length, with free transposes; `matmul` brings NumPy's shapes to it.
 */
import { kernels } from "./backend/active.js";
import { matmulBackend } from "./backend/matmul.js";
import { commonDtype, isFloat } from "./dtype.js";
import { DtypeError, ShapeError } from "./errors.js";
import { broadcastTo, reshape } from "./movement.js";
import { primitive } from "./primitive.js";
import { broadcastShapes, formatShape, sizeOf } from "./shape.js";
import { allocate, requireTensor, type Tensor } from "./tensor.js";

/** The numbers of op(A) op(B), by whoever multiplies; added to `into` where that is given. */
export const multiply = (a: Tensor, b: Tensor, transposeA: boolean, transposeB: boolean, into?: Tensor): Tensor => {
  if (a.dtype !== b.dtype || !isFloat(a.dtype)) {
    commonDtype("matmul", a.dtype, b.dtype);
    throw new DtypeError(`matmul needs two tensors of one float type, got ${a.dtype} and ${b.dtype}: convert with cast`);
  }
  if (a.rank !== 2 && a.rank !== 3)
    throw new ShapeError(`matrixProduct got shapes ${formatShape(a.shape)} and ${formatShape(b.shape)}: ranks 2 and 3 are known, matmul takes any`);
  const batched = a.rank === 3;
  const lead = batched ? 1 : 0;
  const m = a.shape[lead + (transposeA ? 1 : 0)]!;
  const k = a.shape[lead + (transposeA ? 0 : 1)]!;
  const n = b.shape[lead + (transposeB ? 0 : 1)]!;
  const inner = b.shape[lead + (transposeB ? 1 : 0)]!;
  if (k !== inner || b.rank !== a.rank || (batched && a.shape[0] !== b.shape[0]))
    throw new ShapeError(
      `matmul got shapes ${formatShape(a.shape)}${transposeA ? " (transposed)" : ""} and ${formatShape(b.shape)}${transposeB ? " (transposed)" : ""}: ` +
        `the inner lengths ${k} and ${inner} must be equal`,
    );
  const batch = batched ? a.shape[0]! : 1;
  const accumulate = into !== undefined && matmulBackend === null;
  const out = accumulate ? into : allocate(batched ? [batch, m, n] : [m, n], a.dtype);
  const layout = { batch, m, k, n, transposeA, transposeB, strideA: m * k, strideB: k * n, accumulate };
  if (matmulBackend === null || !matmulBackend.multiply(a, b, layout, out)) kernels.matmul(a, b, layout, out);
  if (into === undefined || accumulate) return out;
  kernels.binary("add", into, out, into);
  return into;
};

/**
 * op(A) op(B) for matrices `[m, k]`, `[k, n]`, or batches `[s, m, k]`, `[s, k, n]` of one length.
 *
 * @param transposeA - reads A as stored `[k, m]`.
 * @param transposeB - reads B as stored `[n, k]`.
 * @throws ShapeError when the inner lengths or the batches differ.
 */
export const matrixProduct = primitive("matmul", (a: Tensor, b: Tensor, transposeA: boolean = false, transposeB: boolean = false): Tensor =>
  multiply(a, b, transposeA, transposeB),
);

/**
 * The matrix product, with NumPy's rules: vectors are rows on the left and columns on the right, further axes are batches and broadcast.
 *
 * @param a - `[..., m, k]` or `[k]`.
 * @param b - `[..., k, n]` or `[k]`.
 * @returns `[..., m, n]`, without the axes that vectors lack.
 * @throws ShapeError when the inner lengths differ or a scalar is given.
 * @example
 * expectClose(matmul(tensor([[1, 2], [3, 4]]), tensor([1, 1])), [3, 7]);
 */
export const matmul = (a: Tensor, b: Tensor): Tensor => {
  requireTensor("matmul", a);
  requireTensor("matmul", b);
  if (a.rank === 0 || b.rank === 0)
    throw new ShapeError(`matmul got shapes ${formatShape(a.shape)} and ${formatShape(b.shape)}: use mul for a single number`);
  const left = a.rank === 1 ? reshape(a, [1, a.size]) : a;
  const right = b.rank === 1 ? reshape(b, [b.size, 1]) : b;
  const [k, inner] = [left.shape[left.rank - 1]!, right.shape[right.rank - 2]!];
  if (k !== inner)
    throw new ShapeError(`matmul got shapes ${formatShape(a.shape)} and ${formatShape(b.shape)}: the inner lengths ${k} and ${inner} must be equal`);
  const product = matricesProduct(left, right);
  const lead = product.shape.slice(0, -2);
  const [m, n] = [product.shape[product.rank - 2]!, product.shape[product.rank - 1]!];
  if (a.rank > 1 && b.rank > 1) return product;
  return reshape(product, [...lead, ...(a.rank === 1 ? [] : [m]), ...(b.rank === 1 ? [] : [n])]);
};

/** Products of operands of rank at least 2. A right factor without a batch turns the left batch into rows: one large product. */
const matricesProduct = (a: Tensor, b: Tensor): Tensor => {
  if (a.rank === 2 && b.rank === 2) return matrixProduct(a, b);
  const k = a.shape[a.rank - 1]!;
  const n = b.shape[b.rank - 1]!;
  if (b.rank === 2) return reshape(matrixProduct(reshape(a, [sizeOf(a.shape.slice(0, -1)), k]), b), [...a.shape.slice(0, -1), n]);
  const batch = broadcastShapes("matmul", a.shape.slice(0, -2), b.shape.slice(0, -2));
  const m = a.shape[a.rank - 2]!;
  const flat = (x: Tensor, rows: number, columns: number): Tensor =>
    reshape(broadcastTo(x, [...batch, rows, columns]), [sizeOf(batch), rows, columns]);
  return reshape(matrixProduct(flat(a, m, k), flat(b, k, n)), [...batch, m, n]);
};
