/**
 * @file What a pullback took, for the statistics of its solve.
 */
import { meterBytes } from "@dydt/tensor";
import type { MutableStats, ReverseStats } from "../problem.js";

/** What there is to say of a pullback. */
export interface Account {
  readonly stats: MutableStats;
  /** Bytes that the forward solve left for it; default 0. */
  readonly held?: number;
  /** All but the evaluations, when it is done. */
  readonly report: () => Omit<ReverseStats, "evaluations">;
  /** Gives back the memory that the body has used. */
  readonly close: () => void;
}

/** Runs the body of a pullback. Its evaluations of f are none of the forward solve's. */
export const accounted = <T>({ stats, held = 0, report, close }: Account, body: () => T): T => {
  const before = stats.evaluations;
  const peak = meterBytes();
  try {
    return body();
  } finally {
    close();
    stats.reverse = { ...report(), evaluations: stats.evaluations - before };
    stats.evaluations = before;
    stats.peakBytes = Math.max(stats.peakBytes, held + peak());
  }
};
