import { describe, expect, test } from "vitest";
import { checkGradients, checkpoint, gradient, revolve, SecondDerivativeError, valueAndGradient, vjp } from "@dydt/autodiff";
import { activeRecorders, currentRegion, heap, random, stack, stopGradient, tensor, WatchedTensorError, zeros, type Tensor } from "@dydt/tensor";
import { adaptive, discreteAdjoint, fixedSteps, integrate, rk4, solve } from "@dydt/ode";
import { expectNear, expectSameBits, granularities } from "./problems.js";

const steps = { t0: 0, t1: 1, solver: rk4(), controller: fixedSteps(8) };
const adjoints = granularities.flatMap((tape) => [discreteAdjoint({ tape }), discreteAdjoint({ tape, checkpoints: revolve(2) })]);
const check = <X>(f: (x: X) => Tensor, x: X, tolerance = 1e-8) => {
  const report = checkGradients(f, x, { tolerance });
  expect(report.passed, report.toString()).toBe(true);
};

describe("a field may close over watched tensors", () => {
  test("which get their gradients with no declaration, deep in a tree and through ordinary functions", () => {
    const stream = random(3);
    interface Layer {
      readonly weight: Tensor;
      readonly bias: Tensor;
    }
    const layer = (rows: number, columns: number): Layer => ({ weight: stream.normal([rows, columns]), bias: stream.normal([columns]) });
    const network = (layers: readonly Layer[]) => (x: Tensor) =>
      layers.reduce((y, { weight, bias }, i) => (i > 0 ? y.tanh() : y).matmul(weight).add(bias), x);
    const y0 = stream.normal([3, 2]);
    for (const adjoint of adjoints)
      check(
        (layers: readonly Layer[]) =>
          solve((_t, y) => network(layers)(y), y0, { ...steps, adjoint })
            .y1.square()
            .sum(),
        [layer(2, 4), layer(4, 2)],
        1e-7,
      );
  });

  test("made before the solve, of others that are watched: the gradient goes on through them", () => {
    for (const adjoint of adjoints)
      check((k: Tensor) => {
        const rate = k.square().add(0.5);
        return solve((_t, y) => y.mul(rate.neg()), tensor([1, 2]), { ...steps, adjoint })
          .y1.sum()
          .mul(k);
      }, tensor(0.8));
  });

  test("the initial state too: it gets both parts", () => {
    // y' = −y₀ y, so y(1) = y₀ exp(−y₀)
    const y0 = tensor([0.7]);
    for (const adjoint of adjoints) {
      const slope = gradient((start: Tensor) =>
        solve((_t, y) => y.mul(start).neg(), start, { ...steps, controller: fixedSteps(200), adjoint }).y1.sum(),
      )(y0);
      expectNear(slope, (1 - 0.7) * Math.exp(-0.7), 1e-9);
    }
  });

  test("and times: the same tensor may be a time and a parameter", () => {
    // y' = T y from 0 to T: y = exp(T²)
    const slope = gradient((T: Tensor) =>
      solve((_t, y) => y.mul(T), tensor([1]), { t0: 0, t1: T, solver: rk4(), controller: fixedSteps(100) }).y1.sum(),
    )(tensor(0.6));
    expectNear(slope, 2 * 0.6 * Math.exp(0.36), 1e-8);
  });

  test("a parameter that is never read has a gradient of exact zeros, in its own shape; no parameters at all, an empty gradient", () => {
    const slopes = gradient((x: { readonly used: Tensor; readonly unused: Tensor }) => solve((_t, y) => y.mul(x.used), tensor([1]), steps).y1.sum())({
      used: tensor(1),
      unused: zeros([2, 3]).add(7),
    });
    expect(slopes.unused.toArray()).toEqual([[0, 0, 0], [0, 0, 0]]); // prettier-ignore
    expect(slopes.used.item()).toBeGreaterThan(1);
    expect(gradient((x: readonly Tensor[]) => solve((_t, y) => y.neg(), tensor([x.length]), steps).y1.sum())([])).toEqual([]);
    const empty = gradient((x: Tensor) => solve((_t, y) => y.mul(x.sum()), tensor([1]), steps).y1.sum())(zeros([0]));
    expect(empty.shape).toEqual([0]);
  });

  test("a parameter read only in some steps gets the gradient of those steps", () => {
    const f = (k: Tensor) => (t: Tensor, y: Tensor) => (t.item() < 0.5 ? y.mul(k) : y.neg());
    for (const adjoint of adjoints) check((k: Tensor) => solve(f(k), tensor([1, 2]), { ...steps, adjoint }).y1.sum(), tensor(0.7));
  });

  test("stopGradient keeps one out", () => {
    const slope = gradient((k: Tensor) => solve((_t, y) => y.mul(k).add(stopGradient(k)), tensor([1]), steps).y1.sum())(tensor(0.3));
    const apart = gradient((k: Tensor) => solve((_t, y) => y.mul(k).add(0.3), tensor([1]), steps).y1.sum())(tensor(0.3));
    expectSameBits(slope, apart);
  });
});

describe("a solve nests", () => {
  test("in a field that solves another equation: the innermost closure gets its gradient", () => {
    const inner = (k: Tensor, y: Tensor) => solve((_t, z) => z.mul(k).sin(), y, { t0: 0, t1: 0.5, solver: rk4(), controller: fixedSteps(2) }).y1;
    for (const adjoint of adjoints)
      check((x: { readonly k: Tensor; readonly y0: Tensor }) => solve((_t, y) => inner(x.k, y).neg(), x.y0, { ...steps, controller: fixedSteps(4), adjoint }).y1.square().sum(), {
        k: tensor(0.9),
        y0: tensor([1, -0.5]),
      }); // prettier-ignore
  });

  test("in a checkpoint, and a checkpoint in a field", () => {
    const f = (k: Tensor) => (_t: Tensor, y: Tensor) => checkpoint((z: Tensor) => z.mul(k).tanh())(y);
    const plain = gradient((k: Tensor) =>
      solve((_t, y) => y.mul(k).tanh(), tensor([1, 2]), steps)
        .y1.square()
        .sum(),
    )(tensor(0.4));
    for (const adjoint of adjoints) {
      const run = checkpoint((k: Tensor) => solve(f(k), tensor([1, 2]), { ...steps, adjoint }).y1);
      expectNear(gradient((k: Tensor) => run(k).square().sum())(tensor(0.4)), plain, 1e-14);
    }
  });

  test("in a field that takes a gradient: dq/dt = ∂H/∂p, dp/dt = −∂H/∂q keeps the energy, and its parameter has the right gradient", () => {
    const energy = (m: Tensor, state: Tensor) => state.at(0).square().mul(m).add(state.at(1).square()).mul(0.5);
    const field = (m: Tensor) => (_t: Tensor, y: Tensor) => {
      const slope = gradient((state: Tensor) => energy(m, state).sum())(y);
      return stack([slope.at(1), slope.at(0).neg()]);
    };
    const start = tensor([1, 0.2]);
    const { y1 } = solve(field(tensor(2)), start, { ...steps, controller: fixedSteps(100) });
    expectNear(energy(tensor(2), y1), energy(tensor(2), start), 1e-8);
    for (const adjoint of adjoints) check((m: Tensor) => solve(field(m), start, { ...steps, adjoint }).y1.sum(), tensor(2));
  });

  test("two solves in one loss, one behind the other, are one chain", () => {
    const half = (k: Tensor, y: Tensor, t0: number) =>
      solve((t, z) => z.mul(k).mul(t.cos()), y, { t0, t1: t0 + 0.5, solver: rk4(), controller: fixedSteps(4) }).y1;
    const twice = gradient((k: Tensor) => half(k, half(k, tensor([1, 2]), 0), 0.5).sum())(tensor(0.7));
    const once = gradient((k: Tensor) => solve((t, z) => z.mul(k).mul(t.cos()), tensor([1, 2]), steps).y1.sum())(tensor(0.7));
    expectNear(twice, once, 1e-13);
  });
});

describe("second derivatives", () => {
  const y0 = tensor([1.5]);

  test("through solve are an error that says what to do, never a wrong number", () => {
    const loss = (a: Tensor) => solve((_t, y) => y.mul(a), y0, steps).y1.sum();
    expect(() => gradient((a: Tensor) => gradient(loss)(a).sum())(tensor(0.5))).toThrow(SecondDerivativeError);
    expect(() => gradient((a: Tensor) => gradient(loss)(a).sum())(tensor(0.5))).toThrow(/solve can be differentiated only once.*integrate/);
    expect([activeRecorders(), currentRegion()]).toEqual([[], heap]);
  });

  test("over a loop of integrate are right: d²/da² of y₀ eᵃ is y₀ eᵃ", () => {
    const loss = (a: Tensor) => {
      let y = y0;
      for (const step of integrate((_t, z) => z.mul(a), y0, { ...steps, controller: fixedSteps(50) })) y = step.y1;
      return y.sum();
    };
    const second = gradient((a: Tensor) => gradient(loss)(a).sum())(tensor(0.5));
    expectNear(second, 1.5 * Math.exp(0.5), 1e-7);
    const report = checkGradients(loss, tensor(0.5), { order: 2 });
    expect(report.passed, report.toString()).toBe(true);
  });
});

describe("reading bare numbers of a watched tensor in a field", () => {
  test.each(["data", "ndarray", "toArray"] as const)("with %s throws already in the forward solve", (what) => {
    const read = (x: Tensor) => (what === "toArray" ? x.toArray() : x[what]);
    let reversed = false;
    const loss = (x: { readonly k: Tensor; readonly y0: Tensor }, which: (y: Tensor) => Tensor) => {
      const { y1 } = solve((_t, y) => (read(which(y)), y.mul(x.k)), x.y0, steps);
      reversed = true;
      return y1.sum();
    };
    const at = { k: tensor(1), y0: tensor([1]) };
    expect(() => gradient((x: typeof at) => loss(x, () => x.k))(at)).toThrow(WatchedTensorError);
    expect(() => gradient((x: typeof at) => loss(x, (y) => y.mul(2)))(at)).toThrow(/stopGradient/);
    // Watched only through the parameter: the state depends on it after the first step.
    expect(() => gradient((x: typeof at) => loss({ k: x.k, y0: tensor([1]) }, (y) => y))(at)).toThrow(WatchedTensorError);
    expect(reversed).toBe(false);
    expect(() => loss(at, (y) => y)).not.toThrow();
  });
});

interface Body {
  readonly position: Tensor;
  readonly velocity: Tensor;
}

describe("a state may be a tree", () => {
  const start: Body = { position: tensor([1, 0]), velocity: tensor([0, 1]) };

  test("with an interface as its type, and slopes whose keys come in another order", () => {
    const { y1, ys } = solve((_t, { position, velocity }: Body): Body => ({ velocity: position.neg(), position: velocity }), start, {
      t0: 0,
      t1: Math.PI / 2,
      saveAt: [0, Math.PI / 2],
      controller: adaptive({ rtol: 1e-10, atol: 1e-10 }),
    });
    expectNear(y1.position, [0, 1], 1e-8);
    expectNear(y1.velocity, [-1, 0], 1e-8);
    expect([ys.position.shape, ys.velocity.shape]).toEqual([[2, 2], [2, 2]]); // prettier-ignore
  });

  test("differentiated like any other", () => {
    const f =
      (k: Tensor) =>
      (_t: Tensor, { position, velocity }: Body): Body => ({ position: velocity, velocity: position.mul(k).neg() });
    for (const adjoint of adjoints)
      check((x: { readonly k: Tensor; readonly start: Body }) => {
        const { y1, ys } = solve(f(x.k), x.start, { ...steps, saveAt: [0, 0.3, 1], adjoint });
        return y1.position.sum().add(ys.velocity.square().sum()).add(ys.position.at(1).sum());
      }, { k: tensor(1.3), start }); // prettier-ignore
  });

  test("a readonly tuple, of tensors of different shapes, in which one does not move", () => {
    const tuple: readonly [Tensor, Tensor] = [tensor([[1, 2]]), tensor(3)];
    const { y1 } = solve((_t, [a, b]: readonly [Tensor, Tensor]): readonly [Tensor, Tensor] => [a.mul(b).neg(), b.mul(0)], tuple, steps);
    expectNear(y1[0], [Math.exp(-3), 2 * Math.exp(-3)], 1e-3);
    expectSameBits(y1[1], 3);
    check((x: typeof tuple) => solve((_t, [a, b]: typeof tuple): typeof tuple => [a.mul(b).neg(), b.mul(0)], x, steps).y1[0].sum(), tuple);
  });

  test("pullbacks give cotangents of the same tree", () => {
    const { pullback } = vjp(
      (s: Body) => solve((_t, { position, velocity }: Body): Body => ({ position: velocity, velocity: position.neg() }), s, steps).y1,
      start,
    );
    const back = pullback({ position: tensor([1, 0]), velocity: tensor([0, 0]) });
    expect(Object.keys(back)).toEqual(["position", "velocity"]);
    expectNear([back.position, back.velocity].map((x) => x.at(0).item()), [Math.cos(1), Math.sin(1)], 1e-5); // prettier-ignore
  });
});

describe("float32 states", () => {
  const at = (values: readonly number[]) => tensor(new Float32Array(values));

  test("give float32 results and gradients, close to those in float64, with the time in the state's type", () => {
    const seen = new Set<string>();
    const loss = (y0: Tensor) => (k: Tensor) => solve((t, y) => (seen.add(t.dtype), y.mul(k).mul(t.cos())), y0, { t0: 0, t1: 2 }).y1.sum();
    const single = valueAndGradient(loss(at([1, 2])))(tensor(new Float32Array([0.5])));
    const double = valueAndGradient(loss(tensor([1, 2])))(tensor([0.5]));
    expect([single.value.dtype, single.gradient.dtype]).toEqual(["float32", "float32"]);
    expect([...seen]).toEqual(["float32", "float64"]);
    expectNear(single.value, double.value, 1e-4);
    expectNear(single.gradient, double.gradient, 1e-4);
  });

  test("have their times in float64: around t = 1e4 with steps of about 1e-4 a solve ends", () => {
    const rate = 2000;
    const f = (_t: Tensor, y: Tensor) => y.mul(-rate);
    const { y1, stats, grid } = solve(f, at([1]), { t0: 1e4, t1: 1e4 + 1e-3 });
    expectNear(y1, Math.exp(-rate * (grid.at(-1)! - 1e4)), 1e-3);
    expect(stats.accepted).toBeLessThan(100);
    const fixedOnes = solve(f, at([1]), { t0: 1e4, t1: 1e4 + 1e-3, solver: rk4(), controller: fixedSteps(10) });
    expect(new Set(fixedOnes.grid).size).toBe(11);
    expectNear(fixedOnes.y1, Math.exp(-rate * (grid.at(-1)! - 1e4)), 1e-3);
  });

  test("have gradients with respect to times in float64", () => {
    const slopes = gradient((x: { readonly t0: Tensor; readonly t1: Tensor }) =>
      solve((_t, y) => y.neg(), at([1]), { ...x, solver: rk4(), controller: fixedSteps(10) }).y1.sum(),
    )({
      t0: tensor(0),
      t1: tensor(1),
    });
    expect([slopes.t0.dtype, slopes.t1.dtype]).toEqual(["float64", "float64"]);
    expectNear([slopes.t0, slopes.t1].map((t) => t.item()), [Math.exp(-1), -Math.exp(-1)], 1e-4); // prettier-ignore
  });
});
