/**
 * @file A seeded training whose every bit is a promise: a small neural ODE, adaptive steps, the discrete adjoint with few checkpoints, Adam; in both float types.
 *
 * FNV-1a, h ← (h xor byte) · 16777619 mod 2³², over the bytes of losses and parameters: G. Fowler, L. C. Noll, K.-P. Vo, draft-eastlake-fnv, section 2.
 */
import { revolve } from "@dydt/autodiff";
import { adam, mlp, train } from "@dydt/models";
import { adaptive, discreteAdjoint, solve, tsit5 } from "@dydt/ode";
import { leavesOf, random, tensor, type Dtype } from "@dydt/tensor";

const hashBytes = (bytes: Uint8Array, start: number): number => bytes.reduce((hash, byte) => Math.imul(hash ^ byte, 16777619), start);

const bytesOf = (array: ArrayBufferView): Uint8Array => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

/** Hash of ten iterations from seed 0 in one float type. */
const hashTraining = async (dtype: Dtype): Promise<number> => {
  const net = mlp([2, 16, 2], { activation: "tanh", dtype });
  const y0 = random(1).normal([5, 2], { dtype });
  const target = y0.mul(tensor([0.5, -0.5], { dtype }));
  const end = (p: ReturnType<typeof net.init>) =>
    solve((_t, y) => net.apply(p, y), y0, {
      t0: 0,
      t1: 1,
      solver: tsit5(),
      controller: adaptive(),
      adjoint: discreteAdjoint({ checkpoints: revolve(3) }),
    }).y1;
  const { parameters, losses } = await train((p) => end(p).sub(target).square().mean(), net.init(random(0)), { optimizer: adam(0.02), steps: 10 });
  return leavesOf(parameters).reduce((hash, leaf) => hashBytes(bytesOf(leaf.data), hash), hashBytes(bytesOf(Float64Array.from(losses)), 0x811c9dc5));
};

/** Sixteen hexadecimal digits: float64, then float32. */
export const goldenRun = async (): Promise<string> =>
  [await hashTraining("float64"), await hashTraining("float32")].map((hash) => (hash >>> 0).toString(16).padStart(8, "0")).join("");
