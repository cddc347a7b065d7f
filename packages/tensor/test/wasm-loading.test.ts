import { afterEach, describe, expect, test, vi } from "vitest";
import { kernelBinary } from "../src/backend/wasm-binary.js";

test("the kernels take at most 40 KiB", () => {
  expect(Buffer.from(kernelBinary, "base64").length).toBeLessThanOrEqual(40 * 1024);
});

describe("where WebAssembly or its SIMD instructions are missing", () => {
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
    vi.resetModules();
  });

  test("the plain-JavaScript set is taken, with a warning that names the reason, and the memory of regions still grows", async () => {
    vi.resetModules();
    vi.stubGlobal("WebAssembly", undefined);
    const warn = vi.spyOn(console, "warn").mockReturnValue();
    const { chooseKernels } = await import("../src/backend/wasm.js");
    expect(chooseKernels().name).toBe("js");
    expect(warn.mock.calls).toEqual([["@dydt/tensor computes in plain JavaScript, several times slower, because there is no WebAssembly here"]]);
    const memory = await import("../src/memory.js");
    expect(memory.linearMemory).toBeNull();
    memory.memoryView("float64")[0] = 42;
    const chunk = memory.acquireChunk(8 << 20);
    memory.memoryView("float64")[chunk.offset / 8 + (1 << 20) - 1] = 1;
    expect(memory.memoryView("float64")[0]).toBe(42);
  });

  test("SIMD is tried on a module of its own", async () => {
    vi.resetModules();
    vi.spyOn(WebAssembly, "validate").mockReturnValue(false);
    const { loadWasmKernels: load } = await import("../src/backend/wasm.js");
    expect(load()).toBe("this WebAssembly has no SIMD instructions");
  });

  test("a refusal to compile is the reason, too", async () => {
    vi.resetModules();
    vi.spyOn(WebAssembly, "Module").mockImplementation(function () {
      throw new Error("blocked by a policy");
    });
    const { loadWasmKernels: load } = await import("../src/backend/wasm.js");
    expect(load()).toBe("WebAssembly was refused (Error: blocked by a policy)");
  });
});
