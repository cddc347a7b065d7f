/** @file The two element types that kernels are generated for. */

/** Names and sizes of one element type. */
export interface Lanes {
  readonly bits: 32 | 64;
  /** The scalar type and its SIMD namespace. */
  readonly scalar: "f32" | "f64";
  readonly vector: "f32x4" | "f64x2";
  /** Elements in a vector, and bytes of one. */
  readonly lanes: number;
  readonly bytes: number;
  /** The instruction that loads one element into every lane. */
  readonly splat: string;
}

export const float32: Lanes = { bits: 32, scalar: "f32", vector: "f32x4", lanes: 4, bytes: 4, splat: "v128.load32_splat" };
export const float64: Lanes = { bits: 64, scalar: "f64", vector: "f64x2", lanes: 2, bytes: 8, splat: "v128.load64_splat" };

/** 0, 1, ..., n − 1. */
export const range = (n: number): readonly number[] => Array.from({ length: n }, (_, i) => i);

/** `join` of a list of lines. */
export const lines = (...parts: readonly (string | readonly string[])[]): string => parts.flat().join("\n");
