import { PassThrough } from "node:stream";
import { tensor, type Tensor } from "@dydt/tensor";
import { afterEach, describe, expect, test, vi } from "vitest";
import { sgd, train } from "../src/index.js";
import { openProgress } from "../src/progress.js";

/** A stream that says whether it is a terminal, and what was written to it. */
const stream = (isTTY: boolean) => {
  const through = new PassThrough();
  const written: string[] = [];
  through.on("data", (part: Buffer) => written.push(part.toString()));
  return { stream: Object.assign(through, { isTTY, columns: 120 }) as unknown as NodeJS.WriteStream, text: () => written.join("") };
};

afterEach(() => vi.restoreAllMocks());

describe("the progress line", () => {
  test("shows label, iterations, loss and the time left on a terminal", async () => {
    const { stream: terminal, text } = stream(true);
    const bar = await openProgress("fit the lynx", 50, terminal);
    bar.show(50, 0.0123456);
    bar.close();
    expect(text()).toMatch(/fit the lynx \[=+>?-*\] 50\/50 \| loss 0\.01235 \| .* left/);
  });

  test("is silent where there is no terminal, and unless it is wanted", async () => {
    for (const [wanted, isTTY] of [["fit", false], [false, true]] as const) {
      const { stream: output, text } = stream(isTTY);
      const bar = await openProgress(wanted, 50, output);
      bar.show(50, 1);
      bar.close();
      expect(text()).toBe("");
    } // prettier-ignore
  });

  test("is not written by a training whose standard error is no terminal", async () => {
    const before = Object.getOwnPropertyDescriptor(process.stderr, "isTTY");
    Object.defineProperty(process.stderr, "isTTY", { value: false, configurable: true });
    const write = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    try {
      await train((x: Tensor) => x.square().sum(), tensor([1]), { optimizer: sgd(0.1), steps: 3, progress: true });
      expect(write).not.toHaveBeenCalled();
    } finally {
      if (before === undefined) Reflect.deleteProperty(process.stderr, "isTTY");
      else Object.defineProperty(process.stderr, "isTTY", before);
    }
  });

  test("leaves the terminal when the training fails", async () => {
    const before = Object.getOwnPropertyDescriptor(process.stderr, "isTTY");
    Object.defineProperty(process.stderr, "isTTY", { value: true, configurable: true });
    const written: string[] = [];
    vi.spyOn(process.stderr, "write").mockImplementation((part) => {
      written.push(String(part));
      return true;
    });
    try {
      await expect(train((x: Tensor) => x.mul(NaN).sum(), tensor([1]), { optimizer: sgd(0.1), steps: 3, progress: "doomed" })).rejects.toThrow(/NaN/);
      expect(written.join("")).toContain("doomed");
      const size = written.length;
      await new Promise((resolve) => setTimeout(resolve, 250));
      expect(written).toHaveLength(size);
    } finally {
      if (before === undefined) Reflect.deleteProperty(process.stderr, "isTTY");
      else Object.defineProperty(process.stderr, "isTTY", before);
    }
  });
});
