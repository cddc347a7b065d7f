/**
 * @file The layering rules, checked on import statements:
 *
 *   tensor <- autodiff <- ode <- models <- examples
 *
 * An import follows the arrow, names a published entry point, stays inside its package when it is relative, and closes no cycle of files.
 * Type-only imports are erased, so they obey the arrow but cannot close a cycle.
 */
import { posix } from "node:path";
import ts from "typescript";

/** A file of the repository, by its path from the root with forward slashes. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

interface Import {
  readonly specifier: string;
  readonly line: number;
  readonly typeOnly: boolean;
}

const layers = ["tensor", "autodiff", "ode", "models", "examples"];

const packageOf = (path: string): string => (path.startsWith("examples/") ? "examples" : path.replace(/^packages\/([^/]+)\/.*$/, "$1"));
const rootOf = (path: string): string => (path.startsWith("examples/") ? "examples/" : path.replace(/^(packages\/[^/]+\/src\/).*$/, "$1"));

const importsOf = ({ path, text }: SourceFile): readonly Import[] => {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const found: Import[] = [];
  const add = (node: ts.Node | undefined, typeOnly: boolean) => {
    if (node === undefined || !ts.isStringLiteralLike(node)) return;
    found.push({ specifier: node.text, line: source.getLineAndCharacterOfPosition(node.getStart()).line + 1, typeOnly });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword);
    else if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, node.isTypeOnly);
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal, true);
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) add(node.arguments[0], false);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
};

/** The file that a relative import means: `./step.js` is written for `step.ts`. */
const resolveRelative = (from: string, specifier: string): string => posix.join(posix.dirname(from), specifier).replace(/\.([cm]?)js$/, ".$1ts");

const cycles = (edges: ReadonlyMap<string, readonly string[]>): readonly string[] => {
  const done = new Set<string>();
  const trail: string[] = [];
  const found: string[] = [];
  const visit = (path: string): void => {
    const start = trail.indexOf(path);
    if (start >= 0) found.push(`import cycle: ${[...trail.slice(start), path].join(" -> ")}`);
    if (start >= 0 || done.has(path)) return;
    trail.push(path);
    for (const next of edges.get(path) ?? []) visit(next);
    trail.pop();
    done.add(path);
  };
  for (const path of edges.keys()) visit(path);
  return found;
};

/**
 * Every breach of the layering rules, each as one line that says where and why.
 *
 * @param files - sources of packages/*\/src and of examples.
 * @param published - entry points besides the packages' own names, such as `@dydt/tensor/gpu`.
 */
export const layeringViolations = (files: readonly SourceFile[], published: ReadonlySet<string> = new Set()): readonly string[] => {
  const violations: string[] = [];
  const edges = new Map<string, readonly string[]>();
  for (const file of files) {
    const own = packageOf(file.path);
    const local: string[] = [];
    for (const { specifier, line, typeOnly } of importsOf(file)) {
      const report = (why: string) => violations.push(`${file.path}:${String(line)}: "${specifier}" ${why}`);
      if (specifier.startsWith(".")) {
        const target = resolveRelative(file.path, specifier);
        if (!target.startsWith(rootOf(file.path))) report("leaves its package; import the package by its name");
        else if (!typeOnly) local.push(target);
        continue;
      }
      const [, imported, deep] = /^@dydt\/([^/]+)(\/.*)?$/.exec(specifier) ?? [];
      if (imported === undefined) continue;
      if (deep !== undefined && !published.has(specifier)) report("reaches into a package; import what its index exports");
      if (!layers.includes(imported)) report("is no package of this repository");
      else if (layers.indexOf(imported) >= layers.indexOf(own)) report(`goes against the arrow ${layers.join(" <- ")}`);
    }
    edges.set(file.path, local);
  }
  return [...violations, ...cycles(edges)];
};
