/**
 * @file What must and must not compile. Compiled with the rest of the tests, never run.
 */
import { gradient, revolve } from "@dydt/autodiff";
import { random, stack, tensor, type Tensor } from "@dydt/tensor";
import {
  adaptive, backsolveAdjoint, denseAdjoint, forwardSensitivity, gaussAdjoint, interpolatedAdjoint, jacobianNorm, kineticEnergy, reversibleAdjoint,
  reversible, reversibleHeun, bosh3, discreteAdjoint, dopri5, errorEstimate, euler, explicitRungeKutta, fixed, fixedSteps, grid, heun, inPlace, integrate, midpoint, ralston, rk4,
  rk4ThreeEighths, solve, solveAsync, stiffnessEstimate, tsit5, type Controller, type DenseStep, type EmbeddedStep, type Ode, type Regularizer, type Solution, type Solver,
  type Step, type StiffnessStep, type TreeStep,
} from "@dydt/ode"; // prettier-ignore

const exactly = <T>(_: T): void => undefined;
interface Body {
  readonly position: Tensor;
  readonly velocity: Tensor;
}
declare const body: Body;
const y0 = tensor([1, 2]);
const f = (_t: Tensor, y: Tensor) => y.neg();
const t = { t0: 0, t1: 1 };

// The shortest call, and every part of it.
exactly<Solution<Tensor>>(solve((_t, y) => y.neg(), y0, { t0: 0, t1: 1 }));
exactly<Tensor>(solve(f, y0, t).y1);
exactly<readonly Tensor[]>(solve(f, y0, { ...t, regularize: errorEstimate() }).penalties);
solve(f, y0, { t0: tensor(0), t1: tensor(1), saveAt: tensor([0.5]) });
solve((time, y) => y.mul(time.sin()), y0, {
  t0: 0,
  t1: 1,
  saveAt: [0, 0.5, 1],
  maxSteps: 10,
  adjoint: discreteAdjoint({ checkpoints: revolve(8), tape: "evaluation" }),
});

// Solvers that estimate their error need no controller, and take any.
for (const solver of [tsit5(), dopri5()]) solve(f, y0, { ...t, solver });
solve(f, y0, { ...t, solver: heun() });
solve(f, y0, { ...t, solver: heun(), controller: adaptive({ rtol: 1e-4, atol: [1e-6, 1e-7] }) });
solve(f, y0, { ...t, solver: bosh3(), controller: adaptive() });
solve(f, y0, { ...t, solver: midpoint(), controller: adaptive() });
solve(f, y0, { ...t, solver: ralston() });
solve(f, y0, { ...t, controller: fixed(0.1) });
solve(f, y0, { ...t, solver: tsit5(), controller: grid([0, 0.5, 1]) });
solve(f, y0, { ...t, controller: grid(solve(f, y0, t)) });

// What is undefined is not given.
solve(f, y0, {
  ...t, solver: undefined, controller: undefined, saveAt: undefined, adjoint: undefined, regularize: undefined, events: undefined, maxSteps: undefined,
  onStep: undefined, signal: undefined, timeLimit: undefined, throw: undefined, resume: undefined,
}); // prettier-ignore
solve(f, y0, { ...t, solver: tsit5(), controller: adaptive({ rtol: undefined, times: undefined }), saveAt: { times: undefined, every: "step" } });
solve(f, y0, { ...t, events: [{ when: (_, y) => y.at(0), direction: undefined, then: undefined, times: undefined, tolerance: undefined }] });
// @ts-expect-error -- euler needs a controller, and this is none
solve(f, y0, { ...t, solver: euler(), controller: undefined });

// Those that do not need one that gives them their steps.
solve(f, y0, { ...t, solver: euler(), controller: fixedSteps(10) });
solve(f, y0, { ...t, solver: rk4(), controller: fixed(0.1), adjoint: discreteAdjoint() });
// @ts-expect-error -- euler estimates no error, and the default controller needs it
solve(f, y0, { ...t, solver: euler() });
// @ts-expect-error -- nor can rk4 choose its steps
solve(f, y0, { ...t, solver: rk4() });
// @ts-expect-error -- adaptive() needs an error estimate
solve(f, y0, { ...t, solver: euler(), controller: adaptive() });
// @ts-expect-error -- also with options
solve(f, y0, { ...t, solver: rk4ThreeEighths(), controller: adaptive({ rtol: 1e-3 }) });
// @ts-expect-error -- and in a loop
integrate(f, y0, { ...t, solver: euler() });

// Step costs need what they look at.
solve(f, y0, { ...t, solver: dopri5(), regularize: [errorEstimate(), stiffnessEstimate()] });
solve(f, y0, { ...t, solver: tsit5(), regularize: stiffnessEstimate({ norm: "inf" }), controller: fixedSteps(4) });
solve(f, y0, { ...t, regularize: [errorEstimate({ norm: "l2", power: 2 }), stiffnessEstimate({ reduce: "max" })] });
solve(f, y0, { ...t, solver: heun(), regularize: errorEstimate() });
// @ts-expect-error -- rk4 estimates no error
solve(f, y0, { ...t, solver: rk4(), controller: fixedSteps(10), regularize: errorEstimate() });
// @ts-expect-error -- heun has no two stages at one time
solve(f, y0, { ...t, solver: heun(), regularize: stiffnessEstimate() });
// @ts-expect-error -- nor has bosh3
solve(f, y0, { ...t, solver: bosh3(), regularize: stiffnessEstimate() });
// @ts-expect-error -- one of two is too much as well
solve(f, y0, { ...t, solver: bosh3(), regularize: [errorEstimate(), stiffnessEstimate()] });

// An adjoint that differentiates the flow knows nothing of the costs of steps.
for (const adjoint of [backsolveAdjoint(), denseAdjoint(), interpolatedAdjoint({ nodes: 10 }), gaussAdjoint()]) solve(f, y0, { ...t, adjoint });
for (const adjoint of [backsolveAdjoint(), discreteAdjoint(), forwardSensitivity()]) solve(f, y0, { ...t, adjoint });
solve(f, y0, { ...t, adjoint: backsolveAdjoint({ solver: rk4(), controller: fixedSteps(10) }), regularize: [kineticEnergy(), jacobianNorm()] });
solve(f, y0, { ...t, adjoint: discreteAdjoint(), regularize: [kineticEnergy(), errorEstimate()] });
solve(f, y0, { ...t, adjoint: forwardSensitivity(), regularize: errorEstimate() });
solve(f, y0, { ...t, solver: reversibleHeun(), adjoint: reversibleAdjoint() });
solve(f, y0, { ...t, solver: reversible(rk4()), controller: fixedSteps(10), adjoint: reversibleAdjoint() });
// @ts-expect-error -- tsit5's steps cannot be undone
solve(f, y0, { ...t, solver: tsit5(), adjoint: reversibleAdjoint() });
// @ts-expect-error -- nor can those of the default solver
solve(f, y0, { ...t, adjoint: reversibleAdjoint() });
// @ts-expect-error -- a continuous adjoint does not differentiate the solver's steps
solve(f, y0, { ...t, adjoint: backsolveAdjoint(), regularize: errorEstimate() });
// @ts-expect-error -- nor does this one
solve(f, y0, { ...t, adjoint: interpolatedAdjoint(), regularize: stiffnessEstimate() });
// @ts-expect-error -- nor this one
solve(f, y0, { ...t, adjoint: denseAdjoint(), regularize: [errorEstimate()] });
// @ts-expect-error -- nor this one, beside a running cost
solve(f, y0, { ...t, adjoint: gaussAdjoint(), regularize: [kineticEnergy(), errorEstimate()] });
// @ts-expect-error -- reversibleHeun has no dense output to look up states in
solve(f, y0, { ...t, solver: reversibleHeun(), adjoint: denseAdjoint() });
// @ts-expect-error -- nor for this one
solve(f, y0, { ...t, solver: reversibleHeun(), adjoint: gaussAdjoint() });
// @ts-expect-error -- a backward solver that estimates no error cannot be adaptive
backsolveAdjoint({ solver: rk4(), controller: adaptive() });
// @ts-expect-error -- the costate must be evaluated between the steps
gaussAdjoint({ solver: reversibleHeun() });

// Functions, not names.
// @ts-expect-error -- a method-name string
solve(f, y0, { ...t, solver: "tsit5" });
// @ts-expect-error -- the function instead of its result
solve(f, y0, { ...t, solver: tsit5 });
// @ts-expect-error -- a name as controller
solve(f, y0, { ...t, controller: "adaptive" });
// @ts-expect-error -- a name as adjoint
solve(f, y0, { ...t, adjoint: "discrete" });
// @ts-expect-error -- unknown option
solve(f, y0, { t0: 0, t1: 1, rtol: 1e-6 });
// @ts-expect-error -- unknown option of the controller
adaptive({ rtoll: 1e-6 });
// @ts-expect-error -- unknown granularity
discreteAdjoint({ tape: "stage" });
// @ts-expect-error -- unknown norm
errorEstimate({ norm: "max" });
// @ts-expect-error -- no end time
solve(f, y0, { t0: 0 });
// @ts-expect-error -- one save time is a list of one
solve(f, y0, { ...t, saveAt: 1 });

// States are trees of tensors: interfaces, readonly tuples, records, lists.
exactly<Body>(solve((_t, { position, velocity }: Body) => ({ position: velocity, velocity: position.neg() }), body, t).y1);
exactly<Body>(solve((_t, { position, velocity }) => ({ position: velocity, velocity: position.neg() }), body, t).ys);
exactly<readonly [Tensor, Tensor]>(
  solve((_t, [a, b]: readonly [Tensor, Tensor]): readonly [Tensor, Tensor] => [b, a.neg()], [y0, y0] as const, t).y1,
);
exactly<{ a: Tensor; b: { c: Tensor } }>(solve((_t, { a, b }) => ({ a: b.c, b: { c: a } }), { a: y0, b: { c: y0 } }, t).y1);
declare const list: readonly Tensor[];
exactly<readonly Tensor[]>(solve((_t, y) => y.map((x) => x.neg()), list, t).y1);
exactly<readonly Tensor[]>(solve((_t, y: readonly Tensor[]) => y.map((x) => x.neg()), [y0, y0], t).y1);
// @ts-expect-error -- a number is no state
solve((_t, y) => y, 1, t);
// @ts-expect-error -- nor is a list of numbers
solve((_t, y) => y, [1, 2], t);
// @ts-expect-error -- nor a tree with a number in it
solve((_t, y) => y, { a: y0, b: 1 }, t);
// @ts-expect-error -- the slope is a number
solve((_t, y) => y.sum().item(), y0, t);
// @ts-expect-error -- the slope is another tree
solve((_t, { position }: Body) => ({ position }), body, t);
// @ts-expect-error -- the slope is a tensor for a tree
solve((_t, { position }: Body) => position, body, t);
// @ts-expect-error -- a promise is no slope
solve(async (_t, y: Tensor) => Promise.resolve(y), y0, t);
// @ts-expect-error -- JavaScript's sine does not take a tensor
solve((time, y) => y.mul(Math.sin(time)), y0, t);

// Steps of a loop have what the solver makes.
for (const step of integrate(f, y0, t)) exactly<readonly [Tensor, Tensor, Tensor, number]>([step.y1, step.error, step.at(0.5), step.t1]);
for (const step of integrate(f, y0, { ...t, solver: rk4(), controller: fixedSteps(3) })) {
  exactly<Tensor>(step.at(0.5));
  // @ts-expect-error -- rk4 estimates no error
  void step.error;
}
for (const step of integrate((_t, { position, velocity }: Body) => ({ position: velocity, velocity: position.neg() }), body, t))
  exactly<Body>(step.error);
exactly<Generator<TreeStep<Tensor, Step>>>(integrate<Tensor, Step>(f, y0, { ...t, solver: euler(), controller: fixedSteps(2) }));

// What a tableau has decides what its steps have.
const plain = explicitRungeKutta({ name: "midpoint", order: 2, a: [[], [1 / 2]], b: [0, 1], c: [0, 1 / 2] });
exactly<Solver<Ode, Step>>(plain);
// @ts-expect-error -- no error, no estimate
exactly<Solver<Ode, EmbeddedStep>>(plain);
// @ts-expect-error -- no dense output
exactly<Solver<Ode, DenseStep>>(plain);
exactly<Solver<Ode, EmbeddedStep & DenseStep & StiffnessStep>>(tsit5());
// @ts-expect-error -- bosh3 has no stiffness pair
exactly<Solver<Ode, StiffnessStep>>(bosh3());

// A controller or a cost for plain steps serves every solver; one that needs more does not serve plain steps.
exactly<Controller<EmbeddedStep>>(fixedSteps(3));
// @ts-expect-error -- adaptive needs the error
exactly<Controller<Step>>(adaptive());
declare const lengthCost: Regularizer<Step>;
solve(f, y0, { ...t, solver: euler(), controller: fixedSteps(3), regularize: lengthCost });
solve(f, y0, { ...t, regularize: [lengthCost, errorEstimate()] });

// What can happen on the way: events of the state's own type, for solvers with dense output.
exactly<Tensor>(solve(f, y0, { ...t, events: [{ when: (time, y) => y.at(0).sub(time), then: "terminate" }] }).events[0]!.times);
solve(f, y0, {
  ...t,
  solver: rk4(),
  controller: fixed(0.1),
  events: [{ when: (_t, y) => y.sum(), direction: "up", then: (_t, y) => y.neg(), times: 2 }],
});
exactly<Body | undefined>(
  solve((_t, { position, velocity }) => ({ position: velocity, velocity: position.neg() }), body, {
    ...t,
    events: [{ when: (_t, { position }) => position.sum() }],
  }).events[0]?.states,
);
// @ts-expect-error -- a change of state returns a state
solve(f, y0, { ...t, events: [{ when: (_t, y) => y.sum(), then: () => 1 }] });
// @ts-expect-error -- unknown direction
solve(f, y0, { ...t, events: [{ when: (_t, y) => y.sum(), direction: "left" }] });
declare const stepOnly: Solver<Ode, Step>;
// @ts-expect-error -- a solver without dense output cannot locate events
solve(f, y0, { ...t, solver: stepOnly, controller: fixed(0.1), events: [{ when: (_t: Tensor, y: Tensor) => y.sum() }] });

// What is saved, seen, and taken up again.
exactly<Tensor>(solve(f, y0, { ...t, saveAt: { every: "step", times: [0.5] } }).ys);
exactly<{ mean: Tensor }>(solve(f, y0, { ...t, saveAt: { value: (time, y) => ({ mean: y.mean().mul(time) }) } }).ys);
const fall = (_t: Tensor, { position, velocity }: Body): Body => ({ position: velocity, velocity: position.neg() });
const positions = solve(fall, body, { ...t, saveAt: { value: (_t, y) => y.position } });
exactly<Body>(positions.y1);
exactly<Tensor>(positions.ys);
// @ts-expect-error -- what is saved is a tensor, not a state
exactly<Body>(positions.ys);
// @ts-expect-error -- every what
solve(f, y0, { ...t, saveAt: { every: 2 } });
solve(f, y0, {
  ...t,
  onStep: ({ t1, y1, error }) => (y1.at(0).item() + error.at(0).item() > t1 ? "stop" : undefined),
  signal: new AbortController().signal,
  timeLimit: 1e3,
});
solve(f, y0, {
  ...t,
  solver: bosh3(),
  onStep: (step) => {
    exactly<Tensor>(step.error);
    // @ts-expect-error -- bosh3's steps have no stiffness
    void step.stiffness;
  },
});
const partial = solve(f, y0, { ...t, throw: false });
exactly<Tensor>(partial.at(0.5));
if (partial.resume !== undefined) solve(f, y0, { ...t, resume: partial.resume });
// @ts-expect-error -- a solution is not where it stands
solve(f, y0, { ...t, resume: partial });
exactly<Promise<Solution<Tensor>>>(solveAsync(f, y0, { ...t, saveAt: [0.5] }));
exactly<Solution<Tensor>>(
  solve(
    inPlace((_t, y, dy) => (dy[0] = -y[0]!)),
    y0,
    t,
  ),
);
const decay = inPlace((_t, y, dy) => (dy[0] = -y[0]!));
// @ts-expect-error -- a plain field is for one tensor
solve(decay, body, t);

// A network that is closed over, in a loss: the quickstart.
interface Layer {
  readonly weight: Tensor;
  readonly bias: Tensor;
}
const layer = (rows: number, columns: number): Layer => ({ weight: random(0).normal([rows, columns]), bias: random(1).normal([columns]) });
const net = {
  init: (): readonly Layer[] => [layer(2, 32), layer(32, 2)],
  apply: (p: readonly Layer[], x: Tensor) => p.reduce((y, { weight, bias }) => y.matmul(weight).add(bias).tanh(), x),
};
const start = net.init();
const data = stack([tensor([1, 2, 3]), tensor([4, 5, 6])], 1);
const years = Array.from({ length: 21 }, (_, i) => i);
const fit = (p: typeof start) =>
  solve((_t, y) => net.apply(p, y), data.at(0), { t0: 0, t1: 20, saveAt: years, adjoint: discreteAdjoint({ checkpoints: revolve(8) }) }).ys;
exactly<readonly Layer[]>(gradient((p: typeof start) => fit(p).sub(data).square().mean())(start));
