/**
 * @file The values that an interpolant goes through, collected while the solve goes forward: at Chebyshev–Lobatto points of each stretch between save times.
 */
import { allocatingIn, recycle, scope, type Region } from "@dydt/tensor";
import type { Tolerances } from "../controller.js";
import { eventful, wholeOf } from "../events.js";
import type { Problem } from "../problem.js";
import type { DenseStep, Leaves, Step } from "../step.js";
import { inOrder, timeValue } from "../time.js";
import { strictest } from "./backward.js";
import { chebyshevCoefficients, chebyshevPoints } from "./chebyshev.js";
import { largestOf } from "./cotangents.js";
import { copies } from "./regions.js";

/** The finest grid of the automatic choice, and those that it contains. */
const finest = 33;
const nested = [3, 5, 9, 17, 33];

/** The values of one stretch in the order of the solve, and where they lie. */
export interface Stretch {
  readonly points: readonly number[];
  readonly values: readonly Leaves[];
  /** Whether the coefficients decay far enough; not where it was given up, of which there are both ends and the first value only. */
  readonly resolved: boolean;
}

/** As few of the values as the tolerances allow: Σ |cₖ| of what is left out is the error of the rest. */
const thin = ({ points, values }: Stretch, { rtol = 1e-6, atol = 1e-9 }: { readonly rtol?: number; readonly atol?: number }): Stretch =>
  scope(() => {
    const size = values.reduce((most, value) => Math.max(most, largestOf(value)), 0);
    const sizes = chebyshevCoefficients(values).map((coefficient) => largestOf(coefficient) / (atol + rtol * size));
    const tail = (n: number): number => sizes.slice(n).reduce((a, b) => a + b, 0);
    // Of the finest grid there is no rest: its own last coefficients say whether it is fine enough.
    const enough = nested.find((n) => (n === finest ? Math.max(...sizes.slice(-2)) : tail(n)) <= 1);
    const stride = (finest - 1) / ((enough ?? finest) - 1);
    const some = <T>(list: readonly T[]): readonly T[] => list.filter((_, j) => j % stride === 0);
    values.forEach((value, j) => j % stride !== 0 && value.forEach((leaf) => recycle(leaf)));
    return { points: some(points), values: some(values), resolved: enough !== undefined };
  });

/** The ends of the stretches: t₀, save times, t₁. */
const endsOf = <R extends Step>({ t0, t1, saves }: Problem<R>): readonly number[] => [
  ...new Set([timeValue(t0), ...saves.map(timeValue), timeValue(t1)]),
];

/**
 * Collects the values at the points of each stretch while the solve goes forward; one that an event ends is given up.
 *
 * @param nodes - of each stretch; as many as it needs unless given.
 */
export const collectValues = <R extends Step>(problem: Problem<R>, nodes: number | undefined, region: Region) => {
  const count = nodes ?? finest;
  const ends = endsOf(problem);
  const forwards = timeValue(problem.t1) >= timeValue(problem.t0); // a step between two events at one time goes nowhere
  const stretches: Stretch[] = [];
  const keep = (y: Leaves): Leaves => allocatingIn(region, () => copies(y));
  let which = 0;
  let points = ends.length > 1 ? chebyshevPoints(count, ends[0]!, ends[1]!) : [];
  let values: Leaves[] = [problem.y0];
  /** No polynomial goes through a jump, nor up to where a solve ended early: the stretch ends there, and a new one may begin. */
  const giveUp = ({ t1, y1 }: R): void => {
    if (points[0] !== t1) stretches.push({ points: [points[0]!, t1], values: [values[0]!], resolved: false });
    points = chebyshevPoints(count, t1, ends[which + 1]!);
    values = [keep(y1)];
  };
  return {
    stretches,
    look: (step: R, tolerances: Tolerances | undefined): void => {
      const reaches = (t: number): boolean => (forwards ? t <= step.t1 : t >= step.t1);
      const made = wholeOf(step);
      while (which + 1 < ends.length && reaches(points[values.length]!)) {
        const t = points[values.length]!;
        values.push(keep(t === made.t1 ? made.y1 : (made as unknown as DenseStep).at(t)));
        if (values.length < count) continue;
        const stretch = { points, values, resolved: true };
        stretches.push(nodes === undefined ? thin(stretch, strictest(tolerances)) : stretch);
        const last = values[values.length - 1]!;
        which++;
        if (which + 1 < ends.length) points = chebyshevPoints(count, ends[which]!, ends[which + 1]!);
        values = [last];
      }
      if (eventful(step)?.end !== undefined && which + 1 < ends.length) giveUp(step);
    },
    end: (last: R): void => {
      if (which + 1 < ends.length && points[0] !== last.t1) giveUp(last);
    },
  };
};

/** The same problem, with steps that end at the points of each stretch. */
export const steppingTo = <R extends Step>(problem: Problem<R>, nodes: number): Problem<R> => {
  const ends = endsOf(problem);
  const points = ends.slice(1).flatMap((end, i) => chebyshevPoints(nodes, ends[i]!, end));
  const known = new Set(problem.stops.map(timeValue));
  const more = [...new Set(points)].filter((t) => !known.has(t));
  return { ...problem, stops: inOrder([...problem.stops, ...more], problem) };
};
