import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { allocatingIn, heap, meterBytes, primitive, scope, stack, tensor, type Tensor } from "@dydt/tensor";
import {
  checkpoint, custom, defineJvp, gradient, hessianVectorProduct, jvp, pushforward, SecondDerivativeError, stopGradient, taylor, vjp,
} from "@dydt/autodiff"; // prettier-ignore
import { expectClose } from "../../../scripts/expect-close.js";

type Scalar = (x: Tensor) => Tensor;
type Mode = (f: Scalar) => Scalar;

/** df/dx for a function of one number, by each of the modes. */
const modes: Readonly<Record<string, Mode>> = {
  gradient: (f) => gradient(f),
  jvp: (f) => (x) => jvp(f, x, tensor(1)).tangent,
  vjp: (f) => (x) => vjp(f, x).pullback(tensor(1)),
  taylor: (f) => (x) => taylor(f, x, [tensor(1)]).coefficients[0]!,
  pushforward: (f) => (x) => {
    const [less, , more] = pushforward(f, x, [tensor(-1), tensor(0), tensor(3)]).tangents;
    return less.add(more).mul(0.5);
  },
};
const words = <T>(letters: readonly T[], length: number): readonly (readonly T[])[] =>
  length === 0 ? [[]] : words(letters, length - 1).flatMap((word) => letters.map((letter) => [...word, letter]));
const nest = (names: readonly string[], f: Scalar): Scalar => names.reduce((g, name) => modes[name]!(g), f);

/** sin³x eˣ and its fourth derivative: Im(3 (1 + i)⁴ e^((1 + i) x) − (1 + 3i)⁴ e^((1 + 3i) x)) / 4. */
const f: Scalar = (x) => x.sin().pow(3).mul(x.exp());
const fourth = (x: number): number => (Math.exp(x) * (-12 * Math.sin(x) - 28 * Math.sin(3 * x) + 96 * Math.cos(3 * x))) / 4;

describe("modes nest in any order", () => {
  test.each(words(["gradient", "jvp"], 4).map((word) => [word.join(" of "), word] as const))("%s is the fourth derivative of sin³x eˣ", (_, word) => {
    expectClose(nest(word, f)(tensor(0.7)), fourth(0.7), { rtol: 1e-12 });
  });

  test("all 125 words of three letters from gradient, jvp, vjp, taylor and pushforward give the third derivative of tanh", () => {
    const y = Math.tanh(0.4);
    for (const word of words(Object.keys(modes), 3))
      expectClose(nest(word, (x) => x.tanh())(tensor(0.4)), (1 - y * y) * (6 * y * y - 2), { rtol: 1e-13 });
  });

  test("for random chains of operations, forward over reverse is reverse over forward", () => {
    const steps: readonly Scalar[] = [(x) => x.sin(), (x) => x.tanh().mul(x), (x) => x.square().add(0.3), (x) => x.exp().div(x.square().add(2)), (x) => x.softplus(), (x) => x.sigmoid().sub(x)]; // prettier-ignore
    fc.assert(
      fc.property(fc.array(fc.nat(steps.length - 1), { minLength: 1, maxLength: 6 }), fc.double({ min: -1, max: 1, noNaN: true }), (chain, x) => {
        const g: Scalar = (at) => chain.reduce((y, i) => steps[i]!(y), at);
        const [one, ...others] = words(["gradient", "jvp"], 2).map((word) => nest(word, g)(tensor(x)));
        for (const other of others) expectClose(other, one!, { rtol: 1e-11 });
      }),
      { numRuns: 40 },
    );
  });

  test("in vectors: the tangent of a gradient is the gradient of a tangent", () => {
    const g = (x: Tensor): Tensor => x.matmul(tensor([[1, 2, 0], [0, -1, 1], [2, 0.5, 1]])).tanh().mul(x.sin()).sum(); // prettier-ignore
    const [x, v] = [tensor([0.3, -0.7, 1.1]), tensor([1, -2, 0.5])];
    const along = hessianVectorProduct(g, x, v);
    expectClose(gradient((at: Tensor) => jvp(g, at, v).tangent)(x), along, { rtol: 1e-13 });
    expectClose(gradient((at: Tensor) => gradient(g)(at).mul(v).sum())(x), along, { rtol: 1e-13 });
    expectClose(jvp((at: Tensor) => jvp(g, at, v).tangent, x, v).tangent, along.mul(v).sum(), { rtol: 1e-13 });
    expectClose(taylor(g, x, [v, v.mul(0)]).coefficients[1]!.mul(2), along.mul(v).sum(), { rtol: 1e-13 });
    expectClose(gradient((direction: Tensor) => jvp(g, x, direction).tangent)(v), gradient(g)(x), { rtol: 1e-13 });
  });
});

describe("perturbations are not confused", () => {
  test.each(words(["gradient", "jvp", "taylor", "pushforward"], 2).map(([outer, inner]) => [outer!, inner!] as const))(
    "%s of %s: d/dx [x · d/dy (x + y) at y = 1] = 1",
    (outer, inner) => {
      expectClose(modes[outer]!((x) => modes[inner]!((y) => x.add(y))(tensor(1)).mul(x))(tensor(5)), 1);
      expectClose(modes[outer]!((x) => modes[inner]!((y) => x.mul(y.square()))(tensor(3)).mul(x))(tensor(5)), 60); // d/dx 6x²
      expectClose(modes[outer]!((x) => modes[inner]!((y) => y.mul(x))(x).mul(x))(tensor(5)), 10);
    },
  );

  test("what a function closes over is a constant, even the very tensor", () => {
    const x = tensor(3);
    for (const mode of Object.values(modes)) expectClose(mode((y) => y.mul(x))(x), 3);
  });

  test("stopGradient stops every mode", () => {
    for (const mode of Object.values(modes)) expectClose(mode((x) => stopGradient(x).mul(x))(tensor(3)), 3);
  });
});

describe("forward modes see through nodes", () => {
  const opened: Scalar = (x) => x.sin().mul(x).exp();
  const closed = checkpoint(opened);
  test.each(words(["gradient", "jvp", "taylor", "pushforward"], 3).map((word) => [word.join(" of "), word] as const))(
    "%s is the same with a checkpoint",
    (_, word) => {
      expectClose(nest(word, closed)(tensor(0.3)), nest(word, opened)(tensor(0.3)), { rtol: 1e-12 });
    },
  );

  test("checkpoints with closures, inside one another", () => {
    const g = (wrap: <A extends readonly unknown[], Y>(f: (...args: A) => Y) => (...args: A) => Y): Scalar => (a) =>
      wrap((x: Tensor) => wrap((y: Tensor) => y.mul(a).sin())(x.square()).add(a))(a.exp()).mul(a); // prettier-ignore
    for (const word of words(["gradient", "jvp"], 3))
      expectClose(
        nest(word, g(checkpoint))(tensor(0.3)),
        nest(
          word,
          g((h) => h),
        )(tensor(0.3)),
        { rtol: 1e-11 },
      );
  });

  /** Its pullback is right, and recorded by nobody. */
  const square = (x: Tensor): Tensor => custom(x, () => ({ outputs: x.mul(x), pullback: (g: Tensor) => g.mul(x).mul(2) }));

  test("custom shows its forward pass to forward mode, and its pullback to forward over reverse", () => {
    const g: Scalar = (x) => square(x.sin()).mul(x);
    const plain: Scalar = (x) => x.sin().square().mul(x);
    expectClose(modes["jvp"]!(g)(tensor(0.8)), modes["jvp"]!(plain)(tensor(0.8)), { rtol: 1e-14 });
    expectClose(nest(["gradient", "jvp", "jvp"], g)(tensor(0.8)), nest(["gradient", "jvp", "jvp"], plain)(tensor(0.8)), { rtol: 1e-13 });
    const clipped: Scalar = (x) => custom(x, () => ({ outputs: x.mul(1), pullback: (g: Tensor) => g.clip(-1, 1) }));
    expectClose(gradient((x: Tensor) => clipped(x).mul(5))(tensor(2)), 1);
    expectClose(jvp((x: Tensor) => clipped(x).mul(5), tensor(2), tensor(1)).tangent, 5);
  });

  test("a tape outside of forward mode is refused what it cannot see, whichever way the derivative comes in", () => {
    const message = "custom cannot be differentiated in reverse mode outside of forward mode";
    const [x, one] = [tensor(2), tensor(1)];
    expect(() => gradient((at: Tensor) => jvp(square, at, one).tangent)(x)).toThrow(SecondDerivativeError);
    expect(() => gradient((at: Tensor) => jvp(square, at, one).tangent)(x)).toThrow(message);
    expect(() => gradient((v: Tensor) => jvp(square, x, v).tangent)(one)).toThrow(message);
    expect(() => gradient((v: Tensor) => pushforward(square, x, [one, v]).tangents[0])(one)).toThrow(message);
    expect(() => gradient((at: Tensor) => jvp((y: Tensor) => square(at).mul(y), one, one).tangent)(x)).not.toThrow();
    expect(() => gradient((at: Tensor) => jvp(gradient(square), at, one).tangent)(x)).toThrow("custom cannot");
    const caught = (at: Tensor): Tensor => custom(tensor(1), () => ({ outputs: at.square(), pullback: (g: Tensor) => g }));
    expect(() => gradient((at: Tensor) => jvp((y: Tensor) => caught(y.mul(at)), one, one).tangent)(x)).toThrow(message);
  });

  test("a tape inside of forward mode is not", () => {
    expectClose(nest(["gradient", "jvp"], square)(tensor(2)), 2);
    expectClose(nest(["gradient", "jvp", "jvp"], (x) => square(x).mul(x))(tensor(2)), 6);
  });
});

describe("memory", () => {
  test("of a tangent is twice that of the run, and all of it is released", () => {
    const chain = (x: Tensor): Tensor => scope(() => { let y = x; for (let n = 0; n < 50; n++) y = scope(() => y.sin().mul(2)); return y; }); // prettier-ignore
    const x = tensor(new Float64Array(1000).fill(0.3));
    const peak = (run: () => unknown): number => {
      const stop = meterBytes();
      run();
      return stop();
    };
    const plain = peak(() => chain(x));
    expect(peak(() => jvp(chain, x, x))).toBeLessThan(4.1 * plain); // ẏ, cos x and their product beside y
    expect(peak(() => pushforward(chain, x, [x, x, x]))).toBeLessThan(8.1 * plain); // cos x once, and two for each further direction
    expect(peak(() => taylor(chain, x, [x]))).toBeLessThan(8 * plain);
  });

  test("a tangent lives as long as its tensor, where that is kept beyond the scope that made it", () => {
    const onHeap = defineJvp(primitive("onHeap", (x: Tensor) => tensor(x.data.map((e) => 2 * e))), [(t) => t.mul(2)]);
    const keeping = (keep: (x: Tensor) => Tensor) => (x: Tensor): Tensor => {
      const kept: Tensor[] = [];
      scope(() => void kept.push(keep(x.sin())));
      scope(() => x.mul(7)); // takes the memory of the scope before
      return kept[0]!.mul(3);
    }; // prettier-ignore
    const [x, v] = [tensor([0.3, 0.7]), tensor([1, -1])];
    const [slope, second] = [x.cos().mul(v), x.sin().mul(v.square()).neg()];
    for (const [keep, factor] of [[onHeap, 6], [(y: Tensor) => allocatingIn(heap, () => y.add(1)), 3], [(y: Tensor) => y.clone(), 3]] as const) {
      expectClose(jvp(keeping(keep), x, v).tangent, slope.mul(factor));
      expectClose(stack(pushforward(keeping(keep), x, [v, v.mul(2)]).tangents), stack([slope, slope.mul(2)]).mul(factor));
      expectClose(taylor(keeping(keep), x, [v, v.mul(0)]).coefficients[1]!, second.mul(factor / 2));
      expectClose(jvp((at: Tensor) => jvp(keeping(keep), at, v).tangent, x, v).tangent, second.mul(factor));
    }
  }); // prettier-ignore

  test("results lie where the caller is: on the heap, or in its scope", () => {
    const x = tensor([1, 2]);
    expect(jvp((y: Tensor) => y.exp(), x, x).tangent.region.kind).toBe("heap");
    const kept = scope(() => jvp((y: Tensor) => y.exp().reshape([2, 1]), x.add(1), x.mul(2)).tangent);
    expectClose(kept, x.add(1).exp().mul(x).mul(2).reshape([2, 1]));
  });
});
