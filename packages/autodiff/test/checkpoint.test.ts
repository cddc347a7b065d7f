import { describe, expect, test } from "vitest";
import { argMax, meterBytes, random, tensor, where, zeros, type Tensor } from "@dydt/tensor";
import { checkGradients, checkpoint, checkpointedScan, gradient, root, vjp } from "@dydt/autodiff";
import { expectClose } from "../../../scripts/expect-close.js";

const at = tensor([0.4, -0.9]);
const body = (x: Tensor): Tensor => x.sin().mul(x.exp()).tanh();
const second = (f: (x: Tensor) => Tensor): Tensor =>
  gradient((x: Tensor) =>
    gradient((y: Tensor) => f(y).square().sum())(x)
      .square()
      .sum(),
  )(at);

describe("checkpoint", () => {
  test("changes neither the value nor the gradient, to the last bit", () => {
    expect(checkpoint(body)(at).toArray()).toEqual(body(at).toArray());
    const slope = (f: (x: Tensor) => Tensor): unknown => gradient((x: Tensor) => f(x).square().sum())(at).toArray();
    expect(slope(checkpoint(body))).toEqual(slope(body));
  });

  test("has the right second derivatives, nested ones too", () => {
    expectClose(second(checkpoint(body)), second(body), { rtol: 1e-13 });
    const inner = checkpoint(body);
    const nested = checkpoint((x: Tensor) => inner(inner(x)).add(x));
    expectClose(second(nested), second((x) => body(body(x)).add(x)), { rtol: 1e-13 }); // prettier-ignore
    expect(checkGradients((x: Tensor) => nested(x).sum(), at, { order: 2 }).passed).toBe(true);
  });

  test("takes integers and masks as arguments", () => {
    const x = tensor([1, 2]);
    const chosen = checkpoint((y: Tensor, m: Tensor) => where(m, y.square(), y));
    expectClose(gradient((y: Tensor) => chosen(y, y.greater(1)).sum())(x), [1, 4]);
    const taken = checkpoint((i: Tensor, y: Tensor) => y.take(i).square());
    expectClose(gradient((y: Tensor) => taken(tensor([1, 1], { dtype: "int32" }), y).sum())(x), [0, 8]);
    expectClose(gradient((y: Tensor) => gradient((z: Tensor) => chosen(z, z.greater(1)).square().sum())(y).sum())(x), [2, 48]);
  });

  test("gives integers and masks out, whose numbers may be read and which others may close over", () => {
    const x = tensor([1, 2]);
    const state = { h: x, n: tensor(0, { dtype: "int32" }) };
    const largest = checkpoint((y: Tensor) => ({ squares: y.square(), at: argMax(y), above: y.greater(1) }));
    const slope = (f: (made: { readonly squares: Tensor; readonly at: Tensor; readonly above: Tensor }) => Tensor): Tensor =>
      gradient((y: Tensor) => f(largest(y)).sum())(x);
    expectClose(slope(({ squares, at: i, above }) => squares.take(i).add(i.toArray() as number).add(above.cast("float64").sum())), [0, 4]); // prettier-ignore
    expectClose(
      slope(({ squares, at: i, above }) => checkpoint(() => where(above, squares.take(i), 0))()),
      [0, 4],
    );
    expectClose(
      slope(({ squares, at: i }) => root((z: Tensor) => z.sub(squares.take(i)), tensor(1))),
      [0, 4],
    );
    expectClose(slope(({ squares, at: i }) => checkpointedScan(({ h, n }: typeof state) => ({ h: h.add(squares.take(i)), n: n.add(1) }), state, 3).h), [0, 24]); // prettier-ignore
  });

  test("leaves a constant that it returns to its owner", () => {
    const held = tensor([5, 6]);
    const both = checkpoint((y: Tensor) => ({ square: y.square(), held }));
    const f = (x: Tensor): Tensor => {
      const [first, second] = [both(x), both(x.mul(2))];
      expect(held.toArray()).toEqual([5, 6]);
      return first.square.mul(second.held).add(second.square.mul(first.held)).sum();
    };
    expectClose(gradient(f)(tensor([1, 2])), [50, 120]);
  });

  test("finds the tensors that its function closes over", () => {
    const inputs = { w: random(1).normal([2]), b: random(2).normal([2]) };
    const f = ({ w, b }: typeof inputs): Tensor => {
      const doubled = w.mul(2); // computed outside: captured as it is
      return checkpoint((x: Tensor) => x.mul(doubled).add(b).tanh())(at)
        .add(b)
        .sum();
    };
    const plain = ({ w, b }: typeof inputs): Tensor => at.mul(w.mul(2)).add(b).tanh().add(b).sum();
    const [got, wanted] = [gradient(f)(inputs), gradient(plain)(inputs)];
    expectClose(got.w, wanted.w, { rtol: 1e-14 });
    expectClose(got.b, wanted.b, { rtol: 1e-14 });
    expect(checkGradients(f, inputs, { order: 2 }).passed).toBe(true);
  });

  test("a captured tensor that is handed through without an operation keeps its gradient", () => {
    expectClose(
      gradient((w: Tensor) =>
        checkpoint((_: Tensor) => w)(at)
          .square()
          .sum(),
      )(at),
      at.mul(2),
    );
    expectClose(gradient((w: Tensor) => checkpoint((x: Tensor) => [w, x] as const)(w.mul(3)).map((y) => y.sum()).reduce((a, b) => a.add(b)))(at), [4, 4]); // prettier-ignore
    expectClose(
      gradient((x: Tensor) =>
        checkpoint((y: Tensor) => y)(x)
          .add(x)
          .sum(),
      )(at),
      [2, 2],
    );
  });

  test("takes and gives trees, and the same tensor as several arguments", () => {
    const f = checkpoint((p: { readonly a: Tensor }, [b]: readonly [Tensor]) => ({ y: p.a.mul(b), z: [b.exp()] as const }));
    const slope = gradient((x: Tensor) => {
      const { y, z } = f({ a: x }, [x]);
      return y.add(z[0]).sum();
    })(at);
    expectClose(slope, at.mul(2).add(at.exp()));
  });

  test("may differentiate inside, by a closure too: a force from a potential", () => {
    const stiffness = random(3).uniform([2]).add(1);
    const potential = (k: Tensor) => (q: Tensor) => k.mul(q.square()).mul(q).sum();
    const f = (wrap: typeof checkpoint) => (k: Tensor) => wrap((q: Tensor) => gradient(potential(k))(q).neg().add(q))(at.mul(k)).square().sum(); // prettier-ignore
    const plain = f(((g: (q: Tensor) => Tensor) => g) as typeof checkpoint);
    expectClose(gradient(f(checkpoint))(stiffness), gradient(plain)(stiffness), { rtol: 1e-13 });
    expect(checkGradients(f(checkpoint), stiffness, { order: 2 }).passed).toBe(true);
  });

  test("runs its function once forward and once for each pullback", () => {
    let runs = 0;
    const counted = checkpoint((x: Tensor) => (runs++, body(x)));
    counted(at);
    expect(runs).toBe(1);
    const { pullback } = vjp((x: Tensor) => counted(x), at);
    expect(runs).toBe(2);
    pullback(tensor([1, 1]));
    expect(runs).toBe(3);
    const first = pullback(tensor([1, 2]));
    expect(pullback(tensor([1, 2])).toArray()).toEqual(first.toArray());
    expect(runs).toBe(5);
  });

  test("is not run again when nothing needs its derivative", () => {
    let runs = 0;
    const counted = checkpoint((x: Tensor) => (runs++, body(x)));
    gradient((x: Tensor) => (counted(x), x.sum()))(at);
    expect(runs).toBe(1);
  });

  test("needs memory for one segment at a time: a chain keeps its states only", () => {
    const segment = (x: Tensor): Tensor => {
      let y = x;
      for (let n = 0; n < 20; n++) y = y.tanh();
      return y;
    };
    const peak = (f: (x: Tensor) => Tensor): number => {
      const stop = meterBytes();
      gradient((x: Tensor) => [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].reduce((y) => f(y), x).sum())(zeros([1000]));
      return stop();
    };
    const bytes = 8000;
    expect(peak(segment)).toBeGreaterThan(200 * bytes);
    expect(peak(checkpoint(segment))).toBeLessThan(200 * bytes);
  });

  test("leaves nothing of its forward run behind: a tensor cached there is an error in the reverse", () => {
    let kept: Tensor | undefined;
    const caching = checkpoint((y: Tensor) => (kept ??= zeros([2]).exp()).mul(y));
    expect(() => gradient((x: Tensor) => caching(x).sum())(at)).toThrow("made by exp was used after its tape region was released");
    kept = zeros([2]).exp();
    expectClose(gradient((x: Tensor) => caching(x).sum())(at), [1, 1]);
  });
});
