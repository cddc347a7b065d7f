/**
 * @file Means over windows of images, and the transpose.
 */
import { DtypeError, ShapeError } from "./errors.js";
import { isFloat } from "./dtype.js";
import { checkOptions } from "./options.js";
import { primitive, type Primitive } from "./primitive.js";
import { withRules } from "./rule.js";
import { formatShape, sizeOf } from "./shape.js";
import { allocate, arrayOf, requireTensor, type Tensor } from "./tensor.js";
import { windowOf, within, type Padding, type Pair, type Window } from "./window.js";

/** Visits each pair of an element of an image and a place whose window holds it, window elements in row-major order. */
const eachPair = (window: Window, images: number, visit: (element: number, place: number) => void): void => {
  const { size, stride, dilation, before, input, output } = window;
  for (let image = 0; image < images; image++)
    for (let y = 0; y < size[0]; y++) {
      const [top, bottom] = within(window, 0, y);
      for (let x = 0; x < size[1]; x++) {
        const [left, right] = within(window, 1, x);
        for (let i = top; i < bottom; i++) {
          const line = (image * input[0] + i * stride[0] + y * dilation[0] - before[0]) * input[1] + x * dilation[1] - before[1];
          const places = (image * output[0] + i) * output[1];
          for (let j = left; j < right; j++) visit(line + j * stride[1], places + j);
        }
      }
    }
};

/** The means, or their transpose; `transposed` gives the other of the two. */
const pooling = /* @__NO_SIDE_EFFECTS__ */ (
  name: string,
  from: "input" | "output",
  to: "input" | "output",
  transposed: () => Primitive<[Tensor, Window]>,
): Primitive<[Tensor, Window]> =>
  withRules(
    primitive(name, (x: Tensor, window: Window): Tensor => {
      const lead = x.shape.slice(0, -2);
      const out = allocate([...lead, ...window[to]], x.dtype);
      const target = arrayOf(out).fill(0, out.offset, out.offset + out.size);
      const source = arrayOf(x);
      const share = 1 / (window.size[0] * window.size[1]);
      const forward = from === "input";
      eachPair(window, sizeOf(lead), (element, place) => {
        target[out.offset + (forward ? place : element)]! += share * source[x.offset + (forward ? element : place)]!;
      });
      return out;
    }),
    { vjp: [(g, _y, _x, window) => transposed()(g, window), null], jvp: ["linear", null] },
  );

/** The mean over each place of a window, zeros around the image counted. */
export const poolMeans: Primitive<[x: Tensor, window: Window]> = pooling("averagePool", "input", "output", () => spreadMeans);
/** Shares each place's number among the elements of its window: the transpose of {@link poolMeans}. */
export const spreadMeans: Primitive<[x: Tensor, window: Window]> = pooling("spreadMeans", "output", "input", () => poolMeans);

/** Options of {@link averagePool}; pairs are height and width. */
export interface PoolOptions {
  /** Steps of the window; default its size. */
  readonly stride?: Pair;
  /** Zeros around the image, counted in the mean; default "valid", none. */
  readonly padding?: Padding;
}

/**
 * The mean over windows of images.
 *
 * @param x - `[..., height, width]`, in most cases `[batch, channels, height, width]`.
 * @param size - of the window: one number, or height and width.
 * @returns `[..., height′, width′]`.
 * @throws ShapeError when the window is larger than the image; DtypeError for integers; OptionError for an option out of range.
 * @example
 * expectClose(averagePool(tensor([[[[1, 2, 3, 4], [5, 6, 7, 8]]]]), 2), [[[[3.5, 5.5]]]]);
 */
export const averagePool = (x: Tensor, size: Pair, options: PoolOptions = {}): Tensor => {
  checkOptions("averagePool", options, ["stride", "padding"]);
  const { stride = size, padding = "valid" } = options;
  requireTensor("averagePool", x);
  if (x.rank < 2) throw new ShapeError(`averagePool got shape ${formatShape(x.shape)}: [..., height, width] is needed`);
  if (!isFloat(x.dtype)) throw new DtypeError(`averagePool got ${x.dtype}: convert it with cast(x, "float64")`);
  return poolMeans(x, windowOf("averagePool", [x.shape[x.rank - 2]!, x.shape[x.rank - 1]!], size, { stride, padding, dilation: 1 }));
};
