import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseHTML } from "linkedom";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { requireAgreement, type Measured } from "../lynx-hare/compare.js";
import { lynxHare } from "../lynx-hare/main.js";
import { spiral } from "../spiral/main.js";

const folder = mkdtempSync(join(tmpdir(), "examples-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const open = (path: string) => parseHTML(readFileSync(path, "utf8")).document;
const titles = (page: Document) => [...page.querySelectorAll("figure h3")].map((title) => title.textContent);

/** Every drawing has an axis and marks, and none of its coordinates is NaN. */
const expectDrawings = (page: Document) => {
  for (const drawing of page.querySelectorAll("figure")) {
    expect(drawing.querySelectorAll("svg [aria-label='x-axis tick label'] text").length).toBeGreaterThan(1);
    expect(drawing.querySelectorAll("svg path[d], svg circle, svg rect").length).toBeGreaterThan(0);
    expect(drawing.outerHTML).not.toMatch(/NaN|undefined|Infinity/);
  }
};

/** Nothing is fetched: the only addresses are the names of namespaces. */
const expectSelfContained = (path: string) => {
  const text = readFileSync(path, "utf8").replaceAll("http://www.w3.org/2000/svg", "");
  expect(text).not.toMatch(/https?:|<script|<link|@import|\bsrc=/);
};

describe("the hares and lynxes", () => {
  let result: Awaited<ReturnType<typeof lynxHare>>;
  beforeAll(async () => {
    result = await lynxHare({ folder: join(folder, "lynx-hare"), effort: 0.01 });
  }, 60_000);

  test("the page has a figure for fits, field, loss, steps and error estimates", () => {
    const page = open(result.path);
    expect(titles(page)).toEqual([
      "Neural ODE, 162 weights",
      "Lotka–Volterra, 4 rates",
      "The learned field",
      "Training",
      "Step lengths",
      "Error estimates",
    ]);
    expectDrawings(page);
    expectSelfContained(result.path);
  });

  test("the page has the table of the four gradients", () => {
    const rows = [...open(result.path).querySelectorAll("tbody tr")].map((row) => [...row.querySelectorAll("td")].map((cell) => cell.textContent));
    expect(rows.map(([name]) => name)).toEqual(["storeAll()", "revolve(8)", "revolve(3)", "one tape over the whole solve"]);
    expect(rows.slice(0, 3).map(([, difference]) => difference)).toEqual(["same bits", "same bits", "same bits"]);
  });

  test("checkpoints change what is run again, not the bits of the gradient", () => {
    const [all, eight, three, tape] = result.comparison;
    expect(eight!.gradient).toEqual(all!.gradient);
    expect(three!.gradient).toEqual(all!.gradient);
    expect(all!.gradient.some((g) => g !== 0)).toBe(true);
    expect(tape!.difference).toBeLessThan(1e-12);
    expect([all!.stored, eight!.stored, three!.stored]).toEqual([all!.steps, 8, 3]);
    expect(all!.advanced).toBe(0);
    expect(three!.advanced).toBeGreaterThan(eight!.advanced);
    expect(new Set([all!.taped, eight!.taped, three!.taped])).toEqual(new Set([all!.steps]));
  });

  test("the program fails when one bit differs between schedules, or the whole tape by more than 1e-12", () => {
    const [all, eight, three, tape] = result.comparison as readonly [Measured, Measured, Measured, Measured];
    const changed = three.gradient.map((g, i) => (i === 5 ? g * (1 + Number.EPSILON) : g));
    expect(() => {
      requireAgreement([all, eight, { ...three, gradient: changed }, tape]);
    }).toThrow(/revolve\(3\) has other bits/);
    expect(() => {
      requireAgreement([all, eight, three, { ...tape, difference: 1.1e-12 }]);
    }).toThrow(/one tape over the whole solve differs by 1.10e-12/);
    expect(() => {
      requireAgreement(result.comparison);
    }).not.toThrow();
  });

  test("one tape over the whole solve holds many times the memory of one step", () => {
    const [, , three, tape] = result.comparison;
    expect(tape!.peakBytes).toBeGreaterThan(10 * three!.peakBytes);
  });

  test("the picture for the README is one SVG with both drawings", () => {
    const text = readFileSync(join(folder, "lynx-hare", "picture.svg"), "utf8");
    expect(text.match(/<svg /g)).toHaveLength(3);
    expect(text).not.toMatch(/NaN|undefined/);
  });
});

describe("the spiral", () => {
  let result: Awaited<ReturnType<typeof spiral>>;
  beforeAll(async () => {
    result = await spiral({ folder: join(folder, "spiral"), steps: 40 });
  }, 60_000);

  test("the page has a figure for both fields, both coordinates, loss, error, steps and error estimates", () => {
    const page = open(result.path);
    expect(titles(page)).toEqual([
      "The true field",
      "The learned field",
      "First coordinate",
      "Second coordinate",
      "Loss",
      "Error over time",
      "Step lengths",
      "Error estimates",
    ]);
    expectDrawings(page);
    expectSelfContained(result.path);
  });

  test("a little training makes the loss smaller", () => {
    const mean = (losses: readonly number[]) => losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
    expect(mean(result.losses.slice(-10))).toBeLessThan(0.7 * mean(result.losses.slice(0, 10)));
  });
});
