/**
 * @file `npm run compare`: every adjoint on a spiral, on the lynx and hares, and on a flow in the plane; tables here, pages in out/.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { stack, tensor, type Tensor } from "@dydt/tensor";
import { adaptive, compareAdjoints, solve, type ComparedProblem, type Comparison } from "@dydt/ode";
import { flow, flowCases } from "../bench/workloads/flow.js";
import { spiral } from "../bench/workloads/spiral.js";

/** Hares and lynx of the Hudson's Bay Company, in thousands: y₁′ = y₁ (a − b y₂), y₂′ = y₂ (c y₁ − d) over twenty years. */
const lynxHare: ComparedProblem<Tensor> = {
  name: "Lynx and hares, Lotka-Volterra over 20 years",
  parameters: tensor([0.55, 0.028, 0.024, 0.84]),
  loss: (p) => {
    const field = (_t: Tensor, y: Tensor): Tensor => {
      const [hare, lynx] = [y.at(0), y.at(1)];
      return stack([hare.mul(p.at(0).sub(lynx.mul(p.at(1)))), lynx.mul(hare.mul(p.at(2)).sub(p.at(3)))]);
    };
    const saveAt = Array.from({ length: 21 }, (_, year) => year);
    const { ys } = solve(field, tensor([34, 5.9]), { t0: 0, t1: 20, saveAt, controller: adaptive({ rtol: 1e-6, atol: 1e-6 }) });
    return ys.log().square().mean();
  },
};

mkdirSync("out", { recursive: true });
const show = (file: string, comparison: Comparison): void => {
  console.log(`${comparison.toString()}\n`);
  writeFileSync(`out/${file}.html`, comparison.toHtml());
};
show("compare-spiral", compareAdjoints({ name: "Spiral, 20 pieces", ...spiral("float64", "tight") }, { repetitions: 3 }));
show("compare-lynx-hare", compareAdjoints(lynxHare, { repetitions: 3 }));
show("compare-flow", compareAdjoints({ name: "Flow in the plane", ...flow(flowCases[0]!, "float64") }, { repetitions: 2 }));
console.log("pages: out/compare-spiral.html, out/compare-lynx-hare.html, out/compare-flow.html");
