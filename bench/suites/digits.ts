/**
 * @file W2: gradient of a solve with a wide field.
 */
import { gradientRows } from "../gradient-rows.js";
import { floats, type Suite } from "../suite.js";
import { digits as workloadOf, digitsCases } from "../workloads/digits.js";

/** Gradients of W2; the quick ones are those of the small batch in float32. */
export const digits: Suite = async function* ({ effort, quick }) {
  for (const dtype of quick ? (["float32"] as const) : floats)
    for (const one of quick ? digitsCases.filter(({ batch }) => batch === 32) : digitsCases) {
      const shape = `batch ${one.batch}, gain ${one.gain}`;
      const rounds = one.batch === 512 ? Math.min(5, effort.rounds) : effort.rounds;
      yield* gradientRows("W2", shape, dtype, (adjoint) => workloadOf(one, dtype, adjoint), one.expected, { ...effort, rounds });
    }
};
