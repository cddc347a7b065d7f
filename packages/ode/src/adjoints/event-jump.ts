/**
 * @file What the adjoint equation does at an event: the costate jumps.
 *
 *   τ = t + δ,  y⁻ = y + δ f(t, y),  g(τ, y⁻) = 0,  y⁺ = c(τ, y⁻),  and after it, at the fixed time t:  y⁺ − δ f(t, y⁺)
 *   a⁻ = c_yᵀ a⁺ − [(a⁺·(c_y f⁻ + c_t) − a⁺·f⁺ + τ̄) / ġ] g_yᵀ,  ġ = g_t + g_y f⁻;  p̄ likewise with c_p and g_p
 *
 * The map from y at a fixed time is put on a tape at δ = 0; with dδ = −dg / ġ two walks back through it give the formula.
 * M. A. Aizerman, F. R. Gantmacher, Determination of Stability by Linear Approximation of a Periodic Solution, 1958.
 */
import { tapeOver, type Cotangent } from "@dydt/autodiff";
import { tensor, zerosLike, type Tensor } from "@dydt/tensor";
import { EventError } from "../errors.js";
import type { Problem } from "../problem.js";
import type { Leaves, Step } from "../step.js";
import { plus } from "./cotangents.js";
import type { Mark } from "./forward-run.js";

/** Cotangents before an event. */
export interface Jumped {
  readonly costate: readonly Cotangent[];
  /** Of the parameters, to be added to what is there. */
  readonly params: readonly Cotangent[];
}

/**
 * Pulls the costate back through an event.
 *
 * @param y - the state there, before it is changed.
 * @param costate - after the event; of the end state, where the solve ended here.
 * @param time - cotangent of the time of the event.
 * @param state - cotangents of the state that was noted.
 */
export const jumpBack = <R extends Step>(
  { events, term }: Problem<R>,
  { event, t, changes, terminal }: Mark,
  y: Leaves,
  params: readonly Tensor[],
  costate: readonly Cotangent[],
  time: Cotangent,
  state: readonly Cotangent[],
): Jumped => {
  const { when, then } = events[event]!;
  const delta = tensor(0);
  const { outputs, reverse } = tapeOver(() => {
    const at = delta.add(t);
    const before = term.combine(y, [1], [term.slope(t, y)], delta);
    const noted = before.map((leaf) => leaf.mul(1));
    const residual = when(at, before);
    if (!changes && !terminal) return [residual, at, ...noted];
    const after = typeof then === "function" ? then(at, before) : before;
    // Where the solve ended, its end state is what it was at the event; where it went on, what it would have been at the fixed time.
    const result = terminal ? after : term.combine(after, [1], [term.slope(t, after)], delta.neg());
    return [residual, at, ...noted, ...result];
  }, [...y, ...params, delta]);
  const n = y.length;
  const residual = outputs[0]!;
  const none = new Array<Cotangent>(n).fill(undefined);
  const through = changes || terminal;
  const direct = reverse([undefined, time, ...state, ...(through ? costate : [])]);
  const implicit = reverse([tensor(1, { dtype: residual.dtype }).reshape(residual.shape), undefined, ...none, ...(through ? none : [])]);
  const last = n + params.length;
  const rate = implicit[last]?.item() ?? 0;
  const moved = direct[last];
  if (moved !== undefined && rate === 0)
    throw new EventError(`event ${event} at t = ${t} touches zero without crossing it (its rate of change is 0): its time has no derivative`);
  const pulled = [...y, ...params].map((x, i): Cotangent => {
    const [a, b] = [direct[i], implicit[i]];
    if (moved === undefined || b === undefined) return a;
    const shift = b.mul(moved.div(-rate).cast(b.dtype));
    return (a ?? zerosLike(x)).add(shift);
  });
  return {
    costate: pulled.slice(0, n).map((part, i) => (through ? part : plus(costate[i], part))),
    params: pulled.slice(n),
  };
};
