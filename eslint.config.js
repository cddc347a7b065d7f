import js from "@eslint/js";
import tseslint from "typescript-eslint";

/** What of Math has the same bits in every engine: correctly rounded or exact functions, and constants. */
const sameEverywhere = "sqrt|abs|floor|ceil|trunc|round|sign|min|max|fround|imul|clz32|[A-Z0-9_]+";
const wholeMath = "Take single functions from Math by name, so that the ones with engine-dependent bits are seen.";
const power = "** differs in its last bits between engines; multiply, or use the kernel set.";

export default tseslint.config(
  { ignores: ["**/dist/", "**/node_modules/", "docs/api/", ".cache/", "coverage/", "packages/tensor/kernels/"] },
  { linterOptions: { reportUnusedDisableDirectives: "error" } },
  js.configs.recommended,
  { rules: { "no-undef": "off" } }, // the compiler checks names, in JavaScript files too
  {
    files: ["**/*.ts"],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { project: "./tsconfig.json", tsconfigRootDir: import.meta.dirname } },
    rules: {
      "@typescript-eslint/no-explicit-any": "error",
      "@typescript-eslint/no-non-null-assertion": "off",
      "@typescript-eslint/consistent-type-imports": ["error", { disallowTypeAnnotations: false }],
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true, allowBoolean: true }],
      "@typescript-eslint/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
      "no-restricted-imports": [
        "error",
        { patterns: [{ regex: "^@dydt/(?!tensor/gpu$)[^/]+/.+", message: "Import what the package's index exports." }] },
      ],
      eqeqeq: "error",
    },
  },
  {
    files: ["packages/*/src/**/*.ts"],
    rules: {
      "no-console": "error",
      "no-restricted-syntax": [
        "error",
        {
          selector: `MemberExpression[object.name="Math"][property.name!=/^(${sameEverywhere})$/]`,
          message: "This Math function differs between engines; use the kernel set.",
        },
        { selector: 'MemberExpression[object.name="Math"][computed=true]', message: wholeMath },
        { selector: 'Identifier[name="Math"]:not(MemberExpression > .object)', message: wholeMath },
        { selector: 'BinaryExpression[operator="**"]', message: power },
        { selector: 'AssignmentExpression[operator="**="]', message: power },
      ],
    },
  },
);
