/**
 * Neural differential equation models: layers, losses, optimizers and training.
 *
 * @packageDocumentation
 */
export type { Module, TimeModule } from "./module.js";
export { linear, type LinearOptions, type LinearParameters } from "./layers/linear.js";
export { mlp, type MlpOptions, type MlpParameters } from "./layers/mlp.js";
export { concatTime } from "./layers/concat-time.js";
export type { Activation, ActivationName } from "./layers/activation.js";
export { neuralOde, type NeuralOde } from "./neural-ode.js";
export { huber, meanAbsoluteError, meanSquaredError, type HuberOptions } from "./losses.js";
export type { Optimizer, OptimizerState, Rate } from "./optimizers/optimizer.js";
export { sgd } from "./optimizers/sgd.js";
export { momentum, type MomentumOptions } from "./optimizers/momentum.js";
export { adam, type AdamOptions } from "./optimizers/adam.js";
export { train, type Loss, type TrainingIteration, type TrainingResult, type TrainOptions } from "./train.js";
export { TrainingError, type TrainingFailure } from "./training-error.js";
