/**
 * @file One line in a terminal that says how far a training is; elsewhere nothing.
 *
 * The library that draws is loaded only when there is a terminal. It needs modules of Node, so bundlers must not follow the import: they leave alone one
 * whose name is computed.
 */

/** Somebody who is told how far it is. */
export interface Progress {
  readonly show: (iterations: number, loss: number) => void;
  readonly close: () => void;
}

const silent: Progress = Object.freeze({ show: () => undefined, close: () => undefined });

const library = (): string => ["cli", "progress"].join("-");

/** Standard error, so that results on standard output stay clean. */
const standardError = (): NodeJS.WriteStream | undefined => (typeof process === "undefined" ? undefined : process.stderr);

/**
 * Begins a progress line: label, bar, iterations, loss and time left, drawn at most ten times a second.
 *
 * @param wanted - true, a label, or false for silence.
 * @param steps - how many iterations there will be.
 * @param stream - where to; it is silent unless this is a terminal. Default standard error.
 */
export const openProgress = async (wanted: boolean | string, steps: number, stream = standardError()): Promise<Progress> => {
  if (wanted === false || stream?.isTTY !== true) return silent;
  const { default: cliProgress } = (await import(/* webpackIgnore: true */ /* @vite-ignore */ library())) as {
    readonly default: typeof import("cli-progress");
  };
  const format = "{label} [{bar}] {value}/{total} | loss {loss} | {eta_formatted} left";
  const bar = new cliProgress.SingleBar({ format, stream, barsize: 24, fps: 10, hideCursor: null, etaBuffer: 100 }, cliProgress.Presets.legacy);
  bar.start(steps, 0, { label: wanted === true ? "training" : wanted, loss: "?" });
  return {
    show: (iterations, loss) => bar.update(iterations, { loss: loss.toPrecision(4) }),
    close: () => bar.stop(),
  };
};
