/**
 * @file Writes the reductions. Sums along an axis are taken in ascending order, in float64 for both types, several results at a time; sums of a whole tensor to
 * a JavaScript number have four partial sums, of the elements with index ≡ 0, 1, 2, 3 (mod 4), added as (s₀ + s₂) + (s₁ + s₃).
 */
import { lines, range, type Lanes } from "./types.js";

/** Two elements as float64 lanes. */
const pair = ({ bits }: Lanes, at: string): string => (bits === 64 ? `v128.load(${at})` : `f64x2.promote_low_f32x4(v128.load64_zero(${at}))`);

/** Reads [outer, length, inner], writes [outer, inner]. */
const sum = (type: Lanes): string => {
  const { bits, scalar, bytes } = type;
  const store = (at: string, v: string): string =>
    bits === 64 ? `v128.store(${at}, ${v})` : `v128.store_lane<f64>(${at}, f32x4.demote_f64x2_zero(${v}), 0)`;
  const columns = (vectors: number): readonly string[] => [
    `    for (; i + ${2 * vectors} <= inner; i += ${2 * vectors}) {`,
    ...range(vectors).map((q) => `      let s${q} = f64x2.splat(0);`),
    `      let p: usize = x + i * ${bytes};`,
    `      for (let j = 0; j < length; j++) {`,
    ...range(vectors).map((q) => `        s${q} = f64x2.add(s${q}, ${pair(type, `p + ${2 * q * bytes}`)});`),
    `        p += row;`,
    `      }`,
    ...range(vectors).map((q) => `      ${store(`out + i * ${bytes} + ${2 * q * bytes}`, `s${q}`)};`),
    `    }`,
  ];
  const rows = (count: number): readonly string[] => [
    `    for (; o + ${count} <= outer; o += ${count}) {`,
    ...range(count).map((q) => `      let s${q}: f64 = 0;`),
    `      for (let j = 0; j < length; j++) {`,
    ...range(count).map((q) => `        s${q} += <f64>load<${scalar}>(x + <usize>(j * ${bytes})${q === 0 ? "" : ` + ${q} * line`});`),
    `      }`,
    ...range(count).map((q) => `      store<${scalar}>(out, <${scalar}>s${q}, ${q * bytes});`),
    `      x += ${count} * line; out += ${count * bytes};`,
    `    }`,
  ];
  return lines(
    `export function sum${bits}(outer: i32, length: i32, inner: i32, x: usize, out: usize): void {`,
    `  const row: usize = inner * ${bytes};`,
    `  if (inner == 1) {`,
    `    const line: usize = length * ${bytes};`,
    `    let o = 0;`,
    rows(4),
    rows(1),
    `    return;`,
    `  }`,
    `  for (let o = 0; o < outer; o++) {`,
    `    let i = 0;`,
    columns(4),
    columns(1),
    `    if (i < inner) {`,
    `      let s: f64 = 0, p: usize = x + i * ${bytes};`,
    `      for (let j = 0; j < length; j++) { s += <f64>load<${scalar}>(p); p += row; }`,
    `      store<${scalar}>(out + i * ${bytes}, <${scalar}>s);`,
    `    }`,
    `    x += length * row; out += row;`,
    `  }`,
    `}`,
  );
};

/** The smallest for the sign 1, or the largest for −1, as −min(−x); in any order, which gives the same result. */
const extreme = ({ bits, scalar, vector, lanes, bytes }: Lanes): string =>
  lines(
    `export function extremeOf${bits}(outer: i32, length: i32, inner: i32, x: usize, out: usize, sign: ${scalar}): void {`,
    `  const row: usize = inner * ${bytes}, signs = ${vector}.splat(sign);`,
    `  for (let o = 0; o < outer; o++) {`,
    `    let i = 0;`,
    `    if (inner == 1) {`,
    `      let v = ${vector}.splat(Infinity), p = x, j = 0;`,
    `      for (; j + ${lanes} <= length; j += ${lanes}) { v = ${vector}.min(v, ${vector}.mul(signs, v128.load(p))); p += 16; }`,
    `      let s: ${scalar} = ${range(lanes).reduce((all, q) => (all === "" ? `${vector}.extract_lane(v, ${q})` : `min<${scalar}>(${all}, ${vector}.extract_lane(v, ${q}))`), "")};`,
    `      for (; j < length; j++) { s = min<${scalar}>(s, sign * load<${scalar}>(p)); p += ${bytes}; }`,
    `      store<${scalar}>(out, sign * s);`,
    `    } else {`,
    `      for (; i + ${lanes} <= inner; i += ${lanes}) {`,
    `        let v = ${vector}.splat(Infinity), p: usize = x + i * ${bytes};`,
    `        for (let j = 0; j < length; j++) { v = ${vector}.min(v, ${vector}.mul(signs, v128.load(p))); p += row; }`,
    `        v128.store(out + i * ${bytes}, ${vector}.mul(signs, v));`,
    `      }`,
    `      for (; i < inner; i++) {`,
    `        let s: ${scalar} = Infinity, p: usize = x + i * ${bytes};`,
    `        for (let j = 0; j < length; j++) { s = min<${scalar}>(s, sign * load<${scalar}>(p)); p += row; }`,
    `        store<${scalar}>(out + i * ${bytes}, sign * s);`,
    `      }`,
    `    }`,
    `    x += length * row; out += row;`,
    `  }`,
    `}`,
  );

/** Four partial sums of f over operands of n elements; `f` gets loads of two elements at an index, or of one. */
const total = (type: Lanes, name: string, parameters: string, operands: readonly string[], prepare: string, f: (load: (p: string) => string) => string): string => {
  const { bits, bytes } = type;
  const single = (p: string): string => (bits === 64 ? `v128.load64_zero(${p})` : `f64x2.promote_low_f32x4(v128.load32_zero(${p}))`);
  const advance = (elements: number): string => operands.map((p) => `${p} += ${elements * bytes};`).join(" ");
  return lines(
    `export function ${name}${bits}(n: i32, ${parameters}): f64 {`,
    `  ${prepare}`,
    `  let s01 = f64x2.splat(0), s23 = f64x2.splat(0);`,
    `  for (; n >= 4; n -= 4) {`,
    `    s01 = f64x2.add(s01, ${f((p) => pair(type, p))});`,
    `    s23 = f64x2.add(s23, ${f((p) => pair(type, `${p} + ${2 * bytes}`))});`,
    `    ${advance(4)}`,
    `  }`,
    `  if (n >= 2) { s01 = f64x2.add(s01, ${f((p) => pair(type, p))}); ${advance(2)} }`,
    `  if (n & 1) {`,
    `    const one = f64x2.extract_lane(${f(single)}, 0);`,
    `    if (n == 1) s01 = f64x2.replace_lane(s01, 0, f64x2.extract_lane(s01, 0) + one);`,
    `    else s23 = f64x2.replace_lane(s23, 0, f64x2.extract_lane(s23, 0) + one);`,
    `  }`,
    `  const s = f64x2.add(s01, s23);`,
    `  return f64x2.extract_lane(s, 0) + f64x2.extract_lane(s, 1);`,
    `}`,
  );
};

const innerProduct = (type: Lanes): string =>
  total(type, "innerProduct", "x: usize, y: usize", ["x", "y"], "", (load) => `f64x2.mul(${load("x")}, ${load("y")})`);

const scaledSquares = (type: Lanes): string =>
  total(
    type,
    "scaledSquares",
    "e: usize, y0: usize, y1: usize, rtol: f64, atol: f64",
    ["e", "y0", "y1"],
    "const r = f64x2.splat(rtol), a = f64x2.splat(atol);",
    (load) => `scaledSquare(${load("e")}, ${load("y0")}, ${load("y1")}, r, a)`,
  );

const firstNonFinite = ({ bits, scalar, vector, lanes, bytes }: Lanes): string =>
  lines(
    `export function firstNonFinite${bits}(n: i32, x: usize): i32 {`,
    `  let i = 0;`,
    `  for (; i + ${lanes} <= n; i += ${lanes}) {`,
    `    if (!${bits === 64 ? "i64x2" : "i32x4"}.all_true(${vector}.lt(${vector}.abs(v128.load(x + i * ${bytes})), ${vector}.splat(Infinity)))) break;`,
    `  }`,
    `  for (; i < n; i++) if (!(abs<${scalar}>(load<${scalar}>(x + i * ${bytes})) < Infinity)) return i;`,
    `  return -1;`,
    `}`,
  );

/** The square of e / (atol + rtol max(|y0|, |y1|)); an e of exactly zero gives zero. */
export const reduceHelpers = lines(
  `// @ts-ignore: decorator`,
  `@inline function scaledSquare(e: v128, y0: v128, y1: v128, rtol: v128, atol: v128): v128 {`,
  `  const scale = f64x2.add(atol, f64x2.mul(rtol, f64x2.max(f64x2.abs(y0), f64x2.abs(y1))));`,
  `  const ratio = v128.andnot(f64x2.div(e, scale), f64x2.eq(e, f64x2.splat(0)));`,
  `  return f64x2.mul(ratio, ratio);`,
  `}`,
);

/** AssemblyScript source of the reductions of one type. */
export const reduceSource = (type: Lanes): string =>
  lines(sum(type), extreme(type), innerProduct(type), scaledSquares(type), firstNonFinite(type));
