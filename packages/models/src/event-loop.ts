/**
 * @file A turn of the event loop: timers, input and drawing get theirs. A macrotask, since promises alone would starve them.
 */

/**
 * Waits until the event loop has gone around once, with the cheapest macrotask there is: setImmediate (a few microseconds), else a message to
 * oneself, which unlike setTimeout browsers do not slow down to 4 ms, nor to a second in the background.
 *
 * @returns the function that waits, and one that gives back what it holds.
 */
export const eventLoop = (): { readonly turn: () => Promise<void>; readonly close: () => void } => {
  if (typeof setImmediate === "function") return { turn: () => new Promise((resolve) => setImmediate(resolve)), close: () => undefined };
  const { port1, port2 } = new MessageChannel();
  return {
    turn: () =>
      new Promise((resolve) => {
        port1.onmessage = () => resolve();
        port2.postMessage(null);
      }),
    close: () => port1.close(),
  };
};
