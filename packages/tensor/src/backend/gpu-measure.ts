/**
 * @file Which of two ways is faster: medians of interleaved runs, so that a disturbance meets both.
 */

/** Milliseconds per product of the kernel set and of the GPU. */
export interface Timing {
  readonly kernels: number;
  readonly gpu: number;
}

const samples = 5;

const median = (times: readonly number[]): number => [...times].sort((x, y) => x - y)[times.length >> 1]!;

/**
 * Times both ways, after one run of each that does not count.
 *
 * @param repeats - products in one sample, enough for the clock's grain.
 * @param clock - milliseconds from any origin.
 */
export const compareTimes = (kernels: () => void, gpu: () => void, repeats: number, clock: () => number): Timing => {
  const time = (run: () => void): number => {
    const start = clock();
    for (let i = 0; i < repeats; i++) run();
    return (clock() - start) / repeats;
  };
  const times: Record<keyof Timing, number[]> = { kernels: [], gpu: [] };
  for (let sample = 0; sample <= samples; sample++) {
    const [one, other] = [time(kernels), time(gpu)];
    if (sample === 0) continue;
    times.kernels.push(one);
    times.gpu.push(other);
  }
  return { kernels: median(times.kernels), gpu: median(times.gpu) };
};
