import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import {
  activeRecorders, currentRegion, heap, inTemporaryRegion, meterBytes, random, ReleasedTensorError, scope, tensor, zeros, type Tensor,
} from "@dydt/tensor"; // prettier-ignore
import { checkpoint, gradient, valueAndGradient, vjp } from "@dydt/autodiff";
import { expectClose } from "../../../scripts/expect-close.js";

const at = tensor([1, 2]);
const linearMemory = (): number => inTemporaryRegion("step", () => tensor(1).add(1).data.buffer.byteLength);

describe("the memory of a gradient", () => {
  test("is released when it returns: a tensor stashed from the loss is a clear error", () => {
    const stash: Tensor[] = [];
    const slope = gradient((x: Tensor) => {
      stash.push(x.exp());
      return stash[0]!.sum();
    })(at);
    expect(slope.region).toBe(heap);
    expectClose(slope, at.exp());
    expect(() => stash[0]!.data).toThrow(ReleasedTensorError);
    expect(() => stash[0]!.add(1)).toThrow(
      "a tensor of shape [2] made by exp was used after its tape region was released: return it from the body that made it (scope, gradient, a step), or keep x.clone()",
    );
  });

  test("is released when the loss throws, too", () => {
    const stash: Tensor[] = [];
    const failing = (x: Tensor): Tensor => {
      stash.push(x.exp());
      throw new RangeError("on purpose");
    };
    expect(() => gradient(failing)(at)).toThrow("on purpose");
    expect(() => stash[0]!.data).toThrow(ReleasedTensorError);
    expect([currentRegion(), activeRecorders()]).toEqual([heap, []]);
  });

  test("a lazily cached tensor is an error the second time, and right when it was cloned", () => {
    const run = (keep: (x: Tensor) => Tensor): (() => Tensor) => {
      let cache: Tensor | undefined;
      return () => gradient((x: Tensor) => x.mul((cache ??= keep(at.exp()))).sum())(at);
    };
    const careless = run((x) => x);
    careless();
    expect(careless).toThrow(/made by exp was used after its tape region was released/);
    const careful = run((x) => x.clone());
    careful();
    expectClose(careful(), at.exp());
  });

  test("growth in the middle changes no tensor of the recording", () => {
    const f = (size: number) => (x: Tensor): Tensor => {
      const before = x.sin();
      const large = zeros([size]).add(1); // in the region
      return before.mul(large.at(size - 1)).mul(x).sum();
    }; // prettier-ignore
    const bytes = linearMemory();
    const small = gradient(f(4))(at).toArray();
    expect(gradient(f(bytes / 4))(at).toArray()).toEqual(small);
    expect(linearMemory()).toBeGreaterThan(bytes + (1 << 20));
  });

  test("a scope inside keeps what the tape needs, and releases it with the tape", () => {
    const stash: Tensor[] = [];
    const slope = gradient((x: Tensor) =>
      scope(() => {
        stash.push(x.exp());
        return stash[0]!.mul(x).sum();
      }),
    )(at);
    expectClose(slope, at.exp().mul(at.add(1)));
    expect(() => stash[0]!.data).toThrow(ReleasedTensorError);
  });

  test("a gradient inside a scope gives a tensor of that scope", () => {
    const slopes: Tensor[] = [];
    const total = scope(() => {
      slopes.push(gradient((x: Tensor) => x.square().sum())(at.add(1)));
      return slopes[0]!.sum();
    });
    expectClose(total, 10);
    expect(() => slopes[0]!.data).toThrow(ReleasedTensorError);
  });

  test("vjp outside any scope records on the heap, since its pullback outlives the call; inside a scope it ends with it", () => {
    const { value, pullback } = vjp((x: Tensor) => x.exp(), at);
    expect(value.region).toBe(heap);
    expectClose(pullback(at), at.exp().mul(at));
    const inside = scope(() => vjp((x: Tensor) => x.exp().mul(2), at));
    expectClose(inside.value, at.exp().mul(2));
    expect(() => inside.pullback(at)).toThrow(ReleasedTensorError);
  });

  test("is counted exactly", () => {
    const stop = meterBytes();
    gradient((x: Tensor) => x.add(1).sum())(zeros([100]));
    expect(stop()).toBe(800 + 16 + 800); // x + 1, its sum, and the cotangent of x
  });

  test("an auxiliary output is copied out with its tensors", () => {
    const { auxiliary } = valueAndGradient((x: Tensor) => ({ value: x.sum(), auxiliary: [x.exp()] }))(at);
    expect(auxiliary[0]!.region).toBe(heap);
    expectClose(auxiliary[0]!, at.exp());
  });
});

test("20,000 gradients leave the heap and the linear memory as they were", () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const w = random(1).normal([4, 4]);
  const x = random(2).normal([3, 4]);
  const segment = checkpoint((y: Tensor) => y.tanh());
  const run = gradient((p: Tensor) => segment(x.matmul(p)).square().mean());
  const used = (): number => {
    collect();
    collect();
    return process.memoryUsage().heapUsed;
  };
  for (let n = 0; n < 2000; n++) run(w);
  const [bytes, before] = [linearMemory(), used()];
  for (let n = 0; n < 20_000; n++) run(w);
  expect(used() - before).toBeLessThan(1 << 19);
  expect(linearMemory()).toBe(bytes);
});
