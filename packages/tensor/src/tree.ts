/**
 * @file Trees of tensors: a tensor, or a record, list or tuple of trees. States, parameters and gradients are trees.
 *
 * Leaves are visited in the order of the keys of each record, as JavaScript lists them.
 */
import { ShapeError } from "./errors.js";
import { isTensor, type Tensor } from "./tensor.js";

/**
 * A type with every tensor kept, records and tuples made readonly, and anything that is no tree of tensors forbidden.
 * For a state type `Y`, `Y & TreeOf<Y>` accepts interfaces and readonly tuples, and refuses numbers, strings and functions.
 */
export type TreeOf<Y> = Y extends Tensor
  ? Tensor
  : Y extends string | number | boolean | ((...args: never) => unknown)
    ? never
    : { readonly [K in keyof Y]: TreeOf<Y[K]> };

const isRecord = (value: object): boolean => [Object.prototype, null].includes(Object.getPrototypeOf(value) as object | null);

const refuse = (value: unknown, path: string): never => {
  const what =
    value === null || value === undefined
      ? String(value)
      : Array.isArray(value)
        ? "a list"
        : typeof value === "object"
          ? isRecord(value)
            ? "an object"
            : `a ${value.constructor.name}`
          : `a ${typeof value}`;
  throw new ShapeError(`a tree of tensors holds ${what} at ${path === "" ? "its root" : path}: make it a tensor with tensor(value)`);
};

const at = (path: string, key: string | number): string => (path === "" ? `${key}` : `${path}.${key}`);

/** The branches of a record or list. @throws ShapeError for a Map, a promise and their like, whose contents are no properties. */
const branchesOf = (tree: object, path: string): readonly (readonly [string, unknown])[] => {
  const branches = Object.entries(tree);
  return branches.length > 0 || Array.isArray(tree) || isRecord(tree) ? branches : refuse(tree, path);
};

/** Where in a tree the first value lies that is neither a tensor nor a branch, and an error that says so. */
const refuseLeaf = (tree: unknown, path = ""): void => {
  if (isTensor(tree)) return;
  if (typeof tree !== "object" || tree === null) return refuse(tree, path);
  for (const [key, branch] of branchesOf(tree, path)) refuseLeaf(branch, at(path, key));
};

/** Appends the leaves of a tree; false where it holds something else. */
const gather = (tree: unknown, leaves: Tensor[]): boolean => {
  if (isTensor(tree)) return leaves.push(tree) > 0;
  if (typeof tree !== "object" || tree === null) return false;
  if (Array.isArray(tree)) {
    for (let i = 0; i < tree.length; i++) if (!gather(tree[i], leaves)) return false;
    return true;
  }
  const keys = Object.keys(tree);
  for (const key of keys) if (!gather((tree as Readonly<Record<string, unknown>>)[key], leaves)) return false;
  return keys.length > 0 || isRecord(tree);
};

/** Rebuilds a tree with other leaves, taken in order by `next`. */
const rebuild = (tree: unknown, next: (leaf: Tensor) => unknown): unknown => {
  if (isTensor(tree)) return next(tree);
  if (Array.isArray(tree)) return tree.map((branch) => rebuild(branch, next));
  if (typeof tree !== "object" || tree === null) return refuse(tree, "");
  const branches = tree as Readonly<Record<string, unknown>>;
  const copy: Record<string, unknown> = {};
  const keys = Object.keys(branches);
  for (let i = 0; i < keys.length; i++) copy[keys[i]!] = rebuild(branches[keys[i]!], next);
  return copy;
};

/**
 * The leaves of a tree, in order.
 *
 * @throws ShapeError for a leaf that is no tensor, naming its path.
 * @example
 * leavesOf({ weight: tensor([1]), bias: tensor([2]) }).length; // 2
 */
export const leavesOf = (tree: unknown): readonly Tensor[] => {
  if (isTensor(tree)) return [tree];
  const leaves: Tensor[] = [];
  if (!gather(tree, leaves)) refuseLeaf(tree);
  return leaves;
};

/**
 * A tree of the form of `like` with the given leaves.
 *
 * @throws ShapeError when there are more or fewer leaves than the form has.
 */
export const unflatten = <T>(like: T, leaves: readonly Tensor[]): T => {
  if (isTensor(like) && leaves.length === 1) return leaves[0] as T;
  let next = 0;
  const tree = rebuild(like, () => leaves[next++]);
  if (next !== leaves.length) throw new ShapeError(`a tree of ${next} tensors cannot hold ${leaves.length}`);
  return tree as T;
};

/**
 * Applies a function to every tensor of a tree.
 *
 * @param f - gets the leaf and its path, such as "layers.0.weight".
 * @returns a tree of the same form, with what `f` returned.
 * @example
 * const doubled = mapTree((x) => x.mul(2), { weight: tensor([1, 2]), bias: tensor(3) });
 * expectClose(doubled.bias, 6);
 */
export const mapTree = <T>(f: (leaf: Tensor, path: string) => Tensor, tree: T): T => {
  const walk = (branch: unknown, path: string): unknown => {
    if (isTensor(branch)) return f(branch, path);
    if (Array.isArray(branch)) return branch.map((one, i) => walk(one, at(path, i)));
    if (typeof branch !== "object" || branch === null) return refuse(branch, path);
    return Object.fromEntries(branchesOf(branch, path).map(([key, one]) => [key, walk(one, at(path, key))]));
  };
  return walk(tree, "") as T;
};

/**
 * The leaves of `tree` in the order of `like`, matched by key.
 *
 * @throws ShapeError when a key is missing or too many, naming its path.
 */
export const leavesLike = (like: unknown, tree: unknown): readonly Tensor[] => {
  if (isTensor(like) && isTensor(tree)) return [tree];
  const leaves: Tensor[] = [];
  const walk = (form: unknown, branch: unknown, path: string): void => {
    if (isTensor(form)) {
      leaves.push(isTensor(branch) ? branch : refuse(branch, path));
      return;
    }
    const wanted = Object.entries(form as object);
    if (typeof branch !== "object" || branch === null || isTensor(branch))
      throw new ShapeError(
        `trees of different form: ${path === "" ? "one" : path} has ${wanted.length} branches, the other is ${isTensor(branch) ? "a tensor" : typeof branch}`,
      );
    const given = branch as Readonly<Record<string, unknown>>;
    for (const [key, part] of wanted) {
      if (!(key in given)) throw new ShapeError(`trees of different form: ${at(path, key)} is missing`);
      walk(part, given[key], at(path, key));
    }
    for (const key of Object.keys(given))
      if (!(key in (form as object))) throw new ShapeError(`trees of different form: ${at(path, key)} is too many`);
  };
  walk(like, tree, "");
  return leaves;
};

/**
 * Applies a function to the tensors in the same place of several trees of one form.
 *
 * @returns a tree of the form of the first.
 * @throws ShapeError when the forms differ, naming the path.
 * @example
 * const sum = zipTrees((a, b) => a.add(b), { weight: tensor(1), bias: tensor(2) }, { weight: tensor(10), bias: tensor(20) });
 * expectClose(sum.bias, 22);
 */
export const zipTrees = <T>(f: (...leaves: Tensor[]) => Tensor, first: T, ...others: readonly NoInfer<T>[]): T => {
  const own = leavesOf(first);
  const columns = others.map((tree) => leavesLike(first, tree));
  return unflatten(
    first,
    own.map((leaf, i) => f(leaf, ...columns.map((leaves) => leaves[i]!))),
  );
};
