/**
 * @file Writes the step of Adam; the formula is that of src/updates.ts, every operation rounded to the element type, and those with a number in float64.
 *
 * Four elements at a time, for at least four: the last four overlap those before them, so there is no other loop for what is left. No result is an operand.
 */
import { lines, type Lanes } from "./types.js";

/** The loop over `at`, in bytes; `numbers` are in every lane throughout. */
const loop = ({ bytes }: Lanes, head: string, numbers: readonly (readonly [name: string, value: string])[], body: readonly string[]): string =>
  lines(
    `export function ${head}: void {`,
    numbers.map(([name, value]) => `  const ${name} = f64x2.splat(${value});`),
    `  for (let i = 0; i < n; i += 4) {`,
    `    const at: usize = min(i, n - 4) * ${bytes};`,
    body.map((line) => `    ${line}`),
    `  }`,
    `}`,
  );

/** Two of the four elements in float64: the first two for q = 0, the others for q = 1. */
const loaded = ({ bits }: Lanes, p: string, q: number): string =>
  bits === 64 ? `v128.load(${p} + at, ${16 * q})` : `f64x2.promote_low_f32x4(v128.load64_zero(${p} + at, ${8 * q}))`;
const stored = ({ bits }: Lanes, p: string, q: number, v: string): string =>
  bits === 64 ? `v128.store(${p} + at, ${v}, ${16 * q});` : `v128.store64_lane(${p} + at, ${v}, 0, ${8 * q});`;
/** Two float64 rounded to the element type. */
const rounded = ({ bits }: Lanes, v: string): string => (bits === 64 ? v : `f32x4.demote_f64x2_zero(${v})`);
/** Two rounded elements in float64. */
const widened = ({ bits }: Lanes, v: string): string => (bits === 64 ? v : `f64x2.promote_low_f32x4(${v})`);
const weighted = (a: string, x: string, b: string, y: string): string => `f64x2.add(f64x2.mul(${a}, ${x}), f64x2.mul(${b}, ${y}))`;

const numbersOfAdam = [
  ["b1", "beta1"],
  ["c1", "1 - beta1"],
  ["b2", "beta2"],
  ["c2", "1 - beta2"],
  ["c", "correction"],
  ["e", "epsilon"],
  ["w", "weight"],
] as const;

const adam = (type: Lanes): string => {
  const { bits, vector } = type;
  const each = (f: (q: number) => string): readonly string[] => [0, 1].map(f);
  /** A function of the element type alone, of all four elements at once where they fit into one vector. */
  const inType = (name: string, f: (q: string) => string): readonly string[] =>
    bits === 64
      ? each((q) => `const ${name}${q} = ${f(String(q))};`)
      : [`const ${name} = ${f("")};`, `const ${name}0 = ${name}, ${name}1 = v128.shuffle<i64>(${name}, ${name}, 1, 1);`];
  /** Both halves as one vector. */
  const joined = (name: string): readonly string[] => (bits === 64 ? [] : [`const ${name} = v128.shuffle<i64>(${name}0, ${name}1, 0, 2);`]);
  return loop(
    type,
    `adam${bits}(n: i32, x: usize, g: usize, m: usize, v: usize, toX: usize, toM: usize, toV: usize, beta1: f64, beta2: f64, correction: f64, epsilon: f64, weight: f64)`,
    numbersOfAdam,
    [
      ...inType("slope", (q) => `v128.load(g + at, ${q === "1" ? 16 : 0})`),
      ...inType("square", (q) => `${vector}.mul(slope${q}, slope${q})`),
      ...each((q) => `const mean${q} = ${rounded(type, weighted("b1", loaded(type, "m", q), "c1", widened(type, `slope${q}`)))};`),
      ...each((q) => stored(type, "toM", q, `mean${q}`)),
      ...each((q) => `const meanSquare${q} = ${rounded(type, weighted("b2", loaded(type, "v", q), "c2", widened(type, `square${q}`)))};`),
      ...each((q) => stored(type, "toV", q, `meanSquare${q}`)),
      ...each((q) => `const ratio${q} = ${rounded(type, `f64x2.div(${widened(type, `meanSquare${q}`)}, c)`)};`),
      ...joined("ratio"),
      ...inType("root", (q) => `${vector}.sqrt(ratio${q})`),
      ...each((q) => `const scale${q} = ${rounded(type, `f64x2.add(${widened(type, `root${q}`)}, e)`)};`),
      ...joined("scale"),
      ...joined("mean"),
      ...inType("step", (q) => `${vector}.div(mean${q}, scale${q})`),
      ...each((q) => stored(type, "toX", q, rounded(type, `f64x2.add(${loaded(type, "x", q)}, f64x2.mul(w, ${widened(type, `step${q}`)}))`))),
    ],
  );
};

/** AssemblyScript source of the optimizers' steps for one type. */
export const updateSource = adam;
