/**
 * @file Writes comparisons and selections: eight elements at a time, for at least eight. The last eight of a row overlap those before them, so there is no other
 * loop for what is left. An operand advances by `sa` bytes an element, or by 0 where one number, written eight times, repeats.
 */
import { lines, range, type Lanes } from "./types.js";

/** `f` of each of the vectors that eight elements fill. */
const vectors = ({ lanes }: Lanes, f: (q: number) => string): readonly string[] => range(8 / lanes).map(f);

const loads = (type: Lanes, name: string): readonly string[] => vectors(type, (q) => `    const ${name}${q} = v128.load(${name} + i * s${name}, ${16 * q});`);

const comparisons = ["eq", "lt", "le"] as const;

/** Results are bytes; `op` is 0, 1, 2 for =, <, ≤, and 3 for ≠. */
const compare = (type: Lanes): string => {
  const { bits, vector } = type;
  const narrow = (x: string, y: string): string => `i16x8.narrow_i32x4_s(${x}, ${y})`;
  return lines(
    `export function compare${bits}(op: i32, n: i32, a: usize, sa: usize, b: usize, sb: usize, out: usize): void {`,
    `  const flip = i8x16.splat(op == 3 ? -1 : 0);`,
    `  for (let at = 0; at < n; at += 8) {`,
    `    const i: usize = min(at, n - 8);`,
    loads(type, "a"),
    loads(type, "b"),
    `    let ${vectors(type, (q) => `m${q}: v128`).join(", ")};`,
    `    switch (op) {`,
    comparisons.slice(1).map((op, i) => `      case ${i + 1}: ${vectors(type, (q) => `m${q} = ${vector}.${op}(a${q}, b${q});`).join(" ")} break;`),
    `      default: ${vectors(type, (q) => `m${q} = ${vector}.eq(a${q}, b${q});`).join(" ")}`,
    `    }`,
    `    const wide = ${bits === 64 ? narrow(narrow("m0", "m1"), narrow("m2", "m3")) : narrow("m0", "m1")};`,
    `    const mask = v128.xor(flip, i8x16.narrow_i16x8_s(wide, wide));`,
    `    v128.store64_lane(out + i, v128.and(mask, i8x16.splat(1)), 0);`,
    `  }`,
    `}`,
  );
};

/** Elements of a where the byte is not 0, else those of b. */
const where = (type: Lanes): string => {
  const { bits } = type;
  const half = (q: number): string => (q % 2 === 0 ? "low" : "high");
  const mask = (q: number): string =>
    bits === 32 ? `i32x4.extend_${half(q)}_i16x8_s(wide)` : `i64x2.extend_${half(q)}_i32x4_s(i32x4.extend_${half(q >> 1)}_i16x8_s(wide))`;
  return lines(
    `export function where${bits}(n: i32, condition: usize, a: usize, sa: usize, b: usize, sb: usize, out: usize): void {`,
    `  for (let at = 0; at < n; at += 8) {`,
    `    const i: usize = min(at, n - 8);`,
    `    const wide = i16x8.extend_low_i8x16_s(i8x16.ne(v128.load64_zero(condition + i), i8x16.splat(0)));`,
    loads(type, "a"),
    loads(type, "b"),
    `    const to = out + i * ${type.bytes};`,
    vectors(type, (q) => `    v128.store(to, v128.bitselect(a${q}, b${q}, ${mask(q)}), ${16 * q});`),
    `  }`,
    `}`,
  );
};

/** AssemblyScript source of comparisons and selections of one type. */
export const maskSource = (type: Lanes): string => lines(compare(type), where(type));
