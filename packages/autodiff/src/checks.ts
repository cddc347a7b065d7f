/**
 * @file Checks that cost time, off by default: was a tensor changed between its recording and its use in the reverse, and which operation made the first number
 * that is not finite, in the values or in the cotangents?
 */
import {
  DydtError,
  elementsOf,
  formatShape,
  isFloat,
  isTensor,
  kernels,
  OptionError,
  setInspector,
  unrecorded,
  type Operation,
  type Tensor,
} from "@dydt/tensor";
import { setRecordedChecks, type RecordedChecks } from "./tape.js";

/** A tensor that a tape keeps was changed from outside. */
export class MutationError extends DydtError {
  override readonly name = "MutationError";
}

/** An operation, or its reverse rule, made a number that is not finite out of finite ones. */
export class NonFiniteOperationError extends DydtError {
  override readonly name = "NonFiniteOperationError";
  /**
   * @param op - the operation.
   * @param where - the line that called it, outside this library.
   */
  constructor(
    message: string,
    readonly op: string,
    readonly where: string,
  ) {
    super(message);
  }
}

const own = /[\\/](packages|@dydt)[\\/](tensor|autodiff|ode|models)[\\/](src|dist)[\\/]|node:internal/;

/** Lines of the language itself, such as Array.map, which have no place in a file. */
const native = /\(<anonymous>\)$|^<anonymous>$|\(native\)$|\[native code\]|\(index \d+\)$/;

/** The innermost line of a stack that is neither of this library nor of the language. */
const callerIn = (stack: string): string => {
  const lines = stack
    .split("\n")
    .slice(1)
    .map((line) => line.trim().replace(/^at /, ""));
  return lines.find((line) => line !== "" && !own.test(line) && !native.test(line)) ?? "an unknown line";
};

/** The line that is running, outside this library, however deep inside it the call is. */
const presentLine = (): string => {
  const usual = Error.stackTraceLimit; // ten lines in V8, fewer than lie between a rule and the caller
  Error.stackTraceLimit = Infinity;
  try {
    return callerIn(new Error().stack ?? "");
  } finally {
    Error.stackTraceLimit = usual;
  }
};

const isFiniteTensor = (x: Tensor): boolean => !isFloat(x.dtype) || kernels.firstNonFinite(x) < 0;

const shapesOf = (args: readonly unknown[]): string =>
  tensorsOf(args)
    .map((x) => formatShape(x.shape))
    .join(", ") || "no tensors";

const firstBad = (x: Tensor): string => {
  const i = kernels.firstNonFinite(x);
  return `${elementsOf(x)[i]} at element ${i} of shape ${formatShape(x.shape)}`;
};

/** Whether nothing that is not finite was put in. */
const areFinite = (args: readonly unknown[]): boolean =>
  tensorsOf(args).every(isFiniteTensor) && !args.some((arg) => typeof arg === "number" && !Number.isFinite(arg));

/** @throws NonFiniteOperationError where finite arguments gave a result that is not. */
const inspect = (operation: Operation, args: readonly unknown[], output: Tensor): void => {
  if (isFiniteTensor(output) || !areFinite(args)) return;
  const where = presentLine();
  throw new NonFiniteOperationError(
    `${operation.op} made ${firstBad(output)} of finite arguments of shapes ${shapesOf(args)}, at ${where}`,
    operation.op,
    where,
  );
};

const reverseFault = (operation: Operation, where: string, args: readonly unknown[], what: string): NonFiniteOperationError =>
  new NonFiniteOperationError(
    `the reverse rule of ${operation.op} ${what}; it was applied to arguments of shapes ${shapesOf(args)}, at ${where}`,
    operation.op,
    where,
  );

/** What is noted of an operation that a tape records: checksums of its arguments, and the line that applied it. */
const noted = (operation: Operation, args: readonly unknown[]): RecordedChecks => {
  const sums = tensorsOf(args).map(hash);
  const where = presentLine();
  let raised: unknown; // its own, which says all there is to say
  return {
    verify: () => unrecorded(() => verifyChecksum(operation.op, args, sums)),
    inspect: (given, pulled) => {
      if (pulled === undefined || isFiniteTensor(pulled) || !areFinite(given) || !areFinite(args)) return;
      throw (raised = reverseFault(operation, where, args, `made a cotangent with ${firstBad(pulled)}`));
    },
    // An error of an operation inside a reverse rule is one of the operation that the rule belongs to.
    explained: (error) =>
      error instanceof NonFiniteOperationError && error !== raised
        ? reverseFault(operation, where, args, `made a cotangent that is not finite (${error.message})`)
        : error,
  };
};

/**
 * Switches the costly checks on or off. With them, every pullback makes sure that the tensors it needs are what they were when they were recorded, and the
 * first operation or reverse rule that makes NaN or an infinity out of finite numbers is an error, which names the operation, its shapes and the line that called it.
 *
 * @param enabled - default off, at no cost; on, small operations cost several times as much.
 * @throws OptionError for anything but true or false.
 * @example
 * setChecks(true);
 * try {
 *   gradient((x: Tensor) => x.log().sum())(tensor([1, 0]));
 * } catch (error) {
 *   if (!(error instanceof NonFiniteOperationError) || error.op !== "log") throw error;
 * } finally {
 *   setChecks(false);
 * }
 */
export const setChecks = (enabled: boolean): void => {
  if (typeof enabled !== "boolean") throw new OptionError(`setChecks got ${String(enabled)}: true or false`);
  setInspector(enabled ? inspect : null);
  setRecordedChecks(enabled ? noted : null);
};

const tensorsOf = (args: readonly unknown[]): readonly Tensor[] => args.flat().filter(isTensor);

/** 32-bit FNV-1a over the bytes of the elements. */
const hash = (x: Tensor): number => {
  const elements = elementsOf(x);
  const bytes = new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength);
  let sum = 0x811c9dc5;
  for (let i = 0; i < bytes.length; i++) sum = Math.imul(sum ^ bytes[i]!, 0x01000193);
  return sum;
};

/** @throws MutationError when an argument is no longer what it was, naming the operation and the shape. */
const verifyChecksum = (op: string, args: readonly unknown[], sums: readonly number[]): void => {
  tensorsOf(args).forEach((x, i) => {
    if (hash(x) !== sums[i])
      throw new MutationError(
        `a tensor of shape ${formatShape(x.shape)} made by ${x.op} was changed after ${op} had used it: its gradient would be wrong. ` +
          `Do not write to data, ndarray or an array that was wrapped while a recording needs it`,
      );
  });
};
