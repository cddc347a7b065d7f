/** @file Checks each built package as npm would publish it (publint), and that Node imports it with its default conditions. */
import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { publint } from "publint";
import { formatMessage } from "publint/utils";

const root = fileURLToPath(new URL("..", import.meta.url));
const problems: string[] = [];

for (const name of readdirSync(join(root, "packages"))) {
  const { messages, pkg } = await publint({ pkgDir: join(root, "packages", name), strict: true });
  for (const message of messages) problems.push(`@dydt/${name}: ${formatMessage(message, pkg) ?? message.code}`);

  // A process of its own: this one was started with a loader for TypeScript. A package without exports was not built.
  const script = `const names = Object.keys(await import("@dydt/${name}")); if (names.length === 0) throw new Error("@dydt/${name} exports nothing");`;
  execFileSync(process.execPath, ["--input-type=module", "--eval", script], {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, NODE_OPTIONS: "" },
  });
}

if (problems.length > 0) throw new Error(problems.join("\n"));
console.log("all packages can be published and imported");
