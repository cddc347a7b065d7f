/**
 * @file Binomial checkpointing over two levels: a few states in memory, more on a slow one.
 *
 * The actions are those of `revolve` with the slots of both levels, so that the advances are the fewest possible. Stored states are a stack; how often each place
 * of it is written and read follows from the schedule alone, and the places that are used most are put into memory.
 * P. Stumm, A. Walther, MultiStage approaches for optimal offline checkpointing, SIAM J. Sci. Comput. 31(3), 2009, 1946–1967.
 */
import { checkOptions, OptionError } from "@dydt/tensor";
import { revolve } from "./revolve.js";
import { requireWhole, type Action, type Level, type Schedule } from "./schedule.js";
import { memoryStorage, type CheckpointStorage } from "./storage.js";

/** How many states are kept where. */
export interface MultistageOptions {
  /** States in memory at a time. */
  readonly ram: number;
  /** States on the slow level at a time, and what holds them; a number alone for {@link memoryStorage}. */
  readonly slow: number | { readonly slots: number; readonly storage?: CheckpointStorage };
}

/**
 * Reverses a chain with `ram` stored states in memory and further ones on a slow level, the initial state included, with the fewest advances possible.
 *
 * Cost: `advances(steps, ram + slow)` advances. The states used least lie on the slow level. What lies there is not counted in `peakBytes`.
 * Where the number of steps is not known beforehand, the chain is swept a second time.
 *
 * @param options - whole numbers of slots, at least one in all; for files or the like give `slow: { slots, storage }`.
 * @returns a schedule; its `store` actions say the level.
 * @throws OptionError for options that are unknown or no whole numbers.
 * @example
 * const slow = [...multistage({ ram: 1, slow: 2 })(20)].filter((action) => action.do === "store" && action.level === "slow");
 * const all = [...multistage({ ram: 1, slow: 2 })(20)].filter((action) => action.do === "store");
 * if (slow.length >= all.length / 2) throw new Error("the slow level is used most");
 */
export const multistage = (options: MultistageOptions): Schedule => {
  checkOptions("multistage", options, ["ram", "slow"]);
  if ((options as unknown) === undefined)
    throw new OptionError("multistage needs { ram, slow }: how many states are kept in memory and on the slow level");
  const { ram, slow } = options;
  if (typeof slow === "object" && slow !== null) checkOptions("multistage: slow", slow, ["slots", "storage"]);
  const slowSlots = typeof slow === "object" && slow !== null ? slow.slots : slow;
  const storage = (typeof slow === "object" && slow !== null ? slow.storage : undefined) ?? memoryStorage();
  requireWhole(ram, 0, "the number of slots in memory of multistage");
  requireWhole(slowSlots, 0, "the number of slow slots of multistage");
  if (ram + slowSlots < 1) throw new OptionError("multistage needs one slot at least, for the initial state: ram + slow ≥ 1");
  if (["put", "get", "delete"].some((name) => typeof (storage as unknown as Record<string, unknown>)[name] !== "function"))
    throw new OptionError("multistage got a storage without put, get and delete: see CheckpointStorage, or leave it out for memoryStorage()");

  const schedule = function* (steps: number): Generator<Action> {
    const sequence = revolve(ram + slowSlots);
    const levels = levelsOf(sequence(steps), ram);
    let depth = 0;
    for (const action of sequence(steps)) {
      if (action.do === "release") depth--;
      yield action.do === "store" ? { ...action, level: levels[depth++]! } : action;
    }
  };
  const wider = (): Schedule => multistage({ ram: ram + 1, slow: { slots: slowSlots, storage } });
  return Object.assign(schedule, { wider, storage });
};

/** The level of each place of the stack: the `ram` places that are written and read most often are in memory, of equal ones the newest. */
const levelsOf = (actions: Iterable<Action>, ram: number): readonly Level[] => {
  const uses: number[] = [];
  let depth = 0;
  for (const action of actions) {
    if (action.do === "store") uses[depth] = (uses[depth++] ?? 0) + 1;
    else if (action.do === "restore")
      uses[depth - 1]! += 1; // the newest of the stack
    else if (action.do === "release") depth--;
  }
  const byUse = uses.map((_, place) => place).sort((a, b) => uses[b]! - uses[a]! || b - a);
  const fast = new Set(byUse.slice(0, ram));
  return uses.map((_, place) => (fast.has(place) ? "ram" : "slow"));
};
