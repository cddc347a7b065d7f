/**
 * @file W7: classical small systems, solved at rtol 1e-6 and atol 1e-8.
 *
 *   Lotka–Volterra  y₁′ = 1.5 y₁ − y₁ y₂,  y₂′ = −3 y₂ + y₁ y₂,  y(0) = (1, 1),  t to 10
 *   Lorenz          y₁′ = 10 (y₂ − y₁),  y₂′ = y₁ (28 − y₃) − y₂,  y₃′ = y₁ y₂ − 8/3 y₃,  y(0) = (1, 1, 1),  t to 20
 *   Pleiades        xᵢ″ = Σ_{j≠i} j (xⱼ − xᵢ) / |xⱼ − xᵢ|³ in the plane, i = 1 … 7,  t to 3
 *   Arenstorf       the restricted three-body problem of moon, earth and satellite, an orbit of four loops,  t to one period
 *
 * Lorenz's system is chaotic, and Arenstorf's orbit amplifies errors 2·10⁶-fold: where they end only the cost can be compared, so their values are checked before.
 * E. Hairer, S. P. Nørsett, G. Wanner, Solving Ordinary Differential Equations I, 2nd ed., 1993, II.10.
 */
import { concat, eye, stack, tensor, type Tensor } from "@dydt/tensor";

/** A small system, as tensor operations and as numbers. */
export interface ClassicSystem {
  readonly name: string;
  readonly field: (t: Tensor, y: Tensor) => Tensor;
  /** Writes the slope to `dy`. */
  readonly write: (t: number, y: ArrayLike<number>, dy: Float64Array | number[]) => void;
  /** Returns the slope. */
  readonly plain: (t: number, y: readonly number[]) => number[];
  readonly y0: readonly number[];
  readonly t1: number;
  /** A time, and the exact state there. */
  readonly check: { readonly t: number; readonly y: readonly number[] };
}

type Parts = Omit<ClassicSystem, "plain">;

const system = (parts: Parts): ClassicSystem => ({
  ...parts,
  plain: (t, y) => {
    const dy = new Array<number>(parts.y0.length);
    parts.write(t, y, dy);
    return dy;
  },
});

const lotkaVolterra: Parts = {
  name: "lotka-volterra",
  field: (_t, y) => {
    const [prey, predator] = [y.at(0), y.at(1)];
    const meeting = prey.mul(predator);
    return stack([prey.mul(1.5).sub(meeting), meeting.sub(predator.mul(3))]);
  },
  write: (_t, y, dy) => {
    dy[0] = 1.5 * y[0]! - y[0]! * y[1]!;
    dy[1] = -3 * y[1]! + y[0]! * y[1]!;
  },
  y0: [1, 1],
  t1: 10,
  check: { t: 10, y: [1.0263447675750894, 0.9096910781360417] },
};

const lorenz: Parts = {
  name: "lorenz",
  field: (_t, y) => {
    const [x, v, z] = [y.at(0), y.at(1), y.at(2)];
    return stack([v.sub(x).mul(10), x.mul(z.neg().add(28)).sub(v), x.mul(v).sub(z.mul(8 / 3))]);
  },
  write: (_t, y, dy) => {
    dy[0] = 10 * (y[1]! - y[0]!);
    dy[1] = y[0]! * (28 - y[2]!) - y[1]!;
    dy[2] = y[0]! * y[1]! - (8 / 3) * y[2]!;
  },
  y0: [1, 1, 1],
  t1: 20,
  check: { t: 1, y: [-9.378570010925062, -8.357033788426646, 29.362325337363426] },
};

const masses = tensor([1, 2, 3, 4, 5, 6, 7]);
const ownPlace = eye(7);

const pleiades: Parts = {
  name: "pleiades",
  field: (_t, y) => {
    const [x, z] = [y.slice([[0, 7]]), y.slice([[7, 14]])];
    const [dx, dz] = [x.sub(x.reshape([7, 1])), z.sub(z.reshape([7, 1]))];
    const squares = dx.square().add(dz.square()).add(ownPlace);
    const pull = masses.div(squares.mul(squares.sqrt()));
    return concat([y.slice([[14, 28]]), dx.mul(pull).sum({ axis: 1 }), dz.mul(pull).sum({ axis: 1 })]);
  },
  write: (_t, y, dy) => {
    for (let i = 0; i < 7; i++) {
      let [x, z] = [0, 0];
      for (let j = 0; j < 7; j++) {
        if (i === j) continue;
        const [dx, dz] = [y[j]! - y[i]!, y[7 + j]! - y[7 + i]!];
        const squares = dx * dx + dz * dz;
        const pull = (j + 1) / (squares * Math.sqrt(squares));
        x += dx * pull;
        z += dz * pull;
      }
      dy[i] = y[14 + i]!;
      dy[7 + i] = y[21 + i]!;
      dy[14 + i] = x;
      dy[21 + i] = z;
    }
  },
  y0: [3, 3, -1, -3, 2, -2, 2, 3, -3, 2, 0, 0, -4, 4, 0, 0, 0, 0, 0, 1.75, -1.5, 0, 0, 0, -1.25, 1, 0, 0],
  t1: 3,
  check: {
    t: 3,
    y: [
      0.3706139144, 3.23728409206, -3.22255903242, 0.65970914558, 0.34255817072, 1.5621721014, -0.70030929222, -3.94343758551, -3.27138097397,
      5.22508184346, -2.59061243498, 1.19821369339, -0.24296823449, 1.09149244043, 3.41700380632, 1.35458450163, -2.59006559781, 2.02505373471,
      -1.15581510016, -0.80729881702, 0.59523963542, -3.74124496123, 0.37734596858, 0.93868588696, 0.36679222272, -0.34740463538, 2.34491544818,
      -1.94702043426,
    ],
  },
};

const [moon, earth] = [0.012277471, 1 - 0.012277471];

const arenstorf: Parts = {
  name: "arenstorf",
  field: (_t, y) => {
    const [x, z, u, v] = [y.at(0), y.at(1), y.at(2), y.at(3)];
    const pull = (mass: number, dx: Tensor): Tensor => {
      const squares = dx.square().add(z.square());
      return squares.mul(squares.sqrt()).reciprocal().mul(mass);
    };
    const [toEarth, toMoon] = [x.add(moon), x.sub(earth)];
    const [byEarth, byMoon] = [pull(earth, toEarth), pull(moon, toMoon)];
    return stack([u, v, x.add(v.mul(2)).sub(byEarth.mul(toEarth)).sub(byMoon.mul(toMoon)), z.sub(u.mul(2)).sub(byEarth.add(byMoon).mul(z))]);
  },
  write: (_t, y, dy) => {
    const [x, z, u, v] = [y[0]!, y[1]!, y[2]!, y[3]!];
    const [toEarth, toMoon] = [x + moon, x - earth];
    const [d, e] = [toEarth * toEarth + z * z, toMoon * toMoon + z * z];
    const [byEarth, byMoon] = [earth / (d * Math.sqrt(d)), moon / (e * Math.sqrt(e))];
    dy[0] = u;
    dy[1] = v;
    dy[2] = x + 2 * v - byEarth * toEarth - byMoon * toMoon;
    dy[3] = z - 2 * u - (byEarth + byMoon) * z;
  },
  y0: [0.994, 0, 0, -2.001585106379082],
  t1: 17.06521656015796,
  check: { t: 5, y: [0.0226887836481, 0.8665401401713, -0.1177364786408, -0.4217858041627] },
};

/** All systems. */
export const classicSystems: readonly ClassicSystem[] = [lotkaVolterra, lorenz, pleiades, arenstorf].map(system);

/** The tolerances of all. */
export const classicTolerances = { rtol: 1e-6, atol: 1e-8 } as const;
