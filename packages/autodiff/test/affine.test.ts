import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { affine, ones, random, relu, sigmoid, ShapeError, softplus, tanh, zeros, type FusedActivation, type Tensor } from "@dydt/tensor";
import { gradient, vjp } from "@dydt/autodiff";

const activations: Readonly<Record<FusedActivation, (x: Tensor) => Tensor>> = { identity: (x) => x.mul(1), tanh, sigmoid, softplus, relu };
const names = Object.keys(activations) as FusedActivation[];

describe("the linear layer with its activation", () => {
  test.each(names)("followed by %s has the bits of the operations one after the other", (name) => {
    const length = fc.integer({ min: 1, max: 40 });
    fc.assert(
      fc.property(
        fc.constantFrom("float64" as const, "float32" as const),
        length,
        length,
        length,
        fc.nat(),
        (dtype, batch, inputs, outputs, seed) => {
          const [a, b, c] = [random(seed), random(seed + 1), random(seed + 2)];
          const [x, w, bias] = [a.normal([batch, inputs], { dtype }), b.normal([inputs, outputs], { dtype }), c.normal([outputs], { dtype })];
          expect(affine(x, w, bias, name).data).toEqual(activations[name](x.matmul(w).add(bias)).data);
        },
      ),
      { numRuns: 40 },
    );
  });

  test.each(names)(
    "followed by %s has the gradient of the operations one after the other, also when its cotangents are added up in place",
    (name) => {
      const at = { x: random(1).normal([5, 3]), w: random(2).normal([3, 3]), bias: random(3).normal([3]) };
      const fused = gradient(({ x, w, bias }: typeof at) =>
        affine(affine(affine(x, w, bias, name), w, bias, name), w, bias, name)
          .square()
          .sum(),
      )(at);
      const plain = gradient(({ x, w, bias }: typeof at) => {
        const layer = (y: Tensor): Tensor => activations[name](y.matmul(w).add(bias));
        return layer(layer(layer(x)))
          .square()
          .sum();
      })(at);
      for (const key of ["x", "w", "bias"] as const) {
        const scale = plain[key].abs().max().item();
        expect(fused[key].sub(plain[key]).abs().max().item()).toBeLessThanOrEqual(1e-14 * scale);
      }
    },
  );

  test("may multiply a tensor with itself, several times, and the cotangents of both places add up", () => {
    for (const dtype of ["float64", "float32"] as const) {
      const at = random(5).normal([3, 3], { dtype });
      const loss = (product: (w: Tensor) => Tensor) => (w: Tensor) => product(w).add(product(w)).add(product(w)).sum();
      // Outside a region, where the two sums of the cotangents are one array on the heap.
      const fused = vjp(
        loss((w) => affine(w, w, zeros([3], { dtype }))),
        at,
      ).pullback(ones([], { dtype }));
      const plain = gradient(loss((w) => w.matmul(w)))(at);
      const bound = dtype === "float64" ? 1e-14 : 1e-6;
      expect(fused.sub(plain).abs().max().item()).toBeLessThanOrEqual(bound * plain.abs().max().item());
    }
  });

  test("refuses a bias of another length", () => {
    expect(() => affine(zeros([2, 3]), zeros([3, 4]), zeros([3]), "tanh")).toThrow(ShapeError);
  });
});
