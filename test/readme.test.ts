import { readFileSync } from "node:fs";
import * as autodiff from "@dydt/autodiff";
import * as models from "@dydt/models";
import * as ode from "@dydt/ode";
import * as tensor from "@dydt/tensor";
import { describe, expect, test } from "vitest";

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");

/** Exported names that a text names: one to three of its words in a row, as in "cumsum", "linear solve", "Jacobians". */
const named = (text: string, exported: readonly string[], fewestWords = 1): readonly string[] => {
  const words = text.toLowerCase().match(/[a-z0-9]+/g) ?? [];
  const phrases = new Set([1, 2, 3].flatMap((n) => (n < fewestWords ? [] : words.slice(n - 1).map((_, i) => words.slice(i, i + n).join("")))));
  return exported.filter((name) => phrases.has(name.toLowerCase()) || phrases.has(`${name.toLowerCase()}s`));
};

describe("what a README says is not there yet", () => {
  test.each(Object.entries({ tensor, autodiff, ode, models }))("is no export of %s", (name, exported) => {
    const [, gaps] = /Not there yet:([^\n]+)/.exec(read(`packages/${name}/README.md`)) ?? [];
    expect(gaps).toBeDefined();
    expect(named(gaps!, Object.keys(exported))).toEqual([]);
  });

  test("is no export of any package, in the table of the first page", () => {
    const [, table] = /\| not yet +\|\n((?:\|.*\n)+)/.exec(read("README.md")) ?? [];
    const gaps = table!.trim().split("\n").map((row) => row.split("|").at(-2)!); // prettier-ignore
    const exported = [tensor, autodiff, ode, models].flatMap((one) => Object.keys(one));
    const code = gaps.flatMap((gap) => gap.match(/(?<=`)\w+/g) ?? []);
    expect(gaps.length).toBeGreaterThan(10);
    expect([...gaps.flatMap((gap) => named(gap, exported, 2)), ...code.filter((name) => exported.includes(name))]).toEqual([]);
  });

  test("would be found if it were", () => {
    const text = "forward mode, Taylor mode, Jacobians, `online` schedules, linear solve";
    expect(named(text, ["taylor", "jacobian", "online", "linearSolve", "gradient"])).toEqual(["taylor", "jacobian", "online", "linearSolve"]);
    expect(named(text, ["taylor", "linearSolve"], 2)).toEqual(["linearSolve"]);
  });
});
