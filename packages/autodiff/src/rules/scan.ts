/**
 * @file Rules of running sums: in reverse, running sums from the other end.
 */
import { cumsum } from "@dydt/tensor";
import { jvpEntry, vjpEntry, type JvpEntry, type VjpEntry } from "../rule.js";

/** The rules of scan.ts in @dydt/tensor. */
export const scanRules: readonly VjpEntry[] = [vjpEntry(cumsum, (g, _y, _x, axis, reverse = false) => cumsum(g, axis, !reverse), null, null)];

/** The forward rules of scan.ts in @dydt/tensor. */
export const scanTangents = (): readonly JvpEntry[] => [jvpEntry(cumsum, "linear", null, null)];
