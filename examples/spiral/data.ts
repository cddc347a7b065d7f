/**
 * @file A spiral whose equation is known, and pieces of it to learn from.
 *
 *   dy/dt = y³ A,  A = [[−0.1, 2], [−2, −0.1]],  y(0) = (2, 0),  1000 points on [0, 25]
 *
 * The demonstration of R. T. Q. Chen et al., Neural Ordinary Differential Equations, NeurIPS 2018.
 */
import { linspace, stack, tensor, type Random, type Tensor } from "@dydt/tensor";
import { adaptive, dopri5, solve } from "@dydt/ode";

const matrix = tensor([
  [-0.1, 2],
  [-2, -0.1],
]);

/** y³, the input of the true field and of the network. */
export const cube = (y: Tensor): Tensor => y.square().mul(y);

/** The field to be found. */
export const trueSlope = (y: Tensor): Tensor => cube(y).matmul(matrix);

/** Where the spiral begins, and when it ends. */
export const start = tensor([2, 0]);
export const end = 25;

/** Times `[1000]`. */
export const times: readonly number[] = [...linspace(0, end, 1000).data];

/** The spiral `[1000, 2]`. */
export const truth = solve((_t, y) => trueSlope(y), start, {
  t0: 0,
  t1: end,
  saveAt: times,
  solver: dopri5(),
  controller: adaptive({ rtol: 1e-9, atol: 1e-11 }),
}).ys;

/** Points in a piece. */
export const pieceLength = 10;

/** Pieces of the spiral from random places on. */
export interface Batch {
  /** `[pieces, 2]`. */
  readonly starts: Tensor;
  /** `[pieceLength, pieces, 2]`. */
  readonly points: Tensor;
}

/**
 * 20 pieces, others at each call: from place 990 u² on, u uniform in [0, 1), so more of them from the beginning, where the spiral is fast and its points are
 * far apart.
 */
export const drawBatch = (stream: Random, pieces = 20): Batch => {
  const places = [...stream.uniform([pieces]).square().data].map((u) => Math.floor((times.length - pieceLength) * u));
  const points = stack(
    places.map((from) => truth.slice([[from, from + pieceLength], null])),
    1,
  );
  return { starts: points.at(0), points };
};
