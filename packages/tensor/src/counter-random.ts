/**
 * @file Random numbers as a pure function of (key, position): the counter-based generator Philox 4×32-10 and what is drawn from it.
 *
 *   one round: (x₀, x₁, x₂, x₃) → (high(M₁ x₂) ⊕ x₁ ⊕ k₀, low(M₁ x₂), high(M₀ x₀) ⊕ x₃ ⊕ k₁, low(M₀ x₀)),  M₀ = D2511F53, M₁ = CD9E8D57
 *   ten rounds; between two of them (k₀, k₁) += (9E3779B9, BB67AE85)
 *   J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, Parallel random numbers: as easy as 1, 2, 3, SC'11, section 4.4
 *   normals: r = √(−2 ln u), (r cos 2πv, r sin 2πv), u in (0, 1]          G. E. P. Box, M. E. Muller, Ann. Math. Stat. 29, 1958, 610–611
 *   whole numbers below n: w mod n for w < 2³² − (2³² mod n), other w are thrown away, so every number is equally likely
 *
 * A position counts blocks of four words. Position p of purpose q has the counter (p mod 2³², ⌊p / 2³²⌋, 0, q), so numbers and keys never share a block.
 */
import { log } from "./backend/logarithm.js";
import { cos, sin } from "./backend/trigonometric.js";
import { OptionError } from "./errors.js";

/** The key of a stream: two unsigned words. */
export type Key = readonly [number, number];
/** Four unsigned words: a counter, or what Philox makes of it. */
export type Block = readonly [number, number, number, number];

const MULTIPLIER_0 = 0xd2511f53;
const MULTIPLIER_1 = 0xcd9e8d57;
const WEYL_0 = 0x9e3779b9;
const WEYL_1 = 0xbb67ae85;
const TWO_32 = 4294967296;
const TWO_24 = 16777216;
const TWO_MINUS_53 = 1.1102230246251565e-16;
const TWO_PI = 6.283185307179586;

/** What a block is drawn for: the last word of its counter. */
const NUMBERS = 0;
const KEYS = 1;

/** The upper 32 bits of the product of two unsigned words, from products of their halves. */
const highProduct = (a: number, b: number): number => {
  const aHigh = a >>> 16;
  const aLow = a & 0xffff;
  const bHigh = b >>> 16;
  const bLow = b & 0xffff;
  const middle = (Math.imul(aHigh, bLow) + (Math.imul(aLow, bLow) >>> 16)) >>> 0;
  const other = (Math.imul(aLow, bHigh) + (middle & 0xffff)) >>> 0;
  return (Math.imul(aHigh, bHigh) + (middle >>> 16) + (other >>> 16)) >>> 0;
};

/** Writes the four words of the counter (c0, c1, c2, c3) under `key` into `words`. */
const encrypt = (key: Key, c0: number, c1: number, c2: number, c3: number, words: Uint32Array): void => {
  let [k0, k1] = key;
  let x0 = c0;
  let x1 = c1;
  let x2 = c2;
  let x3 = c3;
  for (let round = 0; round < 10; round++) {
    const y0 = highProduct(MULTIPLIER_1, x2) ^ x1 ^ k0;
    const y2 = highProduct(MULTIPLIER_0, x0) ^ x3 ^ k1;
    x1 = Math.imul(MULTIPLIER_1, x2);
    x3 = Math.imul(MULTIPLIER_0, x0);
    x0 = y0;
    x2 = y2;
    k0 = (k0 + WEYL_0) | 0;
    k1 = (k1 + WEYL_1) | 0;
  }
  words[0] = x0;
  words[1] = x1;
  words[2] = x2;
  words[3] = x3;
};

/** The block at `position` for `purpose`. */
const drawBlock = (key: Key, position: number, purpose: number, words: Uint32Array): void =>
  encrypt(key, position >>> 0, Math.floor(position / TWO_32), 0, purpose, words);

/** Philox 4×32-10: four random words, a bijection of `counter` for each `key`. */
export const philox = (key: Key, counter: Block): Block => {
  const words = new Uint32Array(4);
  encrypt(key, ...counter, words);
  return [words[0]!, words[1]!, words[2]!, words[3]!];
};

/**
 * The key of a seed; different seeds have different keys.
 *
 * @param seed - a safe integer, negative ones included.
 * @throws OptionError for anything else.
 */
export const keyFromSeed = (seed: number): Key => {
  if (!Number.isSafeInteger(seed))
    throw new OptionError(`a seed is a whole number from −(2⁵³ − 1) to 2⁵³ − 1, got ${String(seed)}; try Math.floor(seed)`);
  return [seed >>> 0, Math.floor(seed / TWO_32) >>> 0];
};

/**
 * `n` new keys, whose streams have nothing in common with that of `key` nor with each other.
 *
 * @param position - which set of keys: each position has its own ones, whatever else was drawn there.
 * @param n - how many.
 */
export const splitKey = (key: Key, position: number, n: number): Key[] =>
  Array.from({ length: n }, (_, i) => {
    const [k0, k1] = philox(key, [position >>> 0, Math.floor(position / TWO_32), i, KEYS]);
    return [k0, k1] as const;
  });

/** A number in [0, 1) of 53 bits. */
const uniform53 = (high: number, low: number): number => ((high >>> 5) * 67108864 + (low >>> 6)) * TWO_MINUS_53;

/**
 * Fills `out` with numbers of [0, 1): 53 random bits each in a Float64Array (two per block), 24 in a Float32Array (four per block).
 *
 * @returns the position after the last block used.
 */
export const uniforms = (key: Key, position: number, out: Float64Array | Float32Array): number => {
  const words = new Uint32Array(4);
  const perBlock = out instanceof Float64Array ? 2 : 4;
  let next = position;
  for (let i = 0; i < out.length; i += perBlock) {
    drawBlock(key, next++, NUMBERS, words);
    // Writes past the end of a typed array are ignored.
    if (perBlock === 2) {
      out[i] = uniform53(words[0]!, words[1]!);
      out[i + 1] = uniform53(words[2]!, words[3]!);
    } else for (let j = 0; j < 4; j++) out[i + j] = (words[j]! >>> 8) / TWO_24;
  }
  return next;
};

/** Writes two independent normals made of u in (0, 1] and v in [0, 1). */
const boxMuller = (u: number, v: number, out: Float64Array | Float32Array, at: number): void => {
  const radius = Math.sqrt(-2 * log(u));
  const angle = TWO_PI * v;
  out[at] = radius * cos(angle);
  out[at + 1] = radius * sin(angle);
};

/**
 * Fills `out` with standard normal numbers: two per block in a Float64Array, four (from 32 bits each) in a Float32Array.
 *
 * @returns the position after the last block used.
 */
export const normals = (key: Key, position: number, out: Float64Array | Float32Array): number => {
  const words = new Uint32Array(4);
  const perBlock = out instanceof Float64Array ? 2 : 4;
  let next = position;
  for (let i = 0; i < out.length; i += perBlock) {
    drawBlock(key, next++, NUMBERS, words);
    if (perBlock === 2) boxMuller(1 - uniform53(words[0]!, words[1]!), uniform53(words[2]!, words[3]!), out, i);
    else for (let j = 0; j < 4; j += 2) boxMuller((words[j]! + 1) / TWO_32, words[j + 1]! / TWO_32, out, i + j);
  }
  return next;
};

/**
 * The numbers 0 to n − 1 in random order, each order equally likely (R. A. Fisher, F. Yates; D. E. Knuth, TAOCP vol. 2, 3.4.2, algorithm P).
 *
 * @returns `order`, int32 `[n]`, and `next`, the position after the last block used.
 */
export const permutation = (key: Key, position: number, n: number): { readonly order: Int32Array; readonly next: number } => {
  const order = Int32Array.from({ length: n }, (_, i) => i);
  const words = new Uint32Array(4);
  let next = position;
  let used = 4;
  const below = (bound: number): number => {
    for (;;) {
      if (used === 4) {
        drawBlock(key, next++, NUMBERS, words);
        used = 0;
      }
      const word = words[used++]!;
      if (word < TWO_32 - (TWO_32 % bound)) return word % bound;
    }
  };
  for (let i = n - 1; i > 0; i--) {
    const j = below(i + 1);
    const other = order[j]!;
    order[j] = order[i]!;
    order[i] = other;
  }
  return { order, next };
};
