/**
 * @file The error classes of dydt: one root, one class for each kind of mistake.
 *
 * A message says what happened with numbers, where, and what to do. Errors of a solve live in @dydt/ode and extend the same root.
 */

/** The root of every error that dydt throws on purpose. */
export class DydtError extends Error {
  override readonly name: string = "DydtError";
}

/** Shapes that do not fit an operation. */
export class ShapeError extends DydtError {
  override readonly name = "ShapeError";
}

/** Element types that do not fit: mixed floats, or a type that an operation is not defined for. */
export class DtypeError extends DydtError {
  override readonly name = "DtypeError";
}

/** An option with a wrong name, type or value. */
export class OptionError extends DydtError {
  override readonly name = "OptionError";
}

/** A tensor was used after the region that held it was released. */
export class ReleasedTensorError extends DydtError {
  override readonly name = "ReleasedTensorError";
}

/** The numbers of a watched tensor were asked for where that would silently cut its gradient. */
export class WatchedTensorError extends DydtError {
  override readonly name = "WatchedTensorError";
}

/** More memory was asked for than the engine can have. */
export class MemoryError extends DydtError {
  override readonly name = "MemoryError";
}

/** A body given to a scope or a differentiation returned a promise or an iterator, which would outlive the scope. */
export class AsynchronousBodyError extends DydtError {
  override readonly name = "AsynchronousBodyError";
}
