/**
 * @file Times at which steps must end, and at which the field may jump.
 *
 *   ... → τ − δ → τ → τ + δ → ...,  δ = 2⁻⁵⁰ |τ| in float64
 *
 * Steps of a length that the time barely resolves stand on both sides of τ. So no step but these sees the field on both sides, whichever value it has at τ
 * itself, in either direction of time; and all are ordinary steps, which grids, checkpoints and adjoints repeat. They change the state by rounding only.
 */
import { isTensor, OptionError, type Dtype, type Tensor } from "@dydt/tensor";

/** The times of one solve, with their neighbours. */
export interface DeclaredTimes {
  /** Where steps end, in the direction of the solve, t0 and t1 left out. */
  readonly stops: readonly number[];
  /** Those behind a declared time, where a new stretch begins. */
  readonly beginnings: ReadonlySet<number>;
  /** Whether a step lies between a declared time and its neighbour. */
  readonly isGap: (from: number, to: number) => boolean;
}

/** @throws OptionError for something that is no list of finite numbers; WatchedTensorError for a tensor that somebody differentiates. */
export const checkTimes = (times: readonly number[] | Tensor | undefined): readonly number[] => {
  if (times === undefined) return [];
  const list: unknown = isTensor(times) ? Array.from(times.data) : times; // which refuses a watched one: where f jumps has no derivative here
  if (!Array.isArray(list)) throw new OptionError(`adaptive got times of type ${typeof times}: a list of times is needed`);
  for (const t of list as readonly unknown[])
    if (!Number.isFinite(t)) throw new OptionError(`adaptive got the time ${String(t)}: a finite number is needed`);
  return [...(list as readonly number[])];
};

/** The rounding of float32. */
const single = 1 / 8388608;

/** The declared times that matter to a solve from t0 to t1. */
export const declaredTimes = (times: readonly number[], t0: number, t1: number, dtype: Dtype): DeclaredTimes => {
  const direction = t1 < t0 ? -1 : 1;
  const inside = (t: number) => (t - t0) * direction > 0 && (t1 - t) * direction > 0;
  const resolution = 4 * (dtype === "float32" ? single : Number.EPSILON);
  const stops = new Set<number>();
  const beginnings = new Set<number>();
  const declared = new Set<number>();
  for (const t of times) {
    const gap = resolution * Math.max(Math.abs(t), Math.abs(t1 - t0) / 1024);
    const [before, after] = [t - direction * gap, t + direction * gap];
    for (const stop of [before, t, after]) if (inside(stop)) stops.add(stop);
    if (inside(after)) beginnings.add(after);
    declared.add(t);
  }
  const ordered = [...stops].sort((a, b) => (a - b) * direction);
  const isGap = (from: number, to: number) => (declared.has(from) && beginnings.has(to)) || (declared.has(to) && stops.has(from));
  return { stops: ordered, beginnings, isGap };
};
