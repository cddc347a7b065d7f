import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  checkGradients,
  checkpointedScan,
  custom,
  gradient,
  hessianVectorProduct,
  implicit,
  jvp,
  KrylovError,
  MissingRuleError,
  NewtonError,
  revolve,
  root,
  SecondDerivativeError,
  taylor,
  vjp,
} from "@dydt/autodiff";
import {
  DtypeError, eye, leavesOf, linearSolve, meterBytes, ones, OptionError, primitive, random, ShapeError, SingularMatrixError, stack, tensor, WatchedTensorError, zeros, type Tensor,
} from "@dydt/tensor"; // prettier-ignore
import { expectClose } from "../../../scripts/expect-close.js";

const solvers = ["dense", "gmres"] as const;
const thrown = <E>(body: () => unknown): E => {
  try {
    body();
  } catch (error) {
    return error as E;
  }
  throw new Error("nothing was thrown");
};

/** x + tanh(W x) / 2 = p, a contraction for small W. */
const network = (w: Tensor, p: Tensor) => (x: Tensor) => x.add(w.matmul(x).tanh().mul(0.5)).sub(p);

describe.each(solvers)("root by %s", (solver) => {
  test("property: finds the root, and has the derivative of the implicit function", () => {
    fc.assert(
      fc.property(fc.double({ min: -50, max: 50, noNaN: true }), fc.double({ min: 0.1, max: 3, noNaN: true }), (at, scale) => {
        // a x³ + x = p:  ∂x/∂p = 1 / (3 a x² + 1),  ∂x/∂a = −x³ / (3 a x² + 1)
        const p = scale * at * at * at + at;
        const f = ({ a, b }: { readonly a: Tensor; readonly b: Tensor }) =>
          root((x: Tensor) => x.square().mul(x).mul(a).add(x).sub(b), tensor(0.5), { solver });
        expectClose(f({ a: tensor(scale), b: tensor(p) }), at, { rtol: 1e-12, atol: 1e-15 });
        const slope = gradient(f)({ a: tensor(scale), b: tensor(p) });
        const derivative = 3 * scale * at * at + 1;
        expectClose(slope.b, 1 / derivative, { rtol: 1e-11 });
        expectClose(slope.a, -(at * at * at) / derivative, { rtol: 1e-11, atol: 1e-15 });
      }),
    );
  });

  test("property: agrees with finite differences for systems of any size", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 1000 }), (n, seed) => {
        const draws = random(seed);
        const at = { w: draws.normal([n, n]), p: draws.normal([n]) };
        const weights = draws.normal([n]);
        const f = ({ w, p }: typeof at) => root(network(w, p), zeros([n]), { solver, linear: { tolerance: 1e-13 } }).mul(weights).sum(); // prettier-ignore
        expect(checkGradients(f, at).passed).toBe(true);
      }),
      { numRuns: 8 },
    );
  });

  test("solves for trees, with tensors that are computed outside, and again inside a loop", () => {
    const f = ({ c, d }: { readonly c: Tensor; readonly d: Tensor }) => {
      const doubled = c.mul(2);
      const { x, rest } = root(
        ({ x, rest }: { readonly x: Tensor; readonly rest: readonly [Tensor] }) => [x.mul(3).add(rest[0].sum().mul(0.1)).sub(doubled), rest[0].add(x.at(0).sin()).sub(d)],
        { x: zeros([2]), rest: [zeros([2, 1])] as const },
        { solver, linear: { tolerance: 1e-13 } },
      ); // prettier-ignore
      return x.square().sum().add(rest[0].sum());
    };
    expect(checkGradients(f, { c: tensor([0.3, 0.7]), d: tensor([[0.2], [-0.4]]) }).passed).toBe(true);

    // the implicit Euler method on y' = −k y³, by a scan of roots
    const decay = (k: Tensor) =>
      checkpointedScan(
        (y: Tensor) => root((z: Tensor) => z.sub(y).add(z.square().mul(z).mul(k).mul(0.1)), y, { solver }),
        tensor([1, 2]),
        6,
        revolve(2),
      ).sum();
    expect(checkGradients(decay, tensor(0.7)).passed).toBe(true);
  });

  test("gives the guess no derivative, and a pullback that is called again the same bits", () => {
    const { pullback } = vjp((p: Tensor) => root(network(eye(3), p), zeros([3]), { solver }), tensor([1, 2, 3]));
    expect(pullback(tensor([1, 0, 2])).toArray()).toEqual(pullback(tensor([1, 0, 2])).toArray());
    expectClose(gradient((guess: Tensor) => root((x: Tensor) => x.square().sub(4), guess, { solver }).sum().add(guess.sum().mul(0)))(tensor([1])), [0]); // prettier-ignore
  });

  test("works in float32", () => {
    const x = root((x: Tensor) => x.square().sub(tensor([2, 3], { dtype: "float32" })), tensor([1, 1], { dtype: "float32" }), { solver });
    expect(x.dtype).toBe("float32");
    expectClose(x, [Math.SQRT2, Math.sqrt(3)], { rtol: 1e-6 });
  });

  test("finds a root at zero, also where the rounding of the residual is all that is left of it", () => {
    for (const guess of [0, 1e-17, 1e-9, 0.1, 1])
      for (const n of [1, 3]) {
        const begin = zeros([n]).add(guess);
        expectClose(
          root((x: Tensor) => x.sin(), begin, { solver }),
          zeros([n]),
          { atol: 1e-15 },
        );
        // (√(2 + x))² − 2 jumps over zero: from −4e-16 to 4e-16
        expectClose(
          root((x: Tensor) => x.add(2).sqrt().square().sub(2), begin, { solver }),
          zeros([n]),
          { atol: 1e-12 },
        );
        const single = begin.cast("float32");
        expectClose(
          root((x: Tensor) => x.add(2).sqrt().square().sub(2), single, { solver }),
          zeros([n]),
          { atol: 1e-5 },
        );
      }
    // the derivative at such a root
    const f = (p: Tensor) =>
      root(
        (x: Tensor) =>
          x
            .add(2)
            .sqrt()
            .square()
            .sub(2)
            .sub(p.mul(x.add(3))),
        tensor(0.1),
        { solver },
      );
    expectClose(gradient(f)(tensor(0)), 3, { rtol: 1e-12 });
  });

  test("does not take a Jacobian that is not finite for convergence", () => {
    const fails = (residual: (x: Tensor) => Tensor, guess: Tensor) => thrown<Error>(() => root(residual, guess, { solver }));
    for (const dtype of ["float64", "float32"] as const) {
      expect(fails((x) => x.sqrt().sub(1), tensor(0, { dtype }))).toBeInstanceOf(NewtonError);
      expect(fails((x) => x.sqrt().sub(1), tensor([4, 0], { dtype }))).toBeInstanceOf(NewtonError);
    }
    expect(fails((x) => x.log(), tensor([1e-320]))).toBeInstanceOf(NewtonError);
  });

  test.each([NaN, Infinity, -1])("refuses the tolerance %d, of Newton and of the linear solver, before it begins", (tolerance) => {
    expect(() => root((x: Tensor) => x, zeros([1]), { solver, tolerance })).toThrow(OptionError);
    expect(() => root((x: Tensor) => x, zeros([1]), { solver, linear: { tolerance } })).toThrow(OptionError);
  });

  test("has no gradient of zeros for what arrives infinite, and that of finite numbers of any size", () => {
    const { pullback } = vjp((p: Tensor) => root(network(eye(2), p), zeros([2]), { solver }), tensor([1, 2]));
    const pulled = (g: readonly number[]): readonly number[] => {
      try {
        return pullback(tensor(g)).toArray() as number[];
      } catch (error) {
        expect(error).toBeInstanceOf(KrylovError);
        return [NaN];
      }
    };
    for (const bad of [Infinity, -Infinity, NaN]) expect(pulled([bad, 1]).every(Number.isFinite)).toBe(false);
    const one = pulled([1, 1]);
    for (const scale of [1.7e308, 1e-305]) expectClose(tensor(pulled([scale, scale])).div(scale), tensor(one), { rtol: 1e-8 });
  });

  test("says where Newton stands when it finds none", () => {
    const none = thrown<NewtonError>(() => root((x: Tensor) => x.square().add(1), tensor([0.7]), { solver }));
    expect(none).toBeInstanceOf(NewtonError);
    expect(none.norms.length).toBeGreaterThan(1);
    expect(Math.min(...none.norms)).toBeGreaterThanOrEqual(1);
    expect(thrown<NewtonError>(() => root((x: Tensor) => x.mul(0).add(1), tensor([3]), { solver })).message).toContain("could not be inverted");
    expect(thrown<NewtonError>(() => root((x: Tensor) => x.log(), tensor([-1]), { solver })).message).toContain("not finite");
    expect(thrown<NewtonError>(() => root((x: Tensor) => x.sin().add(2), tensor([0.1]), { solver })).message).toMatch(
      /no part of an update|could not be inverted/,
    );
    expect(thrown<NewtonError>(() => root((x: Tensor) => x.exp().sub(1), tensor([30]), { solver, iterations: 3 })).message).toContain("more than 3");
  });
});

describe("root", () => {
  test("looks at the equation for nobody but those who watch", () => {
    let looks = 0;
    const squareRoot = (p: Tensor) =>
      implicit("squareRoot", {
        residual: (x) => (looks++, x.square().sub(p)),
        find: () => p.sqrt(),
        inverse: (x) => (r) => r.div(x.mul(2)),
        transposed: (x, g) => g.div(x.mul(2)),
        recordsReverse: true,
      });
    expectClose(squareRoot(tensor(4)), 2);
    expect(looks).toBe(0);
    expectClose(jvp(squareRoot, tensor(4), tensor(1)).tangent, 0.25);
    expect(looks).toBe(1);
    expectClose(gradient(squareRoot)(tensor(4)), 0.25);
    expect(looks).toBe(3);
  });

  test("names the derivative that is not finite, where it is so, and after which iteration", () => {
    const error = thrown<NewtonError>(() => root((x: Tensor) => x.sqrt().sub(1), tensor([4, 0])));
    expect(error.message).toContain(
      "in 0 iterations: its Jacobian is not finite: the derivative of equation 1 by unknown 1 is Infinity, where that unknown is 0",
    );
    expect(error.message).toContain("another guess");
    expect(error.norms).toHaveLength(1);
    // √x + (x − 1) / 2 is 1 at 1, of slope 1: the update leads to 0 exactly
    const later = thrown<NewtonError>(() => root((x: Tensor) => x.sqrt().add(x.sub(1).mul(0.5)), tensor([1])));
    expect(later.message).toContain("in 1 iterations: its Jacobian is not finite");
  });

  test("has no derivative where its Jacobian is not finite, and says so, in either mode", () => {
    // at the root 0, which is the guess
    const solution = (p: Tensor): Tensor => root((x: Tensor) => x.sqrt().sub(p).sub(p.sum()), zeros([2])).sum();
    expect(solution(zeros([2])).item()).toBe(0);
    const wanted = "root has found one where it has no derivative: its Jacobian is not finite: the derivative of equation 0 by unknown 0 is Infinity";
    expect(thrown<NewtonError>(() => gradient(solution)(zeros([2]))).message).toContain(wanted);
    expect(thrown<NewtonError>(() => jvp(solution, zeros([2]), ones([2]))).message).toContain(wanted);
  });

  test("by GMRES says that a tape cannot see the tangents inside, also where the residual is read late", () => {
    const solution = (p: Tensor): Tensor => root((x: Tensor) => x.mul(2).add(x.sin()).sub(p), zeros([2]), { solver: "gmres" }).sum();
    const at = tensor([1, 2]);
    expect(() => gradient((p: Tensor) => jvp(solution, p, at).tangent)(at)).toThrow(SecondDerivativeError);
    expect(() => gradient((p: Tensor) => taylor(solution, p, [at]).coefficients[0]!)(at)).toThrow(SecondDerivativeError);
  });

  test("needs a damped step where a full one goes astray", () => {
    expectClose(root((x: Tensor) => x.exp().sub(tensor([1])).div(x.exp().add(1)), tensor([3])), [0], { atol: 1e-14 }); // prettier-ignore
  });

  test("has second derivatives with LU, and says that it has none with GMRES", () => {
    // x³ + x = p: x'' = −6 x x'³
    const second = (solver: "dense" | "gmres") =>
      gradient((p: Tensor) => gradient((q: Tensor) => root((x: Tensor) => x.square().mul(x).add(x).sub(q), tensor(1), { solver }))(p))(tensor(10));
    expectClose(second("dense"), (-6 * 2) / 13 ** 3, { rtol: 1e-11 });
    expect(() => second("gmres")).toThrow(SecondDerivativeError);
    const at = { w: random(3).normal([3, 3]), p: random(4).normal([3]) };
    expect(
      checkGradients(
        ({ w, p }: typeof at) =>
          root(network(w, p), zeros([3]))
            .square()
            .sum(),
        at,
        { order: 2 },
      ).passed,
    ).toBe(true);
  });

  test.each(solvers)("forward modes see the root that was found, by %s", (solver) => {
    const at = { w: random(3).normal([3, 3]), p: random(4).normal([3]) };
    const direction = { w: random(8).normal([3, 3]), p: random(9).normal([3]) };
    const f = ({ w, p }: typeof at) => root(network(w, p), zeros([3]), { solver, linear: { tolerance: 1e-13 } }).square().sum(); // prettier-ignore
    const slope = gradient(f)(at);
    const along = slope.w.mul(direction.w).sum().add(slope.p.mul(direction.p).sum());
    expectClose(jvp(f, at, direction).tangent, along, { rtol: 1e-10 });
    const product = hessianVectorProduct(f, at, direction);
    const exact = hessianVectorProduct(
      ({ w, p }: typeof at) => {
        let x = zeros([3]); // the iteration itself, open to everybody
        for (let i = 0; i < 200; i++) x = p.sub(w.matmul(x).tanh().mul(0.5)).add(x).mul(0.5); // prettier-ignore
        return x.square().sum();
      },
      at,
      direction,
    );
    expectClose(product.w, exact.w, { rtol: 1e-7 });
    expectClose(product.p, exact.p, { rtol: 1e-7 });
  });

  test("has Taylor coefficients of any order, and mixed derivatives", () => {
    // x² = p at p = 4 + t: 2 √(1 + t / 4) = 2 + t / 4 − t² / 64 + t³ / 512 − …
    const squareRoot = (p: Tensor) => root((x: Tensor) => x.square().sub(p), tensor(1));
    const coefficients = taylor(squareRoot, tensor(4), [tensor(1), tensor(0), tensor(0)]);
    [1 / 4, -1 / 64, 1 / 512].forEach((value, k) => expectClose(leavesOf(coefficients).at(k - 3)!, value, { rtol: 1e-11 }));
    expectClose(gradient((p: Tensor) => jvp(squareRoot, p, tensor(1)).tangent)(tensor(4)), -1 / 32, { rtol: 1e-11 });
    expectClose(jvp(gradient(squareRoot), tensor(4), tensor(1)).tangent, -1 / 32, { rtol: 1e-11 });
  });

  test("is a linear solve where the residual is linear", () => {
    const at = { a: random(5).normal([4, 4]).add(eye(4).mul(3)), b: random(6).normal([4]) };
    const implicitly = gradient(({ a, b }: typeof at) =>
      root((x: Tensor) => a.matmul(x).sub(b), zeros([4]))
        .square()
        .sum(),
    )(at);
    const directly = gradient(({ a, b }: typeof at) => linearSolve(a, b).square().sum())(at);
    expectClose(implicitly.a, directly.a, { rtol: 1e-11 });
    expectClose(implicitly.b, directly.b, { rtol: 1e-11 });
  });

  test("does not tape Newton: what a gradient evaluates does not grow with the iterations", () => {
    const evaluations = (guess: number) => {
      let forward = 0;
      let calls = 0;
      const { pullback } = vjp((p: Tensor) => root((x: Tensor) => (calls++, x.square().sub(p)), tensor(guess)), tensor(2));
      forward = calls;
      pullback(tensor(1));
      return [forward, calls - forward] as const;
    };
    const [near, far] = [evaluations(1.4), evaluations(1e6)];
    expect(far[0]).toBeGreaterThan(near[0] + 20);
    expect(far[1]).toBe(near[1]);
    expect(near[1]).toBe(2);
  });

  test("of a thousand unknowns by GMRES needs no matrix", () => {
    const n = 1000;
    const p = random(7).normal([n]);
    const f = (q: Tensor) => root((x: Tensor) => x.mul(2).add(x.sin().mul(0.5)).sub(q), zeros([n]), { solver: "gmres" }).sum(); // prettier-ignore
    const bytes = meterBytes();
    const slope = gradient(f)(p);
    expect(bytes()).toBeLessThan(8 * n * 400); // a Jacobian has 8 n² bytes
    const x = root((x: Tensor) => x.mul(2).add(x.sin().mul(0.5)).sub(p), zeros([n]), { solver: "gmres" });
    expectClose(slope, x.cos().mul(0.5).add(2).reciprocal(), { rtol: 1e-8 });
  });

  test("sees through nodes inside the residual that can be differentiated once", () => {
    const cubed = (x: Tensor) => custom(x, () => ({ outputs: x.mul(1), pullback: (g: Tensor) => g }));
    expectClose(gradient((p: Tensor) => root((x: Tensor) => cubed(x).mul(p).sub(6), tensor(1)))(tensor(3)), -2 / 3, { rtol: 1e-12 });
  });

  test.each(solvers)("by %s an error of the residual stays what it is: only a Jacobian that is singular asks for a nearer guess", (solver) => {
    const at = tensor([1, 2]);
    const opaque = primitive("opaque", (x: Tensor) => x.square());
    const once = (x: Tensor) => custom(x, () => ({ outputs: x.mul(2), pullback: (g: Tensor) => g.mul(2) }));
    const run = (residual: (x: Tensor) => Tensor) => () => root(residual, at, { solver });
    expect(run((x) => opaque(x).sub(4))).toThrow(MissingRuleError);
    expect(run((x) => tensor(x.toArray() as number[]).sub(4))).toThrow(WatchedTensorError);
    expect(run((x) => gradient((y: Tensor) => once(y).mul(x).sum())(x).sub(gradient((y: Tensor) => gradient((z: Tensor) => once(z).square().sum())(y).sum())(x)))).toThrow(SecondDerivativeError); // prettier-ignore
    const error = thrown<NewtonError>(run((x) => stack([x.sum(), x.sum().mul(2).sub(1)])));
    expect(error).toBeInstanceOf(NewtonError);
    expect(error.message).toContain("Begin nearer to the root");
    expect(error.cause).toBeInstanceOf(solver === "dense" ? SingularMatrixError : KrylovError);
  });

  test("by GMRES a second reverse is refused with what to do instead", () => {
    const f = (p: Tensor) => root((x: Tensor) => x.square().sub(p), tensor(1), { solver: "gmres" });
    const twice = () => gradient((p: Tensor) => gradient(f)(p))(tensor(4));
    expect(twice).toThrow(SecondDerivativeError);
    expect(twice).toThrow('let root take solver: "dense", whose reverse is recorded');
  });

  test("refuses what does not fit", () => {
    expect(() => root((x: Tensor) => x.sum(), zeros([2]))).toThrow(ShapeError);
    expect(() => root((x: Tensor) => x.cast("float32"), zeros([2]))).toThrow(DtypeError);
    expect(() => root((x: Tensor) => x, tensor([1], { dtype: "int32" }))).toThrow(DtypeError);
    expect(() => root((x: Tensor) => x, zeros([1]), { solver: "lu" as never })).toThrow(OptionError);
    expect(() => root((x: Tensor) => x, zeros([1]), { tolerance: 0 })).toThrow(OptionError);
    expect(() => root((x: Tensor) => x, zeros([1]), { maxIterations: 3 } as never)).toThrow(OptionError);
    expect(() => root((x: Tensor) => x, zeros([1]), { linear: { tol: 3 } as never })).toThrow(OptionError);
    expect(() => root(() => Promise.resolve(), zeros([1]))).toThrow("promise");
    expect(root((x: Tensor) => x, zeros([0])).shape).toEqual([0]);
  });
});
