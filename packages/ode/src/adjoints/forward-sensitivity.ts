/**
 * @file Forward sensitivities: the derivatives of the state with respect to each input are carried along, step by step.
 *
 *   sⱼ₊₁ = (∂stepⱼ / ∂y) sⱼ + (∂stepⱼ / ∂p) ṗ for each component of the inputs;  the pullback is the product of the cotangents with the outputs' sensitivities
 *
 * One step's pullback is linear in the cotangents w of its end: w ↦ Aᵀw + g. Put on a tape itself, it gives A s for any number of directions s, one walk each.
 * Nothing is stored but the sensitivities. E. Hairer, S. P. Nørsett, G. Wanner, Solving Ordinary Differential Equations I, 2nd ed., 1993, I.14.
 */
import { SecondDerivativeError, tapeOver, type Cotangent } from "@dydt/autodiff";
import { allocatingIn, checkOptions, copy, createRegion, currentRegion, elementsOf, formatShape, isCarried, isWatched, meterBytes, OptionError, tensor, zerosLike, type Region, type Tensor } from "@dydt/tensor"; // prettier-ignore
import { differentiableTimes, type Adjoint, type Differentiated, type InputCotangents, type OutputCotangents } from "../adjoint.js";
import { begin, type Run } from "../integrate.js";
import { collect, type Collector, type Outputs } from "../outcome.js";
import type { Problem } from "../problem.js";
import type { Step } from "../step.js";
import { timeValue } from "../time.js";
import { discreteAdjoint } from "./discrete.js";
import { replayOf, replayStep, reverseStep, type Replay, type WorkingState } from "./taped-step.js";

/** Options of {@link forwardSensitivity}. */
export interface ForwardSensitivityOptions {
  /** The most components of inputs that are followed; default 100. Each costs about as much as the solve. */
  readonly components?: number;
}

/** One component of the inputs, with the sensitivities of the state and its carry to it. */
interface Direction {
  /** Of y, carry and the origin of the segment. */
  readonly state: readonly Cotangent[];
  /** Of captured tensors and times: constant. */
  readonly inputs: readonly Cotangent[];
}

const inner = (a: readonly Cotangent[], b: readonly Cotangent[]): number =>
  a.reduce((total, x, i) => {
    const y = b[i];
    if (x === undefined || y === undefined) return total;
    const [left, right] = [elementsOf(x), elementsOf(y)];
    let sum = 0;
    for (let k = 0; k < left.length; k++) sum += left[k]! * right[k]!;
    return total + sum;
  }, 0);

/** The unit tensors of the form of x. */
const unitsOf = (x: Tensor): readonly Tensor[] =>
  Array.from({ length: x.size }, (_, k) => {
    const values = new Float64Array(x.size);
    values[k] = 1;
    return tensor(values, { shape: x.shape }).cast(x.dtype);
  });

/** An affine map, ready to be applied the other way round. */
interface Affine {
  /** g; entries that are undefined are zero. */
  readonly constant: readonly Cotangent[];
  /** s ↦ A s. */
  readonly push: (s: readonly Cotangent[]) => readonly Cotangent[];
}

type Pullback = (w: readonly Tensor[]) => readonly Cotangent[];

/** w ↦ Aᵀw + g on a tape. */
const tapedMap = (pullback: Pullback, ends: readonly Tensor[]): Affine => {
  const w = ends.map((end) => zerosLike(end));
  let pulled: readonly Cotangent[] = [];
  const { reverse } = tapeOver(() => (pulled = pullback(w)).filter((part) => part !== undefined), w);
  return { constant: pulled, push: (s) => reverse(s.filter((_, i) => pulled[i] !== undefined)) };
};

/** The same by its columns, one for each component of w: where the pullback cannot be recorded, as at events. */
const columnMap = (pullback: Pullback, ends: readonly Tensor[]): Affine => {
  const zero = ends.map((end) => zerosLike(end));
  const constant = pullback(zero);
  const columns = ends.map((end, i) => unitsOf(end).map((unit) => pullback(zero.map((w, k) => (k === i ? unit : w)))));
  const push = (s: readonly Cotangent[]): readonly Cotangent[] => {
    const base = inner(constant, s);
    return ends.map((end, i) => tensor(columns[i]!.map((column) => inner(column, s) - base), { shape: end.shape }).cast(end.dtype)); // prettier-ignore
  };
  return { constant, push };
};

const pullForward = <R extends Step>(
  replay: Replay<R>,
  most: number,
  isWanted: (x: Tensor) => boolean,
  cotangents: OutputCotangents,
  captured: readonly Tensor[],
): InputCotangents => {
  const { problem, times } = replay;
  const { stats, solver, term, y0 } = problem;
  const isState = solver.carries === "state";
  const times0 = differentiableTimes(problem);
  const extra = [...captured, ...times0];
  // One tensor may be several of the times: it is one direction, and told once.
  const follows = (x: Tensor, i: number): boolean => extra.indexOf(x) === i && isWanted(x);
  const followed = [...y0.filter(isWanted), ...extra.filter(follows)];
  const count = followed.reduce((total, x) => total + x.size, 0);
  if (count > most)
    throw new OptionError(
      `forwardSensitivity would follow ${count} components (of shapes ${followed.map((x) => formatShape(x.shape)).join(", ")}), more than ${most}: ` +
        `take discreteAdjoint(), whose cost does not depend on their number, or allow more with components: ${count}`,
    );
  const before = stats.evaluations;
  const peak = meterBytes();
  const outside = currentRegion();
  const tape = createRegion("tape");
  const pair: readonly [Region, Region] = [createRegion("tape"), createRegion("tape")];
  let which: 0 | 1 = 0;
  const keep = <T>(body: () => T): T => allocatingIn(pair[which], body);
  const none = extra.map((): Cotangent => undefined);
  const origin = tensor(0);

  /** What the directions and the working state become; what was kept before is released. */
  const advance = (next: () => { readonly working: WorkingState; readonly states: readonly (readonly Cotangent[])[] }) => {
    const made = allocatingIn(tape, next);
    which = which === 0 ? 1 : 0;
    pair[which].reset();
    const kept = keep(() => ({
      working: { y: made.working.y.map((leaf) => copy(leaf)), carry: made.working.carry?.map((leaf) => copy(leaf)) },
      states: made.states.map((state) => state.map((part) => (part === undefined ? part : copy(part)))),
    }));
    tape.reset();
    return kept;
  };

  try {
    let directions: readonly Direction[] = [
      ...y0.flatMap((x, i) =>
        (isWanted(x) ? unitsOf(x) : []).map((unit): Direction => ({ state: y0.map((_, k) => (k === i ? unit : undefined)), inputs: none })),
      ),
      ...extra.flatMap((x, i) =>
        (follows(x, i) ? unitsOf(x) : []).map((unit): Direction => ({
          state: y0.map(() => undefined),
          inputs: extra.map((_, k) => (k === i ? unit : undefined)),
        })),
      ),
    ];
    const gradient = directions.map(() => 0);
    const collectFrom = (cotangent: readonly Cotangent[]): void =>
      directions.forEach(({ state, inputs }, k) => (gradient[k]! += inner(cotangent, [...state, ...inputs])));
    for (let i = 0; i < replay.firstSave[0]!; i++) collectFrom(cotangents.ys.map((all) => all?.at(i)));

    let working: WorkingState = { y: y0, carry: undefined };
    if (isState) {
      const kept = advance(() => {
        let carry: readonly Tensor[] = solver.start(term, problem.t0, y0);
        const { push } = tapedMap((w) => {
          const taped = tapeOver(() => (carry = solver.start(term, problem.t0, y0)), [...y0, ...extra]);
          return taped.reverse(w);
        }, carry);
        return { working: { y: y0, carry }, states: directions.map(({ state, inputs }) => [...state, ...push([...state, ...inputs])]) };
      });
      working = kept.working;
      directions = directions.map(({ inputs }, k) => ({ state: kept.states[k]!, inputs }));
    }
    directions = directions.map(({ state, inputs }) => ({ state: [...state, undefined], inputs }));

    for (let j = 0; j + 1 < times.length; j++) {
      const at = working;
      const kept = advance(() => {
        const n = y0.length;
        const c = at.carry?.length ?? 0;
        const after = isState ? replayStep(replay, j, at) : undefined;
        let y1: readonly Tensor[] = [];
        const map = replay.happenings.has(j) ? columnMap : tapedMap;
        const { constant, push } = map(
          (w) => {
            const end = { y: w.slice(0, n), carry: w.slice(n, n + c), origin: w[n + c] };
            const reversed = reverseStep(replay, j, at, cotangents, captured, end, none);
            y1 = reversed.y1;
            return [...reversed.y, ...reversed.carry, reversed.origin, ...reversed.accumulated];
          },
          [...at.y, ...(at.carry ?? []), origin],
        );
        collectFrom(constant);
        return {
          working: { y: after?.y1 ?? y1, carry: after?.carry },
          states: directions.map(({ state, inputs }) => push([...state, ...inputs])),
        };
      });
      working = kept.working;
      directions = directions.map(({ inputs }, k) => ({ state: kept.states[k]!, inputs }));
    }
    collectFrom(cotangents.y1);
    return allocatingIn(outside, () => {
      let next = 0;
      const take = (x: Tensor, wanted: boolean): Cotangent => {
        if (!wanted) return undefined;
        return tensor(gradient.slice(next, (next += x.size)), { shape: x.shape }).cast(x.dtype);
      };
      const ofState = y0.map((x) => take(x, isWanted(x)));
      const ofExtra = extra.map((x, i) => take(x, follows(x, i)));
      return { y0: ofState, captured: ofExtra.slice(0, captured.length), times: ofExtra.slice(captured.length) };
    });
  } finally {
    tape.close();
    pair.forEach((region) => region.close());
    stats.reverse = { advanced: 0, taped: times.length - 1, evaluations: stats.evaluations - before };
    stats.evaluations = before;
    stats.peakBytes = Math.max(stats.peakBytes, peak());
  }
};

/** @throws SecondDerivativeError where a forward mode goes through the pullback, whose products are made of bare numbers. */
const refuseCarried = (tensors: readonly Cotangent[]): void => {
  if (tensors.some((x) => x !== undefined && isCarried(x)))
    throw new SecondDerivativeError(
      "forwardSensitivity can be differentiated only once: its pullback is made of bare numbers. For second derivatives take discreteAdjoint(), and jvp of gradient",
    );
};

/**
 * The exact derivative of the computed solution by forward sensitivities, for few inputs.
 *
 * It agrees with `discreteAdjoint` to rounding, and serves step costs, events and every solver. Memory: the sensitivities of one state, whatever the number of
 * steps. Cost: the solve once more under a tape, and about one solve for each component of the inputs.
 *
 * Not recommended for more than some ten components: take `discreteAdjoint`.
 *
 * @throws OptionError for options that are not known; in the pullback, for more components than allowed.
 * @example
 * const k = tensor(-0.5);
 * const slope = gradient((rate: Tensor) =>
 *   solve((t, y) => y.mul(rate), tensor([1]), { t0: 0, t1: 2, adjoint: forwardSensitivity() }).y1.sum(),
 * )(k);
 * expectClose(slope, 2 * 0.36787944117144233, { rtol: 1e-5 });
 */
export const forwardSensitivity = (options: ForwardSensitivityOptions = {}): Adjoint<Step> => {
  checkOptions("forwardSensitivity", options, ["components"]);
  const { components = 100 } = options;
  if (!(components >= 1)) throw new OptionError(`forwardSensitivity got components = ${components}: a positive number is needed`);
  return Object.freeze({
    name: "forwardSensitivity",
    events: true,
    solve: <R extends Step>(problem: Problem<R>): Differentiated => {
      if (timeValue(problem.t0) === timeValue(problem.t1)) return discreteAdjoint().solve(problem);
      const run: Run<R> = begin(problem, "regions", () => ({ outputs: collector.outputs(), grid: [...collector.times] }));
      const collector: Collector<R> = collect(problem, run.control);
      let outputs: Outputs;
      try {
        for (const step of run.steps) collector.take(step);
        outputs = collector.outputs();
      } finally {
        run.close();
      }
      const replay = replayOf(problem, collector, "step", run.control.tolerances);
      // Captured tensors are those that somebody watches; of y0 and the times it is known while the solve is recorded.
      const unwanted = new Set([...problem.y0, ...differentiableTimes(problem)].filter((x) => !isWatched(x)));
      const isWanted = (x: Tensor): boolean => !unwanted.has(x);
      const pullback = (cotangents: OutputCotangents, captured: readonly Tensor[]): InputCotangents => {
        refuseCarried([...outputs.ys, ...outputs.y1, ...outputs.penalties, ...cotangents.ys, ...cotangents.y1, ...cotangents.penalties]);
        return pullForward(replay, components, isWanted, cotangents, captured);
      };
      return { outputs, grid: collector.times, pullback };
    },
  } satisfies Adjoint<Step>);
};
