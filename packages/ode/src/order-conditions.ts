/**
 * @file Rooted trees and the order conditions of Runge–Kutta methods.
 *
 * A rooted tree τ = [τ₁ … τₘ] is a root with subtrees τ₁ … τₘ; the tree of one vertex is written τ. With |τ| vertices,
 *
 *   density            γ(τ)  = |τ| γ(τ₁) ⋯ γ(τₘ)
 *   elementary weight  Φᵢ(τ) = (Σⱼ aᵢⱼ Φⱼ(τ₁)) ⋯ (Σⱼ aᵢⱼ Φⱼ(τₘ)),   Φᵢ = 1 for one vertex
 *   condition          Σᵢ bᵢ Φᵢ(τ) = 1 / γ(τ)
 *
 * and a method has order p when the condition holds for every tree of at most p vertices: 1, 1, 2, 4, 9, 20, 48, 115 of them for |τ| = 1 … 8.
 * E. Hairer, S. P. Nørsett, G. Wanner, Solving Ordinary Differential Equations I, 2nd ed., 1993, II.2, Theorem 2.13.
 */

/** A rooted tree, its subtrees shared with the smaller trees of the same enumeration. */
export interface RootedTree {
  /** Nested brackets: `τ`, `[τ]`, `[τ[τ]]`. */
  readonly name: string;
  /** The number of vertices |τ|. */
  readonly order: number;
  /** γ(τ): the exact solution has the weight 1 / γ(τ). */
  readonly density: number;
  readonly subtrees: readonly RootedTree[];
}

/** One order condition as a method meets it. */
export interface OrderCondition {
  readonly tree: RootedTree;
  /** Σᵢ wᵢ Φᵢ(τ). */
  readonly value: number;
  /** What `value` has to be. */
  readonly target: number;
  /** Σᵢ |wᵢ| Φᵢ(τ) with |a| for a, or |target| where that is larger: rounding errors of `value` are proportional to it. */
  readonly scale: number;
}

const enumerated = new Map<number, readonly RootedTree[]>();

/**
 * Every rooted tree of at most `order` vertices, small ones first.
 *
 * @param order - the largest number of vertices; 200 trees for 8.
 */
export const rootedTrees = (order: number): readonly RootedTree[] => {
  const known = enumerated.get(order);
  if (known !== undefined) return known;
  const trees: RootedTree[] = [];
  for (let size = 1; size <= order; size++) trees.push(...[...forests(trees, size - 1, trees.length)].map(graft));
  enumerated.set(order, trees);
  return trees;
};

/** The multisets of the first `count` trees with `vertices` vertices together, each once: the later a tree in the list, the earlier in its forest. */
function* forests(trees: readonly RootedTree[], vertices: number, count: number): Generator<readonly RootedTree[]> {
  if (vertices === 0) yield [];
  for (let i = count - 1; i >= 0; i--) {
    const tree = trees[i]!;
    if (tree.order > vertices) continue;
    for (const rest of forests(trees, vertices - tree.order, i + 1)) yield [tree, ...rest];
  }
}

/** The tree [τ₁ … τₘ] of a new root over the trees of a forest. */
const graft = (subtrees: readonly RootedTree[]): RootedTree => {
  const order = subtrees.reduce((sum, tree) => sum + tree.order, 1);
  return {
    name:
      order === 1
        ? "τ"
        : `[${subtrees
            .map((tree) => tree.name)
            .reverse()
            .join("")}]`,
    order,
    density: subtrees.reduce((product, tree) => product * tree.density, order),
    subtrees,
  };
};

/**
 * Φᵢ(τ) of every stage i, as a function of the tree.
 *
 * @param a - the stage coefficients, row i with at most i entries.
 * @returns a function that remembers the weights of the trees it has seen, subtrees included.
 */
const elementaryWeights = (a: readonly (readonly number[])[]): ((tree: RootedTree) => readonly number[]) => {
  const known = new Map<RootedTree, readonly number[]>();
  const weights = (tree: RootedTree): readonly number[] => {
    const remembered = known.get(tree);
    if (remembered !== undefined) return remembered;
    const factors = tree.subtrees.map(weights);
    const result = a.map((row) => factors.reduce((product, factor) => product * dot(row, factor), 1));
    known.set(tree, result);
    return result;
  };
  return weights;
};

/** Σᵢ wᵢ xᵢ over the entries of `w`. */
export const dot = (w: readonly number[], x: readonly number[]): number => w.reduce((sum, weight, i) => sum + weight * x[i]!, 0);

/**
 * The order conditions of the weights `w` over the stages of `a`, one for each tree of at most `order` vertices.
 *
 * @param a - the stage coefficients, row i with at most i entries.
 * @param w - one weight for each stage.
 * @param order - the order to which the conditions are wanted.
 * @param target - what Σᵢ wᵢ Φᵢ(τ) has to be; 1 / γ(τ) by default, the condition of a solution at the end of the step.
 * @returns the conditions. For the midpoint rule, `orderConditions([[], [1 / 2]], [0, 1], 2)`, they are those of τ (value 1, target 1) and of [τ] (½ and ½).
 */
export const orderConditions = (
  a: readonly (readonly number[])[],
  w: readonly number[],
  order: number,
  target = (tree: RootedTree) => 1 / tree.density,
): readonly OrderCondition[] => {
  const weights = elementaryWeights(a);
  const sizes = elementaryWeights(a.map((row) => row.map(Math.abs)));
  return rootedTrees(order).map((tree) => ({
    tree,
    value: dot(w, weights(tree)),
    target: target(tree),
    scale: Math.max(dot(w.map(Math.abs), sizes(tree)), Math.abs(target(tree))),
  }));
};
