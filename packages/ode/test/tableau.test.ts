import fc from "fast-check";
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, expectTypeOf, test } from "vitest";
import { DydtError } from "@dydt/tensor";
import { dot, orderConditions, rootedTrees } from "../src/order-conditions.js";
import { checkTableau, defineTableau, TableauError, type Tableau } from "../src/tableau.js";
import reference from "./cases/gradients.json" with { type: "json" };
import published from "./cases/tableaus.json" with { type: "json" };
import {
  bosh3Tableau, bs5Tableau, dop853Tableau, dopri5Tableau, eulerTableau, heunTableau, midpointTableau, rk4Tableau, rk4ThreeEighthsTableau, tableaus, tsit5Tableau, vern7Tableau,
} from "./tableaus.js"; // prettier-ignore

const named = tableaus.map((tableau) => [tableau.name, tableau] as const);
const estimating = named.filter(([, tableau]) => tableau.error !== undefined);

const embedded = ({ b, error }: Tableau) => b.map((weight, i) => weight - error![i]!);
/** bᵢ(θ) by Horner's rule. */
const denseWeights = ({ dense }: Tableau, theta: number) =>
  dense!.map((row) => theta * row.reduceRight((sum, coefficient) => sum * theta + coefficient, 0));

/** The largest violation of an order condition by weights that shall give the exact solution at θ. */
const violation = ({ a, denseStages }: Tableau, weights: readonly number[], order: number, theta = 1) => {
  const stages = [...a, ...(denseStages?.a ?? [])].slice(0, weights.length);
  const conditions = orderConditions(stages, weights, order, (tree) => theta ** tree.order / tree.density);
  return Math.max(...conditions.map(({ value, target }) => Math.abs(value - target)));
};

/** The largest coefficient, at least 1: sums that cancel are right to that many rounding errors. */
const largest = (list: readonly (readonly number[])[]) => Math.max(1, ...list.flat().map(Math.abs));

const expectSameNumbers = (actual: readonly number[], expected: readonly (number | string)[], bound = 1e-15) => {
  expect(actual).toHaveLength(expected.length);
  actual.forEach((entry, i) => expect(Math.abs(entry - Number(expected[i]))).toBeLessThanOrEqual(bound * Math.max(1, Math.abs(entry))));
};

test("every tableau that a solver of this library takes for known is among those that are checked here", async () => {
  const folder = new URL("../src/solvers/", import.meta.url);
  const files = readdirSync(folder).filter((file) => readFileSync(new URL(file, folder), "utf8").includes("knownRungeKutta("));
  const modules = await Promise.all(
    files.map((file) => import(`../src/solvers/${file.replace(/\.ts$/, "")}.ts`) as Promise<Record<string, unknown>>),
  );
  const taken = modules.map((module) => Object.entries(module).filter(([name]) => name.endsWith("Tableau")).map(([, tableau]) => tableau)); // prettier-ignore
  expect(taken.every(({ length }) => length > 0)).toBe(true);
  expect(new Set(taken.flat())).toEqual(new Set(tableaus));
});

describe("rooted trees", () => {
  test("there are 1, 1, 2, 4, 9, 20, 48, 115 of 1 to 8 vertices, no two alike", () => {
    const trees = rootedTrees(8);
    expect([1, 2, 3, 4, 5, 6, 7, 8].map((order) => trees.filter((tree) => tree.order === order).length)).toEqual([1, 1, 2, 4, 9, 20, 48, 115]);
    expect(new Set(trees.map((tree) => tree.name)).size).toBe(200);
  });

  test("the trees of order 4 are written as in the textbook and have the densities 24, 12, 8, 4", () => {
    const densities = rootedTrees(4)
      .filter(({ order }) => order === 4)
      .map(({ name, density }) => [name, density]);
    expect(new Map(densities as [string, number][])).toEqual(
      new Map([
        ["[[[τ]]]", 24],
        ["[[ττ]]", 12],
        ["[τ[τ]]", 8],
        ["[τττ]", 4],
      ]),
    );
  });

  test("each tree has one vertex for every τ and every bracket of its name", () => {
    for (const { name, order } of rootedTrees(8)) expect(order).toBe([...name].filter((letter) => letter === "τ" || letter === "[").length);
  });

  test("the trees of n vertices have (n − 1)! increasing labellings together: Σ n! / (γ σ), σ being the order of the symmetry group", () => {
    const factorial = (n: number): number => (n < 2 ? 1 : n * factorial(n - 1));
    type Tree = ReturnType<typeof rootedTrees>[number];
    const symmetry = ({ subtrees }: Tree): number =>
      [...new Set(subtrees)].reduce((product, tree) => {
        const copies = subtrees.filter((other) => other === tree).length;
        return product * symmetry(tree) ** copies * factorial(copies);
      }, 1);
    for (const n of [1, 2, 3, 4, 5, 6, 7, 8]) {
      const labellings = rootedTrees(8)
        .filter(({ order }) => order === n)
        .map((tree) => factorial(n) / (tree.density * symmetry(tree)));
      expect(labellings.reduce((sum, count) => sum + count, 0)).toBeCloseTo(factorial(n - 1), 8);
    }
  });
});

describe.each(named)("the tableau %s", (_, tableau) => {
  test("passes its own checks", () => {
    expect(checkTableau(tableau)).toMatchObject({ name: tableau.name, stages: tableau.b.length });
  });

  test("has exactly the order it says", () => {
    expect(violation(tableau, tableau.b, tableau.order)).toBeLessThan(1e-13);
    expect(violation(tableau, tableau.b, tableau.order + 1)).toBeGreaterThan(1e-6);
  });

  test("has dense output of exactly the order it says, at every θ", () => {
    const worst = (order: number) =>
      Math.max(...[0.1, 0.25, 0.5, 0.7, 0.9].map((theta) => violation(tableau, denseWeights(tableau, theta), order, theta)));
    expect(worst(tableau.denseOrder!)).toBeLessThan(1e-14 * largest(tableau.dense!) + 1e-14);
    expect(worst(tableau.denseOrder! + 1)).toBeGreaterThan(1e-6);
  });

  test("has dense output that starts with the first slope and ends at the solution", () => {
    expectSameNumbers(
      tableau.dense!.map((row) => row[0]!),
      tableau.dense!.map((_, i) => (i === 0 ? 1 : 0)),
      0,
    );
    const end = tableau.dense!.map((_, i) => tableau.b[i] ?? 0);
    expectSameNumbers(denseWeights(tableau, 1), end, 1e-15 * largest(tableau.dense!) + 1e-14);
  });

  test("is stable on the negative axis up to its stability size, and no further", () => {
    const { a, b, stabilitySize } = tableau;
    const amplification = (z: number) => {
      const stages: number[] = [];
      for (const row of a) stages.push(1 + z * dot(row, stages));
      return Math.abs(1 + z * dot(b, stages));
    };
    for (let x = 1 / 16; x < 0.999 * stabilitySize!; x += 1 / 16) expect(amplification(-x)).toBeLessThanOrEqual(1);
    expect(amplification(-0.9999 * stabilitySize!)).toBeLessThanOrEqual(1);
    expect(amplification(-1.0001 * stabilitySize!)).toBeGreaterThan(1);
  });

  test("is refused when one of its weights is off by 1e-9", () => {
    const parts = (["b", "error"] as const).filter((part) => tableau[part] !== undefined);
    const place = fc.record({ part: fc.constantFrom(...parts), stage: fc.nat(tableau.b.length - 1), sign: fc.constantFrom(1, -1) });
    fc.assert(
      fc.property(place, ({ part, stage, sign }) => {
        const changed = tableau[part]!.map((weight, i) => weight + (i === stage ? sign * 1e-9 : 0));
        expect(() => checkTableau({ ...tableau, [part]: changed })).toThrow(TableauError);
      }),
    );
  });

  test("is refused when one coefficient of its dense output is off by 1e-9", () => {
    const place = fc.record({ stage: fc.nat(tableau.dense!.length - 1), power: fc.nat(tableau.dense![0]!.length - 1) });
    fc.assert(
      fc.property(place, ({ stage, power }) => {
        const dense = tableau.dense!.map((row, i) => row.map((entry, j) => entry + (i === stage && j === power ? 1e-9 : 0)));
        expect(() => checkTableau({ ...tableau, dense })).toThrow(TableauError);
      }),
    );
  });

  test("is frozen to its last row", () => {
    const everything = (value: unknown): unknown[] =>
      typeof value === "object" && value !== null ? [value, ...Object.values(value).flatMap(everything)] : [];
    for (const part of [...everything(tableau), ...everything(checkTableau(tableau))]) expect(Object.isFrozen(part)).toBe(true);
  });
});

describe("embedded methods", () => {
  test.each(estimating)("that of %s has exactly the order it says", (_, tableau) => {
    expect(violation(tableau, embedded(tableau), tableau.errorOrder!)).toBeLessThan(1e-13);
    expect(violation(tableau, embedded(tableau), tableau.errorOrder! + 1)).toBeGreaterThan(1e-6);
  });

  test("are of one order less than the solution, in every method but Euler's, those of Kutta and dop853", () => {
    expect(estimating.map(([name, { order, errorOrder }]) => [name, order - errorOrder!])).toEqual([
      ...["midpoint", "heun", "ralston", "bosh3", "dopri5", "tsit5", "bs5", "vern7"].map((name) => [name, 1]),
      ["dop853", 3],
    ]);
  });

  test("dop853 has a second one of order 3, and no more", () => {
    const coarse = dop853Tableau.b.map((weight, i) => weight - dop853Tableau.coarseError[i]!);
    expect(violation(dop853Tableau, coarse, 3)).toBeLessThan(1e-13);
    expect(violation(dop853Tableau, coarse, 4)).toBeGreaterThan(1e-6);
  });
});

describe("coefficients", () => {
  const independent = {
    euler: eulerTableau,
    midpoint: midpointTableau,
    heun2: heunTableau,
    rk4: rk4Tableau,
    rk4_38: rk4ThreeEighthsTableau,
    bosh3: bosh3Tableau,
    dopri5: dopri5Tableau,
    tsit5: tsit5Tableau,
  };

  test.each(Object.entries(independent))("of %s are those of the reference cases", (name, tableau: Tableau) => {
    const { A, b, c, order } = reference.tableaus[name as keyof typeof independent];
    expect(tableau.order).toBe(order);
    expectSameNumbers(tableau.b, b);
    expectSameNumbers(tableau.c, c);
    tableau.a.forEach((row, i) => expectSameNumbers(row, A[i]!));
  });

  test("b̂ of bosh3 and dopri5 are those of the reference cases", () => {
    expectSameNumbers(embedded(bosh3Tableau), reference.tableaus.bosh3.bhat);
    expectSameNumbers(embedded(dopri5Tableau), reference.tableaus.dopri5.bhat);
  });

  test("the error weights of tsit5 are b − b̂, the negative of the reference's b̂ − b", () => {
    expectSameNumbers(
      tsit5Tableau.error,
      reference.tableaus.tsit5.btilde.map((weight) => -weight),
    );
  });

  test.each([
    ["Tsit5", tsit5Tableau],
    ["Dopri5", dopri5Tableau],
    ["Bosh3", bosh3Tableau],
    ["RK4", rk4Tableau],
    ["BS5", bs5Tableau],
    ["Vern7", vern7Tableau],
    ["DOP853", dop853Tableau],
  ] as const)("of %s are the published decimals, rounded once", (name, tableau: Tableau) => {
    const { A, b, c, ...rest } = published.rk[name];
    expect(tableau.b).toEqual(b.map(Number));
    expect(tableau.c).toEqual(c.map(Number));
    tableau.a.forEach((row, i) => expect(row).toEqual(A[i]!.slice(0, i).map(Number)));
    // Of the two estimates of bs5's pair the published decimals have the one that does not see the end of the step.
    if ("btilde_b_minus_bhat" in rest && name !== "BS5") expect(tableau.error).toEqual(rest.btilde_b_minus_bhat.map(Number));
    if ("error5_weights" in rest) {
      expect(tableau.error).toEqual(rest.error5_weights.map(Number));
      expect(tableau.coarseError).toEqual(rest.error3_weights.map(Number));
    } else expect(tableau.errorOrder ?? null).toBe(rest.embedded_order);
  });
});

describe("a checked tableau", () => {
  test("knows which methods end a step with the first slope of the next", () => {
    expect(named.filter(([, tableau]) => checkTableau(tableau).firstSameAsLast).map(([name]) => name)).toEqual(["bosh3", "dopri5", "tsit5", "bs5"]);
  });

  test("lists what is not zero, and nothing else", () => {
    const { rows, solution, estimate, interpolant } = checkTableau(bosh3Tableau);
    expect(rows).toEqual([
      { indices: [], weights: [] },
      { indices: [0], weights: [1 / 2] },
      { indices: [1], weights: [3 / 4] },
      { indices: [0, 1, 2], weights: [2 / 9, 1 / 3, 4 / 9] },
    ]);
    expect(solution).toEqual({ indices: [0, 1, 2], weights: [2 / 9, 1 / 3, 4 / 9] });
    expect(estimate).toEqual({ indices: [0, 1, 2, 3], weights: [-5 / 72, 1 / 12, 1 / 9, -1 / 8] });
    expect(interpolant).toEqual({ indices: [0, 1, 2, 3], coefficients: bosh3Tableau.dense });
    expect(checkTableau(dopri5Tableau).interpolant!.indices).toEqual([0, 2, 3, 4, 5, 6]);
  });

  test("knows the further stages of dense output, and which of them the next step begins with", () => {
    const further = ({ further }: ReturnType<typeof checkTableau>) => further.map(({ c, isNext }) => [c, isNext]);
    expect(further(checkTableau(tsit5Tableau))).toEqual([]);
    expect(further(checkTableau(bs5Tableau)).map(([, isNext]) => isNext)).toEqual([false, false, false]);
    expect(further(checkTableau(vern7Tableau)).map(([, isNext]) => isNext)).toEqual([true, false, false, false, false, false]);
    expect(further(checkTableau(dop853Tableau))).toEqual([
      [1, true],
      [0.1, false],
      [0.2, false],
      [7 / 9, false],
    ]);
  });

  test("has no estimate and no interpolant where the tableau has none", () => {
    expect(checkTableau({ name: "bare", order: 1, a: [[]], b: [1], c: [0] })).toMatchObject({ estimate: undefined, interpolant: undefined });
  });

  test("is made once for each tableau, and is its own", () => {
    const result = checkTableau(rk4Tableau);
    expect(checkTableau(rk4Tableau)).toBe(result);
    expect(checkTableau(result)).toBe(result);
  });

  test("does not freeze the tableau it was given", () => {
    const mine = { name: "mine", order: 1, a: [[]], b: [1], c: [0] };
    checkTableau(mine);
    expect(Object.isFrozen(mine.b)).toBe(false);
  });

  test("keeps in its type which optional parts it has", () => {
    expectTypeOf(tsit5Tableau).toHaveProperty("error");
    expectTypeOf(tsit5Tableau.stiffness).toEqualTypeOf<readonly [6, 5]>();
    expectTypeOf(dopri5Tableau).toHaveProperty("dense");
    expectTypeOf(rk4Tableau).not.toHaveProperty("error");
    expectTypeOf(bosh3Tableau).not.toHaveProperty("stiffness");
    expect(["error" in tsit5Tableau, "error" in rk4Tableau, "stiffness" in bosh3Tableau]).toEqual([true, false, false]);
  });

  test("may have a higher order than it says", () => {
    expect(checkTableau({ name: "modest", order: 2, a: rk4Tableau.a, b: rk4Tableau.b, c: rk4Tableau.c }).order).toBe(2);
  });

  test("accepts every two-stage method of order 2, with the dense output of its family", () => {
    const node = fc.double({ min: 0.05, max: 1, noNaN: true });
    fc.assert(
      fc.property(node, (c) => {
        const b = 1 / (2 * c);
        const method: Tableau = {
          name: "family",
          order: 2,
          a: [[], [c]],
          b: [1 - b, b],
          c: [0, c],
          error: [-b, b],
          errorOrder: 1,
          dense: [
            [1, -b],
            [0, b],
          ],
          denseOrder: 2,
        };
        expect(checkTableau(method).stages).toBe(2);
        expect(() => checkTableau({ ...method, order: 3 })).toThrow(/of order 3/);
      }),
    );
  });
});

describe("a wrong tableau is refused", () => {
  const { name, order, a, b, c } = rk4Tableau;
  const rk4: Tableau = { name, order, a, b, c };
  // prettier-ignore
  const broken: readonly (readonly [string, object, RegExp])[] = [
    ["for a row of a that does not sum to c", { c: [0, 1 / 2, 1 / 3, 1] }, /"rk4" fails Σⱼ a₃ⱼ = c₃: it gives 0\.5 instead of 0\.333.*residual of 1\.67e-1/],
    ["for weights that do not sum to one", { b: [1 / 6, 1 / 3, 1 / 3, 1 / 3] }, /condition of b for the tree τ of order 1: it gives 1\.1666.* instead of 1,/],
    ["for an order that only the quadrature has", { a: [[], [1 / 2], [1 / 2, 0], [0, 0, 1]] }, /condition of b for the tree \[\[τ\]\] of order 3.*residual of -8\.33e-2/],
    ["for an order higher than the method's", { order: 5 }, /condition of b for the tree .* of order 5/],
    ["for an order beyond the known conditions", { order: 9 }, /has order 9: conditions are known from 1 to 8/],
    ["for an order that is not a whole number", { order: 3.5 }, /has order 3\.5/],
    ["for no weights", { b: [] }, /has no weights b/],
    ["for a short c", { c: [0, 1 / 2, 1 / 2] }, /needs 4 entries in c, got 3/],
    ["for too few rows of a", { a: [[], [1 / 2], [0, 1 / 2]] }, /needs 4 entries in a, got 3/],
    ["for a row of a that reaches the diagonal", { a: [[], [1 / 2], [0, 1 / 2, 0], [0, 0, 1]] }, /needs 2 entries in row 2 of a, got 3/],
    ["for a missing list", { a: undefined }, /needs 4 entries in a, got undefined/],
    ["for an entry that is not a number", { b: [1 / 6, NaN, 1 / 3, 1 / 6] }, /has the entry NaN in b/],
    ["for an infinite entry", { c: [0, 1 / 2, 1 / 2, Infinity] }, /has the entry Infinity in c/],
    ["for an embedded method of lower order than it says", { error: [1 / 6, -2 / 3, 1 / 3, 1 / 6], errorOrder: 3 }, /condition of b − error for the tree .* of order 3/],
    ["for an error estimate without its order", { error: [1 / 6, -2 / 3, 1 / 3, 1 / 6] }, /has only one of error and errorOrder/],
    ["for a dense order without dense output", { denseOrder: 3 }, /has only one of dense and denseOrder/],
    ["for dense output that does not end at the solution", { dense: [[1, -5 / 6], [0, 1 / 3], [0, 1 / 3], [0, 1 / 3]], denseOrder: 1 }, /fails b₄\(1\) = b₄ of dense/],
    ["for dense output of lower order than it says", { dense: b.map((weight) => [weight]), denseOrder: 2 }, /fails the θ\^1 part of the condition for the tree \[τ\] of order 2 of dense/],
    ["for dense output too short for its order", { dense: b.map((weight) => [weight, 0]), denseOrder: 3 }, /condition for the tree \[τ\] of order 2 of dense/],
    ["for ragged dense output", { dense: [[1, -5 / 6], [1 / 3], [1 / 3], [1 / 6]], denseOrder: 1 }, /needs 2 entries in row 1 of dense, got 1/],
    ["for a stiffness pair at different times", { stiffness: [3, 2] }, /fails c₄ = c₃ of the stiffness pair: it gives 1 instead of 0\.5/],
    ["for a stiffness pair of one stage", { stiffness: [2, 2] }, /has stiffness \[2, 2\]: name two different stages from 0 to 3/],
    ["for a stiffness pair that does not exist", { stiffness: [4, 3] }, /has stiffness \[4, 3\]/],
    ["for a stability size that is not positive", { stabilitySize: 0 }, /has stabilitySize 0/],
    ["for stages of a dense output that it has not", { denseStages: { a: [[1, 0, 0, 0]], c: [1] } }, /has denseStages without dense/],
    ["for a further stage that does not sum to its c", { dense: [[1], [0], [0], [0], [0]], denseOrder: 1, denseStages: { a: [[1, 0, 0, 0]], c: [1 / 2] } }, /fails Σⱼ a₅ⱼ = c₅: it gives 1 instead of 0\.5/],
    ["for a further stage of the wrong length", { dense: [[1], [0], [0], [0], [0]], denseOrder: 1, denseStages: { a: [[1, 0, 0]], c: [1] } }, /needs 4 entries in row 0 of a of denseStages, got 3/],
    ["for dense output that leaves its further stages out", { dense: b.map((weight) => [weight]), denseOrder: 1, denseStages: { a: [[1, 0, 0, 0]], c: [1] } }, /needs 5 entries in dense, got 4/],
    ["for a second estimate without a first", { coarseError: [1, -1, 0, 0], coarseErrorOrder: 1 }, /has coarseError without error/],
    ["for a second estimate of lower order than it says", { error: [1 / 6, -2 / 3, 1 / 3, 1 / 6], errorOrder: 1, coarseError: [1, 0, 0, 0], coarseErrorOrder: 1 }, /condition of b − coarseError for the tree τ of order 1/],
    ["for a stiffness pair with a further stage that the next step does not share", { dense: [...b.map((weight) => [weight]), [0]], denseOrder: 1, denseStages: { a: [[1, 0, 0, 0]], c: [1] }, stiffness: [4, 3] }, /has stiffness \[4, 3\]: name two different stages from 0 to 3/],
    ["for a part nobody knows", { densse: [[1]] }, /has an unknown part "densse": the parts are name, order, a, b, c/],
  ];

  test.each(broken)("%s", (_, change, message) => {
    expect(() => checkTableau({ ...rk4, ...change })).toThrow(message);
  });

  test("with an error that is a DydtError and says what to do", () => {
    const attempt = () => checkTableau({ ...rk4, order: 5 });
    expect(attempt).toThrow(DydtError);
    expect(attempt).toThrow(/compare its coefficients with the source$/);
  });

  test("every time, not only the first", () => {
    const wrong = defineTableau({ ...rk4, order: 5 });
    expect(() => checkTableau(wrong)).toThrow(TableauError);
    expect(() => checkTableau(wrong)).toThrow(TableauError);
  });
});
