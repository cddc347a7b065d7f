/**
 * @file Causes of failure, as data: what the numbers at hand say, and what to do about it.
 *
 * They are found when a solve has failed, by a few dozen evaluations of f near the last state, and cost nothing before.
 */

interface Explained {
  /** What it looks like, with numbers. */
  readonly words: string;
  /** What to do. */
  readonly advice: string;
}

/** Stability, not accuracy, keeps the steps short: h ρ is at the limit of the method, and the solution is far slower than 1 / ρ. */
export interface StiffCause extends Explained {
  readonly kind: "stiff";
  /** h ρ of the last accepted step. */
  readonly hRho: number;
  /** How far the method is stable along the negative axis. */
  readonly limit: number;
  /** ρ, the largest rate of f: the size of the dominant eigenvalue of its Jacobian. */
  readonly rho: number;
  /** How many of the recent steps were accepted at about this length. */
  readonly steps: number;
}

/** The solution, or its slope, grows beyond all bounds in finite time, or beyond the numbers. */
export interface BlowUpCause extends Explained {
  readonly kind: "blowUp";
  /** The largest component of the last state. */
  readonly size: number;
  /** How fast that component, or the slope, grows: d log|y| / dt. */
  readonly rate: number;
  /** Where it would be infinite; undefined where the growth is exponential. */
  readonly singularity: number | undefined;
}

/** f jumps inside a step that was rejected again and again. */
export interface DiscontinuityCause extends Explained {
  readonly kind: "discontinuity";
  /** Where f jumps. */
  readonly t: number;
  /** The largest change of a component of f there. */
  readonly jump: number;
  /** The component that changes so. */
  readonly component: number;
  /** How many of the recent attempts were rejected. */
  readonly rejections: number;
}

/** f gave NaN or infinity for a finite state. */
export interface NonFiniteCause extends Explained {
  readonly kind: "nonFinite";
  readonly t: number;
  /** The number of the step, from 1; 0 where the initial state is not finite. */
  readonly step: number;
  /** The stage of the step, from 1. */
  readonly stage: number;
  /** Counted through all tensors of the state. */
  readonly component: number;
  readonly value: number;
}

/** Rounding, of f or of the time, is larger than the tolerance. */
export interface ToleranceCause extends Explained {
  readonly kind: "tolerance";
  /** The scaled error that rounding alone makes in a step; more than about 1 cannot be accepted. */
  readonly noise: number;
  /** The last step length tried. */
  readonly h: number;
}

/** Every step leaves the domain that the controller was given. */
export interface DomainCause extends Explained {
  readonly kind: "domain";
  readonly t: number;
}

/** Nothing of the kind was found. */
export interface UnknownCause extends Explained {
  readonly kind: "unknown";
}

/** Why a solve failed, as far as it can be told apart; `kind` says which it is. */
export type Cause = StiffCause | BlowUpCause | DiscontinuityCause | NonFiniteCause | ToleranceCause | DomainCause | UnknownCause;
