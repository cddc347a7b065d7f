/**
 * @file Checkpoints of two kinds under one budget: a state takes one unit, stages with the state they lead to take l.
 *
 * The fewest executions of steps beyond one sweep over m steps, with s units, that of the state before them included:
 *
 *   P(s, m) = min { min_k k + P(s, k) + P(s − 1, m − k),             keep state k
 *                   min_k (k − 1) + P(s, k − 1) + P(s − l, m − k) }  keep the stages of step k, k counted from 1
 *   P(1, m) = m (m − 1) / 2
 *
 * and at the very beginning the better of P(s, n), with the initial state kept, and P(s − l + 1, n − 1), with the stages of the first step in its place.
 * H. Zhang, E. Constantinescu, Optimal checkpointing for adjoint of multistage time-stepping schemes, ACM TOMS 49(4), 2023: its recursion for methods
 * whose stages give the next state (here they always do).
 */
import { checkOptions, OptionError } from "@dydt/tensor";
import { requireWhole, type Action, type Schedule } from "./schedule.js";
import { fused } from "./stages.js";

/** The budget of {@link cams}. */
export interface CamsOptions {
  /** How much may be kept at a time, in units of one state, the initial one included. */
  readonly units: number;
  /** What stages take, in the same units, the state they lead to included; at least 1. */
  readonly stages: number;
}

interface Choice {
  readonly cost: number;
  /** After how many steps something is kept; undefined to run to the end, and come back for the rest. */
  readonly keep?: { readonly after: number; readonly what: "state" | "stages" };
}

/**
 * Reverses a chain with states and stages kept under one budget, with the fewest executions of steps.
 *
 * Its table costs O(units · steps²) operations and is made once for each number of steps: meant for up to some thousand steps.
 *
 * @param options - the budget in units of one state, and what stages take: for an explicit method of s stages s + 1, one less where the last is the next first.
 * @returns a schedule that keeps stages.
 * @throws OptionError for options that are unknown or no whole numbers, at least 1.
 * @example
 * const { advanced, taped } = interpretSchedule(cams({ units: 30, stages: 4 }), 50);
 * if (advanced + taped - 50 !== 42) throw new Error("not the optimum");
 */
export const cams = (options: CamsOptions): Schedule => {
  checkOptions("cams", options, ["units", "stages"]);
  if ((options as unknown) === undefined)
    throw new OptionError("cams needs { units, stages }: the budget in states, and what the stages of a step take");
  const { units, stages } = options;
  requireWhole(units, 1, "the number of units of cams");
  requireWhole(stages, 1, "the number of units that stages take");
  const choose = optimum(stages);
  const schedule = function* (steps: number): Generator<Action> {
    requireWhole(steps, 0, "the number of steps to be reversed");
    if (steps > 0) yield* fused(begin(steps));
  };

  function* begin(steps: number): Generator<Action> {
    if (units < stages || choose(units, steps).cost <= choose(units - stages + 1, steps - 1).cost) {
      yield { do: "store", state: 0 };
      yield* stretch(0, steps, units);
      yield { do: "release", state: 0 };
      return;
    }
    yield { do: "advance", from: 0, to: 1 };
    if (steps > 1) {
      yield { do: "store", state: 1, what: "stages" };
      yield* stretch(1, steps, units - stages + 1);
      yield { do: "restore", state: 1 };
    }
    yield { do: "reverse", step: 0 };
    if (steps > 1) yield { do: "release", state: 1 };
  }

  /** Reverses the steps from `low` up to `high`; state `low` is stored, one of the units, and the working state. */
  function* stretch(low: number, high: number, free: number): Generator<Action> {
    for (let end = high; end > low;) {
      const { keep } = choose(free, end - low);
      if (keep === undefined) {
        yield { do: "advance", from: low, to: end };
        yield { do: "reverse", step: --end };
      } else {
        const state = low + keep.after;
        yield { do: "advance", from: low, to: state };
        yield { do: "store", state, what: keep.what };
        yield* stretch(state, end, keep.what === "stages" ? free - stages : free - 1);
        if (keep.what === "stages") {
          yield { do: "restore", state };
          yield { do: "reverse", step: state - 1 };
        }
        yield { do: "release", state };
        end = keep.what === "stages" ? state - 1 : state;
      }
      if (end > low) yield { do: "restore", state: low };
    }
  }
  return Object.assign(schedule, { keepsStages: true });
};

/** P and where it is attained, as a growing table. */
const optimum = (stages: number): ((units: number, steps: number) => Choice) => {
  const table: Choice[][] = [];
  const fewest = (units: number, steps: number): Choice => {
    const row = (table[units] ??= []);
    for (let m = row.length; m <= steps; m++) row.push(m < 2 ? { cost: 0 } : best(units, m, row));
    return row[steps]!;
  };
  const best = (units: number, m: number, row: readonly Choice[]): Choice => {
    let choice: Choice = { cost: m - 1 + row[m - 1]!.cost };
    if (units > 1) fewest(units - 1, m);
    if (units > stages) fewest(units - stages, m);
    for (let k = 1; k < m; k++) {
      const state = units > 1 ? k + row[k]!.cost + table[units - 1]![m - k]!.cost : Infinity;
      if (state < choice.cost) choice = { cost: state, keep: { after: k, what: "state" } };
      const ofStages = units > stages ? k - 1 + row[k - 1]!.cost + table[units - stages]![m - k]!.cost : Infinity;
      if (ofStages < choice.cost) choice = { cost: ofStages, keep: { after: k, what: "stages" } };
    }
    return choice;
  };
  return fewest;
};
