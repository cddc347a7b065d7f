/**
 * @file The loop: attempts steps, and yields those that are accepted. It knows nothing of adjoints.
 *
 * Solving is draining it. The solver's own loop keeps two regions and uses them in turn, so that a record may be read until the next but one is made; `integrate`
 * for users makes records on the heap, which own their memory.
 */
import { allocatingIn, createRegion, heap, isRetained, kernels, type Region } from "@dydt/tensor";
import type { Control } from "./controller.js";
import { IncompatibleError, type Attempt } from "./errors.js";
import { maxStepsReached, nonFinite, stepTooSmall, type Circumstances } from "./failure.js";
import type { Problem } from "./problem.js";
import type { Leaves, Step } from "./step.js";
import { timeInSegment, timeValue } from "./time.js";

/** How many attempts a report shows. */
const remembered = 16;

/** A solve under way. */
export interface Run<R extends Step> {
  readonly control: Control<R>;
  /** Every step end where it is known beforehand. */
  readonly times: readonly number[] | undefined;
  /** What the solver carries into the first step. */
  readonly carry: Leaves;
  /** The accepted steps. With "regions" each is valid until the next but one is asked for, and the last two until `close`. */
  readonly steps: Generator<R, void>;
  /** Gives the regions back; called in any case. */
  readonly close: () => void;
}

/** Merges forced times into step ends, in the direction of the solve. */
const merge = (times: readonly number[], stops: readonly number[]): readonly number[] => {
  const forward = times[times.length - 1]! >= times[0]!;
  const all = [...new Set([...times, ...stops])];
  return all.sort((a, b) => (forward ? a - b : b - a));
};

/**
 * Begins a solve.
 *
 * @param place - where records live.
 * @param partial - gives what was reached, for errors.
 */
export const begin = <R extends Step>(problem: Problem<R>, place: "regions" | "heap", partial: () => unknown = () => undefined): Run<R> => {
  const { term, solver, controller, y0 } = problem;
  const t0 = timeValue(problem.t0);
  const t1 = timeValue(problem.t1);
  const stops = problem.stops.map(timeValue);
  const regions: readonly [Region, Region] | undefined = place === "regions" ? [createRegion("step"), createRegion("step")] : undefined;
  const close = (): void => regions?.forEach((region) => region.close());
  // What a recorder keeps is not released before that recorder is: while one watches, steps are made where it is.
  const inRegion = <T>(which: 0 | 1, body: () => T): T => {
    if (regions === undefined) return allocatingIn(heap, body);
    if (isRetained()) return body();
    return allocatingIn(regions[which], body);
  };
  try {
    const carry = inRegion(1, () => (t0 === t1 ? [] : solver.start(term, problem.t0, y0)));
    const control = inRegion(1, () =>
      controller.begin({
        t0,
        t1,
        y0,
        dtype: y0[0]?.dtype ?? "float64",
        errorPower: (solver.errorOrder ?? solver.order) + 1,
        slope: (t, y) => term.slope(t, y),
        firstSlope: solver.carries === "recoverable" && carry.length === y0.length ? carry : undefined,
      }),
    );
    const times = control.kind === "grid" ? merge(control.times, stops) : undefined;
    return { control, times, carry, steps: loop(carry, control, times), close };
  } catch (error) {
    close();
    throw error;
  }

  function* loop(firstCarry: Leaves, control: Control<R>, times: readonly number[] | undefined): Generator<R, void> {
    const direction = t1 < t0 ? -1 : 1;
    const recent: Attempt[] = [];
    const ends = [...stops, t1];
    let t = t0;
    let y = y0;
    let last: R | undefined;
    let which: 0 | 1 = 0;
    let h = control.kind === "adaptive" ? control.first : 0;
    const circumstances = (): Circumstances<R> => ({ problem, t, recent: [...recent], last, solution: partial() });
    while (t !== t1) {
      if (problem.stats.accepted + problem.stats.rejected >= problem.maxSteps) throw maxStepsReached(circumstances());
      while (ends.length > 1 && (ends[0]! - t) * direction <= 0) ends.shift();
      const stop = ends[0]!;
      const proposed = t + direction * h;
      const truncated = control.kind === "grid" || (stop - t) * direction <= h * (1 + 1e-9);
      const end = times !== undefined ? times[problem.stats.accepted + 1]! : truncated ? stop : proposed;
      const carry = last === undefined ? firstCarry : last.carry;
      const own = regions !== undefined && !isRetained() ? regions[which] : undefined;
      own?.reset();
      const record = inRegion(which, () => attempt(t, end, y, carry));
      const verdict = control.kind === "grid" ? undefined : inRegion(which, () => control.judge(requireProperty(record, controller.needs)));
      if (last === undefined) for (const regularizer of problem.regularizers) requireProperty(record, regularizer.needs);
      const finite = record.y1.every((leaf) => kernels.firstNonFinite(leaf) < 0);
      const accepted = finite && (verdict?.accept ?? true);
      recent.push({ t, h: end - t, error: verdict?.error, accepted });
      if (recent.length > remembered) recent.shift();
      if (!accepted) {
        problem.stats.rejected++;
        const broken = !finite || !Number.isFinite(verdict?.error);
        if (verdict === undefined || control.kind === "grid") throw nonFinite(circumstances(), end, y);
        h = Math.min(verdict.h, broken ? 0.2 * Math.abs(end - t) : verdict.h);
        const smallest = control.smallest(t);
        if (h < smallest || t + direction * h === t) throw broken ? nonFinite(circumstances(), end, y) : stepTooSmall(circumstances(), h);
        continue;
      }
      problem.stats.accepted++;
      if (verdict !== undefined) h = truncated ? Math.max(verdict.h, h) : verdict.h;
      [last, y] = [record, record.y1];
      t = end;
      which = which === 0 ? 1 : 0;
      yield record;
    }
  }

  /** A step between numbers; on the heap, where somebody may be recording this loop, with the derivatives of its times. */
  function attempt(from: number, to: number, y: Leaves, carry: Leaves): R {
    if (place === "regions") return solver.step(term, from, to, y, carry);
    const segment = { start: problem.t0, end: problem.t1 };
    return solver.step(term, timeInSegment(from, segment), timeInSegment(to, segment), y, carry);
  }
};

/** @throws IncompatibleError with the sentence of what needs the property. */
const requireProperty = <R extends Step>(record: R, needs: { readonly property: string; readonly otherwise: string } | undefined): R => {
  if (needs !== undefined && !(needs.property in record)) throw new IncompatibleError(needs.otherwise);
  return record;
};
