/**
 * @file Training in stages: the same parameters, asked to look further and further ahead. One year ahead is nearly a regression; the whole record at once is full of
 * local minima, which a field that is right for a few years is past.
 */
import type { Tensor } from "@dydt/tensor";
import { adam, train } from "@dydt/models";

/** One stage of a training. */
export interface Stage {
  /** How many years the model must predict. */
  readonly ahead: number;
  readonly steps: number;
  /** Rate of Adam; a third of it in the last 40 %, a tenth in the last 15 %. */
  readonly rate: number;
}

/** What a training in stages reached. */
export interface StagedFit<P> {
  readonly parameters: P;
  /** The loss of each iteration, all stages in a row. */
  readonly losses: readonly number[];
  /** The iteration at which each stage began. */
  readonly begins: readonly number[];
}

const decreasing = (rate: number, steps: number) => (iteration: number) =>
  rate * (iteration < 0.6 * steps ? 1 : iteration < 0.85 * steps ? 1 / 3 : 1 / 10);

/** Makes a loss small, stage after stage. `loss` gets the parameters and the number of years ahead. */
export const trainInStages = async <P>(
  label: string,
  loss: (parameters: P, ahead: number) => Tensor,
  start: P,
  stages: readonly Stage[],
): Promise<StagedFit<P>> => {
  let parameters = start;
  const losses: number[] = [];
  const begins: number[] = [];
  for (const { ahead, steps, rate } of stages) {
    begins.push(losses.length);
    const result = await train((p: P) => loss(p, ahead), parameters, {
      optimizer: adam(decreasing(rate, steps)),
      steps,
      progress: `${label}, ${String(ahead)} years ahead`,
    });
    parameters = result.parameters;
    losses.push(...result.losses);
  }
  return { parameters, losses, begins };
};
