import { checkGradients, gradient, revolve, storeAll } from "@dydt/autodiff";
import { discreteAdjoint, errorEstimate, fixedSteps, MaxStepsError, rk4, type SolveOptions, type DefaultStep } from "@dydt/ode";
import { leavesOf, OptionError, random, tensor, type Random, type Tensor } from "@dydt/tensor";
import { describe, expect, test } from "vitest";
import { adam, concatTime, linear, meanSquaredError, mlp, neuralOde, train } from "../src/index.js";

const close = (found: Tensor, wanted: readonly number[], tolerance: number): void => {
  expect(found.size).toBe(wanted.length);
  Array.from(found.data).forEach((x, i) => expect(Math.abs(x - wanted[i]!)).toBeLessThan(tolerance));
};

const steps = { t0: 0, t1: 1, solver: rk4(), controller: fixedSteps(8) };

describe("a neural ODE", () => {
  test("follows its network from the input: a rotation by a right angle", () => {
    const model = neuralOde(linear(2, 2, { bias: false }), { t0: 0, t1: Math.PI / 2 });
    const rotation = { weight: tensor([[0, 1], [-1, 0]]) }; // prettier-ignore
    close(model.apply(rotation, tensor([1, 0])), [0, 1], 1e-5);
    close(model.apply(rotation, tensor([[1, 0], [0, 2]])), [0, 1, -2, 0], 1e-5); // prettier-ignore
  });

  test("gives the time to a network that takes it", () => {
    const model = neuralOde(concatTime(linear(2, 1)), { t0: 1, t1: 3 });
    const slopeIsTime = { weight: tensor([[0], [1]]), bias: tensor([0]) };
    close(model.apply(slopeIsTime, tensor([10])), [14], 1e-9); // 10 + (3² − 1²) / 2
  });

  test("has the solution with its save times, penalties and statistics", () => {
    const model = neuralOde(mlp([2, 4, 2]), { t0: 0, t1: 1, saveAt: [0, 0.5, 1], regularize: errorEstimate() });
    const { ts, ys, y1, penalties, stats } = model.solve(model.init(random(0)), tensor([1, -1]));
    expect([ts.shape, ys.shape, y1.shape, penalties.length]).toEqual([[3], [3, 2], [2], 1]);
    expect(ys.at(0).toArray()).toEqual([1, -1]);
    expect(ys.at(2).toArray()).toEqual(y1.toArray());
    expect(stats.accepted).toBeGreaterThan(0);
  });

  test.each([
    ["the state", neuralOde(mlp([2, 5, 2]), steps)],
    ["time and state", neuralOde(concatTime(mlp([3, 5, 2])), steps)],
  ])("of %s has the derivative of what it computes, in parameters and input", (_, model) => {
    const stream = random(4);
    const at = { parameters: model.init(stream), y0: stream.normal([3, 2]) };
    const report = checkGradients(({ parameters, y0 }: typeof at) => model.apply(parameters, y0).square().sum(), at);
    expect(report.passed, report.toString()).toBe(true);
  });

  test("has a gradient with the same bits under every checkpoint schedule", () => {
    const slopes = [storeAll(), revolve(2)].map((checkpoints) => {
      const model = neuralOde(mlp([2, 5, 2]), { ...steps, adjoint: discreteAdjoint({ checkpoints }) });
      return leavesOf(gradient((p: ReturnType<typeof model.init>) => model.apply(p, tensor([1, -1])).sum())(model.init(random(0)))).map((leaf) =>
        leaf.toArray(),
      );
    });
    expect(slopes[1]).toEqual(slopes[0]);
  });

  test("is trained to a flow, in float32 too", async () => {
    for (const dtype of ["float64", "float32"] as const) {
      const model = neuralOde(mlp([1, 8, 1], { dtype }), steps);
      const x = tensor([[0.5], [1], [1.5]], { dtype });
      const { parameters, losses } = await train((p) => meanSquaredError(model.apply(p, x), x.mul(2)), model.init(random(0)), {
        optimizer: adam(0.02),
        steps: 150,
      });
      expect(losses[149]).toBeLessThan(losses[0]! / 50);
      expect(leavesOf(parameters).every((leaf) => leaf.dtype === dtype)).toBe(true);
    }
  });

  test("of what is no module is refused", () => {
    for (const field of [null, undefined, 2, "mlp", {}, { apply: () => tensor(0) }])
      expect(() => neuralOde(field as unknown as ReturnType<typeof mlp>, { t0: 0, t1: 1 })).toThrow(
        /^neuralOde got \w+ without (init|apply) as its module: give one/,
      );
  });

  test("never passes off where a solve failed as its end: `apply` throws, `solve` says so", () => {
    const model = neuralOde(linear(1, 1), { t0: 0, t1: 100, maxSteps: 3, throw: false });
    const decay = { weight: tensor([[-1]]), bias: tensor([0]) };
    expect(() => model.apply(decay, tensor([1]))).toThrow(MaxStepsError);
    expect(model.solve(decay, tensor([1])).status).toBe("maxSteps");
  });

  test("begins with the parameters of a field that is an object with methods", () => {
    const field = {
      inputs: 1,
      init(random: Random) {
        return { rate: random.normal([this.inputs]) };
      },
      apply: ({ rate }: { readonly rate: Tensor }, y: Tensor) => y.mul(rate),
    };
    const options = { t0: 0, t1: 1 };
    expect(neuralOde(field, options).init(random(0)).rate.toArray()).toEqual(field.init(random(0)).rate.toArray());
    expect(neuralOde(concatTime(field), options).init(random(0)).rate.toArray()).toEqual(field.init(random(0)).rate.toArray());
  });

  test("passes on what solve says of wrong options", () => {
    const model = neuralOde(mlp([2, 2]), { t0: 0, t1: 1, tolerance: 1e-3 } as unknown as SolveOptions<DefaultStep>);
    expect(() => model.apply(model.init(random(0)), tensor([1, 2]))).toThrow(OptionError);
  });
});

test("the first program of the documentation fits a solution to data", async () => {
  const times = [0, 0.5, 1, 1.5, 2];
  const data = tensor(times.map((t) => [Math.cos(t), -Math.sin(t)]));
  const net = mlp([2, 16, 2], { activation: "tanh" });
  const model = neuralOde(net, { t0: 0, t1: 2, saveAt: times, adjoint: discreteAdjoint({ checkpoints: revolve(8) }) });
  const { losses, status } = await train((p) => model.solve(p, data.at(0)).ys.sub(data).square().mean(), net.init(random(0)), {
    optimizer: adam(0.02),
    steps: 100,
    progress: true,
  });
  expect(status).toBe("completed");
  expect(losses[99]).toBeLessThan(losses[0]! / 10);
});
