/**
 * @file Controllers whose steps are known beforehand: equal lengths, a number of steps, a list of times, the steps of another solve.
 */
import { isTensor, OptionError, type Tensor } from "@dydt/tensor";
import type { Controller, ControlSetup } from "../controller.js";
import type { Step } from "../step.js";

const given = (name: string, times: (t0: number, t1: number) => readonly number[]): Controller<Step> =>
  Object.freeze({ name, begin: ({ t0, t1 }: ControlSetup) => ({ kind: "grid" as const, times: times(t0, t1) }) });

/**
 * n steps of equal length.
 *
 * @param n - at least 1.
 * @throws OptionError for anything else.
 * @example
 * const { y1 } = solve((t, y) => y.neg(), tensor([1]), { t0: 0, t1: 1, solver: rk4(), controller: fixedSteps(20) });
 * expectClose(y1, [0.36787944117144233], { rtol: 1e-6 });
 */
export const fixedSteps = (n: number): Controller<Step> => {
  if (!Number.isInteger(n) || n < 1) throw new OptionError(`fixedSteps needs a positive whole number, got ${n}`);
  return given(`fixedSteps(${n})`, (t0, t1) => {
    if (t0 === t1) return [t0];
    const h = (t1 - t0) / n;
    return Array.from({ length: n + 1 }, (_, j) => (j === n ? t1 : t0 + j * h));
  });
};

/**
 * Steps of length h; the last one is shortened to end at t1.
 *
 * @param h - positive, also for a solve backward in time.
 * @throws OptionError for anything else.
 * @example
 * const { y1, stats } = solve((t, y) => y.neg(), tensor([1]), { t0: 0, t1: 1, solver: rk4(), controller: fixed(0.3) });
 * expectClose(y1, [0.36787944117144233], { rtol: 1e-3 });
 * expectClose(tensor(stats.accepted), 4);
 */
export const fixed = (h: number): Controller<Step> => {
  if (!(h > 0) || h === Infinity) throw new OptionError(`fixed needs a positive step length, got ${h}`);
  return given(`fixed(${h})`, (t0, t1) => {
    const count = Math.ceil((Math.abs(t1 - t0) / h) * (1 - 1e-12)); // a remainder by rounding is no step of its own
    const signed = t1 < t0 ? -h : h;
    return Array.from({ length: count + 1 }, (_, j) => (j === count ? t1 : t0 + j * signed));
  });
};

/**
 * Steps that end at given times, or at those of another solve.
 *
 * @param times - every step end, t0 and t1 included, in the direction of the solve; or a solution, whose accepted steps are repeated.
 * @throws OptionError when they are not in order, or do not begin at t0 and end at t1.
 * @example
 * const { y1 } = solve((t, y) => y.neg(), tensor([1]), { t0: 0, t1: 1, solver: rk4(), controller: grid([0, 0.1, 0.3, 0.6, 1]) });
 * expectClose(y1, [0.36787944117144233], { rtol: 1e-3 });
 */
export const grid = (times: readonly number[] | Tensor | { readonly grid: readonly number[] }): Controller<Step> => {
  const list = isTensor(times) ? Array.from(times.data) : "grid" in times ? times.grid : [...times];
  return given("grid", (t0, t1) => {
    const forward = t1 >= t0;
    list.forEach((t, j) => {
      if (!Number.isFinite(t)) throw new OptionError(`grid got the time ${t} at place ${j}`);
      if (j > 0 && (forward ? t <= list[j - 1]! : t >= list[j - 1]!))
        throw new OptionError(`grid got times that are not in the order of the solve: ${list[j - 1]} before ${t}`);
    });
    if (list[0] !== t0 || list[list.length - 1] !== t1)
      throw new OptionError(
        `grid got times from ${list[0]} to ${list[list.length - 1]} for a solve from ${t0} to ${t1}: both ends belong to the list`,
      );
    return list;
  });
};
