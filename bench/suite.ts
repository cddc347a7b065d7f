/**
 * @file What a suite of measurements is.
 */
import type { Contender, Effort } from "./measure.js";
import type { Peers } from "./peers.js";
import type { Row } from "./report.js";

/** How a suite is run. */
export interface Setting {
  readonly peers: Peers;
  readonly effort: Effort;
  /** Leaves out what takes long. */
  readonly quick: boolean;
}

/** Measures, and gives its rows as it goes. */
export type Suite = (setting: Setting) => AsyncGenerator<Row, void>;

/** Contenders of those libraries that are installed. */
export const present = <C = Contender>(contenders: readonly (C | undefined)[]): readonly C[] =>
  contenders.filter((one): one is C => one !== undefined);

/** The floats of both types, with their names. */
export const floats = ["float32", "float64"] as const;

/** An array of one of both types. */
export const floatArray = (dtype: (typeof floats)[number], values: Iterable<number>): Float32Array | Float64Array =>
  dtype === "float32" ? Float32Array.from(values) : Float64Array.from(values);
