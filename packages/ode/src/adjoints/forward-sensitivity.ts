/**
 * @file Forward sensitivities: the derivatives of the state with respect to each input are carried along, step by step.
 *
 *   sⱼ₊₁ = (∂stepⱼ / ∂y) sⱼ + (∂stepⱼ / ∂p) ṗ for each component of the inputs;  the pullback is the product of the cotangents with the outputs' sensitivities
 *
 * One step's pullback is linear in the cotangents w of its end: w ↦ Aᵀw + g. Put on a tape itself, it gives A s for any number of directions s, one walk each.
 * Nothing is stored but the sensitivities. E. Hairer, S. P. Nørsett, G. Wanner, Solving Ordinary Differential Equations I, 2nd ed., 1993, I.14.
 */
import { SecondDerivativeError, type Cotangent } from "@dydt/autodiff";
import { allocatingIn, checkOptions, createRegion, formatShape, isCarried, isWatched, OptionError, tensor, type Tensor } from "@dydt/tensor";
import type { Adjoint, Differentiated, InputCotangents, OutputCotangents } from "../adjoint.js";
import type { Problem } from "../problem.js";
import type { Leaves, Step } from "../step.js";
import { timeValue } from "../time.js";
import { accounted } from "./account.js";
import { affineMap, inner, unitsOf } from "./affine-map.js";
import { bring, rowOf } from "./cotangents.js";
import { discreteAdjoint } from "./discrete.js";
import { solveForward } from "./forward-run.js";
import { alternating, copies } from "./regions.js";
import { replayOf, replayStep, requireSame, type Replay, type WorkingState } from "./replay.js";
import { reverseStart, reverseStep } from "./taped-step.js";

/** Options of {@link forwardSensitivity}. */
export interface ForwardSensitivityOptions {
  /** The most components of inputs that are followed; default 100. Each costs about as much as the solve. */
  readonly components?: number;
}

/** The inputs y0, captured tensors and times, and which of them are followed. @throws OptionError for more components than allowed. */
const followedOf = (y0: Leaves, extra: readonly Tensor[], isWanted: (x: Tensor) => boolean, most: number) => {
  const inputs = [...y0, ...extra];
  // One tensor may be several of the times: it is one direction, and told once.
  const follows = [...y0.map(isWanted), ...extra.map((x, i) => extra.indexOf(x) === i && isWanted(x))];
  const followed = inputs.filter((_, i) => follows[i]!);
  const count = followed.reduce((total, x) => total + x.size, 0);
  if (count > most)
    throw new OptionError(
      `forwardSensitivity would follow ${count} components (of shapes ${followed.map((x) => formatShape(x.shape)).join(", ")}), more than ${most}: ` +
        `take discreteAdjoint(), whose cost does not depend on their number, or allow more with components: ${count}`,
    );
  return { inputs, follows };
};

const pullForward = <R extends Step>(
  replay: Replay<R>,
  reached: Leaves,
  most: number,
  isWanted: (x: Tensor) => boolean,
  cotangents: OutputCotangents,
  captured: readonly Tensor[],
): InputCotangents => {
  const { problem, times, inputTimes } = replay;
  const { stats, solver, term, t0, y0 } = problem;
  const n = y0.length;
  const extra = [...captured, ...inputTimes];
  const { inputs, follows } = followedOf(y0, extra, isWanted, most);
  const tape = createRegion("tape");
  const kept = alternating("tape");
  const account = {
    stats,
    report: () => ({ advanced: 0, taped: times.length - 1 }),
    close: () => [tape, kept].forEach((one) => one.close()),
  };
  return accounted(account, () => {
    const none = extra.map((): Cotangent => undefined);
    const origin = tensor(0);
    const directions = inputs.flatMap((x, i) => (follows[i]! ? unitsOf(x).map((unit) => inputs.map((_, k) => (k === i ? unit : undefined))) : []));
    const ofInputs = directions.map((direction) => direction.slice(n)); // of captured tensors and times: constant
    /** Of y, the carry and the origin of the segment, for each direction. */
    let states: readonly (readonly Cotangent[])[] = directions.map((direction) => direction.slice(0, n));
    let working: WorkingState = { y: y0, carry: undefined };
    const all = (): readonly (readonly Cotangent[])[] => states.map((state, k) => [...state, ...ofInputs[k]!]);
    const gradient = directions.map(() => 0);
    const collectFrom = (cotangent: readonly Cotangent[]): void => all().forEach((direction, k) => (gradient[k]! += inner(cotangent, direction)));
    /** What the working state and the directions become; what was kept before is released. */
    const advance = (next: () => readonly [WorkingState, typeof states]): void => {
      const [{ y, carry }, made] = allocatingIn(tape, next);
      [working, states] = kept.keep(() => [{ y: copies(y), carry: carry && copies(carry) }, made.map(bring)]);
      tape.reset();
    };

    for (let i = 0; i < replay.firstSave[0]!; i++) collectFrom(rowOf(cotangents.ys, i));
    if (solver.carries === "state")
      advance(() => {
        const carry = solver.start(term, t0, y0);
        const before = { y: y0.map((): Cotangent => undefined), origin: undefined, accumulated: none };
        const { push } = affineMap((w) => {
          const { y, accumulated } = reverseStart(replay, captured, { ...before, carry: w });
          return [...y, ...accumulated];
        }, carry);
        return [{ y: y0, carry }, all().map((direction, k) => [...states[k]!, ...push(direction)])];
      });
    states = states.map((state) => [...state, undefined]);
    for (let j = 0; j + 1 < times.length; j++)
      advance(() => {
        const before = working;
        const c = before.carry?.length ?? 0;
        const after = before.carry === undefined ? undefined : replayStep(replay, j, before);
        let y1: Leaves = [];
        const pullback = (w: readonly Tensor[]): readonly Cotangent[] => {
          const end = { y: w.slice(0, n), carry: w.slice(n, n + c), origin: w[n + c], accumulated: none };
          const reversed = reverseStep(replay, j, before, cotangents, captured, end);
          y1 = reversed.y1;
          return [...reversed.y, ...reversed.carry, reversed.origin, ...reversed.accumulated];
        };
        const { constant, push } = affineMap(pullback, [...before.y, ...(before.carry ?? []), origin]);
        collectFrom(constant);
        return [{ y: after?.y1 ?? y1, carry: after?.carry }, all().map(push)];
      });
    requireSame(working.y, reached, () => `the solve from t = ${times[0]!} gave other numbers when it was run again`);
    collectFrom(cotangents.y1);

    let next = 0;
    const gradients = inputs.map((x, i) => {
      if (!follows[i]!) return undefined;
      return tensor(gradient.slice(next, (next += x.size)), { shape: x.shape }).cast(x.dtype);
    });
    const end = n + captured.length;
    return { y0: gradients.slice(0, n), captured: gradients.slice(n, end), times: gradients.slice(end) };
  });
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
  if (!(typeof components === "number" && components >= 1))
    throw new OptionError(`forwardSensitivity got components = ${components}: a positive number is needed`);
  return Object.freeze({
    name: "forwardSensitivity",
    events: true,
    solve: <R extends Step>(problem: Problem<R>): Differentiated => {
      if (timeValue(problem.t0) === timeValue(problem.t1)) return discreteAdjoint().solve(problem);
      const forward = solveForward(problem);
      const { outputs, times } = forward;
      const replay = replayOf(forward, "step");
      // Captured tensors are those that somebody watches; of y0 and the times it is known while the solve is recorded.
      const unwanted = new Set([...problem.y0, ...replay.inputTimes].filter((x) => !isWatched(x)));
      const isWanted = (x: Tensor): boolean => !unwanted.has(x);
      const pullback = (cotangents: OutputCotangents, captured: readonly Tensor[]): InputCotangents => {
        refuseCarried([...outputs.ys, ...outputs.y1, ...outputs.penalties, ...cotangents.ys, ...cotangents.y1, ...cotangents.penalties]);
        return pullForward(replay, outputs.y1, components, isWanted, cotangents, captured);
      };
      return { outputs, grid: times, pullback };
    },
  } satisfies Adjoint<Step>);
};
