/**
 * @file Trees of parameters as vectors: a direction, the way along it, and products with it.
 */
import { leavesOf, random, unflatten, type Tensor } from "@dydt/tensor";

/** ⟨a, b⟩. */
export const dot = (a: unknown, b: unknown): number => {
  const others = leavesOf(b);
  return leavesOf(a).reduce((total, leaf, i) => total + leaf.mul(others[i]!).sum().item(), 0);
};

/** x + h v. */
export const move = <P>(x: P, h: number, v: P): P => {
  const directions = leavesOf(v);
  return unflatten(
    x,
    leavesOf(x).map((leaf, i) => leaf.add(directions[i]!.mul(h))),
  );
};

/** A random direction as long as the parameters, leaf by leaf. */
export const directionOf = <P>(x: P, seed: number): P => {
  const stream = random(seed);
  const size = (leaf: Tensor): number => {
    const root = leaf.size === 0 ? 0 : Math.sqrt(leaf.square().mean().item());
    return root === 0 ? 1 : root;
  };
  return unflatten(
    x,
    leavesOf(x).map((leaf) => stream.normal(leaf.shape, { dtype: leaf.dtype }).mul(size(leaf))),
  );
};

/** The length of (gᵢ vᵢ): the size of ⟨g, v⟩ before anything cancels. */
export const partsOf = (gradient: unknown, direction: unknown): number => {
  const others = leavesOf(direction);
  return Math.sqrt(leavesOf(gradient).reduce((total, leaf, i) => total + leaf.mul(others[i]!).square().sum().item(), 0));
};
