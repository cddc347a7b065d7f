/**
 * @file Series that were observed at different times, as one batch: all times, and a mask for each series.
 *
 * A batch is solved once, with steps for all its rows. The states are saved at the union of the times, and a row counts where its mask says so.
 */
import { elementsOf, OptionError, tensor, type NestedArray, type Tensor } from "@dydt/tensor";
import { described } from "./arguments.js";

/** Times of several series in one list. */
export interface RaggedTimes {
  /** All times, ascending, none twice: for `saveAt`. */
  readonly times: readonly number[];
  /** Which series has which time: bool `[series, times]`. */
  readonly mask: Tensor;
  /**
   * Values of the series at their times as float64 `[series, times, ...]`, 0 where there is none: one number a time, or nested lists of one shape.
   *
   * @throws OptionError for another number of values; ShapeError where they differ in shape.
   */
  readonly place: (values: readonly (readonly NestedArray[])[]) => Tensor;
}

/**
 * The union of the times of several series, with a mask for each.
 *
 * @param series - the times of each, ascending.
 * @throws OptionError for times that are not finite, or not ascending.
 * @example
 * const { times, mask, place } = raggedTimes([[1, 2], [0.5, 2]]);
 * const data = place([[0.37, 0.14], [1.21, 0.27]]);
 * const { ys } = solve((t, y) => y.neg(), tensor([1, 2]), { t0: 0, t1: 2, saveAt: times });
 * const loss = ys.transpose().sub(data).square().mul(mask.cast("float64")).sum();
 * expectClose(loss, 0, { atol: 1e-4 });
 */
export const raggedTimes = (series: readonly (readonly number[])[]): RaggedTimes => {
  requireLists("raggedTimes", series);
  series.forEach((list, i) =>
    list.forEach((t, j) => {
      if (!Number.isFinite(t)) throw new OptionError(`series ${i} has the time ${t}: finite numbers are needed`);
      if (j > 0 && t <= list[j - 1]!) throw new OptionError(`series ${i} has ${t} after ${list[j - 1]}: times must be in order`);
    }),
  );
  const times = [...new Set(series.flat())].sort((a, b) => a - b);
  const column = new Map(times.map((t, j) => [t, j]));
  const shape = [series.length, times.length];
  const mask = new Uint8Array(series.length * times.length);
  series.forEach((list, i) => list.forEach((t) => (mask[i * times.length + column.get(t)!] = 1)));
  return {
    times,
    mask: tensor(mask, { shape, dtype: "bool" }),
    place: (values) => {
      requireLists("place", values, (x) => typeof x === "number" || Array.isArray(x));
      if (values.length !== series.length) throw new OptionError(`there are ${series.length} series, and ${values.length} lists of values`);
      series.forEach((at, i) => {
        const { length } = values[i]!;
        if (length !== at.length) throw new OptionError(`series ${i} has ${at.length} times, and got ${length} values`);
      });
      const all = tensor(values.flat());
      const inner = all.shape.slice(1);
      const size = inner.reduce((product, one) => product * one, 1);
      const placed = new Float64Array(mask.length * size);
      const places = series.flatMap((at, i) => at.map((t) => i * times.length + column.get(t)!));
      places.forEach((place, k) => placed.set(elementsOf(all).subarray(k * size, (k + 1) * size), place * size));
      return tensor(placed, { shape: [...shape, ...inner] });
    },
  };
};

/** @throws OptionError for anything but a list of lists of numbers, or of what else each may be. */
const requireLists = (name: string, value: unknown, isEntry = (x: unknown): boolean => typeof x === "number"): void => {
  if (!Array.isArray(value) || !value.every((list) => Array.isArray(list) && list.every(isEntry)))
    throw new OptionError(`${name} got ${described(value)}: give one list of numbers for each series, as in ${name}([[1, 2], [0.5, 2]])`);
};
