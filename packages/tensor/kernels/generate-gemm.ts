/**
 * @file Writes the matrix products: register tiles of 4 × 2 vectors and of up to 8 × 1 vectors, all unrolled.
 *
 *   C[i, j] = Σₖ A[i, k] B[k, j], or F[i, j] + Σₖ A[i, k] B[k, j]         F is C, or a row that is added to all
 *
 * Both operands have a row and a column stride, so transposes are free. Every element, in every tile, is summed in ascending k from 0 by multiplications and
 * additions of the element type; where k is cut into blocks the sum goes on from its stored value, which is exact. So a row has the same bits in any batch.
 *
 * B is read in whole vectors, from a packed panel where its rows are not contiguous or far apart; what lies beyond its last column is read as well, and dropped: a
 * panel of C that is not whole vectors wide is computed in spare memory. A is packed in blocks of 4 rows where walking along its rows would touch another cache line
 * at every k and the block is used for several panels. Sixteen vector registers hold 8 sums, 2 of B and one of A.
 */
import { lines, range, type Lanes } from "./types.js";

const rowsOfWide = 4;

/**
 * One tile of `rows` × (`vectors` vectors), the rows of what is added to it ldf bytes apart; or, `inARow`, so many one below the other, each beginning in A `next`
 * bytes further.
 */
const tile = ({ bits, vector, splat }: Lanes, rows: number, vectors: number, inARow: boolean): string => {
  const each = (f: (r: number, q: number) => string): readonly string[] => range(rows).flatMap((r) => range(vectors).map((q) => f(r, q)));
  const at = (base: string, step: string, r: number): string => (r === 0 ? base : `${base} + ${step} * ${r}`);
  return lines(
    `function tile${bits}_${rows}x${vectors}(${inARow ? "count: i32, next: usize, " : ""}a: usize, ars: usize, acs: usize, b: usize, brs: usize, k: i32, c: usize, ldc: usize, mode: i32, from: usize, ldf: usize): void {`,
    inARow ? `  do {` : [],
    each((r, q) => `  let s${r}_${q} = ${vector}.splat(0);`),
    `  if (mode & CONTINUE) {`,
    each((r, q) => `    s${r}_${q} = v128.load(${at("c", "ldc", r)}, ${16 * q});`),
    `  }`,
    `  let at = b;`,
    range(rows).map((r) => `  let a${r}: usize = ${at("a", "ars", r)};`),
    `  for (let p = 0; p < k; p++) {`,
    range(vectors).map((q) => `    const b${q} = v128.load(at, ${16 * q});`),
    `    at += brs;`,
    range(rows).flatMap((r) => [
      `    const v${r} = ${splat}(a${r}); a${r} += acs;`,
      ...range(vectors).map((q) => `    s${r}_${q} = ${vector}.add(s${r}_${q}, ${vector}.mul(v${r}, b${q}));`),
    ]),
    `  }`,
    `  if (mode & ADD) {`,
    each((r, q) => `    s${r}_${q} = ${vector}.add(v128.load(${at("from", "ldf", r)}, ${16 * q}), s${r}_${q});`),
    `  }`,
    each((r, q) => `  v128.store(${at("c", "ldc", r)}, s${r}_${q}, ${16 * q});`),
    inARow ? [`  a += next; c += ldc * ${rows}; from += ldf * ${rows};`, `  } while (--count);`] : [],
    `}`,
  );
};

/** Copies the first n columns of a panel of C. */
const copyPanel = ({ bits, bytes }: Lanes): string =>
  lines(
    `function copyPanel${bits}(from: usize, fromStep: usize, to: usize, toStep: usize, rows: i32, n: i32): void {`,
    `  for (let r = 0; r < rows; r++) {`,
    bytes === 8
      ? `    for (let j = 0; j < n; j++) store<i64>(to + 8 * j, load<i64>(from + 8 * j));`
      : lines(
          `    let j = 0;`,
          `    for (; j + 2 <= n; j += 2) store<i64>(to + 4 * j, load<i64>(from + 4 * j));`,
          `    if (j < n) store<i32>(to + 4 * j, load<i32>(from + 4 * j));`,
        ),
    `    from += fromStep; to += toStep;`,
    `  }`,
    `}`,
  );

/** Copies a panel of B, `width` columns of which n exist, to consecutive rows; the columns that do not exist are not looked at. */
const packB = ({ bits, scalar, lanes, bytes }: Lanes): string =>
  lines(
    `function packB${bits}(b: usize, brs: usize, bcs: usize, k: i32, n: i32, width: i32, to: usize): void {`,
    `  if (n == ${2 * lanes} && bcs == ${bytes}) {`,
    `    for (let p = 0; p < k; p++) { v128.store(to, v128.load(b)); v128.store(to, v128.load(b, 16), 16); to += 32; b += brs; }`,
    `  } else if (n == ${2 * lanes}) {`,
    range(2 * lanes - 1).map((q) => `    const b${q + 1} = bcs * ${q + 1};`),
    `    for (let p = 0; p < k; p++) {`,
    range(2 * lanes).map((q) => `      store<${scalar}>(to, load<${scalar}>(b${q === 0 ? "" : ` + b${q}`}), ${q * bytes});`),
    `      to += 32; b += brs;`,
    `    }`,
    `  } else {`,
    `    for (let p = 0; p < k; p++) {`,
    `      for (let j = 0; j < n; j++) store<${scalar}>(to + j * ${bytes}, load<${scalar}>(b + j * bcs));`,
    `      to += width * ${bytes}; b += brs;`,
    `    }`,
    `  }`,
    `}`,
  );

/** Copies rows of A in blocks of 4, element (r, p) of a block at 4p + r. */
const packA = ({ bits, scalar, bytes }: Lanes): string =>
  lines(
    `function packA${bits}(a: usize, ars: usize, acs: usize, m: i32, k: i32, to: usize): void {`,
    `  for (let i = 0; i < m; i += ${rowsOfWide}) {`,
    `    const rows = min(${rowsOfWide}, m - i);`,
    `    let from = a + i * ars;`,
    `    if (rows == ${rowsOfWide} && ars == ${bytes}) {`,
    bytes === 4
      ? `      for (let p = 0; p < k; p++) { v128.store(to, v128.load(from)); to += 16; from += acs; }`
      : `      for (let p = 0; p < k; p++) { v128.store(to, v128.load(from)); v128.store(to, v128.load(from, 16), 16); to += 32; from += acs; }`,
    `    } else {`,
    `      for (let p = 0; p < k; p++) {`,
    `        for (let r = 0; r < rows; r++) store<${scalar}>(to + r * ${bytes}, load<${scalar}>(from + r * ars));`,
    `        to += ${rowsOfWide * bytes}; from += acs;`,
    `      }`,
    `    }`,
    `  }`,
    `}`,
  );

const product = (type: Lanes): string => {
  const { bits, lanes, bytes } = type;
  const operands = `a + i * ats, ars, acs, panel, panelStride, k, cj + i * ldc, ldc, mode, fj + i * ldf, ldf`;
  const many = (rows: number, vectors: number): string =>
    `if (m - i >= ${rows}) { tile${bits}_${rows}x${vectors}((m - i) / ${rows}, ats * ${rows}, ${operands}); i = m - (m - i) % ${rows}; }`;
  const rest = (vectors: number): string => `switch (m - i) { ${[1, 2, 3].map((rows) => `case ${rows}: tile${bits}_${rows}x${vectors}(${operands}); break;`).join(" ")} }`;
  return lines(
    `/** All rows of one panel; rows i, i + 1, ... of a tile begin at a + i ats. */`,
    `// @ts-ignore: decorator`,
    `@inline function panel${bits}(m: i32, k: i32, a: usize, ats: usize, ars: usize, acs: usize, panel: usize, panelStride: usize, cj: usize, ldc: usize, mode: i32, fj: usize, ldf: usize, wide: bool, packed: bool): void {`,
    `  let i = 0;`,
    `  if (wide) {`,
    `    ${many(4, 2)}`,
    `    ${rest(2)}`,
    `  } else {`,
    `    if (!packed) ${many(8, 1)}`,
    `    for (; i + 4 <= m; i += 4) tile${bits}_4x1(${operands});`,
    `    ${rest(1)}`,
    `  }`,
    `}`,
    `export function gemm${bits}(m: i32, k: i32, n: i32, A: usize, ars: usize, acs: usize, B: usize, brs: usize, bcs: usize, C: usize, F: usize, scratch: usize): void {`,
    `  ars *= ${bytes}; acs *= ${bytes}; brs *= ${bytes}; bcs *= ${bytes};`,
    `  const ldc: usize = n * ${bytes}, own = F == C;`,
    `  const packed = acs >= LONG_STRIDE && k >= LONG_SUM && n >= ${4 * lanes};`,
    `  const blockM = packed ? BLOCK_M : MOST_ROWS, blockK = own ? k : BLOCK_K;`,
    `  const spare = scratch + 32, packedB = spare + min(m, blockM) * 32, packedA = packedB + max(min(k, blockK), 64) * 32;`,
    `  let p = 0;`,
    `  do {`,
    `    const kc = min(k - p, blockK);`,
    `    const mode = (p > 0 ? CONTINUE : 0) | (F + 1 && p + kc == k ? ADD : 0);`,
    `    for (let i = 0; i < m; i += blockM) {`,
    `      const mc = min(m - i, blockM);`,
    `      let a = A + p * acs + i * ars, ats = ars, as = ars, ac = acs;`,
    `      if (packed) { packA${bits}(a, ars, acs, mc, kc, packedA); a = packedA; ats = kc * ${bytes}; as = ${bytes}; ac = ${4 * bytes}; }`,
    `      for (let j = 0; j < n;) {`,
    `        const wide = n - j > ${lanes};`,
    `        const width = wide ? ${2 * lanes} : ${lanes};`,
    `        const nc = min(n - j, width);`,
    `        let b = B + p * brs + j * bcs, bs = brs;`,
    `        if (bcs != ${bytes} || (mc > 12 && kc * brs > 16384)) { packB${bits}(b, brs, bcs, kc, nc, width, packedB); b = packedB; bs = width * ${bytes}; }`,
    `        const cj = C + i * ldc + j * ${bytes}, partial = nc < width;`,
    `        let to = cj, ld = ldc, from = own ? cj : F + j * ${bytes};`,
    `        if (partial) {`,
    `          to = spare; ld = width * ${bytes};`,
    `          if (own || p > 0) copyPanel${bits}(cj, ldc, to, ld, mc, nc);`,
    `          if (own) from = to;`,
    `          else if (mode & ADD) { copyPanel${bits}(from, 0, scratch, 0, 1, nc); from = scratch; }`,
    `        }`,
    `        panel${bits}(mc, kc, a, ats, as, ac, b, bs, to, ld, mode, from, own ? ld : 0, wide, packed);`,
    `        if (partial) copyPanel${bits}(to, ld, cj, ldc, mc, nc);`,
    `        j += width;`,
    `      }`,
    `    }`,
    `    p += blockK;`,
    `  } while (p < k);`,
    `}`,
  );
};

/** AssemblyScript source of gemm32 and gemm64. */
export const gemmSource = (type: Lanes): string =>
  lines(
    copyPanel(type),
    range(rowsOfWide).map((r) => tile(type, r + 1, 2, r + 1 === rowsOfWide)),
    [1, 2, 3, 4, 8].map((r) => tile(type, r, 1, r === 8)),
    packB(type),
    packA(type),
    product(type),
  );

/** Constants that both element types share. */
export const gemmConstants = lines(
  `const ADD = 1, CONTINUE = 2;`,
  `const BLOCK_M = 128, MOST_ROWS = 1024, BLOCK_K = 1024, LONG_STRIDE: usize = 256, LONG_SUM = 64;`,
);
