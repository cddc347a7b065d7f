import { expect, test } from "vitest";
import { tensor } from "@dydt/tensor";
import { fixedSteps, solve, stiffnessEstimate } from "@dydt/ode";
import * as sentences from "../src/sentences.js";
import { solverNamed, solverNames } from "./problems.js";

test("the sentence about stiffness names all solvers that estimate it, and no other", () => {
  const named = Array.from(sentences.stiffnessEstimate.matchAll(/(\w+)\(\)/g), ([, name]) => name);
  for (const name of solverNames) {
    const options = { t0: 0, t1: 1, solver: solverNamed(name), controller: fixedSteps(1), regularize: stiffnessEstimate() } as never;
    const solved = (): unknown => solve((_t, y) => y.neg(), tensor([1]), options);
    if (named.includes(name)) expect(solved).not.toThrow();
    else expect(solved).toThrow(sentences.stiffnessEstimate);
  }
});
