/**
 * @file The last attempts at a step, for reports. They are noted in place: most solves are never asked for them.
 */
import type { Attempt } from "./errors.js";

/** How many a report shows. */
const remembered = 16;

/** The last attempts of a solve. */
export interface Attempts {
  /** In the order of places; after the newest comes the oldest. */
  readonly ring: { -readonly [Key in keyof Attempt]: Attempt[Key] }[];
  /** The place of the next one. */
  next: number;
}

/** No attempts. */
export const noAttempts = (): Attempts => ({ ring: [], next: 0 });

/** Notes an attempt, in the place of the oldest. */
export const noteAttempt = (
  attempts: Attempts,
  t: number,
  h: number,
  error: number | undefined,
  accepted: boolean,
  component: number | undefined,
  outside: boolean,
): void => {
  const { ring, next } = attempts;
  attempts.next = next + 1 === remembered ? 0 : next + 1;
  if (next === ring.length) {
    ring.push({ t, h, error, accepted, component, outside });
    return;
  }
  const place = ring[next]!;
  place.t = t;
  place.h = h;
  place.error = error;
  place.accepted = accepted;
  place.component = component;
  place.outside = outside;
};

/** The attempts, oldest first. */
export const attemptsSoFar = ({ ring, next }: Attempts): readonly Attempt[] =>
  (ring.length < remembered ? ring : [...ring.slice(next), ...ring.slice(0, next)]).map((attempt) => ({ ...attempt }));
