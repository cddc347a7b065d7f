/**
 * @file Errors of a solve: what happened, where, what was reached until then.
 */
import { DydtError } from "@dydt/tensor";

/** How a solve ended. */
export type Status = "success" | "terminated" | "maxSteps" | "stepTooSmall" | "nonFinite" | "newtonFailed" | "aborted" | "timeLimit";

/** An attempt at a step, for reports. */
export interface Attempt {
  readonly t: number;
  readonly h: number;
  /** The scaled error estimate; the attempt was accepted when it is at most 1. Undefined without an estimate. */
  readonly error: number | undefined;
  readonly accepted: boolean;
  /** The component with the largest scaled error, counted through all tensors of the state; undefined without an estimate. */
  readonly component: number | undefined;
  /** Whether it was rejected for leaving the domain that the controller was given. */
  readonly outside: boolean;
}

/** Where and how a solve failed. */
export interface Failure {
  readonly status: Status;
  /** The last time that was reached; where the solution blows up, the last that was resolved. */
  readonly t: number;
  /** The last attempts, oldest first. */
  readonly recent: readonly Attempt[];
  /** What was reached: save times, states, statistics. */
  readonly solution?: unknown;
  readonly cause?: unknown;
}

/** A solve did not reach its end. */
export class SolveError extends DydtError {
  override readonly name: string = "SolveError";
  readonly status: Status;
  readonly t: number;
  readonly recent: readonly Attempt[];
  readonly solution: unknown;
  constructor(message: string, { status, t, recent, solution, cause }: Failure) {
    super(message, cause === undefined ? undefined : { cause });
    this.status = status;
    this.t = t;
    this.recent = recent;
    this.solution = solution;
  }
}

/** The number of attempted steps reached `maxSteps`. */
export class MaxStepsError extends SolveError {
  override readonly name = "MaxStepsError";
}

/** The step fell below the smallest that changes the time. */
export class StepTooSmallError extends SolveError {
  override readonly name = "StepTooSmallError";
}

/** The field or the state became NaN or infinite. */
export class NonFiniteError extends SolveError {
  override readonly name = "NonFiniteError";
}

/** Somebody aborted the solve through its `signal`, whose reason is the cause. */
export class AbortedError extends SolveError {
  override readonly name = "AbortedError";
}

/** The solve took longer than its `timeLimit`. */
export class TimeLimitError extends SolveError {
  override readonly name = "TimeLimitError";
}

/** An event has no sign, or its time has no derivative. */
export class EventError extends DydtError {
  override readonly name = "EventError";
}

/** The field threw; its error is the cause. */
export class FieldError extends DydtError {
  override readonly name = "FieldError";
}

/** A solver was combined with something that needs more than its steps have. */
export class IncompatibleError extends DydtError {
  override readonly name = "IncompatibleError";
}

/** A step that was run again gave other numbers: the field is no function of (t, y). */
export class ReplayError extends DydtError {
  override readonly name = "ReplayError";
}
