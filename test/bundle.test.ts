import { describe, expect, test } from "vitest";
import { bundle, typicalProgram } from "../scripts/bundle.js";

describe("a bundled program", () => {
  test("does not carry what it does not name: rules come with their operations, features with the functions that make them", async () => {
    const { modules } = await bundle(typicalProgram, { kernels: false });
    const carried = modules.map(([path]) => path);
    expect(carried).toEqual(
      expect.arrayContaining([expect.stringMatching(/ode\/src\/solve\.ts$/), expect.stringMatching(/autodiff\/src\/tape\.ts$/)]),
    );
    const elsewhere =
      /(convolution|pooling|solving|affine|normalization|from-ndarray|random|root|krylov|jvp|forward|taylor|check-gradients|checks|revolve|in-place|plain-step|order-conditions|certify|conformance|continuous|reversible)\.ts$/;
    // Error classes are all that is left of some.
    expect(modules.filter(([path, bytes]) => elsewhere.test(path) && bytes > 200)).toEqual([]);
    // The view that every tensor has, and what that package needs.
    const packages = new Set(carried.flatMap((path) => /node_modules\/([^/]+)/.exec(path)?.slice(1) ?? []));
    expect(packages).toEqual(new Set(["ndarray", "iota-array", "is-buffer"]));
  });

  test("has tensors with all their methods, whatever it imports", async () => {
    const { code } = await bundle('import { tensor } from "@dydt/tensor"; globalThis.found = tensor([1, 2]).add(1).sum().item();', { kernels: true });
    const scope = globalThis as { found?: number };
    await import(/* @vite-ignore */ `data:text/javascript;base64,${Buffer.from(code).toString("base64")}`);
    expect(scope.found).toBe(5);
    delete scope.found;
  });
});
