/**
 * @file Where steps are made: in one of two places, which are used in turn.
 *
 * The solver's own loop keeps two regions, so that a record may be read until the next but one is made; `integrate` for users makes records on the heap.
 * What a recorder keeps is not released before that recorder is: while one watches, steps are made where it is.
 */
import { allocatingIn, createRegion, isRetained, type Region } from "@dydt/tensor";

/** One place or the other. */
export type Place = 0 | 1;

/** Two places for steps. */
export interface Workshop {
  readonly inPlace: <T>(which: Place, body: () => T) => T;
  /** Forgets what was made in a place. */
  readonly clear: (which: Place) => void;
  readonly close: () => void;
}

/** Two regions in turn. */
export const twoRegions = (): Workshop => {
  const pair: readonly [Region, Region] = [createRegion("step"), createRegion("step")];
  return {
    inPlace: (which, body) => (isRetained() ? body() : allocatingIn(pair[which], body)),
    clear: (which) => {
      if (!isRetained()) pair[which].reset();
    },
    close: () => pair.forEach((region) => region.close()),
  };
};

/** One region of somebody else's, such as the heap, where nothing is forgotten. */
export const inOneRegion = (region: Region): Workshop => ({
  inPlace: (_, body) => allocatingIn(region, body),
  clear: () => undefined,
  close: () => undefined,
});
