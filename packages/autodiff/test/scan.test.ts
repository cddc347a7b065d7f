import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  cams, checkGradients, checkpointedScan, gradient, hessianVectorProduct, jvp, memoryStorage, multistage, online, revolve, ScanReplayError, SecondDerivativeError, storeAll, vjp,
  type CheckpointStorage, type Schedule,
} from "@dydt/autodiff"; // prettier-ignore
import { meterBytes, OptionError, random, ShapeError, tensor, zeros, type Tensor } from "@dydt/tensor";
import { expectClose } from "../../../scripts/expect-close.js";

const inputs = random(0).normal([40, 3]);
const parameters = { w: random(1).normal([4, 4]).mul(0.4), u: random(2).normal([3, 4]), b: random(3).normal([4]) };
type Parameters = typeof parameters;

const cell = (p: Parameters) => (h: Tensor, i: number) => h.matmul(p.w).add(inputs.at(i).matmul(p.u)).add(p.b).tanh();
const network = (schedule: Schedule | undefined, n: number) => (p: Parameters) =>
  checkpointedScan(cell(p), zeros([4]), n, schedule)
    .square()
    .sum();
const loop = (n: number) => (p: Parameters) => {
  let h = zeros([4]);
  for (let i = 0; i < n; i++) h = cell(p)(h, i);
  return h.square().sum();
};
const schedules: readonly (readonly [string, Schedule])[] = [
  ["storeAll", storeAll()], ["revolve(1)", revolve(1)], ["revolve(3)", revolve(3)], ["online(4)", online(4)], ["multistage", multistage({ ram: 1, slow: 3 })],
]; // prettier-ignore

describe("checkpointedScan", () => {
  test.each([0, 1, 2, 17, 40])("is the loop over %i steps, and its gradient that of the loop", (n) => {
    expect(checkpointedScan(cell(parameters), zeros([4]), n).toArray()).toEqual(
      Array.from({ length: n }, (_, i) => i).reduce<Tensor>((h, i) => cell(parameters)(h, i), zeros([4])).toArray(),
    ); // prettier-ignore
    const [got, wanted] = [gradient(network(revolve(3), n))(parameters), gradient(loop(n))(parameters)];
    for (const key of ["w", "u", "b"] as const) expectClose(got[key], wanted[key], { rtol: 1e-12 });
  });

  test("has the same bits under every schedule", () => {
    const all = gradient(network(undefined, 40))(parameters);
    for (const [, schedule] of schedules) {
      const some = gradient(network(schedule, 40))(parameters);
      for (const key of ["w", "u", "b"] as const) expect(some[key].toArray()).toEqual(all[key].toArray());
    }
  });

  test("is an optimisation loop that can be optimised: gradients in, trees as states, the rate of learning as a captured tensor", () => {
    const target = tensor([1, -2, 0.5]);
    const descend = ({ rate, momentum, start }: { readonly rate: Tensor; readonly momentum: Tensor; readonly start: Tensor }) => {
      const slope = gradient((x: Tensor) =>
        x
          .sub(target)
          .square()
          .mul(tensor([1, 3, 0.5]))
          .sum(),
      );
      const { x } = checkpointedScan(
        ({ x, v }) => {
          const next = v.mul(momentum).sub(slope(x).mul(rate));
          return { x: x.add(next), v: next };
        },
        { x: start, v: zeros([3]) },
        12,
        revolve(3),
      );
      return x.sub(target).square().sum();
    };
    const at = { rate: tensor(0.05), momentum: tensor(0.4), start: tensor([0.2, 0.3, 0.9]) };
    expect(checkGradients(descend, at).passed).toBe(true);
  });

  test("property: closed form of a linear recurrence, for any length and schedule", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 30 }),
        fc.constantFrom(...schedules),
        fc.double({ min: 0.5, max: 1.2, noNaN: true }),
        (n, [, schedule], a) => {
          // s ← a s + i, so ∂s_n/∂s_0 = aⁿ and ∂s_n/∂a = Σ …, by the recurrence of the derivative
          const slope = gradient(({ rate, s }: { readonly rate: Tensor; readonly s: Tensor }) =>
            checkpointedScan((x: Tensor, i) => x.mul(rate).add(i), s, n, schedule).sum(),
          )({ rate: tensor(a), s: tensor([2]) });
          let [value, byRate, byState] = [2, 0, 1];
          for (let i = 0; i < n; i++) [value, byRate, byState] = [value * a + i, byRate * a + value, byState * a];
          expectClose(slope.rate, byRate, { rtol: 1e-12 });
          expectClose(slope.s, [byState], { rtol: 1e-12 });
        },
      ),
    );
  });

  test("carries integers along, finds a state that is closed over, and hands unchanged tensors through", () => {
    const f = ({ x, c }: { readonly x: Tensor; readonly c: Tensor }) => {
      const end = checkpointedScan(
        ({ count, y, same }) => ({ count: count.add(tensor(1, { dtype: "int32" })), y: y.mul(c).add(x), same }),
        { count: tensor(0, { dtype: "int32" }), y: x, same: c },
        5,
        revolve(2),
      );
      expect(end.count.item()).toBe(5);
      return end.y.mul(end.same).sum();
    };
    expect(checkGradients(f, { x: tensor([0.7, 2]), c: tensor([0.9, -0.4]) }).passed).toBe(true);
  });

  test("a pullback called again gives the same bits, from states on the slow level too", () => {
    for (const [, schedule] of schedules) {
      const { pullback } = vjp((p: Parameters) => checkpointedScan(cell(p), zeros([4]), 23, schedule), parameters);
      const [once, twice] = [pullback(tensor([1, 2, 3, 4])), pullback(tensor([1, 2, 3, 4]))];
      for (const key of ["w", "u", "b"] as const) expect(twice[key].toArray()).toEqual(once[key].toArray());
    }
  });

  test("uses the slow level for the slow slots, and leaves nothing there", () => {
    const inner = memoryStorage();
    const held = new Set<number>();
    const used: number[] = [];
    const storage: CheckpointStorage = {
      put: (key, arrays) => (expect(held.has(key)).toBe(false), held.add(key), used.push(held.size), inner.put(key, arrays)),
      get: inner.get,
      delete: (key) => (held.delete(key), inner.delete(key)),
    };
    const checkpoints = multistage({ ram: 1, slow: { slots: 2, storage } });
    gradient((p: Parameters) => network(checkpoints, 30)(p).add(network(checkpoints, 20)(p)))(parameters); // two reversals share the storage
    expect(Math.max(...used)).toBe(4);
    expect(held.size).toBe(0);
  });

  test("scans nest", () => {
    const nested = (p: Parameters) =>
      checkpointedScan((h: Tensor, i) => checkpointedScan((g: Tensor, j) => cell(p)(g, i + j), h, 3, revolve(2)), zeros([4]), 4, revolve(2)).sum();
    expect(checkGradients(nested, parameters).passed).toBe(true);
  });

  test("forward modes see through it: tangents, Hessian-vector products, on the slow level too, and mixed derivatives", () => {
    const direction = { w: random(6).normal([4, 4]), u: random(7).normal([3, 4]), b: random(8).normal([4]) };
    for (const [, schedule] of schedules) {
      const [f, plain] = [network(schedule, 9), loop(9)];
      expectClose(jvp(f, parameters, direction).tangent, jvp(plain, parameters, direction).tangent, { rtol: 1e-12 });
      const [got, wanted] = [hessianVectorProduct(f, parameters, direction), hessianVectorProduct(plain, parameters, direction)];
      for (const key of ["w", "u", "b"] as const) expectClose(got[key], wanted[key], { rtol: 1e-10, atol: 1e-12 });
      const mixed = (g: typeof f) => gradient((p: Parameters) => jvp(g, p, direction).tangent)(parameters);
      expectClose(mixed(f).w, mixed(plain).w, { rtol: 1e-10, atol: 1e-12 });
    }
  });

  test("needs memory for its slots and one step, not for the number of steps", () => {
    const elements = 2000;
    const bytesOf = (n: number, schedule: Schedule) => {
      const bytes = meterBytes();
      gradient((x: Tensor) => checkpointedScan((y: Tensor) => y.sin().mul(x), x, n, schedule).sum())(random(5).normal([elements]));
      return bytes();
    };
    expect(bytesOf(200, revolve(3)) - bytesOf(20, revolve(3))).toBe(0);
  });

  test("carries integers along, which others may read and close over", () => {
    const start = { h: tensor([1, 2]), n: tensor(0, { dtype: "int32" }) };
    const f = (x: Tensor): Tensor => {
      const { h, n } = checkpointedScan((s: typeof start) => ({ h: s.h.mul(x), n: s.n.add(1) }), { ...start, h: x }, 1, revolve(1));
      expect(n.toArray()).toBe(1);
      return checkpointedScan((y: Tensor) => y.mul(h.take(n)), tensor(1), 1);
    };
    expectClose(gradient(f)(tensor([3, 5])), [0, 10]);
  });

  test("names a storage that does not give back what was put", () => {
    const inner = memoryStorage();
    const asynchronous: unknown = async () => Promise.resolve();
    const scan = (change: Partial<CheckpointStorage>) => () => {
      const checkpoints = multistage({ ram: 1, slow: { slots: 2, storage: { ...inner, ...change } } });
      return gradient((x: Tensor) => checkpointedScan((y: Tensor) => y.sin(), x, 9, checkpoints).sum())(tensor([1, 2]));
    };
    expectClose(scan({})(), scan({ get: (key) => inner.get(key).map((array) => array.slice()) })());
    const wrong: readonly (readonly [Partial<CheckpointStorage>, string])[] = [
      [{ get: (() => undefined) as never }, "gave Undefined where a list of arrays was put"],
      [{ get: (async (key: number) => Promise.resolve(inner.get(key))) as never }, "gave Promise where a list of arrays was put"],
      [{ get: () => [] }, "gave Undefined for a state [2]"],
      [
        { get: (key) => inner.get(key).map((array) => array.slice(0, 1)) },
        "gave Float64Array of length 1 for a state [2] that was put as Float64Array of length 2",
      ],
      [{ get: (key) => inner.get(key).map((array) => Float32Array.from(array)) }, "gave Float32Array of length 2"],
      [{ put: asynchronous as CheckpointStorage["put"] }, "gave a promise from put"],
    ];
    for (const [change, message] of wrong) {
      expect(scan(change)).toThrow(OptionError);
      expect(scan(change)).toThrow(message);
    }
  });

  test("runs a chain of 20,000 steps with 30 states", () => {
    const slope = gradient((a: Tensor) => checkpointedScan((s: Tensor) => s.mul(a), tensor(1), 20_000, revolve(30)).sum())(tensor(1));
    expectClose(slope, 20_000, { rtol: 1e-12 });
  });

  test("refuses a second derivative, a step that is no function, a changing shape and what is no schedule", () => {
    const scan = (x: Tensor) => checkpointedScan((y: Tensor) => y.mul(x), x, 3, revolve(2)).sum();
    expect(() => gradient((x: Tensor) => gradient(scan)(x).sum())(tensor([2]))).toThrow(SecondDerivativeError);
    expect(() => gradient((x: Tensor) => gradient(scan)(x).sum())(tensor([2]))).toThrow("or a loop of your own over checkpoint(step)");
    let call = 0;
    expect(() => gradient((x: Tensor) => checkpointedScan((y: Tensor) => y.mul(x).add(call++), x, 3, revolve(2)).sum())(tensor([2]))).toThrow(ScanReplayError); // prettier-ignore
    expect(() => checkpointedScan((y: Tensor) => y.sum(), tensor([1, 2]), 2)).toThrow(ShapeError);
    expect(() => checkpointedScan((y: Tensor) => y.cast("float32"), tensor([1, 2]), 2)).toThrow(ShapeError);
    expect(() => checkpointedScan((y: Tensor) => y, tensor(1), 1.5)).toThrow(OptionError);
    expect(() => checkpointedScan((y: Tensor) => y, tensor(1), 2, "revolve" as never)).toThrow(OptionError);
    expect(() => checkpointedScan((y: Tensor) => y, tensor(1), 2, cams({ units: 3, stages: 2 }))).toThrow("keeps stages");
    expect(() => checkpointedScan((() => Promise.resolve()) as never, tensor(1), 2)).toThrow("promise");
  });
});
