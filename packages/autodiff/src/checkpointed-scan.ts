/**
 * @file A chain of steps as one operation, reversed under a checkpoint schedule: a recurrent network, an optimisation loop.
 *
 *   s_{i+1} = step(s_i, i);  back:  (s̄_i, p̄) ← (∂step / ∂(s_i, p))ᵀ s̄_{i+1},  one step under a tape at a time
 *
 * Everything that `step` closes over and somebody watches is found, and gets its derivative. States come back by the schedule, so that memory grows with its
 * slots and not with the number of steps.
 */
import {
  allocatingIn, copy, createRegion, currentRegion, DydtError, elementsOf, formatShape, heap, identity, inTemporaryRegion, isFloat, isRetained, leavesLike, leavesOf, OptionError, sameShape,
  ShapeError, synchronous, unflatten, activeRecorders, type Region, type Tensor, type TreeOf,
} from "@dydt/tensor"; // prettier-ignore
import { node } from "./node.js";
import type { Cotangent } from "./rule.js";
import { execute, type Chain } from "./schedule/execute.js";
import { requireWhole, type Schedule } from "./schedule/schedule.js";
import { slowLevel } from "./schedule/slow-level.js";
import { storeAll } from "./schedule/store-all.js";
import { tapeOver } from "./vjp.js";

type Leaves = readonly Tensor[];

/** A step of a scan gave other numbers when it was run again: its gradient would be wrong. */
export class ScanReplayError extends DydtError {
  override readonly name = "ScanReplayError";
}

/**
 * Applies a step `n` times. For whoever differentiates, all of it is one operation, whose derivative runs the steps again as the schedule says.
 *
 * The gradient has the same bits under every schedule. In reverse it can be differentiated once; forward modes see through it, as for Hessian-vector products.
 * Memory for the reverse: the schedule's states and the tape of one step. Cost: each step once under a tape, and the schedule's advances.
 *
 * @param step - from a state and the number of the step, 0 to n − 1, to the next state, of the same form, shapes and types. It must be a function of these and of
 * tensors that it closes over.
 * @param state - the first state: a tensor, or a tree of tensors. Integers and masks are carried along and have no derivative.
 * @param n - how many steps; at least 0.
 * @param schedule - which states are kept; default `storeAll()`.
 * @returns the last state.
 * @throws OptionError when `n` is not a whole number or `schedule` no schedule of states; ShapeError when a step returns another form or shape;
 * the pullback ScanReplayError when a step that is run again gives other bits.
 * @example
 * // A recurrent network over 50 inputs, with 5 states kept.
 * const inputs = random(0).normal([50, 3]);
 * const start = { w: random(1).normal([4, 4]).mul(0.3), u: random(2).normal([3, 4]), b: zeros([4]) };
 * const loss = (p: typeof start) =>
 *   checkpointedScan((h: Tensor, i) => h.matmul(p.w).add(inputs.at(i).matmul(p.u)).add(p.b).tanh(), zeros([4]), 50, revolve(5)).square().sum();
 * const plain = (p: typeof start) => {
 *   let h = zeros([4]);
 *   for (let i = 0; i < 50; i++) h = h.matmul(p.w).add(inputs.at(i).matmul(p.u)).add(p.b).tanh();
 *   return h.square().sum();
 * };
 * expectClose(gradient(loss)(start).w, gradient(plain)(start).w, { rtol: 1e-10 });
 */
export const checkpointedScan = <S>(
  step: (state: S, i: number) => NoInfer<S>,
  state: S & TreeOf<S>,
  n: number,
  schedule: Schedule = storeAll(),
): S => {
  requireWhole(n, 0, "the number of steps of checkpointedScan");
  if (typeof step !== "function") throw new OptionError(`checkpointedScan needs a step (state, i) => state, got ${typeof step}`);
  if (typeof schedule !== "function") throw new OptionError("checkpointedScan needs a schedule: storeAll(), revolve(slots), online(slots), ...");
  if (schedule.keepsStages === true)
    throw new OptionError("checkpointedScan got a schedule that keeps stages, and its steps have none: use revolve(slots)");
  const form: S = state;
  // Under headers of their own: a step that closes over the first state as well has two ways in for derivatives.
  const first = leavesOf(state).map((leaf) => identity(leaf));
  const run = (leaves: Leaves, i: number): Leaves => checkNext(leavesLike(form, synchronous(step(unflatten(form, leaves), i))), leaves, i);
  const outputs = node(
    "checkpointedScan",
    first,
    () => {
      const scan = createScan(run, first, n, schedule);
      return { outputs: scan.forward(), pullback: scan.pullback };
    },
    { mayRunOpenly: true, secondDerivatives },
  );
  return unflatten(form, outputs);
};

const secondDerivatives =
  "For second derivatives use jvp of gradient, as hessianVectorProduct does, or a loop of your own over checkpoint(step), whose reverse is recorded";

/** @throws ShapeError when a state does not look like the one before. */
const checkNext = (next: Leaves, before: Leaves, i: number): Leaves => {
  next.forEach(({ shape, dtype }, k) => {
    const was = before[k]!;
    if (!sameShape(shape, was.shape) || dtype !== was.dtype)
      throw new ShapeError(
        `step ${i} of checkpointedScan made ${dtype} ${formatShape(shape)} of ${was.dtype} ${formatShape(was.shape)}: a state keeps its shapes and types`,
      );
  });
  return next;
};

/** @throws ScanReplayError when a state that was computed again has other bits. */
const requireSame = (again: Leaves, before: Leaves, i: number): void =>
  again.forEach((leaf, k) => {
    const [a, b] = [elementsOf(leaf), elementsOf(before[k]!)];
    for (let e = 0; e < a.length; e++)
      if (!Object.is(a[e], b[e]))
        throw new ScanReplayError(
          `step ${i} of checkpointedScan gave other numbers when it was run again (${a[e]} instead of ${b[e]}, element ${e} of ${formatShape(leaf.shape)}): ` +
            `it must be a function of the state, its number and what it closes over; draw random numbers before, and close over them`,
        );
  });

/** The chain of one call: its forward pass, and its pullback, which may be called any number of times. */
const createScan = (run: (leaves: Leaves, i: number) => Leaves, first: Leaves, n: number, schedule: Schedule) => {
  const floats = first.flatMap(({ dtype }, k) => (isFloat(dtype) ? [k] : []));
  const stored = new Map<number, Leaves>();
  const slow = slowLevel(schedule.storage);
  let working = first;
  let end = first;
  let reverse: (i: number) => void = () => undefined;
  const advance = (i: number): void => {
    working = inTemporaryRegion("step", () => onHeap(run(working, i)));
  };
  const chain: Chain = {
    store: (state, _, level) => void (level === "slow" ? slow.store(state, working) : stored.set(state, working)),
    restore: (state) => {
      working = stored.get(state) ?? slow.restore(state);
    },
    release: (state) => {
      stored.delete(state);
      slow.release(state);
    },
    advance: (from, to) => {
      for (let i = from; i < to; i++) advance(i);
    },
    reverse: (step) => reverse(step),
  };
  /** Reverses with what was stored in the forward pass; once. */
  let prepared: (() => void) | undefined;

  return {
    forward: (): Leaves => {
      // Nobody who sees one operation: all are followed one by one, or none.
      const openly = isRetained() || activeRecorders().every(({ seesThrough }) => seesThrough !== undefined);
      if (openly || n === 0) chain.advance(0, n);
      else {
        const execution = execute(schedule, n, chain);
        execution.forward();
        const beforeLast = working;
        prepared = () => {
          working = beforeLast;
          execution.finish();
        };
        advance(n - 1);
      }
      end = working;
      return end;
    },
    pullback: (cotangents: readonly Cotangent[], captured: Leaves): readonly Cotangent[] => {
      const outside = currentRegion();
      const tape = createRegion("tape");
      const costates: readonly [Region, Region] = [createRegion("tape"), createRegion("tape")];
      let costate: readonly Cotangent[] = cotangents; // of the state
      let accumulated: readonly Cotangent[] = captured.map(() => undefined);
      let after = end;
      reverse = (i) => {
        const watched = floats.map((k) => identity(working[k]!));
        const leaves = working.map((leaf, k) => watched[floats.indexOf(k)] ?? leaf);
        const region = costates[i % 2 === 0 ? 0 : 1];
        const pulled = allocatingIn(tape, () => {
          const { outputs, reverse: back } = tapeOver(() => run(leaves, i), [...watched, ...captured]);
          requireSame(outputs, after, i);
          return back(costate, [...watched.map(() => undefined), ...accumulated]);
        });
        // Two regions in turn: what came in lies in the other one, and is copied where it is handed on.
        const kept = allocatingIn(region, () => pulled.map((cotangent) => cotangent && copy(cotangent)));
        after = leaves;
        costate = first.map((_, k) => kept[floats.indexOf(k)]);
        accumulated = kept.slice(floats.length);
        tape.reset();
        costates[i % 2 === 0 ? 1 : 0].reset();
      };
      try {
        const again = prepared;
        prepared = undefined;
        if (again !== undefined) again();
        else {
          working = first;
          execute(schedule, n, chain).finish();
        }
        return allocatingIn(outside, () => [...costate, ...accumulated].map((cotangent) => cotangent && copy(cotangent)));
      } finally {
        for (const region of [tape, ...costates]) region.close();
        stored.clear();
        slow.close();
        working = first;
      }
    },
  };
};

const onHeap = (leaves: Leaves): Leaves => allocatingIn(heap, () => leaves.map((leaf) => copy(leaf)));
