import { describe, expect, test } from "vitest";
import { gaussRule } from "../src/adjoints/gauss.js";

describe("Gauss's rules", () => {
  test.each([1, 2, 3, 4, 5])("with %i points are exact for the polynomials that they should be, and for no more", (m) => {
    const integral = (power: number): number => gaussRule(m).reduce((total, { x, weight }) => total + weight * x ** power, 0);
    for (let power = 0; power < 2 * m; power++) expect(integral(power)).toBeCloseTo(power % 2 === 0 ? 2 / (power + 1) : 0, 14);
    expect(Math.abs(integral(2 * m) - 2 / (2 * m + 1))).toBeGreaterThan(1e-3);
  });
});
