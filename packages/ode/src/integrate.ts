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

/** Where steps are made: in one of two places, which are used in turn. */
interface Workshop {
  readonly inPlace: <T>(which: 0 | 1, body: () => T) => T;
  /** Forgets what was made in a place. */
  readonly clear: (which: 0 | 1) => void;
  readonly close: () => void;
}

/** What a recorder keeps is not released before that recorder is: while one watches, steps are made where it is. */
const twoRegions = (): Workshop => {
  const pair: readonly [Region, Region] = [createRegion("step"), createRegion("step")];
  return {
    inPlace: (which, body) => (isRetained() ? body() : allocatingIn(pair[which], body)),
    clear: (which) => {
      if (!isRetained()) pair[which].reset();
    },
    close: () => pair.forEach((region) => region.close()),
  };
};

const onHeap = (): Workshop => ({ inPlace: (_, body) => allocatingIn(heap, body), clear: () => undefined, close: () => undefined });

/** Merges forced times into step ends, in the direction of the solve. */
const merge = (times: readonly number[], stops: readonly number[], direction: number): readonly number[] =>
  stops.length === 0 ? times : [...new Set([...times, ...stops])].sort((a, b) => (a - b) * direction);

/**
 * Begins a solve.
 *
 * @param place - where records live.
 * @param partial - gives what was reached, for errors.
 */
export const begin = <R extends Step>(problem: Problem<R>, place: "regions" | "heap", partial: () => unknown = () => undefined): Run<R> => {
  const { term, solver, controller, y0, stats, maxSteps } = problem;
  const t0 = timeValue(problem.t0);
  const t1 = timeValue(problem.t1);
  const direction = t1 < t0 ? -1 : 1;
  const stops = problem.stops.map(timeValue);
  const workshop = place === "regions" ? twoRegions() : onHeap();
  const recent: Attempt[] = [];
  let last: R | undefined;
  let resolved = t0;
  let longest = 0;
  try {
    const carry = workshop.inPlace(1, () => (t0 === t1 ? [] : solver.start(term, problem.t0, y0)));
    const setup = {
      t0,
      t1,
      y0,
      dtype: y0[0]?.dtype ?? "float64",
      errorPower: (solver.errorOrder ?? solver.order) + 1,
      slope: (t: number, y: Leaves) => term.slope(t, y),
      firstSlope: solver.carries === "recoverable" && carry.length === y0.length ? carry : undefined,
    } as const;
    const control = workshop.inPlace(1, () => controller.begin(setup));
    const times = control.kind === "grid" ? merge(control.times, stops, direction) : undefined;
    return { control, times, carry, steps: times === undefined ? adaptively(carry, control) : along(times, carry), close: workshop.close };
  } catch (error) {
    workshop.close();
    throw error;
  }

  function remember(attempted: Attempt): void {
    recent.push(attempted);
    if (recent.length > remembered) recent.shift();
  }

  /** What is known when the solve fails at t. */
  function at(t: number): Circumstances<R> {
    return { problem, t, recent: [...recent], last, resolved, solution: partial() };
  }

  /** A step between numbers; on the heap, where somebody may be recording this loop, with the derivatives of its times. */
  function attempt(which: 0 | 1, from: number, to: number, y: Leaves, carry: Leaves): R {
    if (stats.accepted + stats.rejected >= maxSteps) throw maxStepsReached(at(from));
    workshop.clear(which);
    const record = workshop.inPlace(which, () => {
      if (place === "regions") return solver.step(term, from, to, y, carry);
      const segment = { start: problem.t0, end: problem.t1 };
      return solver.step(term, timeInSegment(from, segment), timeInSegment(to, segment), y, carry);
    });
    if (last === undefined) for (const { needs } of [controller, ...problem.regularizers]) requireProperty(record, needs);
    return record;
  }

  /** Steps whose ends are known. */
  function* along(times: readonly number[], firstCarry: Leaves): Generator<R, void> {
    for (let n = 0; n + 1 < times.length; n++) {
      const [from, to] = [times[n]!, times[n + 1]!];
      const y: Leaves = last?.y1 ?? y0;
      const record = attempt(n % 2 === 0 ? 0 : 1, from, to, y, last?.carry ?? firstCarry);
      remember({ t: from, h: to - from, error: undefined, accepted: isFinite(record.y1) });
      if (!isFinite(record.y1)) throw nonFinite(at(from), to, y);
      stats.accepted++;
      last = record;
      yield record;
    }
  }

  /** Steps as long as the controller says, ending at forced times. */
  function* adaptively(firstCarry: Leaves, control: Control<R>): Generator<R, void> {
    if (control.kind !== "adaptive") return;
    const ends = [...new Set(stops.filter((stop) => stop !== t0 && stop !== t1)), t1];
    let t = t0;
    let h = control.first;
    let which: 0 | 1 = 0;
    while (t !== t1) {
      const y: Leaves = last?.y1 ?? y0;
      const end = ends[0]!;
      const cut = (end - t) * direction <= h * (1 + 1e-9); // no sliver of a step is left over
      const to = cut ? end : t + direction * h;
      const record = attempt(which, t, to, y, last?.carry ?? firstCarry);
      const { accept, h: proposed, error } = workshop.inPlace(which, () => control.judge(record));
      // A step may not lead to where the next one cannot begin.
      const finite = Number.isFinite(error) && isFinite(record.y1) && (!accept || to === t1 || isFinite(record.carry));
      remember({ t, h: to - t, error, accepted: accept && finite });
      if (accept && finite) {
        stats.accepted++;
        longest = Math.max(longest, Math.abs(to - t));
        if (Math.abs(to - t) > 1e-5 * longest) resolved = to;
        h = cut ? Math.max(proposed, h) : proposed;
        t = to;
        last = record;
        which = which === 0 ? 1 : 0;
        if (cut) ends.shift();
        yield record;
        continue;
      }
      stats.rejected++;
      h = finite ? proposed : Math.min(proposed, 0.2 * Math.abs(to - t));
      if (h < control.smallest(t) || t + direction * h === t) throw finite ? stepTooSmall(at(t), h) : nonFinite(at(t), to, y);
    }
  }
};

const isFinite = (y: Leaves): boolean => y.every((leaf) => kernels.firstNonFinite(leaf) < 0);

/** @throws IncompatibleError with the sentence of what needs the property. */
const requireProperty = (record: Step, needs: { readonly property: string; readonly otherwise: string } | undefined): void => {
  if (needs !== undefined && !(needs.property in record)) throw new IncompatibleError(needs.otherwise);
};
