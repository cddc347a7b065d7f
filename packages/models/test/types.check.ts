/** What must and what must not compile. Checked by the compiler, never run. */
import { random, tensor, type Tensor } from "@dydt/tensor";
import { errorEstimate, fixedSteps, rk4 } from "@dydt/ode";
import { adam, concatTime, linear, mlp, neuralOde, sgd, train, type Module, type Optimizer } from "../src/index.js";

const net = mlp([2, 32, 2], { activation: "tanh" });
const start = net.init(random(0));
const optimizer: Optimizer = adam(1e-2);

export const trained = async (): Promise<Tensor> => {
  const { parameters } = await train((p) => net.apply(p, tensor([1, 2])).sum(), start, { optimizer, steps: 10, progress: true });
  const annotated = await train((p: typeof start) => net.apply(p, tensor([1, 2])).sum(), start, { optimizer, steps: 10 });
  return net.apply(parameters, net.apply(annotated.parameters, tensor([1, 2])));
};

export const auxiliary = train((x) => ({ value: x.sum(), auxiliary: "note" }), tensor([1]), {
  optimizer,
  steps: 1,
  onIteration: ({ auxiliary: note, loss }) => {
    const length: number = note.length + loss;
    // @ts-expect-error the auxiliary is a text
    const wrong: number = note;
    return void [length, wrong];
  },
});

// @ts-expect-error there is no such activation
mlp([2, 2], { activation: "tahn" });
// @ts-expect-error there is no such option
linear(1, 1, { biases: false });
// @ts-expect-error a loss is synchronous
void train((x) => Promise.resolve(x), tensor([1]), { optimizer, steps: 1 });
// @ts-expect-error the steps are missing
void train((x) => x.sum(), tensor([1]), { optimizer });
// @ts-expect-error an optimizer is made by its function
void train((x) => x.sum(), tensor([1]), { optimizer: sgd, steps: 1 });
// @ts-expect-error a module of time and state takes both
concatTime(net).apply(start, tensor([1, 2]));
// @ts-expect-error a module of time and state is no module of the state
export const confused: Module<typeof start> = concatTime(net);

const model = neuralOde(concatTime(mlp([3, 2])), { t0: 0, t1: 1, regularize: errorEstimate() });
export const penalty: Tensor | undefined = model.solve(model.init(random(0)), tensor([1, 2])).penalties[0];
neuralOde(net, { t0: 0, t1: 1, solver: rk4(), controller: fixedSteps(10) });
// @ts-expect-error this solver estimates no error, so the default controller cannot steer it
neuralOde(net, { t0: 0, t1: 1, solver: rk4() });
// @ts-expect-error a module of time and state says so by its mark
neuralOde({ init: net.init, apply: (p: typeof start, [t, y]: readonly [Tensor, Tensor]) => net.apply(p, y).mul(t) }, { t0: 0, t1: 1 });
