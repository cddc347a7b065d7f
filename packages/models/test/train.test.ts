import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { AsynchronousBodyError, DydtError, leavesOf, OptionError, random, ShapeError, tensor, type NestedArray, type Tensor } from "@dydt/tensor";
import { revolve } from "@dydt/autodiff";
import { discreteAdjoint, euler, fixedSteps } from "@dydt/ode";
import { describe, expect, test, vi } from "vitest";
import {
  adam,
  meanSquaredError,
  mlp,
  momentum,
  neuralOde,
  sgd,
  train,
  TrainingError,
  type Loss,
  type OptimizerState,
  type TrainOptions,
} from "../src/index.js";

const target = tensor([1, 2]);
const distance = (x: Tensor): Tensor => x.sub(target).square().sum();
const start = tensor([0, 0]);

const failureOf = async (training: Promise<unknown>): Promise<TrainingError> => {
  const error: unknown = await training.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(TrainingError);
  return error as TrainingError;
};

describe("training", () => {
  test("fits a network to a function", async () => {
    const net = mlp([1, 8, 1]);
    const x = random(1).uniform([16, 1]);
    const y = x.mul(3).sin();
    const { parameters, losses, iterations, status } = await train((p) => meanSquaredError(net.apply(p, x), y), net.init(random(0)), {
      optimizer: adam(0.02),
      steps: 500,
    });
    expect([losses.length, iterations, status]).toEqual([500, 500, "completed"]);
    expect(losses[499]).toBeLessThan(1e-3);
    expect(losses[499]).toBeLessThan(losses[0]! / 100);
    expect(meanSquaredError(net.apply(parameters, x), y).item()).toBeLessThan(1e-3);
  });

  test("makes the updates of its optimizer, and tells what each iteration found", async () => {
    const told: unknown[] = [];
    const { parameters, losses } = await train((x) => x.square().sum(), tensor([3, 4]), {
      optimizer: sgd(0.25),
      steps: 2,
      onIteration: ({ parameters: x, ...rest }) => void told.push({ ...rest, x: x.toArray() }),
    });
    expect(parameters.toArray()).toEqual([0.75, 1]);
    expect(losses).toEqual([25, 6.25]);
    expect(told).toEqual([
      { iteration: 0, loss: 25, gradientNorm: 10, auxiliary: undefined, x: [3, 4] },
      { iteration: 1, loss: 6.25, gradientNorm: 5, auxiliary: undefined, x: [1.5, 2] },
    ]);
  });

  test("hands the iteration to the loss, and what the loss gives besides to the callback, where it stays readable", async () => {
    const kept: { readonly doubled: Tensor; readonly iteration: number }[] = [];
    await train((x, { iteration }) => ({ value: distance(x), auxiliary: { doubled: x.mul(2), iteration } }), start, {
      optimizer: sgd(0.5),
      steps: 3,
      onIteration: ({ auxiliary }) => void kept.push(auxiliary),
    });
    expect(kept.map(({ iteration }) => iteration)).toEqual([0, 1, 2]);
    expect(kept.map(({ doubled }) => doubled.toArray())).toEqual([[0, 0], [2, 4], [2, 4]]); // prettier-ignore
  });

  test("in two parts has the same bits as in one, with the state of the first", async () => {
    const options = { optimizer: adam(0.1), steps: 10 };
    const whole = await train(distance, start, { ...options, steps: 20 });
    const first = await train(distance, start, options);
    const second = await train(distance, first.parameters, { ...options, state: first.state });
    expect(second.parameters.toArray()).toEqual(whole.parameters.toArray());
    expect([...first.losses, ...second.losses]).toEqual(whole.losses);
  });

  test("in two parts counts its iterations on, for the loss, the callback and the rate alike", async () => {
    const seen: number[] = [];
    const rates: number[] = [];
    const optimizer = sgd((iteration) => (rates.push(iteration), 0.1));
    const loss = (x: Tensor, { iteration }: { readonly iteration: number }): Tensor => (seen.push(iteration), distance(x));
    const told: number[] = [];
    const options = { optimizer, steps: 2, onIteration: ({ iteration }: { readonly iteration: number }) => void told.push(iteration) };
    const first = await train(loss, start, options);
    const second = await train(loss, first.parameters, { ...options, state: first.state });
    expect([seen, rates, told]).toEqual(Array(3).fill([0, 1, 2, 3]));
    expect([second.iterations, second.status, second.state.iteration]).toEqual([2, "completed", 4]);
    const cause = new RangeError("no such batch");
    const fails =
      (at: number) =>
      (x: Tensor, { iteration }: { readonly iteration: number }) => {
        if (iteration === at) throw cause;
        return distance(x);
      };
    await expect(train(fails(4), start, { ...options, state: second.state })).rejects.toBe(cause); // the first of the call is most likely a mistake in it
    expect((await failureOf(train(fails(5), start, { ...options, state: second.state }))).iteration).toBe(5);
  });

  test("goes on from parameters and a state that were saved as JSON, with the same bits", async () => {
    const options = { optimizer: adam(0.1), steps: 5 };
    const first = await train(distance, start, options);
    const whole = await train(distance, first.parameters, { ...options, state: first.state });
    type Saved = { readonly parameters: NestedArray; readonly state: OptimizerState<NestedArray> };
    const saved = JSON.parse(JSON.stringify(first)) as Saved;
    const { iteration, numbers, trees } = saved.state;
    const state = { iteration, numbers, trees: { mean: tensor(trees.mean!), meanSquare: tensor(trees.meanSquare!) } };
    const second = await train(distance, tensor(saved.parameters), { ...options, state });
    expect(second.parameters.toArray()).toEqual(whole.parameters.toArray());
  });

  test("keeps float32", async () => {
    const { parameters } = await train(
      (x: { readonly w: Tensor }) => x.w.square().sum(),
      { w: tensor([1, 2], { dtype: "float32" }) },
      { optimizer: adam(0.1), steps: 3 },
    );
    expect(parameters.w.dtype).toBe("float32");
  });

  test("of a neural ODE leaves nothing behind: after 2,000 and after 10,000 iterations the heap is the same", { timeout: 240_000 }, async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const sizes: number[] = [];
    const adjoint = discreteAdjoint({ checkpoints: revolve(2) });
    const net = neuralOde(mlp([1, 4, 1]), { t0: 0, t1: 1, solver: euler(), controller: fixedSteps(3), adjoint });
    const x = tensor([[0.1], [0.5], [0.9]]);
    await train((p) => meanSquaredError(net.apply(p, x), x), net.init(random(0)), {
      optimizer: adam(0.001),
      steps: 10_000,
      onIteration: ({ iteration }) => {
        if (iteration !== 1_999 && iteration !== 9_999) return;
        for (let i = 0; i < 3; i++) collect(); // what a finalizer frees is found by the next
        const { heapUsed, external, arrayBuffers } = process.memoryUsage();
        sizes.push(heapUsed + external + arrayBuffers);
      },
    });
    expect(sizes).toHaveLength(2);
    expect(sizes[1]! - sizes[0]!).toBeLessThan(1_000_000);
  });

  test("gives the event loop a turn before every iteration", async () => {
    let turns = 0;
    let running = true;
    const count = (): void => {
      turns++;
      if (running) setImmediate(count);
    };
    setImmediate(count);
    const seen: number[] = [];
    await train(distance, start, { optimizer: sgd(0.1), steps: 50, onIteration: () => void seen.push(turns) });
    running = false;
    seen.slice(1).forEach((turn, i) => expect(turn).toBeGreaterThan(seen[i]!));
  });

  test("never gives a result that a later training releases", async () => {
    const { parameters, state } = await train(distance, start, { optimizer: adam(0.1), steps: 2 });
    await train(distance, start, { optimizer: adam(0.1), steps: 2 });
    expect(leavesOf([parameters, state.trees]).every((leaf) => leaf.data.every(Number.isFinite))).toBe(true);
  });

  test("awaits a callback that takes its time", async () => {
    const order: string[] = [];
    await train((x, { iteration }) => (order.push(`loss ${iteration}`), distance(x)), start, {
      optimizer: sgd(0.1),
      steps: 2,
      onIteration: async ({ iteration }) => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        order.push(`callback ${iteration}`);
      },
    });
    expect(order).toEqual(["loss 0", "callback 0", "loss 1", "callback 1"]);
  });
});

test("without setImmediate, as in a browser, timers get their turn too", async () => {
  vi.stubGlobal("setImmediate", undefined);
  let fired = false;
  const timer = setInterval(() => (fired = true), 1);
  try {
    const { status } = await train(distance, start, { optimizer: sgd(1e-3), steps: 1e9, signal: AbortSignal.timeout(50) });
    expect([status, fired]).toEqual(["aborted", true]);
  } finally {
    clearInterval(timer);
    vi.unstubAllGlobals();
  }
});

describe("an abort", () => {
  test("between iterations ends the training with what was reached", async () => {
    const controller = new AbortController();
    const { status, iterations, losses, parameters, state } = await train(distance, start, {
      optimizer: momentum(0.1),
      steps: 1000,
      signal: controller.signal,
      onIteration: ({ iteration }) => {
        if (iteration === 4) controller.abort();
      },
    });
    const five = await train(distance, start, { optimizer: momentum(0.1), steps: 5 });
    expect([status, iterations, losses.length, state.iteration]).toEqual(["aborted", 5, 5, 5]);
    expect(parameters.toArray()).toEqual(five.parameters.toArray());
  });

  test("by a timer reaches a running training", async () => {
    const { status, iterations } = await train(distance, start, { optimizer: sgd(1e-3), steps: 1e9, signal: AbortSignal.timeout(50) });
    expect(status).toBe("aborted");
    expect(iterations).toBeGreaterThan(0);
  });

  test("before the start makes no iteration and gives the start back", async () => {
    const result = await train(distance, start, { optimizer: sgd(0.1), steps: 5, signal: AbortSignal.abort() });
    expect(result).toMatchObject({ status: "aborted", iterations: 0, losses: [] });
    expect(result.parameters).toBe(start);
  });
});

describe("a training that cannot go on", () => {
  test("is not one whose numbers are finite, though their squares are not", async () => {
    const norms: number[] = [];
    const onIteration = ({ gradientNorm }: { readonly gradientNorm: number }) => void norms.push(gradientNorm);
    for (const [scale, optimizer] of [
      [1e80, adam(0.1)],
      [1e200, sgd(1e-200)],
      [1e-170, sgd(1e170)],
    ] as const)
      // prettier-ignore
      await train((x) => x.mul(scale).sum(), tensor([3, 4]), { optimizer, steps: 1, onIteration });
    [1e80, 1e200, 1e-170].forEach((scale, i) => expect(norms[i]! / scale).toBeCloseTo(Math.SQRT2, 12));
    const far = await train((x) => x.mul(1e-200).sum(), tensor([1e200]), { optimizer: sgd(1), steps: 1 });
    expect(far.parameters.toArray()).toEqual([1e200]);
  });

  test("because its loss is not finite says where, and keeps the last good parameters", async () => {
    const error = await failureOf(
      train((x, { iteration }) => (iteration === 3 ? x.sum().mul(NaN) : distance(x)), start, { optimizer: sgd(0.25), steps: 10 }),
    );
    expect(error).toBeInstanceOf(DydtError);
    expect(error.message).toMatch(/iteration 3.*loss is NaN/);
    expect([error.iteration, error.loss]).toEqual([3, NaN]);
    expect((error.parameters as Tensor).toArray()).toEqual([0.75, 1.5]); // those of iteration 2, the last with a finite loss
  });

  test("because its gradient is not finite says so", async () => {
    const error = await failureOf(train((x) => x.sqrt().sum(), tensor([0, 1]), { optimizer: sgd(0.1), steps: 10 }));
    expect(error.message).toMatch(/iteration 0.*loss is 1.*gradient/);
    expect((error.parameters as Tensor).toArray()).toEqual([0, 1]);
  });

  test("because its update is not finite says so, in the last iteration too", async () => {
    const error = await failureOf(train((x) => x.sum().mul(1e10), tensor([1], { dtype: "float32" }), { optimizer: sgd(1e30), steps: 1 }));
    expect(error.message).toMatch(/new parameters is Infinity/);
    expect((error.parameters as Tensor).toArray()).toEqual([1]);
    const overflow = await failureOf(train((x) => x.mul(1e25).sum(), tensor([1], { dtype: "float32" }), { optimizer: adam(0.1), steps: 1 }));
    expect(overflow.message).toMatch(/state is Infinity/); // the square of the gradient
  });

  test("because its loss throws later keeps the cause and what was reached", async () => {
    const cause = new RangeError("no such batch");
    const loss = (x: Tensor, { iteration }: { readonly iteration: number }): Tensor => {
      if (iteration === 2) throw cause;
      return distance(x);
    };
    const error = await failureOf(train(loss, start, { optimizer: sgd(0.5), steps: 10 }));
    expect(error.message).toMatch(/iteration 2: the loss threw "no such batch"/);
    expect(error.cause).toBe(cause);
    expect((error.parameters as Tensor).toArray()).toEqual([1, 2]);
  });
});

describe("a wrong call of train", () => {
  const options = { optimizer: sgd(0.1), steps: 1 };

  test.each([0, -1, 1.5, NaN, Infinity])("with %d steps is refused", async (steps) => {
    await expect(train(distance, start, { ...options, steps })).rejects.toThrow(OptionError);
  });

  test("with an unknown option is refused by its name", async () => {
    await expect(train(distance, start, { ...options, epochs: 3 } as TrainOptions<Tensor>)).rejects.toThrow(/unknown option epochs/);
  });

  test.each([
    [{ optimizer: "adam" }, "train got string without init as its optimizer: give one such as adam(1e-3)"],
    [{ optimizer: null }, "train got null without init as its optimizer"],
    [{ optimizer: { update: () => undefined } }, "train got object without init as its optimizer"],
    [{ signal: new AbortController() }, "train got object as its signal: give the signal of an AbortController: controller.signal"],
    [{ signal: null }, "as its signal"],
    [{ onIteration: {} }, "train got object as its onIteration: give a function of an iteration"],
    [{ state: {} }, "train got object as its state: give the state of an earlier result"],
    [{ state: { iteration: 3 } }, "train got object as its state: give the state of an earlier result"],
    [{ state: { iteration: 3, trees: {}, numbers: null } }, "train got object as its state"],
    [{ state: { iteration: -1, trees: {}, numbers: {} } }, "train got object as its state"],
  ])("with %j says what is needed", async (wrong, message) => {
    const training = train(distance, start, { ...options, ...wrong } as unknown as TrainOptions<Tensor>);
    await expect(training).rejects.toThrow(OptionError);
    await expect(training).rejects.toThrow(message);
  });

  test("with a state of another optimizer says so", async () => {
    const { state } = await train(distance, start, options);
    await expect(train(distance, start, { optimizer: adam(0.1), steps: 1, state })).rejects.toThrow("so that of another optimizer");
  });

  test("without options says which it needs", async () => {
    for (const nothing of [undefined, 5])
      await expect(train(distance, start, nothing as unknown as TrainOptions<Tensor>)).rejects.toThrow(
        new OptionError("train needs options: train(loss, parameters, { optimizer: adam(1e-3), steps: 100 })"),
      );
  });

  test("with a loss that returns no tensor says what it returned", async () => {
    for (const value of [null, undefined, 3, "x"]) {
      const training = train(() => value as unknown as Tensor, start, options);
      await expect(training).rejects.toThrow(OptionError);
      await expect(training).rejects.toThrow(`the loss returned ${value}: a tensor of one element, or { value, auxiliary }, is needed`);
    }
  });

  test("without a loss is refused", async () => {
    await expect(train(start as unknown as Loss<Tensor>, start, options)).rejects.toThrow("train got object as its loss");
  });

  test("with a loss of many numbers, a loss that is a promise, or parameters that are no tensors passes the error on", async () => {
    await expect(train((x) => x, start, options)).rejects.toThrow(ShapeError);
    await expect(train((x) => Promise.resolve(distance(x)) as unknown as Tensor, start, options)).rejects.toThrow(AsynchronousBodyError);
    await expect(train((x) => tensor(x.w), { w: 1 }, options)).rejects.toThrow(/holds a number at w/);
  });
});
