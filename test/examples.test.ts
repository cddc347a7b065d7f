import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { expectClose, expectPrinted } from "../scripts/expect-close.js";
import { freeNames, markdownSnippets, snippetModule, sourceSnippets, type ExportedName, type Snippet } from "../scripts/snippets.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = join(root, ".cache", "examples");
const packages = ["tensor", "autodiff", "ode", "models"].filter((name) => existsSync(join(root, "packages", name, "src", "index.ts")));

const filesUnder = (path: string, ending: string, recursive = true) =>
  (existsSync(join(root, path)) ? readdirSync(join(root, path), { recursive, encoding: "utf8" }) : [])
    .filter((name) => name.endsWith(ending))
    .map((name) => `${path}/${name.replaceAll(sep, "/")}`);

const read = (path: string) => readFileSync(join(root, path), "utf8");
const pages = ["README.md", ...packages.map((name) => `packages/${name}/README.md`)].filter((path) => existsSync(join(root, path)));

const snippets = [
  ...packages.flatMap((name) => filesUnder(`packages/${name}/src`, ".ts").flatMap((path) => sourceSnippets(path, read(path)))),
  ...[...pages, ...filesUnder("docs", ".md", false)].flatMap((path) => markdownSnippets(path, read(path))),
];

const options = (): ts.CompilerOptions => {
  const { config } = ts.readConfigFile(join(root, "tsconfig.json"), (path) => ts.sys.readFile(path)) as { readonly config: unknown };
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
  return { ...options, noUnusedLocals: true, noUnusedParameters: true };
};

/** Codes of the compiler for what is declared and never read: the docstrings' examples may have it, pages that people paste from may not. */
const unused: ReadonlySet<number> = new Set([6133, 6138, 6192, 6196, 6198, 6199, 6205]);

/** Every name the packages export, by their compiled types, and the check for examples. */
const exportedNames = (program: ts.Program): ReadonlyMap<string, ExportedName> => {
  const checker = program.getTypeChecker();
  const checks = { module: "../../scripts/expect-close.js", isValue: true };
  const names = new Map<string, ExportedName>([["expectClose", checks], ["expectPrinted", checks]]); // prettier-ignore
  for (const name of packages) {
    const source = program.getSourceFile(join(root, "packages", name, "src", "index.ts"));
    const module = source && checker.getSymbolAtLocation(source);
    for (const symbol of module ? checker.getExportsOfModule(module) : []) {
      const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
      if (!names.has(symbol.name)) names.set(symbol.name, { module: `@dydt/${name}`, isValue: (target.flags & ts.SymbolFlags.Value) !== 0 });
    }
  }
  return names;
};

const fileOf = ({ path, line }: Snippet) => join(folder, `${path.replaceAll("/", "__")}__${String(line)}.ts`);
const entries = packages.map((name) => join(root, "packages", name, "src", "index.ts"));
const library = ts.createProgram(entries, options());
const exported = exportedNames(library);

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
for (const snippet of snippets) writeFileSync(fileOf(snippet), snippetModule(snippet, exported));

/** The line of the documentation on which a snippet threw, which is the line of its module in the stack. */
const failingLine = (snippet: Snippet, error: unknown): number => {
  const stack = error instanceof Error ? (error.stack ?? "") : "";
  const place = stack.split("\n").find((line) => line.includes(fileOf(snippet)));
  return Number(/:(\d+):\d+\)?$/.exec(place ?? "")?.[1] ?? snippet.line);
};

const run = async (snippet: Snippet): Promise<void> => {
  try {
    await import(/* @vite-ignore */ fileOf(snippet));
  } catch (error) {
    throw new Error(`${snippet.path}:${String(failingLine(snippet, error))}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
};

const typeErrors = (program: ts.Program, checked: readonly Snippet[]): readonly string[] =>
  checked.flatMap((snippet) => {
    const source = program.getSourceFile(fileOf(snippet));
    const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
    return found
      .filter(({ code }) => snippet.path.endsWith(".md") || !unused.has(code))
      .map(({ start = 0, messageText }) => {
        const line = source ? source.getLineAndCharacterOfPosition(start).line + 1 : snippet.line;
        return `${snippet.path}:${String(line)}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`;
      });
  });

test("every example of the documentation compiles", () => {
  expect(typeErrors(ts.createProgram([...entries, ...snippets.map(fileOf)], options(), undefined, library), snippets)).toEqual([]);
});

test("every example of a page can be pasted: it imports what it names", () => {
  const pasted = snippets.filter(({ path }) => path.endsWith(".md"));
  expect(
    pasted.flatMap(({ path, line, code }) => [...freeNames(code)].filter((name) => exported.has(name)).map((name) => `${path}:${line}: ${name}`)),
  ).toEqual([]);
});

describe("the examples of the documentation run", () => {
  test.for(snippets.map((snippet) => [`${snippet.path}:${String(snippet.line)}`, snippet] as const))("%s", async ([, snippet]) => {
    await run(snippet);
  });
});

describe("the runner of examples", () => {
  const planted = (path: string, text: string): Snippet => {
    const [snippet] = markdownSnippets(path, text);
    if (snippet === undefined) throw new Error("no snippet found");
    writeFileSync(fileOf(snippet), snippetModule(snippet, exported));
    return snippet;
  };

  test("finds the code of @example blocks with its line, up to the next tag, and skips what is not to run", () => {
    const text = [
      "/** @file Head. */",
      "/**",
      " * A thing.",
      " * @example",
      " * const a = { at: 1 };",
      " *   a.at;",
      " * @returns nothing",
      " * @example a title",
      " * Some words.",
      " * ```ts",
      " * b();",
      " * ```",
      " * ```ts no-run",
      " * c();",
      " * ```",
      " */",
    ].join("\n");
    expect(sourceSnippets("x.ts", text)).toEqual([
      { path: "x.ts", line: 5, code: "const a = { at: 1 };\n  a.at;" },
      { path: "x.ts", line: 11, code: "b();" },
    ]);
  });

  test("finds the ts fences of a page and no others", () => {
    const text = "# Page\n```ts\na();\n```\n```sh\nnpm ci\n```\n```ts no-run\nb();\n```\n````md\n```ts\nc();\n```\n````\n";
    expect(markdownSnippets("page.md", text)).toEqual([{ path: "page.md", line: 3, code: "a();" }]);
  });

  test("imports what a snippet names, not what it declares or what is a property", () => {
    const code = "const { y1: end, ts } = solve(field, { rtol: x.norm });\nfor (const step of steps) tick(step, (add) => add, { grid });";
    expect([...freeNames(code)].sort()).toEqual(["field", "grid", "solve", "steps", "tick", "x"]);
    const names = new Map([
      ["solve", { module: "@dydt/ode", isValue: true }],
      ["norm", { module: "@dydt/tensor", isValue: true }],
    ]);
    expect(snippetModule({ path: "page.md", line: 3, code }, names)).toBe(`import { solve } from "@dydt/ode"; export {};\n\n${code}\n`);
  });

  test("reports the file and line of a snippet that throws", async () => {
    const page = "# Page\n\n```ts\ninterface Point {\n  readonly x: number;\n}\nconst point: Point = { x: 1 };\n\nexpectClose(point.x, 2);\n```\n";
    await expect(run(planted("planted.md", page))).rejects.toThrow(/^planted\.md:9: expected 2 at flat index 0, got 1/);
  });

  test("reports the file and line of a snippet that does not compile, or declares what it never reads", () => {
    const snippet = planted("wrong.md", '```ts\nconst one = 1;\nexport const two: number = "2";\n```\n');
    expect(typeErrors(ts.createProgram([fileOf(snippet)], options()), [snippet])).toEqual([
      "wrong.md:2: 'one' is declared but its value is never read.",
      "wrong.md:3: Type 'string' is not assignable to type 'number'.",
    ]);
  });

  test("compares what a line prints with the comment behind it, to the last digit that is written", async () => {
    const page = (comment: string) => `# Page\n\n\`\`\`ts\nconst x = 2 / 3;\nconsole.log([x, 1]); // ${comment}\n\`\`\`\n`;
    await run(planted("printed.md", page("[0.667, 1]: two thirds, and one")));
    await expect(run(planted("misprinted.md", page("[0.666, 1]")))).rejects.toThrow(/^misprinted\.md:5: expected \[0\.666, 1\], got \[0\.6666/);
    await expect(run(planted("unsaid.md", page("two thirds")))).rejects.toThrow("no value is said to be printed: two thirds");
    expectPrinted("float32", '"float32"');
    expectPrinted(2 / 3e8, "6.7e-9");
    for (const [value, comment] of [
      [2 / 3e8, "6.6e-9"],
      ["float64", '"float32"'],
      [[1, 2], "[1]"],
      [1, "true"],
      [1.6, "1"],
    ] as const)
      expect(() => {
        expectPrinted(value, comment);
      }).toThrow(`expected ${comment}`);
  });

  test("compares numbers within the tolerance, and shapes exactly", () => {
    const matrix = { shape: [1, 2], toArray: () => [[1, 2]] };
    expectClose(matrix, [[1, 2 + 1e-10]]);
    expectClose([NaN, 1.05], new Float64Array([NaN, 1]), { rtol: 0.1 });
    expect(() => {
      expectClose(matrix, [1, 2]);
    }).toThrow("expected shape [2], got [1,2]");
    expect(() => {
      expectClose([1, NaN], [1, 2]);
    }).toThrow("expected 2 at flat index 1, got NaN");
  });
});
