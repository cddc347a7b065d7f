/**
 * @file Taylor mode: K coefficients of a path go along with every tensor.
 *
 *   x(t) = x + c₁ t + c₂ t² + … + c_K t^K,   f(x(t)) = y + y₁ t + … + y_K t^K + O(t^(K + 1))
 *
 * The coefficients are normalised: the k-th derivative of f(x(t)) at t = 0 is k! yₖ. Their cost is quadratic in K, where nested forward mode costs 2^K.
 * A. Griewank, A. Walther, Evaluating Derivatives, 2nd ed., SIAM 2008, chapter 13.
 */
import { add, full, isFloat, isTensor, mul, zeros, type Operation, type Primitive, type Tensor } from "@dydt/tensor";
import { requireTrees, runAlong, type Along, type Mode } from "./forward.js";
import { jvp } from "./jvp.js";
import { jvpRuleOf, linearize, replaced } from "./linearize.js";
import type { Tangent } from "./rule.js";
import { convolved, taylorRules, type ArgumentJet, type Jet, type TaylorRule } from "./rules/taylor.js";

const table = /* @__PURE__ */ new Map<Operation, TaylorRule>(/* @__PURE__ */ taylorRules());

const isJet = (jet: ArgumentJet): jet is Jet => jet?.[0] !== undefined && isTensor(jet[0]);

/** Coefficient k of an argument; a list for a list of tensors, undefined where all of it is zero. */
const coefficient = (jet: ArgumentJet, k: number): Along<Tensor> => {
  if (jet === undefined) return undefined;
  if (isJet(jet)) return jet[k];
  const list = jet.map((one) => one?.[k]);
  return list.some((one) => one !== undefined) ? list : undefined;
};

const upTo = (order: number, output: Tensor, at: (k: number) => Tangent): Jet => {
  const jet: Tangent[] = [output];
  for (let k = 1; k <= order; k++) jet.push(at(k));
  return jet;
};

/** Where the coefficients of an output depend on those of the same place alone. */
const coefficientwise = (operation: Operation, args: readonly unknown[], jets: readonly ArgumentJet[], output: Tensor, order: number): Jet => {
  const map = linearize(operation, args, output);
  return upTo(order, output, (k) => {
    const tangents = jets.map((jet) => coefficient(jet, k));
    return tangents.some((one) => one !== undefined) ? map?.(tangents) : undefined;
  });
};

/** A product of two arguments, both of which move. */
const bilinear = (operation: Operation, args: readonly unknown[], jets: readonly ArgumentJet[], output: Tensor, order: number): Jet => {
  const [i, l] = jets.flatMap((jet, place) => (jet === undefined ? [] : [place])) as [number, number];
  const call = operation as Primitive<readonly unknown[]>;
  const along = (place: number) => Array.from({ length: order + 1 }, (_, k) => (k === 0 ? args[place] : coefficient(jets[place], k)) as Tangent);
  const [left, right] = [along(i), along(l)];
  const put = (list: readonly unknown[], place: number, one: unknown): readonly unknown[] =>
    one === args[place] ? list : replaced(list, place, one as Along<Tensor>);
  const product = (a: Tensor, b: Tensor): Tensor => call(...put(put(args, i, a), l, b));
  return upTo(order, output, (k) => convolved(k, left, right, { product }));
};

const told = /* @__PURE__ */ new WeakSet<Operation>();

/** Says once for each operation that it is slow. */
const tell = (operation: Operation, order: number): void => {
  if (told.has(operation)) return;
  told.add(operation);
  // eslint-disable-next-line no-console -- never silently slow
  console.warn(
    `@dydt/autodiff has no Taylor rule for ${operation.op} and nests forward mode ${order} deep in its place, which costs 2^${order} applications of its forward rule: ` +
      `compose it of the operations of @dydt/tensor where that is too slow`,
  );
};

/** The derivatives of P(x(t)) at t = 0 by forward mode inside forward mode. */
const nested = (operation: Operation, args: readonly unknown[], jets: readonly ArgumentJet[], output: Tensor, order: number): Jet => {
  tell(operation, order);
  const path = (jet: Jet, t: Tensor): Tensor => {
    const parameter = t.dtype === jet[0]!.dtype ? t : t.cast(jet[0]!.dtype);
    let sum: Tangent;
    for (let k = order; k >= 1; k--) {
      const raised: Tangent = sum === undefined ? jet[k] : jet[k] === undefined ? sum : add(jet[k]!, sum);
      sum = raised === undefined ? undefined : mul(raised, parameter);
    }
    return sum === undefined ? jet[0]! : add(jet[0]!, sum);
  };
  const at = (t: Tensor): readonly unknown[] =>
    args.map((arg, i) => {
      const jet = jets[i];
      if (jet === undefined) return arg;
      return isJet(jet) ? path(jet, t) : (arg as readonly Tensor[]).map((x, k) => (jet[k] === undefined ? x : path(jet[k], t)));
    });
  let derivatives = (t: Tensor): readonly Tensor[] => [(operation as Primitive<readonly unknown[]>)(...at(t))];
  for (let k = 1; k <= order; k++) {
    const before = derivatives;
    derivatives = (t) => {
      const { value, tangent } = jvp(before, t, full([], 1, { dtype: t.dtype }));
      return [...value, tangent[tangent.length - 1]!];
    };
  }
  const all = derivatives(zeros([], { dtype: output.dtype }));
  let factorial = 1;
  return upTo(order, output, (k) => mul(all[k]!, 1 / (factorial *= k)));
};

const through = (operation: Operation, args: readonly unknown[], jets: readonly Along<Jet>[], output: Tensor, order: number): Jet | undefined => {
  if (!isFloat(output.dtype)) return undefined;
  const given = jets as readonly ArgumentJet[];
  const rule = jvpRuleOf(operation);
  if (rule === null) return undefined;
  const kinds = typeof rule === "function" ? [] : given.flatMap((jet, i) => (jet === undefined ? [] : [(rule as readonly unknown[])[i]]));
  const moving = kinds.filter((kind) => kind !== null); // one that is left out has no Taylor rule either: nested forward mode refuses it
  if (typeof rule !== "function" && moving.length === 0) return undefined;
  if (moving.length > 0 && moving.every((kind) => kind === "linear")) {
    if (kinds.length === 1) return coefficientwise(operation, args, given, output, order);
    if (kinds.length === 2 && moving.length === 2) return bilinear(operation, args, given, output, order);
  }
  const own = table.get(operation);
  if (own === "coefficientwise") return coefficientwise(operation, args, given, output, order);
  return own === undefined ? nested(operation, args, given, output, order) : own(given, output, order, ...args);
};

const mode = (order: number): Mode<Jet> => ({
  order,
  tensors: (jet) => jet.slice(1).filter((one): one is Tensor => one !== undefined),
  map: (jet, f) => jet.map((one, k) => (one === undefined || k === 0 ? one : f(one))),
  through: (operation, args, jets, output) => through(operation, args, jets, output, order),
});

/**
 * Taylor coefficients of a function along a path, all in one run.
 *
 * The path is x(t) = x + Σₖ cₖ tᵏ, k = 1 … K; the result are the coefficients of f(x(t)) in the same normalisation, so that the k-th derivative at t = 0 is k!
 * times the k-th coefficient. With coefficients [v, 0, 0, ...] they are the derivatives of f in the direction v, each divided by k!.
 *
 * Cost: at most quadratic in K. A primitive of one's own without a Taylor rule is gone through by nested forward mode, at 2^K, which is said once on the console.
 *
 * @param f - from a tree of tensors to a tree of tensors. It may close over any others; those are constants here.
 * @param x - where; float64 or float32 leaves.
 * @param coefficients - K trees like x: c₁, c₂, ..., c_K.
 * @returns `value` = f(x), and as many coefficients as were given, trees like the value.
 * @throws MissingRuleError for a primitive without a forward rule; ShapeError, DtypeError when a coefficient does not fit x.
 * @example
 * // e^t = 1 + t + t²/2 + t³/6 + ...
 * const { value, coefficients } = taylor((x: Tensor) => x.exp(), tensor(0), [tensor(1), tensor(0), tensor(0)]);
 * expectClose(value, 1);
 * expectClose(stack(coefficients), [1, 1 / 2, 1 / 6]);
 */
export const taylor = <X, Y>(
  f: (x: X) => Y,
  x: X,
  coefficients: readonly NoInfer<X>[],
): { readonly value: Y; readonly coefficients: readonly Y[] } => {
  requireTrees("taylor", coefficients);
  const { value, along } = runAlong("taylor", mode(coefficients.length), f, x, coefficients, true);
  return { value, coefficients: along };
};
