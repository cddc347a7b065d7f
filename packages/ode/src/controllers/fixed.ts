/**
 * @file Controllers whose steps are known beforehand: equal lengths, a number of steps, a list of times, the steps of another solve.
 */
import { isTensor, OptionError, type Tensor } from "@dydt/tensor";
import { described, has } from "../arguments.js";
import type { Controller, ControlSetup } from "../controller.js";
import type { Step } from "../step.js";

const given = (name: string, times: (setup: ControlSetup) => readonly number[]): Controller<Step> =>
  Object.freeze({ name, begin: (setup: ControlSetup) => ({ kind: "grid" as const, times: times(setup) }) });

/** More numbers than a list can hold are no list. */
const longestList = 1e8;

/** Ends of steps of length h, `count` of them: only those that the solve can reach, from where it stands to one step beyond the last that is allowed. */
const ends = (name: string, h: number, count: number, { t0, t1, reach }: ControlSetup): readonly number[] => {
  // One before the place is no harm, and division may be off by a rounding.
  const first = reach === undefined || reach.from === t0 ? 0 : Math.max(0, Math.floor((reach.from - t0) / h) - 1);
  const last = Math.min(count, first + 3 + (reach?.steps ?? count));
  if (last - first > longestList) throw new OptionError(`${name} would take ${count} steps: take longer ones, or adaptive()`);
  const times: number[] = [];
  for (let j = first; j <= last; j++) {
    const t = j === count ? t1 : t0 + j * h;
    if (j > first && t === times[j - first - 1])
      throw new OptionError(`${name} makes no way from t = ${t} to ${t1}: steps of ${Math.abs(h)} are lost in rounding`);
    times.push(t);
  }
  return times;
};

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
  if (!Number.isInteger(n) || n < 1) throw new OptionError(`fixedSteps needs a positive whole number, got ${described(n)}`);
  const name = `fixedSteps(${n})`;
  return given(name, (setup) => (setup.t0 === setup.t1 ? [setup.t0] : ends(name, (setup.t1 - setup.t0) / n, n, setup)));
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
  if (typeof h !== "number" || !(h > 0) || h === Infinity)
    throw new OptionError(`fixed needs a positive step length, as in fixed(0.1), got ${described(h)}`);
  const name = `fixed(${h})`;
  return given(name, (setup) => {
    const { t0, t1 } = setup;
    const count = Math.ceil((Math.abs(t1 - t0) / h) * (1 - 1e-12)); // a remainder by rounding is no step of its own
    return ends(name, t1 < t0 ? -h : h, count, setup);
  });
};

/**
 * Steps that end at given times, or at those of another solve.
 *
 * @param times - every step end, t0 and t1 included, in the direction of the solve; or a solution, whose accepted steps are repeated.
 * @throws OptionError for no list of numbers, or when they are not in order, or do not begin at t0 and end at t1.
 * @example
 * const { y1 } = solve((t, y) => y.neg(), tensor([1]), { t0: 0, t1: 1, solver: rk4(), controller: grid([0, 0.1, 0.3, 0.6, 1]) });
 * expectClose(y1, [0.36787944117144233], { rtol: 1e-3 });
 */
export const grid = (times: readonly number[] | Tensor | { readonly grid: readonly number[] }): Controller<Step> => {
  const list = listOf(times);
  return given("grid", ({ t0, t1 }) => {
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

/** The times of `grid`, as a list of its own. */
const listOf = (times: unknown): readonly number[] => {
  if (isTensor(times) && times.rank === 1) return Array.from(times.data); // which refuses a watched one: a grid has no derivative
  const list: unknown = has(times, "grid") ? times.grid : times;
  if (!Array.isArray(list) || !list.every((t) => typeof t === "number"))
    throw new OptionError(`grid got ${described(times)}: give a list of numbers as in grid([0, 0.5, 1]), a 1-D tensor, or a solution`);
  // Where events happened at the same time, a solution has steps of length zero: there is nothing of them to repeat.
  return list === times ? [...list] : list.filter((t, j) => t !== list[j - 1]);
};
