/**
 * @file Convolutions of images, as matrix products of the weight with columns of the image.
 *
 *   y[o, p] = Σ_r w[o, r] columns(x)[r, p],   r = (channel, row, column of the window), p = place of the window
 *
 * Three bilinear operations that are each other's transposes, so that derivatives of any order are made of them: with y = w ∗ x,
 *
 *   x̄ = wᵀ ∗ ȳ (`convolveTransposed`)      w̄ = Σ_images ȳ columns(x)ᵀ (`convolveWeight`)
 *
 * Columns exist for one image at a time. K. Chellapilla, S. Puri, P. Simard, High performance convolutional neural networks for document processing, 2006.
 */
import { matmulBackend } from "./backend/matmul.js";
import { kernels } from "./backend/active.js";
import { commonDtype, isFloat, type TypedArray } from "./dtype.js";
import { DtypeError, OptionError, ShapeError } from "./errors.js";
import { checkOptions } from "./options.js";
import { primitive, type Primitive } from "./primitive.js";
import { heap } from "./region.js";
import { withRules } from "./rule.js";
import { formatShape } from "./shape.js";
import { alias, allocate, arrayOf, recycle, requireTensor, type Tensor } from "./tensor.js";
import { windowOf, within, type Padding, type Pair, type Window } from "./window.js";

/** A window, and how the channels are grouped. */
export interface Convolution extends Window {
  readonly groups: number;
}

/**
 * Copies the image of a group into columns, or adds columns into the image. Elements outside the image are left alone.
 *
 * @param from - first element of the image.
 * @param to - first element of the columns.
 */
const moveColumns = (window: Window, channels: number, image: TypedArray, from: number, columns: TypedArray, to: number, adds: boolean): void => {
  const { size, stride, dilation, before, input, output } = window;
  const ends = Array.from({ length: size[1] }, (_, x) => within(window, 1, x));
  const step = stride[1];
  let at = to;
  for (let channel = 0; channel < channels; channel++)
    for (let y = 0; y < size[0]; y++) {
      const [top, bottom] = within(window, 0, y);
      for (let x = 0; x < size[1]; x++, at += output[0] * output[1]) {
        const [left, right] = ends[x]!;
        for (let o = top; o < bottom; o++) {
          const i = from + (channel * input[0] + o * stride[0] + y * dilation[0] - before[0]) * input[1] + left * step + x * dilation[1] - before[1];
          const c = at + o * output[1] + left;
          const n = right - left;
          if (adds) for (let e = 0; e < n; e++) image[i + e * step] = image[i + e * step]! + columns[c + e]!;
          else if (step === 1) for (let e = 0; e < n; e++) columns[c + e] = image[i + e]!;
          else for (let e = 0; e < n; e++) columns[c + e] = image[i + e * step]!;
        }
      }
    }
};

/** op(A) op(B), by whoever multiplies; sums over images are made in place, by the kernel set alone. */
const product = (a: Tensor, b: Tensor, [m, k, n]: readonly number[], transposed: "a" | "b" | null, out: Tensor, accumulate = false): void => {
  const layout = {
    batch: 1,
    m: m!,
    k: k!,
    n: n!,
    transposeA: transposed === "a",
    transposeB: transposed === "b",
    strideA: 0,
    strideB: 0,
    accumulate,
  };
  if (accumulate || matmulBackend === null || !matmulBackend.multiply(a, b, layout, out)) kernels.matmul(a, b, layout, out);
};

/** A window of one element that stands everywhere: the image is its own columns. */
const isPointwise = ({ size, stride, before, input, output }: Window): boolean =>
  [0, 1].every((i) => size[i] === 1 && stride[i] === 1 && before[i] === 0 && input[i] === output[i]);

/**
 * Runs `body` for each image and group, with room for its columns (null where the image is its own), and the lengths of a product: channels out, rows and places
 * of the columns.
 */
const eachImage = (
  images: number,
  like: Tensor,
  weight: readonly number[],
  window: Convolution,
  body: (columns: Tensor | null, group: number, image: number, result: number, lengths: readonly [number, number, number]) => void,
): void => {
  const { groups, output, size, input } = window;
  const [channelsOut, channels] = [weight[0]! / groups, weight[1]!];
  const [rows, places] = [channels * size[0] * size[1], output[0] * output[1]];
  const columns = isPointwise(window) ? null : allocate([rows, places], like.dtype);
  if (columns !== null) arrayOf(columns).fill(0, columns.offset, columns.offset + columns.size); // what lies outside the image stays 0
  for (let one = 0; one < images * groups; one++)
    body(columns, one % groups, one * channels * input[0] * input[1], one * channelsOut * places, [channelsOut, rows, places]);
  if (columns !== null && columns.region !== heap) recycle(columns);
};

/** The columns `[rows, places]` of an image. */
const columnsOf = (x: Tensor, image: number, columns: Tensor | null, window: Window, channels: number, shape: readonly number[]): Tensor => {
  if (columns === null) return alias(x, shape, image);
  moveColumns(window, channels, arrayOf(x), x.offset + image, arrayOf(columns), columns.offset, false);
  return columns;
};

/** w ∗ x, for images `[b, c, h, w]` and a weight `[o, c / groups, kh, kw]`. */
export const convolve: Primitive<[x: Tensor, weight: Tensor, window: Convolution]> = /* @__PURE__ */ withRules(
  /* @__PURE__ */ primitive("conv2d", (x: Tensor, weight: Tensor, window: Convolution): Tensor => {
    const out = allocate([x.shape[0]!, weight.shape[0]!, ...window.output], x.dtype);
    eachImage(x.shape[0]!, x, weight.shape, window, (columns, group, image, result, [m, k, n]) => {
      const right = columnsOf(x, image, columns, window, weight.shape[1]!, [k, n]);
      product(alias(weight, [m, k], group * m * k), right, [m, k, n], null, alias(out, [m, n], result));
    });
    return out;
  }),
  {
    vjp: [
      (g, _y, _x, weight, window) => convolveTransposed(g, weight, window),
      (g, _y, x, weight, window) => convolveWeight(x, g, weight.shape, window),
      null,
    ],
    jvp: ["linear", "linear", null],
  },
);

/** The transpose of {@link convolve} in x: from `[b, o, h′, w′]` back to images `[b, c, h, w]`. */
export const convolveTransposed: Primitive<[g: Tensor, weight: Tensor, window: Convolution]> = /* @__PURE__ */ withRules(
  /* @__PURE__ */ primitive("convolveTransposed", (g: Tensor, weight: Tensor, window: Convolution): Tensor => {
    const out = allocate([g.shape[0]!, weight.shape[1]! * window.groups, ...window.input], g.dtype);
    arrayOf(out).fill(0, out.offset, out.offset + out.size);
    eachImage(g.shape[0]!, g, weight.shape, window, (columns, group, image, result, [m, k, n]) => {
      const to = columns ?? alias(out, [k, n], image);
      product(alias(weight, [m, k], group * m * k), alias(g, [m, n], result), [k, m, n], "a", to);
      if (columns !== null) moveColumns(window, weight.shape[1]!, arrayOf(out), out.offset + image, arrayOf(columns), columns.offset, true);
    });
    return out;
  }),
  {
    vjp: [(u, _x, _g, weight, window) => convolve(u, weight, window), (u, _x, g, weight, window) => convolveWeight(u, g, weight.shape, window), null],
    jvp: ["linear", "linear", null],
  },
);

/** The transpose of {@link convolve} in the weight: from images and `[b, o, h′, w′]` to a weight of `shape`. Its products are added up in place, so the kernel set makes them: a matmul backend is not asked. */
export const convolveWeight: Primitive<[x: Tensor, g: Tensor, shape: readonly number[], window: Convolution]> = /* @__PURE__ */ withRules(
  /* @__PURE__ */ primitive("convolveWeight", (x: Tensor, g: Tensor, shape: readonly number[], window: Convolution): Tensor => {
    const out = allocate(shape, x.dtype);
    arrayOf(out).fill(0, out.offset, out.offset + out.size);
    eachImage(x.shape[0]!, x, shape, window, (columns, group, image, result, [m, k, n]) => {
      const right = columnsOf(x, image, columns, window, shape[1]!, [k, n]);
      product(alias(g, [m, n], result), right, [m, n, k], "b", alias(out, [m, k], group * m * k), true);
    });
    return out;
  }),
  {
    vjp: [(u, _w, _x, g, _shape, window) => convolveTransposed(g, u, window), (u, _w, x, _g, _shape, window) => convolve(x, u, window), null, null],
    jvp: ["linear", "linear", null, null],
  },
);

/** Options of {@link conv2d}; pairs are height and width. */
export interface Conv2dOptions {
  /** Steps of the window; default 1. */
  readonly stride?: Pair;
  /** Zeros around the image; default "valid", none. "same" gives ⌈length / stride⌉ places. */
  readonly padding?: Padding;
  /** Distance of the window's elements; default 1. */
  readonly dilation?: Pair;
  /** The channels in so many groups, each with its own share of the channels out; default 1. */
  readonly groups?: number;
}

/**
 * Slides filters over images: a correlation, as in all libraries for neural networks.
 *
 * @param x - images `[batch, channels, height, width]`.
 * @param weight - filters `[channels out, channels / groups, window height, window width]`.
 * @returns `[batch, channels out, height′, width′]`.
 * @throws ShapeError when operands do not fit; DtypeError when they are not of one float type; OptionError for an option out of range.
 * @example
 * const edges = conv2d(tensor([[[[0, 0, 1, 1]]]]), tensor([[[[-1, 1]]]]));
 * expectClose(edges, [[[[0, 1, 0]]]]);
 */
export const conv2d = (x: Tensor, weight: Tensor, options: Conv2dOptions = {}): Tensor => {
  checkOptions("conv2d", options, ["stride", "padding", "dilation", "groups"]);
  const { stride = 1, padding = "valid", dilation = 1, groups = 1 } = options;
  requireTensor("conv2d", x);
  requireTensor("conv2d", weight);
  commonDtype("conv2d", x.dtype, weight.dtype);
  if (x.dtype !== weight.dtype || !isFloat(x.dtype))
    throw new DtypeError(`conv2d needs two tensors of one float type, got ${x.dtype} and ${weight.dtype}: convert with cast`);
  if (!Number.isInteger(groups) || groups < 1) throw new OptionError(`conv2d got groups ${groups}: a whole number of at least 1 is needed`);
  const [, channels, height, width] = x.shape;
  const [channelsOut, share, windowHeight, windowWidth] = weight.shape;
  if (x.rank !== 4 || weight.rank !== 4 || channels !== share! * groups || channelsOut! % groups !== 0)
    throw new ShapeError(
      `conv2d got images ${formatShape(x.shape)} and filters ${formatShape(weight.shape)} in ${groups} groups: ` +
        `[b, c, h, w] and [o, c / groups, kh, kw] fit, with o a multiple of groups`,
    );
  const window = windowOf("conv2d", [height!, width!], [windowHeight!, windowWidth!], { stride, padding, dilation });
  return convolve(x, weight, { ...window, groups });
};
