/**
 * @file The tableau of every explicit Runge–Kutta method of this package.
 */
import { bosh3Tableau } from "../src/solvers/bosh3.js";
import { bs5Tableau } from "../src/solvers/bs5.js";
import { dop853Tableau } from "../src/solvers/dop853.js";
import { dopri5Tableau } from "../src/solvers/dopri5.js";
import { eulerTableau } from "../src/solvers/euler.js";
import { heunTableau } from "../src/solvers/heun.js";
import { midpointTableau } from "../src/solvers/midpoint.js";
import { ralstonTableau } from "../src/solvers/ralston.js";
import { rk4Tableau } from "../src/solvers/rk4.js";
import { rk4ThreeEighthsTableau } from "../src/solvers/rk4-three-eighths.js";
import { tsit5Tableau } from "../src/solvers/tsit5.js";
import { vern7Tableau } from "../src/solvers/vern7.js";
import type { Tableau } from "../src/tableau.js";

export const tableaus: readonly Tableau[] = [
  eulerTableau,
  midpointTableau,
  heunTableau,
  ralstonTableau,
  rk4Tableau,
  rk4ThreeEighthsTableau,
  bosh3Tableau,
  dopri5Tableau,
  tsit5Tableau,
  bs5Tableau,
  vern7Tableau,
  dop853Tableau,
];

export {
  bosh3Tableau,
  bs5Tableau,
  dop853Tableau,
  dopri5Tableau,
  eulerTableau,
  heunTableau,
  midpointTableau,
  rk4Tableau,
  rk4ThreeEighthsTableau,
  tsit5Tableau,
  vern7Tableau,
};
