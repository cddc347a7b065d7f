/**
 * @file `solveAsync`: a solve that lets others have their turn.
 */
import { activeRecorders, DydtError, type Tensor, type TreeOf } from "@dydt/tensor";
import { prepare } from "./solve.js";
import type { DefaultStep, SolveOptions } from "./settings.js";
import type { Reached, Solution } from "./solution.js";
import type { Step } from "./step.js";
import { now } from "./supervision.js";

/** How long a solve keeps the event loop to itself, in milliseconds: a frame of a screen. */
const turn = 16;

/** Waits for a turn of the event loop: a macrotask, since promises alone would starve timers, input and drawing. */
const nextTurn = (): Promise<void> =>
  new Promise((resolve) => {
    if (typeof setImmediate === "function") return void setImmediate(resolve);
    if (typeof MessageChannel !== "function") return void setTimeout(resolve, 0);
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });

/**
 * {@link solve} for long solves in a program that must go on meanwhile: between steps it gives way to the event loop every 16 ms, so that timers, input and the
 * option `signal` are heard. The numbers are those of `solve`, bit for bit.
 *
 * It cannot be differentiated: a derivative is recorded in one synchronous call.
 *
 * @param f - the field, as for `solve`.
 * @param y0 - the initial state.
 * @param options - those of `solve`.
 * @returns a promise of the solution; it is rejected with what `solve` throws.
 * @throws DydtError at once, when it is called while somebody differentiates.
 * @example
 * const { y1 } = await solveAsync((t, y) => y.neg(), tensor([1]), { t0: 0, t1: 1, timeLimit: 10_000 });
 * expectClose(y1, [0.36787944117144233], { rtol: 1e-5 });
 */
export const solveAsync = <Y, R extends Step = DefaultStep, V = Y>(
  f: (t: Tensor, y: Y) => NoInfer<Y>,
  y0: Y & TreeOf<Y>,
  options: SolveOptions<R, NoInfer<Y>, V>,
): Promise<Solution<Y, V>> => {
  if (activeRecorders().length > 0)
    throw new DydtError(
      "solveAsync was called while a derivative is being recorded, which ends with this call: use solve(...) inside gradient, vjp and the like",
    );
  return gently<Y, R, V>(f, y0, options);
};

const gently = async <Y, R extends Step, V>(f: (t: Tensor, y: Y) => Y, y0: Y, options: SolveOptions<R, Y, V>): Promise<Solution<Y, V>> => {
  const { stepwise, finish, failed } = prepare<Y, R, V>(f, y0, options);
  let reached: Reached;
  try {
    const running = stepwise();
    let since = now();
    for (;;) {
      const { done, value } = running.next();
      if (done === true) {
        reached = value;
        break;
      }
      if (now() - since < turn) continue;
      await nextTurn();
      since = now();
    }
  } catch (error) {
    throw failed(error);
  }
  return finish(reached);
};
