/**
 * @file Which cause a failure has.
 *
 * - **discontinuity**: along the next step f changes by an amount that does not shrink when the stretch is halved thirty times.
 * - **blow-up**: the rate r = d log|y| / dt is far more than growth at that rate since t₀ could explain, r (t − t₀) ≫ log(|y| / |y₀|), so it was smaller before;
 *   1 / r falls linearly to zero at the singularity. The same for |f|, where the solution stays finite.
 * - **stiff**: h ρ is at the limit of the method, with ρ by power iteration on differences of f, and the solution itself changes at a far smaller rate.
 * - **tolerance**: f changes by more than the tolerance when t and y are changed by rounding errors; or the step is near the rounding of t.
 *
 * L. F. Shampine, ACM TOMS 3(1), 1977, 44–53; B. P. Sommeijer, L. F. Shampine, J. G. Verwer, RKC, J. Comput. Appl. Math. 88, 1998, 315–326 (the power iteration).
 */
import { scalarLog } from "@dydt/tensor";
import type { BlowUpCause, Cause, DiscontinuityCause, StiffCause, ToleranceCause } from "./cause.js";
import type { Attempt } from "./errors.js";
import { flatten, largestOf, sceneOf, type Circumstances, type Flat, type Scene } from "./scene.js";
import type { Step } from "./step.js";
import { timeValue } from "./time.js";

const near = (x: number): string => Number(x.toPrecision(6)).toString();
const short = (x: number): string => x.toExponential(1);

const along = (y: Flat, h: number, f: Flat): Flat => y.map((one, i) => one + h * f[i]!);
const differenceOf = (a: Flat, b: Flat): Flat => a.map((one, i) => one - b[i]!);

/** max |xᵢ / scaleᵢ|. */
const scaledSize = (x: Flat, scale: Flat): number => x.reduce((most, one, i) => Math.max(most, one === 0 ? 0 : Math.abs(one) / scale[i]!), 0);

/** The cause; "unknown" where nothing can be told, for example since f cannot be evaluated any more. */
export const diagnose = <R extends Step>(circumstances: Circumstances<R>, status: "maxSteps" | "stepTooSmall" | "nonFinite"): Cause => {
  const { recent, t, tolerances } = circumstances;
  const advice = tolerances === undefined ? "raise maxSteps, or take longer steps" : "loosen rtol, or raise what limits the steps (maxSteps, min)";
  const unknown: Cause = { kind: "unknown", words: "no cause was found", advice };
  if (recent.filter((attempt) => attempt.t === t && attempt.outside).length >= 3)
    return {
      kind: "domain",
      t,
      words: `every step from t = ${near(t)} leaves the domain`,
      advice: "the solution ends there, or the domain is too narrow: solve up to that time, or mend the field near the border",
    };
  const scene = sceneOf(circumstances, status);
  if (scene.f.some((one) => !Number.isFinite(one))) return unknown;
  if (status === "nonFinite") return unstable(circumstances, scene) ?? blowUp(circumstances, scene, status) ?? unknown;
  const noise = roundingNoise(scene);
  return (
    discontinuity(circumstances, scene, noise) ??
    blowUp(circumstances, scene, status) ??
    (status === "stepTooSmall" ? coarseTime(circumstances, scene) : undefined) ??
    tolerance(circumstances, scene, noise) ??
    stiff(circumstances, scene) ??
    roundedState(scene) ??
    unknown
  );
};

const binomials = [1, -6, 15, -20, 15, -6, 1];
/** In steps. Short, so that what is steep but smooth leaves nothing in a sixth difference; several, since one may by chance lie even with the rounding. */
const spacings = [0.11, 0.093, 0.081, 0.067, 0.059, 0.047, 0.041];

/**
 * By how much rounding changes f, by component: where t and y are shaken by a few rounding errors, and in sixth differences over a part of the step back, which
 * a smooth f does not have (J. J. Moré, S. M. Wild, SIAM J. Sci. Comput. 33(3), 2011, 1292–1314). What lies ahead is not looked at.
 */
const roundingNoise = ({ t, y, h, direction, epsilon, slope, f }: Scene): Flat => {
  const noise = new Float64Array(y.length);
  const take = (changes: Flat): void => changes.forEach((one, i) => (noise[i] = Math.max(noise[i]!, Math.abs(one))));
  const shakes = [[4, 0], [7, 1], [0, 2], [0, 3]] as const; // prettier-ignore
  for (const [ofTime, pattern] of shakes) {
    const sign = (i: number) => (pattern === 0 ? 0 : ((i >> (pattern - 1)) & 1) * 2 - 1);
    const shaken = y.map((one, i) => one * (1 + sign(i) * 4 * epsilon));
    take(differenceOf(slope(t - direction * ofTime * epsilon * Math.abs(t), shaken), f));
  }
  for (const spacing of spacings) {
    const sixth = new Float64Array(y.length);
    binomials.forEach((weight, j) => {
      const back = -j * spacing * h;
      slope(t + back, along(y, back, f)).forEach((one, i) => (sixth[i]! += (weight * one) / Math.sqrt(924)));
    });
    take(sixth);
  }
  return noise;
};

const discontinuity = <R extends Step>({ recent, longest }: Circumstances<R>, scene: Scene, noise: Flat): DiscontinuityCause | undefined => {
  const rejections = recent.filter(({ accepted }) => !accepted).length;
  const { t, y, h, scale, slope, f } = scene;
  if (rejections < 3 && Math.abs(h) > 1e-3 * longest) return undefined;
  // The longest of the attempts that were rejected from here has the jump inside, if there is one; after an accepted one any of the last may.
  const longestOf = (attempts: readonly Attempt[]) => attempts.reduce((most, one) => Math.max(most, Math.abs(one.h)), 0);
  const reach = scene.direction * (longestOf(recent.filter((attempt) => attempt.t === t && !attempt.accepted)) || longestOf(recent));
  const at = (s: number): Flat => slope(t + s * reach, along(y, s * reach, f));
  const samples = 16;
  let [low, high, jump] = [0, 1, -1];
  let before = f;
  const points: Flat[] = [f];
  for (let i = 1; i <= samples; i++) {
    const after = at(i / samples);
    const change = scaledSize(differenceOf(after, before), scale);
    if (change > jump) [low, high, jump] = [(i - 1) / samples, i / samples, change];
    points.push((before = after));
  }
  if (!Number.isFinite(jump)) return undefined;
  let [left, right] = [points[Math.round(low * samples)]!, points[Math.round(high * samples)]!];
  for (let i = 0; i < 30; i++) {
    const middle = at((low + high) / 2);
    if (scaledSize(differenceOf(middle, left), scale) > scaledSize(differenceOf(right, middle), scale)) [high, right] = [(low + high) / 2, middle];
    else [low, left] = [(low + high) / 2, middle];
  }
  const step = differenceOf(right, left);
  const remaining = scaledSize(step, scale);
  const component = step.reduce((most, one, i) => (Math.abs(one) / scale[i]! > Math.abs(step[most]!) / scale[most]! ? i : most), 0);
  // A pole grows without end when it is looked at closely, a jump does not.
  const explains =
    remaining > 0.4 * jump && remaining < 4 * jump && remaining * Math.abs(reach) > 0.1 && Math.abs(step[component]!) > 10 * noise[component]!;
  if (!explains) return undefined;
  const where = t + ((low + high) / 2) * reach;
  return {
    kind: "discontinuity",
    t: where,
    jump: Math.abs(step[component]!),
    component,
    rejections,
    words:
      `the field looks discontinuous there (component ${component} jumps by ${short(Math.abs(step[component]!))} at t = ${near(where)}; ` +
      `${rejections} of the last ${recent.length} attempts rejected)`,
    advice: "declare the time of the jump with adaptive({ times: [...] }), solve in two parts, or smooth the field",
  };
};

const blowUp = <R extends Step>({ problem, y: state, last, resolved }: Circumstances<R>, scene: Scene, status: string): BlowUpCause | undefined => {
  if (last === undefined) return undefined;
  const { t, y, f, direction, slope } = scene;
  const elapsed = Math.abs(t - timeValue(problem.t0));
  const which = y.reduce((most, one, i) => (Math.abs(one) > Math.abs(y[most]!) ? i : most), 0);
  const size = largestOf(flatten(state));
  const grown = size / Math.max(largestOf(flatten(problem.y0)), 1e-100);
  const rate = (direction * f[which]!) / y[which]!;
  const until = resolved === t ? "" : `; it is resolved until t = ${resolved}`;
  const advice = "stop before, with a domain or an earlier t1, or rescale the equation";
  const bursts = (growth: number, r: number) => r > 0 && r * elapsed > 30 * (1 + scalarLog(growth)) && Math.abs(last.t1 - last.t0) * 100 < elapsed;
  // A little before, by the midpoint rule; the state that the last step began with may be gone.
  const back = -direction * Math.max(0.01 * Math.abs(last.t1 - last.t0), 64 * Number.EPSILON * Math.abs(t));
  const earlier = along(y, back, slope(t + back / 2, along(y, back / 2, f)));
  const slopeBefore = slope(t + back, earlier);
  if (grown > 100 && bursts(grown, rate)) {
    const rateBefore = (direction * slopeBefore[which]!) / earlier[which]!;
    const singularity = zeroOfReciprocal(t, back, rateBefore, rate);
    const words = `the solution looks as if it were blowing up (|y| = ${short(size)}, growing by ${short(rate)} per unit of time${until})`;
    return { kind: "blowUp", size, rate, singularity, words, advice };
  }
  if (size > 1e100)
    return {
      kind: "blowUp", size, rate, singularity: undefined, advice,
      words: `the solution grows beyond the numbers (|y| = ${short(size)}, growing by ${short(rate)} per unit of time)`,
    }; // prettier-ignore
  const [first, then, now] = [largestOf(slope(timeValue(problem.t0), flatten(problem.y0))), largestOf(slopeBefore), largestOf(f)];
  const steepening = then === 0 ? 0 : (now - then) / then / Math.abs(back);
  if (status !== "maxSteps" && now > 1e3 * first && bursts(now / Math.max(first, 1e-100), steepening))
    return {
      kind: "blowUp", size, rate: steepening, singularity: undefined, advice,
      words: `the slope looks as if it were blowing up (|f| = ${short(now)}, growing by ${short(steepening)} per unit of time)`,
    }; // prettier-ignore
  return undefined;
};

/** Where 1 / r would be zero, on the line through its values at t and a little before. */
const zeroOfReciprocal = (t: number, back: number, before: number, now: number): number | undefined => {
  const ahead = (-back * before) / (now - before);
  return Number.isFinite(ahead) && ahead * back <= 0 ? t + ahead : undefined;
};

/** Steps of a few roundings of the time are too long, for f that is smooth: a matter of units. */
const coarseTime = <R extends Step>({ recent }: Circumstances<R>, { t, h }: Scene): ToleranceCause | undefined => {
  if (!(Math.abs(h) < 256 * Number.EPSILON * Math.abs(t))) return undefined;
  return {
    kind: "tolerance",
    noise: recent[recent.length - 1]?.error ?? Infinity,
    h,
    words: `at t = ${near(t)} the time itself is rounded to ${short(Number.EPSILON * Math.abs(t))}, which is too coarse for the steps that the tolerance asks for`,
    advice: "let the time begin at 0, or loosen rtol and atol",
  };
};

const tolerance = <R extends Step>({ recent }: Circumstances<R>, { h, scale, epsilon }: Scene, noise: Flat): ToleranceCause | undefined => {
  const size = scaledSize(noise, scale) * Math.abs(h);
  const latest = recent[recent.length - 1]?.error;
  if (latest === undefined || !(size > 0.2 && latest < 30 * size)) return undefined;
  return {
    kind: "tolerance",
    noise: size,
    h,
    words: `rounding alone makes an error of ${short(size)} of the tolerance in a step there`,
    advice: `loosen rtol and atol: numbers of this type are rounded to ${short(epsilon)}, and the field loses some of that by cancellation`,
  };
};

/** A tolerance so near the rounding of the state that errors cannot add up to less. */
const roundedState = ({ y, h, scale, epsilon }: Scene): ToleranceCause | undefined => {
  const noise = epsilon * scaledSize(y, scale);
  if (!(noise > 0.05)) return undefined;
  const words = `rounding the state alone makes an error of ${short(noise)} of the tolerance in each step`;
  return { kind: "tolerance", noise, h, words, advice: `loosen rtol and atol: numbers of this type are rounded to ${short(epsilon)}` };
};

const stiff = <R extends Step>({ problem: { solver }, recent, tolerances }: Circumstances<R>, scene: Scene): StiffCause | undefined => {
  const limit = solver.stabilitySize;
  if (limit === undefined || tolerances === undefined) return undefined;
  const lengths = recent.filter(({ accepted }) => accepted).map(({ h }) => Math.abs(h));
  const length = lengths[lengths.length - 1] ?? Math.abs(scene.h);
  const rho = dominantRate(scene);
  const hRho = length * rho;
  // How fast the solution changes, measured against what the tolerances take for its size.
  const { f, scale } = scene;
  const rtol = Math.max(...tolerances.rtol.map((values) => largestOf(values)), 1e-15);
  const ownRate = scaledSize(f, scale) * rtol;
  if (!(hRho > 0.5 * limit && rho > 5 * ownRate)) return undefined;
  const steps = lengths.filter((one) => one > length / 4 && one < 4 * length).length;
  return {
    kind: "stiff",
    hRho,
    limit,
    rho,
    steps,
    words: `the problem looks stiff there (h·ρ ≈ ${hRho.toFixed(1)}, the limit of ${solver.name} is ${limit.toFixed(1)})`,
    advice: "take an implicit method, or loosen rtol",
  };
};

/** A state that grew while its slope says that it decays: steps of given length are too long for the method. */
const unstable = <R extends Step>({ problem: { solver, y0 } }: Circumstances<R>, scene: Scene): StiffCause | undefined => {
  const { y, f, direction, h } = scene;
  const limit = solver.stabilitySize;
  const which = y.reduce((most, one, i) => (Math.abs(one) > Math.abs(y[most]!) ? i : most), 0);
  if (limit === undefined || !(Math.abs(y[which]!) > 1e6 * largestOf(flatten(y0)) && direction * f[which]! * y[which]! < 0)) return undefined;
  const rho = dominantRate(scene);
  const hRho = Math.abs(h) * rho;
  if (!(hRho > 0.9 * limit)) return undefined;
  const words = `the steps are too long for stability (h·ρ ≈ ${hRho.toFixed(1)}, the limit of ${solver.name} is ${limit.toFixed(1)})`;
  return { kind: "stiff", hRho, limit, rho, steps: 0, words, advice: "take shorter steps, an adaptive controller, or an implicit method" };
};

/** The size of the dominant eigenvalue of ∂f/∂y, by power iteration on differences of f. */
const dominantRate = ({ t, y, f, scale, epsilon, slope }: Scene): number => {
  // In the metric of the tolerances, so that components of different units weigh alike.
  const norm = (x: Flat) => Math.sqrt(x.reduce((sum, one, i) => sum + (one / scale[i]!) * (one / scale[i]!), 0));
  const reach = Math.max(norm(y) * Math.sqrt(epsilon), 1e-3);
  let direction: Flat = y.map((_, i) => scale[i]! * (1 + 0.1 * ((i * 7) % 5)));
  let rate = 0;
  const [warmUp, averaged] = [26, 4]; // the size of a complex pair shows on average only
  for (let i = 0; i < warmUp + averaged; i++) {
    const size = norm(direction);
    if (!(size > 0)) return 0;
    const moved = y.map((one, j) => one + (direction[j]! * reach) / size);
    const change = differenceOf(slope(t, moved), f);
    if (i >= warmUp) rate += norm(change) / reach / averaged;
    direction = change;
  }
  return rate;
};
