/**
 * @file Steps as the user sees them: with trees for states.
 */
import { unflatten } from "@dydt/tensor";
import { eventful } from "./events.js";
import type { DenseStep, EmbeddedStep, Leaves, Step } from "./step.js";
import type { Resumption } from "./supervision.js";
import type { Time } from "./time.js";

/** A step with its states as trees. */
export type TreeStep<Y, R extends Step> = {
  readonly t0: number;
  readonly t1: number;
  readonly y0: Y;
  /** The state that the solve goes on from. */
  readonly y1: Y;
  /** The numbers of the events that happened in this step, in order. */
  readonly events: readonly number[];
  /** Where the solve stands after this step: as option `resume` of the same call it goes on from here, with the same bits. */
  readonly resume: Resumption;
} & (R extends EmbeddedStep ? { /** The estimated error of y1. */ readonly error: Y } : unknown) &
  (R extends DenseStep ? { /** The state at a time of the step. */ readonly at: (t: Time) => Y } : unknown);

/**
 * A step with trees.
 *
 * @param take - makes the user's leaves of those of the record.
 */
export const treeStep = <Y, R extends Step>(form: Y, step: R, resume: Resumption, take: (leaves: Leaves) => Leaves): TreeStep<Y, R> => {
  const tree = (leaves: Leaves): Y => unflatten(form, take(leaves));
  const events = eventful(step)?.occurrences.map(({ event }) => event) ?? [];
  const record: TreeStep<Y, Step> = { t0: step.t0, t1: step.t1, y0: tree(step.y0), y1: tree(step.y1), events, resume };
  if ("error" in step) Object.defineProperty(record, "error", { get: () => tree((step as unknown as EmbeddedStep).error), enumerable: true });
  if ("at" in step) Object.assign(record, { at: (t: Time) => tree((step as unknown as DenseStep).at(t)) });
  return record as TreeStep<Y, R>;
};
