/**
 * @file What must and must not compile. Compiled with the rest of the tests, never run.
 */
import { primitive, tensor, type Tensor } from "@dydt/tensor";
import { checkGradients, checkpoint, custom, defineVjp, gradient, pushforward, valueAndGradient, vjp, type Schedule } from "@dydt/autodiff";

const exactly = <T>(_: T): void => undefined;
interface Layer {
  readonly weight: Tensor;
  readonly bias: Tensor;
}
declare const layer: Layer;
const x = tensor([1, 2]);

// A gradient has the type of its argument.
exactly<Tensor>(gradient((at: Tensor) => at.sum())(x));
exactly<Layer>(gradient((p: Layer) => p.weight.sum())(layer));
exactly<readonly [Tensor, Tensor]>(gradient(([a, b]: readonly [Tensor, Tensor]) => a.add(b))([x, x]));
// @ts-expect-error -- a function that returns a number has no gradient
gradient((at: Tensor) => at.sum().item());
// @ts-expect-error -- nor has one that returns nothing
gradient((_: Tensor) => undefined);
// @ts-expect-error -- nor an asynchronous one
gradient(async (at: Tensor) => Promise.resolve(at));
// @ts-expect-error -- the argument must be what the function takes
gradient((p: Layer) => p.weight.sum())(x);

// Auxiliary outputs keep their type, and are there only when there are any.
exactly<{ readonly n: number }>(valueAndGradient((at: Tensor) => ({ value: at.sum(), auxiliary: { n: 1 } }))(x).auxiliary);
// @ts-expect-error -- no auxiliary was returned
void valueAndGradient((at: Tensor) => at.sum())(x).auxiliary;
// @ts-expect-error -- the value must be a tensor
valueAndGradient((at: Tensor) => ({ value: 1, auxiliary: at }));

// Tangents have the form of the value, one for each direction that is written down.
const moved = pushforward((p: Layer) => [p.weight.exp()] as const, layer, [layer, layer]);
exactly<readonly [readonly [Tensor], readonly [Tensor]]>(moved.tangents);
exactly<readonly Tensor[]>(pushforward((at: Tensor) => at.exp(), x, [x, x].slice(1)).tangents);
// @ts-expect-error -- there is no third direction
void moved.tangents[2];
// @ts-expect-error -- a direction of another form than the argument
pushforward((p: Layer) => p.weight, layer, [layer, x]);

// Pullbacks go from the form of the value to the form of the argument.
const pulled = vjp((p: Layer) => [p.weight.exp()] as const, layer);
exactly<Layer>(pulled.pullback([x]));
// @ts-expect-error -- a cotangent of another form
pulled.pullback(x);

// Checkpoints keep the signature.
exactly<(at: Tensor, p: Layer) => Tensor>(checkpoint((at: Tensor, p: Layer) => at.mul(p.weight)));
// @ts-expect-error -- the second argument is missing
checkpoint((at: Tensor, p: Layer) => at.mul(p.weight))(x);

// Custom nodes: the pullback returns the form of the inputs.
custom(layer, () => ({ outputs: x, pullback: (c: Tensor) => ({ weight: c, bias: c }) }));
// @ts-expect-error -- bias has no cotangent
custom(layer, () => ({ outputs: x, pullback: (c: Tensor) => ({ weight: c }) }));

// Rules: one entry for each argument.
const scale = primitive("scale", (at: Tensor, factor: number) => at.mul(factor));
defineVjp(scale, [(c, _, at, factor) => c.mul(factor).add(at.mul(0)), null]);
// @ts-expect-error -- an entry is missing
defineVjp(scale, [(c) => c]);
// @ts-expect-error -- a rule gives a tensor
defineVjp(scale, [() => 1, null]);

checkGradients((at: Tensor) => at.sum(), x, { order: 2 });
// @ts-expect-error -- there is no third order
checkGradients((at: Tensor) => at.sum(), x, { order: 3 });

const oneStep: Schedule = function* () {
  yield { do: "store", state: 0 };
  yield { do: "reverse", step: 0 };
  yield { do: "release", state: 0 };
};
exactly<Schedule>(oneStep);
// @ts-expect-error -- no such action
const wrong: Schedule = () => [{ do: "jump", state: 0 }];
exactly<Schedule>(wrong);
