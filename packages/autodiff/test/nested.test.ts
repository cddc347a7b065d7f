import { describe, expect, test } from "vitest";
import { activeRecorders, currentRegion, heap, random, scope, tensor, unrecorded, WatchedTensorError, type Tensor } from "@dydt/tensor";
import { gradient, stopGradient, vjp } from "@dydt/autodiff";
import { expectClose } from "../../../scripts/expect-close.js";

const at = tensor([0.7, -1.3]);

describe("gradients of gradients", () => {
  test("d/dx Σ x · d/dy Σ xy = 2x", () => {
    expectClose(
      gradient((x: Tensor) =>
        gradient((y: Tensor) => y.mul(x).sum())(x)
          .mul(x)
          .sum(),
      )(at),
      at.mul(2),
    );
  });

  test("derivatives of x⁵ up to the fifth", () => {
    let f = (x: Tensor): Tensor => x.pow(5).sum();
    for (const wanted of [5 * 2 ** 4, 20 * 2 ** 3, 60 * 2 ** 2, 120 * 2, 120]) {
      const g = f;
      f = (x) => gradient(g)(x).sum();
      expectClose(f(tensor([2])), wanted, { rtol: 1e-14 });
    }
  });

  test("an inner gradient at a constant sees the outer variable as a constant, and the outer one sees both", () => {
    // d/dx [x · d/dy (x y²) at y = 3] = d/dx 6x² = 12x
    expectClose(
      gradient((x: Tensor) =>
        gradient((y: Tensor) => x.mul(y.square()).sum())(tensor([3, 3]))
          .mul(x)
          .sum(),
      )(at),
      at.mul(12),
    );
  });

  test("perturbations are not confused: d/dx [x · d/dy (x + y) at y = 1] = 1", () => {
    expectClose(gradient((x: Tensor) => gradient((y: Tensor) => x.add(y))(tensor(1)).mul(x))(tensor(5)), 1);
  });

  test("a closure over the very tensor that is differentiated is a constant there", () => {
    const x = tensor([3]);
    expectClose(gradient((y: Tensor) => y.mul(x).sum())(x), [3]);
    expectClose(gradient((z: Tensor) => gradient((y: Tensor) => y.mul(z).sum())(z).sum())(x), [1]);
  });

  test("the same function as inner and outer: d/dx f(f'(x)) for f = sin", () => {
    const f = (x: Tensor): Tensor => x.sin().sum();
    const wanted = (x: number): number => -Math.cos(Math.cos(x)) * Math.sin(x);
    expectClose(gradient((x: Tensor) => f(gradient(f)(x)))(at), [wanted(0.7), wanted(-1.3)], { rtol: 1e-13 });
  });

  test("a pullback made outside can be used inside, and differentiated in its cotangent", () => {
    const { pullback } = vjp((x: Tensor) => x.square(), at);
    expectClose(gradient((c: Tensor) => pullback(c).mul(c).sum())(tensor([1, 2])), at.mul(4).mul(tensor([1, 2])));
  });

  test("a pullback made inside is differentiated in the point too: Hessian times vector", () => {
    const v = tensor([1, -2]);
    const hessianTimes = gradient((x: Tensor) =>
      vjp((y: Tensor) => y.exp().mul(y).sum(), x)
        .pullback(tensor(1))
        .mul(v)
        .sum(),
    )(at);
    expectClose(hessianTimes, at.exp().mul(at.add(2)).mul(v), { rtol: 1e-13 });
  });

  test("stopGradient ends the derivative for every watcher", () => {
    expectClose(
      gradient((x: Tensor) =>
        gradient((y: Tensor) => y.mul(stopGradient(x)).sum())(x)
          .mul(x)
          .sum(),
      )(at),
      at,
    );
    expectClose(gradient((x: Tensor) => gradient((y: Tensor) => stopGradient(y).mul(y).sum())(x).sum())(at), [0, 0]);
  });

  test("scopes inside keep what the tapes need", () => {
    const f = (x: Tensor): Tensor => scope(() => scope(() => x.sin()).mul(scope(() => x.exp()))).sum();
    const plain = (x: Tensor): Tensor => x.sin().mul(x.exp()).sum();
    const second = (g: (x: Tensor) => Tensor) => gradient((x: Tensor) => gradient(g)(x).square().sum())(at);
    expect(second(f).toArray()).toEqual(second(plain).toArray());
  });

  test("errors inside leave no recorder and no region behind, at any depth", () => {
    const failing = (x: Tensor): Tensor => gradient((y: Tensor) => scope(() => y.add(tensor([1, 2, 3]))).sum())(x).sum();
    expect(() => gradient(failing)(at)).toThrow("add got shapes [2] and [3]");
    expect(activeRecorders()).toEqual([]);
    expect(currentRegion()).toBe(heap);
    expectClose(gradient((x: Tensor) => x.sum())(at), [1, 1]);
  });
});

describe("the numbers of a watched tensor", () => {
  const attempts: Readonly<Record<string, (x: Tensor) => unknown>> = {
    data: (x) => x.data,
    ndarray: (x) => x.ndarray,
    "toArray()": (x) => x.toArray(),
  };
  test.each(Object.entries(attempts))("%s cannot be read, and the message names stopGradient", (name, read) => {
    const run = (): unknown =>
      gradient((x: Tensor) => {
        read(x.exp());
        return x.sum();
      })(at);
    expect(run).toThrow(WatchedTensorError);
    expect(run).toThrow(`${name} of a tensor of shape [2] made by exp was read while it is being differentiated`);
    expect(run).toThrow(`stopGradient(x).${name}`);
    expect(activeRecorders()).toEqual([]);
  });

  test("are free through item(), through stopGradient, for tensors that nobody watches, and after the recording", () => {
    const constant = random(1).normal([2]);
    let inside: unknown;
    gradient((x: Tensor) => {
      inside = [x.sum().item(), stopGradient(x).toArray(), constant.toArray(), constant.mul(2).data.length, unrecorded(() => x.toArray())];
      return x.sum();
    })(at);
    expect(inside).toEqual([at.sum().item(), at.toArray(), constant.toArray(), 2, at.toArray()]);
    expect(at.toArray()).toEqual([0.7, -1.3]);
  });

  test("stay hidden from an inner body while an outer one watches", () => {
    expect(() => gradient((x: Tensor) => gradient((y: Tensor) => y.mul(x.toArray() as number).sum())(tensor([1, 1])).sum())(at)).toThrow(
      WatchedTensorError,
    );
  });
});
