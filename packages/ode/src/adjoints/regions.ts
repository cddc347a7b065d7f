/**
 * @file Where an adjoint keeps what it needs: from one step to the next, or as long as somebody may call the pullback.
 */
import { allocatingIn, closeWithOwner, copy, createRegion, currentRegion, heap, type Region, type Tensor } from "@dydt/tensor";

/** Copies in the region that is open. */
export const copies = <T extends Tensor | undefined>(leaves: readonly T[]): readonly T[] =>
  leaves.map((leaf) => (leaf === undefined ? leaf : copy(leaf)) as T);

/** Two regions in turn: what was made in one lives until the next but one is begun. */
export const alternating = (kind: "step" | "tape") => {
  const pair: readonly [Region, Region] = [createRegion(kind), createRegion(kind)];
  let which: 0 | 1 = 0;
  const next = (): Region => {
    which = which === 0 ? 1 : 0;
    pair[which].reset();
    return pair[which];
  };
  /** Releases what is older than the newest. */
  const settle = (): void => pair[which === 0 ? 1 : 0].reset();
  return {
    next,
    settle,
    /** What the body makes of what was kept, in the other region; what was kept before is released. */
    keep: <T>(body: () => T): T => {
      const kept = allocatingIn(next(), body);
      settle();
      return kept;
    },
    /** Releases all. */
    clear: (): void => pair.forEach((region) => region.reset()),
    close: (): void => pair.forEach((region) => region.close()),
  };
};

/** A region for what the reverse will need: closed with the region that is open now, which holds the recording it serves, or when `owner` is collected. */
export const keepFor = (owner: object): Region => {
  const region = createRegion("store");
  const home = currentRegion();
  if (home === heap) closeWithOwner(owner, region);
  else home.adopt(region);
  return region;
};
