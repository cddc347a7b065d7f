/**
 * @file What a solve found.
 *
 * A solution keeps no dense output. `at(t)` takes the steps of the grid again, once, and keeps the state before each; from then on it costs one step.
 */
import { activeRecorders, allocatingIn, heap, inTemporaryRegion, isTensor, OptionError, stack, tensor, unflatten, type Tensor } from "@dydt/tensor";
import { described } from "./arguments.js";
import { replayStep } from "./adjoints/replay.js";
import type { SolveError, Status } from "./errors.js";
import type { Happenings, Outputs } from "./outcome.js";
import type { Problem, SolveStats } from "./problem.js";
import { rowTimes } from "./row-times.js";
import type { SavedValue } from "./settings.js";
import { heapCopies, type DenseStep, type Leaves, type Step } from "./step.js";
import type { Resumption } from "./supervision.js";
import { timeValue, type Time } from "./time.js";

/** When an event happened. */
export interface EventRecord<Y> {
  /** float64 `[n]`, in the direction of the solve; differentiable. */
  readonly times: Tensor;
  /** The states there, before the event changed them: a tree like y0 with a new first axis; differentiable. */
  readonly states: Y;
}

/** What a solve found. All tensors are on the heap and belong to the caller. V is what was saved of a state Y. */
export interface Solution<Y, V = Y> {
  /** The save times that were reached, float64 `[n]`; differentiable where they move with t0, t1, an event, or tensors of saveAt. */
  readonly ts: Tensor;
  /** The states there, a tree like y0 with a new first axis: `[n, ...]`. At the time of events, the state after all of them. */
  readonly ys: V;
  /** The state at t1, or where the solve ended before. */
  readonly y1: Y;
  /** One scalar for each regularizer, in order, unweighted. */
  readonly penalties: readonly Tensor[];
  /** What happened: one entry for each event of the options, in order. */
  readonly events: readonly EventRecord<Y>[];
  /** Every accepted step end, t0 included: `grid(solution)` repeats them. Where several events changed the state at one time, as often as they did. */
  readonly grid: readonly number[];
  /** How it ended. */
  readonly status: Status;
  /** The failure, if it was one. */
  readonly error: SolveError | undefined;
  /** As option `resume` of the same call it goes on from here, with the same bits. */
  readonly resume: Resumption | undefined;
  readonly stats: SolveStats;
  /**
   * The state at a time that the solve went through, by the dense output of the step there; where the method has none, by a step of it to that time.
   *
   * Cost: the first call takes all steps again (no rejected ones) and keeps their states; each further one costs a step, in the same step nothing. While
   * somebody differentiates, a solve for each call, with its derivatives.
   *
   * @throws OptionError for a time outside.
   */
  readonly at: (t: number | Tensor) => Y;
}

/** What a solution is made of. */
export interface Reached {
  readonly outputs: Outputs;
  readonly grid: readonly number[];
  /** Undefined where an adjoint keeps it to itself. */
  readonly happenings: ReadonlyMap<number, Happenings> | undefined;
}

/**
 * Puts a solution together.
 *
 * @param again - solves once more, along the grid, for the state at one time with its derivatives.
 */
export const solutionOf = <Y, R extends Step, V>(
  form: Y,
  problem: Problem<R>,
  { outputs, grid, happenings }: Reached,
  value: SavedValue<V> | undefined,
  again: (t: Time, grid: readonly number[]) => Leaves,
): Solution<Y, V> => {
  const { saves, stats, ending } = problem;
  const { ys, y1, penalties, events } = outputs;
  const times = rowTimes(problem, ys[0]?.shape[0] ?? saves.length, grid, events);
  const plain = happenings === undefined ? undefined : between(problem, grid, happenings);
  const last = grid[grid.length - 1]!;
  return Object.freeze({
    ts: times.some(isTensor) ? allocatingIn(heap, () => stack(times.map((t) => (isTensor(t) ? t : tensor(t))))) : tensor(times as readonly number[]),
    ys: value === undefined ? (unflatten(form, ys) as unknown as V) : value.tree(ys),
    y1: unflatten(form, y1),
    penalties,
    events: events.map(({ times, states }) => ({ times, states: unflatten(form, states) })),
    grid,
    status: ending.status,
    error: ending.error,
    resume: ending.stand,
    stats,
    at: (t: number | Tensor): Y => {
      if (typeof t !== "number" && !isTensor(t)) throw new OptionError(`at got ${described(t)}: a time is needed, as in at(0.5) or at(tensor(0.5))`);
      const time = timeValue(t);
      const [low, high] = grid[0]! <= last ? [grid[0]!, last] : [last, grid[0]!];
      if (!(time >= low && time <= high))
        throw new OptionError(`at got the time ${time}, which is outside what was solved, from ${grid[0]} to ${last}`);
      return unflatten(form, plain === undefined || activeRecorders().length > 0 ? again(t, grid) : plain(time));
    },
  });
};

/** Values of saved states, stacked: what is computed from the states of a solve that is one operation. */
export const valuesOf = <R extends Step, V>(problem: Problem<R>, { outputs: { ys, events }, grid }: Reached, value: SavedValue<V>): Leaves => {
  const rows = rowTimes(problem, ys[0]?.shape[0] ?? 0, grid, events).map((t, i) => value.of(t, ys.map((leaf) => leaf.at(i)))); // prettier-ignore
  const like = rows[0] ?? value.of(problem.saves[0] ?? 0, problem.y0);
  return like.map((leaf, k) => (rows.length === 0 ? leaf.reshape([1, ...leaf.shape]).slice([[0, 0]]) : stack(rows.map((row) => row[k]!))));
};

/** The state between the ends of the steps. */
const between = <R extends Step>(
  problem: Problem<R>,
  times: readonly number[],
  happenings: ReadonlyMap<number, Happenings>,
): ((t: number) => Leaves) => {
  const { solver, term, stats, supervision } = problem;
  const forward = times[times.length - 1]! >= times[0]!;
  interface Before {
    readonly y: Leaves;
    readonly carry: Leaves | undefined;
  }
  let states: Before[] | undefined;
  let present: { readonly j: number; readonly step: Step } | undefined;

  const uncounted = <T>(body: () => T): T => {
    const { evaluations } = stats;
    try {
      return body();
    } finally {
      stats.evaluations = evaluations;
    }
  };

  const all = (): Before[] => {
    const y = supervision.resume?.y ?? problem.y0;
    const carry = solver.carries === "state" ? (supervision.resume?.carry ?? allocatingIn(heap, () => solver.start(term, times[0]!, y))) : undefined;
    const found: Before[] = [{ y, carry }];
    for (let j = 0; j + 1 < times.length; j++)
      inTemporaryRegion("step", () => {
        const step = replayStep({ problem, times, happenings }, j, found[j]!);
        found.push({ y: heapCopies(step.y1), carry: solver.carries === "state" ? heapCopies(step.carry) : undefined });
      });
    return found;
  };

  return (t) => {
    let j = times.findIndex((end) => (forward ? end >= t : end <= t));
    while (j + 1 < times.length && times[j + 1] === t) j++; // after all that happened at this time
    return uncounted(() => {
      states ??= all();
      if (times[j] === t) return heapCopies(states[j]!.y);
      j--;
      const before = states[j]!;
      if (solver.interpolates !== true) {
        const carry = before.carry ?? solver.start(term, times[j]!, before.y);
        return heapCopies(inTemporaryRegion("step", () => heapCopies(solver.step(term, times[j]!, t, before.y, carry).y1)));
      }
      if (present?.j !== j) present = { j, step: allocatingIn(heap, () => replayStep({ problem, times, happenings }, j, before)) };
      return heapCopies((present.step as DenseStep).at(t));
    });
  };
};
