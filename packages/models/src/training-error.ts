/**
 * @file The end of a training that cannot go on. NaN never passes as success, and what was reached is not lost.
 */
import { DydtError } from "@dydt/tensor";

/** Where a training failed. */
export interface TrainingFailure {
  /** The iteration that failed, from 0. */
  readonly iteration: number;
  /** Its loss, NaN when it has none. */
  readonly loss: number;
  /** The last parameters with a finite loss and gradient; the start if there were none. */
  readonly parameters: unknown;
  /** What the loss threw, if it did. */
  readonly cause?: unknown;
}

/** A training that cannot go on: a loss, gradient or update that is not finite, or a loss that threw after the first iteration. */
export class TrainingError extends DydtError implements TrainingFailure {
  override readonly name = "TrainingError";
  readonly iteration: number;
  readonly loss: number;
  readonly parameters: unknown;

  /** @internal */
  constructor(what: string, { iteration, loss, parameters, ...options }: TrainingFailure) {
    super(`training stopped at iteration ${iteration}: ${what}. The last good parameters are in error.parameters`, options);
    this.iteration = iteration;
    this.loss = loss;
    this.parameters = parameters;
  }
}
