/**
 * @file The reverse tape: flat lists of what was computed, and one walk back through them.
 *
 *   ȳ given;  for each operation y = f(x₁, x₂, ...), last first:  x̄ᵢ ← x̄ᵢ + (∂f/∂xᵢ)ᵀ ȳ
 *
 * A tape notes only operations with a watched argument. It holds no closures: an operation, its arguments, its output and integer slots.
 * A. Griewank, A. Walther, Evaluating Derivatives, 2nd ed., SIAM 2008, table 3.6.
 */
import {
  activeRecorders,
  add,
  beginEpoch,
  DtypeError,
  endEpoch,
  isFloat,
  isTensor,
  kernels,
  setSlot,
  ShapeError,
  slotOf,
  sameShape,
  formatShape,
  unrecorded,
  type Operation,
  type Recorder,
  type Tensor,
} from "@dydt/tensor";
import { knownRule, missingRule } from "./extend.js";
import { checksAreOn, checksum, verifyChecksum } from "./checks.js";
import type { Cotangent, VjpRule } from "./rule.js";

/** An operation with a pullback of its own instead of a rule, and any number of outputs. */
export interface CustomOperation extends Operation {
  /** Cotangents of the arguments, given those of the outputs (undefined where zero). */
  readonly pullback: (cotangents: readonly Cotangent[]) => readonly Cotangent[];
}

type Rule = VjpRule<readonly unknown[]> | CustomOperation;

/** The rule of an operation, or the operation itself where it brings its pullback; null where every derivative is zero. */
const ruleOf = (operation: Operation): Rule | null => {
  const rule = knownRule(operation);
  if (rule !== undefined) return rule;
  if ("pullback" in operation) return operation as CustomOperation;
  throw missingRule(operation);
};

/** A recorder of operations that can be walked back. */
export class Tape implements Recorder {
  readonly epoch = beginEpoch();
  readonly retains = true;
  readonly #operations: Operation[] = [];
  readonly #rules: Rule[] = [];
  readonly #args: (readonly unknown[])[] = [];
  readonly #outputs: (Tensor | readonly Tensor[])[] = [];
  /** Slot of the first output of each node; further outputs follow. */
  readonly #outputSlots: number[] = [];
  /** Slots of the tensor arguments of all nodes, lists flattened; -1 for those that nobody watches. */
  readonly #inputSlots: number[] = [];
  readonly #firstInput: number[] = [];
  /** By operation; none for those recorded while the checks were off. */
  readonly #checksums: (readonly number[])[] = [];
  #slots = 0;

  /** Number of operations on the tape. */
  get length(): number {
    return this.#operations.length;
  }

  /** Starts watching a tensor. @throws DtypeError for integers and masks, which have no derivatives. */
  watch(x: Tensor): void {
    if (!isFloat(x.dtype))
      throw new DtypeError(`a tensor of shape ${formatShape(x.shape)} and type ${x.dtype} cannot be differentiated: only float64 and float32 can`);
    setSlot(x, this.epoch, this.#slots++);
  }

  readonly watches = (x: Tensor): boolean => slotOf(x, this.epoch) >= 0;

  readonly record = (operation: Operation, args: readonly unknown[], output: Tensor | readonly Tensor[]): void => {
    const inputs = this.#inputSlots;
    const first = inputs.length;
    let watched = false;
    for (let i = 0; i < args.length; i++) {
      const arg = args[i];
      if (isTensor(arg)) {
        const slot = slotOf(arg, this.epoch);
        inputs.push(slot);
        watched ||= slot >= 0;
      } else if (Array.isArray(arg))
        for (const x of arg as readonly unknown[])
          if (isTensor(x)) {
            const slot = slotOf(x, this.epoch);
            inputs.push(slot);
            watched ||= slot >= 0;
          }
    }
    const rule = watched ? ruleOf(operation) : null;
    if (rule === null) {
      inputs.length = first;
      return;
    }
    this.#rules.push(rule);
    this.#operations.push(operation);
    this.#args.push(args);
    this.#outputs.push(output);
    this.#firstInput.push(first);
    this.#outputSlots.push(this.#slots);
    if (isTensor(output)) setSlot(output, this.epoch, this.#slots++);
    else for (const y of output) setSlot(y, this.epoch, this.#slots++);
    if (checksAreOn()) this.#checksums[this.#operations.length - 1] = checksum(args);
  };

  /** Ends the recording; the tape can still be walked back, any number of times. */
  end(): void {
    endEpoch(this.epoch);
  }

  /**
   * Cotangents of watched tensors.
   *
   * @param outputs - slots of the outputs, as {@link slot} gave them while recording.
   * @param cotangents - theirs; undefined where zero.
   * @param inputs - slots of the tensors whose cotangents are wanted.
   * @param initial - what the cotangents of the inputs start from; undefined for zero.
   */
  reverse(
    outputs: readonly number[],
    cotangents: readonly Cotangent[],
    inputs: readonly number[],
    initial: readonly Cotangent[] = [],
  ): readonly Cotangent[] {
    const held = new Array<Cotangent>(this.#slots).fill(undefined);
    // A sum made here is nobody else's: where nobody records, further cotangents are added to it in place.
    const mayAccumulate = activeRecorders().length === 0;
    const isSum = new Uint8Array(this.#slots);
    const give = (slot: number, cotangent: Cotangent): void => {
      if (slot < 0 || cotangent === undefined) return;
      const before = held[slot];
      if (before === undefined) held[slot] = cotangent;
      else if (mayAccumulate && isSum[slot] === 1) kernels.binary("add", before, cotangent, before);
      else {
        held[slot] = add(before, cotangent);
        isSum[slot] = 1;
      }
    };
    inputs.forEach((slot, i) => give(slot, initial[i]));
    outputs.forEach((slot, i) => give(slot, cotangents[i]));
    for (let n = this.#operations.length - 1; n >= 0; n--) this.#reverseNode(n, held, give);
    return inputs.map((slot, i) => (inputs.indexOf(slot) === i ? held[slot] : undefined));
  }

  /** The slot of a tensor, -1 when it is not watched. */
  slot(x: Tensor): number {
    return slotOf(x, this.epoch);
  }

  #reverseNode(n: number, held: Cotangent[], give: (slot: number, cotangent: Cotangent) => void): void {
    const operation = this.#operations[n]!;
    const output = this.#outputs[n]!;
    const slot = this.#outputSlots[n]!;
    const args = this.#args[n]!;
    let input = this.#firstInput[n]!;
    const rule = this.#rules[n]!;
    if (!isTensor(output)) {
      const cotangents = output.map((_, i) => held[slot + i]);
      if (cotangents.every((cotangent) => cotangent === undefined)) return;
      this.#verify(n, operation, args);
      for (const cotangent of (rule as CustomOperation).pullback(cotangents)) give(this.#inputSlots[input++]!, cotangent);
      return;
    }
    const cotangent = held[slot];
    if (cotangent === undefined) return;
    held[slot] = undefined;
    this.#verify(n, operation, args);
    const rules = rule as VjpRule<readonly unknown[]>;
    for (let i = 0; i < args.length; i++) {
      const arg = args[i];
      if (isTensor(arg)) {
        const to = this.#inputSlots[input++]!;
        if (to >= 0) give(to, this.#checked(operation, arg, rules[i]?.(cotangent, output, ...args) as Cotangent));
      } else if (Array.isArray(arg)) {
        const tensors = (arg as readonly unknown[]).filter(isTensor);
        const slots = tensors.map(() => this.#inputSlots[input++]!);
        if (slots.some((to) => to >= 0)) {
          const parts = rules[i]?.(cotangent, output, ...args) as readonly Cotangent[] | undefined;
          slots.forEach((to, j) => give(to, this.#checked(operation, tensors[j]!, parts?.[j])));
        }
      }
    }
  }

  #verify(n: number, operation: Operation, args: readonly unknown[]): void {
    const sums = this.#checksums[n];
    if (sums !== undefined) unrecorded(() => verifyChecksum(operation.op, args, sums));
  }

  #checked(operation: Operation, x: Tensor, cotangent: Cotangent): Cotangent {
    if (cotangent !== undefined && !sameShape(cotangent.shape, x.shape))
      throw new ShapeError(
        `the reverse rule of ${operation.op} gave a cotangent of shape ${formatShape(cotangent.shape)} for an argument of shape ${formatShape(x.shape)}`,
      );
    return cotangent;
  }
}
