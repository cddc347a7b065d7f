/**
 * @file The field as a network of y³: dy/dt = W₂ tanh(W₁ y³ + b₁) + b₂, with a hidden layer of 50.
 */
import { random, type Tensor } from "@dydt/tensor";
import { revolve } from "@dydt/autodiff";
import { adaptive, discreteAdjoint, dopri5, solve, type Solution } from "@dydt/ode";
import { mlp } from "@dydt/models";
import { cube, pieceLength, times, type Batch } from "./data.js";

const network = mlp([2, 50, 2], { activation: "tanh", gain: 0.3 });

/** Weights and biases. */
export type Parameters = ReturnType<typeof network.init>;

/** The first parameters. */
export const untrained: Parameters = network.init(random(0));

/** The learned field. */
export const slope = (parameters: Parameters, y: Tensor): Tensor => network.apply(parameters, cube(y));

/** rtol and atol of the training. */
export const tolerance = 1e-4;

/** The solution from one state or many, at the given times. */
export const follow = (parameters: Parameters, from: Tensor, saveAt: readonly number[], allowed = tolerance): Solution<Tensor> =>
  solve((_t, y) => slope(parameters, y), from, {
    t0: 0,
    t1: saveAt.at(-1)!,
    saveAt,
    solver: dopri5(),
    controller: adaptive({ rtol: allowed, atol: allowed }),
    adjoint: discreteAdjoint({ checkpoints: revolve(8) }),
  });

/** Mean distance |model − truth| over the pieces of a batch. */
export const distance = (parameters: Parameters, { starts, points }: Batch): Tensor =>
  follow(parameters, starts, times.slice(0, pieceLength)).ys.sub(points).abs().mean();
