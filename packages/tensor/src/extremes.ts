/**
 * @file Where the extrema are: the first of equals, and NaN before all others, as in NumPy.
 */
import { ShapeError } from "./errors.js";
import { checkOptions } from "./options.js";
import { primitive } from "./primitive.js";
import { blocksOf, formatShape, normalizeAxis } from "./shape.js";
import { allocate, arrayOf, requireTensor, type Tensor } from "./tensor.js";

/** The axis to search, and whether it stays as an axis of length 1 (default false). */
export interface ExtremeOptions {
  /** Default: all elements, row by row. */
  readonly axis?: number;
  readonly keepDims?: boolean;
}

const extreme = (name: string, better: (candidate: number, best: number) => boolean) =>
  primitive(name, (x: Tensor, options?: ExtremeOptions): Tensor => {
    requireTensor(name, x);
    checkOptions(name, options, ["axis", "keepDims"]);
    const { axis, keepDims = false } = options ?? {};
    const which = axis === undefined ? 0 : normalizeAxis(name, axis, x.rank);
    const shape = axis === undefined ? [x.size] : x.shape;
    const { outer, length, inner } = blocksOf(shape, which);
    if (length === 0 && outer * inner > 0) throw new ShapeError(`${name} of no elements: a tensor of shape ${formatShape(x.shape)} is empty there`);
    const searched = (i: number): boolean => axis === undefined || i === which;
    const out = allocate(keepDims ? x.shape.map((size, i) => (searched(i) ? 1 : size)) : x.shape.filter((_, i) => !searched(i)), "int32");
    const from = arrayOf(x);
    const to = arrayOf(out);
    for (let o = 0; o < outer; o++)
      for (let i = 0; i < inner; i++) {
        const start = x.offset + o * length * inner + i;
        let found = 0;
        let best = from[start]!;
        for (let k = 1; k < length && best === best; k++) {
          const candidate = from[start + k * inner]!;
          if (candidate === candidate && !better(candidate, best)) continue;
          found = k;
          best = candidate;
        }
        to[out.offset + o * inner + i] = found;
      }
    return out;
  });

/**
 * Index of the largest element as int32: the first of equals, or of the NaNs.
 *
 * @param options - `axis`, all elements row by row unless given; `keepDims`, default false.
 * @throws ShapeError for no elements.
 * @example
 * expectClose(argMax(tensor([[1, 5, 5], [7, 2, 0]]), { axis: 1 }), [1, 0]);
 */
export const argMax = extreme("argMax", (candidate, best) => candidate > best);

/**
 * Index of the smallest element as int32: the first of equals, or of the NaNs.
 *
 * @param options - as those of {@link argMax}.
 * @throws ShapeError for no elements.
 * @example
 * expectClose(argMin(tensor([3, 1, 2, 1])), 1);
 */
export const argMin = extreme("argMin", (candidate, best) => candidate < best);
