/**
 * @file The reverse tape: a flat list of what was computed, and one walk back through it.
 *
 *   ȳ given;  for each operation y = f(x₁, x₂, ...), last first:  x̄ᵢ ← x̄ᵢ + (∂f/∂xᵢ)ᵀ ȳ
 *
 * A tape notes only operations with a watched argument. It holds no closures: an operation, its arguments, its output and integer slots.
 * A. Griewank, A. Walther, Evaluating Derivatives, 2nd ed., SIAM 2008, table 3.6.
 */
import {
  activeRecorders, add, beginEpoch, DtypeError, endEpoch, formatShape, isFloat, isTensor, kernels, sameShape, setSlot, ShapeError, slotOf,
  type DydtError, type Operation, type Recorder, type Tensor,
} from "@dydt/tensor"; // prettier-ignore
import { knownRule, missingRule } from "./extend.js";
import type { ArgumentRule, Cotangent, JointRule, VjpRule, Wanted } from "./rule.js";

/** An operation with a pullback of its own instead of a rule, and any number of outputs. */
export interface CustomOperation extends Operation {
  /** Cotangents of the arguments, given those of the outputs (undefined where zero). */
  readonly pullback: (cotangents: readonly Cotangent[]) => readonly Cotangent[];
}

type Rule = VjpRule<readonly unknown[]> | JointRule<readonly unknown[]> | CustomOperation;

/** The rule of an operation, or the operation itself where it brings its pullback; null where every derivative is zero. */
const ruleOf = (operation: Operation): Rule | null => {
  const rule = knownRule(operation);
  if (rule !== undefined) return rule;
  if ("pullback" in operation) return operation as CustomOperation;
  throw missingRule(operation);
};

/** An operation that was applied. */
interface Applied {
  readonly operation: Operation;
  readonly rule: Rule;
  readonly args: readonly unknown[];
  readonly output: Tensor | readonly Tensor[];
  /** Slot of the first output; further outputs follow. */
  readonly slot: number;
  /** Where the slots of its tensor arguments begin, lists flattened. */
  readonly firstInput: number;
  /** What was noted where the checks were on. */
  readonly checks: RecordedChecks | undefined;
}

/** What somebody who distrusts an operation has noted when it was recorded. */
export interface RecordedChecks {
  /** Called before its arguments are used in the reverse. */
  readonly verify: () => void;
  /** Looks at the cotangent of an argument, beside those of the outputs. */
  readonly inspect: (given: readonly Cotangent[], pulled: Cotangent) => void;
  /** An error of its reverse rule, with what is known of it. */
  readonly explained: (error: unknown) => unknown;
}

let noting: ((operation: Operation, args: readonly unknown[]) => RecordedChecks) | null = null;

/** Sets who takes notes of every operation that a tape records, or null for nobody, which costs nothing. */
export const setRecordedChecks = (next: typeof noting): void => {
  noting = next;
};

/** Cotangents on their way back, by slot. */
interface Held {
  readonly cotangents: Cotangent[];
  /** Whether a cotangent is a sum that nobody else holds: where nobody records, further ones are added to it in place. */
  readonly own: boolean[];
  readonly mayAccumulate: boolean;
}

const give = ({ cotangents, own, mayAccumulate }: Held, slot: number, cotangent: Cotangent, fresh: boolean): void => {
  if (slot < 0 || cotangent === undefined) return;
  const before = cotangents[slot];
  if (before === undefined) {
    cotangents[slot] = cotangent;
    own[slot] = fresh;
  } else if (mayAccumulate && own[slot] === true) kernels.binary("add", before, cotangent, before);
  else {
    cotangents[slot] = add(before, cotangent);
    own[slot] = true;
  }
};

/** A recorder of operations that can be walked back. */
export class Tape implements Recorder {
  readonly epoch = beginEpoch();
  readonly retains = true;
  readonly #applied: Applied[] = [];
  /** Slots of the tensor arguments of all operations; -1 for those that nobody watches. */
  readonly #inputSlots: number[] = [];
  #slots = 0;

  /** Number of operations on the tape. */
  get length(): number {
    return this.#applied.length;
  }

  /** Starts watching a tensor. @throws DtypeError for integers and masks, which have no derivatives. */
  watch(x: Tensor): void {
    if (!isFloat(x.dtype))
      throw new DtypeError(`a tensor of shape ${formatShape(x.shape)} and type ${x.dtype} cannot be differentiated: only float64 and float32 can`);
    setSlot(x, this.epoch, this.#slots++);
  }

  readonly watches = (x: Tensor): boolean => slotOf(x, this.epoch) >= 0;

  /** Notes the slot of an argument; whether it is watched. */
  #reads(x: Tensor): boolean {
    const slot = slotOf(x, this.epoch);
    this.#inputSlots.push(slot);
    return slot >= 0;
  }

  readonly record = (operation: Operation, args: readonly unknown[], output: Tensor | readonly Tensor[]): void => {
    const firstInput = this.#inputSlots.length;
    let watched = false;
    for (let i = 0; i < args.length; i++) {
      const arg = args[i];
      if (isTensor(arg)) watched = this.#reads(arg) || watched;
      else if (Array.isArray(arg)) for (const x of arg as readonly unknown[]) if (isTensor(x)) watched = this.#reads(x) || watched;
    }
    const rule = watched ? ruleOf(operation) : null;
    const single = isTensor(output);
    if (rule === null || (single && !isFloat(output.dtype))) {
      this.#inputSlots.length = firstInput;
      return;
    }
    const slot = this.#slots;
    this.#applied.push({
      operation,
      rule,
      args,
      output,
      slot,
      firstInput,
      checks: noting === null ? undefined : noting(operation, args),
    });
    if (single) setSlot(output, this.epoch, this.#slots++);
    else {
      for (let i = 0; i < output.length; i++) if (isFloat(output[i]!.dtype)) setSlot(output[i]!, this.epoch, slot + i);
      this.#slots += output.length;
    }
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
    const held: Held = { cotangents: new Array<Cotangent>(this.#slots).fill(undefined), own: [], mayAccumulate: activeRecorders().length === 0 };
    for (let i = 0; i < initial.length; i++) give(held, inputs[i]!, initial[i], false);
    for (let i = 0; i < outputs.length; i++) give(held, outputs[i]!, cotangents[i], false);
    for (let n = this.#applied.length - 1; n >= 0; n--) this.#reverse(this.#applied[n]!, held);
    const results = new Array<Cotangent>(inputs.length);
    for (let i = 0; i < inputs.length; i++) {
      results[i] = held.cotangents[inputs[i]!];
      held.cotangents[inputs[i]!] = undefined; // a tensor that is watched twice gets its cotangent once
    }
    return results;
  }

  /** The slot of a tensor, -1 when it is not watched. */
  slot(x: Tensor): number {
    return slotOf(x, this.epoch);
  }

  #reverse(applied: Applied, held: Held): void {
    const { output, slot, rule, checks, firstInput } = applied;
    if (!isTensor(output)) {
      const cotangents = held.cotangents.slice(slot, slot + output.length);
      if (cotangents.every((cotangent) => cotangent === undefined)) return;
      checks?.verify();
      const pulled: readonly Cotangent[] | undefined = (rule as CustomOperation).pullback(cotangents);
      if (pulled?.length !== applied.args.length)
        throw new ShapeError(
          `the pullback of ${applied.operation.op} gave ${pulled?.length} cotangents for ${applied.args.length} tensors: undefined stands for zero`,
        );
      for (let i = 0; i < pulled.length; i++) {
        const to = this.#inputSlots[firstInput + i]!;
        if (to >= 0) give(held, to, checked(applied, applied.args[i] as Tensor, cotangents, pulled[i]), false);
      }
      return;
    }
    const cotangent = held.cotangents[slot];
    if (cotangent === undefined) return;
    held.cotangents[slot] = undefined;
    checks?.verify();
    try {
      if (typeof rule === "function") this.#jointly(applied, rule, cotangent, output, held);
      else this.#oneByOne(applied, rule as VjpRule<readonly unknown[]>, cotangent, output, held);
    } catch (error) {
      throw checks === undefined ? error : checks.explained(error);
    }
  }

  /** Whether the cotangent in a slot is wanted, and what it may be added to. */
  #wanted(slot: number, { mayAccumulate, own, cotangents }: Held): Wanted {
    return slot < 0 ? false : mayAccumulate && own[slot] === true ? (cotangents[slot] ?? true) : true;
  }

  #jointly(applied: Applied, rule: JointRule<readonly unknown[]>, cotangent: Tensor, output: Tensor, held: Held): void {
    const { args, firstInput } = applied;
    const wanted: (Wanted | readonly Wanted[])[] = [];
    let input = firstInput;
    for (let i = 0; i < args.length; i++) {
      const arg = args[i];
      if (isTensor(arg)) wanted.push(this.#wanted(this.#inputSlots[input++]!, held));
      else if (Array.isArray(arg))
        wanted.push((arg as readonly unknown[]).filter(isTensor).map(() => this.#wanted(this.#inputSlots[input++]!, held)));
      else wanted.push(false);
    }
    const pulled = rule(cotangent, output, wanted, ...args);
    input = firstInput;
    for (let i = 0; i < args.length; i++) {
      const arg = args[i];
      if (isTensor(arg)) this.#take(applied, input++, arg, cotangent, pulled[i] as Cotangent, wanted[i] as Wanted, held);
      else if (Array.isArray(arg)) {
        const parts = pulled[i] as readonly Cotangent[] | undefined;
        const asked = wanted[i] as readonly Wanted[];
        (arg as readonly unknown[]).filter(isTensor).forEach((x, j) => this.#take(applied, input++, x, cotangent, parts?.[j], asked[j]!, held));
      }
    }
  }

  /** Takes what a joint rule gave for one argument, unless it was added in place. */
  #take(applied: Applied, input: number, x: Tensor, given: Tensor, result: Cotangent, asked: Wanted, held: Held): void {
    if (result !== undefined && result !== asked) give(held, this.#inputSlots[input]!, checked(applied, x, given, result), result !== given);
  }

  #oneByOne(applied: Applied, rules: VjpRule<readonly unknown[]>, cotangent: Tensor, output: Tensor, held: Held): void {
    const { args, firstInput } = applied;
    let input = firstInput;
    for (let i = 0; i < args.length; i++) {
      const arg = args[i];
      if (isTensor(arg)) {
        const to = this.#inputSlots[input++]!;
        if (to >= 0)
          give(held, to, checked(applied, arg, cotangent, argumentRule(applied, rules, i)?.(cotangent, output, ...args) as Cotangent), false);
      } else if (Array.isArray(arg)) {
        const tensors = (arg as readonly unknown[]).filter(isTensor);
        const slots = tensors.map(() => this.#inputSlots[input++]!);
        if (slots.some((to) => to >= 0)) {
          const parts = argumentRule(applied, rules, i)?.(cotangent, output, ...args) as readonly Cotangent[] | undefined;
          slots.forEach((to, j) => give(held, to, checked(applied, tensors[j]!, cotangent, parts?.[j]), false));
        }
      }
    }
  }
}

/** The rule of a watched argument; null for a constant. @throws MissingRuleError where it was left out: a zero would be silent. */
const argumentRule = ({ operation }: Applied, rules: VjpRule<readonly unknown[]>, i: number): ArgumentRule<readonly unknown[]> | null => {
  const rule = rules[i];
  if (rule === undefined) throw missingRule(operation, i);
  return rule;
};

const checked = ({ operation, checks }: Applied, x: Tensor, given: Tensor | readonly Cotangent[], cotangent: Cotangent | null): Cotangent => {
  if (cotangent === undefined) return undefined;
  if (cotangent?.dtype !== x.dtype || !sameShape(cotangent.shape, x.shape)) throw misfit(operation, x, cotangent);
  checks?.inspect(isTensor(given) ? [given] : given, cotangent);
  return cotangent;
};

const misfit = ({ op }: Operation, x: Tensor, cotangent: unknown): DydtError => {
  const what = `the reverse rule of ${op} gave`;
  if (!isTensor(cotangent)) return new ShapeError(`${what} ${String(cotangent)} as a cotangent: return a tensor, or undefined for zero`);
  return sameShape(cotangent.shape, x.shape)
    ? new DtypeError(`${what} a cotangent of type ${cotangent.dtype} for an argument of type ${x.dtype}: convert with cast`)
    : new ShapeError(`${what} a cotangent of shape ${formatShape(cotangent.shape)} for an argument of shape ${formatShape(x.shape)}`);
};
