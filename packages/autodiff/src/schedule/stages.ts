/**
 * @file Schedules that keep stages: a stored state carries the stages of the step that ended there, from which that step is reversed without being run.
 *
 * For steps that are reversed at their end instead of their beginning, state i stands for step i − 1, and the initial state for none. So a schedule for n + 1 steps
 * of the plain kind, which reverses "at" the states n, …, 0, is one for n steps of this kind, and as many slots go further: the initial state needs no stages
 * and is kept by the caller anyway. The fewest executions of steps for n steps and c slots beside it are t(n + 1, c + 1), t as in revolve.ts: the closed form of
 *
 *   E(m, s) = min { m + E(m − 1, s),  min_k k + E(m − k, s − 1) + E(k − 1, s) }        E(n, c) − n of them beyond the forward sweep.
 *
 * H. Zhang, W. Zhao, PNODE, 2022 (arXiv 2206.01298), prop. 1, is for an initial state that is not kept.
 */
import { actionsOf, requireSchedule, requireWhole, type Action, type OnlineSchedule, type Schedule } from "./schedule.js";

/**
 * The form of a schedule for chains that keep stages: its slots hold a state and the stages of the step before it, and the initial state is free.
 *
 * For `revolve(5)` and 100 steps: 184 executions of steps beyond the forward sweep, taped ones included, in place of 317.
 *
 * @param schedule - any schedule; one that keeps stages already is returned itself. Of one without a `wider` form the initial state takes a slot.
 * @returns a schedule with `keepsStages`.
 * @throws OptionError for what is no schedule.
 * @example
 * const { advanced, taped } = interpretSchedule(withStages(revolve(5)), 100);
 * if (advanced + taped - 100 !== 184) throw new Error("not the optimum");
 */
export const withStages = (schedule: Schedule): Schedule => {
  requireSchedule(schedule, "withStages");
  if (schedule.keepsStages === true) return schedule;
  const plain = schedule.wider?.() ?? schedule;
  const online = plain.online;
  const stages = function* (steps: number): Generator<Action> {
    requireWhole(steps, 0, "the number of steps to be reversed");
    if (steps > 0) yield* fused(atEnds(actionsOf(plain, steps + 1)));
  };
  return Object.assign(stages, {
    keepsStages: true,
    wider: () => withStages(plain),
    ...(plain.storage === undefined ? {} : { storage: plain.storage }),
    ...(online === undefined ? {} : { online: () => onlineAtEnds(online()) }),
  });
};

const onlineAtEnds = ({ reached, finish }: OnlineSchedule): OnlineSchedule => {
  let begun = false;
  return {
    keepsStages: true,
    reached: (state) => {
      begun = true;
      return atEnds(reached(state));
    },
    // Where the chain ends where it began, its only state was reached, and may be stored.
    finish: (steps) => (begun ? fused(atEnds(finish(steps + 1))) : []),
  };
};

/** What reverses "at" a state, for the step that ended there. */
function* atEnds(actions: Iterable<Action>): Generator<Action> {
  let held: Action | undefined; // a restore, until it is known what for
  for (const action of actions) {
    const before = held;
    held = undefined;
    if (action.do === "reverse" && action.step === 0) continue; // no step ended at the initial state
    if (before !== undefined) yield before;
    if (action.do === "restore") held = action;
    else if (action.do === "reverse") yield { do: "reverse", step: action.step - 1 };
    else yield action.do === "store" && action.state > 0 ? { ...action, what: "stages" } : action;
  }
}

/**
 * After the first sweep, a step that is run to be reversed at once is run under the tape: the advance to its end is one to its beginning.
 * In the first sweep it has been run anyway, and its stages are at hand.
 */
export function* fused(actions: Iterable<Action>): Generator<Action> {
  let held: { readonly do: "advance"; readonly from: number; readonly to: number } | undefined;
  let swept = false;
  for (const action of actions) {
    const before = held;
    held = undefined;
    if (before !== undefined) {
      if (!(swept && action.do === "reverse")) yield before;
      else if (before.from < before.to - 1) yield { do: "advance", from: before.from, to: before.to - 1 };
    }
    if (action.do === "advance") held = action;
    else yield action;
    swept ||= action.do === "reverse";
  }
}
