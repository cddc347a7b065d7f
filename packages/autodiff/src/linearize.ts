/**
 * @file The forward rules, and an operation at a point as the linear map that its rule describes.
 *
 *   y = f(x₁, x₂, ...),  ẏ = Σᵢ (∂f/∂xᵢ) ẋᵢ
 *
 * What a rule makes of the point alone, such as the slope of a function of each element, is made once, however many tangents go through the map.
 */
import {
  add,
  carriedRules,
  formatShape,
  isTensor,
  mul,
  sameShape,
  ShapeError,
  zerosLike,
  type Operation,
  type Primitive,
  type Tensor,
} from "@dydt/tensor";
import { definedJvp, hasZeroDerivative, missingJvp } from "./extend.js";
import type { Along } from "./forward.js";
import type { ArgumentTangentRule, JointJvpRule, JvpRule, SlopeRule, Tangent } from "./rule.js";
import { elementwiseTangents } from "./rules/elementwise.js";
import { indexingTangents } from "./rules/indexing.js";
import { linalgTangents } from "./rules/linalg.js";
import { movementTangents } from "./rules/movement.js";
import { reduceTangents } from "./rules/reduce.js";
import { scanTangents } from "./rules/scan.js";

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a table holds primitives of any arguments
type AnyJvpRule = JvpRule<any> | JointJvpRule<any>;

const table = /* @__PURE__ */ new Map<Operation, AnyJvpRule>(
  /* @__PURE__ */ [
    ...elementwiseTangents(), reduceTangents(), movementTangents(), linalgTangents(), indexingTangents(), scanTangents(),
  ].flat(),
); // prettier-ignore

/** The forward rule of an operation; null where every derivative is zero. @throws MissingRuleError where there is none. */
export const jvpRuleOf = (operation: Operation): AnyJvpRule | null => {
  const own = definedJvp(operation);
  if (own !== undefined) return own;
  const rule = table.get(operation) ?? carriedRules(operation)?.jvp;
  if (rule !== undefined) return rule;
  if (hasZeroDerivative(operation)) return null;
  throw missingJvp(operation);
};

/** The arguments with a tangent in the place of one of them: zeros in a list where there is none. */
export const replaced = (args: readonly unknown[], i: number, tangent: Along<Tensor>): readonly unknown[] => {
  const others = args.slice();
  others[i] = isTensor(tangent) ? tangent : (args[i] as readonly Tensor[]).map((x, k) => (tangent as readonly Tangent[])[k] ?? zerosLike(x));
  return others;
};

type Args = readonly unknown[];

/** What a rule says of one argument. */
type ArgumentEntry = "linear" | ArgumentTangentRule<Args, unknown> | SlopeRule<Args>;

/** How the tangent of one argument moves the output. */
const linearizeIn = (i: number, rule: ArgumentEntry, operation: Operation, args: Args, output: Tensor): ((tangent: Along<Tensor>) => Tangent) => {
  if (rule === "linear") return (tangent) => (operation as Primitive<Args>)(...replaced(args, i, tangent));
  if (!("slope" in rule)) return (tangent) => rule(tangent as Tensor, output, ...args);
  const slope = rule.slope(output, ...args);
  return (tangent) => mul(tangent as Tensor, slope);
};

/** @throws ShapeError where what a forward rule gave does not fit the output. */
export const requireTangent = ({ op }: Operation, tangent: Tensor, output: Tensor): void => {
  if (tangent.dtype === output.dtype && sameShape(tangent.shape, output.shape)) return;
  const what: unknown = tangent;
  throw new ShapeError(
    `the forward rule of ${op} gave ${isTensor(what) ? `a tangent of shape ${formatShape(what.shape)} and type ${what.dtype}` : String(what)} ` +
      `for an output of shape ${formatShape(output.shape)} and type ${output.dtype}`,
  );
};

/** An operation at a point as the linear map from the tangents of its arguments, one at least, to that of its output; null where every derivative is zero. */
export const linearize = (operation: Operation, args: Args, output: Tensor): ((tangents: readonly Along<Tensor>[]) => Tangent) | null => {
  const rule = jvpRuleOf(operation);
  if (rule === null) return null;
  if (typeof rule === "function") return (rule as JointJvpRule<Args>)(output, ...args) as (tangents: readonly Along<Tensor>[]) => Tangent;
  const entries = rule as readonly (ArgumentEntry | null | undefined)[];
  const maps: ReturnType<typeof linearizeIn>[] = [];
  return (tangents) => {
    let sum: Tangent;
    for (let i = 0; i < args.length; i++) {
      const tangent = tangents[i];
      const one = entries[i];
      if (tangent === undefined || one === null) continue;
      if (one === undefined) throw missingJvp(operation, i);
      const part = (maps[i] ??= linearizeIn(i, one, operation, args, output))(tangent);
      if (part === undefined) continue;
      if (sum === undefined) sum = part;
      else {
        // Where there is one part it is looked at as the tangent of the output.
        requireTangent(operation, sum, output);
        requireTangent(operation, part, output);
        sum = add(sum, part);
      }
    }
    return sum;
  };
};
