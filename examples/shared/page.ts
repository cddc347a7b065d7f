/**
 * @file A page in one file: text, figures and tables in HTML that loads nothing, in the colours that the reader's system asks for.
 *
 * Figures name their colours by CSS variables, so that one drawing serves both light and dark.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** Colours of the drawings, which follow the reader's light or dark theme. */
export const colour = {
  ink: "currentColor",
  muted: "var(--muted)",
  line: "var(--line)",
  warm: "var(--warm)",
  cool: "var(--cool)",
  fresh: "var(--fresh)",
} as const;

/** The two themes, as the variables of an element. */
const palette = (element: string): string => `
${element} { color-scheme: light dark; --paper: #fff; --ground: #f6f5f1; --ink: #1f2328; --muted: #636a75; --line: #d9d7cf; --warm: #b4530a; --cool: #2458c5; --fresh: #0b7a6f; }
@media (prefers-color-scheme: dark) {
  ${element} { --paper: #1b1e24; --ground: #121418; --ink: #e8e6e1; --muted: #a0a7b2; --line: #363b45; --warm: #f2a65e; --cool: #84b1ff; --fresh: #4fd1bd; }
}`;

const style = `${palette(":root")}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.55 system-ui, sans-serif; }
main { max-width: 1040px; margin: 0 auto; padding: 2rem 1rem 4rem; }
h1 { margin: 0 0 .5rem; font-size: clamp(1.5rem, 5vw, 2.1rem); line-height: 1.2; }
h2 { margin: 2.5rem 0 .25rem; font-size: 1.25rem; }
p { max-width: 72ch; margin: .5rem 0; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); gap: 1rem; margin: 1rem 0; }
figure { margin: 0; padding: .9rem .9rem .6rem; background: var(--paper); border: 1px solid var(--line); border-radius: 10px; min-width: 0; }
figure h3 { margin: 0 0 .4rem; font-size: 1rem; }
figure svg { width: 100%; height: auto; }
figcaption, .key { color: var(--muted); font-size: .875rem; line-height: 1.45; }
.key { display: flex; flex-wrap: wrap; gap: .1rem 1rem; margin-bottom: .4rem; }
.key i { display: inline-block; width: 1.3em; margin-right: .4em; vertical-align: .22em; border-top: 2px solid; }
.key i.dots { width: .6em; height: .6em; border: 0; border-radius: 50%; background: currentColor; vertical-align: 0; }
.key i.dashes { border-top-style: dashed; }
.table { overflow-x: auto; margin: 1rem 0; background: var(--paper); border: 1px solid var(--line); border-radius: 10px; }
table { border-collapse: collapse; width: 100%; font-size: .875rem; font-variant-numeric: tabular-nums; }
th, td { padding: .5rem .75rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
th { color: var(--muted); font-weight: 600; line-height: 1.3; white-space: normal; vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; }
tr:last-child td { border-bottom: 0; }`;

/** A text as HTML. */
export const escapeHtml = (text: string): string => text.replace(/[&<>"]/g, (character) => `&#${String(character.charCodeAt(0))};`);

/** What a colour and a stroke mean. */
export interface Key {
  readonly label: string;
  readonly colour: string;
  readonly mark?: "line" | "dots" | "dashes";
}

/** A figure with its title, what its marks mean, and a caption. */
export const figure = ({
  title,
  svg,
  caption,
  keys = [],
}: {
  readonly title: string;
  readonly svg: string;
  readonly caption: string;
  readonly keys?: readonly Key[];
}): string => {
  const items = keys.map(({ label, colour, mark = "line" }) => `<span><i class="${mark}" style="color: ${colour}"></i>${escapeHtml(label)}</span>`);
  const legend = items.length === 0 ? "" : `<div class="key">${items.join("")}</div>`;
  return `<figure><h3>${escapeHtml(title)}</h3>${legend}${svg}<figcaption>${escapeHtml(caption)}</figcaption></figure>`;
};

/** Part of a page: a heading, paragraphs, and figures side by side or a table. */
export const section = (title: string, paragraphs: readonly string[], content: string): string =>
  `<section><h2>${escapeHtml(title)}</h2>${paragraphs.map((text) => `<p>${escapeHtml(text)}</p>`).join("")}${content}</section>`;

/** Figures side by side where there is room. */
export const row = (...figures: readonly string[]): string => `<div class="figures">${figures.join("\n")}</div>`;

/** The whole page. */
export const page = (title: string, lead: string, sections: readonly string[]): string => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${style}</style>
<main>
<h1>${escapeHtml(title)}</h1>
<p>${escapeHtml(lead)}</p>
${sections.join("\n")}
</main>
</html>
`;

/** Drawings side by side in one SVG file with a ground of its own, for a README: each with its title, all of one size. */
export const picture = (drawings: readonly { readonly title: string; readonly svg: string }[], width: number, height: number): string => {
  const panels = drawings.map(
    ({ title, svg }, i) =>
      `<text x="${String(i * width + 24)}" y="30" font-size="15" font-weight="600">${escapeHtml(title)}</text>` +
      svg.replace("<svg ", `<svg x="${String(i * width + 8)}" y="44" `),
  );
  const [wide, high] = [drawings.length * width + 16, height + 56].map(String) as [string, string];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${wide} ${high}" width="${wide}" height="${high}" fill="var(--ink)" color="var(--ink)" font-family="system-ui, sans-serif">
<style>${palette("svg")}</style>
<rect x=".5" y=".5" width="${String(Number(wide) - 1)}" height="${String(Number(high) - 1)}" rx="10" fill="var(--paper)" stroke="var(--line)"/>
${panels.join("\n")}
</svg>
`;
};

/** Writes a file, and the folders on its way. */
export const write = (path: string, text: string): void => {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
};
