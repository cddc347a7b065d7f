/**
 * @file What must and must not compile. Compiled with the rest of the tests, never run.
 */
import {
  add, concat, gelu, mapTree, norm, primitive, random, scope, sum, tensor, unflatten, where, zeros, zipTrees, type Primitive, type Shape, type Tensor, type TreeOf,
} from "@dydt/tensor"; // prettier-ignore

const exactly = <T>(_: T): void => undefined;
const x = tensor([1, 2]);

// Operands are tensors and numbers, at least in one place a tensor at run time.
add(x, 1);
add(1, x);
// @ts-expect-error -- strings are no operands
add("1", "2");
// @ts-expect-error -- nor are lists: tensor([1, 2])
x.mul([1, 2]);
// @ts-expect-error -- a tensor is not a number
Math.sin(x);
// @ts-expect-error -- nor a factor
void (x * 2);
// @ts-expect-error -- a condition is a tensor
where(true, x, x);
// @ts-expect-error -- values are numbers, booleans and lists of them
tensor(["a"]);
// @ts-expect-error -- no such element type
zeros([2], { dtype: "float16" });
// @ts-expect-error -- 64-bit integers have no tensor
tensor(new BigInt64Array(1));

// Tensors do not change.
// @ts-expect-error -- a shape is readonly
x.shape = [1];
// @ts-expect-error -- and so are its lengths
x.shape[0] = 3;
// @ts-expect-error -- and the elements as a whole
x.data = new Float64Array(2);

// Options have the names of the contract.
sum(x, { axis: [0], keepDims: true });
// @ts-expect-error -- keepDims, not keepdims
sum(x, { keepdims: true });
// @ts-expect-error -- orders of norms
norm(x, { order: "2" });
// @ts-expect-error -- "none" or "tanh"
gelu(x, { approximate: true });
// @ts-expect-error -- a list
concat(x);
// @ts-expect-error -- a seed is obligatory
random();

// Trees keep their type.
interface Layer {
  readonly weight: Tensor;
  readonly bias?: Tensor;
}
declare const layer: Layer;
exactly<Layer>(mapTree((leaf) => leaf.mul(2), layer));
exactly<Layer>(zipTrees((a, b) => a.add(b), layer, layer));
exactly<readonly [Tensor, { readonly a: Tensor }]>(unflatten([x, { a: x }] as const, [x, x]));
// @ts-expect-error -- two forms
zipTrees((a, b) => a.add(b), { a: x }, { b: x });
// @ts-expect-error -- leaves become tensors
mapTree((leaf) => leaf.size, layer);

const state = <Y>(y: Y & TreeOf<Y>): Y => y;
exactly<Tensor>(state(x));
exactly<Layer>(state(layer));
exactly<readonly [Tensor, { readonly a: Tensor }]>(state([x, { a: x }] as const));
exactly<{ readonly list: readonly Tensor[] }>(state({ list: [x, x] }));
// @ts-expect-error -- a tree with a number
state({ a: x, n: 3 });
// @ts-expect-error -- a tree with a function
state({ a: x, f: () => x });
// @ts-expect-error -- a number is no tree
state(3);
// @ts-expect-error -- nor is a list of strings
state(["a"]);

// A scope hands through what its body returns.
exactly<{ readonly y: Tensor; readonly n: number }>(scope(() => ({ y: x.exp(), n: 1 })));

// Primitives keep their arguments.
const scale = primitive("scale", (y: Tensor, factor: number) => y.mul(factor));
exactly<Primitive<[Tensor, number]>>(scale);
exactly<Tensor>(scale(x, 2));
// @ts-expect-error -- the factor is a number
scale(x, "2");
// @ts-expect-error -- a primitive makes a tensor
primitive("bad", (y: Tensor) => y.size);

const shape: Shape = x.shape;
exactly<Shape>(shape);
