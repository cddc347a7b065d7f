import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { gradient, revolve, storeAll } from "@dydt/autodiff";
import {
  activeRecorders, currentRegion, heap, inTemporaryRegion, meterBytes, ReleasedTensorError, scope, stack, tensor, zeros, type Tensor,
} from "@dydt/tensor"; // prettier-ignore
import { discreteAdjoint, fixedSteps, integrate, rk4, solve, tsit5 } from "@dydt/ode";
import { expectNear, expectSameBits, granularities, lotkaVolterra } from "./problems.js";

const p = tensor([1.5, 1, 3, 1]);
const y0 = tensor([1, 1]);
const steps = { t0: 0, t1: 1, solver: rk4(), controller: fixedSteps(8) };
const linearMemory = (): number => inTemporaryRegion("step", () => tensor(1).add(1).data.buffer.byteLength);
const expectNothingOpen = () => expect([currentRegion(), activeRecorders()]).toEqual([heap, []]);

describe("solves of their own", () => {
  test("leave nothing in the region of who differentiates, however many states are saved", () => {
    const used = (count: number): number => {
      let bytes = 0;
      const saveAt = Array.from({ length: count }, (_, i) => (i + 0.5) / count);
      gradient((k: Tensor) => {
        const before = currentRegion().used;
        const { ys } = solve(lotkaVolterra(k), y0, { ...steps, saveAt });
        bytes = currentRegion().used - before;
        return ys.sum();
      })(p);
      return bytes;
    };
    expect(used(1)).toBe(0);
    expect(used(1000)).toBe(0);
  });

  test("stepped alternately do not disturb each other, nor gradients taken in between", () => {
    const alone = (k: Tensor) => [...integrate(lotkaVolterra(k), y0, { t0: 0, t1: 2 })].map(({ y1 }) => y1);
    const other = p.mul(0.7);
    const [a, b] = [integrate(lotkaVolterra(p), y0, { t0: 0, t1: 2 }), integrate(lotkaVolterra(other), y0, { t0: 0, t1: 2 })];
    const found: [Tensor[], Tensor[]] = [[], []];
    for (let open = 2; open > 0;) {
      open = 0;
      for (const [i, steps] of [a, b].entries()) {
        const { value, done } = steps.next();
        if (done === true) continue;
        open++;
        found[i]!.push(value.y1);
        gradient((k: Tensor) => solve(lotkaVolterra(k), y0, { t0: 0, t1: 0.2 }).y1.sum())(p);
        expectNothingOpen();
      }
    }
    expectSameBits(stack(found[0]), stack(alone(p)));
    expectSameBits(stack(found[1]), stack(alone(other)));
  });

  test("left in the middle cost nothing: the records stay valid, the memory comes back", () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const large = zeros([20_000]).add(1);
    const abandon = () => {
      const steps = integrate((_t, y) => y.neg(), large, { t0: 0, t1: 1, solver: rk4(), controller: fixedSteps(10) });
      steps.next();
      return steps.next().value!.y1;
    };
    const kept = abandon();
    const bytes = linearMemory();
    const used = () => (collect(), collect(), process.memoryUsage().arrayBuffers);
    for (let n = 0; n < 5; n++) abandon();
    const before = used();
    for (let n = 0; n < 100; n++) abandon();
    expect(used() - before).toBeLessThan(20 * 8 * 20_000);
    expect(linearMemory()).toBe(bytes);
    expectNear(kept.at(0), Math.exp(-0.2), 1e-6);
    expectNothingOpen();
  });

  test("left by a throw in the loop close what they opened", () => {
    const meter = meterBytes();
    expect(() => {
      for (const step of integrate(lotkaVolterra(p), y0, { t0: 0, t1: 1 })) if (step.t1 > 0.2) throw new RangeError("enough");
    }).toThrow("enough");
    expectNothingOpen();
    expect(meter()).toBeLessThan(10_000);
  });

  test("records of integrate own their memory", () => {
    const records = [...integrate(lotkaVolterra(p), y0, { t0: 0, t1: 1 })];
    solve(lotkaVolterra(p), y0, { t0: 0, t1: 1 });
    for (const [i, { y0: from, y1, error, at, t0 }] of records.entries()) {
      expect([from.region, y1.region, error.region]).toEqual([heap, heap, heap]);
      if (i > 0) expectSameBits(from, records[i - 1]!.y1);
      expectSameBits(at(t0), from);
    }
  });

  test("results are on the heap, also of a solve in a scope and in a gradient", () => {
    const { ys, y1, ts } = scope(() => solve(lotkaVolterra(p), y0, { t0: 0, t1: 1, saveAt: [0.5] }));
    expect([ys.region, y1.region, ts.region]).toEqual([heap, heap, heap]);
    const stash: Tensor[] = [];
    gradient((k: Tensor) => {
      stash.push(solve(lotkaVolterra(k), y0, { t0: 0, t1: 1 }).y1);
      return stash[0]!.sum();
    })(p);
    expectNear(stash[0]!, y1, 1e-15);
  });
});

describe("memory under a tape", () => {
  test("a solve inside a field inside a tape gives the same gradient under every schedule", () => {
    const inner = (k: Tensor, y: Tensor) => solve(lotkaVolterra(k), y, { t0: 0, t1: 0.1, solver: tsit5() }).y1;
    const run = (checkpoints: ReturnType<typeof storeAll>, tape: (typeof granularities)[number]) =>
      gradient((k: Tensor) => solve((_t, y) => inner(k, y).sub(y), y0, { ...steps, adjoint: discreteAdjoint({ checkpoints, tape }) }).y1.sum())(p);
    for (const tape of granularities) for (const slots of [1, 3]) expectSameBits(run(revolve(slots), tape), run(storeAll(), tape));
    expectNear(run(storeAll(), "evaluation"), run(storeAll(), "step"), 1e-13);
    expectNothingOpen();
  });

  test("a lazily cached tensor in a field is a clear error when it is used again, and right when it was cloned", () => {
    const run = (keep: (x: Tensor) => Tensor) => {
      let cache: Tensor | undefined;
      const field = (_t: Tensor, y: Tensor) => y.mul((cache ??= keep(p.exp())).sum()).mul(-0.01);
      return { plain: () => solve(field, y0, steps).y1, slope: () => gradient((start: Tensor) => solve(field, start, steps).y1.sum())(y0) };
    };
    const right = solve((_t, y) => y.mul(p.exp().sum()).mul(-0.01), y0, steps).y1;
    expect(run((x) => x).plain).toThrow(ReleasedTensorError);
    expect(run((x) => x).plain).toThrow(/made by exp was used after its \w+ region was released.*x\.clone\(\)/);
    expect(run((x) => x).slope).toThrow(ReleasedTensorError);
    expectSameBits(run((x) => x.clone()).plain(), right);
    expectNear(run((x) => x.clone()).slope(), right, 1e-15);
    expectNothingOpen();
  });

  test("a tensor stashed from the field or the loss is a clear error afterwards", () => {
    const stash: Tensor[] = [];
    solve((_t, y) => (stash.push(y.exp()), y.neg()), y0, steps);
    expect(() => stash.at(-1)!.data).toThrow(ReleasedTensorError);
    gradient((k: Tensor) => {
      const { y1 } = solve(lotkaVolterra(k), y0, steps);
      stash.push(y1.exp());
      return stash.at(-1)!.sum();
    })(p);
    expect(() => stash.at(-1)!.data).toThrow(/made by exp was used after its tape region was released/);
  });

  test("growth in the middle of a step changes nothing", () => {
    const run = (size: number, at: number) => {
      let calls = 0;
      return gradient((k: Tensor) =>
        solve((t, y) => {
          const slope = lotkaVolterra(k)(t, y);
          const one = ++calls === at ? zeros([size]).add(1).at(size - 1) : tensor(1);
          return slope.mul(one);
        }, y0, steps).y1.sum(),
      )(p);
    }; // prettier-ignore
    const small = run(4, 6);
    const bytes = linearMemory();
    // Once in the third evaluation of a step of the forward solve, once of the reverse.
    expectSameBits(run(bytes / 8, 7), small);
    expect(linearMemory()).toBeGreaterThan(bytes);
    const grown = linearMemory();
    expectSameBits(run(grown / 8, 32 + 7), small);
    expect(linearMemory()).toBeGreaterThan(grown);
  });

  test("a field that writes into one tensor again and again is read before the next call", () => {
    const shared = zeros([2]);
    const field = (_t: Tensor, y: Tensor) => {
      shared.data.set([y.at(1).item(), -y.at(0).item()]);
      return shared;
    };
    const circle = { t0: 0, t1: 2 * Math.PI };
    expectNear(solve(field, tensor([1, 0]), circle).y1, [1, 0], 1e-4);
    expectNear([...integrate(field, tensor([1, 0]), circle)].at(-1)!.y1, [1, 0], 1e-4);
  });

  test("a field may return its argument", () => {
    for (const tape of granularities) {
      const adjoint = discreteAdjoint({ tape, checkpoints: revolve(2) });
      const slope = gradient((start: Tensor) => solve((_t, y) => y, start, { ...steps, controller: fixedSteps(50), adjoint }).y1.sum())(y0);
      expectNear(slope, [Math.E, Math.E], 1e-7);
    }
  });

  test("hundreds of gradients leave the linear memory as it was", () => {
    const run = gradient((k: Tensor) =>
      solve(lotkaVolterra(k), y0, { t0: 0, t1: 0.2, adjoint: discreteAdjoint({ checkpoints: revolve(2) }) }).y1.sum(),
    );
    for (let n = 0; n < 50; n++) run(p);
    const bytes = linearMemory();
    for (let n = 0; n < 300; n++) run(p);
    expect(linearMemory()).toBe(bytes);
  });
});
