/**
 * @file Who watches: recorders are told of every primitive that is applied while they are active.
 *
 * A tape is a recorder; so are the forward modes and the discovery of captured tensors. Tensors know nothing of them but a slot number for each.
 * Every recorder has an epoch, a number never used twice, so that marks of a recorder that is gone mean nothing.
 */
import type { Tensor } from "./tensor.js";
import { allocatingIn, createRegion, currentRegion, synchronous, type Region } from "./region.js";

/** What was applied: a primitive, or a node with a pullback of its own. Recorders know it by identity. */
export interface Operation {
  /** Name for messages. */
  readonly op: string;
}

/** What a forward mode carries along with the tensors, and so through nodes as well: it looks at what they compute, never at their pullbacks. */
export interface SeesThrough {
  /** What goes along with this tensor: its tangent, or its Taylor coefficients; nothing where they are zero. */
  readonly carried: (x: Tensor) => readonly Tensor[];
  /** The highest derivative that is carried. */
  readonly order: number;
}

/** Somebody who is told what is computed. */
export interface Recorder {
  /** Marks on tensors carry this number. */
  readonly epoch: number;
  /** Whether it keeps the tensors it is told of, so that their memory must live as long as it does. */
  readonly retains: boolean;
  /** Of forward modes. Recorders without it see a node as one operation, and are told of nothing inside. */
  readonly seesThrough?: SeesThrough;
  /** Whether derivatives flow through this tensor. */
  readonly watches: (x: Tensor) => boolean;
  /** Told after every operation. `args` are those of the call: tensors, lists of tensors, and constants. */
  readonly record: (operation: Operation, args: readonly unknown[], output: Tensor | readonly Tensor[]) => void;
}

const none: readonly Recorder[] = [];
let recorders: readonly Recorder[] = none;
let lastEpoch = 0;
/** Few at a time, and the last begun is mostly the first to end. */
const liveEpochs: number[] = [];

/** The recorders that are active in this synchronous call, outermost first. */
export const activeRecorders = (): readonly Recorder[] => recorders;

/** Makes these the active recorders and returns those that were; the caller puts them back. */
export const exchangeRecorders = (watching: readonly Recorder[]): readonly Recorder[] => {
  const saved = recorders;
  recorders = watching;
  return saved;
};

/** Nobody. */
export const noRecorders = none;

/** Runs `body` with exactly these recorders; an empty list means that nobody watches. */
export const recordingWith = <T>(watching: readonly Recorder[], body: () => T): T => {
  const saved = exchangeRecorders(watching);
  try {
    return body();
  } finally {
    recorders = saved;
  }
};

/** Runs `body` while nobody watches. */
export const unrecorded = <T>(body: () => T): T => recordingWith(none, body);

/** A new epoch; its marks count until {@link endEpoch}. */
export const beginEpoch = (): number => {
  liveEpochs.push(++lastEpoch);
  return lastEpoch;
};

/** Ends an epoch: its marks may be overwritten. */
export const endEpoch = (epoch: number): void => {
  const at = liveEpochs.lastIndexOf(epoch);
  if (at === liveEpochs.length - 1) liveEpochs.pop();
  else if (at >= 0) liveEpochs.splice(at, 1);
};

/** Whether marks of this epoch still count. */
export const isLive = (epoch: number): boolean => liveEpochs.includes(epoch);

/** Whether a derivative flows through `x` for anybody who is watching now. */
export const isWatched = (x: Tensor): boolean => {
  for (let i = 0; i < recorders.length; i++) if (recorders[i]!.watches(x)) return true;
  return false;
};

/** Whether a forward mode that is active carries something along with `x`. */
export const isCarried = (x: Tensor): boolean => {
  for (let i = 0; i < recorders.length; i++) if (recorders[i]!.seesThrough !== undefined && recorders[i]!.watches(x)) return true;
  return false;
};

/** All that the forward modes that are active carry along with `x`, and with what they carry. */
export const carriedAlong = (x: Tensor): readonly Tensor[] =>
  recorders.flatMap(({ seesThrough }) => seesThrough?.carried(x).flatMap((along) => [along, ...carriedAlong(along)]) ?? []);

/** Whether what is computed now is kept by a recorder, so that it may not be released before that recorder. */
export const isRetained = (): boolean => {
  for (let i = 0; i < recorders.length; i++) if (recorders[i]!.retains) return true;
  return false;
};

const idle: Readonly<Record<"step" | "tape", Region[]>> = { step: [], tape: [] };

/**
 * Runs `body` in a region that lasts only for this call, and closes it. What a recorder keeps is not released before that recorder:
 * while one that retains is active, `body` simply runs where it is.
 *
 * @param body - gets the region outside, for copying its results out.
 */
export const inTemporaryRegion = <T>(kind: "step" | "tape", body: (outside: Region) => T): T => {
  const outside = currentRegion();
  if (isRetained()) return synchronous(body(outside));
  const region = idle[kind].pop() ?? createRegion(kind);
  try {
    return allocatingIn(region, () => body(outside));
  } finally {
    region.reset();
    if (idle[kind].length < 8) idle[kind].push(region);
    else region.close();
  }
};
