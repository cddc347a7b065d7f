/**
 * @file The code of the documentation as modules: every `@example` of a source file and every `ts` fence of a Markdown file.
 *
 * A snippet becomes a module whose line numbers are those of the file it stands in (line 1 holds the imports), so that compiler messages and stack
 * traces point into the documentation. What a snippet names and does not declare is imported if a package of this repository exports it. A line
 * `console.log(value); // 0.37` is a check: the value is what the comment says.
 */
import ts from "typescript";

/** A piece of code in the documentation. */
export interface Snippet {
  /** Path of the documentation file from the root, with forward slashes. */
  readonly path: string;
  /** Line of the file on which the code begins, from 1. */
  readonly line: number;
  readonly code: string;
}

/** An exported name: the module that exports it, and whether it exists at run time. */
export interface ExportedName {
  readonly module: string;
  readonly isValue: boolean;
}

/** The `ts` fences in `lines`, the first of which has number `first`; a fence with a further word, as in `ts no-run`, is not run. */
const fences = (path: string, lines: readonly string[], first: number): readonly Snippet[] => {
  const found: Snippet[] = [];
  let open: { readonly marker: string; readonly runs: boolean; readonly start: number } | undefined;
  lines.forEach((line, index) => {
    const [, marker, info] = /^\s*(`{3,}|~{3,})(.*)$/.exec(line) ?? [];
    if (marker === undefined) return;
    if (open === undefined) open = { marker, runs: info?.trim() === "ts", start: index + 1 };
    else if (marker.startsWith(open.marker) && info?.trim() === "") {
      if (open.runs) found.push({ path, line: first + open.start, code: lines.slice(open.start, index).join("\n") });
      open = undefined;
    }
  });
  return found;
};

/** The `ts` fences of a Markdown file. */
export const markdownSnippets = (path: string, text: string): readonly Snippet[] => fences(path, text.split("\n"), 1);

/** The examples of one documentation comment, given without its stars. Text on the line of the tag is a title. */
const commentExamples = (path: string, lines: readonly string[], first: number): readonly Snippet[] =>
  lines.flatMap((line, index) => {
    if (!/^\s*@example\b/.test(line)) return [];
    const length = lines.slice(index + 1).findIndex((later) => /^@[a-zA-Z]/.test(later));
    const body = lines.slice(index + 1, length < 0 ? undefined : index + 1 + length);
    if (body.some((later) => /^\s*(```|~~~)/.test(later))) return fences(path, body, first + index + 1);
    return [{ path, line: first + index + 1, code: body.join("\n").trimEnd() }];
  });

/** The `@example` blocks of a TypeScript file: the fences of a block that has fences, else the whole block. */
export const sourceSnippets = (path: string, text: string): readonly Snippet[] =>
  [...text.matchAll(/^[ \t]*\/\*\*[\s\S]*?\*\//gm)].flatMap((comment) => {
    const first = text.slice(0, comment.index).split("\n").length;
    const lines = comment[0].replace(/\*\/$/, "").split("\n");
    return commentExamples(
      path,
      lines.map((line) => line.replace(/^\s*(\/\*\*|\*) ?/, "")),
      first,
    );
  });

const isNameOfProperty = (node: ts.Identifier): boolean => {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.name === node;
  if (ts.isQualifiedName(parent)) return parent.right === node;
  if (ts.isBindingElement(parent)) return parent.propertyName === node;
  return ts.isPropertyAssignment(parent) || ts.isMethodDeclaration(parent) || ts.isPropertySignature(parent) ? parent.name === node : false;
};

const isDeclared = (node: ts.Identifier): boolean => {
  const { parent } = node;
  if (ts.isImportClause(parent) || ts.isImportSpecifier(parent) || ts.isNamespaceImport(parent)) return true;
  return "name" in parent && parent.name === node && !ts.isShorthandPropertyAssignment(parent);
};

/** The identifiers that a snippet names and nowhere declares. */
export const freeNames = (code: string): ReadonlySet<string> => {
  const used = new Set<string>();
  const declared = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node) && !isNameOfProperty(node)) (isDeclared(node) ? declared : used).add(node.text);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile("snippet.ts", code, ts.ScriptTarget.Latest, true));
  return new Set([...used].filter((name) => !declared.has(name)));
};

/** The code with the lines that print something checked against their comments. */
const checked = (code: string): string =>
  code.replace(/^(\s*)console\.log\((.*)\); \/\/ (.*)$/gm, (_, space: string, value: string, comment: string) => {
    return `${space}expectPrinted(${value}, ${JSON.stringify(comment)});`;
  });

/** The module that runs a snippet: what it needs imported on line 1, the code on the lines it has in its file. */
export const snippetModule = (snippet: Snippet, exported: ReadonlyMap<string, ExportedName>): string => {
  const code = checked(snippet.code);
  const imports = [...freeNames(code)].flatMap((name) => {
    const from = exported.get(name);
    return from === undefined ? [] : [`import ${from.isValue ? "" : "type "}{ ${name} } from "${from.module}";`];
  });
  return `${imports.join(" ")} export {};${"\n".repeat(snippet.line - 1)}${code}\n`;
};
