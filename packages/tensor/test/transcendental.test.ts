import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as functions from "../src/backend/transcendental.js";
import cases from "./cases/transcendental.json" with { type: "json" };

const { cos, erf, exp, expm1, geluExact, geluTanh, log, log1p, power, sigmoid, sin, softplus, tanh } = functions;
const EPS = 2 ** -52;

/** The distance between neighbouring float64 numbers at x. */
const ulp = (x: number): number => {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, Math.abs(x));
  const biased = bits.getUint16(0) >> 4;
  return Math.max(2 ** (biased - 1075), 5e-324);
};
const ulpError = (got: number, want: number): number => (Object.is(got, want) ? 0 : Math.abs(got - want) / ulp(want));

describe("the elementary functions are accurate", () => {
  test.each([
    ["exp", 1],
    ["expm1", 1],
    ["log", 1],
    ["log1p", 1],
    ["sin", 1],
    ["cos", 1],
    ["erf", 2],
    ["tanh", 2],
    ["sigmoid", 2],
    ["softplus", 2],
  ] as const)("%s is within %i ulp of the correctly rounded value", (name, bound) => {
    const worst = cases[name]
      .map(([x, want]) => ({ x, want, got: functions[name](x!), error: ulpError(functions[name](x!), want!) }))
      .reduce((a, b) => (b.error > a.error ? b : a));
    expect(worst.error, JSON.stringify(worst)).toBeLessThanOrEqual(bound);
  });

  test.each(["geluExact", "geluTanh"] as const)("%s is within 4 eps, relative above -2 and absolute below", (name) => {
    for (const [x, want] of cases[name]) {
      expect(Math.abs(functions[name](x!) - want!), `at ${x}`).toBeLessThanOrEqual(Math.max(4 * EPS * (x! > -2 ? Math.abs(want!) : 1), 5e-324));
    }
  });

  test("geluExact keeps its digits in the lower tail", () => {
    for (const [x, want] of cases.geluExact) if (x! > -37) expect(Math.abs(geluExact(x!) / want! - 1), `at ${x}`).toBeLessThanOrEqual(4 * EPS);
  });

  test("power is within 2 ulp, also where y log x is hundreds", () => {
    for (const [x, y, want] of cases.power) expect(ulpError(power(x!, y!), want!), `at ${x} ** ${y}`).toBeLessThanOrEqual(2);
  });

  test("power is exact where the power of two whole numbers fits in 53 bits", () => {
    for (let x = 2; x <= 100; x++) {
      for (let y = 1, exact = BigInt(x); exact <= 9007199254740992n; y++, exact *= BigInt(x)) {
        expect(power(x, y)).toBe(Number(exact));
        expect(power(-x, y)).toBe(Number(y % 2 === 0 ? exact : -exact));
      }
    }
  });

  test("power rounds squares and reciprocals as multiplication and division do", () => {
    fc.assert(fc.property(fc.double({ noNaN: true }), (x) => Object.is(power(x, 2), x * x)));
    fc.assert(fc.property(fc.double({ min: 1e-300, max: 1e300 }), (x) => ulpError(power(x, -1), 1 / x) <= 1));
  });

  test("sin and cos of large arguments are those of an argument within some ulp", () => {
    for (const x of [2 ** 25 + 0.5, 123456789.25, 2 ** 30 - 1 / 3]) {
      expect(Math.abs(sin(x) - Math.sin(x))).toBeLessThan(4 * ulp(x));
      expect(Math.abs(cos(x) - Math.cos(x))).toBeLessThan(4 * ulp(x));
    }
    fc.assert(fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (x) => Math.abs(sin(x)) <= 1 && Math.abs(cos(x)) <= 1));
  });
});

describe("special values", () => {
  test.each([
    [
      "exp",
      [
        [0, 1],
        [-0, 1],
        [Infinity, Infinity],
        [-Infinity, 0],
        [NaN, NaN],
        [709.7827128933841, Infinity],
        [1e308, Infinity],
        [-745.1332191019412, 0],
        [-1e308, 0],
      ],
    ],
    [
      "expm1",
      [
        [0, 0],
        [-0, -0],
        [Infinity, Infinity],
        [-Infinity, -1],
        [NaN, NaN],
        [5e-324, 5e-324],
        [-5e-324, -5e-324],
        [709.7827128933841, Infinity],
        [-1e308, -1],
      ],
    ],
    [
      "log",
      [
        [1, 0],
        [0, -Infinity],
        [-0, -Infinity],
        [-1, NaN],
        [-5e-324, NaN],
        [Infinity, Infinity],
        [-Infinity, NaN],
        [NaN, NaN],
      ],
    ],
    [
      "log1p",
      [
        [0, 0],
        [-0, -0],
        [-1, -Infinity],
        [-2, NaN],
        [Infinity, Infinity],
        [-Infinity, NaN],
        [NaN, NaN],
        [5e-324, 5e-324],
        [-5e-324, -5e-324],
      ],
    ],
    [
      "tanh",
      [
        [0, 0],
        [-0, -0],
        [Infinity, 1],
        [-Infinity, -1],
        [NaN, NaN],
        [5e-324, 5e-324],
        [-1e308, -1],
      ],
    ],
    [
      "sigmoid",
      [
        [0, 0.5],
        [Infinity, 1],
        [-Infinity, 0],
        [NaN, NaN],
        [1e308, 1],
        [-1e308, 0],
      ],
    ],
    [
      "softplus",
      [
        [Infinity, Infinity],
        [-Infinity, 0],
        [NaN, NaN],
        [1e308, 1e308],
        [-1e308, 0],
      ],
    ],
    [
      "sin",
      [
        [0, 0],
        [-0, -0],
        [Infinity, NaN],
        [-Infinity, NaN],
        [NaN, NaN],
        [5e-324, 5e-324],
      ],
    ],
    [
      "cos",
      [
        [0, 1],
        [-0, 1],
        [Infinity, NaN],
        [-Infinity, NaN],
        [NaN, NaN],
      ],
    ],
    [
      "erf",
      [
        [0, 0],
        [-0, -0],
        [Infinity, 1],
        [-Infinity, -1],
        [NaN, NaN],
      ],
    ],
    [
      "geluExact",
      [
        [0, 0],
        [-0, -0],
        [Infinity, Infinity],
        [-Infinity, -0],
        [NaN, NaN],
        [1e308, 1e308],
        [-1e308, -0],
      ],
    ],
    [
      "geluTanh",
      [
        [0, 0],
        [-0, -0],
        [Infinity, Infinity],
        [-Infinity, -0],
        [NaN, NaN],
        [1e308, 1e308],
        [-1e308, -0],
      ],
    ],
  ] as const)("of %s", (name, table) => {
    for (const [x, want] of table) expect(functions[name](x), `${name}(${x})`).toBe(want);
  });

  test("of power are those of IEEE 754", () => {
    const values = [
      0,
      -0,
      0.5,
      -0.5,
      1,
      -1,
      1.5,
      -1.5,
      2,
      -2,
      3,
      -3,
      4,
      5,
      -5,
      1e300,
      -1e300,
      2 ** 53,
      2 ** 53 - 1,
      5e-324,
      Infinity,
      -Infinity,
      NaN,
    ];
    for (const x of values) {
      for (const y of values) {
        const one = x === 1 || (x === -1 && Math.abs(y) === Infinity);
        const want = one ? 1 : x ** y;
        const got = power(x, y);
        if (Number.isFinite(want) && want !== 0) expect(ulpError(got, want), `${x} ** ${y}`).toBeLessThanOrEqual(2);
        else expect(got, `${x} ** ${y}`).toBe(want);
      }
    }
  });
});

describe("symmetry and order", () => {
  const number = fc.double({ noNaN: true, noDefaultInfinity: true });
  const small = fc.double({ noNaN: true, min: -50, max: 50 });

  test.each(["sin", "tanh", "erf"] as const)("%s is odd to the last bit", (name) => {
    fc.assert(fc.property(number, (x) => Object.is(functions[name](-x), -functions[name](x))));
  });

  test("cos is even to the last bit", () => {
    fc.assert(fc.property(number, (x) => Object.is(cos(-x), cos(x))));
  });

  test.each(["exp", "expm1", "log", "log1p", "tanh", "sigmoid", "softplus", "erf"] as const)("%s rises, up to its rounding", (name) => {
    fc.assert(
      fc.property(small, small, (a, b) => {
        const low = functions[name](Math.min(a, b));
        const high = functions[name](Math.max(a, b));
        return Number.isNaN(low) || low <= high + 4 * ulp(high);
      }),
    );
  });

  test("the functions agree with their definitions", () => {
    const close = (got: number, want: number, tolerance: number): void =>
      expect(Math.abs(got - want)).toBeLessThanOrEqual(Math.max(tolerance * EPS, 5e-324));
    fc.assert(
      fc.property(small, (x) => {
        const a = Math.abs(x);
        close(sigmoid(x) * (1 + exp(-x)), 1, 4);
        close(log(exp(x)), x, 2 * Math.max(1, a));
        close(sin(x) ** 2 + cos(x) ** 2, 1, 2);
        close(softplus(x) - softplus(-x), x, 2 * Math.max(1, a));
        close(log1p(expm1(a)), a, 4 * a);
        close(geluExact(x) - geluExact(-x), x, 4 * a);
        close(geluTanh(x) - geluTanh(-x), x, 4 * a);
        close(tanh(x), 2 * sigmoid(2 * x) - 1, 4);
        expect(Math.abs(erf(x))).toBeLessThanOrEqual(1);
      }),
    );
  });

  test("the bits are the same in every engine and version", () => {
    const bits = new DataView(new ArrayBuffer(8));
    // A checksum (31-fold polynomial) of the bits of 2000 values of each function.
    let sum = 0;
    for (let i = 0; i < 2000; i++) {
      const x = (i - 1000) * 0.0371;
      const values = [
        exp(x),
        expm1(x),
        log(x + 38),
        log1p(x + 37),
        tanh(x),
        sigmoid(x),
        softplus(x),
        sin(x),
        cos(x),
        erf(x / 8),
        geluExact(x / 6),
        geluTanh(x / 6),
        power(x + 38, 1.37),
      ];
      for (const value of values) {
        bits.setFloat64(0, value);
        sum = (Math.imul(sum, 31) + bits.getInt32(0)) | 0;
        sum = (Math.imul(sum, 31) + bits.getInt32(4)) | 0;
      }
    }
    expect(sum).toBe(-1692574567);
  });
});
