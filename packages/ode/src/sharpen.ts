/**
 * @file The same solve with some eight times as many steps: given ones are cut, and tolerances fall by that power of eight which the error estimate falls by.
 */
import { power } from "@dydt/tensor";
import { strictest } from "./adjoints/backward.js";
import type { Control, Controller, ControlSetup } from "./controller.js";
import { adaptive } from "./controllers/adaptive.js";
import type { Step } from "./step.js";

const pieces = 8;

/** Below these, rounding decides. */
const least = { float64: 1e-12, float32: 1e-6 } as const;

const cut = (times: readonly number[]): readonly number[] =>
  times.flatMap((t, j) => {
    const next = times[j + 1];
    return next === undefined ? [t] : Array.from({ length: pieces }, (_, i) => t + (i / pieces) * (next - t));
  });

/** A controller that takes shorter steps than the given one. */
export const sharpened = <R extends Step>(controller: Controller<R>): Controller<R> => ({
  ...controller,
  begin: (setup: ControlSetup): Control<R> => {
    const control = controller.begin(setup);
    if (control.kind === "grid") return { ...control, times: cut(control.times) };
    const { rtol, atol } = strictest(control.tolerances);
    const factor = power(pieces, -setup.errorPower);
    const lowest = least[setup.dtype === "float32" ? "float32" : "float64"];
    const lower = (tolerance: number): number => (tolerance === 0 ? 0 : Math.min(tolerance, Math.max(tolerance * factor, lowest)));
    const sharper = adaptive({ ...(rtol !== undefined && { rtol: lower(rtol) }), ...(atol !== undefined && { atol: lower(atol) }) });
    return (sharper as unknown as Controller<R>).begin(setup);
  },
});
