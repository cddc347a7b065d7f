/**
 * @file Writes the elementwise kernels: loops over whole vectors, and one more vector for the last elements, so that an element has the same bits wherever
 * it stands. Nothing is read or written beyond the operands.
 */
import { lines, range, type Lanes } from "./types.js";

/** Loads and stores of the last n elements, fewer than a vector holds. */
export const partial = lines(
  `// @ts-ignore: decorator`,
  `@inline function loadPart64(p: usize, _n: i32): v128 { return v128.load64_zero(p); }`,
  `// @ts-ignore: decorator`,
  `@inline function storePart64(p: usize, v: v128, _n: i32): void { v128.store_lane<f64>(p, v, 0); }`,
  `function loadPart32(p: usize, n: i32): v128 {`,
  `  if (n == 1) return v128.load32_zero(p);`,
  `  const two = v128.load64_zero(p);`,
  `  return n == 2 ? two : v128.load_lane<f32>(p + 8, two, 2);`,
  `}`,
  `function storePart32(p: usize, v: v128, n: i32): void {`,
  `  if (n == 1) { v128.store_lane<f32>(p, v, 0); return; }`,
  `  v128.store_lane<f64>(p, v, 0);`,
  `  if (n == 3) v128.store_lane<f32>(p + 8, v, 2);`,
  `}`,
);

/** A short function: whole vectors, then the rest. */
const simpleUnary = ({ bits, lanes }: Lanes, name: string, f: (x: string) => string): string =>
  lines(
    `export function ${name}${bits}(n: i32, x: usize, out: usize): void {`,
    `  for (; n >= ${lanes}; n -= ${lanes}) { const v = v128.load(x); v128.store(out, ${f("v")}); x += 16; out += 16; }`,
    `  if (n > 0) { const v = loadPart${bits}(x, n); storePart${bits}(out, ${f("v")}, n); }`,
    `}`,
  );

/** A loop whose body, which is long, stands in the code once; or, `inFours`, five times, so that four vectors at a time hide each other's latency. */
const unary = ({ bits, lanes }: Lanes, name: string, f: (x: string) => string, parameter = "", inFours = false): string =>
  lines(
    `export function ${name}${bits}(n: i32, x: usize, out: usize${parameter}): void {`,
    inFours
      ? [
          `  for (; n >= ${4 * lanes}; n -= ${4 * lanes}) {`,
          ...range(4).map((q) => `    const v${q} = v128.load(x, ${16 * q});`),
          ...range(4).map((q) => `    const r${q} = ${f(`v${q}`)};`),
          ...range(4).map((q) => `    v128.store(out, r${q}, ${16 * q});`),
          `    x += 64; out += 64;`,
          `  }`,
        ]
      : [],
    `  while (n > 0) {`,
    `    const whole = n >= ${lanes};`,
    `    const v = whole ? v128.load(x) : loadPart${bits}(x, n);`,
    `    const r = ${f("v")};`,
    `    if (whole) v128.store(out, r); else storePart${bits}(out, r, n);`,
    `    x += 16; out += 16; n -= ${lanes};`,
    `  }`,
    `}`,
  );

const simple = ({ vector, scalar }: Lanes): Readonly<Record<string, (x: string) => string>> => {
  const c = (value: string): string => `${vector}.splat(<${scalar}>${value})`;
  const [zero, one] = [c("0"), c("1")];
  return {
    neg: (x) => `${vector}.neg(${x})`,
    square: (x) => `${vector}.mul(${x}, ${x})`,
    sqrt: (x) => `${vector}.sqrt(${x})`,
    reciprocal: (x) => `${vector}.div(${one}, ${x})`,
    abs: (x) => `${vector}.abs(${x})`,
    floor: (x) => `${vector}.floor(${x})`,
    // x where it is not <= 0, which NaN is not
    relu: (x) => `v128.andnot(${x}, ${vector}.le(${x}, ${zero}))`,
    step: (x) => `v128.bitselect(v128.and(${one}, ${vector}.gt(${x}, ${zero})), ${x}, ${vector}.eq(${x}, ${x}))`,
  };
};

const sign = ({ vector, scalar }: Lanes, x: string): string => {
  const c = (value: string): string => `${vector}.splat(<${scalar}>${value})`;
  return `v128.bitselect(v128.or(${c("1")}, v128.and(${x}, ${c("-0.0")})), ${x}, v128.or(${vector}.gt(${x}, ${c("0")}), ${vector}.lt(${x}, ${c("0")})))`;
};

const binaryOps = ["add", "sub", "mul", "div", "tanhSlope", "extreme"] as const;

/**
 * m rows of n elements; the operands' rows are `ra` and `rb` bytes apart, and along a row an operand has n elements (`ca`, `cb` true) or repeats one.
 * The extreme is the smaller for the sign 1, and the larger for −1: max(x, y) = −min(−x, −y), to the bit.
 */
const binary = ({ bits, lanes, vector, scalar, bytes, splat }: Lanes, op: string): string => {
  const infix: Readonly<Record<string, string>> = { add: "+", sub: "-", mul: "*", div: "/" };
  const scalarOp = (x: string, y: string): string =>
    op === "tanhSlope"
      ? `${x} * (1 - ${y} * ${y})`
      : op === "extreme"
        ? `sign * min<${scalar}>(sign * ${x}, sign * ${y})`
        : `${x} ${infix[op]} ${y}`;
  const vectorOp = (x: string, y: string): string =>
    op === "tanhSlope"
      ? `${vector}.mul(${x}, ${vector}.sub(${vector}.splat(1), ${vector}.mul(${y}, ${y})))`
      : op === "extreme"
        ? `${vector}.mul(signs, ${vector}.min(${vector}.mul(signs, ${x}), ${vector}.mul(signs, ${y})))`
        : `${vector}.${op}(${x}, ${y})`;
  const loop = (left: string, right: string): string =>
    `for (; i + ${lanes} <= n; i += ${lanes}) { const u = ${left}, v = ${right}; v128.store(out, ${vectorOp("u", "v")}); p += 16; q += 16; out += 16; }`;
  return lines(
    `export function ${op}${bits}(m: i32, n: i32, a: usize, ra: i32, ca: bool, b: usize, rb: i32, cb: bool, out: usize${op === "extreme" ? `, sign: ${scalar}` : ""}): void {`,
    op === "extreme" ? `  const signs = ${vector}.splat(sign);` : [],
    `  for (let row = 0; row < m; row++) {`,
    `    let i = 0, p = a, q = b;`,
    `    if (ca && cb) {`,
    `      ${loop("v128.load(p)", "v128.load(q)")}`,
    `    } else if (ca) {`,
    `      const s = ${splat}(q);`,
    `      ${loop("v128.load(p)", "s")}`,
    `      q = b;`,
    `    } else {`,
    `      const s = ${splat}(p);`,
    `      ${loop("s", "v128.load(q)")}`,
    `      p = a;`,
    `    }`,
    `    for (; i < n; i++) { const x = load<${scalar}>(p), y = load<${scalar}>(q); store<${scalar}>(out, ${scalarOp("x", "y")}); p += ca ? ${bytes} : 0; q += cb ? ${bytes} : 0; out += ${bytes}; }`,
    `    a += ra; b += rb;`,
    `  }`,
    `}`,
  );
};

/** x ∘ s or s ∘ x for float32 elements and a float64 number, in float64. */
const withNumber = (name: string, f: (x: string) => string): string =>
  lines(
    `export function ${name}Number32(n: i32, x: usize, number: f64, out: usize): void {`,
    `  const s = f64x2.splat(number);`,
    `  for (; n >= 2; n -= 2) {`,
    `    v128.store_lane<f64>(out, f32x4.demote_f64x2_zero(${f("f64x2.promote_low_f32x4(v128.load64_zero(x))")}), 0);`,
    `    x += 8; out += 8;`,
    `  }`,
    `  if (n > 0) v128.store_lane<f32>(out, f32x4.demote_f64x2_zero(${f("f64x2.promote_low_f32x4(v128.load32_zero(x))")}), 0);`,
    `}`,
  );

/**
 * xʸ for m rows of n pairs, in float64, whatever the operands' types: `wide` says float64, `ra` is the distance of rows and `sa` that of elements, in bytes,
 * 0 for one that repeats.
 */
const power = lines(
  `// @ts-ignore: decorator`,
  `@inline function widened(p: usize, wide: bool): f64 { return wide ? load<f64>(p) : <f64>load<f32>(p); }`,
  `export function power(m: i32, n: i32, a: usize, ra: i32, sa: i32, wideA: bool, b: usize, rb: i32, sb: i32, wideB: bool, out: usize, wide: bool): void {`,
  `  for (let row = 0; row < m; row++) {`,
  `    let p = a, q = b;`,
  `    for (let i = 0; i < n; i += 2) {`,
  `      const pair = i + 1 < n;`,
  `      const x = f64x2.replace_lane(f64x2.splat(widened(p, wideA)), 1, widened(pair ? p + sa : p, wideA));`,
  `      const y = f64x2.replace_lane(f64x2.splat(widened(q, wideB)), 1, widened(pair ? q + sb : q, wideB));`,
  `      const r = functions64.power(x, y);`,
  `      if (wide) {`,
  `        v128.store_lane<f64>(out, r, 0); out += 8;`,
  `        if (pair) { v128.store_lane<f64>(out, r, 1); out += 8; }`,
  `      } else {`,
  `        const s = f32x4.demote_f64x2_zero(r);`,
  `        v128.store_lane<f32>(out, s, 0); out += 4;`,
  `        if (pair) { v128.store_lane<f32>(out, s, 1); out += 4; }`,
  `      }`,
  `      p += 2 * sa; q += 2 * sb;`,
  `    }`,
  `    a += ra; b += rb;`,
  `  }`,
  `}`,
);

const conversions = lines(
  `export function promote(n: i32, x: usize, out: usize): void {`,
  `  for (; n >= 2; n -= 2) { v128.store(out, f64x2.promote_low_f32x4(v128.load64_zero(x))); x += 8; out += 16; }`,
  `  if (n > 0) store<f64>(out, <f64>load<f32>(x));`,
  `}`,
  `export function demote(n: i32, x: usize, out: usize): void {`,
  `  for (; n >= 2; n -= 2) { v128.store_lane<f64>(out, f32x4.demote_f64x2_zero(v128.load(x)), 0); x += 16; out += 8; }`,
  `  if (n > 0) store<f32>(out, <f32>load<f64>(x));`,
  `}`,
);

/**
 * out = base + Σ wⱼ xⱼ in one pass, in float64; `list` holds k float64 weights, then k addresses. Without a base the first product starts the sum.
 */
const weightedSum = ({ bits, bytes }: Lanes): string => {
  const load = (at: string): string => (bits === 64 ? `v128.load(${at})` : `f64x2.promote_low_f32x4(v128.load64_zero(${at}))`);
  const store = (at: string, v: string): string =>
    bits === 64 ? `v128.store(${at}, ${v})` : `v128.store_lane<f64>(${at}, f32x4.demote_f64x2_zero(${v}), 0)`;
  const chunk = (vectors: number): readonly string[] => [
    `  for (; i + ${2 * vectors} <= n; i += ${2 * vectors}) {`,
    `    const at: usize = i * ${bytes};`,
    ...range(vectors).map((q) => `    let s${q}: v128;`),
    `    if (hasBase) {`,
    ...range(vectors).map((q) => `      s${q} = ${load(`base + at + ${2 * q * bytes}`)};`),
    `    } else {`,
    `      const w = v128.load64_splat(list), x = <usize>load<u32>(addresses) + at;`,
    ...range(vectors).map((q) => `      s${q} = f64x2.mul(w, ${load(`x + ${2 * q * bytes}`)});`),
    `    }`,
    `    for (let j = first; j < k; j++) {`,
    `      const w = v128.load64_splat(list + 8 * j), x = <usize>load<u32>(addresses + 4 * j) + at;`,
    ...range(vectors).map((q) => `      s${q} = f64x2.add(s${q}, f64x2.mul(w, ${load(`x + ${2 * q * bytes}`)}));`),
    `    }`,
    ...range(vectors).map((q) => `    ${store(`out + at + ${2 * q * bytes}`, `s${q}`)};`),
    `  }`,
  ];
  const scalar = bits === 64 ? "f64" : "f32";
  return lines(
    `export function weightedSum${bits}(n: i32, hasBase: bool, base: usize, k: i32, list: usize, out: usize): void {`,
    `  const addresses = list + 8 * k, first = hasBase ? 0 : 1;`,
    `  let i = 0;`,
    chunk(4),
    chunk(1),
    `  if (i < n) {`,
    `    const at: usize = i * ${bytes};`,
    `    let s = hasBase ? <f64>load<${scalar}>(base + at) : load<f64>(list) * <f64>load<${scalar}>(<usize>load<u32>(addresses) + at);`,
    `    for (let j = first; j < k; j++) s += load<f64>(list + 8 * j) * <f64>load<${scalar}>(<usize>load<u32>(addresses + 4 * j) + at);`,
    `    store<${scalar}>(out + at, <${scalar}>s);`,
    `  }`,
    `}`,
  );
};


/** AssemblyScript source of the elementwise kernels of one type. */
export const elementwiseSource = (type: Lanes): string =>
  lines(
    Object.entries(simple(type)).map(([name, f]) => simpleUnary(type, name, f)),
    unary(type, "sign", (x) => sign(type, x)),
    type.bits === 64 ? ["exp", "expm1", "log", "log1p", "tanh"].map((name) => unary(type, name, (x) => `functions64.${name}(${x})`)) : [],
    type.bits === 32 ? unary(type, "tanh", (x) => `functions32.tanh(${x})`, "", true) : [],
    unary(type, "exponential", (x) => `functions${type.bits}.exponential(${x}, which)`, ", which: i32"),
    type.bits === 64 ? unary(type, "normal", (x) => `functions64.normal(${x}, isErf)`, ", isErf: i32") : [],
    type.bits === 64 ? unary(type, "sine", (x) => `functions64.sine(${x}, turns)`, ", turns: f64") : [],
    binaryOps.map((op) => binary(type, op)),
    weightedSum(type),
  );

/** What is not made twice. */
export const mixedSource = lines(
  conversions,
  power,
  withNumber("add", (x) => `f64x2.add(${x}, s)`),
  withNumber("mul", (x) => `f64x2.mul(${x}, s)`),
  withNumber("div", (x) => `f64x2.div(${x}, s)`),
  withNumber("subFrom", (x) => `f64x2.sub(s, ${x})`),
  withNumber("divide", (x) => `f64x2.div(s, ${x})`),
);
